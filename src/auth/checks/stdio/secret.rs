//! K03: the secret from the environment turns up in no answer, no notification and not on stderr.
//!
//! It is looked for in a record that never leaves memory; the record that is kept says only where it was.

use std::collections::HashMap;

use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::part::{closed, part};
use crate::auth::bench::{Bench, noted};
use crate::auth::checks::Seen;
use crate::auth::checks::leakage::Marks;
use crate::transcript::{Event, Fault, Transcript, What, WireMessage};

/// Shorter secrets turn up by chance.
const SHORTEST: usize = 8;

pub(super) fn probe(bench: &Bench) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(figure) = bench.control() else { return Ok(()) };
        let secrets = Bench::credentials(figure);
        let marks = marks(secrets.iter().map(|(_, value)| value.expose_secret()));
        if marks.is_empty() {
            let why = match secrets.is_empty() {
                true => "needs a persona whose credential is in a variable of the environment",
                false => "needs a secret of eight characters or more; shorter ones turn up by chance",
            };
            bench.skip(why);
            return Ok(());
        }
        let (aside, kept) = bench.aside();
        if let Some(seat) = aside.open("control", Some(figure)).await? {
            aside.loudest(&seat).await;
            aside.list(&seat).await;
            for (method, params) in provocations(bench) {
                aside.ask(&seat, method, params).await;
            }
            aside.leave(seat).await;
        }
        let mut asked = HashMap::new();
        for event in aside.events() {
            let found = find(&event, &marks, &mut asked);
            kept.note(event.what);
            if let Some(place) = found {
                bench.say("found", &format!("the secret is {place}"));
            }
        }
        Ok(())
    })
}

/// What to look for: every secret whole, and the telling parts of a signed token.
fn marks<'a>(secrets: impl Iterator<Item = &'a str>) -> Vec<Marks> {
    let long: Vec<&str> = secrets.filter(|secret| secret.len() >= SHORTEST).collect();
    long.into_iter().map(Marks::with_whole).collect()
}

/// Requests that make a server talk: ordinary ones, and mistakes.
fn provocations(bench: &Bench) -> Vec<(&'static str, Value)> {
    let harmless = bench.facts().harmless.as_ref().map(|harmless| ("tools/call", harmless.params()));
    let mut all: Vec<(&'static str, Value)> = harmless.into_iter().collect();
    all.extend([
        ("tools/call", json!({"name": "rehearsal_no_such_tool", "arguments": {}})),
        ("resources/list", json!({})),
        ("resources/read", json!({"uri": "rehearsal://no-such-resource"})),
        ("prompts/list", json!({})),
        ("prompts/get", json!({"name": "rehearsal_no_such_prompt"})),
        ("rehearsal/no-such-method", json!({})),
    ]);
    all
}

/// Where in an event the secret is, if it is there. `asked` learns which method each id belongs to.
fn find(event: &Event, marks: &[Marks], asked: &mut HashMap<String, String>) -> Option<String> {
    let there = |text: &str| marks.iter().any(|marks| marks.found(text).is_some());
    let member = |message: &Value, name: &str| message.get(name).and_then(Value::as_str).map(str::to_owned);
    match &event.what {
        What::ServerStderr { text } => there(text).then(|| "on stderr".to_owned()),
        What::Wire(WireMessage::Sent { body, .. }) => {
            let message = body.json()?;
            asked.insert(message.get("id")?.to_string(), member(&message, "method")?);
            None
        }
        What::Wire(WireMessage::Received { body, .. }) => {
            let message = body.json().unwrap_or_default();
            let method = member(&message, "method");
            let answered = || message.get("id").and_then(|id| asked.get(&id.to_string()));
            // An escaped character must not hide it.
            let inside = there(&body.to_text()) || strings(&message).iter().any(|text| there(text));
            inside.then(|| match (&method, answered()) {
                (Some(method), _) => format!("in `{method}`"),
                (None, Some(method)) => format!("in the answer to `{method}`"),
                (None, None) => "on standard output".to_owned(),
            })
        }
        _ => None,
    }
}

/// Every text in a value.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| std::iter::once(name.as_str()).chain(strings(value)))
            .collect(),
        _ => vec![],
    }
}

pub(super) fn kept(transcript: &Transcript) -> Seen {
    let found = |event: &Event| noted(event)?.strip_prefix("found: ").map(str::to_owned);
    if let Some((what, event)) = transcript.events.iter().find_map(|event| Some((found(event)?, event))) {
        // What holds it stands right before.
        return Seen::Broken(what, vec![event.seq.saturating_sub(1)]);
    }
    let Some(control) = part(transcript, "control") else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    if let Some(why) = closed(&control, "the persona") {
        return Seen::Inconclusive(why);
    }
    let received = |event: &&&Event| matches!(event.what, What::Wire(WireMessage::Received { .. }));
    let seqs: Vec<u32> = control.events.iter().filter(received).map(|event| event.seq).collect();
    Seen::Holds(format!("{} messages and stderr, none with the secret", seqs.len()), seqs)
}
