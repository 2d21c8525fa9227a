//! Positions in files, and messages that point at them.
//!
//! Loading collects diagnostics and returns them together. A diagnostic is data: [`render`] turns it into text with an
//! excerpt, given the source. Nothing here reads files or prints.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub mod render;
pub mod suggest;

/// A place in a file. Lines and columns count from 1, columns in characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// The path as the user would write it, relative to the project where possible.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A value together with where it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub origin: Origin,
}

impl<T> Located<T> {
    /// Joins a value and its place.
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}

/// How much a diagnostic matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth reading; nothing stops.
    Warning,
    /// Nothing may run.
    Error,
}

/// One message about a file: what is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnostic {
    /// A stable code that `rehearsal explain` knows, such as `suite.unknown-name`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong: lower case, no final period, names in backticks.
    pub message: String,
    /// Where, if it is in a file.
    pub at: Option<Origin>,
    /// Further places that explain the first, each with a short remark.
    pub also: Vec<(Origin, String)>,
    /// What to do about it.
    pub hints: Vec<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static str, at: Origin, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            at: Some(at),
            also: vec![],
            hints: vec![],
        }
    }

    /// An error that belongs to no place in a file.
    pub fn global(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            at: None,
            also: vec![],
            hints: vec![],
        }
    }

    /// The same as a warning.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a further place.
    #[must_use]
    pub fn also(mut self, at: Origin, remark: impl Into<String>) -> Self {
        self.also.push((at, remark.into()));
        self
    }
}
