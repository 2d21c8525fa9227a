//! Who spent what: each model under test, and the judge. What has no price is unpriced, never free.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures::{count, money, thousands};
use super::rates::CONFIDENCE;
use crate::display;
use crate::gate::cells::{Cell, State};
use crate::stats::bootstrap::{Resampling, ratio_interval};
use crate::stats::random::SplitMix64;
use crate::store::record::{CaseResult, RunRecord};

/// What each model took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Spending {
    /// The models under test, by name.
    pub models: Vec<ModelSpending>,
    /// The judge; `None` when it was never asked.
    pub judge: Option<JudgeSpending>,
}

/// What one model under test took, without the judge.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelSpending {
    /// The model.
    pub model: String,
    /// Its cells: cases by persona and client profile.
    pub cases: u32,
    /// Those that pass.
    pub passing_cases: u32,
    /// Calls.
    pub calls: u64,
    /// Tokens read.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
    /// US dollars; `None` when nothing was priced. With `unpriced_trials` above 0 it is a lower bound.
    pub cost: Option<f64>,
    /// Trials with calls that have no price.
    pub unpriced_trials: u32,
    /// US dollars for one case; `None` when anything is unpriced.
    pub cost_per_case: Option<f64>,
    /// US dollars for each case that passes, the failed ones paid for with them; `None` when none passes, or anything is
    /// unpriced.
    pub cost_per_passing_case: Option<f64>,
    /// Lower end of its 95 % interval, drawn by case; `None` for fewer than two cases.
    pub cost_per_passing_case_low: Option<f64>,
    /// Upper end; `None` also when passing cases are too rare for one.
    pub cost_per_passing_case_high: Option<f64>,
}

/// What the judge took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JudgeSpending {
    /// Its model.
    pub model: String,
    /// Calls.
    pub calls: u64,
    /// Tokens read.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
    /// US dollars; `None` when nothing was priced.
    pub cost: Option<f64>,
    /// Trials with calls that have no price.
    pub unpriced_trials: u32,
}

/// Sums of calls, tokens and money.
#[derive(Default)]
struct Sum {
    calls: u64,
    tokens: [u64; 2],
    known: f64,
    priced: u32,
    unpriced: u32,
}

impl Sum {
    fn add(&mut self, calls: u32, tokens: [u64; 2], cost: Option<f64>) {
        if calls == 0 {
            return;
        }
        self.calls += u64::from(calls);
        self.tokens[0] += tokens[0];
        self.tokens[1] += tokens[1];
        match cost {
            Some(cost) => {
                self.known += cost;
                self.priced += 1;
            }
            None => self.unpriced += 1,
        }
    }

    fn candidate(&mut self, result: &CaseResult) {
        self.add(result.model_calls, [result.usage.input, result.usage.output], result.cost);
    }

    fn judge(&mut self, result: &CaseResult) {
        self.add(
            result.judge_calls,
            [result.judge_usage.input, result.judge_usage.output],
            result.judge_cost,
        );
    }

    fn cost(&self) -> Option<f64> {
        (self.priced > 0 || self.unpriced == 0).then(|| rounded(self.known))
    }

    /// The cost of each of so many; nothing where it is not known.
    fn each(&self, number: u32) -> Option<f64> {
        (number > 0 && self.unpriced == 0).then(|| rounded(self.known / f64::from(number)))
    }
}

/// Rounded to a billionth, so that sums of decimal prices print as decimals.
fn rounded(amount: f64) -> f64 {
    (amount * 1e9).round() / 1e9
}

impl Spending {
    /// Adds up a run.
    pub(super) fn of(run: &RunRecord, cells: &[Cell<'_>]) -> Self {
        let mut models: BTreeMap<&str, (Sum, u32, u32, ByCase<'_>)> = BTreeMap::new();
        for cell in cells {
            let Some(model) = cell.name.model else { continue };
            let (_, cases, passing, by_case) = models.entry(model).or_default();
            *cases += 1;
            let passes =
                matches!(cell.state(&run.manifest.gate), State::Pass | State::Flaky | State::UnexpectedPass);
            *passing += u32::from(passes);
            let (_, passed) = by_case.entry(cell.name.case).or_default();
            *passed += f64::from(u8::from(passes));
        }
        // Trials that only confirm are in no cell, and were paid for.
        for result in &run.results {
            let model = result.header.model.as_ref().and_then(|model| models.get_mut(model.as_str()));
            let Some((sum, _, _, by_case)) = model else { continue };
            let before = sum.known;
            sum.candidate(result);
            let (cost, _) = by_case.entry(result.header.case.as_str()).or_default();
            *cost += sum.known - before;
        }
        let models = models.into_iter().map(|(model, (sum, cases, passing_cases, by_case))| {
            let ends = spread(run, model, by_case).filter(|_| sum.unpriced == 0 && sum.known > 0.0);
            ModelSpending {
                model: display::excerpt(model, 200),
                cases,
                passing_cases,
                calls: sum.calls,
                tokens_in: sum.tokens[0],
                tokens_out: sum.tokens[1],
                cost: sum.cost(),
                unpriced_trials: sum.unpriced,
                cost_per_case: sum.each(cases),
                cost_per_passing_case: sum.each(passing_cases),
                cost_per_passing_case_low: ends.map(|(low, _)| rounded(low)),
                cost_per_passing_case_high: ends.and_then(|(_, high)| high).map(rounded),
            }
        });
        let mut sum = Sum::default();
        run.results.iter().for_each(|result| sum.judge(result));
        let judge = run.manifest.judge.as_deref().filter(|_| sum.calls > 0).map(|model| JudgeSpending {
            model: display::excerpt(model, 200),
            calls: sum.calls,
            tokens_in: sum.tokens[0],
            tokens_out: sum.tokens[1],
            cost: sum.cost(),
            unpriced_trials: sum.unpriced,
        });
        Self { models: models.collect(), judge }
    }

    /// One line for each that took anything: name, cost, and what else there is to say. Empty when nothing cost anything.
    pub fn lines(&self) -> Vec<[String; 3]> {
        let paid = |cost: Option<f64>| cost.is_some_and(|cost| cost > 0.0);
        let any = self.models.iter().any(|model| paid(model.cost))
            || self.judge.as_ref().is_some_and(|judge| paid(judge.cost));
        if !any {
            return vec![];
        }
        let models = self.models.iter().filter(|model| model.calls > 0).map(|model| {
            let each =
                |cost: Option<f64>, of: &str| cost.map(|cost| format!("{} per {of}", money(Some(cost), 0)));
            let passing = match model.passing_cases {
                0 => Some("no case passes".to_owned()),
                _ => model.cost_per_passing_case.map(|_| model.per_passing_case()),
            };
            let tokens = tokens(model.tokens_in, model.tokens_out);
            let rest = [each(model.cost_per_case, "case"), passing, Some(tokens)];
            let rest: Vec<String> = rest.into_iter().flatten().collect();
            [model.model.clone(), money(model.cost, model.unpriced_trials), rest.join(", ")]
        });
        let judge = self.judge.iter().map(|judge| {
            let calls = count(judge.calls, "call");
            let rest = format!("{calls}, {}", tokens(judge.tokens_in, judge.tokens_out));
            [format!("judge {}", judge.model), money(judge.cost, judge.unpriced_trials), rest]
        });
        models.chain(judge).collect()
    }
}

/// Cost and passes of each case of a model, all personas and client profiles together.
type ByCase<'a> = BTreeMap<&'a str, (f64, f64)>;

/// The interval of dollars per passing case, drawn by case: the cells of one case share its fate.
fn spread(run: &RunRecord, model: &str, cases: ByCase<'_>) -> Option<(f64, Option<f64>)> {
    let pairs: Vec<(f64, f64)> = cases.into_values().collect();
    // As many draws as reports use, and fewer for suites so large that a draw more changes no digit.
    let replicates = (4_000_000 / pairs.len().max(1)).clamp(200, 2000);
    let purpose = format!("cost per passing case of {model}");
    let seed = SplitMix64::of_run(run.manifest.run.as_str(), &purpose).next_u64();
    ratio_interval(&pairs, Resampling { replicates, seed }, CONFIDENCE)
}

impl ModelSpending {
    /// `$0.2500 per passing case ($0.2000 to $0.3100)`; `n/a` where it is not known.
    pub fn per_passing_case(&self) -> String {
        let Some(cost) = self.cost_per_passing_case else { return "n/a".to_owned() };
        let dollars = |amount| money(Some(amount), 0);
        let ends = match (self.cost_per_passing_case_low, self.cost_per_passing_case_high) {
            (Some(low), Some(high)) => format!(" ({} to {})", dollars(low), dollars(high)),
            (Some(low), None) => format!(" (at least {})", dollars(low)),
            (None, _) => String::new(),
        };
        format!("{} per passing case{ends}", dollars(cost))
    }
}

fn tokens(input: u64, output: u64) -> String {
    format!("{} tokens in, {} out", thousands(input), thousands(output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_price_is_unpriced_and_never_free() {
        let mut sum = Sum::default();
        assert_eq!((sum.cost(), sum.each(2)), (Some(0.0), Some(0.0)));
        sum.add(2, [10, 5], None);
        assert_eq!((sum.cost(), sum.each(2)), (None, None));
        sum.add(1, [10, 5], Some(0.25));
        // A lower bound for all, and nothing to divide.
        assert_eq!((sum.cost(), sum.each(2), sum.unpriced), (Some(0.25), None, 1));
        let mut sum = Sum::default();
        sum.add(1, [1, 1], Some(0.3));
        sum.add(0, [0, 0], None);
        assert_eq!((sum.each(3), sum.each(0)), (Some(0.1), None));
    }

    #[test]
    fn lines_are_about_money() {
        let model = |name: &str, cost| ModelSpending {
            model: name.to_owned(),
            cases: 4,
            passing_cases: 2,
            calls: 8,
            tokens_in: 1200,
            tokens_out: 80,
            cost,
            unpriced_trials: u32::from(cost.is_none()) * 8,
            cost_per_case: cost.map(|cost| cost / 4.0),
            cost_per_passing_case: cost.map(|cost| cost / 2.0),
            cost_per_passing_case_low: cost.map(|cost| cost / 3.0),
            cost_per_passing_case_high: None,
        };
        let free = Spending { models: vec![model("a", Some(0.0)), model("b", None)], judge: None };
        assert_eq!(free.lines(), Vec::<[String; 3]>::new());
        let paid = Spending { models: vec![model("a", Some(0.5)), model("b", None)], judge: None };
        let lines: Vec<String> = paid.lines().iter().map(|line| line.join(" | ")).collect();
        assert_eq!(
            lines.join("\n"),
            "a | $0.5000 | $0.1250 per case, $0.2500 per passing case (at least $0.1667), 1,200 tokens in, 80 out\n\
             b | unpriced | 1,200 tokens in, 80 out"
        );
    }
}
