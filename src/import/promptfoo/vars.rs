//! Variables of a test: what a list stands for, and templates with them filled in.

use serde_json::{Map, Value, json};

use super::super::draft::Mapped;
use super::super::node::Node;
use super::super::source::{Near, Source};

/// Most combinations of one test.
const MOST: usize = 500;

/// One value for each variable.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Vars(Map<String, Value>);

impl Vars {
    /// Every combination: a list stands for each of its values. Later layers win.
    pub(super) fn of(layers: &[&Node], source: &Source, near: Near<'_>, lost: &mut Vec<Mapped>) -> Vec<Self> {
        let mut all: Vec<(String, Vec<Value>)> = vec![];
        for vars in layers.iter().filter_map(|layer| layer.get("vars")) {
            for (name, node) in vars.entries() {
                let values = match node.is_list() {
                    true => node.items().iter().map(Node::value).collect(),
                    false => vec![node.value()],
                };
                let values: Vec<Value> =
                    values.into_iter().map(|value| from_file(value, source, near)).collect();
                if values.iter().any(|value| value.as_str().is_some_and(|text| text.starts_with("file://"))) {
                    lost.push(
                        Mapped::new("vars", &node.at, name)
                            .lost("the file that it names cannot be read here"),
                    );
                }
                match all.iter_mut().find(|(known, _)| known == name) {
                    Some((_, known)) => *known = values,
                    None => all.push((name.clone(), values)),
                }
            }
            if vars.text().is_some() {
                lost.push(
                    Mapped::new("vars", &vars.at, vars.text().unwrap_or_default())
                        .lost("write the variables out"),
                );
            }
        }
        let mut combinations = vec![Map::new()];
        for (name, values) in all.iter().filter(|(_, values)| !values.is_empty()) {
            let with = |known: &Map<String, Value>, value: &Value| {
                let mut next = known.clone();
                next.insert(name.clone(), value.clone());
                next
            };
            combinations = combinations
                .iter()
                .flat_map(|known| values.iter().map(move |value| with(known, value)))
                .take(MOST + 1)
                .collect();
        }
        if combinations.len() > MOST {
            combinations.truncate(MOST);
            if let Some(vars) = layers.iter().rev().find_map(|layer| layer.get("vars")) {
                lost.push(
                    Mapped::new("vars", &vars.at, "")
                        .lost(format!("more than {MOST} combinations; the first are kept")),
                );
            }
        }
        combinations.into_iter().map(Self).collect()
    }

    /// The variables of a map.
    pub(in super::super) fn from_map(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// The value that most likely holds the question, where no prompt says so.
    pub(super) fn question(&self) -> Option<String> {
        let names = ["prompt", "question", "query", "input", "message", "request", "user", "text", "task"];
        let named = names.into_iter().find_map(|name| self.0.get(name)?.as_str());
        let only = || self.0.values().next().filter(|_| self.0.len() == 1)?.as_str();
        named.or_else(only).map(str::to_owned)
    }

    /// A name for a case: its question, else its first text.
    pub(super) fn name(&self) -> Option<String> {
        self.question().or_else(|| self.0.values().find_map(|value| value.as_str().map(str::to_owned)))
    }

    /// A template filled in. One that is a variable alone has that variable's value, whatever its type.
    pub(super) fn value(&self, template: &str) -> Result<Value, String> {
        let whole = template.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        if let Some(found) = whole.and_then(|name| self.find(name.trim())).filter(|found| !found.is_string())
        {
            return Ok(found.clone());
        }
        self.fill(template).map(Value::String)
    }

    /// A template as text. Only plain variables are understood; the error says what is more than that.
    pub(super) fn fill(&self, template: &str) -> Result<String, String> {
        let mut text = template.to_owned();
        // Values may hold variables themselves; one that holds itself ends here.
        for _ in 0..4 {
            let (next, changed) = self.pass(&text)?;
            text = next;
            if !changed {
                return Ok(text);
            }
        }
        Err("its variables refer to each other".to_owned())
    }

    fn pass(&self, text: &str) -> Result<(String, bool), String> {
        if text.contains("{%") || text.contains("{#") {
            return Err("the template has logic, which is not carried out here".to_owned());
        }
        let (mut out, mut rest, mut changed) = (String::new(), text, false);
        while let Some((head, tail)) = rest.split_once("{{") {
            let Some((inner, after)) = tail.split_once("}}") else { break };
            let name = inner.trim().trim_matches('-').trim();
            if name.contains('|') || name.contains('(') {
                return Err(format!("the template uses `{name}`, which is not carried out here"));
            }
            let value = self.find(name).ok_or_else(|| format!("the variable `{name}` has no value"))?;
            out.push_str(head);
            match value {
                Value::String(value) => out.push_str(value),
                Value::Null => {}
                other => out.push_str(&other.to_string()),
            }
            (rest, changed) = (after, true);
            if out.len() > MAX_TEXT {
                return Err("the template grows beyond a mebibyte".to_owned());
            }
        }
        out.push_str(rest);
        Ok((out, changed))
    }

    /// A variable, or a member of one: `order.id`.
    fn find(&self, name: &str) -> Option<&Value> {
        let mut parts = name.split('.');
        let first = self.0.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }
}

/// Most bytes of a text that is filled in.
const MAX_TEXT: usize = 1 << 20;

/// A value, or the text or document of the file that it names.
fn from_file(value: Value, source: &Source, near: Near<'_>) -> Value {
    let named = value.as_str().and_then(|text| text.strip_prefix("file://"));
    let Some(found) = named.and_then(|name| near(source, name)) else { return value };
    match found.ending().as_str() {
        "txt" | "md" => json!(found.text.trim_end()),
        "json" | "yaml" | "yml" => found.tree().map(Node::value).unwrap_or(value),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_variables_are_filled_in() {
        let map = json!({"a": "x", "n": 3, "o": {"id": "7"}, "b": "<{{a}}>", "loop": "{{loop}}"});
        let Value::Object(map) = map else { panic!("a map") };
        let vars = Vars(map);
        assert_eq!(vars.fill("{{a}} {{ n }} {{o.id}} {{b}}").unwrap(), "x 3 7 <x>");
        assert_eq!(vars.value(" {{n}} ").unwrap(), json!(3));
        for wrong in ["{{gone}}", "{{a | upper}}", "{% if a %}b{% endif %}", "{{loop}}"] {
            assert!(vars.fill(wrong).is_err(), "{wrong}");
        }
        assert_eq!(vars.fill("{{a").unwrap(), "{{a");
    }
}
