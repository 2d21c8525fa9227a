//! Group G, handles: what a tool makes for one persona does not serve the other, and cannot be guessed.

use futures::future::BoxFuture;
use serde_json::Value;

use super::pair::{leave, meet};
use super::reading::labelled;
use super::telling::{apart, unclear, unknown_value};
use super::{AuthCheck, Eras, Level, Needs, Seen, variety};
use crate::auth::answer::Answer;
use crate::auth::prober::Prober;
use crate::transcript::{Fault, HttpSide, Transcript};

const HANDLES: &str = "security best practices: state handle hijacking";

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "G04", level: Level::Must, title: "a handle serves only the user it was made for", section: HANDLES,
        since: "2026-07-28", eras: Eras::Each, needs: &[Needs::TwoPersonas, Needs::Fact("handle")], fix: "keep the user with every handle, and refuse it to others as if it did not exist",
        probe: handle, examine: |t| apart(t, "handle") },
    AuthCheck { id: "G04.guess", level: Level::Should, title: "handles cannot be guessed", section: HANDLES,
        since: "2026-07-28", eras: Eras::Once, needs: &[Needs::GoodToken, Needs::Fact("handle")], fix: "make handles from 128 bits of a secure random source",
        probe: many_handles, examine: unguessable },
];

/// The handle in a result; `None` where there is no text or number at that place.
fn handle_in(answer: &Result<HttpSide, String>, at: &str) -> Option<Value> {
    let Answer::Accepted(Some(result)) = Answer::of(answer) else { return None };
    result.pointer(at).filter(|handle| handle.is_string() || handle.is_u64()).cloned()
}

fn handle(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(fact) = &prober.facts().handle else { return Ok(()) };
        let Some(pair) = meet(prober).await? else { return Ok(()) };
        let made = pair.she(prober, "hers made", ("tools/call", fact.create.params())).await;
        if let Some(handle) = handle_in(&made, &fact.at) {
            let used = |handle: &Value| ("tools/call", fact.used.with(handle.clone()));
            let _ = pair.she(prober, "hers before", used(&handle)).await;
            let _ = pair.he(prober, "attempt", used(&handle)).await;
            let _ = pair.he(prober, "unknown", used(&unknown_value(&handle))).await;
            let _ = pair.she(prober, "hers after", used(&handle)).await;
        }
        leave(prober, pair).await;
        Ok(())
    })
}

fn many_handles(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(fact) = &prober.facts().handle else { return Ok(()) };
        let good = prober.good().await?;
        let talk = prober.converse("control before", &good).await;
        if let Some(session) = &talk.session {
            for number in 1..=variety::SAMPLE {
                let label = format!("handle {number} at {}", fact.at);
                let request = ("tools/call", fact.create.params());
                let made = prober.rpc(&label, session, request, &good).await;
                if handle_in(&made, &fact.at).is_none() {
                    break;
                }
            }
        }
        prober.close(talk.session, &good).await;
        Ok(())
    })
}

fn unguessable(transcript: &Transcript) -> Seen {
    let mut handles = vec![];
    let mut seqs = vec![];
    for exchange in labelled(transcript, "handle ") {
        let at = exchange.label.split_once(" at ").and_then(|(_, at)| at.rsplit_once(": "));
        let Some(handle) = at.and_then(|(at, _)| handle_in(exchange.response, at)) else {
            return match exchange.answer() {
                Answer::Accepted(_) => {
                    let text = "the result has no handle where `auth_checks.facts.handle.at` says";
                    Seen::Inconclusive(text.to_owned())
                }
                _ => unclear(&exchange),
            };
        };
        handles.push(handle.as_str().map_or_else(|| handle.to_string(), str::to_owned));
        seqs.push(exchange.seq);
    }
    if handles.len() < variety::SAMPLE {
        return Seen::Inconclusive(format!(
            "only {} of {} handles were made",
            handles.len(),
            variety::SAMPLE
        ));
    }
    match variety::judge(&handles.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(bits) => Seen::Holds(format!("in {} handles {bits} bits vary", handles.len()), seqs),
        Err(why) => Seen::Broken(format!("{} handles: {why}", handles.len()), seqs),
    }
}
