//! How far the rates can be trusted, which tools were wanted and called, and what is weak in the suite itself.

use super::markup::Html;
use crate::report::figures::{count, percent};
use crate::report::rates::{self, Rate};
use crate::report::summary::Summary;
use crate::report::toolscore::ModelTools;

/// Most rates told in full, and most rows of a table.
const TOLD: usize = 20;
const ROWS: usize = 200;

/// Reliability and effort, rate by rate.
pub(super) fn reliability(summary: &Summary, html: &mut Html) {
    let told: Vec<&Rate> = summary.rates.iter().filter(|rate| rate.trials > 0).collect();
    if told.is_empty() && summary.exact.is_empty() {
        return;
    }
    html.section("reliability", "Reliability and effort", |html| {
        for exact in &summary.exact {
            html.leaf("p", &[], &exact.sentence());
        }
        for rate in told.iter().take(TOLD) {
            let who = [rate.model.as_deref(), Some(&rate.persona), Some(&rate.client)];
            let who = who.into_iter().flatten().collect::<Vec<_>>().join(" · ");
            html.leaf("h3", &[], &who);
            for line in rates::reliability(rate).unwrap_or_default() {
                html.leaf("p", &[], &line);
            }
            html.table(&format!("pass^k of {who}"), &rates::CURVE, |html| {
                for point in &rate.curve {
                    html.row(&rates::point_cells(point).each_ref().map(String::as_str));
                }
            });
            html.table(&format!("Effort of {who}"), &rates::EFFORT, |html| {
                for effort in &rate.effort {
                    html.row(&rates::effort_cells(effort).each_ref().map(String::as_str));
                }
            });
        }
        more(told.len(), TOLD, html);
    });
}

/// Wanted against called, model by model.
pub(super) fn tools(summary: &Summary, html: &mut Html) {
    let told: Vec<&ModelTools> = summary.tools.iter().filter(|model| model.trials > 0).collect();
    if told.is_empty() {
        return;
    }
    html.section("confusion", "Tools: wanted and called", |html| {
        for model in told.iter().take(TOLD) {
            html.leaf("h3", &[], &model.model);
            html.leaf("p", &[], &model.sentence());
            html.leaf("p", &[], &model.ways.sentence());
            let columns = ["tool", "wanted", "called", "both", "precision", "recall", "called in place of"];
            html.table(&format!("Tools of {}", model.model), &columns, |html| {
                for tool in model.tools.iter().take(ROWS) {
                    let share = |share: Option<f64>| share.map_or_else(|| "n/a".to_owned(), percent);
                    let stolen = tool.steals_from.iter().take(5);
                    let stolen: Vec<String> =
                        stolen.map(|(from, trials)| format!("{from} ({trials})")).collect();
                    html.row(&[
                        &tool.tool,
                        &tool.wanted.to_string(),
                        &tool.called.to_string(),
                        &tool.hits.to_string(),
                        &share(tool.precision),
                        &share(tool.recall),
                        &stolen.join(", "),
                    ]);
                }
            });
            more(model.tools.len(), ROWS, html);
            if !model.is_clean() {
                mixed_up(model, html);
            }
        }
        more(told.len(), TOLD, html);
    });
}

/// What was called in place of what: the cells of the confusion matrix off its diagonal, the most frequent first.
fn mixed_up(model: &ModelTools, html: &mut Html) {
    let mut pairs: Vec<_> = model.confusion.iter().filter(|pair| pair.wanted != pair.called).collect();
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.trials));
    html.table(&format!("Mix-ups of {}", model.model), &["wanted", "called", "trials"], |html| {
        for pair in pairs.iter().take(ROWS) {
            let name = |tool: &Option<String>| tool.clone().unwrap_or_else(|| "no tool".to_owned());
            html.row(&[&name(&pair.wanted), &name(&pair.called), &pair.trials.to_string()]);
        }
    });
}

/// What is weak in the suite itself.
pub(super) fn health(summary: &Summary, html: &mut Html) {
    if summary.health.is_empty() {
        return;
    }
    let findings = count(summary.health.len() as u64, "finding");
    html.section("health", "The suite itself", |html| {
        html.table(&format!("{findings} about the suite"), &["kind", "level", "what", "where"], |html| {
            for finding in summary.health.iter().take(ROWS) {
                let place = finding.origin.as_ref().map(ToString::to_string).unwrap_or_default();
                html.row(&[finding.kind, finding.level, &finding.message, &place]);
            }
        });
        more(summary.health.len(), ROWS, html);
    });
}

/// How many are left out, if any.
fn more(all: usize, shown: usize, html: &mut Html) {
    if all > shown {
        html.leaf("p", &[("class", "dim")], &format!("and {} more in summary.json", all - shown));
    }
}
