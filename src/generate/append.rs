//! Cases at the end of a suite that a person wrote: its text, comments and order stay as they are. Pure.

use std::sync::Arc;

use serde_json::Value;

use crate::suite::write::{Part, items};
use crate::suite::yaml;

/// Why cases cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAppended {
    /// Not a suite.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// `cases` is written on one line, through an alias, or in another way that has no end to add to.
    #[error("its `cases` are not a plain list with a line for each dash")]
    Shape,
}

/// The text with the cases at the end of `cases:`. Whatever the text looks like, the result holds what it held before
/// and the new cases, or it is an error.
pub fn append(text: &str, parts: &[Part]) -> Result<String, NotAppended> {
    let file: Arc<str> = Arc::from("suite.yaml");
    let read = |text: &str| {
        yaml::from_text::<Value>(&file, text).map_err(|error| NotAppended::Unreadable(error.message))
    };
    let before = read(text)?;
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: Vec<&str> = text.lines().collect();
    let Place { at, indent, head } = place(&lines, before.get("cases"))?;
    let added = items(parts, indent);
    let mut out: Vec<&str> = lines[..at].to_vec();
    if let Some((line, with)) = head {
        match line {
            Some(line) => out[line] = with,
            None => out.extend(["", with]),
        }
    }
    out.extend(added.lines());
    out.extend(&lines[at..]);
    let mut result = out.join(line_end);
    result.push_str(line_end);
    let after = read(&result).map_err(|_| NotAppended::Shape)?;
    let new = read(&format!("cases:\n{}", items(parts, 2)))?;
    let list = |value: &Value| value.get("cases").and_then(Value::as_array).cloned().unwrap_or_default();
    let expected: Vec<Value> = list(&before).into_iter().chain(list(&new)).collect();
    let rest = |value: &Value| {
        let mut value = value.clone();
        if let Some(map) = value.as_object_mut() {
            map.remove("cases");
        }
        value
    };
    if list(&after) == expected && rest(&after) == rest(&before) {
        Ok(result)
    } else {
        Err(NotAppended::Shape)
    }
}

struct Place {
    /// Before this line.
    at: usize,
    /// Spaces before the dashes.
    indent: usize,
    /// A line that becomes `cases:`, or that one at the end.
    head: Option<(Option<usize>, &'static str)>,
}

fn place(lines: &[&str], cases: Option<&Value>) -> Result<Place, NotAppended> {
    let none = cases.is_none_or(|cases| cases.as_array().is_some_and(Vec::is_empty) || cases.is_null());
    let Some(key) = lines.iter().position(|line| line.starts_with("cases:")) else {
        let end = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
        return if cases.is_none() {
            Ok(Place { at: end, indent: 2, head: Some((None, "cases:")) })
        } else {
            Err(NotAppended::Shape)
        };
    };
    if none {
        return Ok(Place { at: key + 1, indent: 2, head: Some((Some(key), "cases:")) });
    }
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let first = lines.iter().skip(key + 1).find(|line| !blank(line)).ok_or(NotAppended::Shape)?;
    let indent = first.len() - first.trim_start().len();
    if !first.trim_start().starts_with("- ") {
        return Err(NotAppended::Shape);
    }
    // The next key of the document ends the list; comments right above belong to that key.
    let outside = |line: &&str| !blank(line) && !line.starts_with([' ', '-']);
    let end = (key + 1..lines.len()).find(|&at| outside(&lines[at])).unwrap_or(lines.len());
    let last = (key + 1..end).rev().find(|&at| !blank(lines[at])).ok_or(NotAppended::Shape)?;
    Ok(Place { at: last + 1, indent, head: None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::suite::write::Node;

    fn case(id: &str) -> Part {
        Part::item(Node::block(json!({"id": id, "prompt": "x: y"})))
    }

    #[test]
    fn cases_go_to_the_end_and_nothing_else_changes() {
        let text = "# mine\nversion: 1   # first\ncases:\n  # one\n  - id: a\n    prompt: |-\n      text\n\n      more\n\n# the gate\ngate: {mode: pr}\n";
        let out = append(text, &[case("b")]).unwrap();
        insta::assert_snapshot!(out, @r#"
        # mine
        version: 1   # first
        cases:
          # one
          - id: a
            prompt: |-
              text

              more
          - id: b
            prompt: "x: y"

        # the gate
        gate: {mode: pr}
        "#);
    }

    #[test]
    fn every_plain_shape_can_be_added_to() {
        for text in [
            "version: 1\ncases:\n- id: a\n",
            "version: 1\ncases:\n- id: a",
            "version: 1\r\ncases:\r\n    - id: a\r\ngate: {}\r\n",
            "version: 1\n",
            "version: 1\ncases: []\n",
            "version: 1\ncases: []  # none yet\nname: x\n",
            "cases:\n  - id: a\n    prompt: 'cases:'\nversion: 1",
        ] {
            let out = append(text, &[case("b"), case("c")]).unwrap();
            assert!(out.contains("id: c") && out.ends_with('\n'), "{out}");
            assert_eq!(out.contains("\r\n"), text.contains("\r\n"));
        }
    }

    #[test]
    fn what_has_no_end_is_refused() {
        for text in [
            "version: 1\ncases: [{id: a}]\n",
            "x: &a [{id: a}]\ncases: *a\n",
            "{cases: [{id: a}]}\n",
            "a: [\n",
            "cases: 7\n",
        ] {
            assert!(append(text, &[case("b")]).is_err(), "{text}");
        }
    }
}
