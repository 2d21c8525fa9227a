//! Everything in `summary.json`, one object per line: the run, then each case with its trials after it. Lines name what
//! they are in `type` and repeat the names they belong to, so that any one of them can be read alone.

use std::io::Write;

use serde_json::{Map, Value};

use super::json::failed;
use super::{ReportError, Summary};

/// What lines repeat of their case.
const NAMES: [&str; 5] = ["id", "kind", "model", "persona", "client"];

/// The lines.
pub fn render(summary: &Summary, out: &mut dyn Write) -> Result<(), ReportError> {
    let whole = serde_json::to_value(summary).map_err(|error| failed("jsonl", error))?;
    let Value::Object(mut run) = whole else { return Ok(()) };
    let cases = run.shift_remove("cases");
    let mut of_run = Map::new();
    for name in ["suite", "run"] {
        of_run.insert(name.to_owned(), run.get(name).cloned().unwrap_or_default());
    }
    line("run", &Map::new(), run, out)?;
    let Some(Value::Array(cases)) = cases else { return Ok(()) };
    for case in cases {
        let Value::Object(mut case) = case else { continue };
        let trials = case.shift_remove("trials");
        let mut of_case = of_run.clone();
        for name in NAMES {
            let as_name = if name == "id" { "case" } else { name };
            of_case.insert(as_name.to_owned(), case.get(name).cloned().unwrap_or_default());
        }
        line("case", &of_run, case, out)?;
        let Some(Value::Array(trials)) = trials else { continue };
        for trial in trials {
            let Value::Object(trial) = trial else { continue };
            line("trial", &of_case, trial, out)?;
        }
    }
    Ok(())
}

fn line(
    kind: &str,
    names: &Map<String, Value>,
    rest: Map<String, Value>,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let mut whole = Map::new();
    whole.insert("type".to_owned(), kind.into());
    whole.extend(names.clone());
    whole.extend(rest);
    serde_json::to_writer(&mut *out, &whole).map_err(|error| failed("jsonl", error))?;
    Ok(out.write_all(b"\n")?)
}
