//! What a plan will read and write in tokens, as far as an earlier run tells.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::ids::{CaseName, ModelName, SuiteName};
use crate::plan::Plan;
use crate::report::figures::{count, thousands};
use crate::store::history;
use crate::store::read::Reader;
use crate::store::record::CaseResult;

/// Tokens of the models under test.
#[derive(Debug, PartialEq)]
pub(super) struct Forecast {
    /// Tokens in and out of the trials that the earlier run tells about.
    tokens: [f64; 2],
    /// Trials of use cases that it tells nothing about.
    unknown: usize,
    /// The earlier run.
    run: String,
}

/// The forecast from the newest run of the suite: each trial is expected to take what trials of its case and model took
/// on average. `None`: there is no such run, or it holds no trial of the plan.
pub(super) fn forecast(suite: &SuiteName, plan: &Plan, reports: &Path) -> Option<Forecast> {
    let newest = history::list(reports, Some(suite)).0.into_iter().next()?;
    let record = Reader::open(&newest.path).and_then(|reader| reader.record()).ok()?;
    of(plan, &record.results).map(|(tokens, unknown)| Forecast {
        tokens,
        unknown,
        run: newest.manifest.run.to_string(),
    })
}

fn of(plan: &Plan, results: &[CaseResult]) -> Option<([f64; 2], usize)> {
    let mut took: BTreeMap<(&CaseName, &ModelName), ([u64; 2], u64)> = BTreeMap::new();
    for result in results.iter().filter(|result| result.model_calls > 0) {
        let Some(model) = &result.header.model else { continue };
        let (sum, trials) = took.entry((&result.header.case, model)).or_default();
        sum[0] += result.usage.input;
        sum[1] += result.usage.output;
        *trials += 1;
    }
    let (mut tokens, mut known, mut unknown) = ([0.0; 2], 0, 0);
    for header in plan.cases.iter().map(|case| &case.header) {
        let Some(model) = &header.model else { continue };
        match took.get(&(&header.case, model)) {
            Some((sum, trials)) => {
                known += 1;
                tokens[0] += sum[0] as f64 / *trials as f64;
                tokens[1] += sum[1] as f64 / *trials as f64;
            }
            None => unknown += 1,
        }
    }
    (known > 0).then_some((tokens, unknown))
}

impl Forecast {
    /// One sentence.
    pub(super) fn text(&self) -> String {
        let [input, output] = self.tokens.map(|tokens| thousands(tokens.round() as u64));
        let unknown = match self.unknown {
            0 => String::new(),
            n => format!("; {} were not part of it", count(n as u64, "trial")),
        };
        format!("about {input} tokens in, {output} out, going by run {}{unknown}", self.run)
    }

    /// What a program reads.
    pub(super) fn to_json(&self) -> Value {
        let [input, output] = self.tokens.map(|tokens| tokens.round() as u64);
        json!({"tokens_in": input, "tokens_out": output, "unknown_trials": self.unknown, "run": self.run})
    }
}
