//! The live block as lines of text: a pure function of the moment, the width, the height and the style.

use super::scene::Scene;
use super::{facts, keys, left, rows};
use crate::report::figures::thousands;
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
pub(super) type Part = (Tone, String);

/// The block, line by line. No line is wider than the terminal, and the block is never higher.
pub(super) fn lines(scene: &Scene, look: Look) -> Vec<String> {
    let style = look.style;
    let rule = if style == Style::Ascii { "-" } else { "─" }.repeat(look.width);
    let mut out = vec![style.paint(Tone::Dim, &rule)];
    out.push(head(scene, look));
    let room = look.width.saturating_sub(2);
    out.extend(flow(facts::counts(scene, style, room), look));
    out.extend(flow(facts::money(&scene.money, room), look));
    out.extend(flow(scene.strains.iter().map(|strain| facts::strain(strain, room)).collect(), look));
    let foot = keys::foot(scene, look);
    let room = look.height.saturating_sub(out.len() + foot.len() + 2);
    let shown = scene.running.len().min(room);
    out.extend(rows::rows(&scene.running[..shown], look));
    let more = scene.more + scene.running.len() - shown;
    if more > 0 && room > 0 {
        let more =
            if shown == 0 { format!("{more} under way") } else { format!("and {more} more under way") };
        out.extend(flow(vec![(Tone::Dim, more)], look));
    }
    out.extend(foot);
    out.truncate(look.height.saturating_sub(1).max(1));
    out.into_iter().map(|line| style.finish(line)).collect()
}

/// A moment on one line, for logs that nobody redraws.
pub(super) fn beat(scene: &Scene, style: Style) -> String {
    let done = scene.counts.done;
    let share = (done * 100).checked_div(scene.total).unwrap_or(100);
    let trials = format!("{} of {} trials", thousands(done), thousands(scene.total));
    let mut parts = vec![left::clock(scene.elapsed), format!("{share} %"), trials];
    parts.extend(facts::counts(scene, style, usize::MAX).into_iter().map(|part| part.1));
    parts.extend(facts::money(&scene.money, usize::MAX).into_iter().take(2).map(|part| part.1));
    parts.push(facts::ahead(scene));
    parts.retain(|part| !part.is_empty());
    parts.join("  ")
}

fn head(scene: &Scene, look: Look) -> String {
    let (done, total) = (thousands(scene.counts.done), thousands(scene.total));
    let ahead = facts::ahead(scene);
    let ahead = if ahead.is_empty() { ahead } else { format!("  {ahead}") };
    let clock = format!("  {}", left::clock(scene.elapsed));
    let long = format!("  {done} of {total} trials{ahead}");
    let rest = pick(look.width.saturating_sub(width(&clock)), [long, format!("  {done}/{total}{ahead}")]);
    // The words come first: where they leave no room, there is no bar.
    let room = look.width.saturating_sub(width(&clock) + width(&rest) + 2);
    let cells = room.min((look.width / 5).clamp(8, 32));
    let bar = match cells {
        0..4 => String::new(),
        _ => format!("  {}", bar(scene.counts.done, scene.total, (cells, look.style))),
    };
    let (clock, rest) =
        (fit(&clock, look.width), fit(&rest, look.width.saturating_sub(width(&clock) + width(&bar))));
    // A pause must not be overlooked: it lasts until somebody ends it.
    let rest = if scene.paused { look.style.paint(Tone::Warn, &rest) } else { rest };
    format!("{}{}{rest}", look.style.paint(Tone::Strong, &clock), look.style.paint(Tone::Good, &bar))
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

/// The first of the forms that fits, or the last.
pub(super) fn pick<const N: usize>(room: usize, forms: [String; N]) -> String {
    let fits = forms.iter().position(|form| width(form) <= room).unwrap_or(N - 1);
    forms.into_iter().nth(fits).unwrap_or_default()
}

/// Facts beside each other in as many lines as they need, none of them broken.
pub(super) fn flow(parts: Vec<Part>, look: Look) -> Vec<String> {
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
