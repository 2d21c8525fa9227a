//! F05 and F07: what challenges ask for, all of it at once and no more.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use serde_json::json;

use super::Seen;
use super::bracket::{begin, end};
use super::reading::{Exchange, control, decisive, labelled};
use super::scope_terms::minted;
use crate::auth::ToolUse;
use crate::auth::answer::{Answer, Denial, challenges};
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Fault, HttpSide, Transcript};

/// How often a client may be sent back before it gives up.
const ROUNDS: usize = 3;
const STEP: &str = "step ";

/// The scopes of the Bearer challenge of an answer.
fn asked_for(side: &HttpSide) -> Option<BTreeSet<String>> {
    let found = challenges(side)?;
    let scope = found.scheme("bearer")?.get("scope")?.to_owned();
    Some(scope.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
}

/// What a client would do: begin with the scopes that the 401 or the suite names, ask, add what the 403 names, ask again.
/// The request is the guarded call of the suite, else the harmless one, else the list of tools.
pub(super) fn step_up(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let mut scopes: BTreeSet<String> = prober.facts().scopes.iter().cloned().collect();
        let guarded = prober.facts().guarded.as_ref().map(ToolUse::params);
        if scopes.is_empty() && guarded.is_some() {
            let talk = prober.converse("unasked", &Credentials::none()).await;
            scopes = talk.last.as_ref().ok().and_then(asked_for).unwrap_or_default();
            prober.close(talk.session, &Credentials::none()).await;
        } else if guarded.is_none() {
            scopes.clear();
        }
        for round in 0..=ROUNDS {
            let token = minted(prober, scopes.iter().cloned().collect()).await?;
            let label = format!("{STEP}{round}");
            let talk = prober.open(&label, &token).await;
            let answer = match (&talk.session, &guarded) {
                (None, _) => talk.last,
                (Some(session), Some(params)) => {
                    prober.rpc(&label, session, ("tools/call", params.clone()), &token).await
                }
                (Some(session), None) => prober.ask(&label, session, &token).await,
            };
            prober.close(talk.session, &token).await;
            let forbidden = Answer::of(&answer) == Answer::Denied(Denial::Forbidden);
            match answer.as_ref().ok().filter(|_| forbidden).and_then(asked_for) {
                Some(more) => scopes.extend(more),
                None => break,
            }
        }
        end(prober, between).await;
        Ok(())
    })
}

pub(super) fn one_step(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let steps: Vec<Exchange<'_>> =
        (0..=ROUNDS).filter_map(|round| decisive(transcript, &format!("{STEP}{round}"))).collect();
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    let asked: Vec<String> = steps
        .iter()
        .filter_map(|step| asked_for(step.side()?))
        .map(|scopes| format!("`{}`", scopes.into_iter().collect::<Vec<_>>().join(" ")))
        .collect();
    let seqs: Vec<u32> = steps.iter().map(|step| step.seq).collect();
    match (last.answer(), steps.len()) {
        (Answer::Accepted(_), 1) => {
            Seen::DoesNotApply("the request needs no scope beyond those that one begins with".to_owned())
        }
        (Answer::Accepted(_), 2) => {
            Seen::Holds(format!("one challenge, {}, was enough", asked.join(", ")), seqs)
        }
        (Answer::Accepted(_), rounds) => {
            Seen::Broken(format!("it took {} challenges: {}", rounds - 1, asked.join(", then ")), seqs)
        }
        (other, _) if other.is_unavailable() => Seen::Inconclusive(format!("the request got {other}")),
        (Answer::Denied(Denial::Forbidden), rounds) if rounds > ROUNDS => {
            Seen::Broken(format!("{ROUNDS} challenges were not enough: {}", asked.join(", then ")), seqs)
        }
        (other, 1) => {
            let text = format!("a token with too few scopes got {other} and no scope to ask for (see F01)");
            Seen::DoesNotApply(text)
        }
        (other, _) => {
            Seen::Inconclusive(format!("a token with the scopes that {} asked for got {other}", first.label))
        }
    }
}

const ENOUGH: &str = " would do: ";

/// The label carries what the suite says is enough, for whoever reads the record alone.
pub(super) fn minimal(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let nobody = Credentials::none();
        let enough = format!("minimum{ENOUGH}{}", prober.facts().scopes.join(" "));
        let talk = prober.converse(&enough, &nobody).await;
        prober.close(talk.session, &nobody).await;
        if prober.minted().is_some() {
            let token = minted(prober, vec![]).await?;
            let talk = prober.open(&enough, &token).await;
            if let Some(session) = &talk.session {
                let _ = prober.rpc(&enough, session, ("tools/list", json!({})), &token).await;
            }
            prober.close(talk.session, &token).await;
        }
        Ok(())
    })
}

pub(super) fn surplus(transcript: &Transcript) -> Seen {
    let (mut seqs, mut seen) = (vec![], BTreeSet::new());
    for exchange in labelled(transcript, "minimum") {
        let label = exchange.label.rsplit_once(": ").map_or(exchange.label, |(label, _)| label);
        let enough = label.split_once(ENOUGH).map_or("", |(_, scopes)| scopes);
        if exchange.answer().is_unavailable() {
            return Seen::Inconclusive(format!("the request got {}", exchange.answer()));
        }
        let Some(asked) = exchange.side().and_then(asked_for) else { continue };
        let more: Vec<&str> = asked
            .iter()
            .map(String::as_str)
            .filter(|scope| !enough.split(' ').any(|known| known == *scope))
            .collect();
        if !more.is_empty() {
            let text = format!("the challenge asks for `{}`, and `{enough}` would do", more.join(" "));
            return Seen::Broken(text, vec![exchange.seq]);
        }
        seqs.push(exchange.seq);
        seen.extend(asked);
    }
    match seqs.is_empty() {
        true => Seen::DoesNotApply("no challenge names a scope (see A09)".to_owned()),
        false => {
            let all = seen.into_iter().collect::<Vec<_>>().join(" ");
            Seen::Holds(format!("challenges ask for `{all}` and no more"), seqs)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::imagined::{LISTED, Step, between, record, step, told};
    use super::*;

    const READ: &str = "Bearer error=\"insufficient_scope\", scope=\"read\"";
    const WRITE: &str = "Bearer error=\"insufficient_scope\", scope=\"read write\"";

    fn asked<'a>(label: &'a str, challenge: &'a str) -> Step<'a> {
        step(label, "403", "").with("www-authenticate", challenge)
    }

    #[test]
    fn one_challenge_should_be_enough() {
        let judged = |steps: &[Step<'_>]| between(one_step, steps);
        let (zero, one, two) = ("step 0: tools/call", "step 1: tools/call", "step 2: tools/call");
        let fine = |label| step(label, "200", LISTED);
        assert!(judged(&[fine(zero)]).starts_with("does not apply"));
        assert_eq!(judged(&[asked(zero, READ), fine(one)]), "holds: one challenge, `read`, was enough");
        assert_eq!(
            judged(&[asked(zero, READ), asked(one, WRITE), fine(two)]),
            "broken: it took 2 challenges: `read`, then `read write`"
        );
        let endless = [zero, one, two, "step 3: tools/call"].map(|label| asked(label, READ));
        assert!(judged(&endless).starts_with("broken: 3 challenges were not enough"));
        assert!(judged(&[step(zero, "401", "")]).starts_with("does not apply"));
        assert!(judged(&[asked(zero, READ), step(one, "401", "")]).starts_with("inconclusive"));
        assert!(judged(&[asked(zero, READ), step(one, "429", "")]).starts_with("inconclusive"));
    }

    #[test]
    fn a_challenge_is_held_against_what_would_do() {
        let judged = |challenge| {
            let asked = step("minimum would do: read: initialize", "401", "");
            told(&surplus(&record(&[asked.with("www-authenticate", challenge)])))
        };
        assert_eq!(judged(READ), "holds: challenges ask for `read` and no more");
        assert_eq!(judged(WRITE), "broken: the challenge asks for `write`, and `read` would do");
        assert!(judged("Bearer").starts_with("does not apply"));
    }
}
