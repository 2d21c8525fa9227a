//! Which programs a plan would start beside its target.

use std::collections::BTreeSet;

use super::{Plan, Work};
use crate::diag::Origin;
use crate::llm::command;

/// A program that a plan would start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// Who starts it, such as "agent `x`".
    pub by: String,
    /// Its command line.
    pub command: String,
    /// Where that is asked for.
    pub origin: Origin,
}

/// Every program of a plan, each once.
pub fn programs(plan: &Plan) -> Vec<Use> {
    let mut found: BTreeSet<(String, String)> = BTreeSet::new();
    let mut uses = vec![];
    let mut add = |by: String, words: &[String], origin: &Origin| {
        let command = words.join(" ");
        if found.insert((by.clone(), command.clone())) {
            uses.push(Use { by, command, origin: origin.clone() });
        }
    };
    for case in &plan.cases {
        let Work::Use(work) = &case.work else { continue };
        if command::is_agent(&work.model) {
            add(format!("agent `{}`", work.model.name), &work.model.command, &case.header.origin);
        }
    }
    uses
}
