//! What a plan will read, write and cost, as far as an earlier run tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::drive::tapes::Tapes;
use crate::ids::{CaseName, Digest, ModelName};
use crate::llm::{ModelSpec, Price};
use crate::plan::{Case, Plan, UseWork, Work};
use crate::report::figures::{count, money, thousands};
use crate::store::history;
use crate::store::read::Reader;
use crate::store::record::CaseResult;
use crate::suite::{InstrumentUse, Suite};
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
    /// US dollars of the models that play users.
    users: f64,
    /// Trials that it tells about.
    known: usize,
    /// Of these, trials with calls that have no price.
    unpriced: usize,
    /// Trials of use cases that it tells nothing about.
    unknown: usize,
}

/// The forecast from the newest run of the suite: each trial is expected to take what trials of its case and model took
/// on average, and to cost what they cost, at the prices of today where a model is another one since then. `None`: there is
/// no such run, or it holds no trial of the plan.
pub(super) fn forecast(suite: &Suite, plan: &Plan, reports: &Path) -> Option<Forecast> {
    let newest = history::list(reports, Some(&suite.name)).0.into_iter().next()?;
    let record = Reader::open(&newest.path).and_then(|reader| reader.record()).ok()?;
    let expected = of(plan, &record.results, &Rates::of(suite, &record.manifest.instruments));
    (expected.known > 0).then(|| Forecast { expected, run: newest.manifest.run.to_string() })
}

/// What is said about money before a run; nothing where nothing can be spent.
pub(super) fn expected(suite: &Suite, plan: &Plan, reports: &Path, tapes: &Tapes) -> Option<String> {
    let priced =
        |spec: &ModelSpec| spec.price.as_ref().is_none_or(|price| price.input > 0.0 || price.output > 0.0);
    let costs = |case: &Case| match &case.work {
        Work::Use(work) => {
            let judge = suite.judge.as_ref().filter(|_| !case.criteria.is_empty());
            let judged = judge.is_some_and(|judge| judge.value.models().any(priced));
            let asked = priced(&work.model) || players(work).any(priced);
            (asked && !tapes.trials_are_free()) || (judged && !tapes.judging_is_free())
        }
        Work::Access(_) | Work::Auth(_) => false,
    };
    if !plan.cases.iter().any(costs) {
        return None;
    }
    Some(match forecast(suite, plan, reports) {
        Some(Forecast { mut expected, run }) => {
            // What is played is not paid.
            if tapes.trials_are_free() {
                (expected.models, expected.users) = (0.0, 0.0);
            }
            if tapes.judging_is_free() {
                expected.judge = 0.0;
            }
            format!("expected: {}", Forecast { expected, run }.text())
        }
        None => {
            "expected cost: known after a first run; `plan` says what the limits allow at most".to_owned()
        }
    })
}

/// The models that play users of a case.
fn players(work: &UseWork) -> impl Iterator<Item = &ModelSpec> {
    work.turns.iter().filter_map(|turn| Some(&turn.player()?.model))
}

/// The prices of today beside those of an earlier run.
struct Rates<'a> {
    /// The models of the earlier run, by digest of what defined them, prices included.
    then: BTreeSet<(&'a str, Digest)>,
    judges: Vec<&'a ModelSpec>,
}

impl<'a> Rates<'a> {
    fn of(suite: &'a Suite, then: &'a [InstrumentUse]) -> Self {
        let then = then.iter().map(|used| (used.name.as_str(), used.digest)).collect();
        Self { then, judges: suite.judge.iter().flat_map(|judge| judge.value.models()).collect() }
    }

    /// The price of today, where what was recorded is not at this price: one model answered, it is not what it was, and it
    /// does not tell its dollars itself.
    fn anew<'m>(&self, specs: &[&'m ModelSpec]) -> Option<&'m Price> {
        let [first, rest @ ..] = specs else { return None };
        let is_known = self.then.contains(&(first.name.as_str(), Digest::of_json(first)));
        let alone = rest.iter().all(|other| other == first);
        first.price.as_ref().filter(|_| alone && !is_known && !tells_dollars(first))
    }
}

/// Whether it is an agent that counts its dollars itself.
fn tells_dollars(spec: &ModelSpec) -> bool {
    spec.agent.as_ref().is_some_and(|agent| agent.output.cost.is_some())
}

/// What models in one role took in trials of one case and model together.
#[derive(Clone, Copy, Default)]
struct Part {
    usage: Usage,
    cost: f64,
    /// Whether any of it has no price.
    unpriced: bool,
}

impl Part {
    fn add(&mut self, calls: u32, usage: Usage, cost: Option<f64>) {
        if calls > 0 {
            self.usage += usage;
            self.cost += cost.unwrap_or(0.0);
            self.unpriced |= cost.is_none();
        }
    }

    /// US dollars as far as they are known, and whether some of it has no price.
    fn at(&self, new: Option<&Price>) -> (f64, bool) {
        match new {
            Some(price) => (price.of(&self.usage), false),
            None => (self.cost, self.unpriced),
        }
    }
}

/// What trials of one case and model took together.
#[derive(Default)]
struct Took {
    trials: u64,
    model: Part,
    judge: Part,
    user: Part,
}

fn of(plan: &Plan, results: &[CaseResult], rates: &Rates<'_>) -> Expected {
    let mut took: BTreeMap<(&CaseName, &ModelName), Took> = BTreeMap::new();
    for result in results.iter().filter(|result| result.model_calls > 0) {
        let Some(model) = &result.header.model else { continue };
        let took = took.entry((&result.header.case, model)).or_default();
        took.trials += 1;
        took.model.add(result.model_calls, result.usage, result.cost);
        took.judge.add(result.judge_calls, result.judge_usage, result.judge_cost);
        took.user.add(result.user.calls, result.user.usage, result.user.cost);
    }
    let mut expected = Expected::default();
    for case in &plan.cases {
        let (Work::Use(work), Some(model)) = (&case.work, &case.header.model) else { continue };
        let Some(took) = took.get(&(&case.header.case, model)) else {
            expected.unknown += 1;
            continue;
        };
        let each = |sum: f64| sum / took.trials as f64;
        expected.known += 1;
        expected.tokens[0] += each(took.model.usage.input as f64);
        expected.tokens[1] += each(took.model.usage.output as f64);
        let playing: Vec<&ModelSpec> = players(work).collect();
        let parts = [
            (took.model.at(rates.anew(&[&*work.model])), &mut expected.models),
            (took.judge.at(rates.anew(&rates.judges)), &mut expected.judge),
            (took.user.at(rates.anew(&playing)), &mut expected.users),
        ];
        let mut unpriced = false;
        for ((cost, without), sum) in parts {
            *sum += each(cost);
            unpriced |= without;
        }
        expected.unpriced += usize::from(unpriced);
    }
    expected
}

impl Expected {
    /// US dollars, the judge's and played users' included; `None` when nothing has a price.
    fn cost(&self) -> Option<f64> {
        let sum = self.models + self.judge + self.users;
        (self.unpriced < self.known || sum > 0.0).then_some(sum)
    }
}

impl Forecast {
    /// One sentence.
    pub(super) fn text(&self) -> String {
        let Expected { tokens, judge, users, unknown, unpriced, .. } = &self.expected;
        let [input, output] = tokens.map(|tokens| thousands(tokens.round() as u64));
        let unpriced = u32::try_from(*unpriced).unwrap_or(u32::MAX);
        let cost = money(self.expected.cost(), unpriced);
        let others = [(judge, "the judge"), (users, "played users")];
        let others = others.into_iter().filter(|(cost, _)| **cost > 0.0);
        let words = |(cost, who): (&f64, &str)| format!(", {} of it for {who}", money(Some(*cost), 0));
        let others: String = others.map(words).collect();
        let unknown = match unknown {
            0 => String::new(),
            n => format!("; {} were not part of it", count(*n as u64, "trial")),
        };
        let run = &self.run;
        format!("about {input} tokens in, {output} out, {cost}{others}, going by run {run}{unknown}")
    }

    /// What a program reads.
    pub(super) fn to_json(&self) -> Value {
        let Expected { tokens, judge, users, unknown, unpriced, .. } = &self.expected;
        let [input, output] = tokens.map(|tokens| tokens.round() as u64);
        json!({
            "tokens_in": input,
            "tokens_out": output,
            "cost": self.expected.cost(),
            "judge_cost": judge,
            "user_cost": users,
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
        let tokens = [1200.0, 80.4];
        let expected = Expected { tokens, models, judge, known: 4, unpriced, ..Expected::default() };
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

    fn model(name: &str, input: f64) -> ModelSpec {
        let text = json!({"name": name, "dialect": "lexical", "price": {"input": input, "output": 0.0}});
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn what_was_paid_is_expected_and_priced_anew_where_the_price_is_new() {
        let (cheap, dear) = (model("cheap", 1.0), model("dear", 10.0));
        let used = |spec: &ModelSpec| InstrumentUse {
            kind: "model".to_owned(),
            name: spec.name.to_string(),
            from: "inline".to_owned(),
            digest: Digest::of_json(spec),
        };
        let then = [used(&cheap), used(&dear)];
        let rates = |then| Rates {
            then: <[InstrumentUse]>::iter(then).map(|used| (used.name.as_str(), used.digest)).collect(),
            judges: vec![],
        };
        let known = rates(&then);
        let mut part = Part::default();
        // Two judges answered, at a price each: no one price fits all the tokens.
        let million = Usage { input: 1_000_000, reported: true, ..Usage::default() };
        part.add(1, million, Some(1.0));
        part.add(1, million, Some(10.0));
        assert_eq!(part.at(known.anew(&[&cheap, &dear])), (11.0, false));
        assert_eq!(part.at(known.anew(&[&cheap])), (11.0, false), "nothing has changed");
        let now = model("cheap", 2.0);
        assert_eq!(part.at(known.anew(&[&now])), (4.0, false));
        assert_eq!(part.at(known.anew(&[&now, &dear])), (11.0, false), "who read what is not known");
        // Without a price then, and with one now.
        let mut part = Part::default();
        part.add(1, million, None);
        assert_eq!(part.at(known.anew(&[&cheap])), (0.0, true));
        assert_eq!(part.at(rates(&[]).anew(&[&cheap])), (1.0, false));
        part.add(0, million, None);
        assert_eq!(part.at(rates(&[]).anew(&[&cheap])), (1.0, false), "who was not asked took nothing");
        // An agent tells its dollars itself, whatever a table of prices says.
        let agent = json!({"name": "agent", "dialect": "command", "price": {"input": 2.0, "output": 0.0},
            "agent": {"output": {"cost": "$.dollars"}}});
        let agent: ModelSpec = serde_json::from_value(agent).unwrap();
        assert_eq!(rates(&[]).anew(&[&agent]), None);
    }

    #[test]
    fn a_played_user_is_told_beside_the_judge() {
        let expected = Expected { judge: 0.25, users: 0.5, known: 1, ..Expected::default() };
        let text = Forecast { expected, run: "01".to_owned() }.text();
        assert!(
            text.contains("$0.7500, $0.2500 of it for the judge, $0.5000 of it for played users, going"),
            "{text}"
        );
    }
}
