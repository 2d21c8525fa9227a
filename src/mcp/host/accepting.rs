//! A host that submits every form: a person who types no more than the form demands.

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::{Answer, Host, answer, elicitation};
use crate::mcp::example;

/// Accepts elicitation forms: fields with a default hold it (SEP-1034), required fields without one hold the smallest
/// value that fits, others stay empty. A page to be visited (`mode: url`) is cancelled; everything else is answered as
/// [`answer`] says.
pub struct Accepting {
    /// The client capabilities that were declared.
    pub capabilities: Map<String, Value>,
}

impl Host for Accepting {
    fn answer<'a>(&'a self, method: &'a str, params: &'a Value) -> BoxFuture<'a, Option<Answer>> {
        let is_form = method == "elicitation/create" && self.capabilities.contains_key("elicitation");
        let answer = if is_form { Ok(submitted(params)) } else { answer(method, &self.capabilities) };
        Box::pin(std::future::ready(Some(answer)))
    }
}

/// The form of an `elicitation/create` request, submitted.
pub fn submitted(params: &Value) -> Value {
    match params.get("mode").and_then(Value::as_str) {
        None | Some("form") => {
            let filled = params.get("requestedSchema").map(filled).unwrap_or_default();
            json!({"action": "accept", "content": filled})
        }
        Some(_) => json!({"action": "cancel"}),
    }
}

fn filled(schema: &Value) -> Map<String, Value> {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let demanded = required.filter_map(|name| {
        let (name, field) = (name.as_str()?, schema.get("properties")?.get(name.as_str()?)?);
        field.get("default").is_none().then(|| (name.to_owned(), example::value(field)))
    });
    elicitation::fill(schema, &demanded.collect()).content
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked(method: &str, params: Value) -> Answer {
        let capabilities = Map::from_iter([("elicitation".to_owned(), json!({"form": {}}))]);
        Accepting { capabilities }.answer(method, &params).await.unwrap()
    }

    #[tokio::test]
    async fn a_form_is_submitted_with_its_defaults() {
        let schema = json!({"type": "object", "required": ["name", "colour", "agreed"], "properties": {
            "name": {"type": "string", "default": "John"},
            "age": {"type": "integer", "default": 30},
            "verified": {"type": "boolean", "default": false},
            "colours": {"type": "array", "items": {"enum": ["a", "b"]}, "default": ["b"]},
            "colour": {"type": "string", "oneOf": [{"const": "red", "title": "Red"}, {"const": "blue"}]},
            "agreed": {"type": "boolean"},
            "note": {"type": "string"},
        }});
        let form = json!({"message": "?", "requestedSchema": schema});
        let content = json!({
            "name": "John", "age": 30, "verified": false, "colours": ["b"], "colour": "red", "agreed": false,
        });
        assert!(jsonschema::is_valid(&schema, &content));
        let given = asked("elicitation/create", form).await.unwrap();
        assert_eq!(given, json!({"action": "accept", "content": content}));
    }

    #[tokio::test]
    async fn only_forms_are_submitted() {
        let accepted = json!({"action": "accept", "content": {}});
        assert_eq!(asked("elicitation/create", json!({"mode": "form"})).await.unwrap(), accepted);
        let page = json!({"mode": "url", "url": "https://example.com/", "elicitationId": "1"});
        assert_eq!(asked("elicitation/create", page).await.unwrap(), json!({"action": "cancel"}));
        assert!(asked("sampling/createMessage", json!({})).await.is_err());
        let undeclared = Accepting { capabilities: Map::new() };
        assert!(undeclared.answer("elicitation/create", &json!({})).await.unwrap().is_err());
    }
}
