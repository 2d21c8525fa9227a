//! Run in, bytes out. Every number in every format comes from one [`View`], and rendering is pure.

use crate::gate::Decision;
use crate::store::record::RunRecord;

/// What formats render.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The run.
    pub run: &'a RunRecord,
    /// The decision about it.
    pub decision: &'a Decision,
    /// Where the run file is, as the user would type it.
    pub run_file: String,
    /// Commands worth trying next.
    pub next: Vec<String>,
}

/// A report format.
pub struct Format {
    /// The name in `--format`.
    pub name: &'static str,
    /// The file it is written to, beside the run file.
    pub file: &'static str,
    /// Renders it.
    pub render: fn(&View<'_>) -> Result<Vec<u8>, ReportError>,
}

/// A report that cannot be rendered.
#[derive(Debug, thiserror::Error)]
#[error("cannot render {format}: {message}")]
pub struct ReportError {
    /// The format.
    pub format: &'static str,
    /// Why.
    pub message: String,
}
