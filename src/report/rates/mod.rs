//! Pass rates and how far they can be trusted: for each model, persona and client profile. Computed once, rendered by
//! every format. `docs/statistics.md` says what each number means and where it fails.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tally::name;
use crate::gate::cells::{self, Cell, outcome};
use crate::score::Outcome;
use crate::stats::Tally;
use crate::stats::mean::icc_oneway;
use crate::stats::proportion::{rule_of_three, suite_rate};
use crate::stats::reliability::suite_pass_hat_k;
use crate::store::record::CaseResult;
use crate::transcript::CaseKind;

mod curve;
mod effort;
mod exact;
mod words;

pub use curve::Point;
pub use effort::{Effort, Spread};
pub use exact::ExactRate;
pub(super) use words::{CURVE, EFFORT, effort, effort_cells, point_cells, properties, reliability, section};

/// The confidence of every interval in reports.
pub(super) const CONFIDENCE: f64 = 0.95;
/// The largest k of pass^k in reports.
const LONGEST_STREAK: u64 = 10;

/// The pass rate of the use cases for one model, persona and client profile. Cases that are known to fail are not part
/// of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// The model.
    pub model: Option<String>,
    /// The persona.
    pub persona: String,
    /// The client profile.
    pub client: String,
    /// Cases with a judged trial.
    pub cases: u64,
    /// Cases that are known to fail, which the rate leaves out.
    pub left_out: u64,
    /// Judged trials.
    pub trials: u64,
    /// Judged trials that passed.
    pub passed: u64,
    /// The mean of the case means; `None` when nothing was judged.
    pub pass_rate: Option<f64>,
    /// Lower end of the 95 % interval; `None` when fewer than two cases were judged.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// pass^k by k: the chance that k trials in a row all pass.
    pub pass_hat_k: BTreeMap<u64, f64>,
    /// On how many cases each pass^k rests.
    pub pass_hat_k_cases: BTreeMap<u64, u64>,
    /// pass@1: the chance that one try passes, which is the pass rate; `None` when nothing was judged.
    pub pass_at_1: Option<f64>,
    /// pass^k with its band, and projected beyond the trials that ran.
    pub curve: Vec<Point>,
    /// Invalid trials: missing data, no part of any rate.
    pub invalid: u64,
    /// Their share of the trials that were judged or invalid; `None` when there is none.
    pub invalid_share: Option<f64>,
    /// Set when every judged trial passed: how often these cases could still fail, at 95 %.
    pub failure_rate_below: Option<f64>,
    /// Trials that passed without a failed tool call on the way.
    pub first_try: u64,
    /// Trials that passed though a tool call failed on the way.
    pub recovered: u64,
    /// Trials that passed in a file that does not say how.
    pub way_unknown: u64,
    /// The share of the variation that belongs to cases, ICC(1,1), held within 0 and 1; `None` when nothing varies, or no
    /// case ran twice.
    pub icc: Option<f64>,
    /// What the ICC says, in words.
    pub icc_says: Option<&'static str>,
    /// What a judged trial took.
    pub effort: Vec<Effort>,
}

/// Whether a trial is part of rates, and of all that is drawn from them. The one place that says so: fresh trials that
/// confirm a suspect are chosen because something failed, and trials whose question does not arise say nothing.
pub fn counts(result: &CaseResult) -> bool {
    !result.confirms && cells::skipped(result).is_none()
}

/// The outcome of a trial that counts, as rates take it: `None` without one, and for missing data.
pub(super) fn judged(result: &CaseResult) -> Option<bool> {
    match outcome(result).filter(|_| counts(result))? {
        Outcome::Pass => Some(true),
        Outcome::Fail => Some(false),
        Outcome::Invalid => None,
    }
}

/// What the judged trials of a cell gave.
fn tally(cell: &Cell<'_>) -> Tally {
    let judged = cell.results.iter().filter_map(|result| judged(result));
    judged.fold(Tally::default(), |sum, passed| sum.plus(Tally { trials: 1, passed: passed.into() }))
}

/// The rates of a run, by model, persona and client profile.
pub(super) fn all(cells: &[Cell<'_>]) -> Vec<Rate> {
    let mut groups: BTreeMap<_, (Vec<&Cell<'_>>, u64)> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.name.kind == CaseKind::Use) {
        let (own, left_out) =
            groups.entry((cell.name.model, cell.name.persona, cell.name.client)).or_default();
        match cell.expected_failure() {
            Some(_) => *left_out += 1,
            None => own.push(cell),
        }
    }
    let groups = groups.into_iter().filter(|(_, (cells, _))| !cells.is_empty());
    groups
        .map(|((model, persona, client), (cells, left_out))| Rate {
            model: model.map(name),
            persona: name(persona),
            client: name(client),
            left_out,
            ..rate(&cells)
        })
        .collect()
}

/// How often what must be denied was denied, and what must be granted granted.
pub(super) fn exact(cells: &[Cell<'_>]) -> Vec<ExactRate> {
    exact::of(cells)
}

fn rate(cells: &[&Cell<'_>]) -> Rate {
    let cases: Vec<Tally> = cells.iter().map(|cell| tally(cell)).collect();
    let estimate = suite_rate(&cases, CONFIDENCE);
    let interval = estimate.and_then(|estimate| estimate.interval);
    let longest = cases.iter().map(|case| case.trials).max().unwrap_or(0).min(LONGEST_STREAK);
    let streaks: Vec<_> =
        (1..=longest).filter_map(|k| suite_pass_hat_k(&cases, k).map(|streak| (k, streak))).collect();
    let all = cases.iter().fold(Tally::default(), |sum, case| sum.plus(*case));
    let clean = all.trials > 0 && all.passed == all.trials;
    let results = || cells.iter().flat_map(|cell| cell.results.iter().copied());
    let invalid =
        results().filter(|result| counts(result) && outcome(result) == Some(Outcome::Invalid)).count() as u64;
    let icc = icc_oneway(&cases).and_then(|found| found.icc).map(|icc| icc.clamp(0.0, 1.0));
    let mut rate = Rate {
        model: None,
        persona: String::new(),
        client: String::new(),
        cases: estimate.map_or(0, |estimate| estimate.cases),
        left_out: 0,
        trials: all.trials,
        passed: all.passed,
        pass_rate: estimate.map(|estimate| estimate.rate),
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        pass_hat_k: streaks.iter().map(|(k, streak)| (*k, streak.mean)).collect(),
        pass_hat_k_cases: streaks.iter().map(|(k, streak)| (*k, streak.cases)).collect(),
        pass_at_1: estimate.map(|estimate| estimate.rate),
        curve: curve::of(&cases, longest),
        invalid,
        invalid_share: (all.trials + invalid > 0).then(|| invalid as f64 / (all.trials + invalid) as f64),
        failure_rate_below: rule_of_three(all.trials, CONFIDENCE).filter(|_| clean).map(|bound| bound.upper),
        first_try: 0,
        recovered: 0,
        way_unknown: 0,
        icc,
        icc_says: icc.map(words::reading),
        effort: effort::of(results().filter(|result| judged(result).is_some())),
    };
    for result in results().filter(|result| judged(result) == Some(true)) {
        match result.trajectory.as_ref().map(|trajectory| trajectory.errors) {
            Some(0) => rate.first_try += 1,
            Some(_) => rate.recovered += 1,
            None => rate.way_unknown += 1,
        }
    }
    rate
}
