//! Which programs a plan would start beside its target.

use std::collections::BTreeSet;

use super::{Plan, Work};
use crate::diag::{Located, Origin};
use crate::llm::command;
use crate::suite::Step;

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
        let mut steps = |steps: &[Located<Step>], phase: &str| {
            for step in steps {
                if let Step::Command(command) = &step.value {
                    add(format!("{phase} of case `{}`", case.header.case), &command.run, &step.origin);
                }
            }
        };
        steps(&work.setup, "setup");
        steps(&work.cleanup, "cleanup");
        for verify in &work.verify {
            if let Step::Command(command) = &verify.value.step {
                add(format!("verify of case `{}`", case.header.case), &command.run, &verify.origin);
            }
        }
        for check in case.checks.iter() {
            for command in check.value.commands() {
                add(format!("a check of case `{}`", case.header.case), &command.run, &check.origin);
            }
        }
        if command::is_agent(&work.model) {
            add(format!("agent `{}`", work.model.name), &work.model.command, &case.header.origin);
        }
    }
    uses
}
