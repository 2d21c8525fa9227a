//! MCPJam: suite files of version 1 and 2, and its lists of tests with `expectedToolCalls`.

use serde_json::{Value, json};

use super::draft::Fate::{Approximate as Near, Exact, Unsupported as Lost};
use super::draft::{Case, Draft, Mapped};
use super::node::Node;
use super::source::{Near as Beside, Source};
use super::{Format, Rule, expect, rule, target};
use crate::diag::Diagnostic;

mod predicates;

use predicates::Mode;

pub(super) static FORMAT: Format = Format {
    name: "mcpjam",
    about: "MCPJam: a suite file (schemaVersion 1 or 2), or a list of tests",
    detect,
    read,
    rules: RULES,
};

#[rustfmt::skip]
const RULES: &[Rule] = &[
    rule("suite.*", Exact, "name, description", ""),
    rule("target.servers", Lost, "", "names of servers without their addresses: name the server with `--target`"),
    rule("target.*", Lost, "", "environments and hosts are MCPJam's"),
    rule("defaults.model", Exact, "models", "models of known providers"),
    rule("defaults.repetitions", Exact, "trials", "and `iterations`"),
    rule("defaults.passThreshold", Near, "gate.min_pass", "of the trials of each case"),
    rule("defaults.validity.*", Near, "gate.max_invalid", "`minCompletionRate`; the others are left out"),
    rule("defaults.*", Lost, "", "instructions, temperature, tool policy, judge"),
    rule("title", Exact, "id", "where there is no `id`"),
    rule("prompt", Exact, "prompt, turns", "`steps` of kind prompt, `query`, `promptTurns`"),
    rule("toolCall", Near, "setup", "before the first prompt; later ones are left out"),
    rule("interact", Lost, "", "nothing is clicked here"),
    rule("toolCalledWith", Exact, "tool_called", "partial: members, with type words as `$type` or `$any`; exact: `$exact`; ignore: no arguments"),
    rule("toolCalledAtLeastOnce", Exact, "tool_called", ""),
    rule("toolNeverCalled", Exact, "tool_not_called", ""),
    rule("onlyToolsCalled", Exact, "max_calls", "an empty list; others are left out: no check forbids tools that it does not name"),
    rule("firstToolWas", Near, "tool_called", "that it was the first is not checked"),
    rule("responseContains", Exact, "answer_contains", ""),
    rule("responseMatches", Exact, "answer_matches", "without lookaround and backreferences"),
    rule("noToolErrors", Exact, "no_tool_errors", ""),
    rule("finalAssistantMessageNonEmpty", Exact, "answer_matches", ""),
    rule("tokenBudgetUnder", Exact, "tokens", "one less: ours is the most that is allowed"),
    rule("turnCountUnder", Lost, "", "the turns of a case are written down"),
    rule("widget*", Lost, "", "nothing is rendered here"),
    rule("textVisible", Lost, "", "nothing is rendered here; nor `elementVisible`, `elementHidden`, `inputValue`"),
    rule("elementVisible", Lost, "", "nothing is rendered here"),
    rule("elementHidden", Lost, "", "nothing is rendered here"),
    rule("inputValue", Lost, "", "nothing is rendered here"),
    rule("expectedToolCalls", Exact, "tool_called", "of the older lists; the order is left out, as there"),
    rule("isNegativeTest", Exact, "max_calls", "none"),
    rule("expectedOutput", Near, "criteria", "the judge says whether the answer agrees"),
    rule("model", Exact, "models", ""),
    rule("repetitions", Exact, "trials", "also `iterations`, `runs`"),
    rule("tags", Exact, "tags", "`kind` and `intent`"),
    rule("disabled", Exact, "", "the case is written as a comment"),
    rule("secret", Near, "[secret]", "what looks like a secret is never copied"),
    rule("*", Lost, "", "advisory rules, unknown rules, other keys"),
];

fn detect(source: &Source) -> Option<String> {
    if !source.is_document() {
        return None;
    }
    let tree = source.tree().ok()?;
    if let Some(version) =
        tree.get("schemaVersion").filter(|_| tree.get("cases").is_some() && tree.get("mode").is_some())
    {
        return Some(format!(
            "it has `cases`, `mode` and `schemaVersion` {}",
            version.words().unwrap_or_default()
        ));
    }
    let tests = tests(tree);
    let first = tests.first()?;
    let known = ["expectedToolCalls", "promptTurns", "isNegativeTest"]
        .into_iter()
        .find(|key| first.get(key).is_some())?;
    Some(format!("its tests have `{known}`"))
}

/// The tests of the older lists.
fn tests(tree: &Node) -> &[Node] {
    if tree.is_list() { tree.items() } else { tree.list_at("tests") }
}

fn read(sources: &[Source], _near: Beside<'_>, draft: &mut Draft) -> Result<(), Diagnostic> {
    for source in sources {
        let tree = source.tree()?;
        let cases = match tree.get("cases") {
            Some(cases) => {
                whole(tree, draft);
                cases.items()
            }
            None => tests(tree),
        };
        for node in cases {
            if !draft.has_room() {
                draft.told(
                    Mapped::new("case", &node.at, "").lost("there are more cases than a suite may hold"),
                );
                break;
            }
            let case = case(node, draft);
            draft.cases.push(case);
        }
    }
    Ok(())
}

/// What a suite file says besides its cases.
fn whole(tree: &Node, draft: &mut Draft) {
    for (key, value) in tree.entries() {
        match key.as_str() {
            "schemaVersion" | "cases" | "$schema" => {}
            "suite" => {
                for (key, value) in value.entries() {
                    let text = value.words().unwrap_or_default();
                    let part = Mapped::new(format!("suite.{key}"), &value.at, &text);
                    if key == "name" || (key == "description" && draft.title.is_empty()) {
                        draft.title = text;
                    }
                    draft.told(part.exact("description"));
                }
            }
            "target" => {
                for (key, value) in value.entries() {
                    let names: Vec<&str> = value
                        .one_or_many()
                        .iter()
                        .filter_map(|one| one.text().or_else(|| one.text_at("name")))
                        .collect();
                    let part = Mapped::new(format!("target.{key}"), &value.at, names.join(", "));
                    draft.told(
                        part.lost(
                            "it is a name without an address; say which server is meant with `--target`",
                        ),
                    );
                }
            }
            "defaults" => value.entries().iter().for_each(|(key, value)| default(key, value, tree, draft)),
            "mode" | "reportingMode"
                if value.text().is_some_and(|mode| matches!(mode, "agentWorkflow" | "standard")) => {}
            _ => draft.told(
                Mapped::new(key.clone(), &value.at, value.words().unwrap_or_default())
                    .lost("suites have nothing like it"),
            ),
        }
    }
}

/// Sets a key of the gate.
fn gate(draft: &mut Draft, key: &str, value: Value) {
    if let Some(map) = draft.keys.entry("gate").or_insert_with(|| json!({})).as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

fn default(key: &str, value: &Node, tree: &Node, draft: &mut Draft) {
    let part = Mapped::new(format!("defaults.{key}"), &value.at, value.words().unwrap_or_default());
    let percent = |share: f64| json!(format!("{}%", (share * 1000.0).round() / 10.0));
    let share = |node: &Node| node.number().filter(|share| (0.0..=1.0).contains(share));
    match key {
        "model" => {
            let provider = tree.get("defaults").and_then(|defaults| defaults.text_at("provider"));
            match value.text().and_then(|name| target::model(name, provider)) {
                Some(model) => {
                    draft.told(part.exact(format!("models: {model}")));
                    draft.models.push(model);
                }
                None => draft.told(part.lost("no model of this name is known here; name one with `--model`")),
            }
        }
        "provider" => {}
        "repetitions" | "iterations" => match value.count().filter(|count| (1..=1000).contains(count)) {
            Some(count) => {
                draft.keys.insert("trials".to_owned(), json!(count));
                let part = Mapped::new("defaults.repetitions", &value.at, count.to_string());
                draft.told(part.exact("trials"));
            }
            None => draft
                .told(Mapped::new("defaults.repetitions", &value.at, "").lost("it is no number of trials")),
        },
        "passThreshold" => match share(value) {
            Some(share) => {
                gate(draft, "min_pass", percent(share));
                draft.told(
                    part.near("gate.min_pass", "it holds without a baseline; with one, changes decide"),
                );
            }
            None => draft.told(part.lost("it is no share")),
        },
        "validity" => {
            for (key, node) in value.entries() {
                let part = Mapped::new(
                    format!("defaults.validity.{key}"),
                    &node.at,
                    node.words().unwrap_or_default(),
                );
                match share(node).filter(|_| key == "minCompletionRate") {
                    Some(share) => {
                        gate(draft, "max_invalid", percent(1.0 - share));
                        draft.told(part.near(
                            "gate.max_invalid",
                            "trials that the judge could not decide count as missing as well",
                        ));
                    }
                    None => {
                        draft.told(part.lost("the gate has one limit for all missing data: `max_invalid`"));
                    }
                }
            }
        }
        _ => draft.told(part.lost("suites have nothing like it")),
    }
}

/// Keys of a case that are read where they belong.
const READ: &[&str] = &["id", "title", "provider", "matchOptions"];

fn case(node: &Node, draft: &mut Draft) -> Case {
    let title = node.text_at("title").unwrap_or_default();
    let name = node.text_at("id").unwrap_or(title);
    let mut case = Case::new(name, &node.at);
    if !title.is_empty() {
        case.title = title.to_owned();
    }
    for (key, value) in node.entries() {
        let part = Mapped::new(key.clone(), &value.at, value.words().unwrap_or_default());
        match key.as_str() {
            known if READ.contains(&known) => {}
            "steps" => steps(value, &mut case),
            "query" => said(value, &mut case),
            "promptTurns" => {
                for turn in value.items() {
                    turn.get("prompt").into_iter().for_each(|prompt| said(prompt, &mut case));
                    turn.get("expectedToolCalls")
                        .into_iter()
                        .for_each(|calls| expected(calls, node, &mut case));
                }
            }
            "checks" | "assertions" | "predicates" => rules(value, &mut case),
            "expectedToolCalls" => expected(value, node, &mut case),
            "isNegativeTest" if value.is_true() => {
                case.check(part.exact("max_calls"), json!({"max_calls": 0}));
            }
            "isNegativeTest" => {}
            "expectedOutput" => {
                let text = value.words().unwrap_or_default();
                let why = "the judge of the suite says whether the answer agrees with it";
                case.criterion(part.near("criteria", why), expect::agrees(&text));
            }
            "model" => match value.text().and_then(|name| target::model(name, node.text_at("provider"))) {
                Some(model) => {
                    case.told(part.exact(format!("models: {model}")));
                    // A case may name what the suite lists.
                    if !draft.models.contains(&model) {
                        draft.models.push(model.clone());
                    }
                    case.keys.insert("models".to_owned(), json!([model]));
                }
                None => case.told(part.lost("no model of this name is known here")),
            },
            "repetitions" | "iterations" | "runs" => {
                let part = Mapped::new("repetitions", &value.at, value.words().unwrap_or_default());
                match value.count().filter(|count| (1..=1000).contains(count)) {
                    Some(count) => {
                        case.keys.insert("trials".to_owned(), json!(count));
                        case.told(part.exact("trials"));
                    }
                    None => case.told(part.lost("it is no number of trials")),
                }
            }
            "kind" | "intent" | "tags" => {
                case.tags.extend(value.one_or_many().iter().filter_map(Node::words));
                case.told(Mapped::new("tags", &value.at, value.words().unwrap_or_default()).exact("tags"));
            }
            "disabled" if value.is_true() => {
                case.leave_out("it is disabled in the source");
                case.told(part.exact("a comment"));
            }
            "disabled" => {}
            _ => case.told(part.lost("cases have nothing like it")),
        }
    }
    case
}

fn said(prompt: &Node, case: &mut Case) {
    let text = prompt.words().unwrap_or_default();
    case.told(Mapped::new("prompt", &prompt.at, &text).exact("prompt"));
    case.turns.push(text);
}

fn steps(steps: &Node, case: &mut Case) {
    let steps = steps.items();
    let last = steps.iter().rposition(|step| step.text_at("kind") == Some("prompt"));
    for (index, step) in steps.iter().enumerate() {
        match step.text_at("kind").unwrap_or_default() {
            "prompt" => step.get("prompt").into_iter().for_each(|prompt| said(prompt, case)),
            "toolCall" => {
                let name = step.text_at("toolName").unwrap_or_default();
                let part = Mapped::new("toolCall", &step.at, name);
                if case.turns.is_empty() && !name.is_empty() {
                    let args = step.get("arguments").map_or_else(|| json!({}), Node::value);
                    let why = "a step before the first turn; its result is not shown to the model";
                    case.step(part.near("setup", why), 0, json!({"tool": {"name": name, "args": args}}));
                } else {
                    case.told(
                        part.lost(
                            "the harness calls tools before the first turn and after the last one only",
                        ),
                    );
                }
            }
            "assert" => {
                if let Some(rule) = step.get("assertion") {
                    let whole = last.is_none_or(|last| index > last) && case.turns.len() < 2;
                    predicates::take(
                        rule,
                        if whole { "" } else { "it is checked over the whole conversation" },
                        case,
                    );
                }
            }
            other => case.told(Mapped::new(other, &step.at, "").lost("nothing is clicked here")),
        }
    }
}

/// A list of rules, or rules with a mode beside those of the suite.
fn rules(value: &Node, case: &mut Case) {
    let list = if value.is_list() { value.items() } else { value.list_at("list") };
    list.iter().for_each(|rule| predicates::take(rule, "", case));
}

/// The calls that the older lists expect, with one way to compare arguments for all.
fn expected(calls: &Node, test: &Node, case: &mut Case) {
    let options = test.get("matchOptions").or_else(|| test.get("advancedConfig"));
    let mode = Mode::of(options.and_then(|options| options.text_at("argumentMatching")));
    for call in calls.items() {
        let name = call
            .text()
            .or_else(|| call.text_at("toolName"))
            .or_else(|| call.text_at("name"))
            .unwrap_or_default();
        let args = call.any(&["arguments", "args"]).map(Node::value);
        let part = Mapped::new("expectedToolCalls", &call.at, name);
        let check = expect::called(name, args.and_then(|args| mode.matchers(&args)), None);
        case.check(part.exact("tool_called"), check);
    }
    if calls.items().is_empty() && calls.is_list() {
        let part = Mapped::new("expectedToolCalls", &calls.at, "none");
        case.check(part.exact("max_calls"), json!({"max_calls": 0}));
    }
}
