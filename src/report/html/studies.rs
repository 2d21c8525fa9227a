//! What looks beyond single cases found: what failures are due to, which tools are taken for which, what is weak in the
//! suite itself, what is kept quiet, and the nights of a suite.

use super::markup::Html;
use crate::report::figures::{count, percent};
use crate::report::summary::Summary;
use crate::report::toolscore::ModelTools;
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
            html.table(
                "What each case fails by",
                &["case", "model", "persona", "due to", "what to do"],
                |html| {
                    for line in causes.cases.iter().take(ROWS) {
                        let model = line.model.as_deref().unwrap_or("-");
                        html.row(&[&line.case, model, &line.persona, &line.sentence, line.advice]);
                    }
                },
            );
        }
    });
}

/// What each model called against what its cases want.
pub(super) fn choices(summary: &Summary, html: &mut Html) {
    let models: Vec<&ModelTools> = summary.tools.iter().filter(|model| model.trials > 0).collect();
    if models.is_empty() {
        return;
    }
    html.section("choices", "Tools wanted and called", |html| {
        for model in models {
            let ways = &model.ways;
            html.leaf("h3", &[], &model.model);
            let text = format!(
                "{}: precision {}, recall {}, in order {}. Failed calls {}, of which recovered {}; wasted calls {}; trials \
                 with a made-up tool {}, in circles {}, without an answer {}.",
                count(model.trials, "trial"),
                share(model.precision),
                share(model.recall),
                share(model.in_order),
                ways.errors,
                ways.recovered,
                ways.redundant,
                ways.unknown_tool,
                ways.looped,
                ways.no_answer
            );
            html.leaf("p", &[], &text);
            let columns = ["tool", "wanted", "called", "both", "precision", "recall", "called in place of"];
            html.table("Tools wanted and called", &columns, |html| {
                for tool in model.tools.iter().take(ROWS) {
                    let from = tool.steals_from.iter().take(5);
                    let from: Vec<String> = from.map(|(from, trials)| format!("{from} ({trials})")).collect();
                    html.row(&[
                        &tool.tool,
                        &tool.wanted.to_string(),
                        &tool.called.to_string(),
                        &tool.hits.to_string(),
                        &share(tool.precision),
                        &share(tool.recall),
                        &from.join(", "),
                    ]);
                }
            });
        }
    });
}

fn share(share: Option<f64>) -> String {
    share.map_or("n/a".to_owned(), percent)
}

/// What is weak in the suite, what is kept quiet, and what slides from night to night.
pub(super) fn suite(summary: &Summary, html: &mut Html) {
    let nights = trend::notes(&summary.trend);
    if summary.health.is_empty() && summary.quarantine.is_none() && nights.is_empty() {
        return;
    }
    html.section("suite", "The suite itself", |html| {
        html.tag("ul", &[], |html| {
            for note in nights.iter().take(ROWS) {
                html.leaf("li", &[("class", "warn")], note);
            }
            for finding in summary.health.iter().take(ROWS) {
                html.tag("li", &[], |html| {
                    html.leaf("b", &[], finding.kind);
                    html.text(&format!(" ({}) {}", finding.level, finding.message));
                    if let Some(place) = &finding.origin {
                        html.leaf("span", &[("class", "place")], &format!(" {place}"));
                    }
                });
                html.line();
            }
        });
        let Some(quarantine) = &summary.quarantine else { return };
        html.leaf("h3", &[], &format!("{} in quarantine", count(quarantine.cases as u64, "case")));
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
