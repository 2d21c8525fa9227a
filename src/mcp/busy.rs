//! A server that is busy while a session is opened: how long it is left alone before it is asked again.

use std::time::Duration;

use tokio::time::Instant;

use super::era::BUSY_TRIES;
use super::line::{Heard, Line, Stop};
use super::terms::Terms;
use crate::units::Period;

/// The patience of one opening with a server that says it is busy.
pub(super) struct Busy {
    deadline: Instant,
    tries: u32,
}

impl Busy {
    /// None so far. Waiting ends with the time that an opening has.
    pub(super) fn new(terms: &Terms) -> Self {
        Self { deadline: Instant::now() + terms.open, tries: 0 }
    }

    /// How often the server was left alone.
    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    /// Leaves the server alone: as long as it asks for (RFC 9110 section 10.2.3), or for want of that a moment, which
    /// grows.
    pub(super) async fn rest(&mut self, line: &Line, terms: &Terms) {
        let own = terms.pace.busy * 4u32.pow(self.tries.min(BUSY_TRIES));
        let wait = self.asked(line).unwrap_or(own);
        self.tries += 1;
        tokio::time::sleep(wait).await;
    }

    /// Whether what came of `initialize` may be another answer later, because the server says when. Waits until then.
    pub(super) async fn passes(&mut self, line: &Line, heard: &Heard) -> bool {
        let is_busy = match heard {
            Heard::Stopped(Stop::Refused(refusal)) => matches!(refusal.status, Some(429 | 503)),
            Heard::Stopped(Stop::Blank { status, .. }) => matches!(status, 429 | 503),
            _ => false,
        };
        if !is_busy || self.tries >= BUSY_TRIES {
            return false;
        }
        let Some(wait) = self.asked(line) else { return false };
        self.tries += 1;
        tokio::time::sleep(wait).await;
        true
    }

    /// What the server asked for, if there is time for it. Either way it is recorded.
    fn asked(&self, line: &Line) -> Option<Duration> {
        let asked = line.carrier.asked_to_wait()?;
        let left = self.deadline.saturating_duration_since(Instant::now());
        let (wait, fits) = (Period(asked), asked < left);
        line.hub.odd(
            None,
            match fits {
                true => format!("the server was busy and asked to be left alone for {wait}, which was done"),
                false => format!(
                    "the server was busy and asked to be left alone for {wait}, longer than an opening may take; it was not waited for"
                ),
            },
        );
        Some(asked).filter(|_| fits)
    }
}
