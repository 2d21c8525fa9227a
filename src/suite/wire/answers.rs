//! Answers to the server's questions as they are written.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{
    Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::llm::ModelSpec;
use crate::suite::text_or::TextOr;
use crate::suite::yaml::At;

/// What is answered when the server asks the client. What is not given here is answered as the client profile does.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// What the user does when the server asks by `elicitation/create`: one answer, or several in order. Each question
    /// takes the first answer that fits it and is not used yet; the last that fits repeats.
    #[serde(default)]
    pub elicitation: Option<At<Replies>>,
    /// Who answers `sampling/createMessage`: `{model: NAME}`, `{text: …}`, or `refuse`.
    #[serde(default)]
    pub sampling: Option<At<TextOr<SamplingPart>>>,
    /// What `roots/list` returns: `file:` URIs, each alone or with a name.
    #[serde(default)]
    pub roots: Option<At<Vec<At<TextOr<RootPart>>>>>,
}

/// One answer or a list of them.
#[derive(Clone, Debug)]
pub enum Replies {
    /// One, which stands where the key's value stands.
    One(Box<TextOr<ReplyPart>>),
    /// Several.
    Many(Vec<At<TextOr<ReplyPart>>>),
}

impl<'de> Deserialize<'de> for Replies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Replies;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`accept`, `decline`, `cancel`, a map, or a list of those")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Replies, E> {
                Ok(Replies::One(Box::new(TextOr::Text(word.to_owned()))))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Replies, A::Error> {
                let one = ReplyPart::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Replies::One(Box::new(TextOr::Map(one))))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Replies, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Replies::Many)
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}

impl JsonSchema for Replies {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Replies".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<ReplyPart>();
        let word = json_schema!({"enum": ["accept", "decline", "cancel"]});
        let either = json_schema!({"anyOf": [word, one]});
        json_schema!({"anyOf": [word, one, {"type": "array", "minItems": 1, "items": either}]})
    }
}

/// An answer to an elicitation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplyPart {
    /// Matchers of the request's parameters, such as `message`, `mode` or `requestedSchema`; the same matchers as `args`
    /// of `tool_called`. Only questions that match get this answer.
    #[serde(default)]
    pub when: Option<At<Value>>,
    /// `accept`, `decline` or `cancel`. Default: accept.
    #[serde(default)]
    #[schemars(with = "Option<ActionWord>")]
    pub action: Option<At<String>>,
    /// Fields of the form; the others take the form's defaults. A choice is given by its value or its title.
    #[serde(default)]
    pub content: Option<At<Map<String, Value>>>,
}

/// The words of `action`, for editors.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum ActionWord {
    Accept,
    Decline,
    Cancel,
}

/// Who answers a request for a model's words.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamplingPart {
    /// A model: a name from `evals/models`, `provider:id`, or a definition.
    #[serde(default)]
    pub model: Option<At<TextOr<ModelSpec>>>,
    /// Fixed words.
    #[serde(default)]
    pub text: Option<String>,
}

/// A folder that the server may work in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RootPart {
    /// A `file:` URI.
    pub uri: String,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
}
