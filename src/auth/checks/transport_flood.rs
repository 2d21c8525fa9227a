//! H07 and H10: many requests in one body, and many bad tokens in a row.

use futures::future::BoxFuture;
use serde_json::json;

use super::Seen;
use super::bracket::{bearer, begin, end, post, written};
use super::reading::{control, control_if_any, deciding, labelled, refused};
use super::transport_mirror::has_result;
use crate::auth::Flaw;
use crate::auth::answer::{Answer, Denial};
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Fault, Transcript};

/// The revision in which batches were part of the protocol.
const WITH_BATCHES: &str = "2025-03-26";
const UNLAWFUL: &str = "batch: request";

/// Two lists of tools in one body. Where the session's revision knows batches they are sent by nobody instead: each
/// element has to be authorised.
pub(super) fn batch(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let (headers, body) = written(prober, &between.session, ("tools/list", json!({})));
        let lawful = between.session.version() == WITH_BATCHES;
        let second = body.replacen("\"id\":2", "\"id\":3", 1);
        let request = (headers, format!("[{body},{second}]"));
        let _ = match lawful {
            true => post(prober, "attempt: request", request, &Credentials::none()).await,
            false => post(prober, UNLAWFUL, request, &between.good).await,
        };
        end(prober, between).await;
        Ok(())
    })
}

pub(super) fn in_batch(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let Some(exchange) = labelled(transcript, UNLAWFUL).next() else {
        return refused(transcript, "a batch without a token, in a revision that has batches,");
    };
    let evidence = vec![exchange.seq];
    match exchange.answer() {
        other if other.is_unavailable() => Seen::Inconclusive(format!("a batch got {other}")),
        Answer::Denied(Denial::Status(400)) => Seen::Holds("a batch got 400".to_owned(), evidence),
        Answer::Denied(denial) if !exchange.side().is_some_and(has_result) => {
            Seen::Holds(format!("a batch got {denial} where the text wants 400"), evidence)
        }
        Answer::Accepted(_) => Seen::Broken("a batch was carried out".to_owned(), evidence),
        other => Seen::Broken(format!("a batch got {other} instead of 400"), evidence),
    }
}

/// How many bad tokens are sent.
const MANY: usize = 20;
const FLOOD: &str = "flood ";

/// Bad tokens in a row, until somebody says that it is enough, and then the good one.
pub(super) fn flood(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let bad = match prober.minted() {
            Some(_) => bearer(&prober.token(|minted| minted.flaw = Some(Flaw::BadSignature)).await?),
            None => Credentials::authorization("Bearer not-a-jwt"),
        };
        for number in 1..=MANY {
            let sent = prober.list(&format!("{FLOOD}{number}"), &between.session, &bad).await;
            if sent.is_ok_and(|side| side.status() == Some(429)) {
                break;
            }
        }
        end(prober, between).await;
        Ok(())
    })
}

pub(super) fn still_open(transcript: &Transcript) -> Seen {
    let sent: Vec<_> = labelled(transcript, FLOOD).collect();
    let before = deciding(transcript, "control before");
    if sent.is_empty() || before.iter().any(|one| !matches!(one.answer(), Answer::Accepted(_))) {
        return match control_if_any(transcript) {
            Err(seen) => seen,
            Ok(_) => Seen::Inconclusive("the probe was not sent".to_owned()),
        };
    }
    let throttled = sent.iter().position(|one| one.answer() == Answer::Denied(Denial::Status(429)));
    let count = sent.len();
    for after in deciding(transcript, "control after") {
        match after.answer() {
            Answer::Accepted(_) => {}
            other if other.is_unavailable() => {
                return Seen::Inconclusive(format!("after {count} bad tokens the good one got {other}"));
            }
            other => {
                let text = format!("after {count} bad tokens the good one got {other}");
                return Seen::Broken(text, vec![after.seq]);
            }
        }
    }
    let how = match throttled {
        Some(place) => format!("; number {} was answered with 429", place + 1),
        None => String::new(),
    };
    let seqs = sent.iter().map(|one| one.seq).collect();
    Seen::Holds(format!("after {count} bad tokens the good one was accepted{how}"), seqs)
}

#[cfg(test)]
mod tests {
    use super::super::imagined::{LISTED, between, record, step, told};
    use super::*;

    #[test]
    fn a_batch_is_refused() {
        let judged = |status: &str, body: &str| between(in_batch, &[step(UNLAWFUL, status, body)]);
        assert_eq!(judged("400", ""), "holds: a batch got 400");
        assert!(judged("415", "").starts_with("holds"));
        assert!(judged("200", r#"{"error":{"code":-32600}}"#).starts_with("holds"));
        assert_eq!(judged("200", r#"[{"result":{}},{"result":{}}]"#), "broken: a batch was carried out");
        assert!(judged("202", "").starts_with("broken"));
        assert!(judged("500", "").starts_with("broken"));
        assert!(judged("503", "").starts_with("inconclusive"));
        // In the revision that has batches.
        assert!(between(in_batch, &[step("attempt: request", "401", "")]).starts_with("holds"));
        assert!(between(in_batch, &[step("attempt: request", "200", LISTED)]).starts_with("broken"));
    }

    #[test]
    fn whoever_slows_down_is_reported_and_whoever_locks_out_is_blamed() {
        let judged = |last: &str, after: &str| {
            let fine = |label| step(label, "200", LISTED);
            let body = if after == "200" { LISTED } else { "" };
            told(&still_open(&record(&[
                fine("control before: tools/list"),
                step("flood 1: tools/list", "401", ""),
                step("flood 2: tools/list", last, ""),
                step("control after: tools/list", after, body),
            ])))
        };
        assert_eq!(judged("401", "200"), "holds: after 2 bad tokens the good one was accepted");
        assert!(judged("429", "200").ends_with("number 2 was answered with 429"));
        assert_eq!(judged("401", "401"), "broken: after 2 bad tokens the good one got 401");
        assert!(judged("429", "429").starts_with("inconclusive"));
    }
}
