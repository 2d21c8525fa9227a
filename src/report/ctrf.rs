//! CTRF, the common test report format: one test per cell, its trials as attempts. <https://ctrf.io>
//!
//! A cell without evidence is `other`, one that did not run `pending`, a known failure or one under
//! quarantine `skipped`; `rawStatus` keeps our
//! own word. The format wants an end of the run; it is taken as if the trials had run one after another, as in JUnit.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::json::document;
use super::summary::{Row, Summary, TrialLine};
use super::{ReportError, figures};
use crate::gate::cells::State;
use crate::ids::Digest;

/// The version of the format.
const VERSION: &str = "0.0.0";
/// Most attempts that are listed of one test.
const ATTEMPTS: usize = 100;

/// One document.
pub fn render(summary: &Summary, out: &mut dyn Write) -> Result<(), ReportError> {
    let started = summary.started.parse::<jiff::Timestamp>().ok();
    let start = started.map_or(0, jiff::Timestamp::as_millisecond);
    let duration = ms(summary.usage.seconds);
    let count = |wanted: &str| summary.cases.iter().filter(|row| status(row) == wanted).count();
    let mut report = json!({
        "reportFormat": "CTRF",
        "specVersion": VERSION,
        "generatedBy": format!("rehearsal {}", summary.version),
        "results": {
            "tool": {"name": "rehearsal", "version": summary.version},
            "summary": {
                "tests": summary.cases.len(),
                "passed": count("passed"),
                "failed": count("failed"),
                "skipped": count("skipped"),
                "pending": count("pending"),
                "other": count("other"),
                "flaky": summary.cases.iter().filter(|row| row.flaky).count(),
                "suites": 1,
                "start": start,
                "stop": start.saturating_add(duration),
                "duration": duration,
                "extra": {
                    "verdict": summary.verdict,
                    "exitCode": summary.exit_code,
                    "trials": summary.totals,
                    "rates": summary.rates,
                },
            },
            "tests": summary.cases.iter().map(|row| test(row, summary)).collect::<Vec<_>>(),
            "environment": {"appName": summary.suite, "testEnvironment": summary.target},
        },
    });
    if !summary.run.is_empty() {
        report["runId"] = json!(summary.run);
    }
    if started.is_some() {
        report["timestamp"] = json!(summary.started);
    }
    document("ctrf", &report, out)
}

fn status(row: &Row) -> &'static str {
    match row.is {
        // It raises no alarm in the gate, and so none in a build.
        State::Fail if row.quarantined => "skipped",
        State::Pass | State::Flaky => "passed",
        State::Fail | State::Security | State::UnexpectedPass => "failed",
        State::ExpectedFailure | State::Skipped => "skipped",
        State::Missing => "pending",
        State::Undecided | State::Invalid => "other",
    }
}

fn test(row: &Row, summary: &Summary) -> Value {
    let model = row.model.as_deref().unwrap_or("-");
    let identity = [&summary.suite, row.kind, &row.id, model, &row.persona, &row.client];
    let mut test = json!({
        "testId": Digest::of_json(&identity).to_string(),
        "name": if row.id.is_empty() { "-" } else { &row.id },
        "status": status(row),
        "rawStatus": row.state,
        "duration": ms(row.seconds),
        "suite": [summary.suite, model, row.persona, row.client],
        "type": row.kind,
        "filePath": row.origin.file,
        "line": row.origin.line,
        "flaky": row.flaky,
        "retries": row.trials.len().saturating_sub(1),
        "retryAttempts": row.trials.iter().take(ATTEMPTS).map(attempt).collect::<Vec<_>>(),
        "labels": labels(row),
    });
    let first = row.failures.first();
    let why = first.map(|failure| failure.why.clone());
    let why = why.or_else(|| row.fault.as_ref().map(|fault| fault.message.clone()));
    let why = why.or_else(|| row.expected_failure.clone().filter(|_| row.is == State::ExpectedFailure));
    let why = why.or_else(|| (row.is == State::Skipped).then(|| row.why_skipped().to_owned()));
    if let Some(why) = why.filter(|_| !matches!(row.is, State::Pass)) {
        test["message"] = json!(format!("{}: {why}", figures::cell(row)));
    }
    if !row.failures.is_empty() {
        let lines = row.failures.iter().map(|failure| {
            format!("{} at {}: {}", figures::wanted(&failure.check), failure.origin, failure.why)
        });
        test["trace"] = json!(lines.collect::<Vec<_>>().join("\n"));
    }
    if let Some(first) = first.filter(|failure| !failure.excerpt.is_empty()) {
        test["snippet"] = json!(first.excerpt.join("\n"));
    }
    test
}

fn labels(row: &Row) -> Value {
    let mut labels = Map::new();
    labels.insert("persona".to_owned(), json!(row.persona));
    labels.insert("client".to_owned(), json!(row.client));
    labels.extend(row.model.as_ref().map(|model| ("model".to_owned(), json!(model))));
    let cost = row.cost.filter(|_| row.unpriced_trials == 0);
    labels.extend(cost.map(|cost| ("cost_usd".to_owned(), json!(cost))));
    labels.extend(row.history.map(|history| ("history".to_owned(), json!(history))));
    labels.extend(row.quarantined.then(|| ("quarantined".to_owned(), json!(true))));
    labels.extend(row.rule.map(|rule| ("level".to_owned(), json!(rule.level))));
    Value::Object(labels)
}

fn attempt(trial: &TrialLine) -> Value {
    let status = match (trial.outcome, &trial.skipped) {
        (_, Some(_)) => "skipped",
        (Some("pass"), _) => "passed",
        (Some("fail"), _) => "failed",
        _ => "other",
    };
    let mut attempt = json!({"attempt": trial.trial.max(1), "status": status, "duration": ms(trial.seconds)});
    let failed = trial.findings.iter().find(|finding| finding.grade == "fail" && finding.weight != "info");
    let why = trial.fault.as_ref().map(|fault| &fault.message).or(failed.map(|finding| &finding.why));
    if let Some(why) = why.or(trial.skipped.as_ref()) {
        attempt["message"] = json!(why);
    }
    attempt
}

/// Whole milliseconds.
fn ms(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}
