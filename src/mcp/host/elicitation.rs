//! The form of an `elicitation/create` request, filled in: what is given, then the defaults of the form. Pure.
//!
//! The requested schema is the flat subset of JSON Schema that the specification allows (2025-11-25,
//! client/elicitation): text, number, integer, boolean, a choice of one (`enum`, or `oneOf` with titles) and a choice
//! of many (an array of those), each with a `default`. The schema is the server's, so it is bounded before it is used.

use jsonschema::PatternOptions;
use serde_json::{Map, Value};

use crate::diag::suggest;
use crate::display::excerpt;

/// Most bytes of a form.
const FORM_BYTES: usize = 256 * 1024;

/// Where an elicitation wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A form with fields.
    Form,
    /// A page to visit.
    Url,
}

/// The mode of a request; one that names none is a form, as it was before 2025-11-25. The error is an unknown mode.
pub fn mode(params: &Value) -> Result<Mode, String> {
    match params.get("mode") {
        None => Ok(Mode::Form),
        Some(Value::String(mode)) if mode == "form" => Ok(Mode::Form),
        Some(Value::String(mode)) if mode == "url" => Ok(Mode::Url),
        Some(other) => Err(excerpt(&other.to_string(), 60)),
    }
}

/// What is submitted, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filled {
    /// The fields: those given that the form has, then its defaults.
    pub content: Map<String, Value>,
    /// Fields given that the form does not have, one sentence each. They are not in `content`.
    pub unknown: Vec<String>,
    /// Why the content does not satisfy the form, one sentence each. A form with any of these cannot be submitted.
    pub unfit: Vec<String>,
}

impl Filled {
    /// Whether the form can be submitted.
    pub fn fits(&self) -> bool {
        self.unfit.is_empty()
    }
}

/// Fills in a form. A choice may be given by its value or, as a person reads it, by its title.
pub fn fill(schema: &Value, given: &Map<String, Value>) -> Filled {
    let mut filled = Filled::default();
    if schema.to_string().len() > FORM_BYTES {
        filled.unfit.push(format!("the form is larger than {FORM_BYTES} bytes"));
        return filled;
    }
    let empty = Map::new();
    let fields = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    for (name, value) in given {
        match fields.get(name) {
            Some(field) => {
                filled.content.insert(name.clone(), chosen(field, value));
            }
            None => {
                let hint = excerpt(&suggest::hint(name, fields.keys().map(String::as_str)), 200);
                filled.unknown.push(format!("the form has no field `{}`; {hint}", excerpt(name, 60)));
            }
        }
    }
    for (name, field) in fields {
        if let Some(default) = field.get("default").filter(|_| !filled.content.contains_key(name)) {
            filled.content.insert(name.clone(), default.clone());
        }
    }
    filled.unfit = misfits(schema, fields, &filled.content);
    filled
}

/// The value of a choice that was given by its title; anything else as it is.
fn chosen(field: &Value, given: &Value) -> Value {
    if let (Value::Array(many), Some(items)) = (given, field.get("items")) {
        return Value::Array(many.iter().map(|one| chosen(items, one)).collect());
    }
    let Value::String(title) = given else { return given.clone() };
    let values = |key: &str| field.get(key).and_then(Value::as_array).into_iter().flatten();
    let titled: Vec<(&Value, &Value)> = values("oneOf")
        .chain(values("anyOf"))
        .filter_map(|option| Some((option.get("const")?, option.get("title")?)))
        // `enumNames` is how titles were written in 2025-06-18.
        .chain(values("enum").zip(values("enumNames")))
        .collect();
    if titled.iter().any(|(value, _)| *value == given) {
        return given.clone();
    }
    let found = titled.iter().find(|(_, known)| known.as_str() == Some(title.as_str()));
    found.map_or_else(|| given.clone(), |(value, _)| (*value).clone())
}

fn misfits(schema: &Value, fields: &Map<String, Value>, content: &Map<String, Value>) -> Vec<String> {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let missing: Vec<String> = required
        .filter_map(Value::as_str)
        .filter(|name| !content.contains_key(*name))
        .map(|name| {
            let lacks = if fields.contains_key(name) { "has no default" } else { "is not among its fields" };
            format!("the form requires `{}`, which {lacks}", excerpt(name, 60))
        })
        .collect();
    if !missing.is_empty() {
        return missing;
    }
    let validator = jsonschema::options()
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(1 << 20).dfa_size_limit(1 << 20))
        .should_validate_formats(true)
        .build(schema);
    let validator = match validator {
        Ok(validator) => validator,
        Err(error) => return vec![format!("the form cannot be used: {}", excerpt(&error.to_string(), 160))],
    };
    let content = Value::Object(content.clone());
    validator
        .iter_errors(&content)
        .take(10)
        .map(|error| {
            let at = error.instance_path().to_string();
            let field = at.trim_start_matches('/');
            let place = if field.is_empty() { String::new() } else { format!("`{}`: ", excerpt(field, 60)) };
            format!("{place}{}", excerpt(&error.to_string(), 160))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form() -> Value {
        json!({"type": "object", "required": ["name", "age"], "properties": {
            "name": {"type": "string", "default": "John", "minLength": 2},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "verified": {"type": "boolean", "default": true},
            "status": {"type": "string", "enum": ["on", "off"], "default": "on"},
            "colour": {"type": "string", "default": "#0f0",
                       "oneOf": [{"const": "#f00", "title": "Red"}, {"const": "#0f0", "title": "Green"}]},
            "tags": {"type": "array", "default": ["b"], "items": {"type": "string", "enum": ["a", "b"]}},
            "shades": {"type": "array", "items": {"anyOf": [{"const": "1", "title": "Dark"}]}},
            "note": {"type": "string"},
        }})
    }

    #[allow(clippy::needless_pass_by_value, reason = "a literal at every call")]
    fn filled(schema: &Value, given: Value) -> Filled {
        fill(schema, given.as_object().unwrap())
    }

    #[test]
    fn every_kind_of_default_is_taken() {
        let filled = filled(&form(), json!({}));
        assert!(filled.fits(), "{filled:?}");
        let expected = json!({
            "name": "John", "age": 30, "score": 95.5, "verified": true, "status": "on", "colour": "#0f0", "tags": ["b"],
        });
        assert_eq!(Value::Object(filled.content), expected);
    }

    #[test]
    fn what_is_given_comes_before_the_defaults_and_titles_are_read() {
        let given = json!({"age": 7, "verified": false, "colour": "Red", "shades": ["Dark"], "tags": ["a"]});
        let filled = filled(&form(), given);
        assert!(filled.fits() && filled.unknown.is_empty(), "{filled:?}");
        let taken = |name: &str| filled.content[name].clone();
        assert_eq!(
            (taken("age"), taken("verified"), taken("colour")),
            (json!(7), json!(false), json!("#f00"))
        );
        assert_eq!(
            (taken("shades"), taken("tags"), taken("name")),
            (json!(["1"]), json!(["a"]), json!("John"))
        );
        let old = json!({"properties": {"s": {"type": "string", "enum": ["a"], "enumNames": ["First"]}}});
        assert_eq!(fill(&old, json!({"s": "First"}).as_object().unwrap()).content["s"], "a");
    }

    #[test]
    fn what_the_form_does_not_have_is_left_out_and_said() {
        let filled = filled(&form(), json!({"nmae": "x"}));
        assert_eq!((filled.content.get("nmae"), filled.fits()), (None, true));
        assert_eq!(filled.unknown, ["the form has no field `nmae`; did you mean `name`?"]);
    }

    #[test]
    fn nothing_unfit_is_submitted() {
        for given in [
            json!({"age": "seven"}),
            json!({"name": "x"}),
            json!({"status": "maybe"}),
            json!({"tags": ["c"]}),
        ] {
            assert!(!filled(&form(), given.clone()).fits(), "{given}");
        }
        let bare = json!({"required": ["when", "lost"], "properties": {"when": {"type": "string", "format": "date"}}});
        let missing = filled(&bare, json!({})).unfit;
        assert_eq!(missing[0], "the form requires `when`, which has no default");
        assert_eq!(missing[1], "the form requires `lost`, which is not among its fields");
        let dated = json!({"properties": {"when": {"type": "string", "format": "date"}}});
        assert!(filled(&dated, json!({"when": "2026-12-01"})).fits());
        assert!(!filled(&dated, json!({"when": "tomorrow"})).fits());
    }

    #[test]
    fn hostile_forms_are_refused() {
        let remote = json!({"properties": {"a": {"$ref": "https://example.com/schema"}}});
        assert!(!filled(&remote, json!({"a": 1})).fits());
        let huge = json!({"title": "x".repeat(FORM_BYTES)});
        assert!(!filled(&huge, json!({})).fits());
        assert!(filled(&Value::Null, json!({})).unfit.len() == 1);
    }

    #[test]
    fn a_request_without_a_mode_is_a_form() {
        assert_eq!(mode(&json!({"message": "?"})), Ok(Mode::Form));
        assert_eq!(mode(&json!({"mode": "url"})), Ok(Mode::Url));
        assert!(mode(&json!({"mode": 3})).is_err());
    }
}
