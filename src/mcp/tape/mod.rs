//! What was said with a target, on tape: made of any transcripts, and played in the target's place.
//!
//! The whole client runs on the recorded messages, so a replayed trial leaves the record that the first one left. A
//! session takes its answers from the recorded session of the same trial, then from others of the same persona through
//! the same client profile; a request is found by its method and parameters, and one that was made several times gets
//! its answers in order. What is not on the tape is a fault of ours and never a made-up answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::opener::Known;
use super::profile::ClientProfile;
use super::revision::{self, Era, MODERN};
use super::{Scene, Target, revision::Choice};
use crate::transcript::{Aside, End, Fault, Side, Transcript, What, WireMessage};

mod file;
mod frame;
mod hand;
mod message;
mod pipe;
mod respond;
mod resume;
mod target;
mod track;

pub use file::SCHEMA;
pub(super) use hand::Hand;

use message::Kind;
use track::{About, Item, Track};

/// The largest tape that is read, in bytes.
const LARGEST: u64 = 1 << 30;

/// A tape that is played.
pub struct Deck {
    path: PathBuf,
    url: Option<String>,
    tracks: Vec<Track>,
    torn: bool,
    played: AtomicU64,
    missed: AtomicU64,
}

impl Deck {
    /// Opens a tape.
    ///
    /// # Errors
    /// `tape.missing` where there is none, `tape.broken` where it cannot be read.
    #[expect(clippy::disallowed_methods, reason = "reads server tapes")]
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let broken = |why: &str| {
            Fault::new(Side::Harness, "tape.broken", format!("the tape `{}` {why}", path.display()))
        };
        let size = std::fs::metadata(path).map_err(|_| missing(path))?.len();
        if size > LARGEST {
            return Err(broken(&format!("is larger than {} MiB", LARGEST >> 20)));
        }
        let bytes = std::fs::read(path).map_err(|error| broken(&format!("cannot be read: {error}")))?;
        let file::Contents { url, tracks, torn } = file::read(&bytes).map_err(|why| broken(&why))?;
        let (played, missed) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self { path: path.to_owned(), url, tracks, torn, played, missed })
    }

    /// A target that answers from this tape. A revision that the suite pins is the only one spoken.
    ///
    /// # Errors
    /// `tape.broken` for a tape whose target has an address that is no URL.
    pub fn target(self: &Arc<Self>, choice: Choice, http: reqwest::Client) -> Result<Arc<dyn Target>, Fault> {
        target::target(self, choice, http)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its last line was broken off.
    pub fn is_torn(&self) -> bool {
        self.torn
    }

    /// How many requests were answered from it.
    pub fn played(&self) -> u64 {
        self.played.load(Ordering::Relaxed)
    }

    /// How many requests were not on it.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// The recorded sessions for a place: its own, if there is one that was not taken before, then others to fall back to.
    fn sessions(
        &self,
        scene: Option<Scene<'_>>,
        client: &ClientProfile,
        nth: usize,
    ) -> (Option<usize>, Vec<usize>) {
        let Some(scene) = scene else { return (None, (0..self.tracks.len()).collect()) };
        let persona = |about: &About| about.persona == *scene.persona;
        let Some(case) = scene.case else {
            let look = |about: &About| persona(about) && about.case.is_none();
            let own = self.tracks.iter().position(|track| look(&track.about));
            let others = (0..self.tracks.len()).filter(|index| persona(&self.tracks[*index].about));
            return (own, others.filter(|index| Some(*index) != own).collect());
        };
        let surface =
            |about: &About| persona(about) && about.client.as_ref().is_none_or(|name| *name == client.name);
        let of_case = |about: &About| surface(about) && about.case.as_deref() == Some(case.case.as_str());
        let of_trial = |about: &About| of_case(about) && about.trial == case.trial;
        let of_model = |about: &About| {
            of_trial(about)
                && about.model.as_deref() == case.model.as_ref().map(crate::ids::ModelName::as_str)
        };
        let all = |wanted: &dyn Fn(&About) -> bool| -> Vec<usize> {
            (0..self.tracks.len()).filter(|index| wanted(&self.tracks[*index].about)).collect()
        };
        let (of_model, of_trial) = (all(&of_model), all(&of_trial));
        let own = if of_model.is_empty() { &of_trial } else { &of_model }.get(nth).copied();
        let mut others = [of_model, of_trial, all(&of_case), all(&surface)].concat();
        let mut seen = std::collections::HashSet::new();
        others.retain(|index| Some(*index) != own && seen.insert(*index));
        (own, others)
    }

    /// What the recorded client knew of the target's era.
    fn known(&self) -> Option<Known> {
        let turns = || self.tracks.iter().flat_map(|track| &track.turns);
        let answered = |method: &str| turns().find(|turn| turn.said.method == method && turn.is_answered());
        let speaks = |text: &str| {
            text.contains(&format!("\"io.modelcontextprotocol/protocolVersion\":\"{}\"", MODERN.name))
        };
        // Every modern request says so itself; a question after the era alone says nothing.
        let modern = turns().any(|turn| turn.said.method != "server/discover" && speaks(&turn.text));
        if modern {
            return Some(Known::Modern);
        }
        let text = &answered("initialize")?.text;
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let offered = revision::find(value.pointer("/params/protocolVersion")?.as_str()?)?;
        (offered.era == Era::Legacy).then_some(Known::Legacy(offered))
    }

    /// Whether the tool of a `tools/call` says on the tape that it only reads.
    fn only_reads(&self, tool: &str) -> bool {
        let listed = self.tracks.iter().flat_map(|track| &track.items).filter_map(|item| match item {
            Item::Wire(WireMessage::Received { body, .. }) => body.json(),
            _ => None,
        });
        let mut tools = listed.flat_map(|message| match message.pointer("/result/tools") {
            Some(serde_json::Value::Array(tools)) => tools.clone(),
            _ => vec![],
        });
        tools.any(|known| {
            known.get("name").is_some_and(|name| name == tool)
                && known.pointer("/annotations/readOnlyHint").is_some_and(|hint| hint == true)
        })
    }

    /// The fault of a request that is not on the tape.
    fn miss(&self, said: &message::Said, why: &str) -> Fault {
        if !matches!(said.kind, Kind::Bare) {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
        let message = format!("`{}` has no answer to {}: {why}", self.path.display(), said.words());
        Fault::new(Side::Harness, "tape.miss", message)
    }
}

fn missing(path: &Path) -> Fault {
    let message = format!(
        "there is no tape `{}`; write one of a run with `rehearsal runs tape RUN --to FILE`, or with `--server-tape-mode record`",
        path.display()
    );
    Fault::new(Side::Harness, "tape.missing", message)
}

/// The text of a tape of what was said before the first trial, and in every trial. `url` is where the target was.
pub fn written<'a>(
    url: Option<&str>,
    looks: &[(crate::ids::PersonaName, Vec<WireMessage>)],
    transcripts: impl IntoIterator<Item = &'a Transcript>,
) -> String {
    let mut sessions: Vec<(About, Vec<(u32, Item)>)> = vec![];
    for (persona, messages) in looks {
        let about = About { case: None, persona: persona.clone(), client: None, model: None, trial: 0 };
        sessions.push((about, (0..).zip(messages.iter().cloned().map(Item::Wire)).collect()));
    }
    for transcript in transcripts {
        sessions.extend(of(transcript));
    }
    sessions.retain(|(_, items)| items.iter().any(|(_, item)| matches!(item, Item::Wire(_))));
    file::write(url, &sessions)
}

/// The sessions of a trial: the first one, then those aside.
fn of(transcript: &Transcript) -> Vec<(About, Vec<(u32, Item)>)> {
    let header = &transcript.header;
    let about = |persona: &crate::ids::PersonaName| About {
        case: Some(header.case.to_string()),
        persona: persona.clone(),
        client: Some(header.client.clone()),
        model: header.model.as_ref().map(ToString::to_string),
        trial: header.trial,
    };
    let mut sessions = vec![(None, about(&header.persona), vec![])];
    for event in &transcript.events {
        let item = match &event.what {
            What::Wire(message) => Item::Wire(message.clone()),
            what @ (What::Auth(_) | What::ServerStderr { .. }) => Item::Beside(what.clone()),
            _ => continue,
        };
        let number = event.aside.as_ref().map(|aside| aside.session);
        let place = sessions.iter().position(|(known, ..)| *known == number).unwrap_or_else(|| {
            let persona = event.aside.as_ref().map_or(&header.persona, |Aside { persona, .. }| persona);
            sessions.push((number, about(persona), vec![]));
            sessions.len() - 1
        });
        sessions[place].2.push((event.seq, item));
    }
    if let (End::Faulted(fault), Some((_, _, items))) = (&transcript.end, sessions.first_mut())
        && fault.side.counts_against_target()
    {
        items.push((transcript.events.len() as u32, Item::Fault(fault.clone())));
    }
    sessions.into_iter().map(|(_, about, items)| (about, items)).collect()
}

/// Whether a recorded message wants an answer of the server.
fn wants_answer(kind: &Kind) -> bool {
    matches!(kind, Kind::Request(_))
}
