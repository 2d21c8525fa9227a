//! What a plan will read, write and cost, as far as an earlier run tells.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::drive::tapes::Tapes;
use crate::ids::{CaseName, ModelName};
use crate::llm::Price;
use crate::plan::{Case, Plan, Work};
use crate::report::figures::{count, money, thousands};
use crate::store::history;
use crate::store::read::Reader;
use crate::store::record::CaseResult;
use crate::suite::Suite;
use crate::transcript::Usage;

/// What models under test and judge are expected to take.
#[derive(Debug, PartialEq)]
pub(super) struct Forecast {
    expected: Expected,
    /// The earlier run.
    run: String,
}

/// Sums over the trials that an earlier run tells about.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    /// Tokens in and out of the models under test.
    tokens: [f64; 2],
    /// US dollars of the models under test, as far as they have prices.
    models: f64,
    /// US dollars of the judge.
    judge: f64,
    /// Trials that it tells about.
    known: usize,
    /// Of these, trials with calls that have no price.
    unpriced: usize,
    /// Trials of use cases that it tells nothing about.
    unknown: usize,
}

/// The forecast from the newest run of the suite: each trial is expected to take what trials of its case and model took
/// on average, at the prices of today. `None`: there is no such run, or it holds no trial of the plan.
pub(super) fn forecast(suite: &Suite, plan: &Plan, reports: &Path) -> Option<Forecast> {
    let newest = history::list(reports, Some(&suite.name)).0.into_iter().next()?;
    let record = Reader::open(&newest.path).and_then(|reader| reader.record()).ok()?;
    let judge = suite.judge.as_ref().and_then(|judge| judge.value.model.price.as_ref());
    let expected = of(plan, &record.results, judge);
    (expected.known > 0).then(|| Forecast { expected, run: newest.manifest.run.to_string() })
}

/// What is said about money before a run; nothing where nothing can be spent.
pub(super) fn expected(suite: &Suite, plan: &Plan, reports: &Path, tapes: &Tapes) -> Option<String> {
    let priced = |price: Option<&Price>| price.is_none_or(|price| price.input > 0.0 || price.output > 0.0);
    let costs = |case: &Case| match &case.work {
        Work::Use(work) => {
            let judge = suite.judge.as_ref().filter(|_| !case.criteria.is_empty());
            let judged = judge.is_some_and(|judge| priced(judge.value.model.price.as_ref()));
            let asked = !tapes.trials_are_free() && priced(work.model.price.as_ref());
            asked || (judged && !tapes.judging_is_free())
        }
        Work::Access(_) | Work::Auth(_) => false,
    };
    if !plan.cases.iter().any(costs) {
        return None;
    }
    Some(match forecast(suite, plan, reports) {
        Some(forecast) => format!("expected: {}", forecast.text()),
        None => {
            "expected cost: known after a first run; `plan` says what the limits allow at most".to_owned()
        }
    })
}

/// What trials of one case and model took together.
#[derive(Default)]
struct Took {
    usage: Usage,
    trials: u64,
    judged: Usage,
}

fn of(plan: &Plan, results: &[CaseResult], judge: Option<&Price>) -> Expected {
    let mut took: BTreeMap<(&CaseName, &ModelName), Took> = BTreeMap::new();
    for result in results.iter().filter(|result| result.model_calls > 0) {
        let Some(model) = &result.header.model else { continue };
        let took = took.entry((&result.header.case, model)).or_default();
        took.usage += result.usage;
        took.judged += result.judge_usage;
        took.trials += 1;
    }
    let mut expected = Expected::default();
    for case in &plan.cases {
        let (Work::Use(work), Some(model)) = (&case.work, &case.header.model) else { continue };
        let Some(Took { usage, trials, judged }) = took.get(&(&case.header.case, model)) else {
            expected.unknown += 1;
            continue;
        };
        let each = |sum: f64| sum / *trials as f64;
        expected.known += 1;
        expected.tokens[0] += each(usage.input as f64);
        expected.tokens[1] += each(usage.output as f64);
        let judged = Some(judged).filter(|judged| judged.input + judged.output > 0);
        let judge_cost = judged.map_or(Some(0.0), |judged| judge.map(|price| each(price.of(judged))));
        let model_cost = work.model.price.as_ref().map(|price| each(price.of(usage)));
        expected.unpriced += usize::from(model_cost.is_none() || judge_cost.is_none());
        expected.models += model_cost.unwrap_or(0.0);
        expected.judge += judge_cost.unwrap_or(0.0);
    }
    expected
}

impl Expected {
    /// US dollars, the judge's included; `None` when nothing has a price.
    fn cost(&self) -> Option<f64> {
        let sum = self.models + self.judge;
        (self.unpriced < self.known || sum > 0.0).then_some(sum)
    }
}

impl Forecast {
    /// One sentence.
    pub(super) fn text(&self) -> String {
        let Expected { tokens, judge, unknown, unpriced, .. } = &self.expected;
        let [input, output] = tokens.map(|tokens| thousands(tokens.round() as u64));
        let unpriced = u32::try_from(*unpriced).unwrap_or(u32::MAX);
        let cost = money(self.expected.cost(), unpriced);
        let judge = match judge {
            judge if *judge > 0.0 => format!(", {} of it for the judge", money(Some(*judge), 0)),
            _ => String::new(),
        };
        let unknown = match unknown {
            0 => String::new(),
            n => format!("; {} were not part of it", count(*n as u64, "trial")),
        };
        let run = &self.run;
        format!("about {input} tokens in, {output} out, {cost}{judge}, going by run {run}{unknown}")
    }

    /// What a program reads.
    pub(super) fn to_json(&self) -> Value {
        let Expected { tokens, judge, unknown, unpriced, .. } = &self.expected;
        let [input, output] = tokens.map(|tokens| tokens.round() as u64);
        json!({
            "tokens_in": input,
            "tokens_out": output,
            "cost": self.expected.cost(),
            "judge_cost": judge,
            "unpriced_trials": unpriced,
            "unknown_trials": unknown,
            "run": self.run,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(models: f64, judge: f64, unpriced: usize) -> String {
        let expected = Expected { tokens: [1200.0, 80.4], models, judge, known: 4, unpriced, unknown: 0 };
        Forecast { expected, run: "01".to_owned() }.text()
    }

    #[test]
    fn money_is_expected_where_there_are_prices() {
        assert_eq!(text(0.5, 0.0, 0), "about 1,200 tokens in, 80 out, $0.5000, going by run 01");
        assert_eq!(
            text(0.5, 0.25, 0),
            "about 1,200 tokens in, 80 out, $0.7500, $0.2500 of it for the judge, going by run 01"
        );
        assert_eq!(text(0.0, 0.0, 4), "about 1,200 tokens in, 80 out, unpriced, going by run 01");
        assert!(text(0.5, 0.0, 2).contains("at least $0.5000 (2 trials unpriced)"));
        assert!(text(0.0, 0.0, 0).contains("$0.00"));
    }
}
