//! How far a judge agrees with people. Agreement alone is not offered as a verdict: where 95 % pass, a judge that always
//! says "pass" agrees in 95 %.

use super::Interval;
use super::proportion::wilson;

/// A table of two raters with two answers: `[[both pass, only human], [only judge, both fail]]`, rows by the human,
/// columns by the judge, pass before fail.
pub type Table = [[u64; 2]; 2];

/// Agreement beyond chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// The share of equal answers.
    pub observed: f64,
    /// The share expected by chance, as the coefficient defines it.
    pub expected: f64,
    /// (observed - expected) / (1 - expected).
    pub coefficient: f64,
}

impl Agreement {
    fn of(observed: f64, expected: f64) -> Option<Self> {
        let coefficient = (observed - expected) / (1.0 - expected);
        coefficient.is_finite().then_some(Self { observed, expected, coefficient })
    }
}

/// The sum of a table as a number to divide by; `None` for an empty one.
fn total(table: &Table) -> Option<f64> {
    let sum: u64 = table.iter().flatten().try_fold(0_u64, |sum, n| sum.checked_add(*n))?;
    (sum > 0).then_some(sum as f64)
}

/// Cohen's kappa (Cohen 1960): chance from each rater's own shares.
///
/// Formula: (po - pe) / (1 - pe), pe = sum of products of marginal shares. Applies to two raters. Fails when nearly
/// everything passes: it collapses to zero however well they agree; read [`gwet_ac1`] beside it. `None` for an empty
/// table, and where both say one and the same thing always.
pub fn cohen_kappa(table: &Table) -> Option<Agreement> {
    let n = total(table)?;
    let [[a, b], [c, d]] = table.map(|row| row.map(|cell| cell as f64 / n));
    Agreement::of(a + d, (a + b) * (a + c) + (c + d) * (b + d))
}

/// Gwet's AC1 (Gwet 2008): chance from the mean share of passes, which stays stable when nearly everything passes.
///
/// Formula: pe = 2 q (1 - q) with q the mean of both raters' pass shares. Fails to show that a judge never says "fail"
/// where failures are rare: look at the true negative rate. `None` for an empty table.
pub fn gwet_ac1(table: &Table) -> Option<Agreement> {
    let n = total(table)?;
    let [[a, b], [c, d]] = table.map(|row| row.map(|cell| cell as f64 / n));
    let share = f64::midpoint(a + b, a + c);
    Agreement::of(a + d, 2.0 * share * (1.0 - share))
}

/// Krippendorff's alpha for nominal answers (Krippendorff 2004): any number of raters, any of them missing.
///
/// Each unit is a list of answers, one per rater. Formula: 1 - Do/De over pairs within units against pairs over all.
/// Units with one answer say nothing and are left out. Fails like kappa when one answer is rare. `None` when no unit
/// has two answers, or only one answer occurs.
pub fn krippendorff_alpha_nominal<T: PartialEq>(units: &[Vec<Option<T>>]) -> Option<f64> {
    let mut kinds: Vec<&T> = vec![];
    for answer in units.iter().flatten().flatten() {
        if !kinds.contains(&answer) {
            kinds.push(answer);
        }
    }
    let mut totals = vec![0.0; kinds.len()];
    let (mut disagreement, mut pairable) = (0.0, 0.0);
    for unit in units {
        let counts: Vec<f64> = kinds
            .iter()
            .map(|kind| unit.iter().flatten().filter(|answer| answer == kind).count() as f64)
            .collect();
        let m: f64 = counts.iter().sum();
        if m < 2.0 {
            continue;
        }
        pairable += m;
        let same: f64 = counts.iter().map(|n| n * (n - 1.0)).sum();
        disagreement += (m * (m - 1.0) - same) / (m - 1.0);
        totals.iter_mut().zip(&counts).for_each(|(total, n)| *total += n);
    }
    let same: f64 = totals.iter().map(|n| n * (n - 1.0)).sum();
    let expected = (pairable * (pairable - 1.0) - same) / (pairable - 1.0);
    let alpha = 1.0 - disagreement / expected;
    alpha.is_finite().then_some(alpha)
}

/// What a judge gets right and wrong; "positive" means that the human says pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Both say pass.
    pub tp: u64,
    /// The human says pass, the judge fail.
    pub fn_: u64,
    /// The human says fail, the judge pass: the dangerous kind.
    pub fp: u64,
    /// Both say fail.
    pub tn: u64,
}

impl Counts {
    /// Everything that was labelled and judged.
    pub fn total(&self) -> u64 {
        self.tp + self.fn_ + self.fp + self.tn
    }

    /// The same as a table for the coefficients.
    pub fn table(&self) -> Table {
        [[self.tp, self.fn_], [self.fp, self.tn]]
    }

    /// Counts one pair of answers.
    pub fn add(&mut self, human_passes: bool, judge_passes: bool) {
        match (human_passes, judge_passes) {
            (true, true) => self.tp += 1,
            (true, false) => self.fn_ += 1,
            (false, true) => self.fp += 1,
            (false, false) => self.tn += 1,
        }
    }
}

/// The rates of a judge. What has no data is `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confusion {
    /// Of what humans pass, the share that the judge passes.
    pub tpr: Option<f64>,
    /// Of what humans fail, the share that the judge fails.
    pub tnr: Option<f64>,
    /// Of what the judge passes, the share that humans pass.
    pub ppv: Option<f64>,
    /// Of what the judge fails, the share that humans fail.
    pub npv: Option<f64>,
    /// The share of equal answers; never to be read alone.
    pub accuracy: Option<f64>,
    /// TPR + TNR - 1: the share of a true drop that the judge can see.
    pub youden_j: Option<f64>,
    /// Wilson's interval of the true positive rate.
    pub tpr_interval: Option<Interval>,
    /// Wilson's interval of the true negative rate.
    pub tnr_interval: Option<Interval>,
    /// Matthews' correlation coefficient.
    pub mcc: Option<f64>,
}

/// The rates of a judge against human labels with Wilson's intervals at `conf`.
///
/// Applies to labels that the judge's prompt was not tuned on. Fails when only easy cases were labelled.
pub fn judge_confusion(counts: &Counts, conf: f64) -> Confusion {
    let Counts { tp, fn_, fp, tn } = *counts;
    let share = |x: u64, other: u64| (x + other > 0).then(|| x as f64 / (x + other) as f64);
    let (tpr, tnr) = (share(tp, fn_), share(tn, fp));
    let [t, u, v, w] = [tp, fn_, fp, tn].map(|n| n as f64);
    let spread = ((t + v) * (t + u) * (w + v) * (w + u)).sqrt();
    Confusion {
        tpr,
        tnr,
        ppv: share(tp, fp),
        npv: share(tn, fn_),
        accuracy: share(tp + tn, fp + fn_),
        youden_j: tpr.zip(tnr).map(|(tpr, tnr)| tpr + tnr - 1.0),
        tpr_interval: wilson(tp, tp + fn_, conf),
        tnr_interval: wilson(tn, tn + fp, conf),
        mcc: (spread > 0.0).then(|| (t * w - v * u) / spread),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_data_is_undefined() {
        assert_eq!(cohen_kappa(&[[0, 0], [0, 0]]), None);
        assert_eq!(cohen_kappa(&[[9, 0], [0, 0]]), None, "both always say pass");
        assert_eq!(gwet_ac1(&[[0, 0], [0, 0]]), None);
        assert_eq!(gwet_ac1(&[[9, 0], [0, 0]]).map(|agreement| agreement.coefficient), Some(1.0));
        assert_eq!(krippendorff_alpha_nominal::<bool>(&[]), None);
        assert_eq!(krippendorff_alpha_nominal(&[vec![Some(1), None], vec![Some(0)]]), None);
        assert_eq!(krippendorff_alpha_nominal(&[vec![Some(1), Some(1)]]), None, "one answer only");
        let empty = judge_confusion(&Counts::default(), 0.95);
        assert_eq!((empty.tpr, empty.tnr_interval, empty.mcc), (None, None, None));
    }

    #[test]
    fn always_pass_agrees_often_and_finds_nothing() {
        let counts = Counts { tp: 95, fn_: 0, fp: 5, tn: 0 };
        let confusion = judge_confusion(&counts, 0.95);
        assert_eq!(
            (confusion.accuracy, confusion.tnr, confusion.youden_j),
            (Some(0.95), Some(0.0), Some(0.0))
        );
        assert_eq!(cohen_kappa(&counts.table()).map(|kappa| kappa.coefficient.abs() < 1e-12), Some(true));
    }

    #[test]
    fn pairs_are_counted_where_they_belong() {
        let mut counts = Counts::default();
        for (human, judge) in [(true, true), (true, false), (false, true), (false, true), (false, false)] {
            counts.add(human, judge);
        }
        assert_eq!(counts, Counts { tp: 1, fn_: 1, fp: 2, tn: 1 });
        assert_eq!(counts.total(), 5);
    }
}
