//! The access grid: tools by personas.

use super::Page;
use crate::report::access::{Access, Grid};
use crate::report::figures;
use crate::report::paint::{Style, Tone};
use crate::report::wrap::{fit, width};

impl Page<'_> {
    /// The grid, its legend and what is wrong in it; nothing when no access case ran.
    pub(super) fn access(&mut self) {
        let Some(grid) = &self.summary.access else { return };
        let names: Vec<usize> = grid.tools.iter().map(|row| width(&row.tool)).collect();
        let first = names.into_iter().max().unwrap_or(0).clamp(4, self.width / 3);
        let column = |persona: &String| width(persona).clamp(9, 16);
        // Personas that do not fit beside each other go below each other, in grids of their own.
        let mut start = 0;
        while start < grid.personas.len() {
            let mut used = first + 2;
            let mut end = start;
            while end < grid.personas.len()
                && (end == start || used + column(&grid.personas[end]) + 2 <= self.width)
            {
                used += column(&grid.personas[end]) + 2;
                end += 1;
            }
            self.part(grid, start..end, first);
            start = end;
        }
        let [allowed, denied, leak, missing] =
            [Access::Allowed, Access::Denied, Access::Leak, Access::Missing]
                .map(|access| word(access, self.style));
        let legend = format!(
            "{allowed} allowed  {denied} denied as expected  {leak}: seen or callable, must not be  {missing}: must be, is not"
        );
        for line in crate::report::wrap::lines(&legend, self.width, ["  ", "  "]) {
            let line = self.style.paint(Tone::Dim, &line);
            self.line(line);
        }
        if grid.leaks + grid.missing > 0 {
            let leaks = figures::count(grid.leaks, "leak");
            let found = format!("{leaks}, {} missing", grid.missing);
            let found = self.style.paint(Tone::Bad, &found);
            self.line(format!("  {found}"));
        }
        self.blank();
    }

    fn part(&mut self, grid: &Grid, personas: std::ops::Range<usize>, first: usize) {
        let size = |persona: &String| width(persona).clamp(9, 16);
        let mut head = " ".repeat(first + 2);
        for persona in &grid.personas[personas.clone()] {
            head.push_str(&padded(&fit(persona, size(persona)), size(persona) + 2));
        }
        let head = self.style.paint(Tone::Dim, head.trim_end());
        self.line(head);
        for row in &grid.tools {
            let mut line = padded(&fit(&row.tool, first), first + 2);
            for index in personas.clone() {
                let room = size(&grid.personas[index]) + 2;
                let access = row.access.get(index).copied().flatten();
                let text = access.map_or("", |access| word(access, self.style));
                let gap = " ".repeat(room.saturating_sub(width(text)));
                line.push_str(&format!("{}{gap}", self.style.paint(access.map_or(Tone::Dim, tone), text)));
            }
            self.line(line);
        }
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

/// A cell of the grid: a mark, and a word where something is wrong.
pub(super) fn word(access: Access, style: Style) -> &'static str {
    match (access, style) {
        (Access::Allowed, Style::Ascii) => "yes",
        (Access::Allowed, _) => "●",
        (Access::Denied, Style::Ascii) => "-",
        (Access::Denied, _) => "·",
        (Access::Unknown, _) => "?",
        (Access::Leak, Style::Ascii) => "LEAK",
        (Access::Leak, _) => "⚠ LEAK",
        (Access::Missing, Style::Ascii) => "MISSING",
        (Access::Missing, _) => "○ MISSING",
    }
}
