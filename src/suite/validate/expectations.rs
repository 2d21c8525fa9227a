//! Expectations: criteria that nobody judges or that say nothing, patterns and paths that cannot be read.

use serde_json_path::JsonPath;

use crate::diag::{Diagnostic, Located};
use crate::score::judge::{Asks, Criterion};
use crate::suite::{CaseSpec, Suite, Template, Turn, vars};

pub(super) fn check(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    for case in &suite.cases {
        for check in &case.expect {
            for problem in check.value.problems() {
                let message = format!("`{}`: {problem}", check.value.name());
                diagnostics.push(Diagnostic::error("suite.invalid-value", check.origin.clone(), message));
            }
        }
        for criterion in &case.criteria {
            one_criterion(criterion, diagnostics);
        }
        paths(case, diagnostics);
        variables(case, diagnostics);
        steps(suite, case, diagnostics);
    }
    let judged = suite.cases.iter().flat_map(|case| &case.criteria).next();
    if let (Some(criterion), None) = (judged, &suite.judge) {
        let message = "criteria need a judge, and the suite names none";
        diagnostics.push(
            Diagnostic::error("suite.no-judge", criterion.origin.clone(), message)
                .hint("add `judge: {model: NAME}`; the model under test does not judge itself"),
        );
    }
}

/// Most claims of a criterion.
const MOST_CLAIMS: usize = 50;

fn one_criterion(criterion: &Located<Criterion>, diagnostics: &mut Vec<Diagnostic>) {
    let at = || criterion.origin.clone();
    let mut wrong = |message: &str, hint: &str| {
        diagnostics.push(Diagnostic::error("suite.criterion", at(), message).hint(hint));
    };
    let empty = |statement: &str| statement.trim().is_empty();
    match criterion.value.asks() {
        None if criterion.value.coverage.is_some() && criterion.value.claims.is_empty() => {
            wrong(
                "`coverage` is the share of `claims` that must hold, and there are none",
                "add `claims`, or remove it",
            );
        }
        None => wrong(
            "a criterion has exactly one of `must`, `must_not`, `info` and `claims`",
            "write one statement per list item",
        ),
        Some(Asks::Statement(_, statement)) if empty(statement) => {
            wrong("the criterion says nothing", "write one statement that can be answered with yes or no");
        }
        Some(Asks::Claims(claims, _)) if claims.iter().any(|claim| empty(claim)) => {
            wrong("a claim says nothing", "write one statement per claim");
        }
        Some(Asks::Claims(claims, _)) if claims.len() > MOST_CLAIMS => {
            wrong("a criterion has more than 50 claims", "split it, so that a judge can keep them in mind");
        }
        Some(_) => {}
    }
    if criterion.value.reference.as_deref().is_some_and(empty) {
        wrong("`reference` says nothing", "write what a right answer holds, or remove it");
    }
    if let Some(Err(error)) = criterion.value.scripted.as_deref().map(regex::Regex::new) {
        let message = format!("`scripted` is not a regular expression: {}", last_line(&error.to_string()));
        diagnostics.push(Diagnostic::error("suite.invalid-value", at(), message));
    }
}

fn paths(case: &CaseSpec, diagnostics: &mut Vec<Diagnostic>) {
    for verify in &case.verify {
        if let Some(Err(error)) = verify.value.path.as_deref().map(JsonPath::parse) {
            let message = format!("`path` is not a JSONPath: {}", last_line(&error.to_string()));
            diagnostics.push(
                Diagnostic::error("suite.invalid-value", verify.origin.clone(), message)
                    .hint("write it like `$.order.status` (RFC 9535)"),
            );
        }
    }
}

/// Variables of steps are those of the target: declared, or of the run itself.
fn steps(suite: &Suite, case: &CaseSpec, diagnostics: &mut Vec<Diagnostic>) {
    let steps = case.setup.iter().chain(&case.cleanup).map(|step| (&step.value, &step.origin));
    let verify = case.verify.iter().map(|verify| (&verify.value.step, &verify.origin));
    for (step, at) in steps.chain(verify) {
        for template in step.templates() {
            let declared = suite.env.iter().map(|variable| variable.value.as_str());
            let known = declared.chain(vars::BUILT_IN.iter().copied());
            let diagnostic = match vars::names(template) {
                Ok(names) => {
                    names.into_iter().find(|name| known.clone().all(|known| known != *name)).map(|name| {
                        let message = format!("variable `{name}` is not declared");
                        let diagnostic = Diagnostic::error("suite.undeclared-variable", at.clone(), message);
                        diagnostic
                            .hint(format!("to read it from the environment, declare it: `env: [{name}]`"))
                    })
                }
                Err(error) => {
                    let diagnostic = Diagnostic::error("suite.invalid-value", at.clone(), error.to_string());
                    Some(diagnostic.hint("write `${NAME}`; for the characters themselves write `$${`"))
                }
            };
            // A step of the suite itself stands in every case.
            diagnostics.extend(diagnostic.filter(|diagnostic| !diagnostics.contains(diagnostic)));
        }
    }
}

/// Prompts are sent as they are; a variable there would be sent as its name.
fn variables(case: &CaseSpec, diagnostics: &mut Vec<Diagnostic>) {
    for turn in &case.turns {
        let Turn::User(text) = turn else { continue };
        if vars::names(&Template(text.clone())).is_ok_and(|names| !names.is_empty()) {
            let message =
                format!("case `{}` has a variable in its words, where none is filled in", case.id.value);
            diagnostics.push(
                Diagnostic::error("suite.variable-here", case.id.origin.clone(), message)
                    .as_warning()
                    .hint("variables are filled in the target only; write the value out"),
            );
        }
    }
}

/// Parsers explain themselves with several lines; the last one says what is wrong.
fn last_line(message: &str) -> &str {
    let line = message.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(message).trim();
    line.strip_prefix("error: ").unwrap_or(line)
}
