//! The quarantine of a suite: dates become days, and every entry is of a use case that may be there.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::context::Context;
use crate::diag::{Diagnostic, Located, Origin};
use crate::ids::CaseName;
use crate::suite::quarantine::Quarantined;
use crate::suite::yaml::At;
use crate::suite::{CaseSpec, wire};

pub(super) fn resolve(
    context: &mut Context<'_>,
    file: &Arc<str>,
    written: &[At<wire::QuarantinePart>],
    cases: &[CaseSpec],
) -> Vec<Quarantined> {
    let mut seen: HashMap<CaseName, Origin> = HashMap::new();
    let mut entries = vec![];
    for part in written {
        let Some(entry) = one(context, file, part, cases) else { continue };
        if let Some(first) = seen.insert(entry.case.clone(), entry.origin.clone()) {
            let message = format!("case `{}` is under quarantine twice", entry.case);
            context.push(
                Diagnostic::error("suite.duplicate-id", entry.origin.clone(), message)
                    .also(first, "first here"),
            );
            continue;
        }
        entries.push(entry);
    }
    // Every entry but one tenth: the first that is too many is where it stands.
    if let Some(over) = entries.get(cases.len() / 10) {
        let message = format!(
            "{} of {} use cases are under quarantine, more than one in ten",
            entries.len(),
            cases.len()
        );
        context.push(
            Diagnostic::error("suite.quarantine", over.origin.clone(), message)
                .hint("mend some of them first: what is out of sight stays broken"),
        );
    }
    entries
}

fn one(
    context: &mut Context<'_>,
    file: &Arc<str>,
    part: &At<wire::QuarantinePart>,
    cases: &[CaseSpec],
) -> Option<Quarantined> {
    let wire::QuarantinePart { case, owner, until, since, why } = &part.value;
    let at = case.origin(file);
    for (key, text) in [("owner", owner), ("why", why)] {
        if text.trim().is_empty() {
            let message = format!("the quarantine of case `{}` has an empty `{key}`", case.value);
            context.push(
                Diagnostic::error("suite.quarantine", at.clone(), message)
                    .hint("say who answers for the case, and why it may not raise an alarm"),
            );
        }
    }
    let known = cases.iter().find(|known| known.id.value.as_str() == case.value);
    let Some(known) = known else {
        let message = format!("no use case is called `{}`", case.value);
        let names = cases.iter().map(|case| case.id.value.as_str());
        let diagnostic = Diagnostic::error("suite.unknown-name", at, message)
            .hint(crate::diag::suggest::hint(&case.value, names))
            .hint("access and auth cases are never under quarantine");
        context.push(diagnostic);
        return None;
    };
    if let Some(guard) =
        known.expect.iter().find(|check| ["tool_not_called", "not_reached"].contains(&check.value.name()))
    {
        let message = format!("case `{}` forbids a tool, so it is never under quarantine", case.value);
        context.push(
            Diagnostic::error("suite.quarantine", at, message)
                .also(guard.origin.clone(), "forbidden here")
                .hint("give the forbidden tool a case of its own"),
        );
        return None;
    }
    let until = date(context, &until.clone().locate(file))?;
    let since = match since {
        Some(since) => Some(date(context, &since.clone().locate(file))?),
        None => None,
    };
    let (case, owner, why) = (known.id.value.clone(), owner.trim().to_owned(), why.trim().to_owned());
    Some(Quarantined { case, owner, until, since, why, origin: at })
}

fn date(context: &mut Context<'_>, text: &Located<String>) -> Option<Date> {
    let read = text.value.parse::<Date>().ok();
    if read.is_none() {
        let message = format!("`{}` is no date", text.value);
        context.push(
            Diagnostic::error("suite.invalid-value", text.origin.clone(), message)
                .hint("write it as `2026-03-31`"),
        );
    }
    read
}
