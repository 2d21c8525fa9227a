//! GitLab's code quality report: the findings of [`super::sarif`] in the widget of a merge request.
//! <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>

use std::io::Write;

use serde_json::{Value, json};

use super::alerts::{Alert, Alerts, Level};
use super::json::document;
use super::{ReportError, Summary};

/// Most findings; the widget is read by people.
const FINDINGS: usize = 5000;

/// One array. Without findings it is empty, which is how GitLab learns that all is mended.
pub fn render(summary: &Summary, out: &mut dyn Write) -> Result<(), ReportError> {
    let alerts = Alerts::of(summary);
    let known = |alert: &&Alert<'_>| alert.known.is_none();
    let all: Vec<Value> = alerts.all.iter().filter(known).take(FINDINGS).map(one).collect();
    document("codequality", &all, out)
}

fn one(alert: &Alert<'_>) -> Value {
    let Alert { rule, level, text, place, fingerprint, who, .. } = alert;
    json!({
        "description": format!("{who}: {text}"),
        "check_name": rule,
        "fingerprint": fingerprint,
        "severity": match level {
            Level::Error => "blocker",
            Level::Warning => "major",
            Level::Note => "info",
        },
        "location": {"path": place.file.trim_start_matches("./"), "lines": {"begin": place.line.max(1)}},
    })
}
