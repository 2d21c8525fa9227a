//! The access grid: tools, resources and prompts by personas. Every cell says it in letters; colour only repeats them.

use super::Page;
use crate::report::access::{Grid, GridCell, GridRow, mark};
use crate::report::paint::{Style, Tone};
use crate::report::wrap::{fit, lines, width};
use crate::score::access::Access;

/// Most rows of one part; the rest is in `summary.json`.
const ROWS: usize = 60;

impl Page<'_> {
    /// The grid, its legend and what is wrong in it, the loudest first; nothing when no access case ran.
    pub(super) fn access(&mut self) {
        let Some(grid) = &self.summary.access else { return };
        let names = grid.parts().flat_map(|(_, rows)| rows.iter().map(|row| width(&row.name)));
        let first = names.max().unwrap_or(0).clamp(8, self.width / 3);
        // Personas that do not fit beside each other go below each other, in grids of their own.
        let mut start = 0;
        while start < grid.personas.len() {
            let mut used = first + 2;
            let mut end = start;
            while end < grid.personas.len()
                && (end == start || used + self.column(grid, end) + 2 <= self.width)
            {
                used += self.column(grid, end) + 2;
                end += 1;
            }
            self.part(grid, start..end, first);
            start = end;
        }
        let all = [Access::Allowed, Access::Leak, Access::Missing, Access::Unknown];
        let [good, leak, missing, unknown] = all.map(|access| mark(access, self.style));
        let legend = format!(
            "L listed  C callable  - not  . not tried  {good} as expected  {leak} leak  {missing} missing  {unknown} undecided"
        );
        for line in lines(&legend, self.width, ["  ", "  "]) {
            let line = self.style.paint(Tone::Dim, &line);
            self.line(line);
        }
        for (what, places) in grid.wrong() {
            let text = format!("{}  {}", what.to_uppercase(), places.join("; "));
            for line in lines(&text, self.width, ["  ", "    "]) {
                let line = self.style.paint(Tone::Bad, &line);
                self.line(line);
            }
        }
        for unknown in &grid.unknown {
            let text = format!("UNKNOWN NAME  {}", unknown.sentence());
            for line in lines(&text, self.width, ["  ", "    "]) {
                let line = self.style.paint(Tone::Warn, &line);
                self.line(line);
            }
        }
        self.blank();
    }

    /// How wide the column of a persona is.
    fn column(&self, grid: &Grid, index: usize) -> usize {
        let cells = grid.parts().flat_map(|(_, rows)| rows).filter_map(|row| row.cells.get(index)?.as_ref());
        let widest = cells.map(|cell| width(&word(cell, self.style))).max().unwrap_or(0);
        width(&grid.personas[index]).clamp(widest.max(6), 16.max(widest))
    }

    fn part(&mut self, grid: &Grid, personas: std::ops::Range<usize>, first: usize) {
        for (index, (kind, rows)) in grid.parts().enumerate() {
            let mut head = padded(&format!("{kind}s"), first + 2);
            for persona in personas.clone().filter(|_| index == 0) {
                let room = self.column(grid, persona);
                head.push_str(&padded(&fit(&grid.personas[persona], room), room + 2));
            }
            let head = self.style.paint(Tone::Dim, head.trim_end());
            self.line(head);
            // Of personas in a grid of their own only what is known of them.
            let known = |row: &&GridRow| {
                personas.clone().any(|index| row.cells.get(index).is_some_and(Option::is_some))
            };
            let rows: Vec<&GridRow> = rows.iter().filter(known).collect();
            rows.iter().take(ROWS).for_each(|row| self.row(grid, row, (personas.clone(), first)));
            if rows.len() > ROWS {
                self.line(format!("  and {} more", rows.len() - ROWS));
            }
        }
    }

    fn row(&mut self, grid: &Grid, row: &GridRow, (personas, first): (std::ops::Range<usize>, usize)) {
        let mut line = padded(&fit(&row.name, first), first + 2);
        for index in personas {
            let room = self.column(grid, index) + 2;
            let cell = row.cells.get(index).and_then(Option::as_ref);
            let text = cell.map_or_else(String::new, |cell| word(cell, self.style));
            let gap = " ".repeat(room.saturating_sub(width(&text)));
            let tone = cell.map_or(Tone::Dim, |cell| tone(cell.access));
            line.push_str(&format!("{}{gap}", self.style.paint(tone, &text)));
        }
        self.line(line);
    }
}

fn padded(text: &str, size: usize) -> String {
    format!("{text}{}", " ".repeat(size.saturating_sub(width(text))))
}

fn tone(access: Access) -> Tone {
    match access {
        Access::Allowed => Tone::Good,
        Access::Denied => Tone::Dim,
        Access::Unknown => Tone::Warn,
        Access::Leak | Access::Missing => Tone::Bad,
    }
}

/// A cell of the grid: a mark, the letters, and a word where something is wrong.
fn word(cell: &GridCell, style: Style) -> String {
    let loud = match cell.access {
        Access::Leak if style != Style::Ascii => " LEAK",
        Access::Missing if style != Style::Ascii => " MISSING",
        _ => "",
    };
    format!("{} {}{loud}", mark(cell.access, style), cell.letters())
}
