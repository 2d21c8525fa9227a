//! H04, H05 and H06: what the headers say, what the body says, and what the body says twice.

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::Seen;
use super::bracket::{Between, Written, begin, changed, end, post, written};
use super::reading::{Exchange, control, labelled};
use super::ruling::{Ruling, WITH, each, error_code, sent};
use crate::auth::ToolUse;
use crate::auth::answer::{Answer, Denial};
use crate::auth::prober::Prober;
use crate::mcp::mirror;
use crate::transcript::{Fault, HttpSide, Transcript};

/// A name that no tool has.
const OTHER: &str = "rehearsal-other-tool";
/// `HeaderMismatch` (2026-07-28).
const MISMATCH: i64 = -32020;
/// What a server that looks at the version first may say as well.
const VERSION: &str = "another `MCP-Protocol-Version`";

/// Headers that contradict the body, one at a time; the body is harmless. Where the suite names a guarded call and a
/// weaker persona, that one tries to pass it off as something else.
pub(super) fn envelope(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let (method, params) = between.showing(prober).await;
        let asked = || written(prober, &between.session, (method, params.clone()));
        let mut attempts: Vec<(&str, Written)> = vec![];
        if let Some(name) = params["name"].as_str() {
            attempts.push(("another `Mcp-Name`", changed(asked(), "mcp-name", Some(OTHER))));
            attempts.push(("no `Mcp-Name`", changed(asked(), "mcp-name", None)));
            let (mut headers, body) = changed(asked(), "mcp-name", None);
            headers.push(("mcp_name".to_owned(), name.to_owned()));
            attempts.push(("`Mcp_Name` in place of `Mcp-Name`", (headers, body)));
        }
        attempts.push(("another `Mcp-Method`", changed(asked(), "mcp-method", Some("prompts/list"))));
        attempts.push(("no `Mcp-Method`", changed(asked(), "mcp-method", None)));
        attempts.push((VERSION, changed(asked(), "mcp-protocol-version", Some("2025-11-25"))));
        for (what, request) in attempts {
            let _ = post(prober, &format!("{WITH}{what}: {method}"), request, &between.good).await;
        }
        passed_off(prober, &between).await?;
        end(prober, between).await;
        Ok(())
    })
}

/// The guarded call of the weaker persona under the name of a harmless one.
async fn passed_off(prober: &Prober, between: &Between) -> Result<(), Fault> {
    let Some(guarded) = prober.facts().guarded.as_ref().filter(|_| prober.has_weaker()) else {
        return Ok(());
    };
    let weak = prober.weaker().await?;
    let request = written(prober, &between.session, ("tools/call", guarded.params()));
    let harmless = between.harmless(prober);
    let name = harmless.as_ref().and_then(|params| params["name"].as_str()).unwrap_or(OTHER);
    let label = format!("{WITH}a stronger tool under a harmless `Mcp-Name`, by a weaker persona: tools/call");
    let _ = post(prober, &label, changed(request, "mcp-name", Some(name)), &weak).await;
    Ok(())
}

pub(super) fn header_mismatch(exchange: &Exchange<'_>) -> Ruling {
    let code = exchange.side().and_then(error_code);
    match exchange.answer() {
        other if other.is_unavailable() => Ruling::Open,
        Answer::Accepted(_) => Ruling::Bad("was accepted".to_owned()),
        Answer::Denied(Denial::Status(400)) if code == Some(MISMATCH) => Ruling::Fine,
        Answer::Denied(Denial::Status(400)) if sent(exchange) == VERSION => Ruling::Fine,
        other => {
            let code = code.map_or(String::new(), |code| format!(" and {code}"));
            let code = if other.to_string().contains("JSON-RPC") { String::new() } else { code };
            Ruling::Bad(format!("got {other}{code} instead of 400 and {MISMATCH}"))
        }
    }
}

/// A call whose headers repeat its arguments, and the headers.
struct Repeating {
    params: Value,
    headers: Vec<(String, String)>,
}

/// The first tool with such headers that may be called: the harmless one of the suite, or one that only reads.
fn repeating(prober: &Prober, between: &Between) -> Option<Repeating> {
    let tools = between.list.as_ref()?.get("tools")?.as_array()?;
    tools.iter().find_map(|tool| {
        let annotations = mirror::annotations(tool.get("inputSchema")?).ok()?;
        let named = prober.facts().harmless.as_ref().filter(|harmless| tool["name"] == *harmless.tool);
        let params = match named.map(ToolUse::params) {
            Some(params) => params,
            None => super::scope::harmless_call(&json!({"tools": [tool]}))?,
        };
        let headers = mirror::headers(&annotations, &params["arguments"]);
        (!headers.is_empty()).then_some(Repeating { params, headers })
    })
}

pub(super) fn parameters(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(between) = begin(prober).await? else { return Ok(()) };
        if let Some(Repeating { params, headers }) = repeating(prober, &between) {
            let asked = || {
                let (mut all, body) = written(prober, &between.session, ("tools/call", params.clone()));
                all.extend(headers.clone());
                (all, body)
            };
            let _ = post(prober, "control call: tools/call", asked(), &between.good).await;
            let name = headers[0].0.clone();
            let other = mirror::encoded("rehearsal-öther");
            for (what, value) in [
                (format!("another `{name}`"), Some("rehearsal-other")),
                (format!("another `{name}` in base64"), Some(other.as_str())),
                (format!("no `{name}`"), None),
            ] {
                let request = changed(asked(), &name, value);
                let _ = post(prober, &format!("{WITH}{what}: tools/call"), request, &between.good).await;
            }
        }
        end(prober, between).await;
        Ok(())
    })
}

pub(super) fn renamed(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    match labelled(transcript, "control call").next() {
        None => {
            Seen::DoesNotApply("no tool that may be called has an argument with `x-mcp-header`".to_owned())
        }
        Some(good) => match good.answer() {
            Answer::Accepted(_) => each(transcript, header_mismatch),
            other => Seen::Inconclusive(format!("the same call with the right headers got {other}")),
        },
    }
}

const UNKNOWN_FIRST: &str = "with an unknown name and then a known one";
const KNOWN_FIRST: &str = "with a known name and then an unknown one";

/// The tool's name twice, or the method where nothing may be called. The header names what is known.
pub(super) fn doubled_key(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let (method, params) = between.showing(prober).await;
        let (key, known) = match params["name"].as_str() {
            Some(name) => ("name", name),
            None => ("method", method),
        };
        let known = format!("\"{key}\":{}", Value::from(known));
        let unknown = format!("\"{key}\":{}", Value::from(OTHER));
        for (label, pair) in [(UNKNOWN_FIRST, [&unknown, &known]), (KNOWN_FIRST, [&known, &unknown])] {
            let (headers, body) = written(prober, &between.session, (method, params.clone()));
            let body = body.replacen(&known, &format!("{},{}", pair[0], pair[1]), 1);
            let _ = post(prober, &format!("{label}: {method}"), (headers, body), &between.good).await;
        }
        end(prober, between).await;
        Ok(())
    })
}

pub(super) fn last_wins(transcript: &Transcript) -> Seen {
    let taken =
        |start| labelled(transcript, start).next().filter(|one| matches!(one.answer(), Answer::Accepted(_)));
    let (last, first) = (taken(UNKNOWN_FIRST), taken(KNOWN_FIRST));
    let Err(seen) = control(transcript) else {
        return match (first, last) {
            (Some(one), Some(_)) => Seen::Broken("of two names the known one wins".to_owned(), vec![one.seq]),
            (Some(one), None) => Seen::Broken("the first of two names wins".to_owned(), vec![one.seq]),
            (None, Some(one)) => Seen::Broken("the last of two names wins".to_owned(), vec![one.seq]),
            (None, None) => each(transcript, turned_down),
        };
    };
    seen
}

fn turned_down(exchange: &Exchange<'_>) -> Ruling {
    match exchange.answer() {
        other if other.is_unavailable() => Ruling::Open,
        Answer::Denied(_) => Ruling::Fine,
        other => Ruling::Bad(format!("got {other}")),
    }
}

/// Whether an answer has anything of a result in it.
pub(super) fn has_result(side: &HttpSide) -> bool {
    side.body.to_text().contains("\"result\"")
}

#[cfg(test)]
mod tests {
    use super::super::imagined::{LISTED, between, step};
    use super::*;

    #[test]
    fn a_contradiction_is_refused_by_its_own_code() {
        let judged = |what: &str, status: &str, body: &str| {
            let label = format!("{WITH}{what}: tools/call");
            between(|t| each(t, header_mismatch), &[step(&label, status, body)])
        };
        let error = |code: i64| format!(r#"{{"error":{{"code":{code}}}}}"#);
        let name = "another `Mcp-Name`";
        assert_eq!(judged(name, "400", &error(-32020)), "holds: another `Mcp-Name` got 400 and -32020");
        assert!(judged(name, "400", &error(-32001)).starts_with("broken"), "a code of release candidates");
        assert!(judged(name, "200", &error(-32020)).starts_with("broken"));
        assert!(judged(name, "200", LISTED).starts_with("broken: another `Mcp-Name` was accepted"));
        assert!(judged(name, "429", "").starts_with("inconclusive"));
        assert!(judged(VERSION, "400", &error(-32022)).starts_with("holds"));
        assert!(judged(VERSION, "200", LISTED).starts_with("broken"));
    }

    #[test]
    fn parameters_are_looked_at_where_the_right_ones_are_accepted() {
        let wrong = step("with no `Mcp-Param-A`: tools/call", "400", r#"{"error":{"code":-32020}}"#);
        let good =
            |status| step("control call: tools/call", status, if status == "200" { LISTED } else { "" });
        assert!(between(renamed, &[good("200"), wrong]).starts_with("holds"));
        assert!(between(renamed, &[good("400"), wrong]).starts_with("inconclusive"));
        assert!(between(renamed, &[]).starts_with("does not apply"));
    }

    #[test]
    fn of_two_names_none_may_win() {
        let judged = |unknown_first: &str, known_first: &str| {
            let body = |status: &str| if status == "200" { LISTED } else { "" };
            let (one, two) = (format!("{UNKNOWN_FIRST}: tools/call"), format!("{KNOWN_FIRST}: tools/call"));
            let steps =
                [step(&one, unknown_first, body(unknown_first)), step(&two, known_first, body(known_first))];
            between(last_wins, &steps)
        };
        assert_eq!(judged("200", "400"), "broken: the last of two names wins");
        assert_eq!(judged("400", "200"), "broken: the first of two names wins");
        assert!(judged("400", "400").starts_with("holds"));
        assert!(judged("400", "429").starts_with("inconclusive"));
        assert!(judged("500", "400").starts_with("broken"));
    }
}
