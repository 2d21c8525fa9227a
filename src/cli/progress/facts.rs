//! The facts of a moment in words, each in a form that fits on a line.

use super::block::{Part, pick};
use super::left;
use super::scene::{Counts, Money, Scene};
use crate::display;
use crate::gate::cells::State;
use crate::llm::pace::Strain;
use crate::report::figures::{count, percent, thousands};
use crate::report::paint::{Style, Tone};
use crate::report::wrap::{fit, width};

/// Cells that the name of a provider keeps while the rest has its full words.
const NAME: usize = 12;

/// What is left, or that nothing more begins.
pub(super) fn ahead(scene: &Scene) -> String {
    let under_way = || thousands((scene.running.len() + scene.more) as u64);
    match scene.left {
        _ if scene.stopping => format!("stopping, {} under way", under_way()),
        _ if scene.paused => format!("paused, {} under way", under_way()),
        Some(range) if scene.counts.done < scene.total => format!("{} left", left::words(range)),
        _ => String::new(),
    }
}

/// What trials came to, and how compared cases stand.
pub(super) fn counts(scene: &Scene, style: Style, room: usize) -> Vec<Part> {
    let counts = &scene.counts;
    let marked = |state, n: u64| format!("{} {}", style.mark(state), thousands(n));
    let tone = |n: u64, tone| if n > 0 { tone } else { Tone::Dim };
    let mut out = vec![
        (tone(counts.passed, Tone::Good), marked(State::Pass, counts.passed)),
        (tone(counts.failed, Tone::Bad), marked(State::Fail, counts.failed)),
        (tone(counts.invalid, Tone::Warn), invalid(counts, style, room)),
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
    out.extend(scene.below.map(|below| against(below, room)));
    out
}

/// The invalid trials, with their share where it counts.
fn invalid(counts: &Counts, style: Style, room: usize) -> String {
    let text = format!("{} {}", style.mark(State::Invalid), thousands(counts.invalid));
    let tried = counts.passed + counts.failed + counts.expected + counts.invalid;
    match counts.tolerated.filter(|_| counts.invalid > 0) {
        Some(limit) => {
            let share = percent(counts.invalid as f64 / tried.max(1) as f64);
            let long = format!("{text} ({share} of at most {})", percent(limit));
            pick(room, [long, format!("{text} ({share})"), text])
        }
        None => text,
    }
}

/// Compared cases with a smaller share of passes than their baseline. Some are by chance: it is no verdict.
fn against([below, judged]: [u64; 2], room: usize) -> Part {
    let numbers = format!("{} of {}", thousands(below), thousands(judged));
    let cases = if judged == 1 { "case" } else { "cases" };
    let long = format!("{numbers} {cases} below their baseline so far");
    let tone = if below > 0 { Tone::Warn } else { Tone::Dim };
    (tone, pick(room, [long, format!("{numbers} below baseline")]))
}

/// What was spent, and will be.
pub(super) fn money(money: &Money, room: usize) -> Vec<Part> {
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
        let long = format!("{read} tokens in, {written} out");
        out.push((Tone::Dim, pick(room, [long, format!("{read} in, {written} out")])));
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

/// How hard a provider is asked.
pub(super) fn strain(strain: &Strain, room: usize) -> Part {
    let (under_way, at_once) = (thousands(strain.under_way as u64), thousands(strain.at_once as u64));
    let mut long = format!(" {under_way} of {at_once} at once");
    let mut short = format!(" {under_way}/{at_once}");
    if !strain.pause.is_zero() {
        let seconds = thousands(strain.pause.as_secs() + 1);
        long.push_str(&format!(", told to wait {seconds} s"));
        short.push_str(&format!(", waits {seconds} s"));
    }
    if strain.refusals > 0 {
        let often = thousands(strain.refusals);
        long.push_str(&format!(", too much ×{often}"));
        short.push_str(&format!(", ×{often}"));
    }
    let name = display::excerpt(&strain.provider, 40);
    let words = pick(room.saturating_sub(width(&name).min(NAME)), [long, short]);
    let calm = strain.pause.is_zero();
    let name = fit(&name, room.saturating_sub(width(&words)));
    (if calm { Tone::Dim } else { Tone::Warn }, format!("{name}{words}"))
}
