//! What stands further down: clients and models that see less, money, earlier runs, and where the numbers are from.

use super::embed::Embedded;
use super::markup::Html;
use crate::display;
use crate::report::archive::PastRun;
use crate::report::figures::{self, count, money, percent, thousands};
use crate::report::judging::JudgeStamp;
use crate::report::summary::Summary;

/// Most rows of a table.
const ROWS: usize = 200;

/// What clients and models' APIs make of the server.
pub(super) fn clients(summary: &Summary, html: &mut Html) {
    let named = summary.clients.iter().flat_map(|clients| &clients.named);
    let misfits: Vec<_> =
        named.flat_map(|client| client.misfits.iter().map(move |misfit| (client, misfit))).collect();
    if misfits.is_empty() && summary.losses.is_empty() {
        return;
    }
    html.section("clients", "What clients and models do not see", |html| {
        if !misfits.is_empty() {
            html.table("Misfits by client", &["client", "what", "where"], |html| {
                for (client, misfit) in misfits.iter().take(ROWS) {
                    let items = misfit.items.iter().take(6).map(|group| {
                        let tools: Vec<&str> = group.tools.iter().take(6).map(String::as_str).collect();
                        format!("{}: {}", tools.join(", "), group.detail)
                    });
                    let items: Vec<String> = items.collect();
                    html.row(&[&client.client, &misfit.about, &items.join("; ")]);
                }
            });
        }
        if !summary.losses.is_empty() {
            html.table(
                "What models' APIs do not take",
                &["model", "tool", "where", "what became of it"],
                |html| {
                    for (model, loss) in summary
                        .losses
                        .iter()
                        .flat_map(|m| m.losses.iter().map(move |loss| (m, loss)))
                        .take(ROWS)
                    {
                        html.row(&[&model.model, &loss.tool, &loss.place, &loss.what]);
                    }
                },
            );
        }
    });
}

/// Who spent what.
pub(super) fn cost(summary: &Summary, html: &mut Html) {
    html.section("cost", "Cost and time", |html| {
        html.leaf("p", &[], &figures::spent(&summary.usage));
        let time = figures::duration(summary.usage.seconds);
        html.leaf("p", &[("class", "dim")], &format!("{time} over all trials, some of them at once."));
        let columns =
            ["spent by", "cost", "calls", "tokens in", "tokens out", "per case", "per passing case"];
        let spending = &summary.spending;
        if spending.models.is_empty() && spending.judge.is_none() {
            return;
        }
        let each = |cost: Option<f64>| cost.map_or("-".to_owned(), |cost| money(Some(cost), 0));
        html.table("Spending", &columns, |html| {
            for model in spending.models.iter().take(ROWS) {
                html.row(&[
                    &model.model,
                    &money(model.cost, model.unpriced_trials),
                    &thousands(model.calls),
                    &thousands(model.tokens_in),
                    &thousands(model.tokens_out),
                    &each(model.cost_per_case),
                    &each(model.cost_per_passing_case),
                ]);
            }
            if let Some(judge) = &spending.judge {
                html.row(&[
                    &format!("judge {}", judge.model),
                    &money(judge.cost, judge.unpriced_trials),
                    &thousands(judge.calls),
                    &thousands(judge.tokens_in),
                    &thousands(judge.tokens_out),
                    "-",
                    "-",
                ]);
            }
        });
    });
}

/// The share of passing trials over the runs that lie beside this one.
pub(super) fn trend(past: &[PastRun], summary: &Summary, html: &mut Html) {
    if past.is_empty() {
        return;
    }
    let totals = &summary.totals;
    let this = PastRun {
        run: summary.run.clone(),
        started: summary.started.clone(),
        passed: u64::from(totals.passed),
        failed: u64::from(totals.failed),
        invalid: u64::from(totals.invalid),
    };
    let runs: Vec<&PastRun> = past.iter().chain([&this]).collect();
    let share = |run: &PastRun| {
        (run.passed + run.failed > 0).then(|| run.passed as f64 / (run.passed + run.failed) as f64)
    };
    html.section("trend", "Runs before this one", |html| {
        let text = "The share of judged trials that passed, the oldest run on the left, this one on the right. Suites \
                    and models may have changed between runs.";
        html.leaf("p", &[("class", "dim")], text);
        for note in crate::report::trend::notes(&summary.trend) {
            html.leaf("p", &[], &note);
        }
        let width = 40 * runs.len();
        let size = format!("0 0 {width} 90");
        let label = format!("Share of passing trials over {}", count(runs.len() as u64, "run"));
        let frame = [("class", "trend"), ("viewBox", size.as_str()), ("role", "img"), ("aria-label", &label)];
        html.tag("svg", &frame, |html| {
            for (at, run) in runs.iter().enumerate() {
                let Some(share) = share(run) else { continue };
                let height = (share * 70.0).max(1.0);
                let class = if at + 1 == runs.len() { "bar this" } else { "bar" };
                let [x, y] = [format!("{}", at * 40 + 6), format!("{:.1}", 85.0 - height)];
                let high = format!("{height:.1}");
                let bar = [("class", class), ("x", &x), ("y", &y), ("width", "28"), ("height", &high)];
                html.tag("rect", &bar, |html| {
                    html.leaf("title", &[], &format!("{}: {}", short(&run.run), percent(share)));
                });
            }
        });
        html.tag("details", &[], |html| {
            html.leaf("summary", &[], "As numbers");
            html.table("Runs", &["run", "started", "passed", "failed", "invalid", "share"], |html| {
                for run in &runs {
                    html.row(&[
                        &short(&run.run),
                        &display::excerpt(&figures::moment(&run.started), 80),
                        &run.passed.to_string(),
                        &run.failed.to_string(),
                        &run.invalid.to_string(),
                        &share(run).map_or("-".to_owned(), percent),
                    ]);
                }
            });
        });
    });
}

fn short(run: &str) -> String {
    display::excerpt(run, 60)
}

/// Where the numbers are from, and what this file leaves out.
pub(super) fn provenance(summary: &Summary, embedded: &Embedded, html: &mut Html) {
    html.section("provenance", "Where this is from", |html| {
        let Embedded { kept, left_out, failed_out, unreadable, served, .. } = embedded;
        let mut held = format!("{} in this file", count(*kept as u64, "transcript"));
        if *served {
            held = "all in the run file, read when they are looked at".to_owned();
        }
        if *left_out > 0 {
            held.push_str(&format!(
                ", {} left out to stay within its size ({} of them failed); they are in the run file",
                thousands(*left_out as u64),
                thousands(*failed_out as u64)
            ));
        }
        if *unreadable > 0 {
            held.push_str(&format!(", {} without a readable transcript", thousands(*unreadable as u64)));
        }
        html.tag("dl", &[("class", "facts")], |html| {
            let mut fact = |name: &str, value: &str| {
                html.leaf("dt", &[], name);
                html.leaf("dd", &[], value);
                html.line();
            };
            fact("suite", &summary.suite);
            fact("run", &summary.run);
            fact("started", &summary.started);
            fact("target", &summary.target);
            fact("rehearsal", &summary.version);
            fact("seed", &summary.seed.to_string());
            fact("run file", &summary.run_file);
            if let Some(judge) = &summary.judge {
                fact("judge", &format!("{} ({})", judge.model, judge.word()));
                for note in JudgeStamp::notes(judge) {
                    fact("judge", &note);
                }
            }
            fact("transcripts", &held);
            for command in &summary.next {
                fact("next", command);
            }
        });
    });
}
