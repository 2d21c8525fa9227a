//! How a server fits its clients, for people and programs: in the reports of a run, and on its own. Pure.

use std::collections::BTreeSet;

use serde::Serialize;

use super::figures::count;
use super::paint::{Style, Tone};
use super::wrap::lines;
use crate::display;
use crate::drive::fit::{Fit, Level, Misfit};

/// Most items of one misfit that reports keep.
const ITEMS: usize = 200;
/// Most lines of one misfit in a terminal, and most rows of a table.
const LINES: usize = 6;
/// Most characters of a detail.
const DETAIL: usize = 200;

/// How the server fits, as `summary.json` holds it: whole for the clients of the suite, in short for the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clients {
    /// Clients that the suite names.
    pub named: Vec<Named>,
    /// Every other client with anything to tell.
    pub others: Vec<Short>,
}

/// A client with everything that goes wrong under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The client profile.
    pub client: String,
    /// What goes wrong, the gravest first.
    pub misfits: Vec<Line>,
}

/// One kind of misfit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its word.
    pub kind: &'static str,
    /// How grave.
    pub level: Level,
    /// One sentence.
    pub about: String,
    /// Items, however many of them are listed.
    pub count: usize,
    /// What it happens to: tools with one and the same detail together.
    pub items: Vec<Group>,
}

/// Tools to which the same happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The tools; none when it is about the server.
    pub tools: Vec<String>,
    /// What happens.
    pub detail: String,
}

/// A client in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Short {
    /// The client profile.
    pub client: String,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
    /// The kinds, the gravest first.
    pub kinds: Vec<&'static str>,
}

/// Splits fits by whether the suite names their client. `None` when nothing was held against any client.
pub(super) fn clients(fits: &[Fit], named: &BTreeSet<&str>) -> Option<Clients> {
    if fits.is_empty() {
        return None;
    }
    let (of_suite, others): (Vec<&Fit>, Vec<&Fit>) =
        fits.iter().partition(|fit| named.contains(fit.client.as_str()));
    Some(Clients {
        named: of_suite.into_iter().map(whole).collect(),
        others: others.into_iter().filter(|fit| !fit.misfits.is_empty()).map(short).collect(),
    })
}

/// A fit with texts that are safe to show.
pub fn whole(fit: &Fit) -> Named {
    Named { client: display::safe_line(fit.client.as_str()), misfits: fit.misfits.iter().map(line).collect() }
}

fn line(misfit: &Misfit) -> Line {
    let mut items: Vec<Group> = Vec::new();
    for item in misfit.items.iter().take(ITEMS) {
        let detail = display::excerpt(&item.detail, DETAIL);
        let tool = item.tool.as_ref().map(|tool| display::excerpt(tool.as_str(), 80));
        match items.iter_mut().find(|group| group.detail == detail) {
            Some(group) => group.tools.extend(tool),
            None => items.push(Group { tools: tool.into_iter().collect(), detail }),
        }
    }
    let (kind, level) = (misfit.kind.as_str(), misfit.level);
    Line { kind, level, about: misfit.about.clone(), count: misfit.items.len(), items }
}

fn short(fit: &Fit) -> Short {
    Short {
        client: display::safe_line(fit.client.as_str()),
        warnings: fit.count(Level::Warning),
        notes: fit.count(Level::Note),
        kinds: fit.misfits.iter().map(|misfit| misfit.kind.as_str()).collect(),
    }
}

impl Group {
    /// The group as a line.
    pub fn text(&self) -> String {
        match self.tools.is_empty() {
            true => self.detail.clone(),
            false => format!("{}: {}", self.tools.join(", "), self.detail),
        }
    }
}

/// `2 warnings, 1 note`; `None` when there is neither.
fn tallied(warnings: usize, notes: usize) -> Option<String> {
    let parts = [(warnings, "warning"), (notes, "note")];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, noun)| count(number as u64, noun)).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What one line of the terminal report says; `None` when no client makes anything worse.
pub(super) fn sentence(clients: &Clients) -> Option<String> {
    let named = clients.named.iter().filter_map(|named| {
        let warnings: Vec<&Line> = named.misfits.iter().filter(|line| line.level == Level::Warning).collect();
        let kinds: Vec<&str> = warnings.iter().map(|line| line.kind).collect();
        let number: usize = warnings.iter().map(|line| line.count).sum();
        (number > 0)
            .then(|| format!("{}: {} ({})", named.client, count(number as u64, "warning"), kinds.join(", ")))
    });
    let mut parts: Vec<String> = named.collect();
    let others: Vec<&str> =
        clients.others.iter().filter(|other| other.warnings > 0).map(|other| other.client.as_str()).collect();
    if !others.is_empty() {
        parts.push(format!(
            "warnings under {}: {}",
            count(others.len() as u64, "other client"),
            others.join(", ")
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// One client in a terminal: a heading and a paragraph per kind.
pub fn paragraph(named: &Named, columns: usize, style: Style) -> String {
    let of = |level| named.misfits.iter().filter(|line| line.level == level).map(|line| line.count).sum();
    let tallied =
        tallied(of(Level::Warning), of(Level::Note)).unwrap_or_else(|| "nothing that is known".to_owned());
    let mut out = format!("{}  {tallied}\n", style.paint(Tone::Strong, &named.client));
    for line in &named.misfits {
        let (word, tone) = match line.level {
            Level::Warning => ("warning", Tone::Warn),
            Level::Note => ("note", Tone::Dim),
        };
        let head = format!("{word} {}: {}", line.kind, line.about);
        for (index, text) in lines(&head, columns, ["  ", "    "]).iter().enumerate() {
            let text =
                if index == 0 { text.replacen(word, &style.paint(tone, word), 1) } else { text.clone() };
            out.push_str(&text);
            out.push('\n');
        }
        for group in line.items.iter().take(LINES) {
            for text in lines(&group.text(), columns, ["    ", "      "]) {
                out.push_str(&text);
                out.push('\n');
            }
        }
        if line.items.len() > LINES {
            out.push_str(&format!("    and {} more\n", line.items.len() - LINES));
        }
    }
    style.finish(out)
}

/// A text in lines of at most so many cells.
pub fn wrapped(text: &str, columns: usize) -> String {
    lines(text, columns, ["", "  "]).join("\n")
}

/// A text in lines of at most so many cells, each after a prefix: the first once, the second from then on.
pub fn hanging(text: &str, columns: usize, prefixes: [&str; 2]) -> Vec<String> {
    lines(text, columns, prefixes)
}

/// The section of the Markdown report, folded. `code` makes words of others inert.
pub(super) fn section(clients: &Clients, code: impl Fn(&str) -> String) -> Option<String> {
    let told: Vec<&Named> = clients.named.iter().filter(|named| !named.misfits.is_empty()).collect();
    if told.is_empty() && clients.others.is_empty() {
        return None;
    }
    let mut out = String::new();
    if !told.is_empty() {
        out.push_str("<details><summary>What the clients of the suite make of the server</summary>\n\n");
        out.push_str("| client | | what | where |\n|---|---|---|---|\n");
        for named in &told {
            for line in &named.misfits {
                let level = if line.level == Level::Warning { "warning" } else { "note" };
                let mut places: Vec<String> =
                    line.items.iter().take(LINES).map(|group| code(&group.text())).collect();
                if line.items.len() > LINES {
                    places.push(format!("and {} more", line.items.len() - LINES));
                }
                let client = code(&named.client);
                out.push_str(&format!("| {client} | {level} | {} | {} |\n", line.about, places.join("; ")));
            }
        }
        out.push_str("\n</details>\n\n");
    }
    if !clients.others.is_empty() {
        out.push_str("<details><summary>Under other clients</summary>\n\n");
        out.push_str("| client | warnings | notes | kinds |\n|---|---|---|---|\n");
        for other in &clients.others {
            let kinds = other.kinds.join(", ");
            out.push_str(&format!(
                "| {} | {} | {} | {kinds} |\n",
                code(&other.client),
                other.warnings,
                other.notes
            ));
        }
        out.push_str("\n</details>\n\n");
    }
    Some(out)
}
