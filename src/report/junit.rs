//! JUnit XML as GitHub reporters, GitLab and Jenkins read it: one test case per cell, its trials folded in.
//!
//! The suite is the test suite, `suite.model.persona` the class, the case id the name, with the client profile where it is
//! not the usual one, so that a further client renames no test. A cell that fails is a failure with its further failed
//! trials as reruns, one without evidence an error of type `infra.SIDE`, a known failure or a cell that did not run is
//! skipped, and mixed trials that pass are flaky. GitLab allows 250,000 objects and five properties are enough for
//! anybody, so trials are never test cases of their own and very large runs have no properties.

use std::io::Write;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite, XmlString};

use super::summary::{Failure, FaultLine, Row, Summary, TrialLine};
use super::{ReportError, figures};
use crate::display;
use crate::gate::cells::State;

/// The client profile that test names leave out.
const USUAL_CLIENT: &str = "reference";
/// Cells beyond which test cases have no properties and no output.
const LARGE: usize = 10_000;
/// Most reruns of one test case, and most lines of its output.
const TRIALS: usize = 20;
/// Most characters of a message and of a line of output.
const LINE: usize = 500;

/// The document.
pub fn render(summary: &Summary, out: &mut dyn Write) -> Result<(), ReportError> {
    // The crate does not tell a full disk from a text that cannot be written as XML.
    let text = report(summary)
        .to_string()
        .map_err(|error| ReportError::Render { format: "junit", message: error.to_string() })?;
    Ok(out.write_all(text.as_bytes())?)
}

fn report(summary: &Summary) -> Report {
    let mut report = Report::new(xml("rehearsal"));
    let mut suite = TestSuite::new(xml(&summary.suite));
    suite.extra.insert(xml("timestamp"), xml(&summary.started));
    suite.set_time(duration(summary.usage.seconds));
    report.set_time(duration(summary.usage.seconds));
    let totals = &summary.totals;
    let facts = [
        ("run", summary.run.clone()),
        ("verdict", summary.verdict.to_owned()),
        ("exit_code", summary.exit_code.to_string()),
        ("trials", totals.trials.to_string()),
        ("passed", totals.passed.to_string()),
        ("failed", totals.failed.to_string()),
        ("invalid", totals.invalid.to_string()),
        ("skipped", totals.skipped.to_string()),
        ("missing", totals.missing.to_string()),
        ("cost", figures::money(summary.usage.cost, summary.usage.unpriced_trials)),
    ];
    for (name, value) in facts {
        suite.add_property((xml(name), xml(&value)));
    }
    if let Some(history) = super::history::line(summary, str::to_owned) {
        suite.add_property((xml("history"), xml(&history)));
    }
    if let Some(quarantine) = &summary.quarantine {
        suite.add_property((xml("quarantine"), xml(&quarantine.headline())));
    }
    for model in summary.gate.iter().flat_map(|gate| &gate.models) {
        let name = format!("gate.{}", model.model);
        suite.add_property((xml(&name), xml(&model.sentence)));
    }
    for rate in &summary.rates {
        let who = [rate.model.as_deref().unwrap_or("-"), &rate.persona, &rate.client].join(".");
        suite.add_property((xml(&format!("pass_rate.{who}")), xml(&figures::rate(rate))));
        for (name, value) in super::rates::properties(rate) {
            suite.add_property((xml(&format!("{name}.{who}")), xml(&value)));
        }
    }
    for exact in &summary.exact {
        suite.add_property((xml(&format!("access.{}", exact.what)), xml(&exact.sentence())));
    }
    for model in &summary.spending.models {
        let cost = model.per_passing_case();
        suite.add_property((xml(&format!("cost_per_passing_case.{}", model.model)), xml(&cost)));
    }
    for row in &summary.cases {
        suite.add_test_case(test_case(row, summary));
    }
    report.add_test_suite(suite);
    report
}

fn test_case(row: &Row, summary: &Summary) -> TestCase {
    let name = match row.client.as_str() {
        USUAL_CLIENT => row.id.clone(),
        client => format!("{} [{client}]", row.id),
    };
    let model = row.model.as_deref().unwrap_or(row.kind);
    let mut case = TestCase::new(xml(&name), status(row, summary));
    case.set_classname(xml(&format!("{}.{model}.{}", summary.suite, row.persona)));
    case.set_time(duration(row.seconds));
    case.extra.insert(xml("file"), xml(&row.origin.file));
    case.extra.insert(xml("line"), xml(&row.origin.line.to_string()));
    if summary.cases.len() > LARGE {
        return case;
    }
    case.add_property((xml("file"), xml(&row.origin.file)));
    case.add_property((xml("line"), xml(&row.origin.line.to_string())));
    case.add_property((xml("trials"), xml(&trials(row))));
    case.add_property((xml("cost"), xml(&figures::money(row.cost, row.unpriced_trials))));
    let quarantined = row.quarantined.then_some("under quarantine");
    let past: Vec<&str> = row.history.into_iter().chain(quarantined).collect();
    if !past.is_empty() {
        case.add_property((xml("history"), xml(&past.join(", "))));
    }
    if row.is != State::Pass && !row.trials.is_empty() {
        case.set_system_out(xml(&output(row)));
    }
    case
}

/// The trials, a line each.
fn output(row: &Row) -> String {
    let line = |trial: &TrialLine| {
        let outcome = trial.outcome.unwrap_or(if trial.skipped.is_some() { "skipped" } else { "no verdict" });
        let mut line = format!("trial {}: {outcome}, {}", trial.trial, figures::duration(trial.seconds));
        if !trial.tool_calls.is_empty() {
            line.push_str(&format!(", called {}", trial.tool_calls.join(", ")));
        }
        display::excerpt(&line, LINE)
    };
    let mut lines: Vec<String> = row.trials.iter().take(TRIALS).map(line).collect();
    if row.trials.len() > TRIALS {
        lines.push(format!("and {} more", row.trials.len() - TRIALS));
    }
    lines.join("\n")
}

fn trials(row: &Row) -> String {
    let Row { passed, failed, invalid, skipped, missing, .. } = row;
    let skipped = if *skipped > 0 { format!("{skipped} skipped, ") } else { String::new() };
    format!("{passed} passed, {failed} failed, {invalid} invalid, {skipped}{missing} without a verdict")
}

fn status(row: &Row, summary: &Summary) -> TestCaseStatus {
    let counts = row.counts();
    let passed = format!("{}/{} trials passed, {}", counts.passed, counts.judged(), row.bar);
    let text = description(row, summary);
    let not_passed = |kind, ty: &str, message: &str| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(xml(ty)).set_message(xml(message)).set_description(xml(&text));
        // The element itself stands for the first of them; where passing is the trouble there are none.
        if row.is != State::UnexpectedPass {
            status.add_reruns(reruns(row).into_iter().skip(1));
        }
        status
    };
    let infra = |message: &str| {
        let side = row.fault.as_ref().map_or("harness", |fault| fault.side);
        not_passed(NonSuccessKind::Error, &format!("infra.{side}"), message)
    };
    match row.is {
        // It raises no alarm in the gate, and so none in a build.
        State::Fail if row.quarantined => skipped(&format!("under quarantine: {passed}")),
        State::Pass | State::Flaky => {
            let mut status = TestCaseStatus::success();
            status.add_reruns(reruns(row));
            status
        }
        State::Fail => not_passed(NonSuccessKind::Failure, "quality", &passed),
        State::Security => not_passed(NonSuccessKind::Failure, "security", &passed),
        State::UnexpectedPass => {
            let message = format!("known to fail, but {}/{} trials passed", counts.passed, counts.judged());
            not_passed(NonSuccessKind::Failure, "unexpected-pass", &message)
        }
        State::Undecided => {
            infra(&format!("{passed}; {} without a verdict could turn this", counts.invalid + counts.missing))
        }
        State::Invalid => infra(&figures::cell(row)),
        State::ExpectedFailure => {
            skipped(&format!("expected failure: {}", row.expected_failure.as_deref().unwrap_or_default()))
        }
        State::Missing => skipped("did not run"),
        State::Skipped => skipped(row.why_skipped()),
    }
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(xml(message));
    status
}

/// The trials that did not pass: of a cell that passes they are what makes it flaky.
fn reruns(row: &Row) -> Vec<TestRerun> {
    let unlike = row.trials.iter().filter(|trial| trial.outcome != Some("pass") && trial.skipped.is_none());
    unlike
        .take(TRIALS)
        .map(|trial| {
            let kind = match trial.outcome {
                Some("fail") => NonSuccessKind::Failure,
                _ => NonSuccessKind::Error,
            };
            let mut rerun = TestRerun::new(kind);
            let failed = trial.findings.iter().find(|finding| finding.grade == "fail");
            let why = trial.fault.as_ref().map(|fault| fault.message.as_str());
            let why = why.or(failed.map(|finding| finding.why.as_str())).unwrap_or("no verdict");
            let ty =
                trial.fault.as_ref().map_or("quality".to_owned(), |fault| format!("infra.{}", fault.side));
            rerun.set_time(duration(trial.seconds)).set_type(xml(&ty));
            rerun.set_message(xml(&display::excerpt(&format!("trial {}: {why}", trial.trial), LINE)));
            rerun
        })
        .collect()
}

fn description(row: &Row, summary: &Summary) -> String {
    let mut lines = vec![];
    for Failure { check, why, origin, excerpt, trials, .. } in &row.failures {
        lines.push(format!("want  {} at {origin}", figures::wanted(check)));
        lines.extend(excerpt.iter().skip(1).map(|line| format!("      {line}")));
        lines.push(format!("got   {why}"));
        lines.push(format!("in    {}", figures::count(*trials, "trial")));
    }
    if let Some(rule) = &row.rule {
        lines.push(format!("rule  {} ({}, {})", rule.title, rule.level, rule.section));
        lines.push(format!("fix   {}", rule.fix));
    }
    if let Some(FaultLine { side, code, message }) = &row.fault {
        lines.push(format!("fault {code} ({side}): {message}"));
    }
    lines.push(format!("as    {} through {}", row.persona, row.client));
    lines.push(format!("see   {} show {} {}", summary.program, summary.run, row.id));
    lines.join("\n")
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// A text with every character that XML 1.0 forbids replaced. The crate lets U+FFFE and U+FFFF through, which makes the
/// document ill-formed.
fn xml(text: &str) -> XmlString {
    XmlString::new(text.replace(|c| !legal(c), "\u{fffd}"))
}

/// <https://www.w3.org/TR/xml/#charsets>, without the carriage return, which parsers turn into a line feed.
fn legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
