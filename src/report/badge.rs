//! A badge as shields.io reads it from an endpoint: the verdict and how many cases hold.
//! <https://shields.io/badges/endpoint-badge>

use std::io::Write;

use serde_json::json;

use super::json::document;
use super::summary::Summary;
use super::{ReportError, figures};
use crate::display;
use crate::gate::cells::State;

/// One object.
pub fn render(summary: &Summary, out: &mut dyn Write) -> Result<(), ReportError> {
    let asked = summary.cases.iter().filter(|row| row.is != State::Skipped && !row.quarantined);
    let holds = |state| matches!(state, State::Pass | State::Flaky | State::ExpectedFailure);
    let held = asked.clone().filter(|row| holds(row.is)).count();
    let (word, color) = match summary.verdict {
        "pass" => ("passing", "brightgreen"),
        "fail" => ("failing", "red"),
        _ => ("inconclusive", "yellow"),
    };
    let badge = json!({
        "schemaVersion": 1,
        "label": display::excerpt(&format!("rehearsal {}", summary.suite), 60),
        "message": format!("{word}, {held} of {}", figures::count(asked.count() as u64, "case")),
        "color": color,
        "isError": summary.verdict == "fail",
        "cacheSeconds": 300,
    });
    document("badge", &badge, out)
}
