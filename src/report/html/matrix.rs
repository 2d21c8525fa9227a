//! Who may do what: the access matrix as a heat map, and the auth checks with their rules and fixes.

use super::changes::case_link;
use super::markup::Html;
use super::top::{demand, mark};
use crate::gate::cells::State;
use crate::report::access::{self, Grid, GridCell};
use crate::report::figures::{self, count};
use crate::report::paint::Style;
use crate::report::summary::{Row, Summary, urgency};
use crate::score::access::{Access, Used};
use crate::transcript::CaseKind;

/// Most rows of each part of the heat map, and most personas: a page of more cells would take seconds to open.
const ROWS: usize = 200;
const PERSONAS: usize = 40;

/// Personas by tools, resources and prompts.
pub(super) fn matrix(summary: &Summary, html: &mut Html) {
    let Some(grid) = &summary.access else { return };
    html.section("access", "Access", |html| {
        html.leaf(
            "p",
            &[],
            &format!(
                "{}, {} missing, {} hidden but callable, {} listed but refused.",
                count(grid.leaks, "leak"),
                grid.missing,
                grid.hidden_but_callable,
                grid.listed_but_refused
            ),
        );
        let wrong = grid.wrong();
        if !wrong.is_empty() || !grid.unknown.is_empty() {
            html.tag("ul", &[], |html| {
                for (what, places) in &wrong {
                    html.leaf("li", &[("class", "bad")], &format!("{what}: {}", places.join("; ")));
                }
                for unknown in &grid.unknown {
                    html.leaf("li", &[("class", "warn")], &format!("unknown name: {}", unknown.sentence()));
                }
            });
        }
        for (kind, rows) in grid.parts() {
            part(grid, kind, rows, html);
        }
        html.leaf(
            "p",
            &[("class", "dim")],
            "L listed, C callable, - not, . not tried. ✓ as expected, ⚠ must not be and is, ○ must be and is not, \
             ? undecided.",
        );
    });
}

fn part(grid: &Grid, kind: &'static str, rows: &[access::GridRow], html: &mut Html) {
    let mut columns = vec![kind];
    columns.extend(grid.personas.iter().take(PERSONAS).map(String::as_str));
    html.table(&format!("Access to each {kind}"), &columns, |html| {
        for row in rows.iter().take(ROWS) {
            html.tag("tr", &[], |html| {
                html.leaf("th", &[("scope", "row")], &row.name);
                for cell in row.cells.iter().take(PERSONAS) {
                    match cell {
                        Some(cell) => sight(*cell, html),
                        None => html.tag("td", &[("class", "heat none")], |_| {}),
                    }
                }
            });
            html.line();
        }
    });
    let (more, others) = (rows.len().saturating_sub(ROWS), grid.personas.len().saturating_sub(PERSONAS));
    if more + others > 0 {
        let text = format!("{more} more of them and {others} more personas are in summary.json");
        html.leaf("p", &[("class", "dim")], &text);
    }
}

fn sight(cell: GridCell, html: &mut Html) {
    let (class, word) = match cell.access {
        Access::Denied => ("heat denied", "denied as expected"),
        Access::Allowed => ("heat allowed", "allowed as expected"),
        Access::Unknown => ("heat unknown", "undecided"),
        Access::Missing => ("heat missing", "missing"),
        Access::Leak if cell.is_hidden_leak() => ("heat leak", "leak, hidden but callable"),
        Access::Leak => ("heat leak", "leak"),
    };
    let listed = match cell.listed {
        Some(true) => "listed",
        Some(false) => "not listed",
        None => "listing unknown",
    };
    let used = match cell.used {
        Some(Used::Allowed) => "use allowed",
        Some(Used::Denied) => "use denied",
        Some(Used::Unclear) => "use unclear",
        None => "not tried",
    };
    html.tag("td", &[("class", class), ("title", &format!("{word}; {listed}, {used}"))], |html| {
        html.leaf("span", &[("aria-hidden", "true")], access::mark(cell.access, Style::Plain));
        html.leaf("code", &[("aria-hidden", "true")], &cell.letters());
        html.leaf("span", &[("class", "unseen")], &format!("{word}; {listed}, {used}"));
    });
}

/// The auth checks: what is broken with its rule and fix, what is advised, what holds, what was skipped.
pub(super) fn checks(summary: &Summary, html: &mut Html) {
    let mut rows: Vec<&Row> = summary.cases.iter().filter(|row| row.kind_is == CaseKind::Auth).collect();
    if rows.is_empty() {
        return;
    }
    rows.sort_by_key(|row| urgency(row.is));
    let is_loud = |row: &&&Row| urgency(row.is) < urgency(State::Pass) || !row.advice.is_empty();
    let loud: Vec<&&Row> = rows.iter().filter(is_loud).collect();
    let held = rows.iter().filter(|row| row.is == State::Pass).count();
    let skipped: Vec<&Row> = rows.iter().copied().filter(|row| row.is == State::Skipped).collect();
    html.section("auth", "Authorization", |html| {
        let text =
            format!("{held} of {} hold, {} skipped.", count(rows.len() as u64, "check"), skipped.len());
        html.leaf("p", &[], &text);
        for row in loud {
            html.tag("article", &[("class", row.state)], |html| {
                html.tag("h3", &[], |html| {
                    let word = if row.is == State::Pass { "advice" } else { row.state };
                    html.leaf("span", &[("class", "state"), ("data-state", word)], word);
                    html.text(" ");
                    case_link(row, html);
                });
                html.tag("dl", &[], |html| {
                    for failure in row.failures.iter().chain(&row.advice) {
                        html.leaf("dt", &[], "got");
                        html.leaf("dd", &[], &failure.why);
                    }
                    if let Some(fault) = &row.fault {
                        html.leaf("dt", &[], "fault");
                        html.leaf("dd", &[], &format!("{}: {}", fault.code, fault.message));
                    }
                    if let Some(rule) = &row.rule {
                        demand(rule, html);
                    }
                });
            });
            html.line();
        }
        html.tag("details", &[], |html| {
            html.leaf("summary", &[], "Every check");
            html.table("Every auth check", &["check", "result", "rule", "section"], |html| {
                for row in rows.iter().take(2 * ROWS) {
                    html.tag("tr", &[], |html| {
                        html.tag("th", &[("scope", "row")], |html| case_link(row, html));
                        html.leaf("td", &[], &format!("{} {}", mark(row.is), row.state));
                        html.leaf("td", &[], row.rule.map_or("-", |rule| rule.title));
                        html.leaf("td", &[], row.rule.map_or("-", |rule| rule.section));
                    });
                    html.line();
                }
            });
        });
        if !skipped.is_empty() {
            html.tag("details", &[], |html| {
                html.leaf(
                    "summary",
                    &[],
                    &format!("{} skipped, and why", count(skipped.len() as u64, "check")),
                );
                html.tag("ul", &[], |html| {
                    for (why, ids) in figures::skipped(&skipped).into_iter().take(ROWS) {
                        html.leaf("li", &[], &format!("{ids}: {why}"));
                    }
                });
            });
        }
    });
}
