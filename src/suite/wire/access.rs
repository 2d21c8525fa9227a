//! The rows of the access matrix.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::score::access::DenialShape;
use crate::suite::entries::{Calls, Entries};
use crate::suite::yaml::At;

/// One persona's row of the access matrix.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessRow {
    /// Tools that must be listed.
    #[serde(default)]
    pub sees: Vec<At<String>>,
    /// Tools whose call must be allowed.
    #[serde(default)]
    pub calls: Calls,
    /// Tools that must be neither listed nor callable.
    #[serde(default)]
    pub never: Calls,
    /// The same for resources.
    #[serde(default)]
    pub resources: ResourceRow,
    /// The same for prompts.
    #[serde(default)]
    pub prompts: PromptRow,
    /// `never`: whatever the row does not name must be neither listed nor usable.
    #[serde(default)]
    pub others: Option<At<Others>>,
    /// The shape in which everything under `never` must be denied. Absent: any.
    #[serde(default)]
    pub denied_as: Option<At<DenialShape>>,
    /// What holds when, inside one session, the persona gets the rights of another one: by that persona's name. Or when the
    /// token in use is taken back (`revoked`), or the next one is signed by a new key (`rotated`).
    #[serde(default)]
    pub becomes: Entries<AccessRow>,
}

/// Resources of a row, by URI. One is visible when it is listed or fits a listed template.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceRow {
    /// Resources that must be visible.
    #[serde(default)]
    pub sees: Vec<At<String>>,
    /// Resources that must be readable.
    #[serde(default)]
    pub reads: Vec<At<String>>,
    /// Resources that must be neither visible nor readable.
    #[serde(default)]
    pub never: Vec<At<String>>,
}

/// Prompts of a row, by name.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptRow {
    /// Prompts that must be listed.
    #[serde(default)]
    pub sees: Vec<At<String>>,
    /// Prompts that must be given.
    #[serde(default)]
    pub gets: Calls,
    /// Prompts that must be neither listed nor given.
    #[serde(default)]
    pub never: Calls,
}

/// What holds for everything that a row does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Others {
    /// It must be neither listed nor usable.
    Never,
}
