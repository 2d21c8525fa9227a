//! The summary as JSON: `summary.json`, and the one document of `--format json`.

use std::io::Write;

use serde::Serialize;

use super::{ReportError, Summary};

/// One document, indented, ending with a line feed.
pub fn render(summary: &Summary, out: &mut dyn Write) -> Result<(), ReportError> {
    document("json", summary, out)
}

/// Any document of a format whose texts are safe to show.
pub(super) fn document(
    format: &'static str,
    value: &impl Serialize,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(|error| failed(format, error))?;
    Ok(out.write_all(b"\n")?)
}

/// Tells a full disk from a value that has no JSON form.
pub(super) fn failed(format: &'static str, error: serde_json::Error) -> ReportError {
    match error.is_io() {
        true => ReportError::Write(error.into()),
        false => ReportError::Render { format, message: error.to_string() },
    }
}
