//! A request in parts, each known by the digest of its text without secrets: what makes two calls the same.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::file::{Call, Outcome};
use super::{Key, Place, Role};
use crate::ids::Digest;
use crate::llm::{self, ChatRequest, ModelSpec};
use crate::transcript::Secrets;

/// Values by their digests. A conversation repeats itself with every turn; on a tape each message stands once.
pub(super) type Parts = HashMap<Key, Value>;

/// Keys of a definition that shape no answer.
const SHAPELESS: [&str; 12] = [
    "name",
    "description",
    "stream",
    "family",
    "cache",
    "key",
    "key_header",
    "limits",
    "logprobs",
    "price",
    "timeout",
    "retries",
];

/// Everything of a definition that shapes answers, and whose conversation it is in.
fn definition(spec: &ModelSpec, place: &Place) -> Value {
    let mut all = serde_json::to_value(spec).unwrap_or_default();
    if let Some(all) = all.as_object_mut() {
        all.insert("id".to_owned(), spec.api_id().into());
        all.retain(|key, value| !value.is_null() && !SHAPELESS.contains(&key.as_str()));
        // Of the limits, this one is asked for.
        if let Some(most) = llm::limited_output(spec) {
            all.insert("limits".to_owned(), json!({"output": most}));
        }
        if let Some(with) = &place.with {
            all.insert("with".to_owned(), with.as_str().into());
        }
    }
    all
}

/// A call that is looked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) role: Role,
    pub(super) model: String,
    pub(super) place: String,
    /// What shapes the answers of the model besides the request.
    pub(super) definition: Key,
    pub(super) system: Option<Key>,
    pub(super) tools: Vec<Key>,
    pub(super) messages: Vec<Key>,
    /// Everything else of the request.
    pub(super) rest: Value,
    pub(super) parts: Parts,
}

impl Asked {
    pub(super) fn new(
        (role, spec): (Role, &ModelSpec),
        place: &Place,
        request: &ChatRequest,
        secrets: &Secrets,
    ) -> Self {
        let mut parts = Parts::new();
        // Secrets differ from run to run, and never reach a disk.
        let mut part = |mut value: Value| {
            secrets.redact_json(&mut value);
            let key = Digest::of_json(&value);
            parts.insert(key, value);
            key
        };
        let mut whole = match serde_json::to_value(request) {
            Ok(Value::Object(whole)) => whole,
            _ => Map::new(),
        };
        let mut list = |name: &str| match whole.shift_remove(name) {
            Some(Value::Array(items)) => items,
            _ => vec![],
        };
        let (tools, messages) = (list("tools"), list("messages"));
        let system = whole.shift_remove("system").filter(|system| !system.is_null());
        let definition = part(definition(spec, place));
        let system = system.map(&mut part);
        let tools = tools.into_iter().map(&mut part).collect();
        let messages = messages.into_iter().map(&mut part).collect();
        whole.retain(|_, value| !value.is_null());
        let mut rest = Value::Object(whole);
        secrets.redact_json(&mut rest);
        let (model, place) = (spec.name.to_string(), place.name.clone());
        Self { role, model, place, definition, system, tools, messages, rest, parts }
    }

    /// What it is known by.
    pub(super) fn key(&self) -> Key {
        Digest::of_json(&(self.definition.to_string(), self.loose_key().to_string()))
    }

    /// The same, whoever answers.
    pub(super) fn loose_key(&self) -> Key {
        let text = |keys: &[Key]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
        Digest::of_json(&(
            (self.role.as_str(), &self.place, self.system.map(|key| key.to_string())),
            (text(&self.tools), text(&self.messages), &self.rest),
        ))
    }

    /// The same as it stands on a tape.
    pub(super) fn call(&self, attempts: Vec<Value>, outcome: Outcome) -> Call {
        let text = |keys: &[Key]| keys.iter().map(ToString::to_string).collect();
        Call {
            call: self.key().to_string(),
            loosely: self.loose_key().to_string(),
            role: self.role.as_str().to_owned(),
            model: self.model.clone(),
            place: self.place.clone(),
            definition: self.definition.to_string(),
            system: self.system.map(|key| key.to_string()),
            tools: text(&self.tools),
            messages: text(&self.messages),
            rest: self.rest.clone(),
            attempts,
            outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(change: impl Fn(&mut ModelSpec)) -> Key {
        let mut spec = ModelSpec::new("m", "anthropic");
        change(&mut spec);
        let asked = (Role::Candidate, &spec);
        Asked::new(asked, &Place::default(), &ChatRequest::default(), &Secrets::default()).key()
    }

    #[test]
    fn a_limit_that_is_asked_for_is_part_of_a_call_and_other_limits_are_not() {
        let plain = key(|_| ());
        assert_eq!(key(|spec| spec.limits.context = Some(200_000)), plain);
        assert_eq!(key(|spec| spec.limits.requests_per_minute = Some(5)), plain);
        let longer = key(|spec| spec.limits.output = Some(64_000));
        assert_ne!(longer, plain);
        assert_ne!(key(|spec| spec.limits.output = Some(32_000)), longer);
        // What the definition itself says goes first, so the limit of the model changes nothing.
        let said = key(|spec| spec.max_tokens = Some(100));
        assert_eq!(key(|spec| (spec.max_tokens, spec.limits.output) = (Some(100), Some(64_000))), said);
    }

    #[test]
    fn a_definition_without_such_a_limit_is_written_as_ever() {
        let mut spec = ModelSpec::new("m", "anthropic");
        spec.limits.context = Some(200_000);
        assert!(definition(&spec, &Place::default()).get("limits").is_none());
        spec.limits.output = Some(64_000);
        assert_eq!(definition(&spec, &Place::default())["limits"], json!({"output": 64_000}));
    }
}
