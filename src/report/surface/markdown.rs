//! The section of the Markdown report about the tools themselves, folded.

use super::{ChangeLine, SurfaceStamp};
use crate::report::summary::Summary;

/// Most rows of a table.
const ROWS: usize = 20;

/// The section; `None` where nothing is demanded of the tools and they are as they were. `code` makes words of others
/// inert.
pub(in crate::report) fn section(summary: &Summary, code: impl Fn(&str) -> String) -> Option<String> {
    let mut out = String::new();
    if let Some(stamp) = &summary.surface {
        out.push_str("<details><summary>The tools themselves: tokens and lint</summary>\n\n");
        bills(stamp, &mut out, &code);
        findings(stamp, &mut out, &code);
        let changes = stamp.drift.as_deref().unwrap_or_default();
        table(changes, "against the snapshot", &mut out, &code);
        out.push_str("</details>\n\n");
    }
    if let Some(changed) = &summary.tools_changed {
        out.push_str(&format!("<details><summary>The tools changed: {}</summary>\n\n", changed.count));
        table(&changed.changes, &format!("since run {}", code(&changed.run)), &mut out, &code);
        out.push_str("</details>\n\n");
    }
    (!out.is_empty()).then_some(out)
}

fn more(all: usize, out: &mut String) {
    if all > ROWS {
        out.push_str(&format!("\nand {} more\n", all - ROWS));
    }
    out.push('\n');
}

fn bills(stamp: &SurfaceStamp, out: &mut String, code: &impl Fn(&str) -> String) {
    for bill in &stamp.bills {
        out.push_str(&format!("{} tokens in every request under {}, {}.\n\n", bill.total, code(&bill.client), stamp.counted));
        out.push_str("| tool | text | input schema | tokens | share |\n|---|--:|--:|--:|--:|\n");
        for line in bill.tools.iter().take(ROWS) {
            let share = line.share * 100.0;
            let tool = code(&line.tool);
            out.push_str(&format!("| {tool} | {} | {} | {} | {share:.0} % |\n", line.text, line.input, line.tokens));
        }
        more(bill.tools.len(), out);
    }
}

fn findings(stamp: &SurfaceStamp, out: &mut String, code: &impl Fn(&str) -> String) {
    if stamp.findings.is_empty() {
        return;
    }
    out.push_str("| | rule | where |\n|---|---|---|\n");
    for line in stamp.findings.iter().take(ROWS) {
        out.push_str(&format!("| {} | {} | {} |\n", line.level, code(&line.rule), code(&line.text)));
    }
    more(stamp.count, out);
}

fn table(changes: &[ChangeLine], since: &str, out: &mut String, code: &impl Fn(&str) -> String) {
    if changes.is_empty() {
        return;
    }
    out.push_str(&format!("Changes {since}:\n\n| | what |\n|---|---|\n"));
    for change in changes.iter().take(ROWS) {
        out.push_str(&format!("| {} | {} |\n", change.class, code(&change.text)));
    }
    more(changes.len(), out);
}
