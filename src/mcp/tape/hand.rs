//! The answers of one live session, and the order in which they may be played.
//!
//! What a recorded session of the same trial holds is played in the recorded order, also where requests run side by
//! side. An answer that was recorded after the client had answered a question of the server waits for that.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

mod cuts;

use super::message::{self, Kind, Said};
use super::track::{Item, Track, Turn};
use super::{Deck, resume, wants_answer};
use crate::transcript::{Fault, Recorder, What};

/// How long what nobody takes in is waited for.
const LINGER: Duration = Duration::from_millis(500);

/// How often the record is looked at.
const TICK: Duration = Duration::from_millis(1);

/// See the module.
pub(in crate::mcp) struct Hand {
    pub(super) deck: Arc<Deck>,
    own: Option<usize>,
    others: Vec<usize>,
    state: Mutex<State>,
    moved: Notify,
    log: Recorder,
}

#[derive(Default)]
struct State {
    used: HashSet<Turned>,
    last: Option<Turned>,
    /// Places of what is to come of requests under way in the recorded session of this trial.
    open: BTreeSet<usize>,
    /// How many of its items beside the messages were told.
    told: usize,
    ids: HashMap<(usize, String), Value>,
    /// What is to come on the server's own stream.
    mail: Vec<(Turned, usize)>,
    /// Streams that were cut off and are to be resumed.
    cut: Vec<Turned>,
    /// Turns that are on record as sent, of those that go on with a stream.
    left: HashSet<Turned>,
    broken: Option<Fault>,
    /// Set when the record is no longer the one that the tape was made of.
    strayed: bool,
}

impl State {
    /// Whether the client has done what it did before this came.
    fn is_prepared(&self, track: &Track, own: Option<usize>, place: usize) -> bool {
        let Some((index, turn)) = track.last_turn_before(place) else { return true };
        let taken = own.is_some_and(|own| self.used.contains(&Turned { track: own, turn: index }));
        // Another request may never come; an answer of the client does, or breaks the session.
        let owner = track.turns.iter().find(|turn| turn.received.contains(&place));
        let waits = matches!(turn.said.kind, Kind::Answer(_)) || owner.is_some_and(Turn::is_open_end);
        taken || !waits
    }
}

/// A turn of a track that is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Turned {
    track: usize,
    turn: usize,
}

impl Hand {
    /// The answers of `own`, if there is a recorded session of this trial, and of `others`.
    pub(super) fn new(
        deck: Arc<Deck>,
        (own, others): (Option<usize>, Vec<usize>),
        log: Recorder,
    ) -> Arc<Self> {
        Arc::new(Self { deck, own, others, state: Mutex::default(), moved: Notify::new(), log })
    }

    /// Every session that it may draw from, best first.
    pub(super) fn all(&self) -> Vec<usize> {
        self.own.into_iter().chain(self.others.iter().copied()).collect()
    }

    /// The recorded session of this trial.
    pub(super) fn track(&self) -> Option<&Track> {
        self.deck.tracks.get(self.own?)
    }

    pub(super) fn track_of(&self, turned: Turned) -> &Track {
        &self.deck.tracks[turned.track]
    }

    pub(super) fn turn(&self, turned: Turned) -> &Turn {
        &self.deck.tracks[turned.track].turns[turned.turn]
    }

    /// What broke the session for good, if anything did.
    pub(in crate::mcp) fn broken(&self) -> Option<Fault> {
        self.state().broken.clone()
    }

    /// Breaks the session: what waits for an answer gets this fault.
    pub(super) fn break_off(&self, fault: Fault) {
        self.state().broken.get_or_insert(fault);
        self.moved.notify_waiters();
    }

    /// Takes the turn that answers a message: the next one that was not taken, or where asking again changes nothing the
    /// last one.
    pub(super) fn claim(&self, said: &Said, text: &str) -> Result<Option<Turned>, Fault> {
        let found = {
            let resumed = self.resumed(said);
            let state = self.state();
            let free = |turned: &Turned| !state.used.contains(turned);
            resumed
                .or_else(|| self.same(said).find(free))
                .or_else(|| self.again(said).then(|| self.same(said).last())?)
        };
        let Some(turned) = found else { return self.nothing(said) };
        let turn = self.turn(turned);
        let mut state = self.state();
        let anew = state.used.insert(turned);
        state.last = Some(turned);
        if anew && self.own == Some(turned.track) {
            state.open.extend(&turn.received);
        } else {
            state.strayed = true;
        }
        if let (Kind::Request(recorded), Ok(now)) = (&turn.said.kind, serde_json::from_str::<Value>(text))
            && let Some(id) = now.get("id")
        {
            state.ids.insert((turned.track, recorded.clone()), id.clone());
        }
        drop(state);
        self.moved.notify_waiters();
        if wants_answer(&turn.said.kind) {
            self.deck.played.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(Some(turned))
    }

    /// What is to be done about a message that is not on the tape: only requests and answers need to be.
    fn nothing(&self, said: &Said) -> Result<Option<Turned>, Fault> {
        let why = match &said.kind {
            Kind::Notification => return Ok(None),
            Kind::Bare if said.method != "GET" => return Ok(None),
            Kind::Bare => "nothing of the kind was recorded for this session".to_owned(),
            Kind::Answer(_) => {
                let why = "the client answers a question of the server otherwise than when this was recorded";
                let fault = self.deck.miss(said, why);
                self.break_off(fault.clone());
                return Err(fault);
            }
            Kind::Request(_) => self.why(said),
        };
        Err(self.deck.miss(said, &why))
    }

    /// What comes nearest to a request that is not on the tape.
    fn why(&self, said: &Said) -> String {
        let times = self.same(said).count();
        if times > 0 {
            let times = crate::display::excerpt(&times.to_string(), 20);
            return format!("it was recorded {times} times, and all were played");
        }
        let all = || self.tracks().flat_map(|(_, track)| &track.turns);
        if self.tracks().next().is_none() {
            return "no session of this persona through this client profile was recorded".to_owned();
        }
        let near = all().filter(|turn| turn.said.method == said.method);
        let near: Vec<&Turn> = near.filter(|turn| turn.said.about == said.about).collect();
        match near.first() {
            Some(turn) if said.about.is_some() => {
                let shown = crate::display::excerpt(&arguments(&turn.text), 160);
                let more =
                    if near.len() > 1 { format!(" and {} more", near.len() - 1) } else { String::new() };
                format!("it was recorded with other arguments: `{shown}`{more}")
            }
            Some(turn) => format!(
                "it was recorded with other parameters: `{}`",
                crate::display::excerpt(&arguments(&turn.text), 160)
            ),
            None => {
                let mut known: Vec<String> = all()
                    .filter(|turn| turn.said.method == said.method)
                    .filter_map(|turn| turn.said.about.clone())
                    .map(|about| format!("`{}`", crate::display::excerpt(&about, 60)))
                    .collect();
                known.sort();
                known.dedup();
                known.truncate(8);
                match known.is_empty() {
                    true => "no such request was recorded".to_owned(),
                    false => format!("that was recorded only of {}", known.join(", ")),
                }
            }
        }
    }

    fn tracks(&self) -> impl Iterator<Item = (usize, &Track)> {
        self.own.into_iter().chain(self.others.iter().copied()).map(|index| (index, &self.deck.tracks[index]))
    }

    /// Turns of the same message, best first. A question that was never answered is of use to its own trial only.
    fn same<'a>(&'a self, said: &'a Said) -> impl Iterator<Item = Turned> + 'a {
        self.tracks().flat_map(move |(index, track)| {
            let usable =
                move |turn: &Turn| Some(index) == self.own || turn.is_answered() || turn.is_open_end();
            let same =
                track.turns.iter().enumerate().filter(move |(_, turn)| turn.said.is(said) && usable(turn));
            same.map(move |(turn, _)| Turned { track: index, turn })
        })
    }

    /// Whether asking once more changes nothing.
    fn again(&self, said: &Said) -> bool {
        let reads = || said.about.as_ref().is_some_and(|tool| self.deck.only_reads(tool));
        said.only_looks() || (said.method == "tools/call" && reads())
    }

    /// Whether the message that was sent last was sent again with other credentials when this was recorded.
    pub(in crate::mcp) fn repeats(&self, text: &str) -> bool {
        let state = self.state();
        let Some(last) = state.last else { return false };
        let turn = self.turn(last);
        let next = self.track_of(last).turns.get(last.turn + 1..).unwrap_or_default();
        Said::of("POST", text).is(&turn.said) && next.iter().any(|other| other.text == turn.text)
    }

    /// Writes what happened before a turn beside the messages into the record, once.
    pub(super) fn tell_beside(&self, turned: Turned, log: &Recorder) {
        if Some(turned.track) == self.own {
            self.tell_until(self.turn(turned).sent, log);
        }
    }

    /// The same for all that is left.
    pub(super) fn tell_rest(&self, log: &Recorder) {
        self.tell_until(usize::MAX, log);
    }

    fn tell_until(&self, place: usize, log: &Recorder) {
        let Some(track) = self.track() else { return };
        let mut state = self.state();
        let place = place.min(track.items.len());
        let items = track.items.get(state.told..place).unwrap_or_default();
        state.told = state.told.max(place);
        let told: Vec<What> = items
            .iter()
            .filter_map(|item| match item {
                Item::Beside(what) => Some(what.clone()),
                Item::Wire(_) | Item::Fault(_) => None,
            })
            .collect();
        drop(state);
        for what in told {
            log.note(what);
        }
    }

    /// Waits until what stands at a place may be played: all before it was, as far as it is going to be.
    pub(super) async fn ready(&self, turned: Turned, place: usize) {
        if Some(turned.track) != self.own {
            return;
        }
        let turn = self.turn(turned);
        if turn.is_open_end() || !turn.is_awaited() {
            // Nobody waits for it, so it came at any time; here it comes when it did.
            self.due(place).await;
        }
        self.resumed_before(turned, place).await;
        // Requests that leave together are all on their way before the first answer comes.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        loop {
            let mut moved = pin!(self.moved.notified());
            moved.as_mut().enable();
            if self.may(place) {
                return;
            }
            moved.await;
        }
    }

    async fn due(&self, place: usize) {
        let due = async {
            while !self.is_due(place) {
                tokio::time::sleep(TICK).await;
            }
        };
        if tokio::time::timeout(LINGER, due).await.is_err() {
            self.state().strayed = true;
        }
    }

    /// Whether as much has happened in this trial as had when what stands at a place came.
    fn is_due(&self, place: usize) -> bool {
        let recorded = self.track().and_then(|track| track.seqs.get(place).copied());
        self.state().strayed || recorded.is_none_or(|seq| self.log.len() >= seq as usize)
    }

    fn may(&self, place: usize) -> bool {
        let state = self.state();
        let Some(track) = self.track() else { return true };
        let prepared = |place: usize| state.is_prepared(track, self.own, place);
        state.broken.is_some() || (prepared(place) && !state.open.range(..place).any(|open| prepared(*open)))
    }

    /// Waits until everything was played that stands before a turn, so that it is recorded where it was. What nobody
    /// takes in is not waited for long.
    pub(super) async fn settled_before(&self, turned: Turned) {
        if Some(turned.track) == self.own {
            self.settled(self.turn(turned).sent).await;
        }
    }

    /// The same for everything that can be played by now.
    pub(in crate::mcp) async fn quiet(&self) {
        self.settled(usize::MAX).await;
    }

    async fn settled(&self, place: usize) {
        let waiting = async {
            loop {
                let mut moved = pin!(self.moved.notified());
                moved.as_mut().enable();
                if !self.is_owed(place) && !self.is_resumption_owed(place) {
                    return;
                }
                moved.await;
            }
        };
        let _ = tokio::time::timeout(LINGER, waiting).await;
    }

    fn is_owed(&self, before: usize) -> bool {
        let Some(track) = self.track() else { return false };
        let open: Vec<usize> = {
            let state = self.state();
            if state.broken.is_some() {
                return false;
            }
            let prepared = |place: &usize| state.is_prepared(track, self.own, *place);
            state.open.range(..before).copied().filter(prepared).collect()
        };
        open.into_iter().any(|place| self.is_due(place))
    }

    /// What stands at a place has been played.
    pub(super) fn done(&self, turned: Turned, place: usize) {
        if Some(turned.track) == self.own {
            self.state().open.remove(&place);
            self.moved.notify_waiters();
        }
    }

    /// Nothing more of a turn is played.
    pub(super) fn give_up(&self, turned: Turned) {
        for place in &self.turn(turned).received {
            self.done(turned, *place);
        }
    }

    /// The text of a recorded message with the ids of now.
    pub(super) fn text(&self, turned: Turned, place: usize) -> String {
        let Some(received) = self.track_of(turned).received(place) else { return String::new() };
        let state = self.state();
        message::renumbered(&received.text, &|id| state.ids.get(&(turned.track, id.to_owned())).cloned())
    }

    /// Puts what came of a turn on the server's own stream.
    pub(super) fn post(&self, turned: Turned, places: &[usize]) {
        self.state().mail.extend(places.iter().map(|place| (turned, *place)));
        self.moved.notify_waiters();
    }

    /// The next message of the server's own stream; pending as long as there is none.
    pub(super) async fn next_mail(&self) -> (Turned, usize) {
        loop {
            let mut moved = pin!(self.moved.notified());
            moved.as_mut().enable();
            let next = {
                let mut state = self.state();
                (!state.mail.is_empty()).then(|| state.mail.remove(0))
            };
            match next {
                Some((turned, place)) => {
                    self.ready(turned, place).await;
                    return (turned, place);
                }
                None => moved.await,
            }
        }
    }

    /// The fault of a request whose answer is not on the tape.
    pub(super) fn unanswered(&self, turned: Turned) -> Fault {
        let track = self.track_of(turned);
        let turn = track.turns.get(resume::first(&track.turns, turned.turn)).unwrap_or(self.turn(turned));
        let later = track.turns.iter().any(|other| other.sent > turn.sent && other.said.is(&turn.said));
        match track.fault().filter(|_| !later) {
            Some(fault) => fault.clone(),
            None => self.deck.miss(&turn.said, "it was recorded, and its answer never came"),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The arguments of a request, as JSON.
fn arguments(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let params = value.get("params").cloned().unwrap_or_default();
    params.get("arguments").cloned().unwrap_or(params).to_string()
}
