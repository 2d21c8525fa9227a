//! Input schemas, and what output schemas share with them.

use serde_json::Value;

use super::Hit;
use crate::display::excerpt;
use crate::ids::ToolName;
use crate::mcp::subschemas::{MAPS, SCHEMAS};
use crate::surface::Listed;
use crate::surface::drift::{escaped, target};
use crate::transcript::ToolFact;

/// Levels of a schema that are looked into.
const DEPTH: usize = 40;
/// Levels that models and APIs bear.
const BEARABLE: usize = 5;
/// A larger schema is not checked against its meta-schema.
const SCHEMA_BYTES: usize = 1 << 20;

/// Keywords that say what kind of value is meant.
const KINDS: &[&str] = &["type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf", "not", "if"];

/// A schema inside a schema.
struct Part<'a> {
    at: String,
    schema: &'a Value,
    /// The name of the property that it is, if it is one.
    property: Option<&'a str>,
    /// Objects and lists around it.
    levels: usize,
}

/// Every schema inside one, itself included.
fn parts<'a>(schema: &'a Value, at: &str) -> Vec<Part<'a>> {
    let mut all = vec![Part { at: at.to_owned(), schema, property: None, levels: 1 }];
    let mut next = 0;
    while next < all.len() {
        let (here, schema, levels) = (all[next].at.clone(), all[next].schema, all[next].levels);
        next += 1;
        if here.len() > 4000 || levels > DEPTH {
            continue;
        }
        for (key, value) in schema.as_object().into_iter().flatten() {
            let place = format!("{here}/{}", escaped(key));
            match value {
                Value::Object(map) if MAPS.contains(&key.as_str()) => {
                    let deeper = levels + usize::from(key.ends_with("roperties"));
                    all.extend(map.iter().map(|(name, schema)| Part {
                        at: format!("{place}/{}", escaped(name)),
                        schema,
                        property: (key == "properties").then_some(name.as_str()),
                        levels: deeper,
                    }));
                }
                Value::Array(list) if SCHEMAS.contains(&key.as_str()) => {
                    all.extend(list.iter().enumerate().map(|(index, schema)| Part {
                        at: format!("{place}/{index}"),
                        schema,
                        property: None,
                        levels,
                    }));
                }
                Value::Object(_) if SCHEMAS.contains(&key.as_str()) => {
                    let levels = levels + usize::from(key == "items");
                    all.push(Part { at: place, schema: value, property: None, levels });
                }
                _ => {}
            }
        }
    }
    all
}

/// Holds every part of the input schemas against a rule.
fn each(listed: &Listed<'_>, wrong: impl Fn(&Part<'_>, &Value, &ToolName) -> Option<String>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for tool in listed.tools {
        let Some(root) = tool.raw.get("inputSchema") else { continue };
        for part in parts(root, "/inputSchema") {
            if let Some(detail) = wrong(&part, root, &tool.name) {
                hits.push(Hit::at(&tool.name, part.at, detail));
            }
        }
    }
    hits
}

fn describes(part: &Part<'_>, root: &Value) -> bool {
    let text = |schema: &Value| {
        schema.get("description").and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty())
    };
    let referred =
        || part.schema.get("$ref").and_then(Value::as_str).and_then(|to| target(to, root)).is_some_and(text);
    text(part.schema) || referred()
}

pub(super) fn root(listed: &Listed<'_>) -> Vec<Hit> {
    let wrong = |tool: &ToolFact| {
        let detail = match tool.raw.get("inputSchema") {
            None => "there is none".to_owned(),
            Some(Value::Object(map)) => match map.get("type") {
                Some(kind) if kind == "object" => return None,
                Some(kind) => format!("its type is {}", excerpt(&kind.to_string(), 40)),
                None => "it has no type".to_owned(),
            },
            Some(_) => "it is no JSON object".to_owned(),
        };
        Some(Hit::at(&tool.name, "/inputSchema", detail))
    };
    listed.tools.iter().filter_map(wrong).collect()
}

/// What the meta-schema says against a schema, if it is wrong.
pub(super) fn against_meta_schema(schema: &Value) -> Option<String> {
    if !schema.is_object() || schema.to_string().len() > SCHEMA_BYTES {
        return None;
    }
    // A dialect that nobody here knows can be neither right nor wrong.
    let known =
        schema.get("$schema").and_then(Value::as_str).is_none_or(|text| text.contains("//json-schema.org/"));
    if !known {
        return None;
    }
    let error = jsonschema::meta::validate(schema).err()?;
    let at = error.instance_path().to_string();
    Some(format!(
        "{}{}",
        if at.is_empty() { String::new() } else { format!("{}: ", excerpt(&at, 120)) },
        excerpt(&error.to_string(), 160)
    ))
}

/// References of a schema that cannot be followed.
pub(super) fn lost_references(root: &Value, at: &str) -> Vec<(String, String)> {
    let lost = |part: &Part<'_>| {
        let reference = part.schema.get("$ref")?.as_str()?;
        if target(reference, root).is_some() {
            return None;
        }
        let why = if reference.starts_with('#') { "leads nowhere" } else { "leads out of the schema" };
        Some((format!("{}/$ref", part.at), format!("`{}` {why}", excerpt(reference, 120))))
    };
    parts(root, at).iter().filter_map(lost).collect()
}

pub(super) fn invalid(listed: &Listed<'_>) -> Vec<Hit> {
    let wrong = |tool: &ToolFact| {
        Some(Hit::at(&tool.name, "/inputSchema", against_meta_schema(tool.raw.get("inputSchema")?)?))
    };
    listed.tools.iter().filter_map(wrong).collect()
}

pub(super) fn reference(listed: &Listed<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for tool in listed.tools {
        let Some(root) = tool.raw.get("inputSchema") else { continue };
        hits.extend(
            lost_references(root, "/inputSchema").into_iter().map(|(at, why)| Hit::at(&tool.name, at, why)),
        );
    }
    hits
}

pub(super) fn untyped(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |part, _, _| {
        let name = part.property?;
        let says = |map: &serde_json::Map<String, Value>| KINDS.iter().any(|key| map.contains_key(*key));
        let typed = part.schema.as_object().is_some_and(says);
        (!typed).then(|| format!("`{}` has no type", excerpt(name, 60)))
    })
}

pub(super) fn undescribed(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |part, root, _| {
        let name = part.property.filter(|_| !describes(part, root))?;
        Some(format!("`{}` has no description", excerpt(name, 60)))
    })
}

pub(super) fn required(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |part, _, _| {
        let map = part.schema.as_object()?;
        // Alternatives may require what the schema around them defines.
        let alone = part.property.is_some() || part.at == "/inputSchema" || map.contains_key("properties");
        if !alone || KINDS[3..].iter().any(|key| map.contains_key(*key)) {
            return None;
        }
        let properties = map.get("properties").and_then(Value::as_object);
        let names = map.get("required")?.as_array()?.iter().filter_map(Value::as_str);
        let unknown: Vec<String> = names
            .filter(|name| properties.is_none_or(|known| !known.contains_key(*name)))
            .take(5)
            .map(|name| format!("`{}`", excerpt(name, 60)))
            .collect();
        (!unknown.is_empty()).then(|| format!("{} not among the properties", unknown.join(", ")))
    })
}

pub(super) fn open(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |part, _, _| {
        let map = part.schema.as_object()?;
        let says = map.get("additionalProperties") == Some(&Value::Bool(true));
        (says && map.contains_key("properties")).then(|| "`additionalProperties` is true".to_owned())
    })
}

pub(super) fn deep(listed: &Listed<'_>) -> Vec<Hit> {
    let deepest = |tool: &ToolFact| {
        let part =
            parts(tool.raw.get("inputSchema")?, "/inputSchema").into_iter().max_by_key(|part| part.levels)?;
        // The levels of a value: the root object is the first.
        let levels = part.levels - 1;
        (levels > BEARABLE).then(|| Hit::at(&tool.name, part.at, format!("levels: {levels}")))
    };
    listed.tools.iter().filter_map(deepest).collect()
}

pub(super) fn enumerations(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |part, root, _| {
        let values = part.schema.get("enum")?.as_array()?.len();
        (values > 1 && part.property.is_some() && !describes(part, root))
            .then(|| format!("{values} values without a description"))
    })
}

pub(super) fn free_form(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |part, _, _| {
        let name = part.property?;
        let map = part.schema.as_object()?;
        let object = map.get("type").is_some_and(|kind| kind == "object");
        let known = [
            "properties",
            "patternProperties",
            "propertyNames",
            "$ref",
            "anyOf",
            "oneOf",
            "allOf",
            "enum",
            "const",
        ];
        let said = known.iter().any(|key| map.contains_key(*key));
        let typed = map
            .get("additionalProperties")
            .is_some_and(|more| more.as_object().is_some_and(|more| !more.is_empty()));
        (object && !said && !typed).then(|| format!("`{}` can hold anything", excerpt(name, 60)))
    })
}

/// Words that say where a value is from.
const FROM: &[&str] = &[
    "from", "return", "result", "list", "search", "get_", "find", "lookup", "given", "shown", "see ",
    "provided", "obtain", "output", "e.g", "example", "such as", "like ",
];

pub(super) fn origins(listed: &Listed<'_>) -> Vec<Hit> {
    let others: Vec<String> = listed.tools.iter().map(|tool| tool.name.as_str().to_lowercase()).collect();
    each(listed, |part, _, own| {
        let name = part.property.filter(|name| is_id(name))?;
        let text = part.schema.get("description").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let own = own.as_str().to_lowercase();
        let named =
            others.iter().any(|other| *other != own && !other.is_empty() && text.contains(other.as_str()));
        let told = named || FROM.iter().any(|word| text.contains(word));
        // A tool without any description of its parameters has a finding for that.
        (!text.trim().is_empty() && !told)
            .then(|| format!("where `{}` is from is not said", excerpt(name, 60)))
    })
}

fn is_id(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower == "id"
        || lower.ends_with("_id")
        || lower.ends_with("-id")
        || name.ends_with("Id")
        || name.ends_with("ID")
}
