//! K01: with the credential in the environment, nothing asks for authorization.

use futures::future::BoxFuture;
use serde_json::Value;
use url::Url;

use super::part::{closed, part};
use crate::auth::bench::Bench;
use crate::auth::checks::Seen;
use crate::display::excerpt;
use crate::transcript::{Event, Fault, Transcript, What, WireMessage};

/// Members of an error that lead to an authorization server.
const LEADS: [&str; 6] = [
    "www-authenticate",
    "www_authenticate",
    "wwwauthenticate",
    "resource_metadata",
    "authorization_url",
    "authorizationurl",
];

pub(super) fn probe(bench: &Bench) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        if let Some(seat) = bench.open("control", bench.control()).await? {
            bench.list(&seat).await;
            bench.leave(seat).await;
        }
        Ok(())
    })
}

pub(super) fn none(transcript: &Transcript) -> Seen {
    let Some(control) = part(transcript, "control") else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    if let Some((what, seq)) = control.events.iter().find_map(|event| Some((asks(event)?, event.seq))) {
        return Seen::Broken(what, vec![seq]);
    }
    if let Some(why) = closed(&control, "the persona") {
        return Seen::Inconclusive(why);
    }
    match (control.listed(), control.no_list) {
        (Some((count, seq)), _) => {
            Seen::Holds(format!("{count} tools listed, and nothing asked for authorization"), vec![seq])
        }
        (None, why) => {
            Seen::Inconclusive(format!("the tools were not listed: {}", why.unwrap_or("no list came")))
        }
    }
}

/// What in an event asks for authorization.
fn asks(event: &Event) -> Option<String> {
    match &event.what {
        What::ServerStderr { text } => {
            page(text).map(|url| format!("stderr leads to an authorization page, {}", excerpt(&url, 120)))
        }
        What::Wire(WireMessage::Received { body, .. }) => {
            let message = body.json()?;
            if let Some(how) = message.get("error").and_then(lead) {
                return Some(format!("an error leads to an authorization server, {how}"));
            }
            let asked = message.get("method").and_then(Value::as_str) == Some("elicitation/create");
            let question = match asked {
                true => message.get("params"),
                false => message.pointer("/result/inputRequests"),
            };
            question.and_then(lead).map(|how| format!("a question leads to an authorization page, {how}"))
        }
        _ => None,
    }
}

/// The way to an authorization server in a value.
fn lead(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let challenge = text.contains("resource_metadata=") || text.starts_with("Bearer realm=");
            let shown = || format!("`{}`", excerpt(text, 120));
            if challenge { Some(shown()) } else { page(text).map(|url| excerpt(&url, 120)) }
        }
        Value::Array(items) => items.iter().find_map(lead),
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let leads = LEADS.contains(&name.to_ascii_lowercase().as_str()) && !value.is_null();
            if leads { Some(format!("`{}`", excerpt(name, 40))) } else { lead(value) }
        }),
        _ => None,
    }
}

/// The first address of an authorization page in a text.
fn page(text: &str) -> Option<String> {
    let words = text.split(|c: char| c.is_whitespace() || "\"'<>()[]`,".contains(c));
    words
        .map(|word| word.trim_end_matches(['.', ';', ':', '!']))
        .find(|word| is_page(word))
        .map(str::to_owned)
}

fn is_page(word: &str) -> bool {
    let Ok(url) = Url::parse(word) else { return false };
    if !matches!(url.scheme(), "http" | "https") {
        return false;
    }
    let has = |name: &str| url.query_pairs().any(|(key, _)| key == name);
    let last = url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    has("response_type")
        || (has("client_id") && has("redirect_uri"))
        || matches!(last, "authorize" | "device")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_and_challenges_are_told_from_other_addresses() {
        for text in [
            "Open https://as.example/authorize?client_id=a to sign in",
            "visit <https://as.example/o?response_type=code&client_id=a>.",
            "go to https://as.example/login/device.",
        ] {
            assert!(page(text).is_some(), "{text}");
        }
        for text in
            ["see https://docs.example/guide#authorize", "listening on http://127.0.0.1:1/", "authorize"]
        {
            assert_eq!(page(text), None, "{text}");
        }
        assert!(lead(&json!({"code": -32001, "data": {"WWW-Authenticate": "Bearer"}})).is_some());
        assert!(lead(&json!({"message": "Bearer resource_metadata=\"https://a.example\""})).is_some());
        assert!(lead(&json!({"url": "https://as.example/authorize"})).is_some());
        assert_eq!(lead(&json!({"code": -32601, "message": "Method not found"})), None);
    }
}
