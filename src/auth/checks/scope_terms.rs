//! F02, F03 and F06: scopes are compared as words, whole and byte for byte; and how a token fared.

use futures::future::BoxFuture;
use serde_json::Value;

use super::Seen;
use super::bracket::{Between, bearer, begin, end};
use super::reading::{Exchange, control, decisive, labelled};
use crate::auth::answer::{Answer, Denial};
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Fault, Transcript};

const BARE: &str = "bare";
const CONTROL_CALL: &str = "control call";

/// The good persona's token with these scopes.
pub(super) async fn minted(prober: &Prober, scopes: Vec<String>) -> Result<Credentials, Fault> {
    Ok(bearer(&prober.token(|minted| minted.scopes = scopes).await?))
}

/// The scopes of the good persona.
pub(super) fn own(prober: &Prober) -> Vec<String> {
    prober.minted().map(|(_, minted)| minted.scopes.clone()).unwrap_or_default()
}

/// The call of a tool that only reads, made by the good persona, where the suite names no harmless one: with that every
/// conversation makes it anyway.
pub(super) async fn control_call(prober: &Prober, between: &Between) -> Option<Value> {
    let params = between.harmless(prober).filter(|_| prober.facts().harmless.is_none())?;
    prober.call(CONTROL_CALL, &between.session, &between.good, params.clone()).await;
    Some(params)
}

/// Lists tools, and makes the call that [`control_call`] found, with a token. The call is labelled `LABEL call`.
pub(super) async fn try_out(prober: &Prober, label: &str, token: &Credentials, params: Option<&Value>) {
    let talk = prober.converse(label, token).await;
    if let (Some(session), Some(params)) = (&talk.session, params)
        && matches!(Answer::of(&talk.last), Answer::Accepted(_))
    {
        prober.call(&format!("{label} call"), session, token, params.clone()).await;
    }
    prober.close(talk.session, token).await;
}

/// How a token fared beside the good one.
pub(super) enum Fared {
    /// It got everything, a call included.
    In,
    /// It got the whole list, and nothing could be called.
    Listed,
    /// It saw so many of so many tools.
    Less(usize, usize),
    /// It was denied.
    Denied(Denial),
    /// None of these.
    Unclear(Answer),
}

/// How the token fared that was tried under this label, and the exchange that shows it.
pub(super) fn fared<'a>(transcript: &'a Transcript, label: &'a str) -> Option<(Exchange<'a>, Fared)> {
    let listed = labelled(transcript, label).find(|one| one.label == format!("{label}: tools/list"));
    let Some(list) = listed else {
        let one = decisive(transcript, label)?;
        return Some((one, verdict(one.answer())));
    };
    if !matches!(list.answer(), Answer::Accepted(_)) {
        return Some((list, verdict(list.answer())));
    }
    let labels = [format!("{label}: tools/call"), format!("{label} call: tools/call")];
    let call = labelled(transcript, label).find(|one| labels.iter().any(|label| one.label == label));
    let denied = call.filter(|call| !matches!(call.answer(), Answer::Accepted(_)));
    if let Some(call) = denied {
        // A call that the good token cannot make either says nothing of scopes.
        let good = labelled(transcript, CONTROL_CALL).next();
        let open = good.is_some_and(|good| !matches!(good.answer(), Answer::Accepted(_)));
        return Some(match open {
            true => (list, Fared::Listed),
            false => (call, verdict(call.answer())),
        });
    }
    let (few, all) = (names(&list.answer()), control_names(transcript));
    Some(match (few, all, call) {
        (Some(few), Some(all), _) if few < all => (list, Fared::Less(few, all)),
        (_, _, Some(call)) => (call, Fared::In),
        (_, _, None) => (list, Fared::Listed),
    })
}

fn verdict(answer: Answer) -> Fared {
    match answer {
        Answer::Accepted(_) => Fared::In,
        Answer::Denied(denial) if !answer.is_unavailable() => Fared::Denied(denial),
        other => Fared::Unclear(other),
    }
}

/// How many tools an answer lists.
fn names(answer: &Answer) -> Option<usize> {
    let Answer::Accepted(Some(result)) = answer else { return None };
    Some(result.get("tools")?.as_array()?.len())
}

fn control_names(transcript: &Transcript) -> Option<usize> {
    let list = labelled(transcript, "control before: tools/list").next()?;
    names(&list.answer())
}

/// Tries the good persona's token with other scopes: first without any, so that a server that wants none is known.
fn with_scopes<'a>(prober: &'a Prober, scopes: Vec<String>, bare: bool) -> BoxFuture<'a, Result<(), Fault>> {
    Box::pin(async move {
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let params = control_call(prober, &between).await;
        if bare {
            try_out(prober, BARE, &minted(prober, vec![]).await?, params.as_ref()).await;
        }
        try_out(prober, "attempt", &minted(prober, scopes).await?, params.as_ref()).await;
        end(prober, between).await;
        Ok(())
    })
}

pub(super) fn longer(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    with_scopes(prober, own(prober).iter().map(|scope| format!("{scope}x")).collect(), true)
}

pub(super) fn upper(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    let turned = |scope: &String| match scope.to_uppercase() {
        same if same == *scope => scope.to_lowercase(),
        other => other,
    };
    with_scopes(prober, own(prober).iter().map(turned).collect(), true)
}

pub(super) fn other_terms(transcript: &Transcript, what: &str) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let (Some((_, bare)), Some((exchange, how))) = (fared(transcript, BARE), fared(transcript, "attempt"))
    else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    match (bare, how) {
        (Fared::In | Fared::Listed, _) => {
            Seen::DoesNotApply("a token without any scope is let in, too (see F01)".to_owned())
        }
        (_, Fared::In | Fared::Listed) => Seen::Broken(format!("{what} was let in"), vec![exchange.seq]),
        (Fared::Less(few, _), Fared::Less(more, all)) if more > few => {
            let text = format!("{what} sees {more} of {all} tools, one without scopes {few}");
            Seen::Broken(text, vec![exchange.seq])
        }
        (_, Fared::Denied(denial)) => Seen::Holds(format!("{what} got {denial}"), vec![exchange.seq]),
        (_, Fared::Less(few, all)) => {
            Seen::Holds(format!("{what} sees {few} of {all} tools"), vec![exchange.seq])
        }
        (_, Fared::Unclear(answer)) if answer.is_unavailable() => {
            Seen::Inconclusive(format!("{what} got {answer}"))
        }
        (_, Fared::Unclear(answer)) => Seen::Broken(format!("{what} got {answer}"), vec![exchange.seq]),
    }
}

pub(super) fn among(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    let mut scopes = own(prober);
    scopes.reverse();
    scopes.insert(0, "rehearsal:before".to_owned());
    scopes.push("rehearsal:behind".to_owned());
    with_scopes(prober, scopes, false)
}

/// An empty scope between two others becomes a second space.
pub(super) fn doubled(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    let mut scopes = vec!["rehearsal:before".to_owned()];
    scopes.extend(own(prober).into_iter().flat_map(|scope| [String::new(), scope]));
    with_scopes(prober, scopes, false)
}

/// The broader scope in place of the one that it includes.
pub(super) fn broader(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    let mut scopes = own(prober);
    let narrow = prober.facts().scopes.first().or(scopes.first()).cloned();
    let broad = prober.facts().broader_scope.clone().unwrap_or_default();
    scopes.retain(|scope| Some(scope) != narrow.as_ref() && *scope != broad);
    scopes.push(broad);
    with_scopes(prober, scopes, false)
}

pub(super) fn let_in(transcript: &Transcript, what: &str) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let Some((exchange, how)) = fared(transcript, "attempt") else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    let evidence = vec![exchange.seq];
    match how {
        Fared::In | Fared::Listed => Seen::Holds(format!("a token with {what} was let in"), evidence),
        Fared::Less(few, all) => {
            Seen::Broken(format!("a token with {what} sees {few} of {all} tools"), evidence)
        }
        Fared::Denied(denial) => Seen::Broken(format!("a token with {what} got {denial}"), evidence),
        Fared::Unclear(answer) if answer.is_unavailable() => {
            Seen::Inconclusive(format!("a token with {what} got {answer}"))
        }
        Fared::Unclear(answer) => Seen::Broken(format!("a token with {what} got {answer}"), evidence),
    }
}
