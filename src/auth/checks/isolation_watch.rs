//! Group G, subscriptions: nobody hears of changes to what another owns.

use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::Method;
use serde_json::{Value, json};

use super::pair::{Pair, leave, meet};
use super::telling::{both, method, one, unclear};
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::answer::{Answer, messages};
use crate::auth::prober::{Ask, Credentials, Listening, Opened, Prober};
use crate::transcript::{Fault, Transcript};

/// How long the owner may wait for the news.
const NEWS: Duration = Duration::from_secs(3);

/// How much longer the other is listened to.
const GRACE: Duration = Duration::from_millis(300);

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "G13", level: Level::Must, title: "nobody hears of changes to what another owns", section: "server/resources: subscriptions",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TwoPersonas, Needs::Fact("watch")], fix: "check whose a resource is when somebody subscribes to it, and again before you notify",
        probe: eavesdrop, examine: unheard },
];

fn eavesdrop(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(fact) = &prober.facts().watch else { return Ok(()) };
        let Some(pair) = meet(prober).await? else { return Ok(()) };
        let hers = subscribed(prober, "hers", &fact.uri, (&pair.hers, &pair.first)).await;
        let his = subscribed(prober, "his", &fact.uri, (&pair.his, &pair.second)).await;
        let _ = pair.she(prober, "change", ("tools/call", fact.change.params())).await;
        let told = |messages: &[Value]| tells(messages, &fact.uri);
        if hers.until(told, NEWS).await {
            his.until(told, GRACE).await;
        }
        let _ = (hers.end(), his.end());
        unsubscribed(prober, &pair, &fact.uri).await;
        leave(prober, pair).await;
        Ok(())
    })
}

/// Opens the stream on which changes of a resource are told, and asks for them.
async fn subscribed(
    prober: &Prober,
    name: &str,
    uri: &str,
    (session, who): (&Opened, &Credentials),
) -> Listening {
    let url = prober.target().clone();
    if session.is_modern() {
        let params = json!({"notifications": {"resourceSubscriptions": [uri]}});
        let (headers, body) = prober.written(session, ("subscriptions/listen", params));
        let label = format!("{name} stream: subscriptions/listen");
        let ask = Ask { label: &label, method: Method::POST, url, headers, body: Some(body.to_string()) };
        let stream = prober.listen(ask, who).await;
        // The acknowledgement, or the refusal.
        stream.until(|messages| !messages.is_empty(), NEWS).await;
        return stream;
    }
    let mut headers = vec![
        ("accept".to_owned(), "text/event-stream".to_owned()),
        ("mcp-protocol-version".to_owned(), session.version().to_owned()),
    ];
    headers.extend(session.id().map(|id| ("mcp-session-id".to_owned(), id.to_owned())));
    let label = format!("{name} stream: GET");
    let stream =
        prober.listen(Ask { label: &label, method: Method::GET, url, headers, body: None }, who).await;
    let _ = prober.rpc(name, session, ("resources/subscribe", json!({"uri": uri})), who).await;
    stream
}

/// Subscriptions of sessions end with them, but may outlive a DELETE that is not offered.
async fn unsubscribed(prober: &Prober, pair: &Pair, uri: &str) {
    if !pair.hers.is_modern() {
        let _ = pair.she(prober, "end", ("resources/unsubscribe", json!({"uri": uri}))).await;
        let _ = pair.he(prober, "end", ("resources/unsubscribe", json!({"uri": uri}))).await;
    }
}

/// Whether one of these messages says that the resource changed.
fn tells(messages: &[Value], uri: &str) -> bool {
    messages.iter().any(|message| {
        message.get("method").and_then(Value::as_str) == Some("notifications/resources/updated")
            && message.pointer("/params/uri").and_then(Value::as_str).is_some_and(|told| told == uri)
    })
}

fn unheard(transcript: &Transcript) -> Seen {
    if let Err(seen) = both(transcript) {
        return seen;
    }
    let (Some(hers), Some(his), Some(change)) =
        (one(transcript, "hers stream"), one(transcript, "his stream"), one(transcript, "change"))
    else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    if !matches!(change.answer(), Answer::Accepted(_)) {
        return Seen::Inconclusive(format!("the call that changes the resource got {}", change.answer()));
    }
    for asked in [Some(hers), one(transcript, "hers")].into_iter().flatten() {
        if let Answer::Denied(denial) = asked.answer() {
            let text =
                format!("the first persona itself cannot subscribe: `{}` got {denial}", method(&asked));
            return Seen::DoesNotApply(text);
        }
    }
    let uri = watched(transcript).unwrap_or_default();
    let told = |exchange: &super::reading::Exchange<'_>| {
        exchange.side().is_some_and(|side| tells(&messages(side), &uri))
    };
    if told(&his) {
        let text = "the second persona was told that the first persona's resource changed".to_owned();
        return Seen::Broken(text, vec![his.seq]);
    }
    if !told(&hers) {
        let text =
            "the first persona itself was not told of the change, so silence proves nothing".to_owned();
        return Seen::Inconclusive(text);
    }
    if his.answer().is_unavailable() {
        return unclear(&his);
    }
    Seen::Holds("the second persona was not told of the change".to_owned(), vec![hers.seq, his.seq])
}

/// The resource that the first persona subscribed to.
fn watched(transcript: &Transcript) -> Option<String> {
    let asked = |label: &str, at: &str| {
        let body = one(transcript, label)?.request.body.json()?;
        Some(body.pointer(at)?.as_str()?.to_owned())
    };
    asked("hers stream", "/params/notifications/resourceSubscriptions/0")
        .or_else(|| asked("hers", "/params/uri"))
}
