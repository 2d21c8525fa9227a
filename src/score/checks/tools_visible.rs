//! `tools_visible`: these tools are listed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, Short};
use super::{Examine, Seen, View};
use crate::display::excerpt;
use crate::ids::ToolName;

/// The last complete `tools/list` has all of these tools; others are tolerated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolsVisible {
    /// The tools; at least one.
    pub tools: Vec<ToolName>,
}

impl Short for ToolsVisible {
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

impl Examine for ToolsVisible {
    fn examine(&self, view: &View<'_>) -> Seen {
        let Some((seq, listed)) = view.visible_tools() else {
            return Seen::unscored("check.no-list", "the tools were never listed completely", []);
        };
        let missing: Vec<&ToolName> = self.tools.iter().filter(|tool| !listed.contains(tool)).collect();
        let persona = &view.header().persona;
        if missing.is_empty() {
            return Seen::pass(format!("`{persona}` sees {}", names(&self.tools)), [seq]);
        }
        let why = format!(
            "expected `{persona}` to see {}, which tools/list does not have; it has {} tools: {}",
            names(missing),
            listed.len(),
            names(listed)
        );
        Seen::fail(why, [seq])
    }

    fn problems(&self) -> Vec<String> {
        match self.tools.is_empty() {
            true => vec!["the list of tools is empty".to_owned()],
            false => vec![],
        }
    }
}

/// Some tool names as a person reads them, bounded.
pub(super) fn names<'a>(tools: impl IntoIterator<Item = &'a ToolName>) -> String {
    let mut tools = tools.into_iter();
    let head: Vec<String> = tools.by_ref().take(10).map(|tool| format!("`{}`", excerpt(tool.as_str(), 60))).collect();
    match tools.count() {
        0 => head.join(", "),
        more => format!("{} and {more} more", head.join(", ")),
    }
}
