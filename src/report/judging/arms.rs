//! The same judge on several models: what it leaves undecided and how it takes to length, arm by arm. Where that
//! differs, a difference between the models may be the judge's doing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Rulings, asked, rulings, verbosity};
use crate::display;
use crate::score::judge::canary::UNSURE_ALARM;
use crate::store::record::CaseResult;

/// What the judge did with one model under test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arm {
    /// The model under test.
    pub model: String,
    /// What was ruled of its trials.
    pub rulings: Rulings,
    /// The share that was left undecided; `None` when nothing was asked.
    pub undecided_share: Option<f64>,
    /// How far its longer answers pass more often than its shorter ones to the same case; `None` for too few trials.
    pub verbosity: Option<f64>,
}

/// The change of the correlation of length and passing from which arms are unlike.
const UNLIKE: f64 = 0.3;
/// Criteria below which a share says nothing.
const ENOUGH: u64 = 20;

/// The arms of a run, by model; empty for a single one.
pub(super) fn of(results: &[CaseResult]) -> Vec<Arm> {
    let mut models: BTreeMap<&str, Vec<&CaseResult>> = BTreeMap::new();
    for result in results.iter().filter(|result| asked(result).next().is_some()) {
        if let Some(model) = &result.header.model {
            models.entry(model.as_str()).or_default().push(result);
        }
    }
    if models.len() < 2 {
        return vec![];
    }
    let arm = |(model, results): (&str, Vec<&CaseResult>)| {
        let rulings = rulings(results.iter().copied());
        Arm {
            model: display::excerpt(model, 200),
            rulings,
            undecided_share: rulings.undecided_share(),
            verbosity: verbosity(results.into_iter()),
        }
    };
    models.into_iter().map(arm).collect()
}

/// The arms with the smallest and the largest value, if that is known of two.
fn extremes(arms: &[Arm], value: impl Fn(&Arm) -> Option<f64>) -> Option<[(&str, f64); 2]> {
    let mut known: Vec<(&str, f64)> =
        arms.iter().filter_map(|arm| Some((arm.model.as_str(), value(arm)?))).collect();
    known.sort_by(|a, b| a.1.total_cmp(&b.1));
    Some([*known.first().filter(|_| known.len() > 1)?, *known.last()?])
}

/// What a reader should mind, a sentence each.
pub(super) fn notes(arms: &[Arm]) -> Vec<String> {
    let mut notes = vec![];
    if let Some([(few, low), (many, high)]) =
        extremes(arms, |arm| arm.verbosity).filter(|[a, b]| b.1 - a.1 > UNLIKE)
    {
        notes.push(format!(
            "takes to length unlike for {many} and {few} (correlations {high:.2} and {low:.2}): a difference between them may be one of length"
        ));
    }
    let share = |arm: &Arm| arm.undecided_share.filter(|_| arm.rulings.asked >= ENOUGH);
    if let Some([(few, low), (many, high)]) = extremes(arms, share).filter(|[a, b]| b.1 - a.1 > UNSURE_ALARM)
    {
        notes.push(format!(
            "left {:.0} % undecided for {many} and {:.0} % for {few}: their rates rest on unlike trials",
            high * 100.0,
            low * 100.0
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(model: &str, verbosity: Option<f64>, [undecided, asked]: [u64; 2]) -> Arm {
        let rulings = Rulings { asked, undecided, ..Rulings::default() };
        Arm { model: model.to_owned(), rulings, undecided_share: rulings.undecided_share(), verbosity }
    }

    #[test]
    fn unlike_arms_are_named_and_like_ones_are_not() {
        let like = [arm("a", Some(0.1), [2, 40]), arm("b", Some(0.35), [5, 40]), arm("c", None, [0, 0])];
        assert_eq!(notes(&like), Vec::<String>::new());
        let unlike = [arm("a", Some(-0.1), [0, 40]), arm("b", Some(0.41), [8, 40])];
        insta::assert_snapshot!(notes(&unlike).join("\n"), @r"
        takes to length unlike for b and a (correlations 0.41 and -0.10): a difference between them may be one of length
        left 20 % undecided for b and 0 % for a: their rates rest on unlike trials
        ");
        let thin = [arm("a", None, [0, 5]), arm("b", None, [4, 5])];
        assert_eq!(notes(&thin), Vec::<String>::new());
    }
}
