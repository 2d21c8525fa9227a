//! A comparison for a terminal.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::{
    HEADER, LEGEND, Page, Told, basis, change, exact, left_out, mover, preference, sight, unshared, word,
};
use crate::gate::compare::{Finding, Mover, Part};
use crate::report::paint::{Style, Tone};
use crate::report::wrap::{fit, lines};

/// Most cases that moved in one direction, and most names of a list.
const MOST: usize = 15;

/// The page for a terminal of this width.
pub fn human(page: &Page, width: usize, style: Style) -> String {
    let mut out = Out { text: String::new(), width, style };
    out.say(0, &format!("before  {}", page.before.says()));
    out.say(0, &format!("now     {}", page.now.says()));
    out.blank();
    out.say(0, page.question());
    for part in &page.found.parts {
        out.blank();
        out.part(part);
    }
    if page.found.parts.is_empty() {
        out.blank();
        out.say(0, "No use case is compared: the sides have no model in common.");
    }
    let told = |list: Vec<Told>| list.iter().map(|one| one.plain(MOST)).collect::<Vec<_>>();
    out.list("Models that are not compared:", &told(unshared(&page.found)));
    out.list("Access and auth cases, which are exact:", &told(exact(&page.found.exact)));
    let drift: Vec<String> = page.found.drift.iter().map(drifted).collect();
    out.list("Not alike on both sides, so a change may have these causes:", &drift);
    if let Some(preferred) = &page.preferred {
        out.blank();
        out.say(0, &format!("Judged by {}. {}", preferred.judge, preference(preferred)));
    }
    out.text
}

pub(super) fn drifted(drift: &crate::store::baseline::Drift) -> String {
    let name = if drift.name.is_empty() { String::new() } else { format!(" `{}`", drift.name) };
    format!("{}{name}: {}", drift.part.as_str(), drift.message)
}

struct Out {
    text: String,
    width: usize,
    style: Style,
}

impl Out {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn say(&mut self, indent: usize, text: &str) {
        let (first, rest) = (" ".repeat(indent), " ".repeat(indent + 4));
        for line in lines(text, self.width, [&first, &rest]) {
            self.text.push_str(&line);
            self.blank();
        }
    }

    fn list(&mut self, title: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        self.blank();
        self.say(0, title);
        for item in items {
            self.say(2, item);
        }
    }

    fn part(&mut self, part: &Part) {
        let tone = match part.finding {
            Finding::Worse => Tone::Bad,
            Finding::Better => Tone::Good,
            Finding::NotToldApart | Finding::NothingInCommon => Tone::Warn,
        };
        let name = fit(&part.name(), self.width / 2);
        let word = self.style.paint(tone, word(part.finding));
        self.text.push_str(&format!("{}: {word}\n", self.style.paint(Tone::Strong, &name)));
        self.say(2, &change(part));
        self.say(2, &basis(part));
        if let Some(change) = &part.comparison.change {
            self.say(2, &sight(change));
        }
        self.movers("lost", &part.comparison.losers);
        self.movers("gained", &part.comparison.gainers);
        if !part.comparison.losers.is_empty() || !part.comparison.gainers.is_empty() {
            self.say(2, LEGEND);
        }
        let left_out: Vec<String> = left_out(part).iter().map(|one| one.plain(MOST)).collect();
        if !left_out.is_empty() {
            self.say(2, "left out:");
            left_out.iter().for_each(|line| self.say(4, line));
        }
    }

    fn movers(&mut self, title: &str, movers: &[Mover]) {
        if movers.is_empty() {
            return;
        }
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let header = HEADER.into_iter().enumerate().map(|(at, word)| if at == 0 { title } else { word });
        table.set_header(header.map(str::to_owned));
        let room = self.width.saturating_sub(52).max(12);
        for one in movers.iter().take(MOST) {
            let mut cells = mover(one);
            cells[0] = fit(&cells[0], room);
            table.add_row(cells);
        }
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if at > 0 {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for (at, line) in table.lines().enumerate() {
            let line = line.trim_end();
            let line = if at == 0 { self.style.paint(Tone::Dim, line) } else { line.to_owned() };
            self.text.push_str(&format!("  {line}\n"));
        }
        if movers.len() > MOST {
            self.say(2, &format!("and {} more; `--format json` has all", movers.len() - MOST));
        }
    }
}
