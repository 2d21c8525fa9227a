//! How long a server asks us to wait: response headers in, a wait out. Never overflows, never negative.

use std::time::Duration;

use http::HeaderMap;

/// How long a server asks us to wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked {
    /// So long from now.
    For(Duration),
    /// Until this moment.
    Until(jiff::Timestamp),
}

impl Asked {
    /// Reads `retry-after-ms`, then `Retry-After` as whole seconds, fractions or an HTTP date (RFC 9110 §10.2.3), then
    /// OpenAI's `x-ratelimit-reset-*` of the limit that is used up. Negative waits are none; endless ones stay endless.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        if let Some(ms) = text("retry-after-ms").and_then(number) {
            return Some(Self::For(seconds(ms / 1000.0)));
        }
        if let Some(after) = text("retry-after") {
            return match number(after) {
                Some(number) => Some(Self::For(seconds(number))),
                None => date(after).map(Self::Until),
            };
        }
        Self::announced(headers)
    }

    /// Until when an allowance is used up, as any answer may announce: `x-ratelimit-reset-*` as a span (OpenAI), and
    /// `anthropic-ratelimit-*-reset` as a moment, each beside a `remaining` of 0.
    pub fn announced(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let used_up = |name: String| text(&name).is_some_and(|left| left == "0");
        let spans = ["requests", "tokens"].into_iter().filter_map(|limit| {
            let reset = text(&format!("x-ratelimit-reset-{limit}"))?;
            span(reset).filter(|_| used_up(format!("x-ratelimit-remaining-{limit}")))
        });
        if let Some(longest) = spans.max() {
            return Some(Self::For(longest));
        }
        let moments =
            ["requests", "tokens", "input-tokens", "output-tokens"].into_iter().filter_map(|limit| {
                let reset = text(&format!("anthropic-ratelimit-{limit}-reset"))?;
                reset.parse().ok().filter(|_| used_up(format!("anthropic-ratelimit-{limit}-remaining")))
            });
        moments.max().map(Self::Until)
    }

    /// The wait, seen from a moment.
    pub fn wait(self, now: jiff::Timestamp) -> Duration {
        match self {
            Self::For(wait) => wait,
            Self::Until(moment) => Duration::try_from(moment.duration_since(now)).unwrap_or(Duration::ZERO),
        }
    }
}

fn date(text: &str) -> Option<jiff::Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| !number.is_nan())
}

fn seconds(number: f64) -> Duration {
    if number <= 0.0 { Duration::ZERO } else { Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX) }
}

/// A span such as `1m30.5s` or `20ms`.
fn span(text: &str) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let split = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (digits, tail) = rest.split_at(split);
        let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let unit = match &tail[..end] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        total += number(digits)? * unit;
        rest = &tail[end..];
    }
    Some(seconds(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Option<Asked> {
        Asked::read(
            &pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect(),
        )
    }

    fn after(text: &str) -> Option<Asked> {
        read(&[("retry-after", text)])
    }

    #[test]
    fn every_spelling_of_a_wait_is_read() {
        assert_eq!(after("3"), Some(Asked::For(Duration::from_secs(3))));
        assert_eq!(after(" 0.25 "), Some(Asked::For(Duration::from_millis(250))));
        assert_eq!(after("-5"), Some(Asked::For(Duration::ZERO)));
        assert_eq!(after("100000000000000000000"), Some(Asked::For(Duration::MAX)));
        assert_eq!(after("NaN"), None);
        assert_eq!(after("soon"), None);
        assert_eq!(
            read(&[("retry-after-ms", "40"), ("retry-after", "1")]),
            Some(Asked::For(Duration::from_millis(40)))
        );
    }

    #[test]
    fn dates_are_seen_from_now() {
        let date = after("Thu, 01 Jan 1970 00:00:07 GMT").unwrap();
        assert_eq!(date.wait(jiff::Timestamp::UNIX_EPOCH), Duration::from_secs(7));
        assert_eq!(date.wait(jiff::Timestamp::from_second(99).unwrap()), Duration::ZERO);
    }

    #[test]
    fn the_limit_that_is_used_up_counts() {
        let headers = [
            ("x-ratelimit-remaining-requests", "7"),
            ("x-ratelimit-reset-requests", "1h"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "1m2.5s20ms"),
        ];
        assert_eq!(read(&headers), Some(Asked::For(Duration::from_millis(62_520))));
        assert_eq!(read(&headers[..2]), None);
        assert_eq!(span("5 parsecs"), None);
    }
}
