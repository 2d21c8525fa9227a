//! Group F: a token without the scope is a good token that may not do this.
//!
//! Servers may demand a scope for everything or only for some tools. So the probes list the tools without a scope, and
//! then make the harmless call of the suite, or call a tool that says of itself that it only reads.

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::bracket::{begin, end};
use super::reading::{Exchange, control, labelled};
use super::scope_guard::{also_denied, beside, denied, stronger};
use super::scope_steps::{minimal, one_step, step_up, surplus};
use super::scope_terms::{
    Fared, among, broader, control_call, doubled, fared, let_in, longer, minted, other_terms, try_out, upper,
};
use super::{AuthCheck, Level, Needs, Seen, row};
use crate::auth::answer::{Answer, Denial, challenges};
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

const SECTION: &str = "authorization: runtime insufficient scope errors";
const TERMS: &str = "RFC 6749 section 3.3";

const SCOPED: &[Needs] = &[Needs::TrustedIssuer, Needs::Scopes];

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    row("F01", Level::Must, ["a token without scopes does not pass for one with scopes", SECTION,
        "answer 403 with `error=\"insufficient_scope\"` where a scope is missing; 401 sends clients in circles"],
        unscoped, insufficient).needing(SCOPED),
    row("F01.challenge", Level::Should, ["the 403 names the missing scopes", SECTION,
        "add `WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"...\", resource_metadata=\"...\"` to the 403"],
        unscoped, explained).needing(SCOPED),
    row("F02", Level::Rfc, ["a scope that only begins like the wanted one is not that scope", TERMS,
        "split the scopes at spaces and compare each as a whole"], longer, |t| other_terms(t, "a token with a letter more behind each scope")).needing(SCOPED),
    row("F02.case", Level::Rfc, ["a scope in other letters is not that scope", TERMS,
        "compare scopes byte for byte"], upper, |t| other_terms(t, "a token with its scopes in other letters")).needing(SCOPED),
    row("F03", Level::Rfc, ["a scope counts among others and in any order", TERMS,
        "split the scopes at spaces and look for the wanted one among them"], among, |t| let_in(t, "the scopes among others, in any order,")).needing(SCOPED),
    row("F03.spaces", Level::Hygiene, ["a space too many between scopes does no harm", TERMS,
        "leave out empty scopes when you split at spaces"], doubled, |t| let_in(t, "the scopes with two spaces between them")).needing(SCOPED),
    row("F04", Level::Should, ["a weaker persona is denied the stronger tool", SECTION,
        "check the caller's scopes or role in `tools/call`, not only in `tools/list`"], stronger, denied).needing(&[Needs::WeakerPersona, Needs::Fact("guarded")]),
    row("F05", Level::Should, ["one challenge names all the scopes that a request needs", SECTION,
        "put every scope that the operation needs into the `scope` of one 403, not one after the other"], step_up, one_step).needing(SCOPED),
    row("F06", Level::Must, ["a broader scope stands for the narrower", SECTION,
        "accept a scope that includes the wanted one"], broader, |t| let_in(t, "a broader scope")).needing(&[Needs::TrustedIssuer, Needs::Fact("broader_scope")]),
    row("F07", Level::Hygiene, ["challenges ask for no scope that the request does not need", "security best practices: scope minimization",
        "name the scopes of this one request in the challenge, not all that the server knows"], minimal, surplus).needing(&[Needs::Fact("scopes")]),
    row("F08", Level::Must, ["what belongs to the stronger tool is guarded, too", "security considerations: access token privilege restriction",
        "check the caller's scopes or role for resources, prompts, completion, subscriptions and tasks as for tools"], beside, also_denied).needing(&[Needs::GoodToken, Needs::WeakerPersona, Needs::Fact("guarded_requests")]),
];

const BARE: &str = "a token without scopes";
const OTHER: &str = "a token with another scope";

fn unscoped(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let params = control_call(prober, &between).await;
        for (label, scopes) in [(BARE, vec![]), (OTHER, vec!["rehearsal:other".to_owned()])] {
            let token = minted(prober, scopes).await?;
            try_out(prober, label, &token, params.as_ref()).await;
        }
        end(prober, between).await;
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

fn insufficient(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let (mut told, mut seqs) = (vec![], vec![]);
    for label in [BARE, OTHER] {
        let Some((exchange, how)) = fared(transcript, label) else { continue };
        let broken = |why: String| Seen::Broken(why, vec![exchange.seq]);
        match how {
            Fared::Denied(Denial::Forbidden) => told.push(format!("{label} got 403")),
            Fared::Denied(Denial::Unauthorized) => {
                return broken(format!("{label} got 401 instead of 403"));
            }
            // Inside a tool the text leaves the form open.
            Fared::Denied(denial) if exchange.label.ends_with("tools/call") => {
                told.push(format!("a call with {label} got {denial}"));
            }
            Fared::Denied(denial) => return broken(format!("{label} got {denial} instead of 403")),
            Fared::Less(seen, all) => told.push(format!("{label} sees {seen} of {all} tools")),
            Fared::In => return broken(format!("{label} lists and calls tools")),
            Fared::Listed => {
                return Seen::DoesNotApply(
                    "listing tools needs no scope here, and no tool says of itself that it only reads"
                        .to_owned(),
                );
            }
            Fared::Unclear(answer) if answer.is_unavailable() => {
                return Seen::Inconclusive(format!("{label} got {answer}"));
            }
            Fared::Unclear(answer) => return broken(format!("{label} got {answer} instead of 403")),
        }
        seqs.push(exchange.seq);
    }
    match seqs.is_empty() {
        true => Seen::Inconclusive("the probe was not sent".to_owned()),
        false => Seen::Holds(told.join("; "), seqs),
    }
}

fn explained(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let forbidden = [BARE, OTHER]
        .into_iter()
        .flat_map(|label| labelled(transcript, label))
        .find(|one: &Exchange<'_>| one.answer() == Answer::Denied(Denial::Forbidden));
    let Some(exchange) = forbidden else {
        return Seen::DoesNotApply("nothing was answered with 403 (see F01)".to_owned());
    };
    let found = exchange.side().and_then(challenges).unwrap_or_default();
    let challenge = found.scheme("bearer").cloned().unwrap_or_default();
    let named = challenge.get("resource_metadata").is_some();
    match (challenge.get("error"), challenge.get("scope")) {
        (Some("insufficient_scope"), Some(scope)) if named => {
            Seen::Holds(format!("the 403 asks for `{scope}`"), vec![exchange.seq])
        }
        (Some("insufficient_scope"), Some(_)) => {
            Seen::Broken("the 403 does not name the resource metadata".to_owned(), vec![exchange.seq])
        }
        (Some("insufficient_scope"), None) => {
            Seen::Broken("the 403 does not say which scope is missing".to_owned(), vec![exchange.seq])
        }
        _ => Seen::Broken("the 403 has no `error=\"insufficient_scope\"`".to_owned(), vec![exchange.seq]),
    }
}
