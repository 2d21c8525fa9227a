//! Time in which a trial could not go on through no doing of its own: somebody made it wait for a provider's limits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Clock;

/// How long a trial was held, by however many waits at once.
#[derive(Clone)]
pub(super) struct Holds {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    waits: u32,
    since: Duration,
    total: Duration,
}

/// The trial is held until this is dropped.
pub struct Hold(Holds);

impl Holds {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, state: Arc::default() }
    }

    pub(super) fn hold(&self) -> Hold {
        let mut state = self.state();
        if state.waits == 0 {
            state.since = self.clock.elapsed();
        }
        state.waits += 1;
        Hold(self.clone())
    }

    /// All of it so far, the wait under way included.
    pub(super) fn total(&self) -> Duration {
        let state = self.state();
        match state.waits {
            0 => state.total,
            _ => state.total + self.clock.elapsed().saturating_sub(state.since),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let now = self.0.clock.elapsed();
        let mut state = self.0.state();
        state.waits -= 1;
        if state.waits == 0 {
            let more = now.saturating_sub(state.since);
            state.total += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn waits_at_once_count_once() {
        let seconds = Arc::new(AtomicU64::new(0));
        let time = Arc::clone(&seconds);
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, move || {
            Duration::from_secs(time.load(Ordering::Relaxed))
        });
        let holds = Holds::new(clock);
        let at = |second: u64| seconds.store(second, Ordering::Relaxed);
        let first = holds.hold();
        at(3);
        let second = holds.hold();
        at(5);
        drop(first);
        assert_eq!(holds.total(), Duration::from_secs(5));
        at(6);
        drop(second);
        at(60);
        assert_eq!(holds.total(), Duration::from_secs(6));
        let _third = holds.hold();
        at(61);
        assert_eq!(holds.total(), Duration::from_secs(7));
    }
}
