//! What an HTTP status means for a request: a refusal, a lost session, a server that cannot be used.

use super::Refusal;
use super::jsonrpc::{self, Message};
use super::line::Stop;
use crate::transcript::{Fault, Side};
use crate::{display, net};

/// A response that is no success.
pub(super) struct Denial<'a> {
    pub status: u16,
    pub body: &'a str,
    pub challenge: Option<String>,
    pub location: Option<&'a str>,
    /// Whether the request named a session.
    pub in_session: bool,
    pub url: &'a url::Url,
}

impl Denial<'_> {
    /// A refusal where the server understood and said no; a fault where it is not there, not ready or not the one.
    pub(super) fn meaning(self) -> Stop {
        let status = self.status;
        let error = match jsonrpc::read(self.body).map(|mut messages| messages.pop()) {
            Ok(Some(Message::Answer(answer))) => answer.outcome.err(),
            _ => None,
        };
        let said = match display::whole_words(self.body, 200) {
            excerpt if excerpt.is_empty() => String::new(),
            excerpt => format!(": `{excerpt}`"),
        };
        let fault = |code, message| Fault::new(Side::Server, code, message);
        if status == 404 && self.in_session {
            let message = format!("the server no longer knows the session (HTTP 404{said})");
            return fault("target.session-lost", message).into();
        }
        if (300..400).contains(&status) {
            let to = self.location.and_then(|to| self.url.join(to).ok());
            let to = to
                .map_or_else(String::new, |to| format!(" to `{}`", display::excerpt(&net::shown(&to), 200)));
            let message = format!(
                "HTTP {status}: the server redirects{to}, which is not followed; write the final address in `target.url`"
            );
            return fault("target.protocol", message).into();
        }
        if status >= 500 && error.is_none() {
            let message = format!("`{}` answered HTTP {status}{said}", net::shown(self.url));
            return Stop::blank(status, fault("target.unreachable", message).retryable(), self.body);
        }
        let (code, message, data) = match error {
            Some(error) => (error.code, error.message, error.data),
            None => (None, format!("HTTP {status}{said}"), None),
        };
        Stop::Refused(Refusal { code, status: Some(status), message, data, challenge: self.challenge })
    }
}

/// What a body is, in words that follow "with".
pub(super) fn looks(body: &str) -> String {
    let start: String = body.trim_start().chars().take(9).collect::<String>().to_ascii_lowercase();
    let is_page = start.starts_with("<!doctype") || start.starts_with("<html");
    match display::whole_words(body, 200) {
        excerpt if excerpt.is_empty() => "an empty body".to_owned(),
        excerpt if is_page => format!("the HTML page `{excerpt}`"),
        excerpt => format!("`{excerpt}`"),
    }
}

/// The fault of a success that holds no answer; `why` it cannot be read as one, if that is so.
pub(super) fn no_answer(status: u16, body: &str, why: Option<&str>) -> Fault {
    let excerpt = display::whole_words(body, 200);
    let why = why.map_or_else(String::new, |why| format!(" ({})", display::safe_line(why)));
    let message = match excerpt.as_str() {
        "" => format!("the server answered HTTP {status} with an empty body in place of a JSON-RPC answer"),
        _ => format!(
            "the server answered HTTP {status} with something other than the JSON-RPC answer{why}: `{excerpt}`; check that `target.url` is the MCP endpoint"
        ),
    };
    Fault::new(Side::Server, "target.protocol", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(status: u16, body: &str, in_session: bool) -> String {
        let url = url::Url::parse("http://user:pass@example.com/mcp?key=hidden").expect("a URL");
        let location = Some("/new?token=hidden");
        let stop = Denial { status, body, challenge: None, location, in_session, url: &url }.meaning();
        let (code, message) = match stop {
            Stop::Fault(fault) | Stop::Lost(fault) | Stop::Blank { fault, .. } => (fault.code, fault.message),
            Stop::Refused(refusal) => ("refused".to_owned(), refusal.message),
        };
        assert!(!message.contains("hidden") && !message.contains("pass"), "{message}");
        code
    }

    #[test]
    fn bodies_are_described() {
        assert_eq!(looks(""), "an empty body");
        assert_eq!(looks(" <HTML><p>"), "the HTML page ` <HTML><p>`");
        assert_eq!(looks("{}"), "`{}`");
    }

    #[test]
    fn statuses_have_meanings() {
        let error = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}"#;
        assert_eq!(code(401, "", false), "refused");
        assert_eq!(code(403, error, true), "refused");
        assert_eq!(code(404, "", false), "refused");
        assert_eq!(code(404, error, true), "target.session-lost");
        assert_eq!(code(308, "", true), "target.protocol");
        assert_eq!(code(502, "<html>", true), "target.unreachable");
        assert_eq!(code(500, error, true), "refused");
    }
}
