//! Group F: a token without the scope is a good token that may not do this.
//!
//! Servers may demand a scope for everything or only for some tools. So the probe lists the tools without any scope,
//! and then calls one that says of itself that it only reads.

use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::reading::{Exchange, control, decisive};
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::answer::{Answer, Denial, challenges};
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Fault, Transcript};

const SECTION: &str = "authorization: runtime insufficient scope errors";

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "F01", level: Level::Must, title: "a token without scopes does not pass for one with scopes", section: SECTION,
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TrustedIssuer, Needs::Scopes], fix: "answer 403 with `error=\"insufficient_scope\"` where a scope is missing; 401 sends clients in circles",
        probe: unscoped, examine: insufficient },
    AuthCheck { id: "F01.challenge", level: Level::Should, title: "the 403 names the missing scopes", section: SECTION,
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TrustedIssuer, Needs::Scopes], fix: "add `WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"...\"` to the 403",
        probe: unscoped, examine: explained },
];

fn unscoped(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let token = prober.token(|minted| minted.scopes.clear()).await?;
        let bare = Credentials::authorization(&format!("Bearer {}", token.expose_secret()));
        let good = prober.good().await?;
        let before = prober.converse("control before", &good).await;
        let Answer::Accepted(list) = Answer::of(&before.last) else { return Ok(()) };
        let talk = prober.converse("attempt", &bare).await;
        if let (Some(session), Some(params), Some(own)) =
            (&before.session, list.as_ref().and_then(harmless_call), &talk.session)
            && matches!(Answer::of(&talk.last), Answer::Accepted(_))
        {
            prober.call("control call", session, &good, params.clone()).await;
            prober.call("bare call", own, &bare, params).await;
        }
        let after = prober.converse("control after", &good).await;
        prober.close(talk.session, &bare).await;
        prober.close(before.session, &good).await;
        prober.close(after.session, &good).await;
        Ok(())
    })
}

/// A call of the first tool that only reads, with the plainest arguments its schema allows.
pub(super) fn harmless_call(list: &Value) -> Option<Value> {
    list.get("tools")?.as_array()?.iter().find_map(|tool| {
        tool.pointer("/annotations/readOnlyHint").filter(|hint| **hint == json!(true))?;
        let arguments = plain_arguments(tool.get("inputSchema")?)?;
        Some(json!({"name": tool.get("name")?, "arguments": arguments}))
    })
}

/// Values for the required properties, if all are of simple types.
pub(super) fn plain_arguments(schema: &Value) -> Option<Map<String, Value>> {
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    required
        .iter()
        .map(|name| {
            let name = name.as_str()?;
            let property = schema.get("properties")?.get(name)?;
            let value = ["/const", "/default", "/enum/0", "/examples/0"]
                .into_iter()
                .find_map(|place| property.pointer(place).cloned())
                .or_else(|| match property.get("type")?.as_str()? {
                    "string" => Some(json!("a")),
                    "integer" | "number" => Some(property.get("minimum").cloned().unwrap_or(json!(1))),
                    "boolean" => Some(json!(false)),
                    "array" => Some(json!([])),
                    _ => None,
                })?;
            Some((name.to_owned(), value))
        })
        .collect()
}

fn names(answer: &Answer) -> Option<Vec<String>> {
    let Answer::Accepted(Some(result)) = answer else { return None };
    let tools = result.get("tools")?.as_array()?;
    Some(tools.iter().filter_map(|tool| Some(tool.get("name")?.as_str()?.to_owned())).collect())
}

fn insufficient(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let Some(exchange) = decisive(transcript, "attempt") else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    let evidence = vec![exchange.seq];
    match exchange.answer() {
        Answer::Denied(Denial::Forbidden) => {
            Seen::Holds("a token without scopes got 403".to_owned(), evidence)
        }
        Answer::Denied(Denial::RpcError(code)) => {
            Seen::Holds(format!("a token without scopes got JSON-RPC error {code}"), evidence)
        }
        answer @ Answer::Accepted(_) => {
            let full = decisive(transcript, "control before").and_then(|one| names(&one.answer()));
            match (names(&answer), full) {
                (Some(bare), Some(full)) if bare.len() < full.len() => {
                    let text = format!("a token without scopes sees {} of {} tools", bare.len(), full.len());
                    Seen::Holds(text, evidence)
                }
                _ => by_call(transcript),
            }
        }
        other if other.is_unavailable() => Seen::Inconclusive(format!("the probe got {other}")),
        other => Seen::Broken(format!("a token without scopes got {other} instead of 403"), evidence),
    }
}

/// Every tool is listed without a scope; what counts is whether one can be called.
fn by_call(transcript: &Transcript) -> Seen {
    let (Some(good), Some(bare)) = (decisive(transcript, "control call"), decisive(transcript, "bare call"))
    else {
        return Seen::DoesNotApply(
            "listing tools needs no scope here, and no tool says of itself that it only reads".to_owned(),
        );
    };
    match (good.answer(), bare.answer()) {
        (Answer::Accepted(_), Answer::Accepted(_)) => {
            Seen::Broken("a token without scopes lists and calls tools".to_owned(), vec![bare.seq])
        }
        (Answer::Accepted(_), Answer::Denied(Denial::Unauthorized)) => {
            Seen::Broken("a call without the scope got 401 instead of 403".to_owned(), vec![bare.seq])
        }
        (Answer::Accepted(_), Answer::Denied(denial)) => {
            Seen::Holds(format!("a call without scopes got {denial}"), vec![good.seq, bare.seq])
        }
        (good, bare) => {
            Seen::Inconclusive(format!("the same call got {good} with scopes and {bare} without"))
        }
    }
}

fn explained(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let forbidden = ["attempt", "bare call"]
        .into_iter()
        .filter_map(|label| decisive(transcript, label))
        .find(|one: &Exchange<'_>| one.answer() == Answer::Denied(Denial::Forbidden));
    let Some(exchange) = forbidden else {
        return Seen::DoesNotApply("nothing was answered with 403 (see F01)".to_owned());
    };
    let found = exchange.side().and_then(challenges).unwrap_or_default();
    let challenge = found.scheme("bearer").cloned().unwrap_or_default();
    match (challenge.get("error"), challenge.get("scope")) {
        (Some("insufficient_scope"), Some(scope)) => {
            Seen::Holds(format!("the 403 asks for `{scope}`"), vec![exchange.seq])
        }
        (Some("insufficient_scope"), None) => {
            Seen::Broken("the 403 does not say which scope is missing".to_owned(), vec![exchange.seq])
        }
        _ => Seen::Broken("the 403 has no `error=\"insufficient_scope\"`".to_owned(), vec![exchange.seq]),
    }
}
