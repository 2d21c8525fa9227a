//! Where time comes from: passed in, so tests and replays decide it.

use std::sync::Arc;
use std::time::Duration;

/// A source of time: monotonic for durations, wall for stamps.
#[derive(Clone)]
pub struct Clock {
    elapsed: Arc<dyn Fn() -> Duration + Send + Sync>,
    wall: Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>,
}

impl Clock {
    /// The machine's clocks.
    #[expect(clippy::disallowed_methods, reason = "this is where time enters the program")]
    pub fn system() -> Self {
        let start = std::time::Instant::now();
        Self { elapsed: Arc::new(move || start.elapsed()), wall: Arc::new(jiff::Timestamp::now) }
    }

    /// A clock that a test moves: both hands follow `elapsed`, the wall clock starts at `wall`.
    pub fn manual(wall: jiff::Timestamp, elapsed: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let elapsed = Arc::new(elapsed);
        let hand = Arc::clone(&elapsed);
        Self { elapsed, wall: Arc::new(move || wall.checked_add(hand()).unwrap_or(wall)) }
    }

    /// Time since this clock was made; never goes backwards.
    pub fn elapsed(&self) -> Duration {
        (self.elapsed)()
    }

    /// Wall-clock time in UTC.
    pub fn wall(&self) -> jiff::Timestamp {
        (self.wall)()
    }

    /// Wall-clock time as records keep it: RFC 3339 in UTC with milliseconds.
    pub fn stamp(&self) -> String {
        format!("{:.3}", self.wall())
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}
