//! One session's part of a record, found by the notes that begin and end it. Pure.

use crate::auth::bench::noted;
use crate::transcript::{Event, Transcript, What};

/// How the opening of a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Opened<'a> {
    /// The server is ready.
    Ready,
    /// The process ended: how.
    Ended(&'a str),
    /// Nothing came.
    Silent,
    /// Something came that opens nothing: what.
    Refused(&'a str),
}

/// The events between the beginning of a session and its end, and how its opening ended.
pub(super) struct Part<'a> {
    pub(super) events: Vec<&'a Event>,
    pub(super) opened: Opened<'a>,
    /// Why no list came, if it was asked for and did not come.
    pub(super) no_list: Option<&'a str>,
}

/// The part of the session with this label; `None` where none was begun.
pub(super) fn part<'a>(transcript: &'a Transcript, label: &str) -> Option<Part<'a>> {
    let word = |event: &'a Event| noted(event)?.strip_prefix(label)?.strip_prefix(": ");
    let first = transcript.events.iter().position(|event| word(event) == Some("begins"))?;
    let rest = &transcript.events[first..];
    let last = rest.iter().position(|event| word(event) == Some("left"));
    let next = || rest.iter().skip(1).position(|event| noted(event).is_some_and(|n| n.ends_with(": begins")));
    let end = last.or_else(next).map_or(rest.len(), |place| place + 1);
    let events: Vec<&Event> = rest[..end].iter().collect();
    let opened = events.iter().find_map(|event| {
        let word = word(event)?;
        match word {
            "opened" => Some(Opened::Ready),
            "silent" => Some(Opened::Silent),
            _ => word
                .strip_prefix("ended, ")
                .map(Opened::Ended)
                .or_else(|| word.strip_prefix("refused, ").map(Opened::Refused)),
        }
    });
    let no_list = events.iter().find_map(|event| word(event)?.strip_prefix("no list, "));
    Some(Part { events, opened: opened.unwrap_or(Opened::Silent), no_list })
}

impl Part<'_> {
    /// How many tools were listed, and the event that shows it; `None` where no list came.
    pub(super) fn listed(&self) -> Option<(usize, u32)> {
        self.events.iter().find_map(|event| match &event.what {
            What::ToolsListed { tools } => Some((tools.len(), event.seq)),
            _ => None,
        })
    }

    /// Everything on stderr.
    pub(super) fn stderr(&self) -> String {
        let texts = self.events.iter().filter_map(|event| match &event.what {
            What::ServerStderr { text } => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// The events of stderr, else the one that began the session.
    pub(super) fn evidence(&self) -> Vec<u32> {
        let said = |event: &&&Event| matches!(event.what, What::ServerStderr { .. });
        let seqs: Vec<u32> = self.events.iter().filter(said).map(|event| event.seq).collect();
        match seqs.is_empty() {
            true => self.events.iter().take(1).map(|event| event.seq).collect(),
            false => seqs,
        }
    }
}

/// Why a session that should have opened shows nothing; `None`: it opened.
pub(super) fn closed(part: &Part<'_>, who: &str) -> Option<String> {
    match &part.opened {
        Opened::Ready => None,
        Opened::Ended(how) => Some(format!("{who} got no session: {how}")),
        Opened::Refused(how) => Some(format!("{who} was refused: {how}")),
        Opened::Silent => Some(format!("{who} got no answer")),
    }
}
