//! E03, E04 and E06.spaces: the header and what stands beside it, or in it.

use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use serde_json::json;

use super::Seen;
use super::bracket::{bearer, begin, end};
use super::placement::{bad, badly, own};
use super::reading::{Exchange, control, labelled};
use super::ruling::{Ruling, WITH, each, sent};
use crate::auth::answer::{Answer, Denial};
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Fault, Transcript};

const HEADER_GOOD: &str = "with a good token in the header and a bad one in the query";
const HEADER_BAD: &str = "with a bad token in the header and a good one in the query";

/// One token in the header and another in the query, both ways round.
pub(super) fn two_places(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let (Some(good), Some(between)) = (own(prober).await?, begin(prober).await?) else { return Ok(()) };
        let bad = bad(prober).await?;
        for (label, header, query) in [(HEADER_GOOD, &good, &bad), (HEADER_BAD, &bad, &good)] {
            let query = Some(("access_token".to_owned(), query.clone()));
            let who = Credentials { query, ..bearer(header) };
            let _ = prober.list(label, &between.session, &who).await;
        }
        end(prober, between).await;
        Ok(())
    })
}

pub(super) fn one_of_two(transcript: &Transcript) -> Seen {
    each(transcript, |exchange| {
        let good = exchange.label.starts_with(HEADER_GOOD);
        match exchange.answer() {
            other if other.is_unavailable() => Ruling::Open,
            Answer::Broke(status) => Ruling::Bad(format!("broke the server: {status}")),
            Answer::Accepted(_) | Answer::Denied(Denial::Status(400)) if good => Ruling::Fine,
            other if good => Ruling::Bad(format!("got {other}: the query outweighs the header")),
            Answer::Accepted(_) => Ruling::Bad("was accepted: the query outweighs the header".to_owned()),
            Answer::Denied(_) => Ruling::Fine,
            _ => Ruling::Open,
        }
    })
}

const GOOD_FIRST: &str = "with a good and then a bad `Authorization` header";
const BAD_FIRST: &str = "with a bad and then a good `Authorization` header";

pub(super) fn two_headers(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let (Some(good), Some(between)) = (own(prober).await?, begin(prober).await?) else { return Ok(()) };
        let (good, bad) = (bearer(&good), badly(prober).await?);
        for (label, first, second) in [(GOOD_FIRST, &good, &bad), (BAD_FIRST, &bad, &good)] {
            let label = format!("{label}: tools/list");
            let raw = prober.rough(&label, &between.session, ("tools/list", json!({})));
            let _ = prober.raw(raw.by(first).by(second)).await;
        }
        end(prober, between).await;
        Ok(())
    })
}

/// Which of two headers decides, if one does.
pub(super) fn first_wins(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let taken = |start| {
        let found = labelled(transcript, start).next()?;
        Some((matches!(found.answer(), Answer::Accepted(_)), found))
    };
    let (Some((first, one)), Some((second, two))) = (taken(GOOD_FIRST), taken(BAD_FIRST)) else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    let who = match (first, second) {
        (true, false) => "the first of two `Authorization` headers wins",
        (false, true) => "the second of two `Authorization` headers wins",
        (true, true) => "of two `Authorization` headers any good one wins",
        (false, false) => {
            return each(transcript, |exchange| match exchange.answer() {
                Answer::Denied(_) if !exchange.answer().is_unavailable() => Ruling::Fine,
                Answer::Broke(status) if !exchange.answer().is_unavailable() => {
                    Ruling::Bad(format!("broke the server: {status}"))
                }
                _ => Ruling::Open,
            });
        }
    };
    Seen::Broken(who.to_owned(), vec![one.seq, two.seq])
}

/// What is no token at all, whatever stands around it.
const EMPTY: &str = "spaces in place of a token";

pub(super) fn spaces(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let (Some(good), Some(between)) = (own(prober).await?, begin(prober).await?) else { return Ok(()) };
        let good = good.expose_secret();
        for (what, value) in [
            ("three spaces before the token", format!("Bearer   {good}")),
            ("a tab before the token", format!("Bearer\t{good}")),
            ("a folded line before the token", format!("Bearer\r\n {good}")),
            ("a bare line feed before the token", format!("Bearer\n {good}")),
            ("a NUL behind the token", format!("Bearer {good}\0")),
            (EMPTY, "Bearer    ".to_owned()),
        ] {
            let label = format!("{WITH}{what}: tools/list");
            let raw = prober.rough(&label, &between.session, ("tools/list", json!({})));
            let _ = prober.raw(raw.line(format!("authorization: {value}"))).await;
        }
        end(prober, between).await;
        Ok(())
    })
}

pub(super) fn spaced(transcript: &Transcript, rule: fn(&Exchange<'_>) -> Ruling) -> Seen {
    each(transcript, rule)
}

/// Whoever takes several spaces for one is right (RFC 9110 section 11.4), and so is whoever does not, or hangs up.
pub(super) fn lenient(exchange: &Exchange<'_>) -> Ruling {
    match exchange.answer() {
        Answer::Accepted(_) if sent(exchange) == EMPTY => Ruling::Bad("was accepted".to_owned()),
        Answer::Broke(status) if !exchange.answer().is_unavailable() => {
            Ruling::Bad(format!("broke the server: {status} instead of 401"))
        }
        Answer::Denied(_) if exchange.answer().is_unavailable() => Ruling::Open,
        Answer::Silent(why) if why.starts_with("no answer") || why.starts_with("cannot") => Ruling::Open,
        Answer::Broke(_) => Ruling::Open,
        _ => Ruling::Fine,
    }
}

#[cfg(test)]
mod tests {
    use super::super::imagined::{LISTED, between, step};
    use super::*;

    #[test]
    fn the_query_must_not_outweigh_the_header() {
        let judged = |good: (&str, &str), bad: (&str, &str)| {
            let (one, two) = (format!("{HEADER_GOOD}: tools/list"), format!("{HEADER_BAD}: tools/list"));
            between(one_of_two, &[step(&one, good.0, good.1), step(&two, bad.0, bad.1)])
        };
        assert!(judged(("200", LISTED), ("401", "")).starts_with("holds"));
        assert!(judged(("400", ""), ("400", "")).starts_with("holds"));
        assert!(judged(("401", ""), ("401", "")).starts_with("broken: a good token in the header"));
        assert!(judged(("200", LISTED), ("200", LISTED)).starts_with("broken: a bad token in the header"));
        assert!(judged(("200", LISTED), ("429", "")).starts_with("inconclusive"));
        assert!(judged(("200", LISTED), ("500", "")).contains("broke the server: 500"));
    }

    #[test]
    fn of_two_headers_none_may_win() {
        let judged = |good_first: &str, bad_first: &str| {
            let body = |status: &str| if status == "200" { LISTED } else { "" };
            let (one, two) = (format!("{GOOD_FIRST}: tools/list"), format!("{BAD_FIRST}: tools/list"));
            let steps = [step(&one, good_first, body(good_first)), step(&two, bad_first, body(bad_first))];
            between(first_wins, &steps)
        };
        assert_eq!(judged("200", "401"), "broken: the first of two `Authorization` headers wins");
        assert_eq!(judged("401", "200"), "broken: the second of two `Authorization` headers wins");
        assert_eq!(judged("200", "200"), "broken: of two `Authorization` headers any good one wins");
        assert!(judged("400", "401").starts_with("holds"));
        assert!(judged("500", "401").starts_with("broken"));
        assert!(judged("400", "503").starts_with("inconclusive"));
    }

    #[test]
    fn odd_spaces_may_be_taken_or_refused_but_break_nothing() {
        let judged = |status: &str, body: &str| {
            between(|t| spaced(t, lenient), &[step("with a tab before the token: tools/list", status, body)])
        };
        assert!(judged("200", LISTED).starts_with("holds"));
        assert!(judged("400", "").starts_with("holds"));
        assert!(judged("", "the connection was closed without an answer").starts_with("holds"));
        assert!(judged("", "no answer within 5s").starts_with("inconclusive"));
        assert!(judged("503", "").starts_with("inconclusive"));
        assert!(judged("500", "").starts_with("broken: a tab before the token broke the server: 500"));
        let label = format!("{WITH}{EMPTY}: tools/list");
        let empty = between(|t| spaced(t, lenient), &[step(&label, "200", LISTED)]);
        assert_eq!(empty, "broken: spaces in place of a token was accepted");
    }
}
