//! Group G, sessions: who holds the id of another's session gains nothing, and ids cannot be guessed.

use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::Method;

use super::pair::{Pair, leave, meet};
use super::reading::{Exchange, labelled};
use super::telling::{both, method, named, one, result, unclear};
use super::{AuthCheck, Eras, Level, Needs, Seen, variety};
use crate::auth::answer::{Answer, Denial};
use crate::auth::prober::{Ask, Credentials, Opened, Prober};
use crate::transcript::{Fault, HttpSide, Transcript};

const SECTION: &str = "security best practices: session hijacking";

/// How long a stream may take to say something.
const LISTEN: Duration = Duration::from_millis(300);

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "G01", level: Level::Must, title: "a session id does not make one user another", section: SECTION,
        since: "2025-11-25", eras: Eras::Legacy, needs: &[Needs::TwoPersonas], fix: "take the user from the token of every request, never from the session",
        probe: trespass, examine: acts_as_itself },
    AuthCheck { id: "G01.bound", level: Level::Should, title: "a session is closed to other users", section: SECTION,
        since: "2025-11-25", eras: Eras::Legacy, needs: &[Needs::TwoPersonas], fix: "keep the user with the session, and answer 404 when the token is of another",
        probe: trespass, examine: bound },
    AuthCheck { id: "G02", level: Level::Must, title: "nobody else reads or ends a session", section: SECTION,
        since: "2025-11-25", eras: Eras::Legacy, needs: &[Needs::TwoPersonas], fix: "compare the user of the session with the token on GET and DELETE, too",
        probe: meddle, examine: left_alone },
    AuthCheck { id: "G03", level: Level::Must, title: "session ids cannot be guessed", section: SECTION,
        since: "2025-11-25", eras: Eras::Legacy, needs: &[Needs::GoodToken], fix: "make session ids from 128 bits of a secure random source, such as UUID version 4",
        probe: many_sessions, examine: unguessable },
];

fn trespass(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(pair) = meet(prober).await? else { return Ok(()) };
        if pair.hers.id().is_some() {
            let _ = prober.list("trespass", &pair.hers, &pair.second).await;
            if let Some(call) = &pair.harmless {
                let request = || ("tools/call", call.clone());
                let _ = pair.she(prober, "hers", request()).await;
                let _ = pair.he(prober, "his", request()).await;
                let _ = prober.rpc("trespass", &pair.hers, request(), &pair.second).await;
            }
        }
        leave(prober, pair).await;
        Ok(())
    })
}

/// The attempts; or why there are none.
fn trespasses(transcript: &Transcript) -> Result<Vec<Exchange<'_>>, Seen> {
    both(transcript)?;
    let attempts: Vec<_> = labelled(transcript, "trespass: ").collect();
    if attempts.is_empty() {
        return Err(Seen::DoesNotApply("the target opens no sessions".to_owned()));
    }
    for exchange in &attempts {
        if !matches!(exchange.answer(), Answer::Accepted(_) | Answer::Denied(_))
            || exchange.answer().is_unavailable()
        {
            return Err(unclear(exchange));
        }
    }
    Ok(attempts)
}

fn acts_as_itself(transcript: &Transcript) -> Seen {
    let attempts = match trespasses(transcript) {
        Ok(attempts) => attempts,
        Err(seen) => return seen,
    };
    let mut own = None;
    let mut open = None;
    for exchange in attempts {
        let Some(got) = result(&exchange) else {
            if matches!(exchange.answer(), Answer::Accepted(_)) {
                open = Some(exchange);
            }
            continue;
        };
        let (hers, his) = match method(&exchange) {
            "tools/list" => ("control before: tools/list", "other before: tools/list"),
            _ => ("hers: tools/call", "his: tools/call"),
        };
        let told = |label: &str| labelled(transcript, label).next().and_then(|one| result(&one));
        let (hers, his) = (told(hers), told(his));
        match (hers.as_ref() == Some(&got), his.as_ref() == Some(&got)) {
            (true, false) => {
                let text = "in the session of the first persona the second acts as the first".to_owned();
                return Seen::Broken(text, vec![exchange.seq]);
            }
            (false, true) => own = Some(exchange),
            _ => open = Some(exchange),
        }
    }
    match (own, open) {
        (Some(exchange), _) => {
            let text = "in the session of the first persona the second acts as itself".to_owned();
            Seen::Holds(text, vec![exchange.seq])
        }
        (None, Some(_)) => Seen::Inconclusive(
            "the session of the first persona is open to the second, and nothing tells as whom; name a call \
             that says who is asking as `auth_checks.facts.harmless`"
                .to_owned(),
        ),
        (None, None) => refused(transcript),
    }
}

fn refused(transcript: &Transcript) -> Seen {
    let seqs = labelled(transcript, "trespass: ").map(|exchange| exchange.seq).collect();
    Seen::Holds("the session of another persona was refused".to_owned(), seqs)
}

fn bound(transcript: &Transcript) -> Seen {
    let attempts = match trespasses(transcript) {
        Ok(attempts) => attempts,
        Err(seen) => return seen,
    };
    match attempts.iter().find(|exchange| matches!(exchange.answer(), Answer::Accepted(_))) {
        Some(exchange) => Seen::Broken(
            format!("the session of another persona was accepted at `{}`", method(exchange)),
            vec![exchange.seq],
        ),
        None => refused(transcript),
    }
}

fn meddle(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(pair) = meet(prober).await? else { return Ok(()) };
        if pair.hers.id().is_some() {
            let listed = pair.she(prober, "hers", ("tools/list", serde_json::json!({}))).await;
            let last = listed.ok().and_then(|side| last_event(&side)).unwrap_or_else(|| "0".to_owned());
            look(prober, "his: GET", &pair.hers, &pair.second, None).await;
            look(prober, "his again: GET", &pair.hers, &pair.second, Some(last)).await;
            look(prober, "hers: GET", &pair.hers, &pair.first, None).await;
            end(prober, &pair).await;
            let _ = prober.list("hers after", &pair.hers, &pair.first).await;
        }
        leave(prober, pair).await;
        Ok(())
    })
}

/// The id of the last event of a stream.
fn last_event(side: &HttpSide) -> Option<String> {
    let text = side.body.to_text();
    text.lines().rev().find_map(|line| line.strip_prefix("id:")).map(|id| id.trim().to_owned())
}

fn headers(session: &Opened) -> Vec<(String, String)> {
    let mut headers = vec![("mcp-protocol-version".to_owned(), session.version().to_owned())];
    headers.extend(session.id().map(|id| ("mcp-session-id".to_owned(), id.to_owned())));
    headers
}

/// Opens the stream of a session for a moment.
async fn look(prober: &Prober, label: &str, session: &Opened, who: &Credentials, last: Option<String>) {
    let mut headers = headers(session);
    headers.push(("accept".to_owned(), "text/event-stream".to_owned()));
    headers.extend(last.map(|last| ("last-event-id".to_owned(), last)));
    let url = prober.target().clone();
    let stream = prober.listen(Ask { label, method: Method::GET, url, headers, body: None }, who).await;
    stream.until(|messages| !messages.is_empty(), LISTEN).await;
    let _ = stream.end();
}

async fn end(prober: &Prober, pair: &Pair) {
    let ask = Ask {
        label: "his: DELETE",
        method: Method::DELETE,
        url: prober.target().clone(),
        headers: headers(&pair.hers),
        body: None,
    };
    let _ = prober.send(ask, &pair.second).await;
}

fn left_alone(transcript: &Transcript) -> Seen {
    if let Err(seen) = both(transcript) {
        return seen;
    }
    let Some(after) = one(transcript, "hers after") else {
        return Seen::DoesNotApply("the target opens no sessions".to_owned());
    };
    let mut seqs = vec![after.seq];
    let mut deleted = false;
    for exchange in labelled(transcript, "his") {
        let status = exchange.side().and_then(HttpSide::status);
        match (method(&exchange), status) {
            ("GET", Some(200..=299)) => {
                let text = "the second persona opened the stream of the first persona's session".to_owned();
                return Seen::Broken(text, vec![exchange.seq]);
            }
            ("DELETE", Some(200..=299)) => deleted = true,
            (_, Some(429) | None) => return unclear(&exchange),
            (_, Some(status)) if status >= 500 && status != 501 => return unclear(&exchange),
            _ => {}
        }
        seqs.push(exchange.seq);
    }
    match (after.answer(), deleted) {
        (Answer::Accepted(_), false) => {
            let text = "GET and DELETE of another persona's session were refused".to_owned();
            Seen::Holds(text, seqs)
        }
        (Answer::Accepted(_), true) => {
            let text = "GET of another persona's session was refused, and DELETE did nothing".to_owned();
            Seen::Holds(text, seqs)
        }
        (Answer::Denied(_), true) => {
            Seen::Broken("the second persona ended the session of the first".to_owned(), seqs)
        }
        (other, _) => Seen::Inconclusive(format!("afterwards the first persona got {other} in its session")),
    }
}

fn many_sessions(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let good = prober.good().await?;
        for number in 1..=variety::SAMPLE {
            let talk = prober.open(&format!("session {number}"), &good).await;
            let refused = !matches!(Answer::of(&talk.last), Answer::Accepted(_));
            prober.close(talk.session, &good).await;
            if refused {
                break;
            }
        }
        Ok(())
    })
}

fn unguessable(transcript: &Transcript) -> Seen {
    let mut ids = vec![];
    let mut seqs = vec![];
    for exchange in labelled(transcript, "session ").filter(|exchange| method(exchange) == "initialize") {
        match exchange.answer() {
            Answer::Accepted(_) => {}
            Answer::Denied(Denial::Status(429)) | Answer::Silent(_) => return unclear(&exchange),
            other => {
                let text = format!("{} got {other}", named(&exchange));
                return Seen::Inconclusive(text);
            }
        }
        if let Some(id) = exchange.side().and_then(|side| side.header("mcp-session-id")) {
            ids.push(id);
            seqs.push(exchange.seq);
        }
    }
    if ids.is_empty() {
        return Seen::DoesNotApply("the target gives sessions no id".to_owned());
    }
    if ids.len() < variety::SAMPLE {
        let text = format!("only {} of {} sessions were opened", ids.len(), variety::SAMPLE);
        return Seen::Inconclusive(text);
    }
    match variety::judge(&ids) {
        Ok(bits) => Seen::Holds(format!("in {} session ids {bits} bits vary", ids.len()), seqs),
        Err(why) => Seen::Broken(format!("{} session ids: {why}", ids.len()), seqs),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::auth::checks::records::record;

    fn who(name: &str) -> Value {
        json!({"result": {"content": [{"type": "text", "text": name}]}})
    }

    fn trespassed(status: &str, answer: Value, his: &str) -> Transcript {
        record(&[
            ("hers: tools/call", json!({}), "200", who("alice")),
            ("his: tools/call", json!({}), "200", who(his)),
            ("trespass: tools/call", json!({}), status, answer),
        ])
    }

    #[test]
    fn an_open_session_is_worse_if_it_makes_somebody_else_of_one() {
        let refused = trespassed("404", json!({}), "bob");
        assert!(matches!(acts_as_itself(&refused), Seen::Holds(..)));
        assert!(matches!(bound(&refused), Seen::Holds(..)));
        let itself = trespassed("200", who("bob"), "bob");
        assert!(matches!(acts_as_itself(&itself), Seen::Holds(..)));
        assert!(matches!(bound(&itself), Seen::Broken(..)));
        assert!(matches!(acts_as_itself(&trespassed("200", who("alice"), "bob")), Seen::Broken(..)));
        // Both are told the same, so nobody knows as whom the second acts.
        assert!(matches!(acts_as_itself(&trespassed("200", who("alice"), "alice")), Seen::Inconclusive(_)));
        assert!(matches!(acts_as_itself(&trespassed("503", json!({}), "bob")), Seen::Inconclusive(_)));
        assert!(matches!(acts_as_itself(&record(&[])), Seen::DoesNotApply(_)));
    }

    fn meddled(get: &str, delete: &str, after: &str) -> Seen {
        left_alone(&record(&[
            ("his: GET", json!({}), get, json!({})),
            ("his: DELETE", json!({}), delete, json!({})),
            ("hers after: tools/list", json!({}), after, json!({"result": {"tools": []}})),
        ]))
    }

    #[test]
    fn a_session_survives_what_others_do_to_it() {
        assert!(matches!(meddled("404", "404", "200"), Seen::Holds(..)));
        assert!(matches!(meddled("405", "405", "200"), Seen::Holds(..)));
        assert!(matches!(meddled("404", "204", "200"), Seen::Holds(why, _) if why.contains("did nothing")));
        assert!(matches!(meddled("200", "404", "200"), Seen::Broken(..)));
        assert!(matches!(meddled("404", "204", "404"), Seen::Broken(..)));
        assert!(matches!(meddled("404", "500", "200"), Seen::Inconclusive(_)));
        assert!(matches!(meddled("404", "404", "404"), Seen::Inconclusive(_)));
    }
}
