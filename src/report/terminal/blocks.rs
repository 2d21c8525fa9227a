//! One block per cell that needs attention: what was wanted, what came, where the suite says so, how to see more.

use super::Page;
use crate::gate::cells::State;
use crate::report::figures;
use crate::report::paint::{Tone, tone};
use crate::report::summary::{Failure, Row};
use crate::report::wrap::{fit, lines, width};

/// Most different failures shown of one cell.
const FAILURES: usize = 3;
/// Where the words of others start: after a bar, so that no runner takes them for commands.
const BAR: &str = "          │ ";

/// The lines of the block.
pub(super) fn block(row: &Row, page: &Page<'_>) -> Vec<String> {
    let style = page.style;
    let mut out = title(row, page);
    let who = [row.model.as_deref(), Some(&row.persona), Some(&row.client)];
    let who = who.into_iter().flatten().collect::<Vec<_>>().join(style.dot());
    out.extend(labelled("as", &who, page));
    if let Some(rule) = &row.rule {
        out.extend(labelled("rule", &format!("{} ({}, {})", rule.title, rule.level, rule.section), page));
    }
    if let Some(reason) = &row.expected_failure {
        out.extend(labelled("known", &format!("to fail: {reason}"), page));
    }
    for failure in row.failures.iter().take(FAILURES) {
        out.extend(expectation(failure, row, page));
    }
    out.extend(path(row, page));
    let more = row.failures.len().saturating_sub(FAILURES);
    if more > 0 {
        out.push(format!("    {}", figures::count(more as u64, "more failed expectation")));
    }
    if let Some(fault) = &row.fault {
        out.extend(labelled("invalid", &format!("{}: {}", fault.code, fault.message), page));
    }
    if let Some(rule) = row.rule.filter(|_| !row.failures.is_empty()) {
        out.extend(labelled("fix", rule.fix, page));
    }
    if row.is != State::Missing {
        out.push(format!("    show  {} show {} {}", page.summary.program, page.summary.run, quoted(&row.id)));
    }
    out
}

/// The case and what its trials say, on one line where there is room.
fn title(row: &Row, page: &Page<'_>) -> Vec<String> {
    let says = figures::cell(row);
    let mark = page.style.mark(row.is);
    let id = fit(&row.id, page.width.saturating_sub(width(mark) + 1));
    let head = format!("{} {}", page.style.paint(tone(row.is), mark), page.style.paint(Tone::Strong, &id));
    if width(mark) + width(&id) + width(&says) + 3 <= page.width {
        return vec![format!("{head}  {says}")];
    }
    let mut out = vec![head];
    out.extend(lines(&says, page.width, ["    ", BAR]));
    out
}

fn expectation(failure: &Failure, row: &Row, page: &Page<'_>) -> Vec<String> {
    let many = row.counts().judged() > 1;
    // An auth check is its own rule, which the block has named.
    if row.rule.is_some() {
        return labelled("got", &failure.why, page);
    }
    let often =
        if many { format!(" (in {} of {})", failure.trials, row.counts().judged()) } else { String::new() };
    let mut out = labelled("want", &format!("{}{often}", figures::wanted(&failure.check)), page);
    for line in window(&failure.excerpt, page.width.saturating_sub(8)) {
        out.push(format!("        {line}"));
    }
    out.extend(labelled("got", &failure.why, page));
    out
}

/// The tools that a use case wants against those that its first failed trial called.
fn path(row: &Row, page: &Page<'_>) -> Vec<String> {
    let failed = row.trials.iter().find(|trial| trial.outcome == Some("fail"));
    let Some((wants, failed)) = row.wants.as_ref().zip(failed) else { return vec![] };
    let way = |names: &[String]| figures::way(names.iter().map(String::as_str), page.style.arrow());
    let text = format!("want {}, got {} in trial {}", way(wants), way(&failed.tool_calls), failed.trial);
    labelled("path", &text, page)
}

/// The excerpt cut to a width, moved so that the caret stays in sight.
fn window(excerpt: &[String], room: usize) -> Vec<String> {
    let at = |line: &String| line.find("| ").map(|at| at + 2);
    // The caret's line is the last; without one there is nothing to move.
    let caret = excerpt.last().filter(|_| excerpt.len() == 4).and_then(|line| Some((at(line)?, line)));
    let Some((start, caret)) = caret.filter(|(_, line)| width(line) > room || width(&excerpt[2]) > room)
    else {
        return excerpt.iter().map(|line| fit(line, room)).collect();
    };
    let lead = caret[start..].chars().take_while(|c| *c == ' ').count();
    let end = width(caret) - start;
    let space = room.saturating_sub(start);
    let skip = if end > space { lead.saturating_sub(space / 4) } else { 0 };
    let moved = |line: &String| {
        let (head, tail) = line.split_at(at(line).unwrap_or(0));
        let tail: String = tail.chars().skip(skip).collect();
        fit(&format!("{head}{tail}"), room)
    };
    excerpt.iter().enumerate().map(|(n, line)| if n < 2 { fit(line, room) } else { moved(line) }).collect()
}

/// A label and words of others, wrapped behind a bar.
fn labelled(label: &str, words: &str, page: &Page<'_>) -> Vec<String> {
    let first = format!("    {label:<4}  ");
    let first = if first.chars().count() > 10 { format!("    {label} ") } else { first };
    lines(words, page.width, [&first, BAR])
}

/// A case name as a shell takes it.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}
