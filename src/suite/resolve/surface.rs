//! What a suite demands of the tools: rules that exist, and a snapshot wherever changes matter.

use std::sync::Arc;

use super::context::Context;
use crate::diag::{Diagnostic, Located, suggest};
use crate::suite::wire::SurfacePart;
use crate::suite::yaml::At;
use crate::surface::lint;
use crate::surface::policy::Policy;

pub(super) fn resolve(
    context: &mut Context<'_>,
    written: Option<(&Arc<str>, &At<SurfacePart>)>,
) -> Option<Policy> {
    let (file, part) = written?;
    let mut policy = Policy::at(part.origin(file));
    let SurfacePart { tokens, tool_tokens, lint, snapshot, drift } = part.value.clone();
    policy.tokens = tokens.map(|limit| limit.locate(file));
    policy.tool_tokens = tool_tokens.map(|limit| limit.locate(file));
    policy.snapshot = snapshot.map(|folder| folder.locate(file));
    policy.drift = drift.map(|class| class.locate(file));
    let lint = lint.unwrap_or_default();
    policy.deny = names(context, file, lint.deny, true);
    policy.allow = names(context, file, lint.allow, false);
    if let (Some(class), None) = (&policy.drift, &policy.snapshot) {
        let message = "`drift` compares with a snapshot, and there is none";
        context.push(
            Diagnostic::error("suite.missing-key", class.origin.clone(), message)
                .hint("add `snapshot: DIR`, and write it with `rehearsal tools SUITE --snapshot DIR`"),
        );
    }
    if let Some(folder) = policy.snapshot.as_ref().filter(|folder| folder.value.trim().is_empty()) {
        context.push(Diagnostic::error("suite.invalid-value", folder.origin.clone(), "`snapshot` names no folder"));
    }
    Some(policy)
}

/// Names of rules; of levels as well where that makes sense.
fn names(context: &mut Context<'_>, file: &Arc<str>, written: Vec<At<String>>, levels: bool) -> Vec<Located<String>> {
    let mut known = Vec::new();
    for name in written {
        let name = name.locate(file);
        if lint::find(&name.value).is_some() || (levels && lint::level(&name.value).is_some()) {
            known.push(name);
            continue;
        }
        let message = format!("there is no rule `{}` about tools", name.value);
        let rules = lint::RULES.iter().map(|rule| rule.id.trim_start_matches("surface."));
        context.push(
            Diagnostic::error("suite.unknown-name", name.origin.clone(), message)
                .hint(suggest::hint(&name.value, rules))
                .hint("docs/tools.md lists the rules"),
        );
    }
    known
}
