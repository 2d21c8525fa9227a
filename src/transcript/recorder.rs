//! The only way to write events: it numbers, stamps and redacts them.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::hold::{Hold, Holds};
use super::{Aside, CaseHeader, Clock, End, Event, Fault, SCHEMA, Secrets, Side, Transcript, What};
use crate::ids::PersonaName;

/// Stands where something could not be redacted.
const WITHHELD: &str = "an event is left out: it could not be written without a secret";

/// Writes the events of one trial. Clones write to the same trial.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
    aside: Option<Arc<Aside>>,
}

struct Inner {
    clock: Clock,
    secrets: Secrets,
    begun: Duration,
    holds: Holds,
    started: String,
    events: Mutex<Vec<Event>>,
    sessions: AtomicU32,
}

impl Recorder {
    /// Begins the record of a trial now.
    pub fn new(clock: Clock, secrets: Secrets) -> Self {
        let begun = clock.elapsed();
        let started = clock.stamp();
        let holds = Holds::new(clock.clone());
        let (events, sessions) = (Mutex::new(Vec::new()), AtomicU32::new(0));
        let inner = Arc::new(Inner { clock, secrets, begun, holds, started, events, sessions });
        Self { inner, aside: None }
    }

    /// The same record for a further session, opened as this persona: what is noted through it, or a clone of it, says
    /// so.
    #[must_use]
    pub fn aside(&self, persona: &PersonaName) -> Self {
        let session = self.inner.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        let aside = Some(Arc::new(Aside { session, persona: persona.clone() }));
        Self { inner: Arc::clone(&self.inner), aside }
    }

    /// Records what happened, redacted, and returns its number.
    pub fn note(&self, what: What) -> u32 {
        let withheld = || What::ServerOdd { message: WITHHELD.to_owned() };
        let what = self.clean(what, withheld);
        // Stamped under the lock, so that later numbers never carry earlier times.
        let mut events = self.events();
        let at_ms = self.elapsed_ms();
        let seq = events.len() as u32;
        events.push(Event { seq, at_ms, what, aside: self.aside.as_deref().cloned() });
        seq
    }

    /// Milliseconds since the trial began.
    pub fn elapsed_ms(&self) -> u64 {
        self.inner.clock.elapsed().saturating_sub(self.inner.begun).as_millis() as u64
    }

    /// Holds the trial until the guard is dropped: that time is not its own.
    pub fn hold(&self) -> Hold {
        self.inner.holds.hold()
    }

    /// How long the trial was held so far.
    pub fn held(&self) -> Duration {
        self.inner.holds.total()
    }

    /// The clock of this record.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The secrets that are kept out of it.
    pub fn secrets(&self) -> &Secrets {
        &self.inner.secrets
    }

    /// A copy of the event with this number.
    pub fn event(&self, seq: u32) -> Option<Event> {
        self.events().get(seq as usize).cloned()
    }

    /// Looks at the events so far.
    pub(super) fn look<T>(&self, at: impl FnOnce(&[Event]) -> T) -> T {
        at(&self.events())
    }

    /// How many events there are so far.
    pub fn len(&self) -> usize {
        self.events().len()
    }

    /// Whether nothing happened yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes the record. Events noted later by a clone that is still held are not part of it.
    pub fn finish(&self, header: CaseHeader, end: End) -> Transcript {
        let withheld = || End::Faulted(Fault::new(Side::Harness, "bug.withheld", WITHHELD));
        let end = self.clean(end, withheld);
        Transcript {
            schema: SCHEMA,
            header,
            started: self.inner.started.clone(),
            events: std::mem::take(&mut *self.events()),
            end,
            took_ms: self.elapsed_ms(),
        }
    }

    fn events(&self) -> std::sync::MutexGuard<'_, Vec<Event>> {
        self.inner.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Redacts through the JSON form. The common case, nothing secret inside, costs one scan of that text. A value that
    /// loses its shape, because a secret is spelled like one of its keys, is withheld: nothing secret is written.
    fn clean<T: Serialize + DeserializeOwned>(&self, value: T, withheld: impl Fn() -> T) -> T {
        if self.inner.secrets.is_empty() {
            return value;
        }
        let Ok(text) = serde_json::to_string(&value) else { return withheld() };
        if matches!(self.inner.secrets.redact(&text), Cow::Borrowed(_)) {
            return value;
        }
        let Ok(mut json) = serde_json::from_str::<Value>(&text) else { return withheld() };
        self.inner.secrets.redact_json(&mut json);
        serde_json::from_value(json).unwrap_or_else(|_| withheld())
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorder({} events)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_numbered_stamped_and_redacted() {
        let secrets = Secrets::default();
        secrets.register("K", "hunter2hunter2");
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, || Duration::from_millis(7));
        let log = Recorder::new(clock, secrets);
        assert_eq!(log.note(What::UserSaid { text: "my key is hunter2hunter2".into(), simulated: false }), 0);
        let seq = log.note(What::ServerOdd { message: "x".into() });
        assert_eq!(seq, 1);
        assert_eq!(
            log.event(0).map(|e| e.what),
            Some(What::UserSaid { text: "my key is [secret:K]".into(), simulated: false })
        );
    }

    #[test]
    fn an_event_that_redaction_would_break_is_withheld() {
        let secrets = Secrets::default();
        secrets.register("K", "user_said");
        let log = Recorder::new(Clock::manual(jiff::Timestamp::UNIX_EPOCH, || Duration::ZERO), secrets);
        let seq = log.note(What::UserSaid { text: "the key is user_said".into(), simulated: false });
        assert_eq!(log.event(seq).map(|e| e.what), Some(What::ServerOdd { message: WITHHELD.into() }));
    }
}
