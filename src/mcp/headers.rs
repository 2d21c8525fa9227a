//! HTTP headers: read for what steers the exchange, masked for the record.

use reqwest::header::{CONTENT_TYPE, HeaderMap, WWW_AUTHENTICATE};

/// What a response claims to hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Stream,
    Other,
}

/// What the `content-type` says.
pub(super) fn kind(headers: &HeaderMap) -> Kind {
    let value = header(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" => Kind::Json,
        "text/event-stream" => Kind::Stream,
        _ => Kind::Other,
    }
}

/// The first header of a name.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// All challenges, as one comma-separated list.
pub(super) fn challenge(headers: &HeaderMap) -> Option<String> {
    let all: Vec<_> = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Response headers as they may be kept.
pub(super) fn masked_map(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            (name.to_string(), masked(name.as_str(), &String::from_utf8_lossy(value.as_bytes())))
        })
        .collect()
}

/// A header as it may be kept, even if nobody registered its secret.
pub(crate) fn masked(name: &str, value: &str) -> String {
    const SENSITIVE: &[&str] = &[
        "authorization",
        "dpop",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "api-key",
        "x-auth-token",
    ];
    if SENSITIVE.iter().any(|sensitive| sensitive.eq_ignore_ascii_case(name)) {
        scheme_only(value)
    } else {
        value.to_owned()
    }
}

/// `Bearer [redacted]`: the scheme of an `Authorization` value tells much and gives nothing away.
pub(super) fn scheme_only(value: &str) -> String {
    const SCHEMES: &[&str] = &["Bearer", "Basic", "DPoP", "Digest", "Negotiate"];
    let scheme = value.split_once(' ').map_or("", |(scheme, _)| scheme);
    match SCHEMES.iter().find(|known| known.eq_ignore_ascii_case(scheme)) {
        Some(_) => format!("{scheme} [redacted]"),
        None => "[redacted]".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_masked_whole() {
        assert_eq!(masked("Authorization", "Bearer abc"), "Bearer [redacted]");
        assert_eq!(masked("authorization", "hunter2 hunter3"), "[redacted]");
        assert_eq!(masked("Cookie", "a=b"), "[redacted]");
        assert_eq!(masked("accept", "text/html"), "text/html");
    }
}
