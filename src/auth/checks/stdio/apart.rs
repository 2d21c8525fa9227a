//! K04: what one user's process made or owns, another user's process cannot use: nothing is shared on disk.

use futures::future::BoxFuture;
use serde_json::Value;

use crate::auth::bench::{Bench, Seat};
use crate::auth::checks::Seen;
use crate::auth::checks::telling::{difference, unknown_value};
use crate::transcript::{Fault, Transcript, What};

pub(super) fn handle(bench: &Bench) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(fact) = &bench.facts().handle else { return Ok(()) };
        let Some(hers) = bench.open("hers", bench.control()).await? else { return Ok(()) };
        let made = bench.call(&hers, "made", &fact.create.params()).await;
        if let Some(handle) = made.as_ref().and_then(|made| made.pointer(&fact.at)) {
            try_both(bench, &hers, handle, |handle| fact.used.with(handle.clone())).await?;
        }
        bench.leave(hers).await;
        Ok(())
    })
}

pub(super) fn object(bench: &Bench) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(fact) = &bench.facts().object else { return Ok(()) };
        let Some(hers) = bench.open("hers", bench.control()).await? else { return Ok(()) };
        try_both(bench, &hers, &fact.id.value(), |id| fact.call.with(id.clone())).await?;
        bench.leave(hers).await;
        Ok(())
    })
}

/// She uses what is hers, the other tries it in a process of his own, and she uses it again.
async fn try_both(
    bench: &Bench,
    hers: &Seat,
    name: &Value,
    used: impl Fn(&Value) -> Value + Send + Sync,
) -> Result<(), Fault> {
    bench.call(hers, "hers before", &used(name)).await;
    if let Some(his) = bench.open("his", bench.other()).await? {
        bench.call(&his, "attempt", &used(name)).await;
        bench.call(&his, "unknown", &used(&unknown_value(name))).await;
        bench.leave(his).await;
    }
    bench.call(hers, "hers after", &used(name)).await;
    Ok(())
}

/// A call in the record: its arguments, its result unless it failed, and the event that ended it.
struct Called<'a> {
    args: &'a Value,
    good: Option<Value>,
    seq: u32,
}

fn called<'a>(transcript: &'a Transcript, label: &str) -> Option<Called<'a>> {
    let args = transcript.events.iter().find_map(|event| match &event.what {
        What::ToolCalled { call, args, .. } if call.as_str() == label => Some(args),
        _ => None,
    })?;
    transcript.events.iter().find_map(|event| match &event.what {
        What::ToolReturned { call, content, structured, is_error, .. } if call.as_str() == label => {
            let result = serde_json::json!([content, structured]);
            Some(Called { args, good: (!is_error).then_some(result), seq: event.seq })
        }
        What::ToolRefused { call, .. } if call.as_str() == label => {
            Some(Called { args, good: None, seq: event.seq })
        }
        _ => None,
    })
}

pub(super) fn judge(transcript: &Transcript) -> Seen {
    for label in ["hers before", "hers after"] {
        match called(transcript, label) {
            Some(Called { good: Some(_), .. }) => {}
            Some(_) => return Seen::Inconclusive(format!("the first persona itself was refused ({label})")),
            None => return Seen::Inconclusive(format!("the first persona has nothing to use ({label})")),
        }
    }
    let (Some(attempt), Some(unknown)) = (called(transcript, "attempt"), called(transcript, "unknown"))
    else {
        return Seen::Inconclusive("the second persona's calls got no answer".to_owned());
    };
    match (&attempt.good, &unknown.good) {
        (None, _) => Seen::Holds("the other process does not know it".to_owned(), vec![attempt.seq]),
        (Some(one), Some(other)) if alike((attempt.args, one), (unknown.args, other)) => {
            let text = "the other process says the same of a name that nobody has".to_owned();
            Seen::Holds(text, vec![attempt.seq, unknown.seq])
        }
        (Some(_), _) => {
            let text = "a process with the second persona's credential used what belongs to the first";
            Seen::Broken(text.to_owned(), vec![attempt.seq])
        }
    }
}

/// Whether two results say the same but for the name that was asked for.
fn alike((asked, one): (&Value, &Value), (other_asked, other): (&Value, &Value)) -> bool {
    let Some((name, unknown)) = difference(asked, other_asked) else { return false };
    one.to_string().replace(&name, "…") == other.to_string().replace(&unknown, "…")
}
