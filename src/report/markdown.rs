//! Markdown for a pull-request comment or a step summary.
//!
//! Words of others stand only in code spans and code fences longer than any run of backticks inside, so that no image,
//! link, mention, HTML or table breaker can act. The whole stays within a size; what was dropped is said.

use std::io::Write;

use super::access::{Grid, mark};
use super::judging::JudgeStamp;
use super::paint::Style;
use super::summary::{Failure, Row, Summary, urgency};
use super::{ReportError, figures};
use crate::display;
use crate::gate::cells::State;
use crate::ids::Digest;
use crate::transcript::CaseKind;

mod quote;

use quote::fence;
pub(super) use quote::{cell, code};

/// Most characters. GitHub refuses comments above 65,536 and drops summaries above 1 MiB whole, which this many
/// characters cannot reach in any script.
const BUDGET: usize = 60_000;
/// Most characters of a sentence in a block.
const SENTENCE: usize = 600;
/// Most rows of the table of cases.
const ROWS: usize = 100;

/// The document.
pub fn render(summary: &Summary, out: &mut dyn Write) -> Result<(), ReportError> {
    Ok(out.write_all(document(summary).as_bytes())?)
}

fn document(summary: &Summary) -> String {
    let mut out = head(summary);
    let tail = tail(summary);
    let mut rows: Vec<&Row> =
        summary.cases.iter().filter(|row| urgency(row.is) < urgency(State::Flaky)).collect();
    rows.sort_by_key(|row| urgency(row.is));
    let mut blocks: Vec<(&str, String)> = vec![];
    blocks.extend(access(summary).map(|text| ("access grid", text)));
    blocks.extend(rows.iter().map(|row| ("case", failure(row, summary))));
    let causes = summary.causes.as_ref().map(|causes| super::causes::section(causes, cell));
    blocks.extend(causes.map(|text| ("list of causes", text)));
    blocks.extend(super::trend::section(&summary.trend, cell).map(|text| ("list of nights", text)));
    blocks.extend(flaky(summary).map(|text| ("list of flaky cases", text)));
    blocks.extend(advice(summary).map(|text| ("list of advice", text)));
    blocks.extend(skipped(summary).map(|text| ("list of skipped checks", text)));
    let rates = super::rates::section(&summary.rates, cell);
    blocks.extend(rates.map(|text| ("section on reliability", text)));
    let tools = super::toolscore::section(&summary.tools, cell);
    blocks.extend(tools.map(|text| ("section on tools", text)));
    let health = super::health::section(&summary.health, cell);
    blocks.extend(health.map(|text| ("section on the suite", text)));
    let surface = super::surface::section(summary, cell);
    blocks.extend(surface.map(|text| ("section on the surface", text)));
    let clients = summary.clients.as_ref().and_then(|clients| super::fit::section(clients, cell));
    blocks.extend(clients.map(|text| ("list of client misfits", text)));
    let losses = super::losses::section(&summary.losses, cell);
    blocks.extend(losses.map(|text| ("list of losses", text)));
    blocks.extend(table(summary).map(|text| ("table of use cases", text)));
    // The last lines and the sentence about what was dropped always have room.
    let mut room = BUDGET.saturating_sub(out.chars().count() + tail.chars().count() + 400);
    let mut dropped: Vec<(&str, u64)> = vec![];
    for (what, block) in blocks {
        let size = block.chars().count();
        if size <= room {
            room -= size;
            out.push_str(&block);
            continue;
        }
        match dropped.iter_mut().find(|(known, _)| *known == what) {
            Some((_, count)) => *count += 1,
            None => dropped.push((what, 1)),
        }
    }
    if !dropped.is_empty() {
        let dropped: Vec<String> = dropped.iter().map(|(what, n)| figures::count(*n, what)).collect();
        out.push_str(&format!(
            "Left out to stay within {} characters: {}; all of it is in `summary.json`.\n\n",
            figures::thousands(BUDGET as u64),
            dropped.join(", ")
        ));
    }
    out.push_str(&tail);
    out
}

fn head(summary: &Summary) -> String {
    let word = match summary.verdict {
        "pass" => "✓ passed",
        "fail" => "✗ failed",
        _ => "? inconclusive",
    };
    // The marker lets a bot find its comment again; a digest cannot close the HTML comment early.
    let mut out = format!(
        "<!-- rehearsal:{} -->\n### rehearsal: {word}, {}\n\n",
        Digest::of(summary.suite.as_bytes()),
        code(&summary.suite)
    );
    out.push_str(&format!(
        "exit {} ({}). {}.\n\n",
        summary.exit_code,
        summary.exit,
        figures::totals(&summary.totals)
    ));
    for reason in summary.reasons.iter().take(10) {
        let place = reason.origin.as_ref().map(|origin| format!(" at {}", code(&origin.to_string())));
        let case = reason.case.as_deref().map(|case| format!("{} ", code(case)));
        out.push_str(&format!(
            "- **{}** {}{}{}\n",
            reason.code.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-'), "?"),
            case.unwrap_or_default(),
            code(&display::excerpt(&reason.message, SENTENCE)),
            place.unwrap_or_default()
        ));
    }
    if summary.reasons.len() > 10 {
        out.push_str(&format!("- and {} more\n", summary.reasons.len() - 10));
    }
    if !summary.reasons.is_empty() {
        out.push('\n');
    }
    if let Some(gate) = &summary.gate {
        out.push_str(&super::gate::section(gate, code));
    }
    out.push_str(&quarantine(summary));
    if let Some(line) = super::history::line(summary, code) {
        out.push_str(&format!("{line}\n\n"));
    }
    out.push_str(&rates(summary));
    out
}

/// The size and the age of the quarantine, with every case in it.
fn quarantine(summary: &Summary) -> String {
    let Some(stamp) = &summary.quarantine else { return String::new() };
    let mut out = format!("**{}**\n\n", stamp.headline());
    for entry in stamp.entries.iter().take(10) {
        let (case, why) = (code(&entry.case), code(&entry.why));
        out.push_str(&format!("- {case}: {} {why}\n", code(&entry.says())));
    }
    if stamp.entries.len() > 10 {
        out.push_str(&format!("- and {} more\n", stamp.entries.len() - 10));
    }
    out.push('\n');
    out
}

fn rates(summary: &Summary) -> String {
    if summary.rates.is_empty() {
        return String::new();
    }
    let mut out =
        "| model | persona | client | pass rate | in a row | cases |\n|---|---|---|---|---|---|\n".to_owned();
    for rate in summary.rates.iter().take(ROWS) {
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            cell(rate.model.as_deref().unwrap_or("-")),
            cell(&rate.persona),
            cell(&rate.client),
            figures::rate(rate),
            figures::streak(rate),
            figures::basis(rate)
        ));
    }
    out.push('\n');
    out
}

/// Names that no server may have.
fn unknown(grid: &Grid) -> String {
    let lines: Vec<String> = grid
        .unknown
        .iter()
        .take(ROWS)
        .map(|unknown| format!("- **unknown name** {}\n", cell(&unknown.sentence())))
        .collect();
    if lines.is_empty() { String::new() } else { format!("{}\n", lines.concat()) }
}

/// The access grid: what is wrong in it, and the whole of it, folded when nothing is.
fn access(summary: &Summary) -> Option<String> {
    let grid = summary.access.as_ref()?;
    let wrong = grid.wrong();
    let mut out = match wrong.is_empty() {
        true => format!("{}<details><summary>Access as expected</summary>\n\n", unknown(grid)),
        false => {
            format!("#### Access: {}, {} missing\n\n", figures::count(grid.leaks, "leak"), grid.missing)
        }
    };
    for (what, places) in &wrong {
        let places: Vec<String> = places.iter().take(ROWS).map(|place| code(place)).collect();
        out.push_str(&format!("- **{what}** {}\n", places.join(", ")));
    }
    if !wrong.is_empty() {
        out.push('\n');
        out.push_str(&unknown(grid));
    }
    let personas: Vec<String> = grid.personas.iter().map(|persona| cell(persona)).collect();
    for (kind, rows) in grid.parts() {
        let line = "---|".repeat(personas.len());
        out.push_str(&format!("| {kind} | {} |\n|---|{line}\n", personas.join(" | ")));
        for row in rows.iter().take(ROWS) {
            let words = row.cells.iter().map(|cell| match cell {
                Some(cell) => format!("{} {}", mark(cell.access, Style::Plain), code(&cell.letters())),
                None => String::new(),
            });
            out.push_str(&format!("| {} | {} |\n", cell(&row.name), words.collect::<Vec<_>>().join(" | ")));
        }
        out.push('\n');
        if rows.len() > ROWS {
            out.push_str(&format!("{} more in `summary.json`.\n\n", rows.len() - ROWS));
        }
    }
    out.push_str(
        "L listed, C callable, - not, . not tried; ✓ as expected, ⚠ must not be, ○ must be and is not\n\n",
    );
    if wrong.is_empty() {
        out.push_str("</details>\n\n");
    }
    for exact in &summary.exact {
        out.push_str(&format!("{}.\n\n", exact.sentence()));
    }
    Some(out)
}

fn failure(row: &Row, summary: &Summary) -> String {
    let mark = Style::Plain.mark(row.is);
    let counts = row.counts();
    let who = [row.model.as_deref(), Some(&row.persona), Some(&row.client)];
    let who: Vec<String> = who.into_iter().flatten().map(code).collect();
    let mut out = format!("#### {mark} {}: {}\n\n{}\n\n", code(&row.id), figures::cell(row), who.join(" · "));
    let mut lines = vec![];
    for failure in &row.failures {
        lines.push(format!(
            "want  {} (in {} of {})",
            figures::wanted(&failure.check),
            failure.trials,
            counts.judged().max(1)
        ));
        lines.extend(failure.excerpt.iter().map(|line| format!("    {line}")));
        lines.push(format!("got   {}", display::excerpt(&failure.why, SENTENCE)));
    }
    if let Some(rule) = &row.rule {
        lines.push(format!("rule  {} ({}, {})", rule.title, rule.level, rule.section));
        lines.push(format!("fix   {}", rule.fix));
    }
    if let Some(reason) = &row.expected_failure {
        lines.push(format!("known to fail: {reason}"));
    }
    if let Some(fault) = &row.fault {
        lines.push(format!(
            "invalid  {} ({}): {}",
            fault.code,
            fault.side,
            display::excerpt(&fault.message, SENTENCE)
        ));
    }
    if row.is != State::Missing {
        lines.push(format!("show  {} show {} {}", summary.program, summary.run, row.id));
    }
    if lines.is_empty() {
        return out;
    }
    out.push_str(&fence(&lines.join("\n")));
    out
}

/// Cases that pass with mixed trials, folded.
fn flaky(summary: &Summary) -> Option<String> {
    let rows: Vec<&Row> = summary.cases.iter().filter(|row| row.is == State::Flaky).collect();
    if rows.is_empty() {
        return None;
    }
    let count = figures::count(rows.len() as u64, "flaky case");
    let mut out = format!("<details><summary>{count}</summary>\n\n");
    for row in rows.iter().take(ROWS) {
        let who = [row.model.as_deref(), Some(&row.persona), Some(&row.client)];
        let who: Vec<String> = who.into_iter().flatten().map(code).collect();
        out.push_str(&format!("- {} {}: {}\n", code(&row.id), who.join(" · "), figures::cell(row)));
    }
    if rows.len() > ROWS {
        out.push_str(&format!("- and {} more in `summary.json`\n", rows.len() - ROWS));
    }
    out.push_str("\n</details>\n\n");
    Some(out)
}

/// Failed findings that are only reported, folded.
fn advice(summary: &Summary) -> Option<String> {
    let all: Vec<(&Row, &Failure)> =
        summary.cases.iter().flat_map(|row| row.advice.iter().map(move |advice| (row, advice))).collect();
    if all.is_empty() {
        return None;
    }
    let mut out =
        format!("<details><summary>{} of advice</summary>\n\n", figures::count(all.len() as u64, "piece"));
    for (row, advice) in all.iter().take(ROWS) {
        let rule = row.rule.map(|rule| format!("{} ({}, {}). ", rule.title, rule.level, rule.section));
        out.push_str(&format!(
            "- {} {}{}\n",
            code(&row.id),
            rule.map(|rule| code(&rule) + " ").unwrap_or_default(),
            code(&display::excerpt(&advice.why, SENTENCE))
        ));
    }
    if all.len() > ROWS {
        out.push_str(&format!("- and {} more in `summary.json`\n", all.len() - ROWS));
    }
    out.push_str("\n</details>\n\n");
    Some(out)
}

/// Checks whose question does not arise, folded.
fn skipped(summary: &Summary) -> Option<String> {
    let rows: Vec<&Row> = summary.cases.iter().filter(|row| row.is == State::Skipped).collect();
    if rows.is_empty() {
        return None;
    }
    let count = figures::count(rows.len() as u64, "check");
    let mut out = format!("<details><summary>{count} skipped</summary>\n\n");
    for (why, ids) in figures::skipped(&rows).iter().take(ROWS) {
        out.push_str(&format!("- {}: {}\n", code(ids), code(&display::excerpt(why, SENTENCE))));
    }
    out.push_str("\n</details>\n\n");
    Some(out)
}

/// The use cases, folded.
fn table(summary: &Summary) -> Option<String> {
    let mut rows: Vec<&Row> = summary.cases.iter().filter(|row| row.kind_is == CaseKind::Use).collect();
    if rows.is_empty() {
        return None;
    }
    rows.sort_by_key(|row| urgency(row.is));
    let mut out = format!(
        "<details><summary>{}</summary>\n\n| | case | model | persona | client | passed | time | cost |\n|---|---|---|---|---|---|---|---|\n",
        figures::count(rows.len() as u64, "use case cell")
    );
    for row in rows.iter().take(ROWS) {
        out.push_str(&format!(
            "| {} {} | {} | {} | {} | {} | {}/{} | {} | {} |\n",
            Style::Plain.mark(row.is),
            row.state,
            cell(&row.id),
            cell(row.model.as_deref().unwrap_or("-")),
            cell(&row.persona),
            cell(&row.client),
            row.passed,
            row.counts().judged(),
            figures::duration(row.seconds),
            figures::money(row.cost, row.unpriced_trials)
        ));
    }
    out.push('\n');
    if rows.len() > ROWS {
        out.push_str(&format!("{} more in `summary.json`.\n\n", rows.len() - ROWS));
    }
    out.push_str("</details>\n\n");
    Some(out)
}

/// Who spent what, where anything cost anything.
fn spending(summary: &Summary) -> Option<String> {
    let lines = summary.spending.lines();
    if lines.is_empty() {
        return None;
    }
    let mut out = "| spent by | cost | |\n|---|---|---|\n".to_owned();
    for [who, cost, rest] in lines {
        out.push_str(&format!("| {} | {cost} | {rest} |\n", cell(&who)));
    }
    out.push('\n');
    Some(out)
}

fn tail(summary: &Summary) -> String {
    let mut out = spending(summary).unwrap_or_default();
    if !summary.next.is_empty() {
        let commands: Vec<&str> = summary.next.iter().take(10).map(String::as_str).collect();
        out.push_str(&fence(&commands.join("\n")));
    }
    for note in summary.judge.iter().flat_map(JudgeStamp::notes) {
        out.push_str(&format!("- judge: {}\n", code(&note)));
    }
    let judge =
        summary.judge.as_ref().map(|judge| format!(" · judge {} ({})", code(&judge.model), judge.word()));
    out.push_str(&format!(
        "{} · run {} · rehearsal {}{}\n",
        figures::spent(&summary.usage),
        code(&summary.run),
        code(&summary.version),
        judge.unwrap_or_default()
    ));
    out
}
