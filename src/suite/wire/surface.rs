//! What a suite demands of the server's tools themselves.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::suite::yaml::At;
use crate::surface::drift::Class;

/// What the server's tools may cost and must be like.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SurfacePart {
    /// Most tokens of the whole list under any client of the suite, estimated, four bytes a token.
    #[serde(default)]
    pub tokens: Option<At<u64>>,
    /// Most tokens of one tool.
    #[serde(default)]
    pub tool_tokens: Option<At<u64>>,
    /// What the lint may find.
    #[serde(default)]
    pub lint: Option<LintPart>,
    /// The folder with the snapshot of the tools, which `rehearsal tools SUITE --snapshot DIR` writes.
    #[serde(default)]
    pub snapshot: Option<At<String>>,
    /// The mildest change against the snapshot that fails a run: `breaking`, `additive` or `wording`.
    #[serde(default)]
    pub drift: Option<At<Class>>,
}

/// What the lint may find.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LintPart {
    /// Rules, such as `name-collision`, or levels, such as `error`, of which any finding fails a run.
    #[serde(default)]
    pub deny: Vec<At<String>>,
    /// Rules that are not applied.
    #[serde(default)]
    pub allow: Vec<At<String>>,
}
