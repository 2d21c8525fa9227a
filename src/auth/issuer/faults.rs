//! Switches that make endpoints of the issuer fail, and counters of who asks them.
//!
//! A target must refuse everybody while its issuer is silent, within bounded time, and recover afterwards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// An endpoint with a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The public keys.
    Jwks,
    /// RFC 7662.
    Introspection,
    /// The token endpoint.
    Token,
}

/// What an endpoint does instead of answering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing: it answers.
    #[default]
    Off,
    /// Answers 500.
    Error,
    /// Takes the request and says nothing until the switch changes, a minute at most; then 503.
    Hang,
    /// Answers after this long, a minute at most.
    Slow(Duration),
}

/// The longest that a switch holds up a request.
const LONGEST: Duration = Duration::from_secs(60);

/// How often endpoints were asked, in all, whatever they answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetches {
    /// Requests for the public keys.
    pub jwks: u64,
    /// Introspections.
    pub introspection: u64,
    /// Requests for tokens.
    pub token: u64,
}

/// The switches of one issuer. Everything is off at the start.
#[derive(Debug, Default)]
pub struct Faults {
    jwks: Switch,
    introspection: Switch,
    token: Switch,
}

#[derive(Debug, Default)]
struct Switch {
    trouble: watch::Sender<Trouble>,
    asked: AtomicU64,
}

/// A switch has held up the request for good, and this is the status to answer.
pub(super) struct Struck(pub(super) u16);

impl Faults {
    /// Sets a switch. Requests that hang are let go with 503.
    pub fn set(&self, point: Point, trouble: Trouble) {
        self.at(point).trouble.send_replace(trouble);
    }

    /// Sets every switch to [`Trouble::Off`].
    pub fn clear(&self) {
        for point in [Point::Jwks, Point::Introspection, Point::Token] {
            self.set(point, Trouble::Off);
        }
    }

    /// How often each endpoint was asked so far.
    pub fn fetches(&self) -> Fetches {
        let count = |switch: &Switch| switch.asked.load(Ordering::Relaxed);
        Fetches {
            jwks: count(&self.jwks),
            introspection: count(&self.introspection),
            token: count(&self.token),
        }
    }

    fn at(&self, point: Point) -> &Switch {
        match point {
            Point::Jwks => &self.jwks,
            Point::Introspection => &self.introspection,
            Point::Token => &self.token,
        }
    }

    /// Counts a request and does to it what the switch says.
    pub(super) async fn pass(&self, point: Point) -> Result<(), Struck> {
        let switch = self.at(point);
        switch.asked.fetch_add(1, Ordering::Relaxed);
        let trouble = *switch.trouble.borrow();
        match trouble {
            Trouble::Off => Ok(()),
            Trouble::Error => Err(Struck(500)),
            Trouble::Slow(wait) => {
                tokio::time::sleep(wait.min(LONGEST)).await;
                Ok(())
            }
            Trouble::Hang => {
                let mut changes = switch.trouble.subscribe();
                // Neither way of waiting in vain changes the answer.
                let _ = tokio::time::timeout(LONGEST, changes.wait_for(|now| *now != Trouble::Hang)).await;
                Err(Struck(503))
            }
        }
    }
}
