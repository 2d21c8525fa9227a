//! F04 and F08: what the weaker persona may not do, it cannot do.

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::Seen;
use super::bracket::{begin, end};
use super::reading::{Exchange, control, labelled};
use crate::auth::ToolUse;
use crate::auth::answer::{Answer, Denial, messages};
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

/// A name that no tool has: how it is refused tells what "unknown" looks like here.
const UNKNOWN: &str = "rehearsal-no-such-tool";

/// The weaker persona makes the guarded call, and one of a tool that does not exist. Only where the refusal could as well
/// be one of the arguments does the good persona make the guarded call, too.
pub(super) fn stronger(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(guarded) = prober.facts().guarded.as_ref().map(ToolUse::params) else { return Ok(()) };
        let weak = prober.weaker().await?;
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let talk = prober.open("weaker", &weak).await;
        if let Some(session) = &talk.session {
            let _ = prober.list("weaker", session, &weak).await;
            let attempt = prober.call("attempt", session, &weak, guarded.clone()).await;
            let unknown = json!({"name": UNKNOWN, "arguments": {}});
            prober.call("unknown", session, &weak, unknown).await;
            if is_ambiguous(&attempt) {
                prober.call("control call", &between.session, &between.good, guarded).await;
            }
        }
        prober.close(talk.session, &weak).await;
        end(prober, between).await;
        Ok(())
    })
}

/// Whether a refusal may be about the arguments.
fn is_ambiguous(answer: &Answer) -> bool {
    match answer {
        Answer::Denied(Denial::Forbidden | Denial::Unauthorized) => false,
        Answer::Denied(_) => !answer.is_unavailable(),
        _ => false,
    }
}

pub(super) fn denied(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let one = |label: &'static str| labelled(transcript, label).next();
    let (Some(listed), Some(attempt)) = (one("weaker: tools/list"), one("attempt: tools/call")) else {
        return Seen::Inconclusive("the weaker persona itself was not let in".to_owned());
    };
    if !matches!(listed.answer(), Answer::Accepted(_)) {
        return Seen::Inconclusive(format!("the weaker persona itself got {}", listed.answer()));
    }
    let tool = tool_of(&attempt);
    let evidence = vec![attempt.seq];
    match attempt.answer() {
        Answer::Accepted(_) => Seen::Broken(format!("the weaker persona called `{tool}`"), evidence),
        answer if answer.is_unavailable() => Seen::Inconclusive(format!("the call got {answer}")),
        Answer::Denied(denial @ (Denial::Forbidden | Denial::Unauthorized)) => {
            Seen::Holds(format!("the weaker persona's call of `{tool}` got {denial}"), evidence)
        }
        Answer::Denied(denial) => match one("control call: tools/call") {
            Some(good) if matches!(good.answer(), Answer::Accepted(_)) => {
                let unknown = one("unknown: tools/call").is_some_and(|other| alike(&attempt, &other));
                let how = if unknown { ", as if there were no such tool" } else { "" };
                let text = format!("the weaker persona's call of `{tool}` got {denial}{how}");
                Seen::Holds(text, vec![attempt.seq, good.seq])
            }
            Some(good) => Seen::Inconclusive(format!(
                "the same call of `{tool}` got {denial} from the weaker persona and {} from the good one",
                good.answer()
            )),
            None => Seen::Inconclusive("the probe was not sent".to_owned()),
        },
        Answer::Broke(status) => Seen::Broken(
            format!("the weaker persona's call of `{tool}` broke the server: {status}"),
            evidence,
        ),
        other => Seen::Inconclusive(format!("the call got {other}")),
    }
}

/// The tool that a call names.
fn tool_of(exchange: &Exchange<'_>) -> String {
    let body = exchange.request.body.json().unwrap_or_default();
    body["params"]["name"].as_str().unwrap_or_default().to_owned()
}

/// Whether two calls were refused in the same words but for the tool's name.
fn alike(one: &Exchange<'_>, other: &Exchange<'_>) -> bool {
    let words = |exchange: &Exchange<'_>| {
        let message = messages(exchange.side()?).pop()?;
        let said = message.get("error").or(message.get("result"))?.to_string();
        Some(said.replace(&tool_of(exchange), "…"))
    };
    words(one).is_some() && words(one) == words(other)
}

/// Every request beside the guarded tool: first by the weaker persona, then by the good one.
pub(super) fn beside(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let weak = prober.weaker().await?;
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let talk = prober.converse("weaker", &weak).await;
        if let Some(session) = &talk.session {
            for (number, request) in prober.facts().guarded_requests.iter().enumerate() {
                let asked = || (request.method.as_str(), Value::Object(request.params.clone()));
                let _ = prober.rpc(&format!("attempt {number}"), session, asked(), &weak).await;
                let label = format!("control {number}");
                let _ = prober.rpc(&label, &between.session, asked(), &between.good).await;
            }
        }
        prober.close(talk.session, &weak).await;
        end(prober, between).await;
        Ok(())
    })
}

pub(super) fn also_denied(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let (mut told, mut seqs, mut open) = (vec![], vec![], None);
    for number in 0.. {
        let one = |who: &str| {
            labelled(transcript, "").find(|one| one.label.starts_with(&format!("{who} {number}: ")))
        };
        let (Some(attempt), Some(good)) = (one("attempt"), one("control")) else { break };
        let method = attempt.label.rsplit_once(": ").map_or("", |(_, method)| method).to_owned();
        match (passed(&attempt), passed(&good)) {
            (true, _) => {
                return Seen::Broken(
                    format!("the weaker persona got through with `{method}`"),
                    vec![attempt.seq],
                );
            }
            (false, true)
                if matches!(attempt.answer(), Answer::Denied(_)) && !attempt.answer().is_unavailable() =>
            {
                told.push(format!("`{method}` got {}", attempt.answer()));
            }
            (false, true) => open = open.or(Some(format!("`{method}` got {}", attempt.answer()))),
            (false, false) => {
                let text = format!("the good persona's own `{method}` got {}", good.answer());
                open = open.or(Some(text));
            }
        }
        seqs.push(attempt.seq);
    }
    match (open, seqs.is_empty()) {
        (Some(why), _) => Seen::Inconclusive(why),
        (None, true) => Seen::Inconclusive("the weaker persona itself was not let in".to_owned()),
        (None, false) => Seen::Holds(format!("from the weaker persona {}", told.join(", ")), seqs),
    }
}

/// Whether a request was served; a subscription is when its stream opens.
fn passed(exchange: &Exchange<'_>) -> bool {
    let stream = exchange.side().and_then(|side| side.header("content-type"));
    let opened = stream.is_some_and(|kind| kind.starts_with("text/event-stream"));
    match exchange.answer() {
        Answer::Accepted(_) => true,
        Answer::Odd(_) => opened && exchange.label.ends_with(": subscriptions/listen"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::imagined::{LISTED, Step, between, step};
    use super::*;

    const GUARDED: &str = r#"{"method":"tools/call","params":{"name":"purge"}}"#;
    const NONE: &str = r#"{"method":"tools/call","params":{"name":"rehearsal-no-such-tool"}}"#;
    const DONE: &str = r#"{"result":{"content":[]}}"#;
    const INVALID: &str = r#"{"error":{"code":-32602,"message":"invalid arguments"}}"#;

    fn judged(attempt: (&str, &str), unknown: &str, control: Option<&str>) -> String {
        let mut steps: Vec<Step<'_>> = vec![
            step("weaker: tools/list", "200", LISTED),
            step("attempt: tools/call", attempt.0, attempt.1).after(GUARDED),
            step("unknown: tools/call", "200", unknown).after(NONE),
        ];
        steps.extend(control.map(|body| step("control call: tools/call", "200", body).after(GUARDED)));
        between(denied, &steps)
    }

    #[test]
    fn a_refusal_counts_when_it_is_not_about_the_arguments() {
        let hidden = r#"{"result":{"isError":true,"content":[{"text":"Unknown tool purge"}]}}"#;
        let unknown =
            r#"{"result":{"isError":true,"content":[{"text":"Unknown tool rehearsal-no-such-tool"}]}}"#;
        assert_eq!(judged(("403", ""), unknown, None), "holds: the weaker persona's call of `purge` got 403");
        assert!(judged(("200", hidden), unknown, Some(DONE)).ends_with("as if there were no such tool"));
        assert!(judged(("200", INVALID), unknown, Some(DONE)).ends_with("got JSON-RPC error -32602"));
        assert!(judged(("200", INVALID), unknown, Some(INVALID)).starts_with("inconclusive"));
        assert!(judged(("200", INVALID), unknown, None).starts_with("inconclusive"));
        assert_eq!(judged(("200", DONE), unknown, None), "broken: the weaker persona called `purge`");
        assert!(judged(("500", ""), unknown, None).starts_with("broken"));
        assert!(judged(("429", ""), unknown, None).starts_with("inconclusive"));
    }

    #[test]
    fn a_weaker_persona_that_is_not_let_in_proves_nothing() {
        let steps =
            [step("weaker: tools/list", "401", ""), step("attempt: tools/call", "401", "").after(GUARDED)];
        assert!(between(denied, &steps).starts_with("inconclusive"));
    }

    #[test]
    fn requests_beside_the_tool_count_only_where_the_good_persona_gets_through() {
        let judged = |attempt: (&str, &str), control: (&str, &str)| {
            let steps = [
                step("attempt 0: resources/read", attempt.0, attempt.1),
                step("control 0: resources/read", control.0, control.1),
            ];
            between(also_denied, &steps)
        };
        assert_eq!(
            judged(("403", ""), ("200", DONE)),
            "holds: from the weaker persona `resources/read` got 403"
        );
        assert!(judged(("200", DONE), ("200", DONE)).starts_with("broken"));
        assert!(judged(("403", ""), ("404", "")).starts_with("inconclusive"));
        assert!(judged(("503", ""), ("200", DONE)).starts_with("inconclusive"));
        let stream =
            step("attempt 0: subscriptions/listen", "200", "").with("content-type", "text/event-stream");
        let opened = [stream, step("control 0: subscriptions/listen", "200", DONE)];
        assert!(between(also_denied, &opened).starts_with("broken"));
    }
}
