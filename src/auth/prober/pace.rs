//! How fast requests follow each other: nobody's server is asked more often per second than agreed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use tokio::time::Instant;

use crate::net::asked::Asked;
use crate::net::fence::Reach;
use crate::transcript::HttpSide;

/// Requests per second to servers that are not on this machine, unless somebody says otherwise.
pub const DEFAULT_RPS: u32 = 5;

/// Lets requests pass one after the other, at even distances.
#[derive(Debug)]
pub(super) struct Pacer {
    gap: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pacer {
    /// A pacer for a target. `rps` is the most requests per second; without it [`DEFAULT_RPS`], and no limit on this
    /// machine.
    pub(super) fn new(target: &url::Url, rps: Option<u32>) -> Self {
        let gap = match rps {
            Some(rps) => Duration::from_secs(1) / rps.max(1),
            None if Reach::seen(target) == Some(Reach::Loopback) => Duration::ZERO,
            None => Duration::from_secs(1) / DEFAULT_RPS,
        };
        Self { gap, next: Mutex::default() }
    }

    /// Waits for the next free moment.
    pub(super) async fn turn(&self) {
        if !self.gap.is_zero() {
            tokio::time::sleep_until(self.slot(Instant::now())).await;
        }
    }

    /// The next free moment, which then is taken.
    fn slot(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = next.map_or(now, |next| next.max(now));
        *next = Some(slot + self.gap);
        slot
    }
}

/// How long a 429 asks to wait: `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3).
pub(super) fn asked_to_wait(response: &Result<HttpSide, String>, now: jiff::Timestamp) -> Option<Duration> {
    let side = response.as_ref().ok().filter(|side| side.status() == Some(429))?;
    let value = HeaderValue::from_str(side.header("retry-after")?).ok()?;
    Asked::read(&HeaderMap::from_iter([(RETRY_AFTER, value)])).map(|asked| asked.wait(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Body;

    fn pacer(url: &str, rps: Option<u32>) -> Pacer {
        Pacer::new(&url::Url::parse(url).unwrap(), rps)
    }

    #[test]
    fn only_this_machine_is_asked_without_a_limit() {
        for (url, rps, gap) in [
            ("http://127.0.0.1:1/mcp", None, 0),
            ("http://localhost:1/mcp", None, 0),
            ("http://127.0.0.1:1/mcp", Some(20), 50),
            ("http://10.0.0.1/mcp", None, 200),
            ("https://far.example/mcp", None, 200),
            ("https://far.example/mcp", Some(1), 1000),
        ] {
            assert_eq!(pacer(url, rps).gap, Duration::from_millis(gap), "{url} {rps:?}");
        }
    }

    #[test]
    fn requests_are_spread_evenly_and_never_saved_up() {
        let (pacer, now) = (pacer("https://far.example/mcp", Some(10)), Instant::now());
        let gap = Duration::from_millis(100);
        let slots: Vec<Instant> = (0..3).map(|_| pacer.slot(now)).collect();
        assert_eq!(slots, [now, now + gap, now + gap * 2]);
        let later = now + Duration::from_secs(9);
        assert_eq!([pacer.slot(later), pacer.slot(later)], [later, later + gap]);
    }

    #[test]
    fn the_wait_is_read_in_both_forms() {
        let now: jiff::Timestamp = "2026-07-28T00:00:00Z".parse().unwrap();
        let answer = |status: &str, value: Option<&str>| {
            let headers = value.map(|value| ("Retry-After".to_owned(), value.to_owned()));
            let headers = headers.into_iter().collect();
            Ok(HttpSide { start: status.to_owned(), headers, body: Body::Text(String::new()) })
        };
        let wait = |value: &str| asked_to_wait(&answer("429", Some(value)), now);
        assert_eq!(wait("2"), Some(Duration::from_secs(2)));
        assert_eq!(wait("Tue, 28 Jul 2026 00:00:03 GMT"), Some(Duration::from_secs(3)));
        assert_eq!(wait("Mon, 27 Jul 2026 00:00:03 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), Some(Duration::ZERO));
        assert_eq!(asked_to_wait(&answer("429", None), now), None);
        assert_eq!(asked_to_wait(&answer("503", Some("1")), now), None);
    }
}
