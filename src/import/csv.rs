//! CSV: a column with the question, one with the answer or the tools, and promptfoo's `__` columns.

use serde_json::{Map, Value, json};

use super::draft::Fate::{Approximate as Near, Exact, Unsupported as Lost};
use super::draft::{Case, Draft, Mapped};
use super::node::Node;
use super::promptfoo::asserts;
use super::promptfoo::vars::Vars;
use super::source::{Near as Beside, Source};
use super::{Format, Rule, expect, rule};
use crate::diag::{Diagnostic, Origin};

pub(super) static FORMAT: Format = Format {
    name: "csv",
    about: "CSV: one case in each row, columns by their names",
    detect,
    read,
    rules: RULES,
};

#[rustfmt::skip]
const RULES: &[Rule] = &[
    rule("prompt", Exact, "prompt", "prompt, question, query, input, message, request, user, task"),
    rule("id", Exact, "id", "id, name, case, title, description, __description"),
    rule("expected", Near, "answer_contains, answer_numbers", "expected, answer, ideal, output, expected_output, expected_answer, reference: must be stated in the answer"),
    rule("tools", Exact, "tool_called, call_order", "tool, tools, expected_tool, expected_tools, tool_name; several are divided by `,`, `;`, `|` or `>`"),
    rule("arguments", Exact, "tool_called", "args, arguments, expected_args, tool_args: JSON beside one tool"),
    rule("not_tools", Exact, "tool_not_called", "forbidden_tools, not_tools, tools_not_used"),
    rule("tags", Exact, "tags", "tags, tag, category, difficulty, __metadata:NAME"),
    rule("__prefix", Exact, "prompt", "and `__suffix`"),
    rule("__threshold", Near, "expect", "every expectation must hold here"),
    rule("secret", Near, "[secret]", "what looks like a secret is never copied"),
    rule("row", Lost, "", "a row that cannot be read"),
    rule("column", Lost, "", "a column of no known name"),
    rule("*", Exact, "expect, criteria", "`__expected`, `__expected1` …: the assertions of promptfoo"),
];

/// Names of columns, and what they hold.
#[rustfmt::skip]
const COLUMNS: &[(&str, &[&str])] = &[
    ("prompt", &["prompt", "question", "query", "input", "message", "request", "user", "task"]),
    ("id", &["id", "name", "case", "title", "description", "__description"]),
    ("expected", &["expected", "answer", "ideal", "output", "expected_output", "expected_answer", "expectedanswer", "reference"]),
    ("tools", &["tool", "tools", "expected_tool", "expected_tools", "tool_name", "expectedtool", "expectedtools"]),
    ("arguments", &["args", "arguments", "expected_args", "tool_args", "expected_arguments"]),
    ("not_tools", &["forbidden_tools", "not_tools", "tools_not_used", "forbidden_tool"]),
    ("tags", &["tags", "tag", "category", "difficulty"]),
];

/// What a column holds, by its name.
fn holds(name: &str) -> Option<&'static str> {
    let name = name.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    COLUMNS.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(holds, _)| *holds)
}

/// A row with the names of its columns.
pub(super) struct Row {
    pub at: Origin,
    pub cells: Vec<(String, String)>,
}

/// Most rows of a file.
const MOST_ROWS: usize = 100_000;

/// The rows of a file.
pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Diagnostic> {
    let first = source.text.lines().next().unwrap_or_default();
    let delimiter =
        [b',', b';', b'\t'].into_iter().max_by_key(|mark| first.bytes().filter(|byte| byte == mark).count());
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter.unwrap_or(b','))
        .flexible(true)
        .from_reader(source.text.as_bytes());
    let wrong = |error: &::csv::Error| {
        let line = error.position().map_or(1, ::csv::Position::line);
        let at = source.at(usize::try_from(line).unwrap_or(usize::MAX));
        Diagnostic::error("import.unreadable", at, format!("the file cannot be read as CSV: {error}"))
    };
    let names: Vec<String> =
        reader.headers().map_err(|error| wrong(&error))?.iter().map(str::to_owned).collect();
    let mut rows = vec![];
    for record in reader.records().take(MOST_ROWS) {
        let record = record.map_err(|error| wrong(&error))?;
        let line = record.position().map_or(1, ::csv::Position::line);
        let cells = names.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
        rows.push(Row { at: source.at(usize::try_from(line).unwrap_or(usize::MAX)), cells });
    }
    Ok(rows)
}

fn detect(source: &Source) -> Option<String> {
    let first = source.text.lines().next()?;
    if !matches!(source.ending().as_str(), "csv" | "tsv" | "txt" | "") || !first.contains([',', ';', '\t']) {
        return None;
    }
    let names = rows(source).ok()?.first()?.cells.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let known = names.iter().find(|name| holds(name) == Some("prompt") || name.starts_with("__expected"))?;
    Some(format!("it has a column `{known}`"))
}

fn read(sources: &[Source], _near: Beside<'_>, draft: &mut Draft) -> Result<(), Diagnostic> {
    for source in sources {
        let rows = rows(source)?;
        for row in &rows {
            if !draft.has_room() {
                draft.told(Mapped::new("row", &row.at, "").lost("there are more rows than a suite may hold"));
                break;
            }
            draft.cases.push(case(row));
        }
    }
    Ok(())
}

fn case(row: &Row) -> Case {
    let cell = |wanted: &str| {
        let mut cells = row.cells.iter().filter(|(_, text)| !text.trim().is_empty());
        cells.find(|(name, _)| holds(name) == Some(wanted)).map(|(_, text)| text.trim())
    };
    let special = |wanted: &str| {
        row.cells.iter().find(|(name, _)| name == wanted).map_or("", |(_, text)| text.as_str())
    };
    let vars = plain(&row.cells);
    let only = row
        .cells
        .iter()
        .filter(|(name, text)| !name.starts_with("__") && !text.trim().is_empty())
        .collect::<Vec<_>>();
    let question = cell("prompt").or_else(|| match only.as_slice() {
        [(_, text)] => Some(text.trim()),
        _ => None,
    });
    let mut case = Case::new(cell("id").or(question).unwrap_or_default(), &row.at);
    if let Some(question) = question {
        case.turns.push(format!("{}{question}{}", special("__prefix"), special("__suffix")));
    }
    let mut used: Vec<&str> = vec![];
    for (name, text) in row.cells.iter().filter(|(_, text)| !text.trim().is_empty()) {
        let known = holds(name);
        let part = |kind: &str| Mapped::new(kind, &row.at, text.trim());
        match known {
            Some(kind) if used.contains(&kind) && kind != "tags" => {
                case.told(Mapped::new("column", &row.at, name).lost(format!("another column is the {kind}")));
            }
            Some("prompt") => case.told(part("prompt").exact("prompt")),
            Some("id") => case.told(part("id").exact("id")),
            Some("expected") => {
                let check = expect::states(text);
                let why = "the answer must state it, in whatever sentence";
                case.check(part("expected").near(expect::name(&check), why), check);
            }
            Some("tools") => tools(part("tools"), text, cell("arguments"), &mut case),
            Some("arguments") => arguments(part("arguments"), text, cell("tools"), &mut case),
            Some("not_tools") => {
                let checks = split(text).iter().map(|name| json!({"tool_not_called": name})).collect();
                case.check(part("not_tools").exact("tool_not_called"), expect::all(checks));
            }
            Some("tags") => {
                case.tags.extend(split(text));
                case.told(part("tags").exact("tags"));
            }
            Some(_) => {}
            None => column(name, text, row, &vars, &mut case),
        }
        used.extend(known);
    }
    case
}

/// promptfoo's columns, and those that nobody knows.
fn column(name: &str, text: &str, row: &Row, vars: &Vars, case: &mut Case) {
    let part = |kind: &str| Mapped::new(kind, &row.at, text.trim());
    if let Some(key) = name.strip_prefix("__metadata:") {
        case.tags.push(format!("{}={}", key.trim_end_matches("[]"), text.trim()));
        case.told(part("tags").exact("tags"));
    } else if name.strip_prefix("__expected").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit())) {
        asserts::take(&Node::on_line(&expected(text), &row.at), (vars, None), case);
    } else if name == "__threshold" {
        case.told(part(name).near("expect", "every expectation must hold here, which is stricter"));
    } else if matches!(name, "__prefix" | "__suffix") {
        case.told(part("__prefix").exact("prompt"));
    } else if case.turns.first().map(String::as_str) != Some(text.trim()) {
        case.told(
            Mapped::new("column", &row.at, name)
                .lost("no column of this name is known; rename it if it matters"),
        );
    }
}

fn tools(part: Mapped, text: &str, arguments: Option<&str>, case: &mut Case) {
    let names = split(text);
    let ordered = text.contains('>') && names.len() > 1;
    let given =
        arguments.filter(|_| names.len() == 1).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let check = match given.filter(Value::is_object) {
        Some(given) => expect::called(&names[0], Some(expect::among(&given)), None),
        None if ordered => expect::order(&names),
        None => expect::all(names.iter().map(|name| expect::called(name, None, None)).collect()),
    };
    case.check(part.exact(expect::name(&check)), check);
}

fn arguments(part: Mapped, text: &str, tools: Option<&str>, case: &mut Case) {
    let object = serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object());
    case.told(match tools.map(split).as_deref() {
        Some([_]) if object => part.exact("tool_called"),
        Some([_]) => part.lost("it is no JSON object"),
        _ => part.lost("arguments belong to one tool"),
    });
}

/// Names divided by `,`, `;`, `|`, `>` or `->`.
fn split(text: &str) -> Vec<String> {
    let parts = text.trim_matches(['[', ']']).split([',', ';', '|', '>']);
    let bare = |part: &str| part.trim().trim_end_matches('-').trim_matches(['"', '\'', ' ']).to_owned();
    parts.map(bare).filter(|part| !part.is_empty()).collect()
}

/// The columns that are variables.
fn plain(cells: &[(String, String)]) -> Vars {
    let cells = cells.iter().filter(|(name, _)| !name.starts_with("__"));
    Vars::from_map(cells.map(|(name, text)| (name.clone(), json!(text))).collect())
}

/// A row as a test of promptfoo.
pub(super) fn test(cells: &[(String, String)]) -> Value {
    let (mut vars, mut asserts, mut metadata) = (Map::new(), vec![], Map::new());
    let mut test = Map::new();
    for (name, text) in cells.iter().filter(|(_, text)| !text.is_empty()) {
        if let Some(key) = name.strip_prefix("__metadata:") {
            metadata.insert(key.trim_end_matches("[]").to_owned(), json!(text));
        } else if name.strip_prefix("__expected").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()))
        {
            asserts.push(expected(text));
        } else if name == "__description" {
            test.insert("description".to_owned(), json!(text));
        } else if name == "__threshold" {
            test.insert("threshold".to_owned(), json!(text));
        } else if name.starts_with("__") {
            test.insert(name.clone(), json!(text));
        } else {
            vars.insert(name.clone(), json!(text));
        }
    }
    test.insert("vars".to_owned(), vars.into());
    test.insert("assert".to_owned(), asserts.into());
    if !metadata.is_empty() {
        test.insert("metadata".to_owned(), metadata.into());
    }
    test.into()
}

/// What an `__expected` cell says: `type: value`, `type(threshold): value`, or a value that the answer must equal.
fn expected(cell: &str) -> Value {
    let cell = cell.trim();
    let (head, value) = cell.split_once(':').unwrap_or((cell, ""));
    let (kind, threshold) = match head.split_once('(') {
        Some((kind, rest)) => (kind, rest.trim_end_matches(')').parse::<f64>().ok()),
        None => (head, None),
    };
    let kind = kind.trim();
    let kind = match kind {
        "fn" | "eval" => "javascript",
        "grade" => "llm-rubric",
        kind => kind,
    };
    let typed =
        cell.contains(':') && is_type(kind) || matches!(kind, "is-json" | "contains-json" | "not-is-json");
    if !typed {
        return json!({"type": "equals", "value": cell});
    }
    let value = value.trim();
    let mut map = Map::new();
    map.insert("type".to_owned(), json!(kind));
    if kind.ends_with("contains-any") || kind.ends_with("contains-all") {
        map.insert("value".to_owned(), json!(value.split(',').map(str::trim).collect::<Vec<_>>()));
    } else if matches!(kind, "latency" | "cost") {
        map.extend(value.parse::<f64>().ok().map(|most| ("threshold".to_owned(), json!(most))));
    } else if !value.is_empty() {
        // Schemas and expectations of tools are JSON.
        let parsed =
            serde_json::from_str::<Value>(value).ok().filter(|value| value.is_object() || value.is_array());
        map.insert("value".to_owned(), parsed.unwrap_or_else(|| json!(value)));
    }
    map.extend(threshold.map(|threshold| ("threshold".to_owned(), json!(threshold))));
    map.into()
}

/// Whether a word is a type of assertion and not the beginning of an answer such as `Note: yes`.
fn is_type(word: &str) -> bool {
    let word = word.strip_prefix("not-").unwrap_or(word);
    let single = [
        "equals",
        "contains",
        "icontains",
        "regex",
        "similar",
        "factuality",
        "javascript",
        "python",
        "latency",
        "cost",
        "webhook",
        "perplexity",
        "levenshtein",
    ];
    single.contains(&word)
        || (word.contains(['-', ':'])
            && !word.contains(char::is_whitespace)
            && word.chars().all(|c| c.is_ascii_lowercase() || "-:0123456789".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_say_what_is_expected() {
        for (cell, wanted) in [
            ("Paris", json!({"type": "equals", "value": "Paris"})),
            ("contains: Hello", json!({"type": "contains", "value": "Hello"})),
            ("not-icontains:error", json!({"type": "not-icontains", "value": "error"})),
            (
                "similar(0.8):Hello there",
                json!({"type": "similar", "value": "Hello there", "threshold": 0.8}),
            ),
            ("contains-any: a, b", json!({"type": "contains-any", "value": ["a", "b"]})),
            ("latency: 500", json!({"type": "latency", "threshold": 500.0})),
            ("is-json", json!({"type": "is-json"})),
            ("Note: it is late", json!({"type": "equals", "value": "Note: it is late"})),
            ("fn: output.length < 10", json!({"type": "javascript", "value": "output.length < 10"})),
        ] {
            assert_eq!(expected(cell), wanted, "{cell}");
        }
    }
}
