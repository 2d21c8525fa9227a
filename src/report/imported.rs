//! What became of the suite of another tool, part by part: as text and as JSON.

use serde_json::{Value, json};

use super::figures::count;
use super::paint::{Style, Tone};
use super::wrap::lines;
use crate::display;
use crate::import::{Case, Draft, Fate, Mapped};

/// What is told of an import.
#[derive(Clone, Copy, Debug)]
pub struct Imported<'a> {
    /// The name of the format.
    pub format: &'a str,
    /// Why the files were taken for it.
    pub why: &'a str,
    /// The files.
    pub files: &'a [String],
    /// What was read.
    pub draft: &'a Draft,
}

/// How many parts there are of each fate: exact, approximate, unsupported.
fn tally<'a>(parts: impl IntoIterator<Item = &'a Mapped>) -> [u64; 3] {
    let mut all = [0; 3];
    for part in parts {
        all[part.fate as usize] += 1;
    }
    all
}

impl Imported<'_> {
    fn parts(&self) -> impl Iterator<Item = &Mapped> {
        self.draft.parts.iter().chain(self.draft.cases.iter().flat_map(|case| &case.parts))
    }

    /// How many cases stand in the suite, and how many only as comments.
    fn cases(&self) -> (u64, u64) {
        let left = self.draft.cases.iter().filter(|case| !case.left_out.is_empty()).count() as u64;
        (self.draft.cases.len() as u64 - left, left)
    }

    /// The sum in one line.
    pub fn sum(&self) -> String {
        let (kept, left) = self.cases();
        let [exact, near, lost] = tally(self.parts());
        let left = if left == 0 { String::new() } else { format!(", {left} left out as comments") };
        format!(
            "{}{left}; {} exact, {near} approximate, {lost} unsupported",
            count(kept, "case"),
            count(exact, "part")
        )
    }

    /// One document; `suite` is the text of the suite and where it was written.
    pub fn json(&self, suite: Option<&str>, written: Option<&str>) -> Value {
        let (kept, left) = self.cases();
        let [exact, approximate, unsupported] = tally(self.parts());
        let mut told = json!({
            "format": self.format,
            "why": self.why,
            "files": self.files,
            "written": written,
            "counts": {
                "cases": kept, "left_out": left,
                "exact": exact, "approximate": approximate, "unsupported": unsupported,
            },
            "draft": self.draft,
            "suite": suite,
        });
        inert(&mut told);
        told
    }

    /// The text for a person. Parts that are exact are only counted, unless `whole`.
    pub fn text(&self, columns: usize, style: Style, whole: bool) -> String {
        let mut out = String::new();
        let files = self.files.join(", ");
        let head = display::safe_line(&format!("{}: {} ({})", files, self.format, self.why));
        push(&mut out, &lines(&head, columns, ["", "  "]));
        if !self.draft.parts.is_empty() {
            out.push('\n');
            out.push_str(&format!("{}\n", style.paint(Tone::Strong, "the suite")));
            parts(&self.draft.parts, (columns, style, whole), &mut out);
        }
        for case in &self.draft.cases {
            out.push('\n');
            out.push_str(&head_of(case, columns, style));
            parts(&case.parts, (columns, style, whole), &mut out);
        }
        out.push('\n');
        push(&mut out, &lines(&self.sum(), columns, ["", "  "]));
        out
    }
}

fn push(out: &mut String, lines: &[String]) {
    for line in lines {
        out.push_str(line);
        out.push('\n');
    }
}

fn head_of(case: &Case, columns: usize, style: Style) -> String {
    let place = format!("{}:{}", case.at.file, case.at.line);
    let left =
        if case.left_out.is_empty() { String::new() } else { format!(" · left out: {}", case.left_out) };
    let line = display::safe_line(&format!("{}  {place}{left}", case.id));
    let mut lines = lines(&line, columns, ["", "  "]);
    let id = display::safe_line(&case.id);
    if let Some(first) = lines.first_mut()
        && let Some(rest) = first.strip_prefix(&id).map(str::to_owned)
    {
        *first = format!("{}{rest}", style.paint(Tone::Strong, &id));
    }
    let mut out = String::new();
    push(&mut out, &lines);
    out
}

fn parts(parts: &[Mapped], (columns, style, whole): (usize, Style, bool), out: &mut String) {
    for part in parts.iter().filter(|part| whole || part.fate != Fate::Exact) {
        let (mark, tone) = match part.fate {
            Fate::Exact => ("=", Tone::Good),
            Fate::Approximate => ("~", Tone::Warn),
            Fate::Unsupported => ("x", Tone::Bad),
        };
        let what = if part.what.is_empty() {
            String::new()
        } else {
            format!(" `{}`", display::excerpt(&part.what, 60))
        };
        let became = if part.became.is_empty() { String::new() } else { format!(" -> {}", part.became) };
        let why = if part.why.is_empty() { String::new() } else { format!(": {}", part.why) };
        let line = display::safe_line(&format!("{}{what} (line {}){became}{why}", part.kind, part.at.line));
        let mut told = lines(&line, columns, ["  = ", "      "]);
        if let Some(rest) = told.first().and_then(|first| first.strip_prefix("  = ")).map(str::to_owned) {
            told[0] = format!("  {} {rest}", style.paint(tone, mark));
        }
        push(out, &told);
    }
    let exact = parts.iter().filter(|part| part.fate == Fate::Exact).count() as u64;
    if !whole && exact > 0 {
        let mark = style.paint(Tone::Good, "=");
        out.push_str(&format!("  {mark} {exact} exact\n"));
    }
}

/// Every text of a document made inert; line feeds stay.
fn inert(value: &mut Value) {
    match value {
        Value::String(text) => *text = display::safe(text).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(inert),
        Value::Object(map) => map.values_mut().for_each(inert),
        _ => {}
    }
}
