//! Names of tools.

use std::collections::BTreeMap;

use super::Hit;
use crate::display::excerpt;
use crate::llm::lexical::terms;
use crate::surface::Listed;
use crate::transcript::ToolFact;

/// Words that say nothing of what a tool does.
const VAGUE: &[&str] = &[
    "action",
    "api",
    "call",
    "command",
    "data",
    "do",
    "exec",
    "execute",
    "function",
    "go",
    "handle",
    "handler",
    "helper",
    "info",
    "invoke",
    "item",
    "main",
    "manage",
    "misc",
    "object",
    "operation",
    "perform",
    "process",
    "request",
    "run",
    "stuff",
    "task",
    "test",
    "thing",
    "tool",
    "util",
    "utility",
    "value",
    "work",
];

/// Names of tools that clients bring along, and which client does.
const BUILTIN: &[(&str, &[&str])] = &[
    (
        "Claude Code",
        &[
            "Agent",
            "Bash",
            "Edit",
            "Glob",
            "Grep",
            "NotebookEdit",
            "Read",
            "Skill",
            "Task",
            "TodoWrite",
            "WebFetch",
            "WebSearch",
            "Write",
        ],
    ),
    (
        "Codex",
        &["apply_patch", "exec_command", "shell", "update_plan", "view_image", "web_search", "write_stdin"],
    ),
    (
        "Gemini CLI",
        &[
            "glob",
            "google_web_search",
            "list_directory",
            "read_file",
            "read_many_files",
            "replace",
            "run_shell_command",
            "save_memory",
            "search_file_content",
            "web_fetch",
            "write_file",
            "write_todos",
        ],
    ),
    (
        "Cursor",
        &[
            "codebase_search",
            "delete_file",
            "edit_file",
            "file_search",
            "grep_search",
            "list_dir",
            "run_terminal_cmd",
        ],
    ),
    ("VS Code", &["create_file", "run_in_terminal", "semantic_search", "manage_todo_list"]),
];

fn each(listed: &Listed<'_>, wrong: impl Fn(&str) -> Option<String>) -> Vec<Hit> {
    let hit = |tool: &ToolFact| Some(Hit::tool(&tool.name, wrong(tool.name.as_str())?));
    listed.tools.iter().filter_map(hit).collect()
}

/// What the specification says that names are made of.
fn is_plain(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name.len() <= 128 && name.chars().all(fits)
}

pub(super) fn characters(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |name| {
        let odd: Vec<String> = {
            let mut odd: Vec<char> = name
                .chars()
                .filter(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
                .collect();
            odd.sort_unstable();
            odd.dedup();
            odd.iter().take(10).map(|c| format!("`{}`", excerpt(&c.to_string(), 12))).collect()
        };
        match (is_plain(name), name.is_empty(), odd.is_empty()) {
            (true, ..) => None,
            (_, true, _) => Some("the name is empty".to_owned()),
            (_, _, true) => Some(format!("{} characters, at most 128 are allowed", name.chars().count())),
            (_, _, false) => Some(format!("it has {}", odd.join(", "))),
        }
    })
}

pub(super) fn api(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |name| match name {
        _ if !is_plain(name) => None,
        _ if name.len() > 64 => Some(format!("{} characters, APIs take 64", name.len())),
        _ if name.contains('.') => Some("it has a dot".to_owned()),
        _ => None,
    })
}

/// How a name of several words is written; `None` for one word, which fits every style.
fn style(name: &str) -> Option<&'static str> {
    let has = |wanted: fn(char) -> bool| name.chars().any(wanted);
    let (upper, lower) = (has(|c| c.is_ascii_uppercase()), has(|c| c.is_ascii_lowercase()));
    match name {
        _ if name.contains('_') => Some("snake_case"),
        _ if name.contains('-') => Some("kebab-case"),
        _ if name.contains('.') => Some("dotted"),
        _ if upper && lower && name.starts_with(|c: char| c.is_ascii_uppercase()) => Some("PascalCase"),
        _ if upper && lower => Some("camelCase"),
        _ => None,
    }
}

pub(super) fn case(listed: &Listed<'_>) -> Vec<Hit> {
    let mut styles: BTreeMap<&str, Vec<&ToolFact>> = BTreeMap::new();
    for tool in listed.tools {
        if let Some(style) = style(tool.name.as_str()) {
            styles.entry(style).or_default().push(tool);
        }
    }
    let Some((usual, _)) = styles.iter().max_by_key(|(_, tools)| tools.len()) else { return vec![] };
    let usual = *usual;
    let others = styles.iter().filter(|(style, _)| **style != usual);
    let hit = |(style, tools): (&&str, &Vec<&ToolFact>)| Hit {
        tools: tools.iter().map(|tool| tool.name.clone()).collect(),
        at: String::new(),
        detail: format!("{style}, while most names of the server are {usual}"),
    };
    others.map(hit).collect()
}

pub(super) fn vague(listed: &Listed<'_>) -> Vec<Hit> {
    let vague: Vec<String> = VAGUE.iter().flat_map(|word| terms(word)).collect();
    each(listed, |name| {
        let words = terms(name);
        let says_nothing = !words.is_empty() && words.iter().all(|word| vague.contains(word));
        says_nothing.then(|| "no word of it names what it acts on".to_owned())
    })
}

pub(super) fn builtin(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |name| {
        let same = |known: &&str| known.eq_ignore_ascii_case(name);
        let owners: Vec<&str> =
            BUILTIN.iter().filter(|(_, names)| names.iter().any(same)).map(|(owner, _)| *owner).collect();
        (!owners.is_empty()).then(|| format!("also built into {}", owners.join(" and ")))
    })
}
