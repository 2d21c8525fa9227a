//! A trial that is under way, seen from outside: which turn it is in, and what it waits for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Event, Recorder, What};
use crate::ids::ToolName;

/// A window on one trial. Clones look at the same trial.
#[derive(Clone, Debug, Default)]
pub struct Glance {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
enum Seen {
    #[default]
    Waiting,
    Running(Recorder),
    Over,
}

/// What a trial is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The number of its last request to the model; 0 before the first.
    pub turn: u32,
    /// What it does.
    pub doing: Doing,
}

/// What a trial does at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It is set up, or between two things.
    Starting,
    /// It waits for the model.
    Model,
    /// An attempt at the model failed with this HTTP status, if there was one; it waits for the next.
    Again(Option<u16>),
    /// It waits for this tool of the target. The name is the model's: untrusted.
    Tool(ToolName),
    /// It talks to the target: handshake, lists, probes.
    Target,
    /// It is done and being scored or judged.
    Scoring,
}

impl Glance {
    /// The trial begins with this record.
    pub fn opens(&self, log: &Recorder) {
        *self.seen() = Seen::Running(log.clone());
    }

    /// The trial is over; its record is no longer held.
    pub fn closes(&self) {
        *self.seen() = Seen::Over;
    }

    /// What it is at.
    pub fn now(&self) -> Moment {
        match &*self.seen() {
            Seen::Waiting => Moment { turn: 0, doing: Doing::Starting },
            Seen::Running(log) => log.look(Moment::of),
            Seen::Over => Moment { turn: 0, doing: Doing::Scoring },
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moment {
    /// What a trial with these events so far is at.
    pub fn of(events: &[Event]) -> Self {
        let turn = events.iter().filter(|event| matches!(event.what, What::ModelAsked { .. })).count();
        let doing = events.iter().rev().find_map(|event| doing(&event.what)).unwrap_or(Doing::Starting);
        Self { turn: u32::try_from(turn).unwrap_or(u32::MAX), doing }
    }
}

fn doing(what: &What) -> Option<Doing> {
    Some(match what {
        What::ModelAsked { .. } => Doing::Model,
        What::ModelAttemptFailed { status, wait_ms: Some(_), .. } => Doing::Again(*status),
        What::ToolCalled { name, .. } => Doing::Tool(name.clone()),
        What::ModelSaid { .. }
        | What::UserSaid { .. }
        | What::ToolReturned { .. }
        | What::ToolRefused { .. }
        | What::ToolRejected { .. } => Doing::Starting,
        What::ServerOpened(_) | What::ToolsListed { .. } | What::Exchanged { .. } | What::Fetched { .. } => {
            Doing::Target
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::transcript::event::Caller;
    use crate::transcript::{Clock, Secrets};

    #[test]
    fn a_glance_follows_the_trial_and_lets_go_of_it() {
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, || Duration::ZERO);
        let (log, glance) = (Recorder::new(clock, Secrets::default()), Glance::default());
        assert_eq!(glance.now(), Moment { turn: 0, doing: Doing::Starting });
        glance.opens(&log);
        log.note(What::ModelAsked { offered: vec![], messages: 1, request: String::new() });
        assert_eq!(glance.now(), Moment { turn: 1, doing: Doing::Model });
        let failed = |wait_ms| What::ModelAttemptFailed {
            attempt: 1,
            status: Some(429),
            message: String::new(),
            wait_ms,
        };
        log.note(failed(None));
        assert_eq!(glance.now().doing, Doing::Model, "the last attempt has no next");
        log.note(failed(Some(5)));
        assert_eq!(glance.now().doing, Doing::Again(Some(429)));
        let (call, name) = ("c".into(), ToolName::from("search"));
        let args = serde_json::Value::Null;
        log.note(What::ToolCalled { call, name: name.clone(), args, by: Caller::Model });
        log.note(What::ServerOdd { message: "garbage".into() });
        assert_eq!(glance.clone().now(), Moment { turn: 1, doing: Doing::Tool(name) });
        glance.closes();
        assert_eq!(glance.now().doing, Doing::Scoring);
    }
}
