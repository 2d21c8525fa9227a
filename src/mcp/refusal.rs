//! Refusals in words: what a server said when it would not do something.

use super::{Refusal, jsonrpc};
use crate::display;
use crate::transcript::{Fault, Side};

/// A refusal in a few words: `-32601 no such method`.
pub(super) fn words(refusal: &Refusal) -> String {
    let message = display::whole_words(&refusal.message, 300);
    match refusal.code {
        Some(code) if message.is_empty() => format!("error {code}"),
        Some(code) => format!("error {code}: {message}"),
        None => message,
    }
}

/// The fault of an identity that may not even look.
pub(super) fn unauthorized(status: u16, refusal: &Refusal) -> Fault {
    let challenge = match &refusal.challenge {
        Some(challenge) => format!("challenge: {}", display::whole_words(challenge, 300)),
        None => "without a challenge".to_owned(),
    };
    Fault::new(
        Side::Auth,
        "target.unauthorized",
        format!(
            "the server refused this identity with HTTP {status}, {challenge}; check `auth` and the persona's token"
        ),
    )
}

/// The fault of a URL that gives no event stream where one is wanted.
pub(super) fn refused_stream(refusal: &Refusal) -> Fault {
    match refusal.status {
        Some(status @ (401 | 403)) => unauthorized(status, refusal),
        _ => {
            let message = format!(
                "no event stream there: {}; check the path in `target.url`, many HTTP+SSE servers have it at `/sse`",
                words(refusal)
            );
            Fault::new(Side::Server, "target.protocol", message)
        }
    }
}

/// A JSON-RPC error as a refusal.
pub(super) fn from_error(error: jsonrpc::RpcError, status: Option<u16>) -> Refusal {
    // Over HTTP a plain 200 says nothing about the refusal.
    let status = status.filter(|status| *status != 200);
    Refusal { code: error.code, status, message: error.message, data: error.data, challenge: None }
}
