//! A01 to A03: whatever is asked for, by whatever HTTP method, nobody gets it without a token.

use futures::future::BoxFuture;
use reqwest::Method;
use serde_json::{Value, json};

use super::{NOTHING, absent, is_open, plain_call};
use crate::auth::answer::{Answer, Denial};
use crate::auth::checks::Seen;
use crate::auth::checks::reading::{deciding, labelled};
use crate::auth::prober::{Ask, Credentials, MODERN, Opened, Prober};
use crate::transcript::{Fault, Transcript};

/// Every list and every call without a token must get 401.
pub(super) fn unauthorized(transcript: &Transcript) -> Seen {
    let mut seqs = vec![];
    for exchange in deciding(transcript, "no token") {
        match exchange.answer() {
            Answer::Denied(Denial::Unauthorized) => seqs.push(exchange.seq),
            other if other.is_unavailable() => return Seen::Inconclusive(format!("no token got {other}")),
            other => {
                let method = exchange.label.rsplit(": ").next().unwrap_or_default();
                let text = format!("`{method}` without a token got {other} instead of 401");
                return Seen::Broken(text, vec![exchange.seq]);
            }
        }
    }
    match seqs.is_empty() {
        true => absent(transcript),
        false => Seen::Holds("no token got 401".to_owned(), seqs),
    }
}

/// Everything that can be asked for, by names that stand for nothing.
fn asked(prober: &Prober, session: &Opened) -> Vec<(&'static str, Value)> {
    let completion = json!({
        "ref": {"type": "ref/prompt", "name": NOTHING}, "argument": {"name": NOTHING, "value": ""},
    });
    let mut all = vec![
        ("tools/list", json!({})),
        ("tools/call", plain_call(prober)),
        ("prompts/list", json!({})),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({"uri": format!("rehearsal://{NOTHING}")})),
        ("completion/complete", completion),
        ("tasks/get", json!({"taskId": NOTHING})),
    ];
    if session.is_modern() {
        all.push(("server/discover", json!({})));
        all.push(("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}})));
    }
    all.retain(|(method, _)| !is_open(prober, method));
    all
}

/// Asks for everything without a token. Where there are sessions, it asks inside one that a good token opened, if there
/// is one: a request outside of any is refused for that already.
pub(super) fn every_method(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let nobody = Credentials::none();
        let good = prober.good().await?;
        let label = if is_open(prober, "initialize") { super::OPEN } else { "method" };
        let (mut owner, mut session) = (&nobody, prober.open(label, &nobody).await.session);
        if session.is_none() && prober.has_persona() {
            (owner, session) = (&good, prober.open("owner", &good).await.session);
        }
        let used = session.clone().unwrap_or_else(|| prober.sessionless());
        for asked in asked(prober, &used) {
            let _ = prober.rpc("method", &used, asked, &nobody).await;
        }
        prober.close(session, owner).await;
        Ok(())
    })
}

pub(super) fn closed(transcript: &Transcript) -> Seen {
    let asked: Vec<_> =
        labelled(transcript, "method: ").filter(|one| one.label != "method: initialized").collect();
    // The handshake was refused because there is none, not for want of a token.
    let modern = asked.iter().any(|one| one.request.header("mcp-protocol-version") == Some(MODERN));
    let (mut seqs, mut notes) = (vec![], vec![]);
    for exchange in asked {
        let method = exchange.label.trim_start_matches("method: ");
        if modern && method == "initialize" {
            continue;
        }
        match exchange.answer() {
            Answer::Denied(Denial::Unauthorized) => {}
            other if other.is_unavailable() => {
                return Seen::Inconclusive(format!("`{method}` without a token got {other}"));
            }
            // Without a session of somebody who was let in, this may be about the session.
            Answer::Denied(Denial::Status(status @ (400 | 404 | 405)))
                if !modern && method != "initialize" =>
            {
                notes.push(format!("`{method}` with {status}"));
            }
            other => {
                let text = format!("`{method}` without a token got {other} instead of 401");
                return Seen::Broken(text, vec![exchange.seq]);
            }
        }
        seqs.push(exchange.seq);
    }
    if seqs.is_empty() {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    }
    let notes = if notes.is_empty() { String::new() } else { format!(", {}", notes.join(", ")) };
    Seen::Holds(format!("all {} methods were refused without a token{notes}", seqs.len()), seqs)
}

pub(super) fn other_verbs(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let accept = ("accept".to_owned(), "text/event-stream".to_owned());
        let session = ("mcp-session-id".to_owned(), "rehearsal-no-such-session".to_owned());
        for (label, method, header) in
            [("verb GET", Method::GET, accept), ("verb DELETE", Method::DELETE, session)]
        {
            let url = prober.target().clone();
            let ask = Ask { label, method, url, headers: vec![header], body: None };
            let _ = prober.send(ask, &Credentials::none()).await;
        }
        Ok(())
    })
}

pub(super) fn verbs_refused(transcript: &Transcript) -> Seen {
    let (mut seqs, mut notes) = (vec![], vec![]);
    for exchange in labelled(transcript, "verb ") {
        let verb = exchange.label.trim_start_matches("verb ");
        match exchange.answer() {
            Answer::Denied(Denial::Unauthorized | Denial::Status(405)) => {}
            other if other.is_unavailable() => {
                return Seen::Inconclusive(format!("{verb} without a token got {other}"));
            }
            Answer::Denied(denial @ (Denial::Forbidden | Denial::Status(_))) => {
                notes.push(format!(", {verb} with {denial} where the text wants 401"));
            }
            other => {
                let text = format!("{verb} without a token got {other} instead of 401 or 405");
                return Seen::Broken(text, vec![exchange.seq]);
            }
        }
        seqs.push(exchange.seq);
    }
    match seqs.is_empty() {
        true => Seen::Inconclusive("the probe was not sent".to_owned()),
        false => Seen::Holds(format!("GET and DELETE without a token were refused{}", notes.concat()), seqs),
    }
}
