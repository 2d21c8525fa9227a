//! The result layer: what the model sees of what a tool returned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the model sees of a result. Everything absent shows the result whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Results {
    /// What becomes of structured content. Reference: shown when there is no other content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structured: Option<StructuredUse>,
    /// How text stands in the conversation. Reference: plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextForm>,
    /// Limits on the size of the text, the first that is exceeded applies. Reference: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Vec<SizeLimit>>,
    /// Images. Reference: native.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<MediaForm>,
    /// Audio. Reference: native.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<MediaForm>,
    /// Links to resources. Reference: a line of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_link: Option<MediaForm>,
    /// Embedded resources. Reference: their text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedded: Option<MediaForm>,
    /// Whether content that is annotated for the user only is kept from the model. Reference: no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<bool>,
    /// A result with `isError`. Reference: its text, flagged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_error: Option<ErrorForm>,
    /// A JSON-RPC error in place of a result. Reference: its message, flagged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_error: Option<ErrorForm>,
}

/// What becomes of structured content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StructuredUse {
    /// Shown when there is no other content.
    Fallback,
    /// Shown in place of all text.
    ReplacesText,
    /// Never shown.
    Ignored,
    /// Part of the JSON of the whole result.
    InsideJson,
}

/// How the text of a result stands in the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TextForm {
    /// As it is.
    Plain,
    /// The whole result object as one JSON text.
    WholeJson,
    /// The blocks one by one.
    Blocks,
    /// Between words of the client.
    Wrapped {
        /// Before the text.
        #[serde(default)]
        before: String,
        /// After the text.
        #[serde(default)]
        after: String,
    },
}

/// A limit on a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SizeLimit {
    /// The largest size that is left alone.
    pub over: usize,
    /// What is counted.
    #[serde(default)]
    pub unit: Unit,
    /// What becomes of a larger text.
    pub then: CutAction,
}

/// What a size counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Characters.
    #[default]
    Chars,
    /// Bytes of UTF-8.
    Bytes,
    /// Tokens, estimated at four characters each.
    Tokens,
}

/// What becomes of a text that is too large. Sizes are in the limit's unit, cuts are made between characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CutAction {
    /// The beginning stays, up to the limit.
    Head,
    /// The end stays, up to the limit.
    Tail,
    /// Beginning and end stay, half of the limit each, with a mark between that counts what is missing.
    Middle,
    /// Beginning and end stay, with a mark between.
    HeadTail {
        /// Kept at the beginning.
        head: usize,
        /// Kept at the end.
        tail: usize,
    },
    /// The text goes to a file that the model can open with other tools; a preview of its beginning stays.
    File {
        /// Kept as a preview.
        preview: usize,
    },
    /// Beginning and end stay, and the whole text goes to a file.
    HeadTailFile {
        /// Kept at the beginning.
        head: usize,
        /// Kept at the end.
        tail: usize,
    },
    /// An error stands in its place, with the path of a file.
    Error,
}

/// How content that is no text reaches the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MediaForm {
    /// As the model's own kind of content.
    Native,
    /// The same, and a line of text with the path of a saved file.
    NativeAndFile,
    /// Saved to a file; the model sees its path.
    File,
    /// A line of text that describes it.
    Line,
    /// A note that something was left out.
    Note,
    /// The JSON of the block.
    Json,
    /// Its text, where it has one.
    Text,
    /// Images in it are shown; nothing is known of the rest, which is described in a line.
    ImagesOnly,
    /// Not at all.
    Dropped,
}

/// How an error reaches the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorForm {
    /// The text, flagged as an error.
    Flagged,
    /// The text as if it were a result.
    Text,
    /// A sentence that tells of the call and holds the text.
    Sentence,
    /// JSON with the key `error`.
    Json,
}
