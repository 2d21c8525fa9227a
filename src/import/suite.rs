//! A draft as the text of a suite. What could not be kept stands there as comments.

use serde_json::{Value, json};

use super::draft::{Case, Draft, Fate, PHASES};
use super::{Mapped, Source};
use crate::suite::write::{Node, Part, document};

/// What the caller decides besides what the source says.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The name of the suite.
    pub name: String,
    /// The `target` block, in place of the source's.
    pub target: Option<Value>,
    /// Variables that this target reads.
    pub env: Vec<String>,
    /// Models, in place of the source's.
    pub models: Vec<String>,
    /// The judge, in place of the source's.
    pub judge: Option<String>,
}

/// The model without a key that works where the source names none.
const MODEL: &str = "lexical";
/// The judge where the source names none.
const JUDGE: &str = "claude-haiku-5-5";
/// The variable with the address where nobody says which server is meant.
const ADDRESS: &str = "MCP_URL";

/// The text of the suite; `None` when no case is left that expects something.
pub fn suite(format: &str, sources: &[Source], draft: &Draft, wanted: &Wanted) -> Option<String> {
    let written: Vec<&Case> = draft.cases.iter().filter(|case| case.left_out.is_empty()).collect();
    if written.is_empty() {
        return None;
    }
    let files: Vec<&str> = sources.iter().map(|source| &*source.file).take(5).collect();
    let more = if sources.len() > 5 { " and others" } else { "" };
    let head = format!(
        "Imported from {} ({format}){more}. What is not exact is said beside the case.",
        files.join(", ")
    );
    let mut parts = vec![Part::remark(&head), Part::of("version", 1), Part::of("name", wanted.name.as_str())];
    if !draft.title.trim().is_empty() {
        parts.push(Part::of("description", draft.title.as_str()));
    }
    let mut env: Vec<Value> = match &wanted.target {
        None => draft.env.iter().map(|name| json!(name)).collect(),
        Some(_) => declared(draft, wanted),
    };
    let target = match wanted.target.as_ref().or(draft.target.as_ref()) {
        Some(target) => Part::of("target", target.clone()),
        None => {
            env.push(json!({"public": ADDRESS}));
            let why = format!(
                "The source does not say which server is tested: write it here, or export {ADDRESS}."
            );
            Part::of("target", json!({"url": format!("${{{ADDRESS}}}")})).above(why)
        }
    };
    if !env.is_empty() {
        parts.push(Part::of("env", Value::Array(env)));
    }
    parts.push(target.gap());
    if !draft.personas.is_empty() {
        parts.push(Part::of("personas", Value::Array(draft.personas.clone())));
    }
    let models = [&wanted.models, &draft.models].into_iter().find(|models| !models.is_empty());
    parts.push(match models {
        Some(models) => Part::of("models", json!(models)),
        None => Part::of("models", json!([MODEL]))
            .above("The source names no model that is known here; this one needs no key."),
    });
    if written.iter().any(|case| !case.criteria.is_empty()) {
        let judge = wanted.judge.as_ref().or(draft.judge.as_ref());
        let part = |name: &str| Part::of("judge", json!({"model": name}));
        parts.push(match judge {
            Some(judge) => part(judge),
            None => part(JUDGE).above("The source names no judge that is known here."),
        });
    }
    parts.extend(draft.keys.iter().map(|(key, value)| Part::of(key, value.clone())));
    parts.extend(remarks(&draft.parts).into_iter().map(|text| Part::remark(&text)));
    parts.push(Part::of("cases", Node::List(draft.cases.iter().map(one).collect())).gap());
    Some(document(&parts))
}

/// The variables that are still read when the target is another one.
fn declared(draft: &Draft, wanted: &Wanted) -> Vec<Value> {
    let personas = Value::Array(draft.personas.clone()).to_string();
    let steps: String =
        draft.cases.iter().flat_map(|case| case.steps.iter().flatten()).map(Value::to_string).collect();
    let used =
        |name: &&String| personas.contains(&format!("\"{name}\"")) || steps.contains(&format!("${{{name}}}"));
    let kept = draft.env.iter().filter(used).chain(&wanted.env);
    let mut names: Vec<&String> = vec![];
    for name in kept {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.into_iter().map(|name| json!(name)).collect()
}

/// A case, or what is left of one as a comment.
fn one(case: &Case) -> Part {
    let mut parts = vec![Part::of("id", case.id.as_str())];
    match case.turns.as_slice() {
        [prompt] => parts.push(Part::of("prompt", prompt.as_str())),
        [] => {}
        turns => {
            let turns = turns.iter().map(|turn| Node::Map(vec![Part::of("user", turn.as_str())]));
            parts.push(Part::of("turns", Node::list(turns)));
        }
    }
    if !case.tags.is_empty() {
        parts.push(Part::of("tags", json!(case.tags)));
    }
    parts.extend(case.keys.iter().map(|(key, value)| Part::of(key, value.clone())));
    let lists =
        PHASES.into_iter().zip(&case.steps).chain([("expect", &case.expect), ("criteria", &case.criteria)]);
    for (key, list) in lists.filter(|(_, list)| !list.is_empty()) {
        parts.push(Part::of(key, Node::list(list.iter().cloned().map(Node::from))));
    }
    let place = format!("{}:{}", case.at.file, case.at.line);
    let said = if case.title == case.id || case.turns.first() == Some(&case.title) {
        String::new()
    } else {
        format!("{} · ", case.title)
    };
    let mut part = Part::item(Node::Map(parts)).gap().above(format!("{said}{place}"));
    if !case.left_out.is_empty() {
        part = part.off().above(format!("Left out: {}.", case.left_out));
    }
    remarks(&case.parts).into_iter().fold(part, Part::above)
}

/// What is said of parts that are not kept as they are.
fn remarks(parts: &[Mapped]) -> Vec<String> {
    let loud = parts.iter().filter(|part| part.fate != Fate::Exact);
    loud.map(|part| {
        let what = if part.what.is_empty() { String::new() } else { format!(" {}", part.what) };
        format!("{} (line {}): {}{what}: {}", part.fate.word(), part.at.line, part.kind, part.why)
    })
    .collect()
}
