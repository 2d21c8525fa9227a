//! Group G, tasks: who did not begin a task cannot see, feed or cancel it.

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::pair::{leave, meet};
use super::reading::{Exchange, labelled};
use super::telling::{alike, both, method, names, one, result, unclear, unknown};
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::ToolUse;
use crate::auth::answer::Answer;
use crate::auth::prober::{Opened, Prober};
use crate::transcript::{Fault, HttpSide, Transcript};

const SECTION: &str = "tasks: security considerations";

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "G12", level: Level::Must, title: "a task is closed to everybody but who began it", section: SECTION,
        since: "2025-11-25", eras: Eras::Each, needs: &[Needs::TwoPersonas, Needs::Fact("task")], fix: "keep the user with every task, and compare it on every `tasks/` request",
        probe: task, examine: closed },
    AuthCheck { id: "G12.oracle", level: Level::Hygiene, title: "a refusal does not say that a task exists", section: SECTION,
        since: "2025-11-25", eras: Eras::Each, needs: &[Needs::TwoPersonas, Needs::Fact("task")], fix: "answer for tasks of others with -32602, as for those that do not exist",
        probe: task, examine: silent },
];

/// A call that may become a task, in the way of the session's revision.
fn as_task(call: &ToolUse, session: &Opened) -> Value {
    let mut params = call.params();
    match session.is_modern() {
        true => {
            let extensions = json!({"io.modelcontextprotocol/tasks": {}});
            params["_meta"] =
                json!({"io.modelcontextprotocol/clientCapabilities": {"extensions": extensions}});
        }
        false => params["task"] = json!({}),
    }
    params
}

/// The id of the task that an answer began.
fn begun(answer: &Result<HttpSide, String>) -> Option<String> {
    let Answer::Accepted(Some(result)) = Answer::of(answer) else { return None };
    ["/task/taskId", "/taskId"].iter().find_map(|at| result.pointer(at)?.as_str()).map(str::to_owned)
}

fn task(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(call) = &prober.facts().task else { return Ok(()) };
        let Some(pair) = meet(prober).await? else { return Ok(()) };
        let made = pair.she(prober, "hers made", ("tools/call", as_task(call, &pair.hers))).await;
        if let Some(id) = begun(&made) {
            let of = |id: &str| json!({"taskId": id});
            let _ = pair.she(prober, "hers before", ("tasks/get", of(&id))).await;
            let methods: &[&str] = match pair.his.is_modern() {
                true => &["tasks/get", "tasks/update", "tasks/cancel"],
                false => &["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"],
            };
            for method in methods {
                let params = |id: &str| match *method {
                    "tasks/list" => json!({}),
                    "tasks/update" => json!({"taskId": id, "inputResponses": {}}),
                    _ => of(id),
                };
                let _ = pair.he(prober, "attempt", (method, params(&id))).await;
                if *method != "tasks/list" {
                    let _ = pair.he(prober, "unknown", (method, params(&unknown(&id)))).await;
                }
            }
            let _ = pair.she(prober, "hers after", ("tasks/get", of(&id))).await;
            let _ = pair.she(prober, "end", ("tasks/cancel", of(&id))).await;
        }
        leave(prober, pair).await;
        Ok(())
    })
}

/// The attempts, each with the same request for an unknown id; or why there are none.
fn attempts(transcript: &Transcript) -> Result<Vec<(Exchange<'_>, Option<Exchange<'_>>)>, Seen> {
    both(transcript)?;
    let Some(made) = one(transcript, "hers made") else {
        return Err(Seen::Inconclusive("the probe was not sent".to_owned()));
    };
    let Some(before) = one(transcript, "hers before") else {
        return Err(match made.answer() {
            Answer::Accepted(_) => {
                Seen::DoesNotApply("the call of `auth_checks.facts.task` began no task".to_owned())
            }
            other => Seen::Inconclusive(format!("the call of `auth_checks.facts.task` got {other}")),
        });
    };
    if !matches!(before.answer(), Answer::Accepted(_)) {
        return Err(Seen::Inconclusive(format!("who began the task got {} for it", before.answer())));
    }
    let unknown = |attempt: &Exchange<'_>| {
        labelled(transcript, "unknown: ").find(|other| method(other) == method(attempt))
    };
    let all: Vec<_> = labelled(transcript, "attempt: ").map(|one| (one, unknown(&one))).collect();
    for (attempt, _) in &all {
        let clear = matches!(attempt.answer(), Answer::Accepted(_) | Answer::Denied(_));
        if !clear || attempt.answer().is_unavailable() {
            return Err(unclear(attempt));
        }
    }
    Ok(all)
}

fn closed(transcript: &Transcript) -> Seen {
    let all = match attempts(transcript) {
        Ok(all) => all,
        Err(seen) => return seen,
    };
    let id = one(transcript, "hers made").and_then(|made| begun(made.response)).unwrap_or_default();
    let mut seqs = vec![];
    for (attempt, unknown) in &all {
        seqs.push(attempt.seq);
        let listed = result(attempt).is_some_and(|result| names(&result).contains(&id));
        let open = match method(attempt) {
            "tasks/list" => listed,
            _ => {
                matches!(attempt.answer(), Answer::Accepted(_))
                    && !unknown.as_ref().is_some_and(|unknown| alike(attempt, unknown))
            }
        };
        if open {
            let text =
                format!("`{}` of the first persona's task was answered for the second", method(attempt));
            return Seen::Broken(text, vec![attempt.seq]);
        }
    }
    let status = |label: &str| {
        let result = one(transcript, label).and_then(|exchange| result(&exchange))?;
        Some(result.get("status")?.as_str()?.to_owned())
    };
    let Some(after) = one(transcript, "hers after") else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    match (status("hers before"), status("hers after")) {
        (before, Some(after)) if after == "cancelled" && before.as_deref() != Some("cancelled") => {
            Seen::Broken("the second persona cancelled the task of the first".to_owned(), seqs)
        }
        (_, Some(_)) => Seen::Holds("the task of another persona was refused".to_owned(), seqs),
        (_, None) => Seen::Inconclusive(format!("afterwards who began the task got {}", after.answer())),
    }
}

fn silent(transcript: &Transcript) -> Seen {
    let all = match attempts(transcript) {
        Ok(all) => all,
        Err(seen) => return seen,
    };
    let mut seqs = vec![];
    for (attempt, unknown) in &all {
        let Some(unknown) = unknown else { continue };
        seqs.extend([attempt.seq, unknown.seq]);
        if matches!(attempt.answer(), Answer::Denied(_)) && !alike(attempt, unknown) {
            let text = format!(
                "`{}` refuses the task of another persona in other words than an unknown one",
                method(attempt)
            );
            return Seen::Broken(text, vec![attempt.seq, unknown.seq]);
        }
    }
    Seen::Holds("the task of another persona and an unknown one are answered alike".to_owned(), seqs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::checks::records::record;

    fn tried(attempt: Value, after: &str) -> Transcript {
        let task = |status: &str| json!({"result": {"taskId": "t1", "status": status}});
        let of = |id: &str| json!({"taskId": id});
        record(&[
            ("hers made: tools/call", json!({}), "200", json!({"result": {"task": {"taskId": "t1"}}})),
            ("hers before: tasks/get", of("t1"), "200", task("working")),
            ("attempt: tasks/cancel", of("t1"), "200", attempt),
            (
                "unknown: tasks/cancel",
                of("a8"),
                "200",
                json!({"error": {"code": -32602, "message": "no a8"}}),
            ),
            ("hers after: tasks/get", of("t1"), "200", task(after)),
        ])
    }

    #[test]
    fn a_refusal_that_cancels_all_the_same_is_no_refusal() {
        let refusal = || json!({"error": {"code": -32602, "message": "no t1"}});
        assert!(matches!(closed(&tried(refusal(), "working")), Seen::Holds(..)));
        let text = "the second persona cancelled the task of the first";
        assert!(matches!(closed(&tried(refusal(), "cancelled")), Seen::Broken(why, _) if why == text));
        assert!(matches!(closed(&tried(json!({"result": {}}), "working")), Seen::Broken(..)));
        assert!(matches!(silent(&tried(refusal(), "working")), Seen::Holds(..)));
        let other = json!({"error": {"code": -32600, "message": "t1 is not yours"}});
        assert!(matches!(silent(&tried(other, "working")), Seen::Broken(..)));
    }
}
