//! The summary as JSON: `summary.json`, and the one document of `--format json`.

use std::io::Write;

use super::{ReportError, Summary};

/// One document, indented, ending with a line feed.
pub fn render(summary: &Summary, out: &mut dyn Write) -> Result<(), ReportError> {
    serde_json::to_writer_pretty(&mut *out, summary).map_err(|error| match error.is_io() {
        true => ReportError::Write(error.into()),
        false => ReportError::Render { format: "json", message: error.to_string() },
    })?;
    Ok(out.write_all(b"\n")?)
}
