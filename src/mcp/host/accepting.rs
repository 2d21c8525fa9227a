//! A host that accepts every form as it is prefilled: a person who presses "Submit" without typing anything.

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::{Answer, Host, answer};

/// Accepts elicitation forms with the defaults of their schema (SEP-1034); everything else is answered as
/// [`Nobody`](super::Nobody) answers it. What it cannot fill without making something up, it cancels: a form with a
/// required field that has no default, and a page to be visited (`mode: url`).
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

/// The form of an `elicitation/create` request, submitted as it is prefilled.
pub fn submitted(params: &Value) -> Value {
    let mode = params.get("mode").and_then(Value::as_str).unwrap_or("form");
    match (mode, params.get("requestedSchema").map(prefilled)) {
        ("form", Some(Some(content))) => json!({"action": "accept", "content": content}),
        ("form", None) => json!({"action": "accept", "content": {}}),
        _ => json!({"action": "cancel"}),
    }
}

/// The defaults of a form; `None` when a required field has none.
fn prefilled(schema: &Value) -> Option<Map<String, Value>> {
    let fields = schema.get("properties").and_then(Value::as_object);
    let content: Map<String, Value> = fields
        .into_iter()
        .flatten()
        .filter_map(|(name, field)| Some((name.clone(), field.get("default")?.clone())))
        .collect();
    let required = schema.get("required").and_then(Value::as_array);
    let complete = required.into_iter().flatten().filter_map(Value::as_str).all(|name| content.contains_key(name));
    complete.then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked(method: &str, params: Value) -> Answer {
        let capabilities = Map::from_iter([("elicitation".to_owned(), json!({"form": {}}))]);
        Accepting { capabilities }.answer(method, &params).await.unwrap()
    }

    #[tokio::test]
    async fn a_prefilled_form_is_submitted_as_it_is() {
        let schema = json!({"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "default": "John"},
            "age": {"type": "integer", "default": 30},
            "verified": {"type": "boolean", "default": false},
            "colours": {"type": "array", "items": {"enum": ["a", "b"]}, "default": ["b"]},
            "note": {"type": "string"},
        }});
        let given = asked("elicitation/create", json!({"message": "?", "requestedSchema": schema})).await.unwrap();
        let content = json!({"name": "John", "age": 30, "verified": false, "colours": ["b"]});
        assert_eq!(given, json!({"action": "accept", "content": content}));
    }

    #[tokio::test]
    async fn nothing_is_made_up() {
        let schema = json!({"required": ["name"], "properties": {"name": {"type": "string"}}});
        let cancelled = json!({"action": "cancel"});
        let form = json!({"mode": "form", "requestedSchema": schema});
        assert_eq!(asked("elicitation/create", form).await.unwrap(), cancelled);
        let page = json!({"mode": "url", "url": "https://example.com/", "elicitationId": "1"});
        assert_eq!(asked("elicitation/create", page).await.unwrap(), cancelled);
        assert!(asked("sampling/createMessage", json!({})).await.is_err());
        assert!(Accepting { capabilities: Map::new() }.answer("elicitation/create", &json!({})).await.unwrap().is_err());
    }
}
