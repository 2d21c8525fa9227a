//! The live block as lines of text: a pure function of the moment, the width, the height and the style.

use super::left;
use super::scene::{Counts, Money, Row, Scene};
use crate::display;
use crate::gate::cells::State;
use crate::llm::pace::Strain;
use crate::report::figures::{count, percent, thousands};
use crate::report::paint::{Style, Tone};
use crate::report::wrap::{fit, width};

/// How a block is laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Cells of a line.
    pub(super) width: usize,
    /// Lines of the terminal.
    pub(super) height: usize,
    /// Marks and colours.
    pub(super) style: Style,
}

/// A fact on a line, with its tone.
type Part = (Tone, String);

/// The block, line by line. No line is wider than the terminal, and the block is never higher.
pub(super) fn lines(scene: &Scene, look: Look) -> Vec<String> {
    let style = look.style;
    let rule = if style == Style::Ascii { "-" } else { "─" }.repeat(look.width);
    let mut out = vec![style.paint(Tone::Dim, &rule)];
    out.push(head(scene, look));
    out.extend(flow(counts(&scene.counts, style), look));
    out.extend(flow(money(&scene.money), look));
    out.extend(flow(scene.strains.iter().map(strain).collect(), look));
    let room = look.height.saturating_sub(out.len() + 2);
    let shown = scene.running.len().min(room);
    out.extend(rows(&scene.running[..shown], look));
    let more = scene.more + scene.running.len() - shown;
    if more > 0 && room > 0 {
        let more =
            if shown == 0 { format!("{more} under way") } else { format!("and {more} more under way") };
        out.extend(flow(vec![(Tone::Dim, more)], look));
    }
    out.truncate(look.height.saturating_sub(1).max(1));
    out.into_iter().map(|line| style.finish(line)).collect()
}

/// A moment on one line, for logs that nobody redraws.
pub(super) fn beat(scene: &Scene, style: Style) -> String {
    let done = scene.counts.done;
    let share = (done * 100).checked_div(scene.total).unwrap_or(100);
    let trials = format!("{} of {} trials", thousands(done), thousands(scene.total));
    let mut parts = vec![left::clock(scene.elapsed), format!("{share} %"), trials];
    parts.extend(counts(&scene.counts, style).into_iter().map(|part| part.1));
    parts.extend(money(&scene.money).into_iter().take(2).map(|part| part.1));
    parts.push(ahead(scene));
    parts.retain(|part| !part.is_empty());
    parts.join("  ")
}

fn head(scene: &Scene, look: Look) -> String {
    let trials = format!("{} of {} trials", thousands(scene.counts.done), thousands(scene.total));
    let rest: String = [trials, ahead(scene)]
        .iter()
        .filter(|part| !part.is_empty())
        .map(|part| format!("  {part}"))
        .collect();
    let clock = format!("  {}", left::clock(scene.elapsed));
    // The words come first: where they leave no room, there is no bar.
    let room = look.width.saturating_sub(width(&clock) + width(&rest) + 2);
    let cells = room.min((look.width / 5).clamp(8, 32));
    let bar = match cells {
        0..4 => String::new(),
        _ => format!("  {}", bar(scene.counts.done, scene.total, (cells, look.style))),
    };
    let (clock, rest) =
        (fit(&clock, look.width), fit(&rest, look.width.saturating_sub(width(&clock) + width(&bar))));
    format!("{}{}{rest}", look.style.paint(Tone::Strong, &clock), look.style.paint(Tone::Good, &bar))
}

/// What is left, or that nothing more begins.
fn ahead(scene: &Scene) -> String {
    match scene.left {
        _ if scene.stopping => format!("stopping, {} under way", scene.running.len() + scene.more),
        Some(range) if scene.counts.done < scene.total => format!("{} left", left::words(range)),
        _ => String::new(),
    }
}

fn bar(done: u64, total: u64, (cells, style): (usize, Style)) -> String {
    let (full, none) = if style == Style::Ascii { ('#', '.') } else { ('█', '░') };
    let share = if total == 0 { 1.0 } else { (done as f64 / total as f64).min(1.0) };
    let filled = (share * cells as f64) as usize;
    let part = if style == Style::Ascii { 0 } else { ((share * cells as f64).fract() * 8.0) as usize };
    let mut out: String = std::iter::repeat_n(full, filled).collect();
    if filled < cells && part > 0 {
        out.push(['█', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][part]);
    }
    out.extend(std::iter::repeat_n(none, cells - filled - usize::from(filled < cells && part > 0)));
    out
}

fn counts(counts: &Counts, style: Style) -> Vec<Part> {
    let marked = |state, n: u64| format!("{} {}", style.mark(state), thousands(n));
    let tone = |n: u64, tone| if n > 0 { tone } else { Tone::Dim };
    let mut out = vec![
        (tone(counts.passed, Tone::Good), marked(State::Pass, counts.passed)),
        (tone(counts.failed, Tone::Bad), marked(State::Fail, counts.failed)),
        (tone(counts.invalid, Tone::Warn), invalid(counts, style)),
    ];
    if counts.skipped > 0 {
        out.push((Tone::Dim, marked(State::Skipped, counts.skipped)));
    }
    if counts.mixed > 0 {
        let cases = count(counts.mixed, "mixed case");
        out.push((Tone::Warn, format!("{} {cases}", style.mark(State::Flaky))));
    }
    if counts.expected > 0 {
        out.push((Tone::Dim, format!("{} expected", marked(State::ExpectedFailure, counts.expected))));
    }
    if counts.again > 0 {
        out.push((Tone::Warn, format!("{} again", thousands(counts.again))));
    }
    out
}

/// The invalid trials, with their share where it counts.
fn invalid(counts: &Counts, style: Style) -> String {
    let mut text = format!("{} {}", style.mark(State::Invalid), thousands(counts.invalid));
    let tried = counts.passed + counts.failed + counts.expected + counts.invalid;
    if let Some(limit) = counts.tolerated.filter(|_| counts.invalid > 0) {
        let share = percent(counts.invalid as f64 / tried.max(1) as f64);
        text.push_str(&format!(" ({share} of at most {})", percent(limit)));
    }
    text
}

fn money(money: &Money) -> Vec<Part> {
    let mut spent = match (money.unpriced, money.spent > 0.0) {
        (0, _) => dollars(money.spent),
        (_, false) => "unpriced".to_owned(),
        (_, true) => format!("at least {}", dollars(money.spent)),
    };
    if let Some(most) = money.most {
        spent.push_str(&format!(" of {}", dollars(most)));
    }
    let near = money.most.is_some_and(|most| money.spent >= most * 0.8);
    let over = money.most.zip(money.end).is_some_and(|(most, [low, _])| low > most);
    let mut out = vec![(if near { Tone::Warn } else { Tone::Strong }, spent)];
    if let Some([low, high]) = money.end {
        let (low, high) = (dollars(low), dollars(high));
        let range = if low == high { high } else { format!("{low}–{}", high.trim_start_matches('$')) };
        out.push((if over { Tone::Warn } else { Tone::Dim }, format!("{range} in the end")));
    }
    if money.judge > 0.0 {
        out.push((Tone::Dim, format!("judge {}", dollars(money.judge))));
    }
    if money.tokens != [0, 0] {
        let [read, written] = money.tokens.map(short);
        out.push((Tone::Dim, format!("{read} tokens in, {written} out")));
    }
    out
}

/// What is less than a dollar to a tenth of a cent, if it is that little.
fn dollars(amount: f64) -> String {
    if amount > 0.0 && amount < 0.095 { format!("${amount:.4}") } else { format!("${amount:.2}") }
}

/// `312`, `4.1 k`, `3.1 M`.
fn short(n: u64) -> String {
    match n as f64 {
        n if n < 1e3 => format!("{n}"),
        n if n < 1e6 => format!("{:.1} k", n / 1e3),
        n => format!("{:.1} M", n / 1e6),
    }
}

fn strain(strain: &Strain) -> Part {
    let name = display::excerpt(&strain.provider, 40);
    let mut text = format!("{name} {} of {} at once", strain.under_way, thousands(strain.at_once as u64));
    if !strain.pause.is_zero() {
        text.push_str(&format!(", told to wait {} s", strain.pause.as_secs() + 1));
    }
    if strain.refusals > 0 {
        text.push_str(&format!(", too much ×{}", thousands(strain.refusals)));
    }
    let calm = strain.pause.is_zero();
    (if calm { Tone::Dim } else { Tone::Warn }, text)
}

/// Facts beside each other in as many lines as they need, none of them broken.
fn flow(parts: Vec<Part>, look: Look) -> Vec<String> {
    let (mut out, mut used) = (vec![], 0);
    let gap = if look.style == Style::Ascii { " | " } else { " · " };
    for (tone, text) in parts {
        let text = fit(&text, look.width.saturating_sub(2));
        let next = width(&text);
        let painted = look.style.paint(tone, &text);
        match out.last_mut() {
            Some(line) if used + width(gap) + next <= look.width => {
                *line = format!("{line}{gap}{painted}");
                used += width(gap) + next;
            }
            _ => {
                out.push(format!("  {painted}"));
                used = 2 + next;
            }
        }
    }
    out
}

/// Cells of a line before its names, and the most that what a trial does keeps for itself.
const LEAD: usize = 11;
const WORDS: usize = 32;

/// Cells of each name below which it is no use.
const LEAST: [usize; 3] = [8, 5, 5];

/// Trials under way, in columns. Names give way to what the trials do: where the terminal is narrow, the persona goes first,
/// then the model.
fn rows(rows: &[Row], look: Look) -> Vec<String> {
    let mark = if look.style == Style::Ascii { ">" } else { "▸" };
    let name = |row: &Row, at: usize| display::excerpt(&row.names[at], 60);
    let names: Vec<[String; 3]> = rows.iter().map(|row| [0, 1, 2].map(|at| name(row, at))).collect();
    let words: Vec<String> =
        rows.iter().map(|row| display::excerpt(&format!("#{} {}", row.trial, row.words()), 80)).collect();
    let longest = words.iter().map(|words| width(words)).max().unwrap_or(0).min(WORDS);
    let room = look.width.saturating_sub(LEAD + longest);
    let widest = [0, 1, 2].map(|at| names.iter().map(|names| width(&names[at])).max().unwrap_or(0));
    let least = |columns: usize| -> usize {
        widest.iter().zip(LEAST).take(columns).map(|(widest, least)| least.min(*widest) + 2).sum()
    };
    let columns = (1..=3).rev().find(|columns| least(*columns) <= room).unwrap_or(1);
    let share = room.saturating_sub(2 * columns) / (columns + 1);
    let rooms = widest.iter().enumerate().take(columns);
    let rooms: Vec<usize> = rooms
        .map(|(at, widest)| *widest.min(&if at == 0 { 2 * share } else { share }.clamp(4, 40)))
        .collect();
    let line = |((row, names), words): ((&Row, &[String; 3]), &String)| {
        let seconds = row.since.as_secs();
        let mut text = format!("  {mark} {:>2}:{:02}  ", seconds / 60, seconds % 60);
        for (name, room) in names.iter().zip(&rooms) {
            let name = fit(name, *room);
            text.push_str(&format!("{name}{}  ", " ".repeat(room.saturating_sub(width(&name)))));
        }
        look.style.paint(Tone::Dim, &fit(&format!("{text}{words}"), look.width))
    };
    rows.iter().zip(&names).zip(&words).map(line).collect()
}
