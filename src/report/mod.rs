//! Run and decision in, bytes out. Rendering is pure, and the same run and decision give the same bytes.
//!
//! Every number in every format comes from one [`summary::Summary`], computed once from one [`View`]; its texts have
//! passed [`crate::display`], so renderers only add the escapes of their own format. Never computes a score.

use std::io::{self, Write};

use crate::drive::fit::Fit;
use crate::gate::Decision;
use crate::store::record::RunRecord;

pub mod access;
mod alerts;
pub mod archive;
pub mod badge;
pub mod baseline;
pub mod cause;
pub mod causes;
pub mod changes;
pub mod clients;
pub mod codequality;
pub mod compare;
pub mod csv;
pub mod ctrf;
mod exact;
pub mod figures;
pub mod fit;
pub mod gate;
pub mod github;
pub mod health;
mod history;
pub mod imported;
pub mod html;
pub mod inspect;
pub mod json;
pub mod jsonl;
pub mod judging;
pub mod junit;
pub mod losses;
pub mod markdown;
pub mod models;
pub mod otlp;
pub mod paint;
pub mod quarantine;
pub mod questions;
pub mod rates;
pub mod sarif;
pub mod spending;
pub mod summary;
pub mod surface;
mod tally;
pub mod terminal;
pub mod toolscore;
pub mod transcript_text;
pub mod trend;
pub mod unknown;
pub mod ways;
pub mod wrap;

pub use archive::Archive;
pub use paint::Style;
pub use summary::Summary;

/// What formats render.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The run.
    pub run: &'a RunRecord,
    /// The decision about it.
    pub decision: &'a Decision,
    /// Where the run file is, as the user would type it.
    pub run_file: String,
    /// How the user starts the program, for commands to copy: `rehearsal`, `cargo run --`.
    pub program: String,
    /// Commands worth trying next.
    pub next: Vec<String>,
    /// What each client makes of the server; none when that was not looked into.
    pub fits: Vec<Fit>,
    /// What models' APIs did not take of the tools.
    pub lost: losses::Lost,
    /// What later looks at the run found, and the nights before it.
    pub after: causes::After,
}

/// A report format.
pub struct Format {
    /// The name in `--format` and `--report`.
    pub name: &'static str,
    /// The file it is written to, beside the run file.
    pub file: &'static str,
    /// Whether every run writes that file; the others are written when they are asked for.
    pub always: bool,
    /// Writes it, in many small pieces.
    pub render: Render,
}

/// How a format is written.
#[derive(Clone, Copy)]
pub enum Render {
    /// From the summary alone.
    Summary(fn(&Summary, &mut dyn Write) -> Result<(), ReportError>),
    /// From the summary, transcripts and earlier runs.
    Archive(fn(&Summary, &dyn Archive, &mut dyn Write) -> Result<(), ReportError>),
}

impl Format {
    /// Writes a summary in this format. Formats that need no transcripts read none.
    pub fn write(
        &self,
        summary: &Summary,
        archive: &dyn Archive,
        out: &mut dyn Write,
    ) -> Result<(), ReportError> {
        match self.render {
            Render::Summary(render) => render(summary, out),
            Render::Archive(render) => render(summary, archive, out),
        }
    }
}

/// Every format that is written to a file, in the order of the documents. The terminal is not one of them: see
/// [`terminal::render`].
pub const FORMATS: &[Format] = &[
    Format { name: "json", file: "summary.json", always: true, render: Render::Summary(json::render) },
    Format { name: "markdown", file: "report.md", always: true, render: Render::Summary(markdown::render) },
    Format { name: "html", file: "report.html", always: true, render: Render::Archive(html::render) },
    Format { name: "junit", file: "junit.xml", always: true, render: Render::Summary(junit::render) },
    Format {
        name: "github",
        file: "annotations.txt",
        always: false,
        render: Render::Summary(github::render),
    },
    Format { name: "sarif", file: "findings.sarif", always: false, render: Render::Summary(sarif::render) },
    Format {
        name: "codequality",
        file: "codequality.json",
        always: false,
        render: Render::Summary(codequality::render),
    },
    Format { name: "badge", file: "badge.json", always: false, render: Render::Summary(badge::render) },
    Format { name: "csv", file: "trials.csv", always: false, render: Render::Summary(csv::render) },
    Format { name: "ctrf", file: "ctrf.json", always: false, render: Render::Summary(ctrf::render) },
    Format { name: "jsonl", file: "report.jsonl", always: false, render: Render::Summary(jsonl::render) },
    Format { name: "inspect", file: "inspect.json", always: false, render: Render::Archive(inspect::render) },
    Format { name: "otlp", file: "otlp.jsonl", always: false, render: Render::Archive(otlp::render) },
];

/// The format of a name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// A report that does not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// It cannot be rendered.
    #[error("cannot render {format}: {message}")]
    Render {
        /// The format.
        format: &'static str,
        /// Why.
        message: String,
    },
}
