//! The tools of a server as models and people read them: what they cost ([`bill`]), what is wrong with them ([`lint`]),
//! how they are kept ([`snapshot`]) and how they changed ([`drift`]); and what a suite demands of all that ([`policy`]).
//!
//! Pure, and without any model: tools in, facts out. How each client offers the tools comes in as [`Shown`], because
//! the interpreters of client profiles are elsewhere.

use serde::{Deserialize, Serialize};

use crate::ids::{ClientName, ToolName};
use crate::llm::ToolOffer;
use crate::transcript::ToolFact;

pub mod bill;
pub mod drift;
pub mod judged;
pub mod lint;
pub mod policy;
pub mod snapshot;

/// A server's list of tools, with how clients show it.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// `serverInfo.name`.
    pub server: &'a str,
    /// Its instructions.
    pub instructions: Option<&'a str>,
    /// The tools, in the server's order; one that was listed twice stands here twice.
    pub tools: &'a [ToolFact],
    /// What clients make of the list.
    pub clients: &'a [Shown],
}

/// What one client makes of a list of tools.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The client profile.
    pub client: ClientName,
    /// What a model is offered from the start.
    pub offers: Vec<ToolOffer>,
    /// Tools that a model has to search for.
    pub deferred: Vec<ToolName>,
    /// The name that each tool gets; tools that are not offered over their names have none.
    pub names: Vec<(ToolName, String)>,
    /// Characters at which descriptions are cut, if they are.
    pub cut: Option<usize>,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Broken, or dangerous.
    Error,
    /// It costs calls, tokens or trust.
    Warning,
    /// Worth knowing.
    Note,
}

impl Level {
    /// The word in reports and in suites.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Several lists of one server as one: the first as it is, then what the others have besides.
pub fn merged<'a>(lists: impl IntoIterator<Item = &'a [ToolFact]>) -> Vec<ToolFact> {
    let mut all: Vec<ToolFact> = Vec::new();
    let mut known: std::collections::BTreeSet<ToolName> = std::collections::BTreeSet::new();
    for list in lists {
        let new: Vec<ToolFact> = list.iter().filter(|tool| !known.contains(&tool.name)).cloned().collect();
        known.extend(new.iter().map(|tool| tool.name.clone()));
        all.extend(new);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_merged_and_what_is_listed_twice_stays() {
        let list = |names: &[&str]| -> Vec<ToolFact> {
            let fact = |name: &&str| ToolFact { name: (*name).into(), raw: serde_json::json!({}).into() };
            names.iter().map(fact).collect()
        };
        let (first, second) = (list(&["a", "a", "b"]), list(&["b", "c"]));
        let all = merged([first.as_slice(), second.as_slice()]);
        assert_eq!(all.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["a", "a", "b", "c"]);
    }
}
