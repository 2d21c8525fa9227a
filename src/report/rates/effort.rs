//! What a judged trial took: turns, calls, seconds, tokens, dollars. Medians and 95th percentiles, never means: one
//! trial that goes in circles would move a mean and nothing else.

use serde::Serialize;

use super::CONFIDENCE;
use crate::score::trajectory::Trajectory;
use crate::stats::quantile::quantile;
use crate::store::record::CaseResult;

/// One measure of effort over the judged trials.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effort {
    /// `turns`, `calls`, `seconds`, `tokens_in`, `tokens_out`, `tokens_cached`, `cost`, `list_tokens` (of the list of
    /// tools, each time it is sent) or `result_tokens` (of all tool results).
    pub what: &'static str,
    /// On how many trials it rests; those of which it is not known are left out.
    pub trials: u64,
    /// Whether any of the numbers was estimated: four bytes to a token.
    pub estimated: bool,
    /// The median.
    pub median: Spread,
    /// The 95th percentile.
    pub p95: Spread,
}

/// A quantile with the ends of its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The quantile.
    pub value: f64,
    /// Lower end; `None` when the trials are too few for an interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// A measure: its name, what a trial gives, and whether that is an estimate.
type Measure = (&'static str, fn(&CaseResult) -> Option<(f64, bool)>);

const MEASURES: &[Measure] = &[
    ("turns", |result| Some((f64::from(result.trajectory.as_ref()?.turns), false))),
    ("calls", |result| Some((result.tool_calls.len() as f64, false))),
    ("seconds", |result| Some((result.took_ms as f64 / 1000.0, false))),
    ("tokens_in", |result| tokens(result, result.usage.input)),
    ("tokens_out", |result| tokens(result, result.usage.output)),
    ("tokens_cached", |result| tokens(result, result.usage.cached)),
    ("cost", |result| Some((result.cost.or((result.model_calls == 0).then_some(0.0))?, false))),
    ("list_tokens", |result| bytes(result, |trajectory| trajectory.list_bytes)),
    ("result_tokens", |result| bytes(result, |trajectory| trajectory.result_bytes)),
];

fn tokens(result: &CaseResult, count: u64) -> Option<(f64, bool)> {
    Some((count as f64, !result.usage.reported))
}

/// Four bytes to a token, as everywhere where nobody counts.
fn bytes(result: &CaseResult, of: fn(&Trajectory) -> u64) -> Option<(f64, bool)> {
    Some((of(result.trajectory.as_ref()?).div_ceil(4) as f64, true))
}

/// Every measure of which these trials tell anything. Tokens that no trial has are left out, and so are prices of zero.
pub(super) fn of(results: &[&CaseResult]) -> Vec<Effort> {
    let measures = MEASURES.iter().filter_map(|(what, measure)| {
        let seen: Vec<(f64, bool)> = results.iter().filter_map(|result| measure(result)).collect();
        let optional = !matches!(*what, "turns" | "calls" | "seconds");
        if optional && seen.iter().all(|(value, _)| *value == 0.0) {
            return None;
        }
        let mut values: Vec<f64> = seen.iter().map(|(value, _)| *value).collect();
        values.sort_unstable_by(f64::total_cmp);
        Some(Effort {
            what,
            trials: values.len() as u64,
            estimated: seen.iter().any(|(_, estimated)| *estimated),
            median: spread(&values, 0.5)?,
            p95: spread(&values, 0.95)?,
        })
    });
    measures.collect()
}

fn spread(sorted: &[f64], p: f64) -> Option<Spread> {
    let found = quantile(sorted, p, CONFIDENCE)?;
    // To a billionth: a price is a decimal, and an interpolated one should read as one.
    let rounded = |value: f64| (value * 1e9).round() / 1e9;
    Some(Spread {
        value: rounded(found.value),
        low: found.interval.map(|interval| rounded(interval.low)),
        high: found.interval.map(|interval| rounded(interval.high)),
    })
}
