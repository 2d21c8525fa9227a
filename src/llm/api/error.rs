//! Error objects of the providers, read tolerantly: `{"error": ...}` as every one of them sends it, with OpenAI's code,
//! Anthropic's type or Google's status and details, or as the bare text that some servers send.

use std::time::Duration;

use serde::de::MapAccess;
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::loose::{FromLoose, Loose, Scalar, Text};
use crate::llm::retry::Failure;
use crate::net::asked::Asked;

/// The status that stands for a type or a code of an error which came inside an answer: Anthropic's table of errors, and
/// the codes of a failed response of OpenAI.
const STATUSES: &[(&str, u16)] = &[
    ("invalid_request_error", 400),
    ("authentication_error", 401),
    ("billing_error", 402),
    ("permission_error", 403),
    ("not_found_error", 404),
    ("request_too_large", 413),
    ("rate_limit_error", 429),
    ("timeout_error", 504),
    ("overloaded_error", 529),
    ("rate_limit_exceeded", 429),
    ("insufficient_quota", 429),
    ("invalid_prompt", 400),
    ("context_length_exceeded", 400),
];

/// An error object.
#[derive(Debug, Default)]
pub(in crate::llm) struct Problem {
    message: String,
    kind: String,
    code: String,
    wait: Option<Duration>,
}

impl Problem {
    /// One with a code and a text.
    pub(in crate::llm) fn coded(code: String, message: String) -> Self {
        Self { code, message, ..Self::default() }
    }

    /// The failure it is. Under a status of success its own code counts, else its type.
    pub(in crate::llm) fn failure(self, status: u16, wait: Option<Asked>) -> Failure {
        let own = self.code.parse().ok().filter(|code| (400..600).contains(code));
        let named = || {
            STATUSES
                .iter()
                .find(|(kind, _)| *kind == self.kind || *kind == self.code)
                .map(|(_, status)| *status)
        };
        let success = (200..300).contains(&status);
        let status = if success { own.or_else(named).unwrap_or(500) } else { status };
        let wait = wait.or(self.wait.map(Asked::For));
        Failure::Status { status, wait, kind: format!("{} {}", self.code, self.kind), text: self.message }
    }
}

/// The error object of a body, if it holds one.
pub(in crate::llm) fn read(body: &[u8]) -> Option<Problem> {
    #[derive(Deserialize)]
    struct Body {
        error: Problem,
    }
    let body = body.trim_ascii();
    // Google streams without events as a list.
    let body = body.strip_prefix(b"[").and_then(|body| body.strip_suffix(b"]")).unwrap_or(body);
    serde_json::from_slice(body).ok().map(|Body { error }| error)
}

impl<'de> Deserialize<'de> for Problem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Loose::new())
    }
}

impl FromLoose for Problem {
    fn text(message: String) -> Self {
        Self { message, ..Self::default() }
    }
    fn map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Fields {
            message: Text,
            r#type: Text,
            status: Text,
            code: Scalar,
            details: Option<Box<RawValue>>,
        }
        let fields = Fields::deserialize(MapAccessDeserializer::new(map))?;
        let text = |text: Text| text.0.unwrap_or_default();
        let details = fields.details.map(|details| details_of(&details)).unwrap_or_default();
        let kinds = [text(fields.r#type), text(fields.status), details.reason];
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).filter(|kind| !kind.is_empty()).collect();
        Ok(Self {
            message: text(fields.message),
            kind: kinds.join(" "),
            code: fields.code.0,
            wait: details.wait,
        })
    }
}

/// What Google's details tell: why, and how long to wait (`google.rpc.ErrorInfo`, `google.rpc.RetryInfo`).
#[derive(Default)]
struct Details {
    reason: String,
    wait: Option<Duration>,
}

fn details_of(raw: &RawValue) -> Details {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Detail {
        reason: Text,
        retry_delay: Text,
    }
    let mut found = Details::default();
    for detail in serde_json::from_str::<Vec<Detail>>(raw.get()).unwrap_or_default() {
        if let Some(reason) = detail.reason.0 {
            found.reason = reason;
        }
        let seconds = detail.retry_delay.0.as_deref().and_then(|delay| delay.strip_suffix('s')?.parse().ok());
        found.wait = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).or(found.wait);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(body: &str, status: u16) -> String {
        let Some(problem) = read(body.as_bytes()) else { return "none".to_owned() };
        let Failure::Status { status, wait, kind, text } = problem.failure(status, None) else { panic!() };
        let wait = wait.map(|wait| wait.wait(jiff::Timestamp::UNIX_EPOCH).as_millis());
        format!("{status} {wait:?} [{kind}] {text}")
    }

    #[test]
    fn every_provider_s_error_object_is_read() {
        let table = [
            (
                r#"{"error":{"message":"Slow","type":"requests","code":"rate_limit_exceeded"}}"#,
                429,
                "429 None [rate_limit_exceeded requests] Slow",
            ),
            (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                200,
                "529 None [ overloaded_error] Overloaded",
            ),
            (r#"{"error":{"type":"api_error","message":"x"}}"#, 200, "500 None [ api_error] x"),
            (
                r#"[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}]"#,
                200,
                "503 None [503 UNAVAILABLE] busy",
            ),
            (
                r#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[
               {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[]},
               {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}"#,
                429,
                "429 Some(34500) [429 RESOURCE_EXHAUSTED] quota",
            ),
            (
                r#"{"error":{"code":400,"message":"no key","status":"INVALID_ARGUMENT","details":[
               {"reason":"API_KEY_INVALID"}]}}"#,
                400,
                "400 None [400 INVALID_ARGUMENT API_KEY_INVALID] no key",
            ),
            (
                r#"{"error":{"message":"x","details":[{"retryDelay":"-1s"},{"retryDelay":"NaNs"},7]}}"#,
                400,
                "400 None [ ] x",
            ),
            (r#"{"error":"model not found"}"#, 404, "404 None [ ] model not found"),
            (r#"{"detail":"no"}"#, 422, "none"),
            ("<html>", 502, "none"),
        ];
        for (body, status, expected) in table {
            assert_eq!(failure(body, status), expected);
        }
    }
}
