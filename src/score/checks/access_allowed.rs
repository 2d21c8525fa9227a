//! `access_allowed`: the persona may call a tool.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::denial::{self, Reply};
use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View};
use crate::ids::ToolName;

/// The harness called this tool as the persona, and the target let it through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessAllowed {
    /// The tool.
    pub tool: ToolName,
}

impl Short for AccessAllowed {
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

impl Examine for AccessAllowed {
    fn examine(&self, view: &View<'_>) -> Seen {
        let (tool, persona) = (&self.tool, &view.header().persona);
        match denial::examine(view, tool) {
            Err(unprobed) => unprobed,
            Ok((evidence, Reply::Allowed)) => Seen::pass(format!("`{persona}` called `{tool}`"), evidence),
            Ok((evidence, Reply::Denied { shape, said })) => {
                let why = format!("expected `{persona}` to be allowed to call `{tool}`, denied by {shape}: `{said}`");
                Seen::fail(why, evidence)
            }
            Ok((evidence, Reply::Broken { said })) => {
                let why = format!("expected `{persona}` to be allowed to call `{tool}`, the target broke: `{said}`");
                Seen::fail(why, evidence)
            }
            Ok((evidence, Reply::Unclear { why })) => {
                let why = format!("whether `{persona}` may call `{tool}` is not shown: {why}");
                Seen::unscored("access.inconclusive", why, evidence)
            }
        }
    }
}
