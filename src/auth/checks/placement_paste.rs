//! E09: somebody else's token inside a request must have no effect.

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::Seen;
use super::bracket::{Between, begin, end, post};
use super::reading::{Exchange, control, labelled};
use crate::auth::answer::Answer;
use crate::auth::prober::{Credentials, Opened, Prober};
use crate::transcript::{Fault, Transcript};

const PASTED: [&str; 2] = ["pasted into `_meta`", "pasted into the arguments"];
const ALONE: &str = "alone in `_meta`";
const NOBODY: &str = "nobody";

pub(super) fn pasted(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let (Some(token), other) = (prober.other_token().await?, prober.other().await?) else {
            return Ok(());
        };
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let (method, params) = between.showing(prober).await;
        for label in ["own", "own again"] {
            let _ = prober.rpc(label, &between.session, (method, params.clone()), &between.good).await;
        }
        let talk = prober.open("other", &other).await;
        if let Some(session) = &talk.session {
            let _ = prober.rpc("other", session, (method, params.clone()), &other).await;
        }
        prober.close(talk.session, &other).await;
        paste(prober, &between, (method, &params), &token).await;
        let _ = prober.list(NOBODY, &between.session, &Credentials::none()).await;
        let body = with(prober, &between.session, ("tools/list", &json!({})), ("_meta", &token));
        let _ = post(prober, &format!("{ALONE}: tools/list"), body, &Credentials::none()).await;
        end(prober, between).await;
        Ok(())
    })
}

async fn paste(prober: &Prober, between: &Between, (method, params): (&str, &Value), token: &SecretString) {
    for (label, place) in PASTED.into_iter().zip(["_meta", "arguments"]) {
        if place == "arguments" && method != "tools/call" {
            continue;
        }
        let body = with(prober, &between.session, (method, params), (place, token));
        let _ = post(prober, &format!("{label}: {method}"), body, &between.good).await;
    }
}

/// A request with a token in one of the objects of its parameters.
fn with(
    prober: &Prober,
    session: &Opened,
    (method, params): (&str, &Value),
    (place, token): (&str, &SecretString),
) -> super::bracket::Written {
    let (headers, mut body) = prober.written(session, (method, params.clone()));
    let token = token.expose_secret();
    body["params"][place]["access_token"] = json!(token);
    if place == "_meta" {
        body["params"][place]["authorization"] = json!(format!("Bearer {token}"));
    }
    (headers, body.to_string())
}

/// What an accepted answer says, without what is about the answer itself.
fn content(exchange: &Exchange<'_>) -> Option<Value> {
    let Answer::Accepted(Some(Value::Object(mut result))) = exchange.answer() else { return None };
    result.remove("_meta");
    Some(Value::Object(result))
}

pub(super) fn no_effect(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    // The last: a handshake may come before it.
    let one = |label: &str| labelled(transcript, "").filter(|one| begins(one.label, label)).last();
    // Where nobody needs a token the one in `_meta` opens nothing.
    let open = one(NOBODY).is_some_and(|nobody| matches!(nobody.answer(), Answer::Accepted(_)));
    if let Some(alone) = one(ALONE).filter(|_| !open) {
        match alone.answer() {
            Answer::Accepted(_) => {
                let text = "a token in `_meta` stood in for one in the header";
                return Seen::Broken(text.to_owned(), vec![alone.seq]);
            }
            other if other.is_unavailable() => {
                return Seen::Inconclusive(format!("a token in `_meta` alone got {other}"));
            }
            _ => {}
        }
    }
    let said = |label: &str| one(label).and_then(|found| content(&found));
    let (own, other) = (said("own"), said("other"));
    if own.is_none() || own != said("own again") {
        return Seen::Inconclusive("the same request of the same persona is answered differently".to_owned());
    }
    let mut evidence = vec![];
    for label in PASTED {
        let Some(found) = one(label) else { continue };
        let came = content(&found);
        if came.is_some() && came == other && other != own {
            let text = format!("a token of another persona {label} made the request that persona's");
            return Seen::Broken(text, vec![found.seq]);
        }
        if came.is_some() && came != own {
            return Seen::Inconclusive(format!("a token of another persona {label} changed the answer"));
        }
        evidence.push(found.seq);
    }
    match (other.is_none() || other == own, evidence.is_empty()) {
        (true, _) => Seen::DoesNotApply(
            "both personas get the same answer, so an effect could not be seen; set `auth_checks.facts.harmless` to a \
             call that answers each differently"
                .to_owned(),
        ),
        (false, true) => Seen::Inconclusive("the probe was not sent".to_owned()),
        (false, false) => {
            Seen::Holds("another persona's token inside a request changed nothing".to_owned(), evidence)
        }
    }
}

/// Whether a label is this one, whatever the method behind it.
fn begins(label: &str, wanted: &str) -> bool {
    label.strip_prefix(wanted).is_some_and(|rest| rest.starts_with(": "))
}

#[cfg(test)]
mod tests {
    use super::super::imagined::{LISTED, Step, between, step};
    use super::*;

    const ALICE: &str = r#"{"result":{"content":[{"text":"alice"}],"_meta":{"at":1}}}"#;
    const BOB: &str = r#"{"result":{"content":[{"text":"bob"}],"_meta":{"at":2}}}"#;

    fn judged(own: &str, again: &str, other: &str, pasted: (&str, &str)) -> String {
        let steps: [Step<'_>; 5] = [
            step("own: tools/call", "200", own),
            step("own again: tools/call", "200", again),
            step("other: initialize", "200", LISTED),
            step("other: tools/call", "200", other),
            step("pasted into `_meta`: tools/call", pasted.0, pasted.1),
        ];
        between(no_effect, &steps)
    }

    #[test]
    fn an_effect_is_the_other_personas_answer() {
        assert!(judged(ALICE, ALICE, BOB, ("200", ALICE)).starts_with("holds"));
        assert!(judged(ALICE, ALICE, BOB, ("400", "")).starts_with("holds"), "refused is no effect");
        assert!(judged(ALICE, ALICE, BOB, ("200", BOB)).starts_with("broken"));
        assert!(judged(ALICE, ALICE, BOB, ("200", LISTED)).starts_with("inconclusive"));
        assert!(judged(ALICE, BOB, BOB, ("200", BOB)).starts_with("inconclusive"));
        assert!(judged(ALICE, ALICE, ALICE, ("200", ALICE)).starts_with("does not apply"));
    }

    #[test]
    fn a_token_in_meta_opens_nothing_that_was_not_open() {
        let alone = |nobody: &str| {
            let body = if nobody == "200" { LISTED } else { "" };
            let steps = [
                step("nobody: tools/list", nobody, body),
                step("alone in `_meta`: tools/list", "200", LISTED),
                step("own: tools/call", "200", ALICE),
                step("own again: tools/call", "200", ALICE),
                step("other: tools/call", "200", BOB),
                step("pasted into the arguments: tools/call", "200", ALICE),
            ];
            between(no_effect, &steps)
        };
        assert!(alone("401").starts_with("broken: a token in `_meta` stood in"));
        assert!(alone("200").starts_with("holds"));
    }
}
