//! `check` and `schema`: what a suite says, without running anything.

use super::Context;
use super::failure::{Failure, Outcome, tell_diagnostics};
use crate::gate::Exit;
use crate::report::figures::count;
use crate::suite::health::Weakness;
use crate::suite::read::{Loaded, Project, Request};
use crate::suite::{self, Suite};

/// Validates suites: prints every diagnostic of every file.
pub(super) fn check(names: &[String], context: &Context) -> Outcome {
    let project = Project::new(context.root.clone());
    let names = selected(names, &project)?;
    let mut worst = Ok(Exit::Pass);
    for name in &names {
        match load(&project, name, &Request::default(), context) {
            Ok(suite) => {
                let weak: Vec<_> = suite::health::look(&suite).iter().map(Weakness::warning).collect();
                let source = |file: &str| suite.sources.get(file).map(ToString::to_string);
                tell_diagnostics(context.printer, &weak, &source)?;
                let parts = [
                    (suite.cases.len(), "use case"),
                    (suite.access.len(), "access row"),
                    (suite.auth_checks.len(), "auth check"),
                ];
                let parts = parts.map(|(n, noun)| count(n as u64, noun)).join(", ");
                context.printer.talk(&format!("{}: no errors; {parts}", suite.file));
            }
            Err(failure) => worst = Err(failure),
        }
    }
    worst
}

/// The suites named, or every suite of the project.
pub(super) fn selected(names: &[String], project: &Project) -> Outcome<Vec<String>> {
    if !names.is_empty() {
        return Ok(names.to_vec());
    }
    let all = project.list();
    if all.is_empty() {
        return Err(Failure::usage("suite.not-found", "there is no suite under suites/")
            .hint("try the built-in demo: `rehearsal eval bookshop`"));
    }
    Ok(all)
}

/// Finds and loads one suite; prints its diagnostics.
pub(super) fn load(project: &Project, name: &str, request: &Request, context: &Context) -> Outcome<Suite> {
    let path = match project.find(name) {
        Ok(path) => path,
        Err(diagnostic) => {
            tell_diagnostics(context.printer, &[diagnostic], &|_| None)?;
            return Err(Failure::usage("suite.not-found", format!("no suite `{name}`")));
        }
    };
    let Loaded { suite, mut diagnostics, sources } = project.load(&path, request);
    if let Some(suite) = &suite {
        let today = context.clock.wall().to_zoned(jiff::tz::TimeZone::UTC).date();
        diagnostics.extend(suite::quarantine::check(suite, today));
    }
    tell_diagnostics(context.printer, &diagnostics, &|file| sources.get(file).map(ToString::to_string))?;
    suite.ok_or_else(|| {
        Failure::new(Exit::Bug, "bug.no-suite", "the suite has no errors and could not be read")
    })
}

/// Prints the JSON Schema of suite files.
pub(super) fn schema(context: &Context) -> Outcome {
    context.printer.data(suite::schema::text().as_bytes())?;
    Ok(Exit::Pass)
}
