//! The surface layer: which features of a server the client has a use for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which features exist for the client. Absent: unknown, and nothing is concluded from it but what a field says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Surface {
    /// Resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<bool>,
    /// Prompts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompts: Option<bool>,
    /// Sampling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<bool>,
    /// Roots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roots: Option<bool>,
    /// Elicitation, by mode; empty: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elicitation: Option<Vec<ElicitationMode>>,
    /// Tasks, of either kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<bool>,
    /// Apps: pages that a server brings along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apps: Option<bool>,
    /// Lists that are read again when the server says that they changed; empty: none. Reference, and where it is unknown:
    /// all. A trial needs the list of tools alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_changed: Option<Vec<ListKind>>,
    /// How the client gets its `client_id` at an authorization server. Identities are the suite's, so nobody registers
    /// in a trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration: Option<Vec<Registration>>,
}

/// A way of asking the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ElicitationMode {
    /// A form.
    Form,
    /// A page at a URL.
    Url,
}

/// A list of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListKind {
    /// `tools/list`.
    Tools,
    /// `prompts/list`.
    Prompts,
    /// `resources/list`.
    Resources,
}

/// A way to a `client_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// Client ID metadata documents.
    Cimd,
    /// Dynamic client registration (RFC 7591).
    Dcr,
    /// The client credentials grant, with an id agreed beforehand.
    ClientCredentials,
}
