//! A precondition in a line: how it stands, and what to do.

use serde::Serialize;
use serde_json::json;

use crate::cli::program::commands;
use crate::display;
use crate::gate::Exit;
use crate::report::Style;
use crate::report::figures::count;
use crate::report::fit::hanging;
use crate::report::paint::Tone;
use crate::transcript::Secrets;

/// How a precondition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// As it should be.
    Fine,
    /// A run will start, and something may surprise.
    Warning,
    /// A run would end with this code.
    Wrong(Exit),
    /// Not looked at.
    Skipped,
}

/// A precondition.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// What it is about: a name, a variable, a path.
    what: String,
    /// How it stands, in words.
    says: String,
    state: State,
    /// What to do; empty when nothing.
    pub(super) hint: String,
}

impl Line {
    /// A line that is fine. `family` stands for `what` where there is only one thing of its kind.
    pub(super) fn new(family: &str, what: &str, says: impl Into<String>) -> Self {
        let what = if what.is_empty() { family } else { what };
        Self { what: what.to_owned(), says: says.into(), state: State::Fine, hint: String::new() }
    }

    /// The same as a warning.
    pub(super) fn warning(self, hint: impl Into<String>) -> Self {
        Self { state: State::Warning, hint: hint.into(), ..self }
    }

    /// The same as something that would end a run.
    pub(super) fn wrong(self, exit: Exit, hint: impl Into<String>) -> Self {
        Self { state: State::Wrong(exit), hint: hint.into(), ..self }
    }

    /// The same as something that was not looked at.
    pub(super) fn skipped(self) -> Self {
        Self { state: State::Skipped, ..self }
    }

    /// What a run would end with because of it.
    pub(super) fn exit(&self) -> Exit {
        match self.state {
            State::Wrong(exit) => exit,
            _ => Exit::Pass,
        }
    }

    /// It in a sentence.
    pub(super) fn sentence(&self) -> String {
        format!("{}: {}", self.what, self.says)
    }

    /// Takes known secrets out.
    pub(super) fn redact(&mut self, secrets: &Secrets) {
        for text in [&mut self.what, &mut self.says, &mut self.hint] {
            *text = display::safe_line(&secrets.redact(text));
        }
    }
}

/// How many problems and warnings there are.
fn sums<'a>(lines: impl Iterator<Item = &'a Line> + Clone) -> (u64, u64) {
    let wrong = lines.clone().filter(|line| matches!(line.state, State::Wrong(_))).count();
    let warnings = lines.filter(|line| line.state == State::Warning).count();
    (wrong as u64, warnings as u64)
}

/// Everything as one document.
pub(super) fn json(lines: &[(&str, Line)], exit: Exit) -> String {
    let told = lines.iter().map(|(family, line)| {
        let (state, code) = match line.state {
            State::Fine => ("fine", None),
            State::Warning => ("warning", None),
            State::Wrong(exit) => ("wrong", Some(exit.code())),
            State::Skipped => ("skipped", None),
        };
        let hint = (!line.hint.is_empty()).then_some(&line.hint);
        json!({"family": family, "what": line.what, "state": state, "says": line.says, "hint": hint, "exit": code})
    });
    let (problems, warnings) = sums(lines.iter().map(|(_, line)| line));
    let told = json!({"exit": exit.code(), "problems": problems, "warnings": warnings, "lines": told.collect::<Vec<_>>()});
    serde_json::to_string_pretty(&told).unwrap_or_default()
}

/// Everything for a person, who starts this program by that name.
pub(super) fn text(lines: &[&(&str, Line)], columns: usize, (style, program): (Style, &str)) -> String {
    let names = lines.iter().map(|(_, line)| line.what.chars().count());
    let widest = names.max().unwrap_or(0).min(26).min(columns / 3);
    let mut out = String::new();
    for (_, line) in lines {
        let (mark, tone) = match (line.state, style) {
            (State::Fine, Style::Ascii) => ("ok", Tone::Good),
            (State::Fine, _) => ("✓", Tone::Good),
            (State::Warning, _) => ("!", Tone::Warn),
            (State::Wrong(_), Style::Ascii) => ("x", Tone::Bad),
            (State::Wrong(_), _) => ("✗", Tone::Bad),
            (State::Skipped, _) => ("-", Tone::Dim),
        };
        let what = display::excerpt(&line.what, widest);
        let pad = " ".repeat(widest.saturating_sub(what.chars().count()));
        let indent = " ".repeat(widest + 6);
        let mut rows = hanging(&line.says, columns, [&indent, &indent]);
        if let Some(first) = rows.first_mut() {
            let says = first.trim_start().to_owned();
            *first = format!("  {} {what}{pad}  {says}", style.paint(tone, mark));
        }
        if !line.hint.is_empty() {
            rows.extend(hanging(
                &commands(&line.hint, program),
                columns,
                [&format!("{indent}-> "), &format!("{indent}   ")],
            ));
        }
        for row in rows {
            out.push_str(row.trim_end());
            out.push('\n');
        }
    }
    let (problems, warnings) = sums(lines.iter().map(|(_, line)| line));
    let exit = Exit::gravest(lines.iter().map(|(_, line)| line.exit()));
    let sum = match (problems, warnings) {
        (0, 0) => "everything is fine".to_owned(),
        (problems, warnings) => format!("{}, {}", count(problems, "problem"), count(warnings, "warning")),
    };
    let code = if exit == Exit::Pass {
        String::new()
    } else {
        format!("{}a run would end with exit {} ({})", style.dot(), exit.code(), exit.name())
    };
    for row in hanging(&format!("{sum}{code}"), columns, ["", "  "]) {
        out.push_str(&row);
        out.push('\n');
    }
    style.finish(out)
}
