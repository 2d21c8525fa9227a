//! What a suite demands of the surface, and where it says so.

use serde::{Deserialize, Serialize};

use super::drift::Class;
use super::lint::{self, Finding};
use crate::diag::{Located, Origin};

/// The demands of a suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Where the block stands.
    pub origin: Origin,
    /// Most tokens that the list may cost under any client of the suite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Located<u64>>,
    /// Most tokens of one tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_tokens: Option<Located<u64>>,
    /// Rules, or levels, of which no finding is let pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<Located<String>>,
    /// Rules that are not applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Located<String>>,
    /// The folder of the snapshot, relative to the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Located<String>>,
    /// The mildest change against the snapshot that fails the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Located<Class>>,
}

impl Policy {
    /// Demands nothing.
    pub fn at(origin: Origin) -> Self {
        Self {
            origin,
            tokens: None,
            tool_tokens: None,
            deny: vec![],
            allow: vec![],
            snapshot: None,
            drift: None,
        }
    }

    /// Whether a finding is left out because the suite allows what it is about.
    pub fn allows(&self, finding: &Finding) -> bool {
        self.allow.iter().any(|name| names(&name.value, finding))
    }

    /// Where a finding is forbidden: by its rule, or by its level or a milder one.
    pub fn denied(&self, finding: &Finding) -> Option<&Origin> {
        self.deny.iter().find(|name| names(&name.value, finding)).map(|name| &name.origin)
    }
}

/// Whether a name in a suite means the rule of a finding, or its level or a milder one.
fn names(name: &str, finding: &Finding) -> bool {
    match lint::level(name) {
        Some(level) => finding.level <= level,
        None => lint::find(name).is_some_and(|rule| rule.id == finding.rule),
    }
}
