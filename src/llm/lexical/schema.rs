//! The parameters of a tool, read from its input schema: references resolved, `null` alternatives left out.

use serde_json::Value;

use super::tokenise::{stem, words};
use crate::llm::ToolOffer;

/// How deep references and alternatives are followed.
const DEPTH: usize = 8;

/// One parameter.
pub(super) struct Param<'a> {
    /// Its name in the schema.
    pub(super) name: &'a str,
    /// Its own schema.
    pub(super) schema: &'a Value,
    /// Whether a call without it is wrong.
    pub(super) required: bool,
    /// The stems of its name, stop words included: `from` and `to` are names too.
    pub(super) name_stems: Vec<String>,
    /// What its description says.
    pub(super) description: &'a str,
}

/// What kind of value a schema asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    List,
    Object,
}

impl Param<'_> {
    /// What kind of value it takes.
    pub(super) fn kind(&self) -> Kind {
        kind(self.schema)
    }

    /// Whether it names one thing: `id`, `order_id`, `orderId`.
    pub(super) fn is_id(&self) -> bool {
        self.name_stems.last().is_some_and(|last| last == "id")
    }

    /// Whether it takes free words to search for.
    pub(super) fn is_query(&self) -> bool {
        const NAMES: [&str; 9] =
            ["query", "q", "search", "keyword", "term", "text", "question", "phras", "topic"];
        self.kind() == Kind::Text && self.name_stems.iter().any(|stem| NAMES.contains(&stem.as_str()))
    }
}

/// The parameters of a tool in the order of the schema, required ones first.
pub(super) fn params(tool: &ToolOffer) -> Vec<Param<'_>> {
    properties(&tool.schema, &tool.schema)
}

/// The same of an object inside a schema.
pub(super) fn properties<'a>(object: &'a Value, root: &'a Value) -> Vec<Param<'a>> {
    let required: Vec<&str> = object
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut params: Vec<Param<'a>> = object
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let resolved = resolve(schema, root, DEPTH);
            let text = |schema: &'a Value| schema.get("description").and_then(Value::as_str);
            Param {
                name,
                schema: resolved,
                required: required.contains(&name.as_str()),
                name_stems: words(name).into_iter().map(|word| stem(&word.text)).collect(),
                description: text(schema).or_else(|| text(resolved)).unwrap_or_default(),
            }
        })
        .collect();
    params.sort_by_key(|param| !param.required);
    params
}

/// Follows local references and picks the first alternative that is not `null`.
pub(super) fn resolve<'a>(schema: &'a Value, root: &'a Value, depth: usize) -> &'a Value {
    if depth == 0 {
        return schema;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#')) {
        return root.pointer(target).map_or(schema, |target| resolve(target, root, depth - 1));
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        let alternatives = schema.get(key).and_then(Value::as_array).into_iter().flatten();
        for alternative in alternatives {
            if alternative.get("type").and_then(Value::as_str) != Some("null") {
                return resolve(alternative, root, depth - 1);
            }
        }
    }
    schema
}

/// What kind of value a resolved schema asks for; text when it does not say.
pub(super) fn kind(schema: &Value) -> Kind {
    let name = match schema.get("type") {
        Some(Value::String(name)) => name.as_str(),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default()
        }
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    };
    match name {
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "boolean" => Kind::Boolean,
        "array" => Kind::List,
        "object" => Kind::Object,
        _ => Kind::Text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_and_nulls_are_seen_through() {
        let schema = json!({
            "type": "object", "required": ["b"],
            "properties": {
                "a": {"anyOf": [{"type": "null"}, {"type": "integer"}], "description": "A count."},
                "b": {"$ref": "#/$defs/Unit"},
                "c": {"type": ["number", "null"]},
                "d": {"$ref": "#/properties/d"},
            },
            "$defs": {"Unit": {"type": "string", "enum": ["c", "f"], "description": "The unit."}},
        });
        let tool =
            ToolOffer { name: "t".into(), tool: None, title: None, description: String::new(), schema };
        let found: Vec<_> =
            params(&tool).iter().map(|p| format!("{} {:?} {}", p.name, p.kind(), p.description)).collect();
        assert_eq!(found, ["b Text The unit.", "a Integer A count.", "c Number ", "d Text "]);
    }
}
