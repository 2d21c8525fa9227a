//! YAML text to a value with positions, or one diagnostic. The only file that knows the YAML crate.
//!
//! The text is hostile: its size, depth, number of values and alias expansion are bounded before anything is built
//! from it. Must never read files, fill variables or give an error without a place.

use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Location, Options, Spanned};

use crate::diag::{Diagnostic, Located, Origin, suggest};
use crate::score::checks::Check;

/// Most bytes of one file.
pub const MAX_BYTES: usize = 4 << 20;
const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 200_000;
const MAX_ALIASES: usize = 2_000;
const MAX_REPLAYED: usize = 20_000;

/// A value with the line and column where it was written, both from 1. [`At::locate`] adds the file.
#[derive(Clone, Debug, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    line: u32,
    column: u32,
}

impl<T> At<T> {
    /// The place, in this file.
    pub fn origin(&self, file: &Arc<str>) -> Origin {
        Origin { file: file.clone(), line: self.line, column: self.column }
    }

    /// The value with its place in this file.
    pub fn locate(self, file: &Arc<str>) -> Located<T> {
        let origin = self.origin(file);
        Located::new(self.value, origin)
    }

    /// Another value at the same place.
    pub fn with<U>(&self, value: U) -> At<U> {
        At { value, line: self.line, column: self.column }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<T>::deserialize(deserializer)?;
        let (line, column) = line_and_column(referenced);
        Ok(Self { value, line, column })
    }
}

impl<T: Serialize> Serialize for At<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Whether a text holds nothing but white space and comments.
fn only_comments(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
}

/// Bytes of a file as text: bounded in size and UTF-8, without a byte order mark.
pub fn decode<'a>(file: &Arc<str>, bytes: &'a [u8]) -> Result<&'a str, Diagnostic> {
    let start = || Origin { file: file.clone(), line: 1, column: 1 };
    if bytes.len() > MAX_BYTES {
        return Err(Diagnostic::error("suite.too-large", start(), "the file is larger than 4 MiB")
            .hint("split it into several suites, or keep data out of it"));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let line = good.matches('\n').count() + 1;
            let column = good.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
            let at = Origin { file: file.clone(), line: narrow(line as u64), column: narrow(column as u64) };
            Err(Diagnostic::error("suite.not-utf8", at, "the file is not UTF-8 from here on")
                .hint("save it as UTF-8"))
        }
    }
}

/// Reads one YAML document. The error carries the file, the line and the column.
pub fn from_text<T: DeserializeOwned>(file: &Arc<str>, text: &str) -> Result<T, Diagnostic> {
    let text = decode(file, text.as_bytes())?;
    serde_saphyr::from_str_with_options(text, options())
        .map_err(|error| Reader { file, text }.explain(&error))
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_documents: 1,
            max_total_scalar_bytes: MAX_BYTES,
            max_recorded_anchor_bytes: MAX_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED },
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

struct Reader<'a> {
    file: &'a Arc<str>,
    text: &'a str,
}

impl Reader<'_> {
    fn explain(&self, error: &Error) -> Diagnostic {
        let error = error.without_snippet();
        if let Error::AliasError { error, locations, .. } = error {
            let mut inner = self.explain(error);
            let defined = self.origin(locations.defined_location);
            inner.at = Some(self.origin(locations.reference_location));
            return if inner.at.as_ref() == Some(&defined) {
                inner
            } else {
                inner.also(defined, "the value is defined here")
            };
        }
        let at = self.origin(error.location().unwrap_or(Location::UNKNOWN));
        let wrong = |message: String| Diagnostic::error("suite.wrong-type", at.clone(), message);
        match error {
            Error::SerdeUnknownField { field, expected, .. } => {
                Diagnostic::error("suite.unknown-key", at, format!("unknown key `{field}`"))
                    .hint(suggest::hint(field, expected.iter().copied()))
            }
            Error::SerdeUnknownVariant { variant, expected, .. } => unknown_variant(at, variant, expected),
            Error::SerdeMissingField { field: "version", .. } if self.is_start(&at) => {
                Diagnostic::error("suite.missing-key", self.start(), "key `version` is missing")
                    .hint("begin the file with `version: 1`")
            }
            Error::SerdeMissingField { field, .. } => {
                Diagnostic::error("suite.missing-key", at, format!("key `{field}` is missing"))
            }
            Error::DuplicateMappingKey { key, .. } => {
                let key = key.as_deref().unwrap_or("?");
                Diagnostic::error("suite.duplicate-key", at, format!("key `{key}` is given twice"))
                    .hint("keep one of the two")
            }
            Error::SerdeInvalidType { unexpected, expected, .. }
            | Error::SerdeInvalidValue { unexpected, expected, .. } => {
                wrong(format!("expected {expected}, found {}", plain(unexpected)))
            }
            Error::Unexpected { expected, .. } => wrong(format!("expected {}", yaml_word(expected))),
            Error::InvalidScalar { ty, .. } => wrong(format!("expected {}", yaml_word(ty))),
            Error::InvalidBooleanStrict { .. } => wrong("expected `true` or `false`".to_owned()),
            Error::NullIntoString { .. } => {
                wrong("expected a text, found nothing".to_owned()).hint("write '' for an empty text")
            }
            Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. }
            | Error::ExpectedStringKeyForExternallyTaggedEnum { .. } => {
                wrong("expected a map with one key".to_owned())
            }
            Error::ExpectedMappingEndAfterEnumVariantValue { .. } => {
                wrong("a second key where exactly one belongs".to_owned())
                    .hint("start a list item of its own with `-`, or indent it below the first key")
            }
            Error::Message { msg, .. } => Diagnostic::error("suite.invalid-value", at, plain(msg)),
            other => self.too_much_or_broken(at, other),
        }
    }

    fn too_much_or_broken(&self, at: Origin, error: &Error) -> Diagnostic {
        let complex = |message: String| {
            Diagnostic::error("suite.too-complex", at.clone(), message)
                .hint("write it out more simply, or split the file")
        };
        match error {
            Error::MultipleDocuments { .. }
            | Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
                Diagnostic::error("suite.syntax", at, "a second document starts here")
                    .hint("a file holds one document; remove the `---`")
            }
            Error::Budget { breach, .. } => complex(breach_words(breach)),
            Error::ExternalMessage { msg, .. } if msg.contains("recursion limit") => {
                complex(format!("nested deeper than {MAX_DEPTH} levels"))
            }
            Error::Eof { .. } if only_comments(self.text) => {
                Diagnostic::error("suite.syntax", self.start(), "the file is empty")
                    .hint("begin it with `version: 1`")
            }
            Error::AliasReplayLimitExceeded { .. }
            | Error::AliasReplayCounterOverflow { .. }
            | Error::AliasExpansionLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. } => {
                complex(format!("the aliases expand to more than {MAX_REPLAYED} values"))
            }
            Error::RecursiveReferencesRequireWeakTypes { .. } => {
                Diagnostic::error("suite.alias-cycle", at, "the alias contains itself")
                    .hint("write the value out where it is needed")
            }
            Error::TaggedEnumMismatch { .. } | Error::UnsupportedTag { .. } => {
                Diagnostic::error("suite.syntax", at, "YAML tags such as `!name` are not used here")
                    .hint("write `name: value` instead of `!name value`")
            }
            other => {
                let full = other.to_string();
                let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(head, _)| head);
                let tab = [at.line, at.line + 1].iter().any(|line| self.has_tab_indent(*line));
                let broken = Diagnostic::error("suite.syntax", at, plain(message));
                if tab { broken.hint("indent with spaces, not with tabs") } else { broken }
            }
        }
    }

    fn start(&self) -> Origin {
        Origin { file: self.file.clone(), line: 1, column: 1 }
    }

    /// Whether the place is a key of the document itself and not of something in it.
    fn is_start(&self, at: &Origin) -> bool {
        at.column == 1
    }

    fn has_tab_indent(&self, line: u32) -> bool {
        self.text
            .lines()
            .nth(line.saturating_sub(1) as usize)
            .is_some_and(|line| line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t'))
    }

    fn origin(&self, location: Location) -> Origin {
        let (line, column) = line_and_column(location);
        Origin { file: self.file.clone(), line, column }
    }
}

fn unknown_variant(at: Origin, variant: &str, expected: &[&'static str]) -> Diagnostic {
    if expected == Check::NAMES {
        return Diagnostic::error("suite.unknown-name", at, format!("unknown check `{variant}`"))
            .hint(suggest::hint(variant, expected.iter().copied()));
    }
    Diagnostic::error("suite.unknown-name", at, format!("`{variant}` is not known here"))
        .hint(suggest::hint(variant, expected.iter().copied()))
}

fn breach_words(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Depth { .. } => format!("nested deeper than {MAX_DEPTH} levels"),
        BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
            format!("more than {MAX_NODES} values in one file")
        }
        BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } => {
            format!("more than {MAX_ALIASES} anchors or aliases in one file")
        }
        BudgetBreach::AliasAnchorRatio { .. } => "far more aliases than anchors".to_owned(),
        _ => "more than a suite file may hold".to_owned(),
    }
}

/// The parser's words for what it wanted, as a person says them.
fn yaml_word(expected: &str) -> String {
    match expected {
        "mapping start" => "a map (`key: value`)".to_owned(),
        "sequence start" => "a list (`- item`)".to_owned(),
        "string scalar" | "scalar" => "a text".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" | "float" => "a number".to_owned(),
        "bool" | "boolean" => "`true` or `false`".to_owned(),
        other => plain(other),
    }
}

/// A message of the parser in our style: lower case at the start, no period at the end.
fn plain(message: &str) -> String {
    let message = message.trim().trim_end_matches('.');
    let mut letters = message.chars();
    match letters.next() {
        Some(first) if letters.clone().next().is_none_or(|second| !second.is_uppercase()) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => message.to_owned(),
    }
}

fn line_and_column(location: Location) -> (u32, u32) {
    (narrow(location.line()).max(1), narrow(location.column()).max(1))
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
