//! `tools_hidden`: these tools are not listed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, Short};
use super::tools_visible::names;
use super::{Examine, Seen, View, Weight};
use crate::ids::ToolName;

/// The last complete `tools/list` has none of these tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolsHidden {
    /// The tools; at least one.
    pub tools: Vec<ToolName>,
}

impl Short for ToolsHidden {
    const EXPECTS: &'static str = "the name of a tool, a list of names, or a map with `tools`";
    type Item = ToolName;
    const SCALARS: &'static [&'static str] = &["string"];
    const LIST: bool = true;

    fn from_brief(brief: Brief<ToolName>) -> Option<Self> {
        match brief {
            Brief::Text(name) => Some(Self { tools: vec![ToolName::new(name)] }),
            Brief::List(tools) => Some(Self { tools }),
            _ => None,
        }
    }
}

impl Examine for ToolsHidden {
    fn examine(&self, view: &View<'_>) -> Seen {
        let Some((seq, listed)) = view.visible_tools() else {
            return Seen::unscored("check.no-list", "the tools were never listed completely", []);
        };
        let shown: Vec<&ToolName> = self.tools.iter().filter(|tool| listed.contains(tool)).collect();
        let persona = &view.header().persona;
        if shown.is_empty() {
            return Seen::pass(format!("`{persona}` does not see {}", names(&self.tools)), [seq]);
        }
        Seen::fail(format!("`{persona}` must not see {}, but tools/list has it", names(shown)), [seq])
    }

    fn weight(&self) -> Weight {
        Weight::Security
    }

    fn problems(&self) -> Vec<String> {
        match self.tools.is_empty() {
            true => vec!["the list of tools is empty".to_owned()],
            false => vec![],
        }
    }
}
