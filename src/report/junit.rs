//! JUnit XML as CI systems read it: one test case per cell, its trials folded in.
//!
//! The suite is the test suite, `suite.model.persona` the class, the case id the name. A cell that fails is a failure,
//! one without evidence an error of type `infra.SIDE`, a known failure or a cell that did not run is skipped, and mixed
//! trials that pass are flaky. GitLab allows 250,000 objects and five properties are enough for anybody, so trials are
//! never test cases of their own.

use std::io::Write;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite, XmlString};

use super::summary::{Failure, FaultLine, Row, Summary};
use super::{ReportError, figures};
use crate::gate::cells::State;

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
    let mut clients: Vec<&str> = summary.cases.iter().map(|row| row.client.as_str()).collect();
    clients.sort_unstable();
    clients.dedup();
    for row in &summary.cases {
        suite.add_test_case(test_case(row, summary, clients.len()));
    }
    report.add_test_suite(suite);
    report
}

fn test_case(row: &Row, summary: &Summary, clients: usize) -> TestCase {
    let name = if clients > 1 { format!("{} [{}]", row.id, row.client) } else { row.id.clone() };
    let model = row.model.as_deref().unwrap_or(row.kind);
    let mut case = TestCase::new(xml(&name), status(row, summary));
    case.set_classname(xml(&format!("{}.{model}.{}", summary.suite, row.persona)));
    case.set_time(duration(row.seconds));
    case.extra.insert(xml("file"), xml(&row.origin.file));
    case.extra.insert(xml("line"), xml(&row.origin.line.to_string()));
    case.add_property((xml("file"), xml(&row.origin.file)));
    case.add_property((xml("line"), xml(&row.origin.line.to_string())));
    case.add_property((xml("trials"), xml(&trials(row))));
    case.add_property((xml("cost"), xml(&figures::money(row.cost, row.unpriced_trials))));
    case
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
        status
    };
    let infra = |message: &str| {
        let side = row.fault.as_ref().map_or("harness", |fault| fault.side);
        not_passed(NonSuccessKind::Error, &format!("infra.{side}"), message)
    };
    match row.is {
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

/// The trials that a passing cell did not pass.
fn reruns(row: &Row) -> Vec<TestRerun> {
    let unlike = row.trials.iter().filter(|trial| trial.outcome != Some("pass"));
    unlike
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
            rerun.set_message(xml(&format!("trial {}: {why}", trial.trial)));
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
