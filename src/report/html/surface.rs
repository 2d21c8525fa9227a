//! The surface: what the tools cost, what is wrong with them, how they changed.

use super::markup::Html;
use crate::report::summary::Summary;
use crate::report::surface::SurfaceStamp;

/// Most rows of a table.
const ROWS: usize = 200;

/// What the suite demands of the tools, and how they changed since an earlier run.
pub(super) fn surface(summary: &Summary, html: &mut Html) {
    if summary.surface.is_none() && summary.tools_changed.is_none() {
        return;
    }
    html.section("surface", "The tools themselves", |html| {
        if let Some(stamp) = &summary.surface {
            html.leaf("p", &[], &stamp.sentence());
            bills(stamp, html);
            findings(stamp, html);
        }
        if let Some(changed) = &summary.tools_changed {
            html.leaf("p", &[], &changed.sentence());
            html.table("Changes of the tools", &["class", "what"], |html| {
                for change in changed.changes.iter().take(ROWS) {
                    html.row(&[change.class, &change.text]);
                }
            });
        }
    });
}

fn bills(stamp: &SurfaceStamp, html: &mut Html) {
    let columns = ["client", "tool", "text", "input schema", "tokens", "share"];
    html.table("Tokens by tool", &columns, |html| {
        let lines = stamp.bills.iter().flat_map(|bill| bill.tools.iter().map(move |line| (bill, line)));
        for (bill, line) in lines.take(ROWS) {
            let numbers = [line.text, line.input, line.tokens].map(|number| number.to_string());
            let share = format!("{:.0} %", line.share * 100.0);
            html.row(&[&bill.client, &line.tool, &numbers[0], &numbers[1], &numbers[2], &share]);
        }
    });
}

fn findings(stamp: &SurfaceStamp, html: &mut Html) {
    if !stamp.findings.is_empty() {
        html.table("Findings of the lint", &["level", "rule", "what", "where"], |html| {
            for line in stamp.findings.iter().take(ROWS) {
                html.row(&[line.level, &line.rule, line.about, &line.text]);
            }
        });
    }
    let changes = stamp.drift.iter().flatten().take(ROWS).collect::<Vec<_>>();
    if !changes.is_empty() {
        html.table("Changes against the snapshot", &["class", "what"], |html| {
            for change in changes {
                html.row(&[change.class, &change.text]);
            }
        });
    }
}
