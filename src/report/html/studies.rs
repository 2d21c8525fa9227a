//! What looks beyond this run found: what failures are due to, what is kept quiet, and what slides from night to night.

use super::markup::Html;
use crate::report::figures::count;
use crate::report::summary::Summary;
use crate::report::trend;

/// Most rows of a table, and most items of a list.
const ROWS: usize = 100;

/// What failures are due to, where somebody looked into it.
pub(super) fn causes(summary: &Summary, html: &mut Html) {
    let Some(causes) = &summary.causes else { return };
    html.section("causes", "Why it fails", |html| {
        html.tag("ul", &[], |html| {
            for control in &causes.control {
                let class = if control.blames_server { "bad" } else { "good" };
                html.leaf("li", &[("class", class)], &format!("{}: {}", control.model, control.sentence));
            }
        });
        if !causes.cases.is_empty() {
            let columns = ["case", "model", "persona", "due to", "what to do", "on what it rests"];
            html.table("What each case fails by", &columns, |html| {
                for line in causes.cases.iter().take(ROWS) {
                    let model = line.model.as_deref().unwrap_or("-");
                    let rests: Vec<String> =
                        line.evidence.iter().map(|[what, gave]| format!("{what}: {gave}")).collect();
                    let rests = rests.join("; ");
                    html.row(&[&line.case, model, &line.persona, &line.sentence, line.advice, &rests]);
                }
            });
        }
    });
}

/// What slides from night to night, and what is kept quiet.
pub(super) fn nights(summary: &Summary, html: &mut Html) {
    let notes = trend::notes(&summary.trend);
    if summary.quarantine.is_none() && notes.is_empty() {
        return;
    }
    html.section("quiet", "Nights and quarantine", |html| {
        for note in notes.iter().take(ROWS) {
            html.leaf("p", &[("class", "warn")], note);
        }
        let Some(quarantine) = &summary.quarantine else { return };
        html.leaf("p", &[], &format!("{} in quarantine.", count(quarantine.cases as u64, "case")));
        let columns = ["case", "owner", "until", "why", "passed", "may be released"];
        html.table("Quarantine", &columns, |html| {
            for entry in quarantine.entries.iter().take(ROWS) {
                let passed = format!("{} of {}", entry.passed, entry.trials);
                let may = if entry.releasable { "yes" } else { "no" };
                html.row(&[&entry.case, &entry.owner, &entry.until, &entry.why, &passed, may]);
            }
        });
    });
}
