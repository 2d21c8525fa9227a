//! The response of a target becomes one of a few meanings: accepted, denied in some shape, broken. Pure.

use serde_json::Value;

use super::challenge::Challenges;
use crate::transcript::HttpSide;

/// What an answer to a JSON-RPC request over HTTP means for access.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A JSON-RPC result without an error flag. `None` when the body was cut before its end.
    Accepted(Option<Value>),
    /// Not let in.
    Denied(Denial),
    /// A redirect, with its status.
    Redirected(u16),
    /// The server broke: 5xx.
    Broke(u16),
    /// Neither: an empty or unreadable success.
    Odd(u16),
    /// No answer at all: why.
    Silent(String),
}

/// How a request was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// HTTP 401.
    Unauthorized,
    /// HTTP 403.
    Forbidden,
    /// Another 4xx.
    Status(u16),
    /// A JSON-RPC error inside a success.
    RpcError(i64),
    /// A result flagged `isError`.
    ToolError,
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unauthorized => f.write_str("401"),
            Self::Forbidden => f.write_str("403"),
            Self::Status(status) => write!(f, "{status}"),
            Self::RpcError(code) => write!(f, "JSON-RPC error {code}"),
            Self::ToolError => f.write_str("a result flagged as an error"),
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accepted(_) => f.write_str("a result"),
            Self::Denied(denial) => denial.fmt(f),
            Self::Redirected(status) | Self::Broke(status) => write!(f, "{status}"),
            Self::Odd(status) => write!(f, "{status} without a result"),
            Self::Silent(why) => write!(f, "no answer ({why})"),
        }
    }
}

impl Answer {
    /// Whether the target gave no answer of its own: silence, a gateway's apology, or a limit on the rate of requests.
    /// What it would have said about the credentials is unknown.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Silent(_) | Self::Broke(502..=504) => true,
            Self::Denied(Denial::Status(status)) => matches!(status, 408 | 425 | 429),
            _ => false,
        }
    }

    /// What a recorded response means.
    pub fn of(response: &Result<HttpSide, String>) -> Self {
        let side = match response {
            Ok(side) => side,
            Err(why) => return Self::Silent(why.clone()),
        };
        match side.status().unwrap_or_default() {
            401 => Self::Denied(Denial::Unauthorized),
            403 => Self::Denied(Denial::Forbidden),
            status @ 400..=499 => Self::Denied(Denial::Status(status)),
            status @ 300..=399 => Self::Redirected(status),
            status @ 200..=299 => Self::of_success(status, side),
            status => Self::Broke(status),
        }
    }

    fn of_success(status: u16, side: &HttpSide) -> Self {
        for message in messages(side) {
            if let Some(error) = message.get("error") {
                return Self::Denied(Denial::RpcError(error["code"].as_i64().unwrap_or_default()));
            }
            if let Some(result) = message.get("result") {
                return match result["isError"].as_bool() {
                    Some(true) => Self::Denied(Denial::ToolError),
                    _ => Self::Accepted(Some(result.clone())),
                };
            }
        }
        // A long body is kept up to a cap and then is no JSON any more.
        match side.body.to_text().contains("\"result\"") {
            true => Self::Accepted(None),
            false => Self::Odd(status),
        }
    }
}

/// The JSON-RPC messages of a body, whether JSON or an event stream.
pub fn messages(side: &HttpSide) -> Vec<Value> {
    let stream = side.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    match stream {
        true => stream_messages(&side.body.to_text()),
        false => side.body.json().into_iter().collect(),
    }
}

/// The JSON messages of complete events.
pub fn stream_messages(text: &str) -> Vec<Value> {
    let text = text.replace("\r\n", "\n");
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    whole
        .split("\n\n")
        .filter_map(|event| {
            let data: Vec<&str> = event
                .lines()
                .filter_map(|line| line.strip_prefix("data:"))
                .map(|line| line.strip_prefix(' ').unwrap_or(line))
                .collect();
            serde_json::from_str(&data.join("\n")).ok()
        })
        .collect()
}

/// The challenges of a response, all `WWW-Authenticate` headers joined; `None` without any.
pub fn challenges(side: &HttpSide) -> Option<Challenges> {
    let values: Vec<&str> = side
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"))
        .map(|(_, value)| value.as_str())
        .collect();
    (!values.is_empty()).then(|| Challenges::read(&values.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Body;

    fn answer(status: &str, kind: &str, body: &str) -> Answer {
        let headers = vec![("Content-Type".to_owned(), kind.to_owned())];
        Answer::of(&Ok(HttpSide { start: status.into(), headers, body: Body::Text(body.into()) }))
    }

    #[test]
    fn answers_have_meanings() {
        let json = "application/json";
        let result = serde_json::json!({"tools": []});
        let stream = "id: 1\ndata:\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[]}}\n\n";
        assert_eq!(answer("200", "text/event-stream", stream), Answer::Accepted(Some(result.clone())));
        assert_eq!(answer("200", json, "{\"result\":{\"tools\":[]}}"), Answer::Accepted(Some(result)));
        assert_eq!(answer("200", json, "{\"result\":{\"tools\":[1,2"), Answer::Accepted(None));
        assert_eq!(
            answer("200", json, "{\"error\":{\"code\":-32602}}"),
            Answer::Denied(Denial::RpcError(-32602))
        );
        assert_eq!(answer("200", json, "{\"result\":{\"isError\":true}}"), Answer::Denied(Denial::ToolError));
        assert_eq!(answer("401", json, "{\"result\":{}}"), Answer::Denied(Denial::Unauthorized));
        assert_eq!(answer("404", json, ""), Answer::Denied(Denial::Status(404)));
        assert_eq!(answer("307", json, ""), Answer::Redirected(307));
        assert_eq!(answer("500", json, ""), Answer::Broke(500));
        assert_eq!(answer("202", json, ""), Answer::Odd(202));
        for (status, unavailable) in [("429", true), ("503", true), ("500", false), ("403", false)] {
            assert_eq!(answer(status, json, "").is_unavailable(), unavailable, "{status}");
        }
    }

    #[test]
    fn an_unfinished_event_is_not_read() {
        assert!(stream_messages("data: {\"id\":1}\n").is_empty());
        assert_eq!(stream_messages("data: {\"id\":1,\ndata: \"x\":2}\r\n\r\n").len(), 1);
    }
}
