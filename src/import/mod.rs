//! Suites of other tools become suites of ours, with a report of what is kept and what is not. Pure: texts in, a draft
//! out; nothing is dropped without a word.
//!
//! A format is a file here and a line in [`FORMATS`]. It takes sources apart, reports every part once as [`Mapped`], and
//! fills a [`Draft`]; `suite` writes that as a suite, in which cases that expect nothing are comments.

use serde::Serialize;

use crate::diag::{Diagnostic, Origin};

mod csv;
mod draft;
mod expect;
mod mcp_builder;
mod mcpchecker;
mod mcpjam;
mod node;
mod openai_evals;
mod promptfoo;
mod session;
mod source;
mod suite;
mod target;

pub use draft::{Case, Draft, Fate, Mapped};
pub use source::{MAX_BYTES, Near, Source};
pub use suite::{Wanted, suite};

/// A format that can be imported.
#[derive(Debug)]
pub struct Format {
    /// Its name, for `--from`.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// Why a file is taken for this format, if it is.
    detect: fn(&Source) -> Option<String>,
    /// Reads files of this format.
    read: fn(&[Source], Near<'_>, &mut Draft) -> Result<(), Diagnostic>,
    /// What its parts become: the table of `docs/import.md`.
    pub rules: &'static [Rule],
}

/// What a part of a format becomes, at best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The part in the words of the source; `*` at the end stands for any ending.
    pub kind: &'static str,
    /// What it becomes at best, in the words of suites.
    pub becomes: &'static str,
    /// How much of it is kept at best.
    pub fate: Fate,
    /// What differs, or why it is left out.
    pub note: &'static str,
}

const fn rule(kind: &'static str, fate: Fate, becomes: &'static str, note: &'static str) -> Rule {
    Rule { kind, becomes, fate, note }
}

impl Rule {
    /// Whether a part of this kind is meant.
    pub fn covers(&self, kind: &str) -> bool {
        match self.kind.strip_suffix('*') {
            Some(start) => kind.starts_with(start),
            None => self.kind == kind,
        }
    }
}

/// Every format; the first that takes a file for its own is asked to read it.
pub static FORMATS: &[&Format] = &[
    &session::FORMAT,
    &openai_evals::FORMAT,
    &mcp_builder::FORMAT,
    &mcpjam::FORMAT,
    &mcpchecker::FORMAT,
    &promptfoo::FORMAT,
    &csv::FORMAT,
];

/// The format of a name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|format| format.name == name)
}

/// The format of files, and why it is that one. All must be of one format.
pub fn detect(sources: &[Source]) -> Result<(&'static Format, String), Diagnostic> {
    let mut first: Option<(&'static Format, String, &Source)> = None;
    for source in sources {
        let found = FORMATS.iter().find_map(|format| Some((*format, (format.detect)(source)?)));
        let start = || Origin { file: source.file.clone(), line: 1, column: 1 };
        let Some((format, why)) = found else {
            // A file that cannot be read at all says more than one that nobody knows.
            if matches!(source.ending().as_str(), "yaml" | "yml" | "json") {
                source.tree()?;
            }
            let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
            return Err(Diagnostic::error(
                "import.unknown-format",
                start(),
                "this is of no format that can be imported",
            )
            .hint(format!("formats are {}; `--from FORMAT` says which one it is", names.join(", "))));
        };
        match &first {
            None => first = Some((format, why, source)),
            Some((known, _, other)) if known.name != format.name => {
                let message = format!("this is {}, and `{}` is {}", format.name, other.file, known.name);
                return Err(Diagnostic::error("import.mixed", start(), message)
                    .hint("import files of one format at a time, or say `--from FORMAT`"));
            }
            Some(_) => {}
        }
    }
    match first {
        Some((format, why, _)) => Ok((format, why)),
        None => Err(Diagnostic::global("import.nothing", "there is nothing to import")),
    }
}

/// Reads files of a format. `near` reads files that they name.
pub fn read(format: &Format, sources: &[Source], near: Near<'_>) -> Result<Draft, Diagnostic> {
    let mut draft = Draft::default();
    (format.read)(sources, near, &mut draft)?;
    draft.finish();
    Ok(draft)
}

#[cfg(test)]
mod tests;
