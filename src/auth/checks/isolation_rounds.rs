//! Group G, multi round trips: the state that a tool sends along with its question serves who was asked, for what was
//! asked, unchanged and once.

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::pair::{Pair, alone, leave, meet};
use super::reading::{Exchange, labelled};
use super::scope::plain_arguments;
use super::telling::{both, named, one, result};
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::answer::Answer;
use crate::auth::prober::Prober;
use crate::auth::{AskFact, ToolUse};
use crate::transcript::{Fault, HttpSide, Transcript};

const SECTION: &str = "basic/multi-round-trip: server requirements";

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "G05", level: Level::Must, title: "the state of one user's request does not serve another", section: SECTION,
        since: "2026-07-28", eras: Eras::Modern, needs: &[Needs::TwoPersonas, Needs::Fact("ask")], fix: "seal the user into `requestState`, and compare it with the token of the answer",
        probe: stolen, examine: |t| none_completes(t, "the state of another persona's request") },
    AuthCheck { id: "G06", level: Level::Must, title: "a changed state is refused", section: SECTION,
        since: "2026-07-28", eras: Eras::Modern, needs: &[Needs::GoodToken, Needs::Fact("ask")], fix: "sign `requestState` (HMAC, AEAD) and verify it before you read it",
        probe: tampered, examine: |t| none_completes(t, "a changed state") },
    AuthCheck { id: "G07", level: Level::Should, title: "a state serves only the request it was made for", section: SECTION,
        since: "2026-07-28", eras: Eras::Modern, needs: &[Needs::GoodToken, Needs::Fact("ask.elsewhere")], fix: "seal the tool and its arguments into `requestState`, and compare them",
        probe: moved, examine: |t| none_completes(t, "the state of another request") },
    AuthCheck { id: "G08", level: Level::Must, title: "a state is good for one answer", section: SECTION,
        since: "2026-07-28", eras: Eras::Modern, needs: &[Needs::GoodToken, Needs::Fact("ask.effect")], fix: "remember which states were answered until they expire",
        probe: repeated, examine: once },
];

/// The capability without which a server may not ask.
fn with_capability(call: &ToolUse) -> Value {
    let mut params = call.params();
    params["_meta"] =
        json!({"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}, "url": {}}}});
    params
}

/// A tool asked.
struct Round {
    state: String,
    answers: Value,
}

/// The answer to a question: `None` where it is of a kind that cannot be answered here.
fn answer(fact: &AskFact, question: &Value) -> Option<Value> {
    if question.get("method")?.as_str()? != "elicitation/create" {
        return None;
    }
    let schema = question.pointer("/params/requestedSchema");
    let content = match (schema, fact.answer.is_empty()) {
        (None, _) => return Some(json!({"action": "accept"})),
        (Some(_), false) => fact.answer.clone(),
        (Some(schema), true) => {
            let mut content = plain_arguments(schema)?;
            // A question is answered with yes.
            content.values_mut().filter(|value| value.is_boolean()).for_each(|value| *value = json!(true));
            content
        }
    };
    Some(json!({"action": "accept", "content": content}))
}

/// The state and the answers of a question; `None` where none was asked, or none that can be answered.
fn round(fact: &AskFact, response: &Result<HttpSide, String>) -> Option<Round> {
    let Answer::Accepted(Some(result)) = Answer::of(response) else { return None };
    let state = result.get("requestState")?.as_str()?.to_owned();
    let none = Map::new();
    let questions = result.get("inputRequests").and_then(Value::as_object).unwrap_or(&none);
    let answers: Option<Map<String, Value>> =
        questions.iter().map(|(key, question)| Some((key.clone(), answer(fact, question)?))).collect();
    Some(Round { state, answers: Value::Object(answers?) })
}

fn retried(call: &ToolUse, state: &str, answers: &Value) -> Value {
    let mut params = with_capability(call);
    params["requestState"] = json!(state);
    params["inputResponses"] = answers.clone();
    params
}

/// The first persona makes the call and is asked.
async fn asked(prober: &Prober, pair: &Pair, label: &str, call: &ToolUse) -> Option<Round> {
    let fact = prober.facts().ask.as_ref()?;
    round(fact, &pair.she(prober, label, ("tools/call", with_capability(call))).await)
}

/// The first persona is asked and answers: the control.
async fn done(prober: &Prober, pair: &Pair, call: &ToolUse) {
    if let Some(round) = asked(prober, pair, "hers asked", call).await {
        let params = retried(call, &round.state, &round.answers);
        let _ = pair.she(prober, "hers done", ("tools/call", params)).await;
    }
}

fn stolen(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(fact) = &prober.facts().ask else { return Ok(()) };
        let Some(pair) = meet(prober).await? else { return Ok(()) };
        if let Some(round) = asked(prober, &pair, "hers stolen", &fact.call).await {
            let params = retried(&fact.call, &round.state, &round.answers);
            let _ = pair.he(prober, "attempt", ("tools/call", params)).await;
        }
        done(prober, &pair, &fact.call).await;
        leave(prober, pair).await;
        Ok(())
    })
}

fn tampered(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(fact) = &prober.facts().ask else { return Ok(()) };
        let Some(pair) = alone(prober).await? else { return Ok(()) };
        for name in ["early", "late", "cut", "empty"] {
            let Some(round) = asked(prober, &pair, &format!("hers {name}"), &fact.call).await else { break };
            let state = round.state;
            let changed = match name {
                "early" => flipped(&state, 1, 4),
                "late" => flipped(&state, 3, 4),
                "cut" => state.chars().take(state.chars().count() / 2).collect(),
                _ => String::new(),
            };
            let params = retried(&fact.call, &changed, &round.answers);
            let _ = pair.she(prober, &format!("attempt {name}"), ("tools/call", params)).await;
        }
        done(prober, &pair, &fact.call).await;
        leave(prober, pair).await;
        Ok(())
    })
}

/// The state with another character at a fraction of its length. Not at its end, where an encoding may have bits to
/// spare.
fn flipped(state: &str, part: usize, of: usize) -> String {
    let place = state.chars().count() * part / of;
    let other = |c: char| if c == 'A' { 'B' } else { 'A' };
    state.chars().enumerate().map(|(at, c)| if at == place { other(c) } else { c }).collect()
}

fn moved(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(fact) = &prober.facts().ask else { return Ok(()) };
        let Some(pair) = alone(prober).await? else { return Ok(()) };
        for (number, call) in fact.elsewhere.iter().enumerate() {
            let name = |what: &str| format!("{what} {}", number + 1);
            let here = asked(prober, &pair, &name("hers"), &fact.call).await;
            let there = asked(prober, &pair, &name("hers elsewhere"), call).await;
            if let (Some(here), Some(there)) = (here, there) {
                let params = retried(call, &here.state, &there.answers);
                let _ = pair.she(prober, &name("attempt"), ("tools/call", params)).await;
            }
            done(prober, &pair, call).await;
        }
        leave(prober, pair).await;
        Ok(())
    })
}

fn repeated(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(fact) = &prober.facts().ask else { return Ok(()) };
        let Some(effect) = &fact.effect else { return Ok(()) };
        let Some(pair) = alone(prober).await? else { return Ok(()) };
        let look = |label: &'static str| pair.she(prober, label, ("tools/call", effect.params()));
        let _ = look("effect before").await;
        if let Some(round) = asked(prober, &pair, "hers asked", &fact.call).await {
            let params = retried(&fact.call, &round.state, &round.answers);
            let _ = pair.she(prober, "hers done", ("tools/call", params.clone())).await;
            let _ = look("effect once").await;
            let _ = pair.she(prober, "attempt", ("tools/call", params)).await;
            let _ = look("effect twice").await;
        }
        leave(prober, pair).await;
        Ok(())
    })
}

/// What became of an answer.
enum Turn {
    /// The tool did it.
    Completed,
    /// It asked again.
    Asked,
    /// It refused.
    Refused,
    /// Nobody knows.
    Unclear(Answer),
}

fn turn(exchange: &Exchange<'_>) -> Turn {
    match exchange.answer() {
        answer if answer.is_unavailable() => Turn::Unclear(answer),
        Answer::Accepted(Some(result)) if result["resultType"] == "input_required" => Turn::Asked,
        Answer::Accepted(_) => Turn::Completed,
        Answer::Denied(_) => Turn::Refused,
        other => Turn::Unclear(other),
    }
}

/// Whether the control completed, and the attempts; or why the record tells nothing.
fn attempts(transcript: &Transcript) -> Result<Vec<Exchange<'_>>, Seen> {
    both(transcript)?;
    let Some(question) = labelled(transcript, "hers ").next() else {
        return Err(Seen::Inconclusive("the probe was not sent".to_owned()));
    };
    let asks = |exchange: &Exchange<'_>| {
        result(exchange).is_some_and(|result| result["resultType"] == "input_required")
    };
    if !asks(&question) {
        let answer = question.answer();
        return Err(Seen::Inconclusive(format!(
            "the tool of `auth_checks.facts.ask` does not ask; it gave {answer}"
        )));
    }
    if result(&question).is_some_and(|result| result.get("requestState").is_none()) {
        return Err(Seen::DoesNotApply("the tool asks without a `requestState`".to_owned()));
    }
    for done in labelled(transcript, "hers done") {
        if !matches!(turn(&done), Turn::Completed) {
            let text = format!("the unchanged state of the first persona itself got {}", done.answer());
            return Err(Seen::Inconclusive(text));
        }
    }
    if one(transcript, "hers done").is_none() {
        return Err(Seen::Inconclusive("the question could not be answered".to_owned()));
    }
    Ok(labelled(transcript, "attempt").collect())
}

fn none_completes(transcript: &Transcript, what: &str) -> Seen {
    let attempts = match attempts(transcript) {
        Ok(attempts) if attempts.is_empty() => {
            return Seen::Inconclusive("the probe was not sent".to_owned());
        }
        Ok(attempts) => attempts,
        Err(seen) => return seen,
    };
    let mut seqs = vec![];
    let mut asked = false;
    for exchange in &attempts {
        match turn(exchange) {
            Turn::Completed => {
                let detail = named(exchange).strip_prefix("attempt").unwrap_or_default();
                let detail = if detail.is_empty() { String::new() } else { format!(" ({})", detail.trim()) };
                return Seen::Broken(format!("{what} completed the call{detail}"), vec![exchange.seq]);
            }
            Turn::Unclear(answer) => return Seen::Inconclusive(format!("{what} got {answer}")),
            Turn::Asked => asked = true,
            Turn::Refused => {}
        }
        seqs.push(exchange.seq);
    }
    let how = if asked { "did not complete the call" } else { "was refused" };
    Seen::Holds(format!("{what} {how}"), seqs)
}

fn once(transcript: &Transcript) -> Seen {
    if let Err(seen) = attempts(transcript) {
        return seen;
    }
    let effect =
        |label: &str| one(transcript, label).and_then(|exchange| Some((exchange.seq, result(&exchange)?)));
    let effects = (effect("effect before"), effect("effect once"), effect("effect twice"));
    let (Some((_, before)), Some((second, once)), Some((third, twice))) = effects else {
        return Seen::Inconclusive("the call of `auth_checks.facts.ask.effect` was not answered".to_owned());
    };
    let evidence = vec![second, third];
    match (before == once, once == twice) {
        (true, _) => {
            let text =
                "the call of `auth_checks.facts.ask.effect` does not show the effect of the first answer";
            Seen::Inconclusive(text.to_owned())
        }
        (false, true) => Seen::Holds("the same answer twice had one effect".to_owned(), evidence),
        (false, false) => Seen::Broken("the same answer twice had two effects".to_owned(), evidence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_character_is_flipped() {
        assert_eq!(flipped("abcdefgh", 1, 4), "abAdefgh");
        assert_eq!(flipped("AAAA", 3, 4), "AAAB");
        assert_eq!(flipped("", 1, 4), "");
    }

    #[test]
    fn questions_are_answered_with_yes() {
        let fact: AskFact = serde_json::from_value(json!({"call": {"tool": "t"}})).unwrap();
        let schema = json!({"properties": {"a": {"type": "boolean"}, "b": {"type": "string"}}, "required": ["a", "b"]});
        let question = json!({"method": "elicitation/create", "params": {"requestedSchema": schema}});
        let given = json!({"action": "accept", "content": {"a": true, "b": "a"}});
        assert_eq!(answer(&fact, &question), Some(given));
        let url =
            json!({"method": "elicitation/create", "params": {"mode": "url", "url": "https://x.example"}});
        assert_eq!(answer(&fact, &url), Some(json!({"action": "accept"})));
        assert_eq!(answer(&fact, &json!({"method": "sampling/createMessage"})), None);
    }
}
