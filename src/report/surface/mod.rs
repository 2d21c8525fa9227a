//! The surface of a server for people: what its tools cost, what is wrong with them, how they changed. Pure.

use std::collections::BTreeMap;

use super::figures::count;
use super::paint::{Style, Tone};
use super::wrap::lines;
use crate::surface::Level;
use crate::surface::drift::{Change, Class};
use crate::surface::lint::{self, Finding};

mod bill;
mod markdown;
mod stamp;

pub use bill::{bill, bills};
pub(super) use markdown::section;
pub use stamp::{
    BillLine, BrokenLine, ChangeLine, LintLine, SurfaceStamp, ToolsChanged, change_lines, lint_lines,
};

/// Most places of one rule, and most changes of one class, that are shown.
const LINES: usize = 6;

/// How long texts are.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Terminal cells in a line.
    pub columns: usize,
    /// Colours.
    pub style: Style,
    /// Whether notes are told place by place as well.
    pub whole: bool,
}

fn tone(level: Level) -> Tone {
    match level {
        Level::Error => Tone::Bad,
        Level::Warning => Tone::Warn,
        Level::Note => Tone::Dim,
    }
}

/// `2 errors, 1 note`.
pub fn tallied(findings: &[Finding]) -> String {
    let of = |level: Level| findings.iter().filter(|finding| finding.level == level).count() as u64;
    let levels = [Level::Error, Level::Warning, Level::Note];
    let parts = levels.into_iter().filter(|level| of(*level) > 0);
    let parts: Vec<String> = parts.map(|level| count(of(level), level.as_str())).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// `1 breaking, 2 wording`.
pub fn classes(changes: &[Change]) -> String {
    let of = |class: Class| changes.iter().filter(|change| change.class == class).count();
    let all = [Class::Breaking, Class::Additive, Class::Wording];
    let parts = all.into_iter().filter(|class| of(*class) > 0);
    let parts: Vec<String> = parts.map(|class| format!("{} {}", of(class), class.as_str())).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// A paragraph with a head whose first word is painted, and lines below it.
fn paragraph((word, tone, rest): (&str, Tone, &str), items: &[String], room: Room) -> String {
    let mut out = String::new();
    for (index, text) in lines(&format!("{word} {rest}"), room.columns, ["  ", "    "]).iter().enumerate() {
        let text = if index == 0 { text.replacen(word, &room.style.paint(tone, word), 1) } else { text.clone() };
        out.push_str(&text);
        out.push('\n');
    }
    for item in items {
        for text in lines(item, room.columns, ["    ", "      "]) {
            out.push_str(&text);
            out.push('\n');
        }
    }
    out
}

/// The first lines, and how many more there are.
fn first(items: impl Iterator<Item = String>, all: usize, most: usize) -> Vec<String> {
    let mut items: Vec<String> = items.take(most).collect();
    if all > items.len() {
        items.push(format!("and {} more", all - items.len()));
    }
    items
}

/// What the lint says, rule by rule.
pub fn findings(findings: &[Finding], room: Room) -> String {
    let head = room.style.paint(Tone::Strong, "lint");
    let mut out = format!("{head}  {}\n", tallied(findings));
    for rule in by_level(findings) {
        let Some(known) = lint::find(rule[0].rule.as_str()) else { continue };
        let short = known.id.trim_start_matches("surface.");
        let about = known.about.trim_end_matches('.');
        let quiet = known.level == Level::Note && !room.whole;
        let most = if room.whole { usize::MAX } else { LINES };
        let items = match quiet {
            // Who reads notes wants to know where; what is always the same.
            true => vec![names(&rule)],
            false => first(rule.iter().map(|finding| finding.text()), rule.len(), most),
        };
        let text = format!("{short}: {about}");
        out.push_str(&paragraph((known.level.as_str(), tone(known.level), &text), &items, room));
    }
    room.style.finish(out)
}

/// The findings rule by rule, the gravest rules first.
fn by_level(findings: &[Finding]) -> Vec<Vec<&Finding>> {
    let mut rules: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        match rules.iter_mut().find(|rule| rule[0].rule == finding.rule) {
            Some(rule) => rule.push(finding),
            None => rules.push(vec![finding]),
        }
    }
    rules.sort_by_key(|rule| rule[0].level);
    rules
}

/// The tools of findings with how often each stands there.
fn names(rule: &[&Finding]) -> String {
    let mut tools: BTreeMap<String, usize> = BTreeMap::new();
    for finding in rule {
        for tool in &finding.tools {
            *tools.entry(crate::display::excerpt(tool, 60)).or_insert(0) += 1;
        }
    }
    let all = tools.len();
    let name = |(tool, times): (String, usize)| if times > 1 { format!("{tool} ({times})") } else { tool };
    let mut shown: Vec<String> = tools.into_iter().take(2 * LINES).map(name).collect();
    if all > shown.len() {
        shown.push(format!("and {} more", all - shown.len()));
    }
    shown.join(", ")
}

/// How the tools changed, class by class. `against` says against what.
pub fn changes(changes: &[Change], against: &str, room: Room) -> String {
    let head = room.style.paint(Tone::Strong, "changes");
    let title = format!("{}, against {}", classes(changes), crate::display::safe_line(against));
    let mut out = format!("{head}  {title}\n");
    for class in [Class::Breaking, Class::Additive, Class::Wording] {
        let of: Vec<&Change> = changes.iter().filter(|change| change.class == class).collect();
        if of.is_empty() {
            continue;
        }
        let (tone, about) = match class {
            Class::Breaking => (Tone::Bad, "what worked may not work any more"),
            Class::Additive => (Tone::Good, "something became possible"),
            Class::Wording => (Tone::Dim, "only words; a model may choose otherwise"),
        };
        let most = if room.whole { usize::MAX } else { 4 * LINES };
        let items = first(of.iter().map(|change| change.text()), of.len(), most);
        out.push_str(&paragraph((class.as_str(), tone, about), &items, room));
    }
    room.style.finish(out)
}
