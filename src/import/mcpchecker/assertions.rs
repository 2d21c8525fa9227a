//! Assertions of an eval over a set of tasks.

use serde_json::{Value, json};

use super::super::draft::{Case, Draft, Mapped};
use super::super::expect;
use super::super::node::Node;
use super::super::source::{Near as Beside, Source};
use super::{Task, steps, task};

/// The servers that assertions name.
pub(super) fn servers(sets: &[Node]) -> Vec<String> {
    let mut names: Vec<String> = vec![];
    for (_, list) in sets.iter().filter_map(|set| set.get("assertions")).flat_map(Node::entries) {
        for name in list.items().iter().filter_map(|item| item.text_at("server")) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// A set of tasks: finds them among those given, or beside the eval, and asserts of each.
pub(super) fn set(
    set: &Node,
    (source, near): (&Source, Beside<'_>),
    tasks: &mut Vec<Task>,
    draft: &mut Draft,
) {
    let pattern = set.text_at("path").or(set.text_at("glob")).unwrap_or_default();
    let part = Mapped::new("taskSets", &set.at, pattern);
    let labels: Vec<(String, String)> = set
        .get("labelSelector")
        .map_or(&[][..], Node::entries)
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.words()?)))
        .collect();
    let wanted =
        |task: &Task| fits(pattern, &task.file) && labels.iter().all(|label| task.labels.contains(label));
    if !tasks.iter().any(|task| fits(pattern, &task.file))
        && let Some(found) = near(source, pattern)
        && let Ok(tree) = found.tree()
    {
        tasks.push(task(&found, tree, near, draft));
    }
    let mut count = 0;
    for task in tasks.iter_mut().filter(|task| wanted(task)) {
        count += 1;
        for (key, value) in set.get("assertions").map_or(&[][..], Node::entries) {
            assert(key, value, &mut task.case);
        }
    }
    if count > 0 {
        draft.told(part.exact(format!("{count} of the cases")));
        return;
    }
    draft.told(
        part.lost("none of the files given is one of its tasks; give them on the command line as well"),
    );
    for (key, value) in set.get("assertions").map_or(&[][..], Node::entries) {
        for one in value.one_or_many() {
            draft.told(Mapped::new(kind(key), &one.at, named(one)).lost("none of its tasks was given"));
        }
    }
}

/// Whether a file is meant by a path or a glob, both relative to the eval. Only names and their last folders are compared:
/// where the eval stands is not where the program was started.
fn fits(pattern: &str, file: &str) -> bool {
    let pattern = pattern.trim_start_matches("./").trim_start_matches("../");
    let wanted: Vec<&str> = pattern.split('/').filter(|part| !matches!(*part, "**" | "." | "..")).collect();
    let found: Vec<&str> = file.split(['/', '\\']).collect();
    let Some((name, folders)) = wanted.split_last() else { return false };
    let Some((last, above)) = found.split_last() else { return false };
    // Folders that the file's path does not show are taken to be right.
    let same = folders.iter().rev().zip(above.iter().rev()).all(|(wanted, found)| glob(wanted, found));
    glob(name, last) && (same || pattern.contains("**"))
}

/// `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let parts: Vec<&str> = parts.collect();
    let (last, middle) = parts.split_last().map_or(("", &[][..]), |(last, middle)| (*last, middle));
    let rest = middle.iter().try_fold(rest, |rest, part| Some(&rest[rest.find(part)? + part.len()..]));
    rest.is_some_and(|rest| rest.ends_with(last))
}

/// The kind of an assertion for the report.
fn kind(key: &str) -> String {
    const KNOWN: [&str; 11] = [
        "toolsUsed",
        "requireAny",
        "toolsNotUsed",
        "minToolCalls",
        "maxToolCalls",
        "callOrder",
        "resourcesRead",
        "resourcesNotRead",
        "promptsUsed",
        "promptsNotUsed",
        "noDuplicateCalls",
    ];
    if KNOWN.contains(&key) { key.to_owned() } else { format!("assertions.{key}") }
}

/// What an assertion names.
fn named(node: &Node) -> String {
    let keys = ["tool", "toolPattern", "name", "uri", "uriPattern", "prompt", "promptPattern"];
    keys.iter()
        .find_map(|key| node.text_at(key))
        .map(str::to_owned)
        .or_else(|| node.words())
        .unwrap_or_default()
}

fn assert(key: &str, value: &Node, case: &mut Case) {
    let part = |node: &Node| Mapped::new(kind(key), &node.at, named(node));
    match key {
        "toolsUsed" | "toolsNotUsed" => {
            for one in value.one_or_many() {
                match tool(one) {
                    Ok(name) => {
                        let check = expect::called(&name, None, None);
                        let check = if key == "toolsUsed" { check } else { expect::not(&check) };
                        case.check(part(one).exact(expect::name(&check)), check);
                    }
                    Err(why) => case.told(part(one).lost(why)),
                }
            }
        }
        "requireAny" => {
            let names: Result<Vec<String>, String> = value.one_or_many().iter().map(tool).collect();
            // One demand with several ways: it is told once for each of them, and checked once.
            match names {
                Ok(names) if !names.is_empty() => {
                    let check = steps::called(&names);
                    for (index, one) in value.one_or_many().iter().enumerate() {
                        let told = part(one).exact(expect::name(&check));
                        if index == 0 { case.check(told, check.clone()) } else { case.told(told) }
                    }
                }
                Ok(_) => {}
                Err(why) => value.one_or_many().iter().for_each(|one| {
                    case.told(part(one).lost(format!("one of its tools cannot be looked for: {why}")));
                }),
            }
        }
        "minToolCalls" => match value.count().and_then(expect::at_least) {
            Some(check) => case.check(part(value).exact("not max_calls"), check),
            None => case.told(part(value).lost("it demands nothing")),
        },
        "maxToolCalls" => {
            let most = value.count().map_or(Value::Null, |most| json!(most));
            case.check(part(value).exact("max_calls"), json!({"max_calls": most}));
        }
        "callOrder" => order(value, case),
        "noDuplicateCalls" => case.told(part(value).lost("no check compares calls with each other")),
        "resourcesRead" | "resourcesNotRead" | "promptsUsed" | "promptsNotUsed" => {
            let why = "no check looks at resources and prompts that the model uses";
            value.one_or_many().iter().for_each(|one| case.told(part(one).lost(why)));
        }
        _ => value.one_or_many().iter().for_each(|one| case.told(part(one).lost("no check does this"))),
    }
}

/// The name of a tool; a pattern that is a plain name is one.
fn tool(node: &Node) -> Result<String, String> {
    if let Some(name) = node.text_at("tool").or(node.text()) {
        return Ok(name.to_owned());
    }
    let pattern = node
        .text_at("toolPattern")
        .ok_or("it names no tool, and any tool of a server cannot be looked for")?;
    let plain = pattern.trim_start_matches('^').trim_end_matches('$');
    let is_plain =
        plain.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) && !plain.is_empty();
    if is_plain {
        Ok(plain.to_owned())
    } else {
        Err(format!("`{pattern}` is a pattern, and checks name one tool"))
    }
}

fn order(value: &Node, case: &mut Case) {
    let calls = value.items();
    let tools: Vec<&Node> =
        calls.iter().filter(|call| call.text_at("type").is_none_or(|kind| kind == "tool")).collect();
    let names: Vec<String> = tools
        .iter()
        .filter_map(|call| call.text_at("name").or(call.text_at("tool")))
        .map(str::to_owned)
        .collect();
    let check = expect::order(&names);
    let mut taken = false;
    for call in calls {
        let part = Mapped::new("callOrder", &call.at, named(call));
        if call.text_at("type").is_some_and(|kind| kind != "tool") {
            case.told(part.lost("only the order of tool calls can be checked"));
        } else if !taken && !names.is_empty() {
            taken = true;
            case.check(part.exact(expect::name(&check)), check.clone());
        } else {
            case.told(part.exact(expect::name(&check)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_globs_find_their_tasks() {
        for (pattern, file, wanted) in [
            ("tasks/create-pod.yaml", "evals/tasks/create-pod.yaml", true),
            ("../tasks/*/*.yaml", "tasks/pods/create.yaml", true),
            ("tasks/create-pod.yaml", "create-pod.yaml", true),
            ("tasks/create-pod.yaml", "other/create-pod.yaml", false),
            ("tasks/*.yaml", "tasks/a.json", false),
            ("**/x.yaml", "a/b/x.yaml", true),
        ] {
            assert_eq!(fits(pattern, file), wanted, "{pattern} {file}");
        }
        assert!(glob("a*c*e", "abcde") && !glob("a*x", "abc") && glob("*", ""));
    }
}
