//! The project: its folder, its suites, and the variables that they read.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::line::Line;
use super::setting::{Read, Setting};
use crate::gate::Exit;
use crate::report::figures::count;

/// Most files that are named one by one.
const MOST: usize = 10;

/// Looks at the suites.
pub(super) fn look<'a>(setting: &'a Setting<'a>) -> BoxFuture<'a, Vec<Line>> {
    async move { lines(setting) }.boxed()
}

fn lines(setting: &Setting<'_>) -> Vec<Line> {
    if setting.suites.is_empty() {
        return vec![named()];
    }
    let mut lines = vec![];
    if !setting.has_suites && setting.args.subject.is_none() {
        lines.push(nothing());
    }
    let cases: usize =
        setting.good().map(|suite| suite.cases.len() + suite.access.len() + suite.auth_checks.len()).sum();
    lines.extend(told(&setting.suites, cases));
    lines.extend(variables(setting));
    lines
}

pub(super) fn named() -> Line {
    Line::new("suites", "", "not looked at, because a target is named").skipped()
}

pub(super) fn nothing() -> Line {
    let says = "there is no folder `suites/` here; the built-in bookshop is looked at instead";
    Line::new("project", "", says).warning("run it in your project, or with `-C DIR`")
}

/// The files, and what is wrong with each.
pub(super) fn told(suites: &[Read], cases: usize) -> Vec<Line> {
    let broken: Vec<_> = suites.iter().filter(|read| read.errors().next().is_some()).collect();
    let warnings: usize = suites.iter().map(|read| read.problems.len() - read.errors().count()).sum();
    let files = count(suites.len() as u64, "file");
    let says = format!("{files}, {} and checks, {} with errors", count(cases as u64, "case"), broken.len());
    let line = Line::new("suites", "", says);
    let mut lines = vec![match (warnings, broken.len()) {
        (0, 0) => line,
        (0, _) => line.warning("see `rehearsal check`"),
        (n, _) => line.warning(format!("{}: see `rehearsal check`", count(n as u64, "warning"))),
    }];
    for read in broken.iter().take(MOST) {
        let first = read.errors().next();
        let says = first.map(|found| match &found.at {
            Some(at) => format!("line {}: {}", at.line, found.message),
            None => found.message.clone(),
        });
        let hint = first.map(|found| found.hints.join("; ")).filter(|hint| !hint.is_empty());
        let line = Line::new("suites", &read.file, says.unwrap_or_default());
        lines.push(line.wrong(Exit::Usage, hint.unwrap_or_else(|| "see `rehearsal check`".to_owned())));
    }
    if broken.len() > MOST {
        let says = format!("and {} more with errors", broken.len() - MOST);
        lines.push(Line::new("suites", "", says).wrong(Exit::Usage, "see `rehearsal check`"));
    }
    lines
}

/// Variables that the suites declare: set or not, and how long, never what they hold.
fn variables(setting: &Setting<'_>) -> Vec<Line> {
    let mut names: Vec<(&str, &str)> = vec![];
    for suite in setting.good() {
        for name in &suite.env {
            if names.iter().all(|(known, _)| *known != name.value) {
                names.push((&name.value, &suite.file));
            }
        }
    }
    let line = |(name, file): (&str, &str)| {
        let value = setting.variable(name);
        if let Some(value) = &value {
            // A value may be part of what a server says later.
            setting.context.secrets.register(name, value);
        }
        variable(name, file, value.map(|value| value.chars().count() as u64))
    };
    names.into_iter().map(line).collect()
}

/// A variable that a file reads, and how many characters it holds if it is set.
pub(super) fn variable(name: &str, file: &str, length: Option<u64>) -> Line {
    match length {
        Some(length) => Line::new("variables", name, format!("set, {}", count(length, "character"))),
        None => Line::new("variables", name, format!("not set; {file} reads it"))
            .wrong(Exit::Credentials, format!("export {name}, or remove it from `env:`")),
    }
}
