//! The top of the page: the verdict and why, the numbers that matter, what needs attention, rates with their intervals.

use super::changes::case_link;
use super::markup::Html;
use crate::display;
use crate::gate::cells::State;
use crate::report::figures::{self, count, percent};
use crate::report::paint::Style;
use crate::report::rates::Rate;
use crate::report::summary::{Failure, Row, Rule, Summary, urgency};

/// Most reasons, and most cases that are told in full.
const REASONS: usize = 30;
const ATTENTION: usize = 50;
/// Most rows of rates.
const RATES: usize = 100;

/// The verdict, the exit code and the reasons.
pub(super) fn verdict(summary: &Summary, html: &mut Html) {
    let (mark, word) = match summary.verdict {
        "pass" => ("✓", "Passed"),
        "fail" => ("✗", "Failed"),
        _ => ("?", "Inconclusive"),
    };
    let frame = [("id", "verdict"), ("class", summary.verdict), ("aria-label", "Verdict")];
    html.tag("section", &frame, |html| {
        html.tag("p", &[("class", "word")], |html| {
            html.leaf("span", &[("aria-hidden", "true"), ("class", "mark")], mark);
            html.leaf("strong", &[], word);
            html.leaf(
                "span",
                &[("class", "exit")],
                &format!("exit {} ({})", summary.exit_code, summary.exit),
            );
        });
        html.leaf("p", &[("class", "totals")], &figures::totals(&summary.totals));
        if !summary.reasons.is_empty() {
            html.tag("ul", &[("class", "reasons")], |html| {
                for reason in summary.reasons.iter().take(REASONS) {
                    html.tag("li", &[], |html| {
                        html.leaf("code", &[], &reason.code);
                        html.text(" ");
                        match reason.case.as_deref().and_then(|case| named(summary, case)) {
                            Some(row) => case_link(row, html),
                            None => html.leaf("b", &[], reason.case.as_deref().unwrap_or_default()),
                        }
                        html.text(" ");
                        html.leaf("span", &[], &reason.message);
                        if let Some(origin) = &reason.origin {
                            html.leaf("span", &[("class", "place")], &format!(" {origin}"));
                        }
                    });
                    html.line();
                }
            });
        }
        if summary.reasons.len() > REASONS {
            let more = format!("and {} more reasons", summary.reasons.len() - REASONS);
            html.leaf("p", &[("class", "dim")], &more);
        }
    });
    html.line();
}

/// The first row of a case.
fn named<'a>(summary: &'a Summary, case: &str) -> Option<&'a Row> {
    let mut rows: Vec<&Row> = summary.cases.iter().filter(|row| row.id == case).collect();
    rows.sort_by_key(|row| urgency(row.is));
    rows.first().copied()
}

/// The numbers that matter, as tiles.
pub(super) fn tiles(summary: &Summary, html: &mut Html) {
    let totals = &summary.totals;
    let judged = totals.passed + totals.failed;
    let mut tiles: Vec<(String, String)> = vec![];
    if judged > 0 {
        let share = percent(f64::from(totals.passed) / f64::from(judged));
        tiles.push((share, format!("of {} passed", count(judged, "judged trial"))));
    }
    let failing =
        summary.cases.iter().filter(|row| urgency(row.is) <= urgency(State::UnexpectedPass)).count();
    tiles.push((failing.to_string(), format!("of {} failing", count(summary.cases.len() as u64, "case"))));
    if let Some(grid) = &summary.access {
        let noun = if grid.leaks == 1 { "access leak" } else { "access leaks" };
        let hidden = format!("{noun}, {} hidden but callable", grid.hidden_but_callable);
        tiles.push((grid.leaks.to_string(), hidden));
    }
    let invalid = totals.invalid_share.map_or("-".to_owned(), percent);
    tiles.push((invalid, "of trials invalid".to_owned()));
    let cost = figures::money(summary.usage.cost, summary.usage.unpriced_trials);
    tiles.push((cost, "spent".to_owned()));
    html.tag("ul", &[("class", "tiles")], |html| {
        for (number, about) in tiles {
            html.tag("li", &[], |html| {
                html.leaf("b", &[], &number);
                html.leaf("span", &[], &about);
            });
        }
    });
    html.line();
}

/// What failed, in full, the gravest first. While the run goes on, what did not run yet is no news.
pub(super) fn attention(summary: &Summary, running: bool, html: &mut Html) {
    let least = urgency(if running { State::Missing } else { State::Flaky });
    let mut rows: Vec<&Row> = summary.cases.iter().filter(|row| urgency(row.is) < least).collect();
    if rows.is_empty() {
        return;
    }
    rows.sort_by_key(|row| urgency(row.is));
    html.section("attention", "What needs attention", |html| {
        for row in rows.iter().take(ATTENTION) {
            one(row, summary, html);
        }
        if rows.len() > ATTENTION {
            let more = format!("and {} more in the table of cases", rows.len() - ATTENTION);
            html.leaf("p", &[("class", "dim")], &more);
        }
    });
}

fn one(row: &Row, summary: &Summary, html: &mut Html) {
    html.tag("article", &[("class", row.state)], |html| {
        html.tag("h3", &[], |html| {
            html.leaf("span", &[("class", "state"), ("data-state", row.state)], row.state);
            html.text(" ");
            case_link(row, html);
        });
        let who = [row.model.as_deref(), Some(&row.persona), Some(&row.client)];
        let who: Vec<&str> = who.into_iter().flatten().collect();
        html.leaf("p", &[("class", "dim")], &format!("{} · {}", figures::cell(row), who.join(" · ")));
        for failure in &row.failures {
            failed(failure, row, html);
        }
        if let Some(rule) = &row.rule {
            html.tag("dl", &[], |html| demand(rule, html));
        }
        if let Some(reason) = &row.expected_failure {
            html.leaf("p", &[], &format!("known to fail: {reason}"));
        }
        if let Some(fault) = &row.fault {
            let message = display::excerpt(&fault.message, 600);
            html.leaf("p", &[], &format!("invalid: {} ({}): {message}", fault.code, fault.side));
        }
        if row.is != State::Missing {
            let command = format!("{} show {} {}", summary.program, summary.run, row.id);
            html.leaf("p", &[("class", "command")], &command);
        }
    });
    html.line();
}

/// What was wanted, and what came.
fn failed(failure: &Failure, row: &Row, html: &mut Html) {
    html.tag("dl", &[], |html| {
        html.leaf("dt", &[], "want");
        html.tag("dd", &[], |html| {
            let times = format!(
                "{} (failed in {} of {})",
                figures::wanted(&failure.check),
                failure.trials,
                count(row.counts().judged().max(1), "trial")
            );
            html.leaf("span", &[], &times);
            if !failure.excerpt.is_empty() {
                html.leaf("pre", &[("class", "excerpt"), ("tabindex", "0")], &failure.excerpt.join("\n"));
            }
        });
        html.leaf("dt", &[], "got");
        html.leaf("dd", &[], &failure.why);
    });
}

/// A rule of the specification, and what to change.
pub(super) fn demand(rule: &Rule, html: &mut Html) {
    html.leaf("dt", &[], "rule");
    html.leaf("dd", &[], &format!("{} ({}, {})", rule.title, rule.level, rule.section));
    html.leaf("dt", &[], "fix");
    html.leaf("dd", &[], rule.fix);
}

/// Pass rates with their intervals.
pub(super) fn rates(summary: &Summary, html: &mut Html) {
    if summary.rates.is_empty() {
        return;
    }
    html.section("rates", "Pass rates", |html| {
        let columns = ["model", "persona", "client", "pass rate", "0 to 100 %", "in a row", "cases"];
        html.table("Pass rates with 95 % intervals", &columns, |html| {
            for rate in summary.rates.iter().take(RATES) {
                html.tag("tr", &[], |html| {
                    html.leaf("th", &[("scope", "row")], rate.model.as_deref().unwrap_or("-"));
                    html.leaf("td", &[], &rate.persona);
                    html.leaf("td", &[], &rate.client);
                    html.leaf("td", &[], &figures::rate(rate));
                    html.tag("td", &[], |html| plot(rate, html));
                    html.leaf("td", &[], &figures::streak(rate));
                    html.leaf("td", &[], &figures::basis(rate));
                });
                html.line();
            }
        });
        if summary.rates.len() > RATES {
            html.leaf("p", &[("class", "dim")], &format!("and {} more", summary.rates.len() - RATES));
        }
    });
}

/// A dot with its interval on a line from 0 to 100 %.
fn plot(rate: &Rate, html: &mut Html) {
    let Some(share) = rate.pass_rate else { return };
    let x = |share: f64| format!("{:.1}", 8.0 + share.clamp(0.0, 1.0) * 184.0);
    let label = figures::rate(rate);
    let frame =
        [("class", "plot"), ("viewBox", "0 0 200 20"), ("role", "img"), ("aria-label", label.as_str())];
    html.tag("svg", &frame, |html| {
        html.tag(
            "line",
            &[("class", "axis"), ("x1", "8"), ("x2", "192"), ("y1", "10"), ("y2", "10")],
            |_| {},
        );
        for tick in ["8", "100", "192"] {
            html.tag(
                "line",
                &[("class", "axis"), ("x1", tick), ("x2", tick), ("y1", "7"), ("y2", "13")],
                |_| {},
            );
        }
        if let (Some(low), Some(high)) = (rate.low, rate.high) {
            let (low, high) = (x(low), x(high));
            html.tag(
                "line",
                &[("class", "span"), ("x1", &low), ("x2", &high), ("y1", "10"), ("y2", "10")],
                |_| {},
            );
        }
        html.tag("circle", &[("class", "dot"), ("cx", &x(share)), ("cy", "10"), ("r", "4.5")], |_| {});
    });
}

/// The mark of a state, as everywhere else.
pub(super) fn mark(state: State) -> &'static str {
    Style::Plain.mark(state)
}
