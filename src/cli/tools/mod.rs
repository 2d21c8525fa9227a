//! `tools`: what a server offers, what it costs, what is wrong with it, how it changed, and what each client makes of
//! it. No model, no spending.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::failure::{Failure, Outcome};
use super::{Context, clients, models};
use crate::drive::fit::{self, Fit, Level as FitLevel, misfits};
use crate::drive::offer::Menu;
use crate::drive::visit::Visit;
use crate::gate::Exit;
use crate::llm::{self, Outside, providers};
use crate::mcp::ClientProfile;
use crate::report::figures::count;
use crate::report::losses::{self, ModelLosses};
use crate::suite::Suite;
use crate::suite::read::Project;
use crate::surface::bill::Bill;
use crate::surface::drift::{self, Change, Class};
use crate::surface::judged::Judged;
use crate::surface::lint::{self, Finding};
use crate::surface::{Level, Listed, Shown, judged, merged};
use crate::transcript::{Loss, ToolFact};

mod args;
mod files;
mod judging;
pub(super) mod look;
mod output;
mod past;

pub(super) use args::{FailOn, ToolsArgs};
pub(super) use judging::judge;

/// Most reasons that are told beside the first.
const ALSO: usize = 19;

/// What was found out about a server.
struct Found {
    visit: Visit,
    tools: Vec<ToolFact>,
    profiles: Vec<ClientProfile>,
    bills: Vec<Bill>,
    findings: Vec<Finding>,
    /// Against what, and the changes.
    changes: Option<(String, Vec<Change>)>,
    fits: Vec<Fit>,
    lost: Vec<ModelLosses>,
    written: Option<files::Written>,
    judged: Option<Judged>,
}

/// Looks at a server and prints its tools, what they cost and what is wrong with them.
pub(super) async fn tools(args: &ToolsArgs, context: &Context) -> Outcome {
    let drifts = [FailOn::Breaking, FailOn::Additive, FailOn::Wording];
    if args.against.is_none() && args.fail_on.iter().any(|what| drifts.contains(what)) {
        return Err(Failure::usage("usage.flags", "`--fail-on` with a class of changes needs `--against`")
            .hint("write a snapshot with `--snapshot DIR` first, then `--against DIR`"));
    }
    let profiles = profiles(args, context)?;
    // Before the server is asked: a snapshot that cannot be read is no reason to start anything.
    let before = args.against.as_deref().map(|name| past::tools(name, &args.out, context)).transpose()?;
    let (visit, suite) = look::look(args, context).await?;
    let mut found = find(args, (profiles, visit), context)?;
    if let (Some(name), Some(before)) = (&args.against, before) {
        found.changes = Some((name.clone(), drift::compare(&before, &found.tools)));
    }
    found.judged = match &suite {
        Some(suite) => judging::held(suite, &found.visit.seen, &found.tools, context)?,
        None => None,
    };
    if let Some(folder) = &args.snapshot {
        found.written = Some(files::write(&context.root.join(folder), &found.tools, &context.secrets)?);
    }
    output::print(&found, args, context)?;
    verdict(&found, args, suite.as_ref(), context)
}

fn find(
    args: &ToolsArgs,
    (profiles, visit): (Vec<ClientProfile>, Visit),
    context: &Context,
) -> Outcome<Found> {
    let seen = &visit.seen;
    let tools = merged(visit.lists.iter().map(Vec::as_slice));
    let show = |profile: &ClientProfile| fit::shown(&tools, &seen.server, profile);
    let catalog = Project::new(context.root.clone()).catalog();
    let all: Vec<Shown> = clients::all(&catalog, context)?.iter().map(show).collect();
    let (server, instructions) = (seen.server.as_str(), seen.instructions.as_deref());
    let findings = lint::lint(&Listed { server, instructions, tools: &tools, clients: &all });
    let reference = [ClientProfile::reference()];
    let billed = if profiles.is_empty() { &reference[..] } else { &profiles };
    let bills = billed.iter().map(|profile| Bill::of(&show(profile), &tools)).collect();
    let fits = profiles.iter().map(|profile| misfits(seen, profile)).collect();
    let lost = losses(args, &visit, context)?;
    Ok(Found {
        visit,
        tools,
        profiles,
        bills,
        findings,
        changes: None,
        fits,
        lost,
        written: None,
        judged: None,
    })
}

fn profiles(args: &ToolsArgs, context: &Context) -> Outcome<Vec<ClientProfile>> {
    let catalog = Project::new(context.root.clone()).catalog();
    if args.clients.iter().any(|name| name == "all") {
        return clients::all(&catalog, context);
    }
    args.clients.iter().map(|name| clients::find(&catalog, name, context)).collect()
}

/// What the API of each model named would not take, as the reference client offers the tools.
fn losses(args: &ToolsArgs, visit: &Visit, context: &Context) -> Outcome<Vec<ModelLosses>> {
    let catalog = Project::new(context.root.clone()).catalog();
    let menu = ClientProfile::reference().menu;
    let tools = Menu::of(&visit.seen.tools, &visit.seen.server, &menu).offers;
    let http = crate::net::client().map_err(|error| Failure::new(Exit::Bug, "bug.http", error))?;
    // Nothing is sent, so nothing of the environment is needed.
    let outside = Outside::new(http, Arc::new(|_| None));
    let lost = |name: &String| {
        let spec = models::find(&catalog, name, context)?;
        let model =
            llm::build(&providers::offline(&spec), &outside).map_err(|fault| Failure::from_fault(&fault))?;
        let lost: BTreeSet<Loss> = model.losses(&tools).into_iter().collect();
        Ok(losses::of(spec.name.as_str(), &lost))
    };
    args.models.iter().map(lost).collect()
}

/// The exit code: budgets, then the lint, then changes, then what clients make of the tools, then what the suite says.
fn verdict(found: &Found, args: &ToolsArgs, suite: Option<&Suite>, context: &Context) -> Outcome {
    let mut wrong: Vec<(&str, String)> = over_budget(found, args);
    let of_lint = [
        (FailOn::LintError, Level::Error),
        (FailOn::LintWarning, Level::Warning),
        (FailOn::LintNote, Level::Note),
    ];
    if let Some((_, level)) = of_lint.iter().rev().find(|(flag, _)| args.fail_on.contains(flag)) {
        let number = found.findings.iter().filter(|finding| finding.level <= *level).count();
        if number > 0 {
            let message = format!("{} of the lint", count(number as u64, "finding"));
            wrong.push(("gate.surface-lint", message));
        }
    }
    let of_drift = [
        (FailOn::Breaking, Class::Breaking),
        (FailOn::Additive, Class::Additive),
        (FailOn::Wording, Class::Wording),
    ];
    if let (Some((against, changes)), Some((_, class))) =
        (&found.changes, of_drift.iter().rev().find(|(flag, _)| args.fail_on.contains(flag)))
    {
        let grave: Vec<&Change> = changes.iter().filter(|change| change.class <= *class).collect();
        if let Some(first) = grave.first() {
            let more =
                if grave.len() > 1 { format!(", and {} more", grave.len() - 1) } else { String::new() };
            let against = crate::display::excerpt(against, 80);
            wrong.push(("gate.surface-drift", format!("changed against {against}: {}{more}", first.text())));
        }
    }
    let grave = |level| found.fits.iter().map(|fit| fit.count(level)).sum::<usize>();
    let misfits = match (args.fail_on.contains(&FailOn::Note), args.fail_on.contains(&FailOn::Warning)) {
        (true, _) => grave(FitLevel::Warning) + grave(FitLevel::Note),
        (false, true) => grave(FitLevel::Warning),
        (false, false) => 0,
    };
    if misfits > 0 {
        let message = format!("{} under the clients named", count(misfits as u64, "misfit"));
        wrong.push(("gate.misfit", message));
    }
    let broken = found.judged.iter().flat_map(|judged| &judged.broken);
    let mut failures: Vec<Failure> = wrong
        .into_iter()
        .map(|(code, message)| {
            Failure::new(Exit::Fail, code, message).hint("without the flag it is only shown")
        })
        .chain(broken.map(|broken| {
            Failure::new(Exit::Fail, broken.code.clone(), broken.message.clone()).at(&broken.origin)
        }))
        .collect();
    if failures.is_empty() {
        return Ok(Exit::Pass);
    }
    let mut first = failures.remove(0);
    for failure in failures.iter().take(ALSO) {
        context.printer.tell(&format!("error[{}]: {}", failure.code, failure.message));
    }
    first.causes = failures.into_iter().take(ALSO).map(|failure| failure.message).collect();
    first.hint = first.hint.or_else(|| suite.map(|suite| format!("`surface:` in {} says so", suite.file)));
    Err(first)
}

/// Budgets of the command line that are overrun.
fn over_budget(found: &Found, args: &ToolsArgs) -> Vec<(&'static str, String)> {
    let limits = judged::Limits { tokens: args.max_tokens, tool_tokens: args.max_tool_tokens };
    let over = found.bills.iter().flat_map(|bill| judged::over(bill, limits));
    over.map(|over| ("gate.surface-budget", over.message)).collect()
}

/// The tools of a snapshot in this folder.
fn snapshot(folder: &Path) -> Outcome<Vec<ToolFact>> {
    files::read(folder)
}
