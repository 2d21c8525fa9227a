//! The report of a run as a person reads it in a terminal or a CI log.
//!
//! No line starts with words of others: a runner would read commands there. Every line fits the width.

use super::paint::{Style, Tone};
use super::summary::{Row, Summary, urgency};
use super::wrap::{fit, lines};
use super::{View, figures, rates};
use crate::gate::GateVerdict;
use crate::gate::cells::State;
use crate::transcript::CaseKind;

mod access;
mod blocks;
mod cells;
mod quarantine;

/// The narrowest and the widest report.
const NARROWEST: u16 = 60;
const WIDEST: u16 = 120;
/// Below this width tables become blocks of keys and values.
const TABLE: usize = 80;
/// Most failures shown in full.
const FAILURES: usize = 20;
/// Most cells of the line that a code or a name takes before its words.
const LABEL: usize = 30;
/// Most cells whose advice is shown.
const ADVICE: usize = 10;
/// Most pass rates told with how reliable they are.
const DETAILED: usize = 2;
/// Most reasons shown.
const REASONS: usize = 10;

/// What every part of the report needs.
struct Page<'a> {
    summary: &'a Summary,
    style: Style,
    width: usize,
    out: String,
}

/// Renders a run. `width` is that of the terminal in cells; it is held between 60 and 120.
pub fn render(view: &View<'_>, style: Style, width: u16) -> String {
    let summary = Summary::of(view);
    let width = usize::from(width.clamp(NARROWEST, WIDEST));
    let mut page = Page { summary: &summary, style, width, out: String::new() };
    page.header();
    page.quarantine();
    page.cells();
    page.history();
    page.access();
    page.auth();
    page.failures();
    page.advice();
    page.figures();
    page.verdict(view.decision.verdict);
    page.next();
    style.finish(page.out)
}

/// What needs attention, and the verdict.
pub fn brief(view: &View<'_>, style: Style, width: u16) -> String {
    let summary = Summary::of(view);
    let width = usize::from(width.clamp(NARROWEST, WIDEST));
    let mut page = Page { summary: &summary, style, width, out: String::new() };
    page.failures();
    page.verdict(view.decision.verdict);
    style.finish(page.out)
}

/// The verdict alone: the word, the exit code and the reasons.
pub fn verdict(view: &View<'_>, style: Style, width: u16) -> String {
    let summary = Summary::of(view);
    let width = usize::from(width.clamp(NARROWEST, WIDEST));
    let mut page = Page { summary: &summary, style, width, out: String::new() };
    page.verdict(view.decision.verdict);
    style.finish(page.out)
}

impl<'a> Page<'a> {
    /// Ends a line.
    fn line(&mut self, text: impl AsRef<str>) {
        self.out.push_str(text.as_ref().trim_end());
        self.out.push('\n');
    }

    fn blank(&mut self) {
        if !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A fact with its name in a column of its own, wrapped.
    fn fact(&mut self, name: &str, value: &str) {
        let first = format!("  {name:<10}  ");
        let rest = format!("  {:<10}  ", "│");
        for (index, line) in lines(value, self.width, [&first, &rest]).iter().enumerate() {
            let painted = match index {
                0 => line.replacen(name, &self.style.paint(Tone::Dim, name), 1),
                _ => line.clone(),
            };
            self.line(painted);
        }
    }

    /// A fact, where there is one.
    fn some(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.fact(name, &value);
        }
    }

    fn header(&mut self) {
        let Summary { version, suite, run, totals, .. } = self.summary;
        let trials = figures::count(totals.trials + totals.missing, "trial");
        let text = [&format!("rehearsal {version}"), suite, &trials, &format!("run {run}")]
            .map(String::as_str)
            .join(self.style.dot());
        for line in lines(&text, self.width, ["", "│ "]) {
            let line = self.style.paint(Tone::Strong, &line);
            self.line(line);
        }
        self.blank();
    }

    fn figures(&mut self) {
        let summary = self.summary;
        for rate in &summary.rates {
            let mut value = vec![figures::rate(rate), figures::streak(rate), figures::basis(rate)];
            value.retain(|part| !part.is_empty());
            // With one rate only, the table says whose it is.
            if summary.rates.len() > 1 {
                value.extend(
                    [rate.model.clone(), Some(rate.persona.clone()), Some(rate.client.clone())]
                        .into_iter()
                        .flatten(),
                );
            }
            self.fact("pass rate", &value.join(self.style.dot()));
            // A matrix of models and personas has its details in the files.
            if summary.rates.len() <= DETAILED {
                self.some("reliable", rates::reliability(rate).map(|parts| parts.join(self.style.dot())));
                self.some("effort", rates::effort(rate));
            }
        }
        for exact in &summary.exact {
            self.fact(exact.what, &exact.sentence());
        }
        self.fact("trials", &figures::totals(&summary.totals));
        if let Some(judge) = &summary.judge {
            self.fact("judge", &format!("{} ({})", judge.model, judge.word()));
            for note in judge.notes() {
                self.fact("judge", &note);
            }
        }
        self.some("tools", super::toolscore::sentence(&summary.tools));
        for line in super::health::lines(&summary.health) {
            self.fact("suite", &line);
        }
        for text in super::trend::notes(&summary.trend) {
            self.fact("trend", &text);
        }
        for text in summary.causes.iter().flat_map(super::causes::Causes::lines) {
            self.fact("cause", &text);
        }
        self.some("surface", summary.surface.as_ref().map(super::surface::SurfaceStamp::sentence));
        self.some("changed", summary.tools_changed.as_ref().map(super::surface::ToolsChanged::sentence));
        self.some("clients", summary.clients.as_ref().and_then(super::fit::sentence));
        self.some("not taken", super::losses::sentence(&summary.losses));
        self.fact("spent", &figures::spent(&summary.usage));
        for [who, cost, rest] in summary.spending.lines() {
            self.fact("", &format!("{who} {cost}: {rest}"));
        }
        self.fact("run file", &summary.run_file);
        self.blank();
    }

    fn verdict(&mut self, verdict: GateVerdict) {
        let (word, tone) = match verdict {
            GateVerdict::Pass => ("PASSED", Tone::Good),
            GateVerdict::Fail => ("FAILED", Tone::Bad),
            GateVerdict::Inconclusive => ("INCONCLUSIVE", Tone::Warn),
        };
        let Summary { exit_code, exit, reasons, .. } = self.summary;
        let line = format!("{}  exit {exit_code} ({exit})", self.style.paint(tone, word));
        self.line(line);
        for text in self.summary.gate.iter().flat_map(super::gate::GateStamp::lines) {
            for line in lines(&text, self.width, ["  baseline  ", "  │ "]) {
                self.line(line);
            }
        }
        for reason in reasons.iter().take(REASONS) {
            let case = reason.case.as_ref().map(|case| format!("{case}: ")).unwrap_or_default();
            let first = format!("  {}  ", fit(&reason.code, LABEL));
            for line in lines(&format!("{case}{}", reason.message), self.width, [&first, "  │ "]) {
                self.line(line);
            }
        }
        if reasons.len() > REASONS {
            let more = figures::count((reasons.len() - REASONS) as u64, "more reason");
            self.line(format!("  {more} in summary.json"));
        }
    }

    fn next(&mut self) {
        for (index, command) in self.summary.next.iter().enumerate() {
            if index == 0 {
                self.blank();
            }
            let first = format!("  {:<4}  {}  ", if index == 0 { "next" } else { "" }, index + 1);
            // A command is never broken: it is there to be copied.
            self.line(format!("{first}{command}"));
        }
    }

    /// Rows that need attention, the most urgent first.
    fn urgent(&self) -> Vec<&'a Row> {
        let mut rows: Vec<&'a Row> =
            self.summary.cases.iter().filter(|row| urgency(row.is) < urgency(State::Flaky)).collect();
        rows.sort_by_key(|row| urgency(row.is));
        rows
    }

    fn failures(&mut self) {
        let rows = self.urgent();
        for row in rows.iter().take(FAILURES) {
            let block = blocks::block(row, self);
            block.iter().for_each(|line| self.line(line));
            self.blank();
        }
        if rows.len() > FAILURES {
            let more = figures::count((rows.len() - FAILURES) as u64, "more cell");
            self.line(format!("  {more} with problems in the report"));
            self.blank();
        }
    }

    /// Failed findings that are only reported.
    fn advice(&mut self) {
        let rows: Vec<&Row> = self.summary.cases.iter().filter(|row| !row.advice.is_empty()).collect();
        for row in rows.iter().take(ADVICE) {
            for advice in &row.advice {
                let words = match row.rule {
                    Some(rule) => format!(
                        "{} ({}, {}): {}; {}",
                        rule.title, rule.level, rule.section, advice.why, rule.fix
                    ),
                    None => format!("{}: {}", advice.check, advice.why),
                };
                let first = format!("advice  {}  ", fit(&row.id, LABEL));
                for line in lines(&words, self.width, [&first, "        │ "]) {
                    self.line(line);
                }
            }
        }
        if rows.len() > ADVICE {
            let more = figures::count((rows.len() - ADVICE) as u64, "more cell");
            self.line(format!("advice  {more} in summary.json"));
        }
        if !rows.is_empty() {
            self.blank();
        }
    }

    fn auth(&mut self) {
        let rows: Vec<&Row> = self.summary.cases.iter().filter(|row| row.kind_is == CaseKind::Auth).collect();
        if rows.is_empty() {
            return;
        }
        let (skipped, rows): (Vec<&Row>, Vec<&Row>) =
            rows.into_iter().partition(|row| row.is == State::Skipped);
        let passing = rows.iter().filter(|row| row.state == "pass").count();
        // A broken check without force passes; it still does not hold.
        let advised = rows.iter().filter(|row| row.state == "pass" && !row.advice.is_empty()).count();
        let checks = figures::count(rows.len() as u64, "auth check");
        let text = match (passing == rows.len(), advised) {
            _ if rows.is_empty() => "0 auth checks hold".to_owned(),
            (true, 0) => format!("{checks}, all hold"),
            (_, 0) => format!("{passing} of {checks} hold"),
            _ => format!("{} of {checks} hold; {advised} of the others only advise", passing - advised),
        };
        let (tone, state) = match passing == rows.len() {
            _ if rows.is_empty() => (Tone::Dim, State::Skipped),
            true => (Tone::Good, State::Pass),
            false => (Tone::Bad, State::Fail),
        };
        let mark = self.style.paint(tone, self.style.mark(state));
        self.line(format!("{mark} {text}"));
        for (why, ids) in figures::skipped(&skipped) {
            for line in lines(&format!("{ids}: {why}"), self.width, ["  skipped  ", "  │        "]) {
                self.line(line);
            }
        }
        self.blank();
    }
}
