//! The summary as JSON: `summary.json`, and the one document of `--format json`.

use super::{ReportError, Summary, View};

/// One document, indented, ending with a line feed.
pub fn render(view: &View<'_>) -> Result<Vec<u8>, ReportError> {
    let mut bytes = serde_json::to_vec_pretty(&Summary::of(view))
        .map_err(|error| ReportError { format: "json", message: error.to_string() })?;
    bytes.push(b'\n');
    Ok(bytes)
}
