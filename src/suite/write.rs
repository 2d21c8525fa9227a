//! Suites as text: values with comments become YAML that reads back to the same values. Pure.
//!
//! Values come from servers and files of others. Every text stands on one line, plain where no YAML reader can take it for
//! anything else and in double quotes with escapes otherwise, or in a literal block; no comment reaches a second line.

use serde_json::{Map, Value};

use crate::display;

/// Columns that a line is kept to where it can be broken.
const WIDTH: usize = 110;

/// YAML readers take longer keys only with a question mark before them.
const LONGEST_KEY: usize = 1000;

/// What stands behind a key, or behind the dash of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A value: on one line where it fits, else a line or more for each of its parts.
    Value(Value),
    /// A map, a line or more for each key.
    Map(Vec<Part>),
    /// A list, a line or more for each item.
    List(Vec<Part>),
}

impl Node {
    /// A value whose own parts get a line or more each, however short it is.
    pub fn block(value: Value) -> Self {
        match value {
            Value::Object(map) => {
                Self::Map(map.into_iter().map(|(key, value)| Part::of(&key, value)).collect())
            }
            Value::Array(items) => Self::List(items.into_iter().map(Part::item).collect()),
            value => Self::Value(value),
        }
    }

    /// A list of nodes.
    pub fn list(nodes: impl IntoIterator<Item = Self>) -> Self {
        Self::List(nodes.into_iter().map(Part::item).collect())
    }
}

impl<T: Into<Value>> From<T> for Node {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

/// An entry of a map or an item of a list, with its comments.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    key: Option<String>,
    /// Nothing: only comments stand here.
    node: Option<Node>,
    above: Vec<String>,
    beside: Option<String>,
    gap: bool,
    off: bool,
}

impl Part {
    /// An entry of a map.
    pub fn of(key: &str, node: impl Into<Node>) -> Self {
        Self { key: Some(key.to_owned()), ..Self::item(node) }
    }

    /// An item of a list.
    pub fn item(node: impl Into<Node>) -> Self {
        Self { node: Some(node.into()), ..Self::remark("") }
    }

    /// A comment that belongs to nothing; an empty one is nothing at all.
    pub fn remark(text: &str) -> Self {
        let above = if text.is_empty() { vec![] } else { vec![text.to_owned()] };
        Self { key: None, node: None, above, beside: None, gap: false, off: false }
    }

    /// A comment on lines of its own before it; a second one follows the first.
    #[must_use]
    pub fn above(mut self, comment: impl Into<String>) -> Self {
        self.above.push(comment.into());
        self
    }

    /// A comment at the end of its first line.
    #[must_use]
    pub fn beside(mut self, comment: impl Into<String>) -> Self {
        self.beside = Some(comment.into());
        self
    }

    /// An empty line before it.
    #[must_use]
    pub fn gap(mut self) -> Self {
        self.gap = true;
        self
    }

    /// No empty line before it.
    #[must_use]
    pub fn tight(mut self) -> Self {
        self.gap = false;
        self
    }

    /// Written as a comment, for the reader to switch on.
    #[must_use]
    pub fn off(mut self) -> Self {
        self.off = true;
        self
    }

    /// Whether a reader of the YAML finds anything here.
    fn counts(&self) -> bool {
        self.node.is_some() && !self.off
    }
}

/// A whole document: the entries of its map.
pub fn document(parts: &[Part]) -> String {
    let mut out = String::new();
    entries(parts, 0, &mut out);
    out
}

/// The items of a list whose dashes stand behind so many spaces.
pub fn items(parts: &[Part], indent: usize) -> String {
    let mut out = String::new();
    for part in parts {
        write(part, indent, true, &mut out);
    }
    out
}

fn entries(parts: &[Part], indent: usize, out: &mut String) {
    for part in parts {
        write(part, indent, false, out);
    }
}

fn write(part: &Part, indent: usize, dash: bool, out: &mut String) {
    if part.gap && !out.is_empty() {
        out.push('\n');
    }
    let pad = " ".repeat(indent);
    for comment in &part.above {
        for line in remark(comment, WIDTH.saturating_sub(indent + 2).max(40)) {
            out.push_str(format!("{pad}# {line}").trim_end());
            out.push('\n');
        }
    }
    let Some(node) = &part.node else { return };
    if part.off {
        let bare = Part { above: vec![], gap: false, off: false, ..part.clone() };
        let mut text = String::new();
        write(&bare, 0, dash, &mut text);
        for line in text.lines() {
            out.push_str(format!("{pad}# {line}").trim_end());
            out.push('\n');
        }
        return;
    }
    let beside = part.beside.as_deref().map(|text| format!("   # {}", display::safe_line(text)));
    let beside = beside.unwrap_or_default();
    let node = laid_out(node, indent + part.key.as_ref().map_or(2, |key| key.len() + 2));
    if dash {
        let mut inner = String::new();
        match &node {
            Node::Map(parts) if parts.iter().any(Part::counts) => entries(parts, indent + 2, &mut inner),
            Node::List(parts) if parts.iter().any(Part::counts) => {
                inner.push_str(&items(parts, indent + 2));
            }
            node => inner = format!("{pad}  {}\n", inline(node, indent + 2, &beside)),
        }
        // The first line of what is inside stands behind the dash.
        let inner = inner.trim_start_matches('\n');
        out.push_str(&format!("{pad}- {}", inner.get(indent + 2..).unwrap_or_default()));
        return;
    }
    let key = part.key.as_deref().unwrap_or_default();
    let key = if key.len() > LONGEST_KEY {
        format!("{pad}? {}\n{pad}:", quoted(key))
    } else {
        format!("{pad}{}:", scalar(key, true))
    };
    match &node {
        Node::Map(parts) if parts.iter().any(Part::counts) => {
            out.push_str(&format!("{key}{beside}\n"));
            entries(parts, indent + 2, out);
        }
        Node::List(parts) if parts.iter().any(Part::counts) => {
            out.push_str(&format!("{key}{beside}\n"));
            out.push_str(&items(parts, indent + 2));
        }
        node => out.push_str(&format!("{key} {}\n", inline(node, indent + 2, &beside))),
    }
}

/// A value that is too long for the line, as the map or list it is.
fn laid_out(node: &Node, before: usize) -> Node {
    match node {
        Node::Value(value @ (Value::Object(_) | Value::Array(_)))
            if before + flow(value).chars().count() > WIDTH =>
        {
            Node::block(value.clone())
        }
        node => node.clone(),
    }
}

/// What stands on the line of the key or the dash, comment included; a literal block goes on below.
fn inline(node: &Node, indent: usize, beside: &str) -> String {
    match node {
        Node::Map(_) => format!("{{}}{beside}"),
        Node::List(_) => format!("[]{beside}"),
        Node::Value(Value::String(text)) => match literal(text, indent) {
            Some((mark, lines)) => format!("{mark}{beside}\n{lines}"),
            None => format!("{}{beside}", scalar(text, false)),
        },
        Node::Value(value) => format!("{}{beside}", flow(value)),
    }
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text, true),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| {
                let mark = if key.len() > LONGEST_KEY { "? " } else { "" };
                format!("{mark}{}: {}", scalar(key, true), flow(value))
            };
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A text plainly where that is safe, else in double quotes.
fn scalar(text: &str, flow: bool) -> String {
    if is_plain(text, flow) { text.to_owned() } else { quoted(text) }
}

/// Whether every YAML reader takes the bare text for this text.
fn is_plain(text: &str, flow: bool) -> bool {
    const WORDS: [&str; 12] =
        ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity"];
    let file = text.strip_prefix('.').is_some_and(|rest| {
        rest.starts_with(char::is_alphabetic) && !["inf", "nan"].contains(&rest.to_lowercase().as_str())
    });
    let begins = text.starts_with(char::is_alphabetic) || file || (text.starts_with('/') && !flow);
    let bears = |c: char| {
        c.is_alphanumeric()
            || " _-./()'+%?!;=".contains(c)
            || (!flow && matches!(c, ',' | '$' | '"' | '&' | '€'))
            || (!flow && c == ':' && !text.contains(": ") && !text.ends_with(':'))
    };
    begins
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_lowercase().as_str())
        && text.chars().all(bears)
        && !text.chars().any(display::is_unsafe)
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c if u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Whether a character may stand in YAML as it is and shows what it is.
fn is_printable(c: char) -> bool {
    let odd = matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    !c.is_control() && !odd && !display::is_unsafe(c)
}

/// A text of several lines as a literal block: its mark, and its lines without the last line feed.
fn literal(text: &str, indent: usize) -> Option<(&'static str, String)> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let good = body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\n'])
        && body.chars().all(|c| c == '\n' || is_printable(c))
        && body.lines().all(|line| !line.ends_with(' '));
    if !good {
        return None;
    }
    let pad = " ".repeat(indent);
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{pad}{line}") };
    let lines: Vec<String> = body.split('\n').map(line).collect();
    Some((if body.len() == text.len() { "|-" } else { "|" }, lines.join("\n")))
}

/// A comment in lines of at most so many columns where its words allow that.
fn remark(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![];
    for paragraph in text.split('\n') {
        let safe = display::safe_line(paragraph);
        if safe.chars().count() <= width {
            lines.push(safe);
            continue;
        }
        let mut line = String::new();
        for word in safe.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// An object of these entries, in their order.
pub fn object<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::suite::yaml;

    fn read(text: &str) -> Value {
        yaml::from_text(&Arc::from("written.yaml"), text)
            .unwrap_or_else(|error| panic!("{}\n{text}", error.message))
    }

    #[test]
    fn comments_and_values_take_their_places() {
        let case = Node::Map(vec![
            Part::of("id", "late-order"),
            Part::of("prompt", "When will it arrive?\nI need it soon."),
            Part::of(
                "expect",
                Node::list([Node::from(
                    json!({"tool_called": {"name": "get_order", "args": {"id": 1042, "at": "12:30"}}}),
                )]),
            ),
            Part::of("tags", json!(["a", "no", "1"])),
        ]);
        let other = Node::block(json!({"id": "second", "prompt": "x: y", "expect": [{"max_calls": 0}]}));
        let text = document(&[
            Part::remark("yaml-language-server: $schema=x"),
            Part::of("version", 1),
            Part::of("description", "What it is about, in short.").beside("one line"),
            Part::of(
                "target",
                json!({"command": ["sh", "-c", "exec \"$0\"", "x".repeat(60), "y".repeat(30)]}),
            )
            .gap(),
            Part::of("models", json!(["lexical"]))
                .above("No key needed.")
                .above("Others: see the documentation."),
            Part::of("max_cost", 2.5).off(),
            Part::of(
                "cases",
                Node::List(vec![
                    Part::item(case).above("Kept."),
                    Part::item(other).gap(),
                    Part::item(Node::block(json!({"id": "off", "n": 1}))).off().above("Dropped: it failed."),
                ]),
            )
            .gap(),
            Part::of("access", Node::Map(vec![Part::remark("nothing yet")])).gap(),
        ]);
        insta::assert_snapshot!(text);
        assert_eq!(read(&text)["cases"][0]["prompt"], "When will it arrive?\nI need it soon.");
        assert_eq!(read(&text)["cases"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn hostile_texts_stay_where_they_are() {
        let texts: Vec<&str> = vec![
            "",
            " ",
            "no",
            "~",
            "null",
            "1e5",
            "0x1f",
            "2026-01-01",
            "<<",
            "- x",
            "# x",
            "a: b",
            "a #b",
            "a:",
            "{",
            "'",
            "\"",
            "\\",
            "|",
            "a\nb",
            "a\n b\n",
            "\na",
            "a\n\n",
            "a\r\nb",
            "\u{85}x",
            "\u{2028}",
            "\u{202e}evil",
            "\u{feff}",
            "\u{0}",
            "\u{7f}",
            "\u{1f600}",
            "*a",
            "&a",
            "!t",
            "%d",
            "@x",
            "`",
            "---",
            "...",
            "? x",
            "a\tb",
            "tail ",
            ".inf",
            ".NaN",
            ".mcp.json",
            "${HOME}",
            "é: ü",
        ];
        let long = "k".repeat(2000);
        let map: Map<String, Value> =
            texts.iter().copied().chain([long.as_str()]).map(|t| (t.to_owned(), json!(t))).collect();
        for value in
            [json!({"list": texts}), json!({"map": map}), json!({"deep": [[texts], {"x": [{"y": texts}]}]})]
        {
            let comments = texts.join("\n");
            for node in [Node::from(value.clone()), Node::block(value.clone())] {
                let part = Part::of("all", node).above(comments.clone()).beside("x\ny\u{2028}z: w");
                let text = document(&[part.clone(), Part { key: Some("more".into()), ..part.off() }]);
                assert_eq!(read(&text)["all"], value, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in any_value(), comment in ".*") {
            let text = document(&[
                Part::of("flow", value.clone()).above(comment.clone()),
                Part::of("block", Node::block(value.clone())).beside(comment.clone()),
                Part::of("list", Node::List(vec![Part::item(value.clone()).above(comment), Part::item(Node::block(value.clone()))])),
            ]);
            let read = read(&text);
            prop_assert_eq!(&read["flow"], &value, "{}", text);
            prop_assert_eq!(&read["block"], &value, "{}", text);
            prop_assert_eq!(&read["list"], &json!([value, value]), "{}", text);
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let word = prop_oneof![".*", "[a-z:# \\-\n,\\[\\]{}'\"]{0,12}", "[ \na-c]{0,9}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(|number: f64| json!(number)),
            word.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::vec((word.clone(), inner), 0..5)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }
}
