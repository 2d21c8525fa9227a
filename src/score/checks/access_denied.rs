//! `access_denied`: the persona may not call a tool.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::denial::{self, Reply};
use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View, Weight};
use crate::ids::ToolName;

/// The harness called this tool as the persona, and the target refused: with HTTP 401 or 403, a JSON-RPC error, a
/// flagged result, or as if the tool did not exist. A complaint about the arguments is no refusal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessDenied {
    /// The tool.
    pub tool: ToolName,
}

impl Short for AccessDenied {
    const EXPECTS: &'static str = "the name of a tool, or a map with `tool`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["string"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Text(name) => Some(Self { tool: ToolName::new(name) }),
            _ => None,
        }
    }
}

impl Examine for AccessDenied {
    fn examine(&self, view: &View<'_>) -> Seen {
        let (tool, persona) = (&self.tool, &view.header().persona);
        match denial::examine(view, tool) {
            Err(unprobed) => unprobed,
            Ok((evidence, Reply::Denied { shape, said })) => {
                Seen::pass(format!("`{persona}` was denied `{tool}` by {shape}: `{said}`"), evidence)
            }
            Ok((evidence, Reply::Allowed)) => {
                let hidden = view.visible_tools().is_some_and(|(_, listed)| !listed.contains(&tool));
                let how = if hidden { "hidden from tools/list but callable" } else { "listed and callable" };
                Seen::fail(format!("`{tool}` is {how} for `{persona}`, who must be denied"), evidence)
            }
            Ok((evidence, Reply::Broken { said })) => {
                let why = format!("the target broke instead of denying `{tool}` to `{persona}`: `{said}`");
                Seen::unscored("access.inconclusive", why, evidence)
            }
            Ok((evidence, Reply::Unclear { why })) => {
                let why = format!("whether `{persona}` may call `{tool}` is not shown: {why}");
                Seen::unscored("access.inconclusive", why, evidence)
            }
        }
    }

    fn weight(&self) -> Weight {
        Weight::Security
    }
}
