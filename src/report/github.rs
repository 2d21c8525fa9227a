//! Annotations of GitHub Actions: workflow commands on stdout, which the runner turns into notes at the lines of the
//! suite.
//!
//! The runner shows ten of a level per step and drops the rest without a word, so the gravest come first and the tenth
//! says how many more there are. <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>

use std::io::Write;

use super::ReportError;
use super::figures;
use super::summary::{Place, Row, Summary, urgency};
use crate::display;
use crate::gate::cells::State;

/// Annotations of one level that a step can show.
const SHOWN: usize = 10;
/// Most characters of a message; the runner cuts at 4,096.
const MESSAGE: usize = 3000;

/// One annotation.
struct Note<'a> {
    place: Option<&'a Place>,
    title: String,
    text: String,
}

/// The commands, one a line.
pub fn render(summary: &Summary, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut rows: Vec<&Row> = summary.cases.iter().collect();
    rows.sort_by_key(|row| urgency(row.is));
    // A case under quarantine raises no alarm in the gate, and so no error here.
    let is_failed = |row: &Row| match row.is {
        State::Fail => !row.quarantined,
        state => matches!(state, State::Security | State::UnexpectedPass),
    };
    let is_unclear = |row: &Row| match row.is {
        State::Fail => row.quarantined,
        state => matches!(state, State::Undecided | State::Invalid | State::Missing | State::Flaky),
    };
    let failed = rows.iter().copied().filter(|row| is_failed(row));
    let mut errors: Vec<Note<'_>> = failed.flat_map(|row| failures(row, summary)).collect();
    let unclear = rows.iter().copied().filter(|row| is_unclear(row));
    let mut warnings: Vec<Note<'_>> = unclear.map(|row| doubt(row, summary)).collect();
    let run = summary.reasons.iter().filter(|reason| reason.case.is_none()).map(|reason| Note {
        place: reason.origin.as_ref(),
        title: format!("{}: {}", summary.suite, reason.code),
        text: reason.message.clone(),
    });
    match summary.verdict {
        "fail" => errors.extend(run),
        _ => warnings.extend(run),
    }
    let notices = rows.iter().flat_map(|row| row.advice.iter().map(move |advice| (*row, advice)));
    let notices: Vec<Note<'_>> = notices
        .map(|(row, advice)| Note {
            place: Some(&advice.origin),
            title: format!("advice: {}", row.id),
            text: advice.why.clone(),
        })
        .collect();
    for (level, notes) in [("error", errors), ("warning", warnings), ("notice", notices)] {
        write(level, &notes, out)?;
    }
    Ok(())
}

/// One for each different failed finding of a case.
fn failures<'a>(row: &'a Row, summary: &Summary) -> Vec<Note<'a>> {
    let title = format!("{}: {}", row.state, row.id);
    if row.failures.is_empty() {
        return vec![Note {
            place: Some(&row.origin),
            title,
            text: about(&figures::cell(row), row, summary),
        }];
    }
    let judged = row.counts().judged().max(1);
    let note = |failure: &'a super::summary::Failure| {
        let text = format!("{}\nin {} of {judged}", failure.why, figures::count(failure.trials, "trial"));
        Note { place: Some(&failure.origin), title: title.clone(), text: about(&text, row, summary) }
    };
    row.failures.iter().map(note).collect()
}

/// A case without a clear verdict.
fn doubt<'a>(row: &'a Row, summary: &Summary) -> Note<'a> {
    let fault =
        row.fault.as_ref().map(|fault| format!("\n{} ({}): {}", fault.code, fault.side, fault.message));
    let text = format!("{}{}", figures::cell(row), fault.unwrap_or_default());
    Note {
        place: Some(&row.origin),
        title: format!("{}: {}", row.state, row.id),
        text: about(&text, row, summary),
    }
}

fn about(text: &str, row: &Row, summary: &Summary) -> String {
    let model = row.model.as_deref().map(|model| format!("{model} as ")).unwrap_or_default();
    let rule = row
        .rule
        .map(|rule| format!("\nrule: {} ({}, {})\nfix: {}", rule.title, rule.level, rule.section, rule.fix));
    format!(
        "{text}{}\n{model}{} through {}\n{} show {} {}",
        rule.unwrap_or_default(),
        row.persona,
        row.client,
        summary.program,
        summary.run,
        row.id
    )
}

fn write(level: &str, notes: &[Note<'_>], out: &mut dyn Write) -> Result<(), ReportError> {
    let shown = if notes.len() > SHOWN { SHOWN - 1 } else { notes.len() };
    for Note { place, title, text } in &notes[..shown] {
        let mut properties = vec![];
        if let Some(Place { file, line, column }) = place {
            properties.push(format!("file={},line={line},col={column}", property(file)));
        }
        properties.push(format!("title={}", property(&display::excerpt(title, 200))));
        let text: String = text.chars().take(MESSAGE).collect();
        writeln!(out, "::{level} {}::{}", properties.join(","), data(&text))?;
    }
    if notes.len() > shown {
        let more = notes.len() - shown;
        writeln!(
            out,
            "::{level} title=rehearsal::{more} more are in the report of the run; a step shows ten of a level"
        )?;
    }
    Ok(())
}

/// The escapes of a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The escapes of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_a_command() {
        assert_eq!(data("a%0A\r\nb::error::c"), "a%250A%0D%0Ab::error::c");
        assert_eq!(property("a,line=1::x"), "a%2Cline=1%3A%3Ax");
    }

    #[test]
    fn the_tenth_says_how_many_more() {
        let note = |n: usize| Note { place: None, title: n.to_string(), text: String::new() };
        for (count, lines, last) in [(10, 10, "title=9"), (11, 10, "2 more"), (500, 10, "491 more")] {
            let mut out = vec![];
            write("error", &(0..count).map(note).collect::<Vec<_>>(), &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.lines().count(), lines);
            assert!(text.lines().last().unwrap().contains(last), "{text}");
        }
    }
}
