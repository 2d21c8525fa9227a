//! Traces for any OpenTelemetry backend: OTLP as JSON, one `TracesData` a line, as the file exporter writes and collectors
//! read. A trial is a trace.
//!
//! Names follow the conventions for generative AI and MCP; they are in development, so they may change with them. What
//! was found stands as `gen_ai.evaluation.result` events at the root span. Ids come from run and trial, so that the same
//! run gives the same trace however often it is written.
//! <https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/>
//! <https://github.com/open-telemetry/semantic-conventions-genai>

use std::io::Write;

use serde_json::{Value, json};

use super::summary::{Row, Summary, TrialLine};
use super::{Archive, ReportError, exact};
use crate::ids::Digest;

mod attributes;
mod spans;

use attributes::Attributes;

/// One line per trial. Without a transcript a trial is its root span alone.
pub fn render(summary: &Summary, archive: &dyn Archive, out: &mut dyn Write) -> Result<(), ReportError> {
    for row in &summary.cases {
        for trial in &row.trials {
            let kept = archive.trial(trial.key);
            let trace = Trace::new(summary, row, trial);
            let spans = spans::spans(&trace, kept.as_ref().map(|kept| &kept.transcript));
            exact::write("otlp", &wrapped(summary, &spans), out)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

fn wrapped(summary: &Summary, spans: &[Value]) -> Value {
    let mut resource = Attributes::default();
    resource.text("service.name", "rehearsal");
    resource.text("service.version", &summary.version);
    resource.text("service.instance.id", &summary.run);
    json!({"resourceSpans": [{
        "resource": {"attributes": resource.done()},
        "scopeSpans": [{
            "scope": {"name": "rehearsal", "version": summary.version},
            "spans": spans,
        }],
    }]})
}

/// A trial on its way to spans.
struct Trace<'a> {
    summary: &'a Summary,
    row: &'a Row,
    trial: &'a TrialLine,
    id: String,
}

impl<'a> Trace<'a> {
    fn new(summary: &'a Summary, row: &'a Row, trial: &'a TrialLine) -> Self {
        let id = Digest::of_json(&(&summary.run, trial.key)).to_string();
        Self { summary, row, trial, id }
    }

    /// The id of the span that an event began; the root has none.
    fn span(&self, seq: Option<u32>) -> String {
        let mut id = Digest::of_json(&(&self.id, seq)).to_string();
        id.truncate(16);
        id
    }
}
