//! The comparison with the baseline: the verdict of each model with its interval, suspects, and what limits it.

use super::markup::Html;
use crate::report::figures::count;
use crate::report::gate::{GateStamp, ModelStamp};
use crate::report::summary::Summary;
use crate::stats::shown::P;

/// Most rows of a table.
const ROWS: usize = 100;
/// Most items of a list.
const ITEMS: usize = 50;
/// The change, in points, at which the drawing ends.
const EDGE: f64 = 50.0;

/// The section; none without a baseline.
pub(super) fn section(summary: &Summary, html: &mut Html) {
    let Some(gate) = &summary.gate else { return };
    html.section("baseline", "Against the baseline", |html| {
        let pinned = if gate.against == "pinned" { ", from the pinned one on" } else { "" };
        let newest = gate.newest.iter().map(|run| format!(", the newest {run}")).collect::<String>();
        let text = format!("{} in {}{pinned}{newest}.", count(gate.nights, "accepted run"), gate.baseline);
        html.leaf("p", &[], &text);
        let columns = ["model", "verdict", "-50 to +50 points", "what it rests on", "cases", "trials"];
        html.table("The change of each model", &columns, |html| {
            for model in gate.models.iter().take(ROWS) {
                html.tag("tr", &[], |html| {
                    let class = match model.verdict {
                        "regressed" => "bad",
                        "not worse" => "good",
                        _ => "warn",
                    };
                    html.leaf("th", &[("scope", "row")], &model.model);
                    html.leaf("td", &[("class", class)], model.verdict);
                    html.tag("td", &[], |html| plot(model, html));
                    html.leaf("td", &[], &model.sentence);
                    html.leaf("td", &[], &model.cases.to_string());
                    html.leaf("td", &[], &model.trials.to_string());
                });
                html.line();
            }
        });
        suspects(gate, html);
        let lines = gate.family.iter().cloned();
        let thin = gate.models.iter().filter(|model| model.thin > 0).map(|model| {
            let cases = count(model.thin, "case");
            format!("{}: {cases} with too few accepted trials to see one of them break", model.model)
        });
        list(&lines.chain(thin).collect::<Vec<_>>(), "", html);
        list(&gate.drift, "Not as it was in the newest accepted run", html);
        list(&gate.left_out, "Not compared", html);
    });
}

fn suspects(gate: &GateStamp, html: &mut Html) {
    let all = gate.models.iter().flat_map(|model| model.suspects.iter().map(move |one| (model, one)));
    let all: Vec<_> = all.collect();
    if all.is_empty() {
        return;
    }
    html.table(
        "Suspects",
        &["suspect", "model", "fresh trials that passed", "if nothing had changed"],
        |html| {
            for (model, one) in all.iter().take(ROWS) {
                let passed = format!("{} of {}", one.passed, one.trials);
                html.row(&[&one.case, &model.model, &passed, &P(one.p).words()]);
            }
        },
    );
}

fn list(items: &[String], heading: &str, html: &mut Html) {
    if items.is_empty() {
        return;
    }
    if !heading.is_empty() {
        html.leaf("h3", &[], heading);
    }
    html.tag("ul", &[], |html| {
        for item in items.iter().take(ITEMS) {
            html.leaf("li", &[], item);
        }
        if items.len() > ITEMS {
            html.leaf("li", &[("class", "dim")], &format!("and {} more", items.len() - ITEMS));
        }
    });
}

/// The change with its interval around no change, and where the margin ends.
fn plot(model: &ModelStamp, html: &mut Html) {
    let (Some(change), Some(low), Some(high)) = (model.change, model.low, model.high) else { return };
    let x = |share: f64| format!("{:.1}", 100.0 + (share * 100.0).clamp(-EDGE, EDGE) / EDGE * 92.0);
    let frame =
        [("class", "plot"), ("viewBox", "0 0 200 20"), ("role", "img"), ("aria-label", &*model.sentence)];
    html.tag("svg", &frame, |html| {
        let mut line = |class: &str, [from, to]: [&str; 2], [top, bottom]: [&str; 2]| {
            let ends = [("class", class), ("x1", from), ("x2", to), ("y1", top), ("y2", bottom)];
            html.tag("line", &ends, |_| {});
        };
        line("axis", ["8", "192"], ["10", "10"]);
        line("axis", ["100", "100"], ["4", "16"]);
        let margin = x(-model.margin);
        line("margin", [&margin, &margin], ["3", "17"]);
        line("span", [&x(low), &x(high)], ["10", "10"]);
        html.tag("circle", &[("class", "dot"), ("cx", &x(change)), ("cy", "10"), ("r", "4.5")], |_| {});
    });
}
