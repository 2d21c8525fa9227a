//! The table of use cases, or blocks of keys and values where the terminal is narrow.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::{Page, TABLE};
use crate::gate::cells::State;
use crate::report::figures;
use crate::report::paint::{Style, Tone, tone};
use crate::report::summary::{Row, urgency};
use crate::report::wrap::{fit, lines, width};
use crate::transcript::CaseKind;

/// Above this many rows, cases that pass are only counted.
const ROWS: usize = 40;
/// Most rows at all.
const MOST: usize = 200;
/// More trials than this are a fraction, not ticks.
const TICKS: usize = 10;
/// Columns whose text may be shortened: case, model, persona, client profile.
const SHORTEST: usize = 8;

impl Page<'_> {
    /// The use cases.
    pub(super) fn cells(&mut self) {
        let all: Vec<&Row> = self.summary.cases.iter().filter(|row| row.kind_is == CaseKind::Use).collect();
        if all.is_empty() {
            return;
        }
        let mut shown = all.clone();
        if shown.len() > ROWS {
            shown.retain(|row| row.is != State::Pass);
            shown.sort_by_key(|row| urgency(row.is));
            shown.truncate(MOST);
        }
        if self.width < TABLE {
            shown.iter().for_each(|row| self.pairs(row));
        } else {
            self.table(&shown);
        }
        let hidden = all.len() - shown.len();
        if hidden > 0 {
            let passing = all.iter().filter(|row| row.is == State::Pass).count().min(hidden);
            self.line(format!(
                "  and {} not listed, {passing} of them pass",
                figures::count(hidden as u64, "cell")
            ));
        }
        self.blank();
    }

    fn table(&mut self, rows: &[&Row]) {
        let mut clients: Vec<&str> = rows.iter().map(|row| row.client.as_str()).collect();
        clients.dedup();
        let with_client = clients.len() > 1;
        let mut texts: Vec<Vec<String>> =
            rows.iter().map(|row| cells(row, self.style, with_client)).collect();
        let mut header: Vec<String> = ["", "case", "model", "persona"].map(str::to_owned).to_vec();
        if with_client {
            header.push("client".to_owned());
        }
        header.extend(["trials", "time", "cost"].map(str::to_owned));
        texts.insert(0, header);
        shorten(&mut texts, self.width, if with_client { 1..5 } else { 1..4 });
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(texts.remove(0));
        table.add_rows(texts);
        let columns = table.column_count();
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if index + 2 >= columns {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for (index, line) in table.lines().enumerate() {
            let line = match index {
                0 => self.style.paint(Tone::Dim, line.trim_end()),
                _ => repaint(&line, rows.get(index - 1).map(|row| row.is), self.style),
            };
            self.line(line);
        }
    }

    fn pairs(&mut self, row: &Row) {
        let mark = self.style.paint(tone(row.is), self.style.mark(row.is));
        let id = fit(&row.id, self.width.saturating_sub(8));
        self.line(format!("{mark} {id}"));
        let who = [row.model.as_deref(), Some(&row.persona), Some(&row.client)];
        let who = who.into_iter().flatten().collect::<Vec<_>>().join(self.style.dot());
        let spent = [figures::duration(row.seconds), cost(row)].join(self.style.dot());
        for (key, value) in [("as", who), ("trials", ticks(row, self.style)), ("took", spent)] {
            let first = format!("    {key:<7} ");
            for line in lines(&value, self.width, [&first, "    │       "]) {
                self.line(line);
            }
        }
    }
}

fn cells(row: &Row, style: Style, with_client: bool) -> Vec<String> {
    let mut cells = vec![
        style.mark(row.is).to_owned(),
        row.id.clone(),
        row.model.clone().unwrap_or_default(),
        row.persona.clone(),
    ];
    if with_client {
        cells.push(row.client.clone());
    }
    cells.extend([ticks(row, style), figures::duration(row.seconds), cost(row)]);
    cells
}

fn cost(row: &Row) -> String {
    figures::price(row.cost, row.unpriced_trials)
}

/// One tick per trial, or a fraction when there are many; a word where ticks alone would mislead.
fn ticks(row: &Row, style: Style) -> String {
    let planned = row.counts().planned() as usize;
    let ticks = if planned > TICKS {
        format!("{}/{}", row.passed, row.counts().judged())
    } else {
        let missing = planned.saturating_sub(row.trials.len());
        let none = style.tick(None);
        row.trials
            .iter()
            .map(|trial| style.tick(trial.outcome))
            .chain(std::iter::repeat_n(none, missing))
            .collect()
    };
    match row.is {
        State::ExpectedFailure => format!("{ticks} expected"),
        State::UnexpectedPass => format!("{ticks} unexpected"),
        State::Flaky => format!("{ticks} flaky"),
        State::Pass
        | State::Fail
        | State::Security
        | State::Undecided
        | State::Invalid
        | State::Missing
        | State::Skipped => ticks,
    }
}

/// Shortens the widest of the given columns until a row fits.
fn shorten(rows: &mut [Vec<String>], limit: usize, columns: std::ops::Range<usize>) {
    let widest = |rows: &[Vec<String>], column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
    };
    let count = rows.first().map_or(0, Vec::len);
    loop {
        let total: usize = (0..count).map(|column| widest(rows, column) + 2).sum();
        let column = columns.clone().max_by_key(|column| widest(rows, *column));
        let Some((column, size)) = column.map(|column| (column, widest(rows, column))) else { return };
        if total <= limit || size <= SHORTEST {
            return;
        }
        let size = size.saturating_sub(total - limit).max(SHORTEST).max(size / 2);
        rows.iter_mut().for_each(|row| row[column] = fit(&row[column], size));
    }
}

/// Colours the mark at the start of a line of the table.
fn repaint(line: &str, state: Option<State>, style: Style) -> String {
    let line = line.trim_end();
    match state.and_then(|state| line.strip_prefix(style.mark(state)).map(|rest| (state, rest))) {
        Some((state, rest)) => format!("{}{rest}", style.paint(tone(state), style.mark(state))),
        None => line.to_owned(),
    }
}
