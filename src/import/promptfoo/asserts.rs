//! Assertions: each type to checks or criteria.

use serde_json::{Value, json};

use super::super::draft::{Case, Mapped, Wish};
use super::super::expect;
use super::super::node::Node;
use super::filled;
use super::vars::Vars;

/// What an assertion is read with: variables, and `assertionTemplates`.
type With<'a> = (&'a Vars, Option<&'a Node>);

/// Takes an assertion, and those inside it.
pub(in super::super) fn take(node: &Node, with: With<'_>, case: &mut Case) {
    if node.text_at("type") == Some("assert-set") {
        set(node, with, case);
    } else {
        let (part, wishes) = one(node, with);
        case.take(part, wishes);
    }
}

/// A set: all of it must hold, or with a low threshold one of it.
fn set(node: &Node, with: With<'_>, case: &mut Case) {
    let inner = node.list_at("assert");
    let threshold = node.get("threshold").and_then(Node::number).unwrap_or(1.0);
    let part = Mapped::new("assert-set", &node.at, format!("threshold {threshold}"));
    if threshold >= 1.0 {
        case.told(Mapped::new("assert-set", &node.at, "").exact("its expectations"));
        inner.iter().for_each(|assert| take(assert, with, case));
        return;
    }
    let read: Vec<(Mapped, Vec<Wish>)> = inner.iter().map(|assert| one(assert, with)).collect();
    let checks: Option<Vec<Value>> = read.iter().map(|(_, wishes)| together(wishes)).collect();
    let one_is_enough = threshold > 0.0 && threshold * inner.len() as f64 <= 1.0 + 1e-9;
    match checks.filter(|checks| one_is_enough && checks.len() > 1) {
        Some(checks) => {
            case.check(part.exact("any_of"), expect::any(checks));
            // They stand inside of it.
            read.into_iter().for_each(|(part, _)| case.told(part));
        }
        None => {
            case.told(part.lost("a share of expectations cannot be demanded; say which of them must hold"));
            read.into_iter()
                .for_each(|(part, _)| case.told(part.lost("it is part of a set with a threshold")));
        }
    }
}

/// What one assertion became as a check, if it is checks only.
fn together(wishes: &[Wish]) -> Option<Value> {
    let checks: Vec<Value> = wishes
        .iter()
        .map(|wish| match wish {
            Wish::Check(check) => Some(check.clone()),
            Wish::Criterion(_) => None,
        })
        .collect::<Option<_>>()?;
    (!checks.is_empty()).then(|| expect::all(checks))
}

/// An assertion that holds no others.
fn one(node: &Node, (vars, templates): With<'_>) -> (Mapped, Vec<Wish>) {
    let mut body = node;
    if let Some(name) = node.text_at("$ref") {
        let name = name.rsplit('/').next().unwrap_or_default();
        match templates.and_then(|templates| templates.get(name)) {
            Some(found) => body = found,
            None => return (Mapped::new("$ref", &node.at, name).lost("there is no such template"), vec![]),
        }
    }
    let written = body.text_at("type").unwrap_or_default();
    let (kind, negated) = match written.strip_prefix("not-") {
        Some(kind) => (kind, true),
        None => (written, false),
    };
    let value = body.get("value").map(Node::value).unwrap_or_default();
    let shown = match &value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let part = Mapped::new(written, &node.at, &shown);
    let number = |key: &str| body.get(key).and_then(Node::number);
    if number("weight") == Some(0.0) {
        return (part.lost("it weighs nothing in the source and decides nothing"), vec![]);
    }
    if body.get("transform").is_some() {
        return (part.lost("it looks at the answer through a program"), vec![]);
    }
    let value = match filled(&value, vars) {
        Ok(value) => value,
        Err(why) => return (part.lost(why), vec![]),
    };
    if value.as_str().is_some_and(|text| text.starts_with("file://")) {
        return (part.lost("write out what is in the file"), vec![]);
    }
    let found = read(kind, &value, number("threshold"), negated);
    let weighs = number("weight").is_some_and(|weight| weight != 1.0);
    match found {
        Err(why) => (part.lost(why), vec![]),
        Ok(Found { wishes, why, became }) => {
            let weight = if weighs { "its weight is lost: every expectation must hold" } else { "" };
            let why: Vec<&str> = [why.as_str(), weight].into_iter().filter(|why| !why.is_empty()).collect();
            let part = if why.is_empty() { part.exact(became) } else { part.near(became, why.join("; ")) };
            (part, wishes)
        }
    }
}

/// What an assertion became.
struct Found {
    wishes: Vec<Wish>,
    became: String,
    /// What differs; empty when nothing does.
    why: String,
}

impl Found {
    fn near(self, why: &str) -> Self {
        Self { why: why.to_owned(), ..self }
    }
}

fn checks(checks: Vec<Value>, negated: bool) -> Found {
    let checks: Vec<Value> = if negated { checks.iter().map(expect::not).collect() } else { checks };
    let mut names: Vec<String> = checks.iter().map(expect::name).collect();
    names.dedup();
    Found {
        became: names.join(", "),
        wishes: checks.into_iter().map(Wish::Check).collect(),
        why: String::new(),
    }
}

fn criterion(says: &str, reference: Option<&str>, negated: bool) -> Found {
    let mut map = serde_json::Map::new();
    map.insert(if negated { "must_not" } else { "must" }.to_owned(), json!(says));
    map.extend(reference.map(|reference| ("reference".to_owned(), json!(reference))));
    Found { wishes: vec![Wish::Criterion(map.into())], became: "criteria".to_owned(), why: JUDGED.to_owned() }
}

const JUDGED: &str = "the judge of the suite says yes or no; prompt and score of the source are lost";

/// A type with its value.
fn read(kind: &str, value: &Value, threshold: Option<f64>, negated: bool) -> Result<Found, String> {
    let text = || words(value).filter(|text| !text.is_empty()).ok_or("it has no value".to_owned());
    let check = |check: Value| checks(vec![check], negated);
    Ok(match kind {
        "equals" if value.is_object() || value.is_array() => {
            let exact = json!({"answer_json": {"equals": expect::exactly(value)}});
            check(exact).near("JSON inside of other text counts as well")
        }
        "equals" => check(expect::is(&text()?)),
        "contains" => check(expect::contains(&[text()?], false, true)),
        "icontains" => check(expect::contains(&[text()?], false, false)),
        "contains-all" => check(expect::contains(&texts(value), false, true)),
        "icontains-all" => check(expect::contains(&texts(value), false, false)),
        "contains-any" => check(expect::contains(&texts(value), true, true)),
        "icontains-any" => check(expect::contains(&texts(value), true, false)),
        "starts-with" => check(expect::begins(&text()?)),
        "regex" => check(expect::matches(&text()?)),
        "is-json" | "contains-json" => {
            let schema = if value.is_object() { json!({"schema": value}) } else { json!(true) };
            let found = check(json!({"answer_json": schema}));
            if kind == "is-json" { found.near("JSON inside of other text counts as well") } else { found }
        }
        "latency" => {
            let ms = threshold.filter(|ms| *ms >= 1.0 && *ms < 1e9).ok_or("it has no threshold")?;
            check(json!({"latency": format!("{}ms", ms as u64)}))
                .near("it is the time of the whole trial, with its tool calls")
        }
        "cost" => {
            let most = threshold.ok_or("it has no threshold and only measures")?;
            check(json!({"cost": most})).near("it is the cost of the whole trial, with its tool calls")
        }
        "llm-rubric" | "g-eval" | "model-graded-closedqa" => {
            let says = match value {
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
                _ => text()?,
            };
            criterion(&says, None, negated)
        }
        "factuality" | "model-graded-factuality" => criterion(
            "The answer agrees with the facts of the reference and contradicts none.",
            Some(&text()?),
            negated,
        ),
        "similar" => criterion("The answer says the same as the reference.", Some(&text()?), negated),
        "answer-relevance" => {
            criterion("The answer is about the question that the user asked.", None, negated)
        }
        "is-refusal" => criterion("The answer declines to do what the user asked.", None, negated),
        "trajectory:goal-success" => {
            let goal = value.get("goal").and_then(Value::as_str).map(str::to_owned).map_or_else(text, Ok)?;
            criterion(&format!("This goal of the user is reached: {goal}"), None, negated)
        }
        "trajectory:tool-used" => used(value, negated)?,
        "trajectory:tool-args-match" => arguments(value, negated)?,
        "trajectory:tool-sequence" => sequence(value, negated)?,
        "trajectory:step-count" => count(value, negated)?,
        "tool-call-f1" if !negated => {
            let names = texts(value);
            let called = names.iter().map(|name| expect::called(name, None, None)).collect();
            checks(called, false).near("every tool must be called, and further tools are not forbidden")
        }
        "trace-error-spans" => {
            let most = value.get("max_count").unwrap_or(value).as_f64().unwrap_or(0.0);
            if most != 0.0 || value.get("max_percentage").is_some() {
                return Err("a number of errors cannot be allowed; `no_tool_errors` allows none".to_owned());
            }
            check(json!({"no_tool_errors": true})).near("errors of tool calls only")
        }
        "javascript" | "python" | "ruby" | "webhook" => {
            return Err("a program decides; write a `command` check that reads the trial".to_owned());
        }
        "" => return Err("it has no type".to_owned()),
        other => return Err(format!("no check does what `{other}` does")),
    })
}

fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// A list of texts, or one text with commas.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(words).collect(),
        _ => words(value)
            .unwrap_or_default()
            .split(',')
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .collect(),
    }
}

/// The name in a text or a map, if it is one and no pattern.
fn tool(value: &Value) -> Result<String, String> {
    let named = value.as_str().or_else(|| value.get("name").or(value.get("pattern"))?.as_str());
    let name = named.filter(|name| !name.is_empty()).ok_or("it names no tool")?;
    let pattern = value.get("name").is_none() && name.contains(['*', '?']);
    if pattern {
        Err(format!("`{name}` is a pattern, and checks name one tool"))
    } else {
        Ok(name.to_owned())
    }
}

fn used(value: &Value, negated: bool) -> Result<Found, String> {
    if value.is_array() {
        let names = texts(value);
        let found = checks(names.iter().map(|name| expect::called(name, None, None)).collect(), negated);
        return if names.is_empty() { Err("it names no tool".to_owned()) } else { Ok(found) };
    }
    let bound = |key: &str| value.get(key).and_then(Value::as_u64);
    let times = match (bound("min"), bound("max")) {
        (None, None) | (Some(1), None) => None,
        (min, None) => Some(json!({"min": min})),
        (min, Some(max)) => Some(json!({"min": min.unwrap_or(1), "max": max})),
    };
    Ok(checks(vec![expect::called(&tool(value)?, None, times)], negated))
}

fn arguments(value: &Value, negated: bool) -> Result<Found, String> {
    let name = tool(value)?;
    let args = value
        .get("args")
        .or(value.get("arguments"))
        .filter(|args| args.is_object())
        .ok_or("it has no arguments")?;
    let (free, any) = wildcards(args);
    let exact = value.get("mode").and_then(Value::as_str) == Some("exact");
    let loose = value.get("defaults").is_some() || value.get("ignore").is_some();
    let found = |args: Value| checks(vec![expect::called(&name, Some(args), None)], negated);
    Ok(match (exact, loose) {
        (true, true) => found(free).near("further arguments are not forbidden, because some may be there"),
        (true, false) if any => found(free).near("further arguments are not forbidden"),
        (true, false) if args.as_object().is_some_and(serde_json::Map::is_empty) => {
            return Err("that a call has no arguments cannot be demanded".to_owned());
        }
        (true, false) => found(expect::exactly(args)),
        (false, _) => found(free),
    })
}

/// Arguments whose `*` stand for any value; whether there is one.
fn wildcards(args: &Value) -> (Value, bool) {
    let mut any = false;
    let kept = args.as_object().into_iter().flatten().map(|(key, value)| {
        let free = value.as_str() == Some("*");
        any |= free;
        (key.clone(), if free { json!({"$any": true}) } else { expect::among(value) })
    });
    let kept: Value = kept.collect();
    (kept, any)
}

fn sequence(value: &Value, negated: bool) -> Result<Found, String> {
    let steps = value.get("steps").unwrap_or(value).as_array().ok_or("it has no steps")?;
    let names = steps.iter().map(tool).collect::<Result<Vec<_>, _>>()?;
    let exact = value.get("mode").and_then(Value::as_str) == Some("exact");
    let order = expect::order(&names);
    Ok(match (exact, names.len()) {
        (true, 0) => checks(vec![json!({"max_calls": 0})], negated),
        (false, 0) => return Err("it has no steps".to_owned()),
        (true, count) => {
            let both = vec![order, json!({"max_calls": count})];
            if negated { checks(vec![expect::all(both)], true) } else { checks(both, false) }
        }
        (false, _) => checks(vec![order], negated),
    })
}

fn count(value: &Value, negated: bool) -> Result<Found, String> {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    if kind != "tool" {
        return Err("only calls of tools can be counted".to_owned());
    }
    let bound =
        |key: &str| value.get(key).and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok());
    let (min, max) = (bound("min"), bound("max"));
    let found = if value.get("pattern").is_some_and(|pattern| pattern != "*") {
        let mut times = serde_json::Map::new();
        times.extend(min.map(|min| ("min".to_owned(), json!(min))));
        times.extend(max.map(|max| ("max".to_owned(), json!(max))));
        vec![expect::called(&tool(value)?, None, Some(times.into()))]
    } else {
        max.map(|max| json!({"max_calls": max})).into_iter().chain(min.and_then(expect::at_least)).collect()
    };
    match found.is_empty() {
        true => Err("it has neither `min` nor `max` above nothing".to_owned()),
        false if negated => Ok(checks(vec![expect::all(found)], true)),
        false => Ok(checks(found, false)),
    }
}
