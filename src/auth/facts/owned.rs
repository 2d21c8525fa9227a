//! Facts about what belongs to one user: where to get it, and how it is used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::ToolUse;

/// A handle that a tool makes for its caller, such as a cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandleFact {
    /// The call that makes one. The check of how well handles can be guessed calls it 32 times.
    pub create: ToolUse,
    /// Where the handle is in the result, as a JSON pointer: `/structuredContent/cart`.
    pub at: String,
    /// A call that uses one and changes nothing.
    #[serde(rename = "use")]
    pub used: OpenCall,
}

/// A call of a tool with one argument left open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenCall {
    /// The tool.
    pub tool: String,
    /// The argument that is left open.
    pub argument: String,
    /// The other arguments. Default: none.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub args: Map<String, Value>,
}

/// An object of the first persona that the second may not see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectFact {
    /// The call that reads it and changes nothing.
    pub call: OpenCall,
    /// The id of the first persona's object: a text or a whole number, as the argument wants it.
    pub id: ObjectId,
}

/// A name in the type that its argument has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ObjectId {
    /// A whole number.
    Number(u64),
    /// A text.
    Text(String),
}

/// A tool that answers `input_required` before it acts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskFact {
    /// The call that asks.
    pub call: ToolUse,
    /// What to fill into its form. Default: the plainest content that the form allows, and yes to every question.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub answer: Map<String, Value>,
    /// Other calls that ask: of another tool, or of the same with other arguments. The state of `call` must not serve
    /// for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<ToolUse>,
    /// A call whose result changes each time `call` takes effect, such as a balance. Only for operations that must not
    /// happen twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<ToolUse>,
}

/// A resource of the first persona, and what changes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchFact {
    /// The resource.
    pub uri: String,
    /// The first persona's call that changes it.
    pub change: ToolUse,
}

/// A completion that offers own data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteFact {
    /// `ref` of `completion/complete`: a prompt or a resource template.
    #[serde(rename = "ref")]
    pub reference: Value,
    /// The argument to complete.
    pub argument: String,
    /// What has been typed. Default: nothing.
    #[serde(default)]
    pub value: String,
    /// A value that only the first persona may be offered.
    pub private: String,
}

impl ObjectId {
    /// The id as an argument.
    pub fn value(&self) -> Value {
        match self {
            Self::Number(number) => json!(number),
            Self::Text(text) => json!(text),
        }
    }
}

impl OpenCall {
    /// The parameters of `tools/call` with this value in the open place.
    pub fn with(&self, value: impl Into<Value>) -> Value {
        let mut args = self.args.clone();
        args.insert(self.argument.clone(), value.into());
        json!({"name": self.tool, "arguments": args})
    }
}

impl CompleteFact {
    /// The parameters of `completion/complete`.
    pub fn params(&self) -> Value {
        json!({"ref": self.reference, "argument": {"name": self.argument, "value": self.value}})
    }
}
