//! H08 and H09: where else the server is, and where it sends its clients.

use futures::future::BoxFuture;
use reqwest::Method;
use serde_json::json;
use url::Url;

use super::Seen;
use super::bracket::written;
use super::reading::{Exchange, labelled};
use super::ruling::{Ruling, WITH};
use crate::auth::answer::Answer;
use crate::auth::prober::{Ask, Credentials, Prober};
use crate::transcript::{Fault, Transcript};

/// The endpoint as it is, and with a slash more or less at its end: the classic redirect. By nobody.
pub(super) fn moved(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let target = prober.target();
        let mut slashed = target.clone();
        match target.path().strip_suffix('/') {
            Some(bare) => slashed.set_path(bare),
            None => slashed.set_path(&format!("{}/", target.path())),
        }
        for (what, url) in [("the endpoint", target.clone()), ("the endpoint and another slash", slashed)] {
            for method in [Method::POST, Method::GET] {
                let (mut headers, body) = written(prober, &prober.sessionless(), ("tools/list", json!({})));
                let body = match method {
                    Method::POST => Some(body),
                    _ => None,
                };
                if body.is_none() {
                    headers.retain(|(name, _)| name != "content-type");
                }
                let label = format!("{WITH}{method} of {what}: request");
                let ask = Ask { label: &label, method, url: url.clone(), headers, body };
                let _ = prober.send(ask, &Credentials::none()).await;
            }
        }
        Ok(())
    })
}

/// No redirect, or one that stays: the same host, on a connection that is no less secure.
pub(super) fn stays(exchange: &Exchange<'_>) -> Ruling {
    let status = match exchange.answer() {
        Answer::Redirected(status) => status,
        Answer::Silent(_) => return Ruling::Open,
        _ => return Ruling::Fine,
    };
    let place = exchange.side().and_then(|side| side.header("location"));
    let Some(place) = place.filter(|_| status != 304) else { return Ruling::Fine };
    let Ok(from) = Url::parse(exchange.url()) else { return Ruling::Open };
    match from.join(place) {
        Ok(to) if to.origin() == from.origin() => Ruling::Fine,
        Ok(to) if to.host() == from.host() && from.scheme() == "http" && to.scheme() == "https" => {
            Ruling::Fine
        }
        Ok(to) => Ruling::Bad(format!("is redirected to {}", to.origin().ascii_serialization())),
        Err(_) => Ruling::Bad("is redirected to what is no address".to_owned()),
    }
}

const HOME: &str = "at home: tools/list";
const OUTSIDE: &str = "from outside: tools/list";

/// By nobody: whether anything answers is the question.
pub(super) fn elsewhere(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let rough = |label| prober.rough(label, &prober.sessionless(), ("tools/list", json!({})));
        let _ = prober.raw(rough(HOME)).await;
        let mut outside = rough(OUTSIDE);
        outside.at = prober.outward();
        let _ = prober.raw(outside).await;
        Ok(())
    })
}

pub(super) fn listening(transcript: &Transcript) -> Seen {
    let one = |label| labelled(transcript, label).next();
    let (Some(home), Some(outside)) = (one(HOME), one(OUTSIDE)) else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    let address =
        outside.request.start.rsplit_once("(at ").map_or("", |(_, rest)| rest.trim_end_matches(')'));
    match (home.response, outside.response) {
        (Err(why), _) => Seen::Inconclusive(format!("the target itself does not answer ({why})")),
        (Ok(_), Ok(side)) => {
            let text = format!("the target answers at {address}, which is not loopback, too: {}", side.start);
            Seen::Broken(text, vec![outside.seq])
        }
        (Ok(_), Err(why)) if why.starts_with("cannot connect") || why.starts_with("no answer") => {
            Seen::Holds(format!("nobody answers at {address} ({why})"), vec![outside.seq])
        }
        (Ok(_), Err(why)) => Seen::Broken(
            format!("something listens at {address}, which is not loopback, too ({why})"),
            vec![outside.seq],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::imagined::{record, step, told};
    use super::super::ruling::each_if_any;
    use super::*;

    #[test]
    fn a_redirect_stays_at_home() {
        let judged = |status: &str, to: &str| {
            let asked = step("with POST of the endpoint: request", status, "").with("location", to);
            told(&each_if_any(&record(&[asked]), stays))
        };
        assert!(judged("401", "").starts_with("holds"));
        assert!(judged("307", "/mcp/").starts_with("holds"));
        assert!(
            judged("308", "https://127.0.0.1/mcp").starts_with("holds"),
            "a safer scheme at the same host"
        );
        assert_eq!(
            judged("307", "http://127.0.0.2:1/mcp"),
            "broken: POST of the endpoint is redirected to http://127.0.0.2:1"
        );
        assert!(judged("307", "//evil.example/mcp").starts_with("broken"));
        assert!(judged("307", "http://").starts_with("broken"));
    }

    #[test]
    fn who_answers_outside_is_told_from_who_does_not() {
        let judged = |home: &str, status: &str, why: &str| {
            let steps = [step(HOME, home, "no answer within 5s"), step(OUTSIDE, status, why)];
            told(&listening(&record(&steps)))
        };
        assert!(judged("401", "", "cannot connect: refused").starts_with("holds"));
        assert!(judged("401", "401", "").starts_with("broken"));
        assert!(judged("401", "", "the connection was closed without an answer").starts_with("broken"));
        assert!(judged("", "401", "").starts_with("inconclusive"));
    }
}
