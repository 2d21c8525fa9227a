//! A pass rate as people would have found it, from a judge's verdicts and some human labels. For the headline, never
//! for the gate: the gate compares verdicts of one judge with verdicts of the same judge.

use super::Interval;
use super::proportion::wilson;
use super::special::norm_quantile;

/// A corrected rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corrected {
    /// The estimate, not clamped.
    pub estimate: f64,
    /// Its standard error.
    pub se: f64,
    /// The interval, not clamped.
    pub interval: Interval,
    /// How far the judge was trusted: 1 takes its mean, 0 the human labels alone.
    pub lambda: f64,
}

/// Prediction-powered inference of a mean (Angelopoulos et al. 2023) with a fixed weight `lambda`.
///
/// Formula: lambda mean(judge, unlabelled) + mean(human - lambda judge, labelled), variances of both parts added
/// (population form). `labelled` holds pairs (human, judge) of a random sample of the same trials. Fails when labels
/// were picked and not drawn. `None` without labels or without unlabelled verdicts.
pub fn ppi_mean(labelled: &[(f64, f64)], unlabelled: &[f64], lambda: f64, conf: f64) -> Option<Corrected> {
    let quantile = norm_quantile(0.5 + conf / 2.0)?;
    let rectified: Vec<f64> = labelled.iter().map(|(human, judge)| human - lambda * judge).collect();
    let weighted: Vec<f64> = unlabelled.iter().map(|judge| lambda * judge).collect();
    let estimate = mean(&weighted)? + mean(&rectified)?;
    let se = (variance(&weighted)? / weighted.len() as f64 + variance(&rectified)? / rectified.len() as f64)
        .sqrt();
    let interval = Interval { low: estimate - quantile * se, high: estimate + quantile * se };
    se.is_finite().then_some(Corrected { estimate, se, interval, lambda })
}

/// The same with the weight that makes the interval shortest (PPI++, Angelopoulos, Duchi and Zrnic 2023), within
/// [0, 1]: a judge that says nothing gets no weight.
///
/// Formula: lambda = cov(human, judge) / ((1 + n/N) var(judge)), n labelled and N unlabelled, the variance over all
/// verdicts (both in sample form). Fails like [`ppi_mean`].
pub fn ppi_plus_plus_mean(labelled: &[(f64, f64)], unlabelled: &[f64], conf: f64) -> Option<Corrected> {
    let (humans, judges): (Vec<f64>, Vec<f64>) = labelled.iter().copied().unzip();
    let all: Vec<f64> = judges.iter().chain(unlabelled).copied().collect();
    let (human, judge) = (mean(&humans)?, mean(&judges)?);
    let products: Vec<f64> = labelled.iter().map(|(h, j)| (h - human) * (j - judge)).collect();
    let ratio = labelled.len() as f64 / unlabelled.len() as f64;
    let (n, all_n) = (labelled.len() as f64, all.len() as f64);
    let (shared, spread) = (mean(&products)? * n / (n - 1.0), variance(&all)? * all_n / (all_n - 1.0));
    let lambda = shared / ((1.0 + ratio) * spread);
    let lambda = if lambda.is_finite() { lambda.clamp(0.0, 1.0) } else { 0.0 };
    ppi_mean(labelled, unlabelled, lambda, conf)
}

/// Labels below which the normal interval of [`ppi_share`] is not trusted alone.
const FEW: usize = 100;

/// A share of yes-or-no answers by [`ppi_plus_plus_mean`], with an interval that few labels cannot make short. `labelled`
/// holds pairs (human, judge).
///
/// Formula: with fewer than 100 labels, and where human and judge differ alike on all of them, the interval reaches as far
/// as Wilson's for the human labels alone: the normal one has no width where nothing varies, and twenty labels that all
/// say yes do not show that everything does. `None` for fewer than two labels, and as there.
pub fn ppi_share(labelled: &[(bool, bool)], unlabelled: &[bool], conf: f64) -> Option<Corrected> {
    if labelled.len() < 2 {
        return None;
    }
    let number = |yes: bool| f64::from(u8::from(yes));
    let pairs: Vec<(f64, f64)> =
        labelled.iter().map(|(human, judge)| (number(*human), number(*judge))).collect();
    let rest: Vec<f64> = unlabelled.iter().map(|judge| number(*judge)).collect();
    let found = ppi_plus_plus_mean(&pairs, &rest, conf)?;
    let left: Vec<f64> = pairs.iter().map(|(human, judge)| human - found.lambda * judge).collect();
    let varies = variance(&left)? > 1e-12;
    if labelled.len() >= FEW && varies {
        return Some(found);
    }
    let yes = labelled.iter().filter(|(human, _)| *human).count();
    let people = wilson(yes as u64, labelled.len() as u64, conf)?;
    let interval =
        Interval { low: found.interval.low.min(people.low), high: found.interval.high.max(people.high) };
    Some(Corrected { interval, ..found })
}

/// What a fixed calibration set says of a judge: of `pos` that humans pass it passes `tp`, of `neg` it fails `tn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// Passed by humans and judge.
    pub tp: u64,
    /// Passed by humans.
    pub pos: u64,
    /// Failed by humans and judge.
    pub tn: u64,
    /// Failed by humans.
    pub neg: u64,
}

/// A rate corrected by a judge's known errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoganGladen {
    /// The judge's own rate.
    pub raw: f64,
    /// The corrected rate, which may leave [0, 1].
    pub unclamped: f64,
    /// The corrected rate within [0, 1].
    pub theta: f64,
    /// The interval within [0, 1]; it knows that the calibration set is finite.
    pub interval: Interval,
}

/// The rate behind a judge's rate (Rogan and Gladen 1978), with the interval of Lang and Reiczigel (2014) as Lee et al.
/// (2025, arXiv 2511.21140) use it.
///
/// Formula: (p + TNR - 1) / (TPR + TNR - 1); the interval adds pseudo-observations to all three rates. Applies when the
/// labels are a fixed set from elsewhere; wider than ignoring the judge where labels are of the same trials, so prefer
/// [`ppi_plus_plus_mean`] there. `None` where TPR + TNR <= 1: such a judge says nothing that could be corrected.
pub fn rogan_gladen(judged_pass: u64, n: u64, calibration: &Calibration, conf: f64) -> Option<RoganGladen> {
    let Calibration { tp, pos, tn, neg } = *calibration;
    if n == 0 || pos == 0 || neg == 0 || judged_pass > n || tp > pos || tn > neg {
        return None;
    }
    let z = norm_quantile(0.5 + conf / 2.0)?;
    let [x, n, tp, pos, tn, neg] = [judged_pass, n, tp, pos, tn, neg].map(|count| count as f64);
    let (raw, sensitivity, specificity) = (x / n, tp / pos, tn / neg);
    let informative = sensitivity + specificity - 1.0;
    if informative <= 0.0 {
        return None;
    }
    let unclamped = (raw + specificity - 1.0) / informative;
    let z2 = z * z;
    let (n_, pos_, neg_) = (n + z2, pos + 2.0, neg + 2.0);
    let p = (x + z2 / 2.0) / n_;
    let (se, sp) = ((tp + 1.0) / pos_, (tn + 1.0) / neg_);
    let j = se + sp - 1.0;
    if j <= 0.0 {
        return None;
    }
    let theta = (p + sp - 1.0) / j;
    let shift = 2.0 * z2 * (-(1.0 - theta) * sp * (1.0 - sp) / neg_ + theta * se * (1.0 - se) / pos_);
    let spread = p * (1.0 - p) / n_
        + (1.0 - theta).powi(2) * sp * (1.0 - sp) / neg_
        + theta.powi(2) * se * (1.0 - se) / pos_;
    let half = z * spread.sqrt() / j;
    let clamp = |value: f64| value.clamp(0.0, 1.0);
    let interval = Interval { low: clamp(theta + shift - half), high: clamp(theta + shift + half) };
    Some(RoganGladen { raw, unclamped, theta: clamp(unclamped), interval })
}

/// The drop that a gate on this judge's verdicts sees of a true drop: drop (TPR + TNR - 1).
///
/// False alarms do not rise with a bad judge; blindness does.
pub fn attenuated_drop(true_drop: f64, tpr: f64, tnr: f64) -> f64 {
    true_drop * (tpr + tnr - 1.0)
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The population variance.
fn variance(values: &[f64]) -> Option<f64> {
    let middle = mean(values)?;
    Some(values.iter().map(|value| (value - middle).powi(2)).sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judge_that_says_nothing_is_not_corrected() {
        let coin = Calibration { tp: 5, pos: 10, tn: 5, neg: 10 };
        assert_eq!(rogan_gladen(50, 100, &coin, 0.95), None);
        let backwards = Calibration { tp: 1, pos: 10, tn: 1, neg: 10 };
        assert_eq!(rogan_gladen(50, 100, &backwards, 0.95), None);
        assert_eq!(rogan_gladen(1, 0, &coin, 0.95), None);
        let good = Calibration { tp: 95, pos: 100, tn: 90, neg: 100 };
        assert!(rogan_gladen(85, 100, &good, 0.95).is_some_and(|rate| rate.theta > 0.85));
    }

    #[test]
    fn a_judge_without_news_gets_no_weight() {
        let labelled = [(1.0, 1.0), (0.0, 1.0), (1.0, 1.0), (1.0, 1.0)];
        let corrected = ppi_plus_plus_mean(&labelled, &[1.0; 50], 0.95).expect("labels");
        assert_eq!((corrected.lambda, corrected.estimate), (0.0, 0.75));
        assert_eq!(ppi_mean(&[], &[1.0], 1.0, 0.95), None);
        assert_eq!(ppi_mean(&labelled, &[], 1.0, 0.95), None);
    }

    #[test]
    fn few_labels_and_labels_that_do_not_vary_give_no_short_interval() {
        let rest = [vec![true; 270], vec![false; 30]].concat();
        let width = |labelled: &[(bool, bool)]| {
            let found = ppi_share(labelled, &rest, 0.95).expect("labels");
            assert!(found.interval.low <= found.estimate && found.estimate <= found.interval.high);
            found.interval.high - found.interval.low
        };
        let alike = |n: usize| vec![(true, true); n];
        let plain: Vec<(f64, f64)> = vec![(1.0, 1.0); 20];
        let collapsed = ppi_plus_plus_mean(&plain, &[1.0; 300], 0.95).expect("labels").interval;
        assert_eq!(collapsed.high - collapsed.low, 0.0, "the normal interval alone");
        assert!(width(&alike(20)) > 0.16 && width(&alike(400)) > 0.009);
        assert!(width(&[(true, true), (false, false)]) > 0.8);
        assert_eq!(ppi_share(&alike(1), &rest, 0.95), None, "one label");
        // Enough labels that vary: the interval of the vectors, unchanged.
        let mixed: Vec<(bool, bool)> = (0..200).map(|n| (n % 10 != 0, n % 7 != 0)).collect();
        let pairs: Vec<(f64, f64)> =
            mixed.iter().map(|(h, j)| (f64::from(u8::from(*h)), f64::from(u8::from(*j)))).collect();
        let others: Vec<f64> = rest.iter().map(|judge| f64::from(u8::from(*judge))).collect();
        assert_eq!(ppi_share(&mixed, &rest, 0.95), ppi_plus_plus_mean(&pairs, &others, 0.95));
    }
}
