//! One block per cell that needs attention: what was wanted, what came, where the suite says so, how to see more.

use super::Page;
use crate::gate::cells::State;
use crate::report::figures;
use crate::report::paint::{Tone, tone};
use crate::report::summary::{Failure, Row};
use crate::report::wrap::{fit, lines};
use crate::transcript::CaseKind;

/// Most different failures shown of one cell.
const FAILURES: usize = 3;
/// Where the words of others start: after a bar, so that no runner takes them for commands.
const BAR: &str = "          │ ";

/// The lines of the block.
pub(super) fn block(row: &Row, page: &Page<'_>) -> Vec<String> {
    let style = page.style;
    let mut out = vec![title(row, page)];
    let who = [row.model.as_deref(), Some(&row.persona), Some(&row.client)];
    let who = who.into_iter().flatten().collect::<Vec<_>>().join(style.dot());
    out.extend(labelled("as", &who, page));
    if let Some(reason) = &row.expected_failure {
        out.extend(labelled("known", &format!("to fail: {reason}"), page));
    }
    for failure in row.failures.iter().take(FAILURES) {
        out.extend(expectation(failure, row, page));
    }
    let more = row.failures.len().saturating_sub(FAILURES);
    if more > 0 {
        out.push(format!("    {}", figures::count(more as u64, "more failed expectation")));
    }
    if let Some(fault) = &row.fault {
        out.extend(labelled("invalid", &format!("{}: {}", fault.code, fault.message), page));
    }
    if row.is != State::Missing {
        out.push(format!("    show  rehearsal show {} {}", page.summary.run, quoted(&row.id)));
    }
    out
}

fn title(row: &Row, page: &Page<'_>) -> String {
    let counts = row.counts();
    let says = match (row.is, row.kind_is) {
        (State::Missing, _) => "did not run".to_owned(),
        (State::Invalid, _) => format!("{} invalid, none judged", figures::count(counts.invalid, "trial")),
        (State::UnexpectedPass, _) => {
            format!("{} of {} trials passed, known to fail", counts.passed, counts.judged())
        }
        (_, CaseKind::Use) => {
            let lost = counts.invalid + counts.missing;
            let lost = if lost > 0 { format!(", {lost} without a verdict") } else { String::new() };
            format!("{} of {} trials passed, {}{lost}", counts.passed, counts.judged(), row.bar)
        }
        (_, CaseKind::Access | CaseKind::Auth) => "failed".to_owned(),
    };
    let mark = page.style.paint(tone(row.is), page.style.mark(row.is));
    let room = page.width.saturating_sub(says.chars().count() + 8).max(20);
    format!("{mark} {}  {}", page.style.paint(Tone::Strong, &fit(&row.id, room)), fit(&says, page.width - 8))
}

fn expectation(failure: &Failure, row: &Row, page: &Page<'_>) -> Vec<String> {
    let many = row.counts().judged() > 1;
    let often =
        if many { format!(" (in {} of {})", failure.trials, row.counts().judged()) } else { String::new() };
    let mut out = labelled("want", &format!("{}{often}", failure.check), page);
    for line in &failure.excerpt {
        out.push(format!("        {}", fit(line, page.width.saturating_sub(8))));
    }
    out.extend(labelled("got", &failure.why, page));
    out
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
