//! What a suite and a budget can see, before money is spent.

use serde::{Deserialize, Serialize};

use super::allocation::shrunk_case_variance;
use super::mean::mean;
use super::special::{bisect, norm_quantile};
use super::{Pair, Tally};

/// The two risks of a one-sided test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Risks {
    /// The chance of a false alarm.
    pub alpha: f64,
    /// The chance to see what is there.
    pub power: f64,
}

impl Risks {
    /// z(1 - alpha) + z(power); `None` unless both lie within (0, 1) and the sum is positive.
    fn reach(self) -> Option<f64> {
        let reach = norm_quantile(1.0 - self.alpha)? + norm_quantile(self.power)?;
        (reach > 0.0).then_some(reach)
    }
}

/// How many cases a paired comparison needs: ((z + z) sd / effect)^2 (Miller 2024, arXiv 2411.00640). Round up for use.
///
/// Applies to the mean of case differences. Fails by trusting `sd`, which comes from history. `None` for an effect of 0.
pub fn n_paired_mean(sd: f64, effect: f64, risks: Risks) -> Option<f64> {
    let needed = (risks.reach()? * sd / effect).powi(2);
    (sd >= 0.0 && needed.is_finite()).then_some(needed)
}

/// A comparison of two arms over the same cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Design {
    /// Cases.
    pub cases: f64,
    /// The variance of true changes between cases; 0 for the gate on a fixed suite.
    pub true_diff: f64,
    /// The variance of one candidate trial within its case.
    pub within_candidate: f64,
    /// The variance of one baseline trial within its case.
    pub within_baseline: f64,
    /// Candidate trials per case.
    pub k_candidate: f64,
    /// Baseline trials per case.
    pub k_baseline: f64,
}

/// What a part of the variance is due to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Floor {
    /// Too few candidate trials: more of them help.
    Candidate,
    /// Too thin a baseline: pool more of it.
    Baseline,
    /// Too few cases: add some.
    Cases,
}

impl Design {
    /// The design of arms that ran: variances from both, shrunk so that no case is taken for certain, and harmonic
    /// means of trials. Cases are fixed. `None` without pairs, or when one lacks trials in an arm.
    pub fn observed(pairs: &[Pair]) -> Option<Self> {
        let (k_baseline, within_baseline) = arm(pairs.iter().map(|pair| pair.baseline))?;
        let (k_candidate, within_candidate) = arm(pairs.iter().map(|pair| pair.candidate))?;
        let cases = pairs.len() as f64;
        Some(Self { cases, true_diff: 0.0, within_candidate, within_baseline, k_candidate, k_baseline })
    }

    /// Which part of the variance is the largest, and so what would help most.
    pub fn binding(&self) -> Floor {
        let [cases, candidate, baseline] = self.parts();
        if candidate >= cases && candidate >= baseline {
            Floor::Candidate
        } else if baseline >= cases {
            Floor::Baseline
        } else {
            Floor::Cases
        }
    }

    /// The variance of one case's difference: of true changes, of the candidate's trials, of the baseline's.
    fn parts(&self) -> [f64; 3] {
        [self.true_diff, self.within_candidate / self.k_candidate, self.within_baseline / self.k_baseline]
    }

    fn is_sound(&self) -> bool {
        let positive = [self.cases, self.k_candidate, self.k_baseline].iter().all(|value| *value > 0.0);
        positive && self.parts().iter().all(|part| *part >= 0.0 && part.is_finite())
    }
}

/// The harmonic mean of trials per case and the mean variance of a trial.
fn arm(cases: impl Iterator<Item = Tally> + Clone) -> Option<(f64, f64)> {
    let rates: Option<Vec<f64>> = cases.clone().map(Tally::rate).collect();
    let mean = mean(&rates?)?.clamp(0.0, 1.0);
    let (mut n, mut inverse, mut variance) = (0.0, 0.0, 0.0);
    for case in cases {
        n += 1.0;
        inverse += 1.0 / case.trials as f64;
        variance += shrunk_case_variance(case.passed, case.trials, mean)?;
    }
    Some((n / inverse, variance / n))
}

/// The smallest drop that `design` sees with the given risks: (z + z) sqrt((w^2 + s_c^2/k_c + s_b^2/k_b)/n) (Miller
/// 2024).
///
/// Applies before a run, with variances from history. Fails below 20 cases or so, where the normal law flatters. `None`
/// for a design without cases or trials.
pub fn mde_paired(design: &Design, risks: Risks) -> Option<f64> {
    let variance = design.parts().iter().sum::<f64>() / design.cases;
    design.is_sound().then_some(risks.reach()? * variance.sqrt())
}

/// The smallest drop that `design` likely shows when it is spread over all trials: d = z(1 - alpha) sqrt(V + d/(n k_b))
/// + z(power) sqrt(V + d(1 - d)/(n k_c)), with V the variance without a drop.
///
/// [`mde_paired`] with the variance that the loss itself brings: in the null, where its failures are shared out between
/// the arms, and in the candidate. Applies to suites near the ceiling, where V is next to nothing and the plain form
/// would promise to see any drop. `None` for a design without cases or trials, and when no drop would be seen.
pub fn smallest_drop(design: &Design, risks: Risks) -> Option<f64> {
    let (alarm, sight) = (norm_quantile(1.0 - risks.alpha)?, norm_quantile(risks.power)?);
    let quiet = design.parts().iter().sum::<f64>() / design.cases;
    if !design.is_sound() {
        return None;
    }
    let unseen = |drop: f64| {
        let null = quiet + drop / (design.cases * design.k_baseline);
        let there = quiet + drop * (1.0 - drop) / (design.cases * design.k_candidate);
        drop < alarm * null.sqrt() + sight * there.sqrt()
    };
    let drop = bisect(0.0, 1.0, unseen);
    (drop < 1.0).then_some(drop)
}

/// Candidate trials per case to see `effect`; the design's own `k_candidate` is not used. Round up for use.
///
/// `None` when no number of trials reaches it, because the baseline or the number of cases is the floor.
pub fn k_needed(design: &Design, effect: f64, risks: Risks) -> Option<f64> {
    let [true_diff, _, baseline] = Design { k_candidate: 1.0, ..*design }.parts();
    let room = design.cases * (effect / risks.reach()?).powi(2) - true_diff - baseline;
    let sound = Design { k_candidate: 1.0, ..*design }.is_sound();
    (sound && room > 0.0).then(|| design.within_candidate / room).filter(|needed| needed.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RISKS: Risks = Risks { alpha: 0.01, power: 0.8 };
    const DESIGN: Design = Design {
        cases: 100.0,
        true_diff: 0.0,
        within_candidate: 0.045,
        within_baseline: 0.045,
        k_candidate: 3.0,
        k_baseline: 15.0,
    };

    #[test]
    fn what_cannot_be_reached_is_none() {
        assert_eq!(k_needed(&DESIGN, 0.001, RISKS), None);
        assert_eq!(n_paired_mean(0.3, 0.0, RISKS), None);
        assert_eq!(mde_paired(&Design { cases: 0.0, ..DESIGN }, RISKS), None);
        assert_eq!(mde_paired(&DESIGN, Risks { alpha: 0.0, power: 0.8 }), None);
    }

    #[test]
    fn the_trials_needed_see_the_effect_they_were_asked_for() {
        let k = k_needed(&DESIGN, 0.05, RISKS).expect("reachable");
        let seen = mde_paired(&Design { k_candidate: k, ..DESIGN }, RISKS).expect("sound");
        assert!((seen - 0.05).abs() < 1e-12);
    }

    #[test]
    fn a_suite_that_always_passes_still_needs_a_drop_to_see_one() {
        let sure = Design { within_candidate: 0.0, within_baseline: 0.0, k_candidate: 1.0, ..DESIGN };
        assert_eq!(mde_paired(&sure, RISKS), Some(0.0));
        let seen = smallest_drop(&sure, RISKS).expect("sound");
        assert!(seen > 0.01 && seen < 0.05, "{seen}");
        assert!(smallest_drop(&DESIGN, RISKS) > mde_paired(&DESIGN, RISKS));
        assert_eq!(smallest_drop(&Design { cases: 1.0, k_baseline: 1.0, ..sure }, RISKS), None);
        assert_eq!(smallest_drop(&Design { cases: 0.0, ..sure }, RISKS), None);
    }

    #[test]
    fn the_binding_floor_is_named() {
        assert_eq!(DESIGN.binding(), Floor::Candidate);
        assert_eq!(Design { k_candidate: 30.0, ..DESIGN }.binding(), Floor::Baseline);
        assert_eq!(Design { true_diff: 0.1, ..DESIGN }.binding(), Floor::Cases);
    }
}
