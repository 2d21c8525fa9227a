//! A file to import: its text, and the tree in it where it is YAML or JSON.

use std::cell::OnceCell;
use std::sync::Arc;

use serde_json::Value;

use super::node::Node;
use crate::diag::{Diagnostic, Origin};
use crate::suite::tree::Tree;
use crate::suite::yaml::{self, At};

/// Most bytes of one file. Those that are one YAML or JSON document are held to [`yaml::MAX_BYTES`] besides.
pub const MAX_BYTES: usize = 64 << 20;

/// A file to import.
#[derive(Debug)]
pub struct Source {
    /// The path as the user wrote it.
    pub file: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
    tree: OnceCell<Result<Node, Diagnostic>>,
}

/// Reads a file that another one names, relative to it: `None` when there is none, or it may not be read.
pub type Near<'a> = &'a dyn Fn(&Source, &str) -> Option<Source>;

impl Source {
    /// A file from its bytes. Refuses what is too large, or not UTF-8.
    pub fn new(file: &str, bytes: &[u8]) -> Result<Self, Diagnostic> {
        let file: Arc<str> = file.into();
        let start = Origin { file: file.clone(), line: 1, column: 1 };
        if bytes.len() > MAX_BYTES {
            return Err(Diagnostic::error("import.too-large", start, "the file is larger than 64 MiB")
                .hint("split it, or take the part that holds the cases"));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            let at = Origin { line: u32::try_from(line).unwrap_or(u32::MAX), ..start };
            Diagnostic::error("import.unreadable", at, "the file is not UTF-8 from here on")
                .hint("save it as UTF-8")
        })?;
        let text: Arc<str> = text.strip_prefix('\u{feff}').unwrap_or(text).into();
        Ok(Self { file, text, tree: OnceCell::new() })
    }

    /// The document, read once. JSON is YAML as far as positions go.
    pub(super) fn tree(&self) -> Result<&Node, Diagnostic> {
        let read = || {
            let tree = yaml::from_text::<At<Tree>>(&self.file, &self.text);
            tree.map(|tree| Node::of(&tree, &self.file)).map_err(|found| unreadable(found, "YAML or JSON"))
        };
        self.tree.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    /// The place of a line.
    pub(super) fn at(&self, line: usize) -> Origin {
        Origin { file: self.file.clone(), line: u32::try_from(line).unwrap_or(u32::MAX).max(1), column: 1 }
    }

    /// The values of a file with one JSON value on each line; broken lines as what is wrong with them.
    pub(super) fn lines(&self) -> impl Iterator<Item = (Origin, Result<Node, String>)> {
        let lines = self.text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        lines.map(|(index, line)| {
            let at = self.at(index + 1);
            let value = serde_json::from_str::<Value>(line).map(|value| Node::on_line(&value, &at));
            (at, value.map_err(|error| format!("the line is not JSON: {error}")))
        })
    }

    /// The first line that is not empty, as JSON.
    pub(super) fn first_line(&self) -> Option<Node> {
        self.lines().next()?.1.ok()
    }

    /// Whether it is one YAML or JSON document, by its name or its first character.
    pub(super) fn is_document(&self) -> bool {
        match self.ending().as_str() {
            "yaml" | "yml" | "json" => true,
            "csv" | "tsv" | "jsonl" | "xml" => false,
            _ => self.text.trim_start().starts_with(['{', '[']),
        }
    }

    /// How the name of the file ends, in lower case.
    pub(super) fn ending(&self) -> String {
        self.file.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default()
    }

    /// The name of the file without folders and ending.
    pub fn stem(&self) -> &str {
        let name = self.file.rsplit(['/', '\\']).next().unwrap_or_default();
        name.split_once('.').map_or(name, |(stem, _)| stem)
    }
}

/// A diagnostic of the suite reader about a file that is no suite.
fn unreadable(found: Diagnostic, wanted: &str) -> Diagnostic {
    let message = format!("the file cannot be read as {wanted}: {}", found.message);
    match found.at {
        Some(at) => Diagnostic::error("import.unreadable", at, message),
        None => Diagnostic::global("import.unreadable", message),
    }
}
