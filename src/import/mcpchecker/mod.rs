//! mcpchecker: tasks (prompt, steps, verification), and evals with assertions over sets of tasks.

use serde_json::{Value, json};

use super::draft::Fate::{Approximate as Near, Exact, Unsupported as Lost};
use super::draft::{Case, Draft, Mapped};
use super::node::Node;
use super::source::{Near as Beside, Source};
use super::{Format, Rule, rule, target};
use crate::diag::Diagnostic;

mod assertions;
mod steps;

pub(super) static FORMAT: Format = Format {
    name: "mcpchecker",
    about: "mcpchecker: YAML of kind Task or Eval; give the eval and its tasks together",
    detect,
    read,
    rules: RULES,
};

#[rustfmt::skip]
const RULES: &[Rule] = &[
    rule("prompt", Exact, "prompt", "inline, or a file beside the task"),
    rule("metadata.runs", Exact, "trials", ""),
    rule("metadata.difficulty", Exact, "tags", ""),
    rule("metadata.labels", Exact, "tags", "`key=value`"),
    rule("metadata.parallel", Lost, "", "`--concurrency` says how many trials run at once"),
    rule("metadata.*", Lost, "", ""),
    rule("requires", Lost, "", "extensions are programs of mcpchecker"),
    rule("http", Near, "setup, verify, cleanup", "an HTTP step; each field of `verify` asks again, and only GET is repeated"),
    rule("script", Near, "setup, verify, cleanup", "a command step in the folder of the project; needs --allow-exec"),
    rule("llmJudge", Near, "criteria", "contains: the answer states it; exact: it says the same"),
    rule("step", Lost, "", "operations of extensions"),
    rule("toolsUsed", Exact, "tool_called", "a pattern is left out"),
    rule("requireAny", Exact, "any_of", ""),
    rule("toolsNotUsed", Exact, "tool_not_called", ""),
    rule("minToolCalls", Exact, "not max_calls", ""),
    rule("maxToolCalls", Exact, "max_calls", ""),
    rule("callOrder", Exact, "call_order", "of tools; calls of resources and prompts are left out"),
    rule("resourcesRead", Lost, "", "no check looks at resources that the model reads; nor `resourcesNotRead`"),
    rule("resourcesNotRead", Lost, "", ""),
    rule("promptsUsed", Lost, "", "no check looks at prompts that the model gets; nor `promptsNotUsed`"),
    rule("promptsNotUsed", Lost, "", ""),
    rule("noDuplicateCalls", Lost, "", "no check compares calls with each other"),
    rule("assertions.*", Lost, "", "assertions of no known name"),
    rule("taskSets", Exact, "expect", "by path, glob and labels, over the tasks given or found beside the eval"),
    rule("config.agent", Near, "models", "the model of a built-in agent; agents themselves are docs/agents.md"),
    rule("config.mcpConfigFile", Exact, "target", "the one server in it, or the one that assertions name"),
    rule("server", Exact, "target", ""),
    rule("env", Near, "target.env", "secrets become variables of the suite"),
    rule("headers", Near, "target.headers", "secrets become variables of the suite"),
    rule("config.*", Lost, "", "judge, extensions, other settings"),
    rule("secret", Near, "[secret]", "what looks like a secret is never copied"),
    rule("*", Lost, "", "other keys"),
];

fn detect(source: &Source) -> Option<String> {
    if !source.is_document() {
        return None;
    }
    let tree = source.tree().ok()?;
    let kind = tree.text_at("kind").filter(|kind| matches!(*kind, "Task" | "Eval"))?;
    let known = ["spec", "steps", "config"].into_iter().find(|key| tree.get(key).is_some())?;
    Some(format!("it is of kind {kind} and has `{known}`"))
}

/// A task with what evals need to find it.
struct Task {
    file: String,
    labels: Vec<(String, String)>,
    case: Case,
}

fn read(sources: &[Source], near: Beside<'_>, draft: &mut Draft) -> Result<(), Diagnostic> {
    let mut tasks = vec![];
    let mut evals = vec![];
    for source in sources {
        let tree = source.tree()?;
        match tree.text_at("kind") {
            Some("Eval") => evals.push((source, tree)),
            _ => tasks.push(task(source, tree, near, draft)),
        }
    }
    for (source, eval) in evals {
        self::eval(source, eval, (near, &mut tasks), draft);
    }
    draft.cases.extend(tasks.into_iter().map(|task| task.case).take(super::draft::MOST_CASES));
    Ok(())
}

fn task(source: &Source, tree: &Node, near: Beside<'_>, draft: &mut Draft) -> Task {
    let metadata = tree.get("metadata");
    let name = metadata.and_then(|metadata| metadata.text_at("name")).unwrap_or_else(|| source.stem());
    let mut case = Case::new(name, &tree.at);
    let mut labels = vec![];
    for (key, value) in metadata.map_or(&[][..], Node::entries) {
        let part = Mapped::new(format!("metadata.{key}"), &value.at, value.words().unwrap_or_default());
        match key.as_str() {
            "name" => {}
            "runs" => match value.count().filter(|count| (1..=1000).contains(count)) {
                Some(count) => {
                    case.keys.insert("trials".to_owned(), json!(count));
                    case.told(part.exact("trials"));
                }
                None => case.told(part.lost("it is no number of trials")),
            },
            "difficulty" => {
                case.tags.extend(value.words());
                case.told(part.exact("tags"));
            }
            "labels" => {
                labels.extend(
                    value.entries().iter().filter_map(|(key, value)| Some((key.clone(), value.words()?))),
                );
                case.tags.extend(labels.iter().map(|(key, value)| format!("{key}={value}")));
                case.told(part.exact("tags"));
            }
            "parallel" => case.told(part.lost("`--concurrency` says how many trials run at once")),
            _ => case.told(part.lost("cases have nothing like it")),
        }
    }
    let known = ["kind", "apiVersion", "metadata", "spec", "steps"];
    for (key, value) in tree.entries().iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        case.told(Mapped::new(key.clone(), &value.at, "").lost("cases have nothing like it"));
    }
    for (key, value) in tree.any(&["spec", "steps"]).map_or(&[][..], Node::entries) {
        match key.as_str() {
            "prompt" => prompt(value, (source, near), &mut case),
            "requires" => {
                for one in value.items() {
                    let part = Mapped::new("requires", &one.at, one.text_at("extension").unwrap_or_default());
                    case.told(part.lost("extensions are programs of mcpchecker"));
                }
            }
            "setup" | "verify" | "cleanup" => steps::phase(key, value, draft, &mut case),
            other => case.told(Mapped::new(other, &value.at, "").lost("cases have nothing like it")),
        }
    }
    Task { file: source.file.to_string(), labels, case }
}

fn prompt(node: &Node, (source, near): (&Source, Beside<'_>), case: &mut Case) {
    let part =
        Mapped::new("prompt", &node.at, node.text_at("inline").or(node.text_at("file")).unwrap_or_default());
    let inline = node.text().or(node.text_at("inline")).map(str::to_owned);
    let text = inline.or_else(|| Some(near(source, node.text_at("file")?)?.text.to_string()));
    match text {
        Some(text) => {
            case.turns.push(text.trim_end().to_owned());
            case.told(part.exact("prompt"));
        }
        None => {
            case.leave_out("the file of its prompt cannot be read");
            case.told(part.lost("there is no such file beside the task"));
        }
    }
}

/// An eval: who answers, where the server is, and what is asserted of which tasks.
fn eval(source: &Source, eval: &Node, (near, tasks): (Beside<'_>, &mut Vec<Task>), draft: &mut Draft) {
    if let Some(name) = eval.get("metadata").and_then(|metadata| metadata.text_at("name")) {
        draft.title = name.to_owned();
    }
    let config = eval.get("config");
    let sets = config.map_or(&[][..], |config| config.list_at("taskSets"));
    for (key, value) in config.map_or(&[][..], Node::entries) {
        let part = Mapped::new(format!("config.{key}"), &value.at, value.words().unwrap_or_default());
        match key.as_str() {
            "taskSets" => {}
            "agent" => agent(value, draft),
            "mcpConfigFile" => match near(source, value.text().unwrap_or_default()) {
                Some(file) => servers(&file, &assertions::servers(sets), part, draft),
                None => draft.told(
                    part.lost("there is no such file beside the eval; name the server with `--target`"),
                ),
            },
            _ => draft.told(part.lost("suites have nothing like it")),
        }
    }
    for set in sets {
        assertions::set(set, (source, near), tasks, draft);
    }
}

fn agent(node: &Node, draft: &mut Draft) {
    let kind = node.text().or(node.text_at("type")).unwrap_or_default();
    let name = node.text_at("model");
    let part = Mapped::new("config.agent", &node.at, format!("{kind} {}", name.unwrap_or_default()).trim());
    match name.and_then(|name| target::model(name, None)) {
        Some(model) => {
            draft.told(part.near(format!("models: {model}"), "the model without the agent around it"));
            draft.models.push(model);
        }
        None => draft.told(part.lost("agents are models of the dialect command: docs/agents.md")),
    }
}

/// The one server of a file of servers that is meant.
fn servers(file: &Source, named: &[String], part: Mapped, draft: &mut Draft) {
    let Ok(tree) = file.tree() else {
        draft.told(part.lost("the file cannot be read"));
        return;
    };
    let servers = tree.any(&["mcpServers", "servers"]).map_or(&[][..], Node::entries);
    let meant: Vec<&(String, Node)> = match named {
        [name] => servers.iter().filter(|(known, _)| known == name).collect(),
        _ => servers.iter().collect(),
    };
    match meant.as_slice() {
        [(name, server)] => {
            draft.told(part.exact("target"));
            target::server("server", name, server, draft);
        }
        [] => draft.told(part.lost("it holds no such server; name one with `--target`")),
        _ => draft
            .told(part.lost("it holds several servers, and a suite has one target; name it with `--target`")),
    }
}

/// A value for `equals` of a step that looks for a field.
fn field(field: &Node) -> Option<Value> {
    if let Some(equals) = field.get("equals") {
        return Some(super::draft::literal(&equals.value()));
    }
    if let Some(pattern) = field.text_at("match") {
        return Some(json!({"$regex": pattern}));
    }
    if let Some(kind) = field.text_at("type") {
        return Some(json!({"$type": if kind == "bool" { "boolean" } else { kind }}));
    }
    let exists = field.get("exists").is_none_or(Node::is_true);
    Some(if exists { json!({"$any": true}) } else { json!({"$absent": true}) })
}
