//! A log of Inspect AI (<https://inspect.aisi.org.uk/eval-logs.html>): every trial as a sample with its messages, so that
//! its viewer and its analysis read our runs.
//!
//! A sample is a cell, an epoch a trial. Words are those of the transcript, not made safe for display but escaped so that
//! the bytes do nothing (see `exact`). A trial without evidence has an error and no score, as Inspect wants it.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Map, Value, json};

use super::rates::Rate;
use super::summary::{Row, Summary};
use super::{Archive, ReportError, exact};

mod sample;

/// The version of the format.
const VERSION: u32 = 2;
/// What stands for a model where a run has none, or several.
const NO_MODEL: &str = "none/none";

/// One document, the samples last so that headers are read without them.
pub fn render(summary: &Summary, archive: &dyn Archive, out: &mut dyn Write) -> Result<(), ReportError> {
    let ids = ids(summary);
    let head = [
        ("version", json!(VERSION)),
        ("status", json!(if matches!(summary.exit_code, 130 | 143) { "cancelled" } else { "success" })),
        ("eval", spec(summary, &ids)),
        ("plan", json!({"name": "plan", "steps": [], "config": {}})),
        ("results", results(summary)),
        ("stats", stats(summary)),
    ];
    out.write_all(b"{")?;
    for (name, value) in head {
        write!(out, "\"{name}\":")?;
        exact::write("inspect", &value, out)?;
        out.write_all(b",\n")?;
    }
    out.write_all(b"\"samples\":[")?;
    let mut first = true;
    for (row, id) in summary.cases.iter().zip(&ids) {
        for trial in &row.trials {
            out.write_all(if first { b"\n" } else { b",\n" })?;
            first = false;
            let sample = sample::sample((row, trial), id, archive.trial(trial.key).as_ref());
            exact::write("inspect", &sample, out)?;
        }
    }
    Ok(out.write_all(b"\n]}\n")?)
}

/// The ids of samples, a row each: the case alone where it runs once; else with what tells its cells apart.
fn ids(summary: &Summary) -> Vec<String> {
    let mut cells: BTreeMap<&str, u32> = BTreeMap::new();
    for row in &summary.cases {
        *cells.entry(&row.id).or_default() += 1;
    }
    let id = |row: &Row| match cells.get(row.id.as_str()) {
        Some(2..) => {
            let model = row.model.as_deref().unwrap_or("-");
            format!("{} [{}, {model}, {}, {}]", row.id, row.kind, row.persona, row.client)
        }
        _ => row.id.clone(),
    };
    summary.cases.iter().map(id).collect()
}

/// The only model of the run.
fn model(summary: &Summary) -> String {
    let mut models = summary.cases.iter().filter_map(|row| row.model.as_deref());
    match models.next() {
        Some(first) if models.all(|other| other == first) => named(first),
        Some(_) => "several/several".to_owned(),
        None => NO_MODEL.to_owned(),
    }
}

/// Inspect writes `provider/model`; our models are `provider:model` or have a name of their own.
fn named(model: &str) -> String {
    model.split_once(':').map_or_else(|| format!("rehearsal/{model}"), |(api, id)| format!("{api}/{id}"))
}

/// The start, or the epoch where it is none.
fn moment(text: &str) -> String {
    text.parse::<jiff::Timestamp>().unwrap_or_default().to_string()
}

fn spec(summary: &Summary, ids: &[String]) -> Value {
    let epochs = summary.cases.iter().flat_map(|row| &row.trials).map(|trial| trial.trial).max();
    json!({
        "eval_id": summary.run,
        "run_id": summary.run,
        "created": moment(&summary.started),
        "task": summary.suite,
        "task_id": summary.suite,
        "task_version": 0,
        "task_args": {},
        "dataset": {"name": summary.suite, "samples": ids.len(), "sample_ids": ids, "shuffled": true},
        "model": model(summary),
        "model_args": {},
        "config": {"epochs": epochs.unwrap_or(1)},
        "packages": {"rehearsal": summary.version},
        "scorers": [{"name": "rehearsal", "options": {}, "metadata": {}}],
        "metadata": {
            "target": summary.target,
            "seed": summary.seed,
            "verdict": summary.verdict,
            "exit_code": summary.exit_code,
            "reasons": summary.reasons,
            "judge": summary.judge,
        },
    })
}

fn results(summary: &Summary) -> Value {
    let totals = &summary.totals;
    let score = |rate: &Rate| {
        let mut metrics = Map::new();
        for (name, value) in [("accuracy", rate.pass_rate), ("low", rate.low), ("high", rate.high)] {
            metrics.extend(value.map(|value| (name.to_owned(), json!({"name": name, "value": value}))));
        }
        let model = rate.model.as_deref().unwrap_or("-");
        let params = json!({"model": model, "persona": rate.persona, "client": rate.client});
        let name = match summary.rates.len() {
            1 => "outcome".to_owned(),
            _ => format!("outcome [{model}, {}, {}]", rate.persona, rate.client),
        };
        json!({
            "name": name,
            "scorer": "rehearsal",
            "scored_samples": rate.trials,
            "params": params,
            "metrics": metrics,
        })
    };
    json!({
        "total_samples": totals.trials.saturating_add(totals.missing),
        "completed_samples": totals.trials,
        "scores": summary.rates.iter().map(score).collect::<Vec<_>>(),
    })
}

fn stats(summary: &Summary) -> Value {
    let mut usage: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for row in &summary.cases {
        let Some(model) = &row.model else { continue };
        let sum = usage.entry(named(model)).or_default();
        for trial in &row.trials {
            sum[0] = sum[0].saturating_add(trial.tokens.input);
            sum[1] = sum[1].saturating_add(trial.tokens.output);
        }
    }
    let usage: Map<String, Value> = usage
        .into_iter()
        .map(|(model, [input, output])| {
            let total = input.saturating_add(output);
            (model, json!({"input_tokens": input, "output_tokens": output, "total_tokens": total}))
        })
        .collect();
    json!({"started_at": moment(&summary.started), "completed_at": "", "model_usage": usage})
}
