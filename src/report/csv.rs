//! One line per trial for spreadsheets and data frames: RFC 4180, and no cell that a spreadsheet would run.
//!
//! A text that begins like a formula gets a `'` before it, as spreadsheets mark text themselves; `--format jsonl` has
//! the same without marks. Trials that never gave a result stand as lines with the outcome `missing`.

use std::io::{self, Write};

use csv::{Terminator, WriterBuilder};

use super::ReportError;
use super::summary::{Row, Summary, TrialLine};

/// The head, in the order of the cells.
const HEAD: [&str; 26] = [
    "suite",
    "run",
    "started",
    "kind",
    "case",
    "state",
    "model",
    "persona",
    "client",
    "trial",
    "outcome",
    "seconds",
    "tokens_in",
    "tokens_out",
    "cost_usd",
    "tool_calls",
    "tools",
    "failed_checks",
    "why",
    "fault_side",
    "fault_code",
    "fault",
    "file",
    "line",
    "history",
    "quarantined",
];

/// The table.
pub fn render(summary: &Summary, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut table = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
    table.write_record(HEAD).map_err(failed)?;
    for row in &summary.cases {
        for trial in &row.trials {
            table.write_record(cells(summary, row, Some(trial))).map_err(failed)?;
        }
        for _ in 0..row.missing {
            table.write_record(cells(summary, row, None)).map_err(failed)?;
        }
    }
    Ok(table.flush()?)
}

fn failed(error: csv::Error) -> ReportError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => ReportError::Write(error),
        other => ReportError::Write(io::Error::other(format!("{other:?}"))),
    }
}

fn cells(summary: &Summary, row: &Row, trial: Option<&TrialLine>) -> [String; 26] {
    let text = |text: &str| inert(text);
    let number = |of: &dyn Fn(&TrialLine) -> String| trial.map(of).unwrap_or_default();
    let outcome = match trial {
        None => "missing",
        Some(TrialLine { skipped: Some(_), .. }) => "skipped",
        Some(trial) => trial.outcome.unwrap_or("unscored"),
    };
    let failed = || trial.iter().flat_map(|trial| &trial.findings).filter(|finding| finding.grade == "fail");
    let checks: Vec<&str> = failed().map(|finding| finding.check.as_str()).collect();
    let whys: Vec<&str> = failed().map(|finding| finding.why.as_str()).collect();
    let fault = trial.and_then(|trial| trial.fault.as_ref());
    let tools = trial.map(|trial| trial.tool_calls.join(" ")).unwrap_or_default();
    [
        text(&summary.suite),
        text(&summary.run),
        text(&summary.started),
        row.kind.to_owned(),
        text(&row.id),
        row.state.to_owned(),
        text(row.model.as_deref().unwrap_or_default()),
        text(&row.persona),
        text(&row.client),
        number(&|trial| trial.trial.to_string()),
        outcome.to_owned(),
        number(&|trial| trial.seconds.to_string()),
        number(&|trial| trial.tokens.input.to_string()),
        number(&|trial| trial.tokens.output.to_string()),
        // A trial without a price is an empty cell, never a zero.
        number(&|trial| trial.cost.map(|cost| cost.to_string()).unwrap_or_default()),
        number(&|trial| trial.tool_calls.len().to_string()),
        text(&tools),
        text(&checks.join(" ")),
        text(&whys.join("; ")),
        fault.map(|fault| fault.side.to_owned()).unwrap_or_default(),
        text(fault.map(|fault| fault.code.as_str()).unwrap_or_default()),
        text(fault.map(|fault| fault.message.as_str()).unwrap_or_default()),
        text(&row.origin.file),
        row.origin.line.to_string(),
        row.history.unwrap_or_default().to_owned(),
        row.quarantined.to_string(),
    ]
}

/// A cell that no spreadsheet takes for a formula. Where `;` separates cells, one may begin inside a text.
fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    let mut fresh = true;
    for c in text.chars() {
        if fresh && matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '＝' | '＋' | '－' | '＠') {
            out.push('\'');
        }
        fresh = c == ';' || (fresh && c == ' ');
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text() {
        assert_eq!(inert("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(inert("  +1"), "  '+1");
        assert_eq!(inert("-1"), "'-1");
        assert_eq!(inert("@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(inert("a; =1;b"), "a; '=1;b");
        assert_eq!(inert("late-order"), "late-order");
        assert_eq!(inert("a=b"), "a=b");
    }
}
