//! The change of the whole, by the method its question demands.

use serde::{Deserialize, Serialize};

use super::populations::Matching;
use crate::stats::Pair;
use crate::stats::change::suite_change_interval;
use crate::stats::exact::stratified_exact;
use crate::stats::mean::clustered_mean_ci;
use crate::stats::power::{Design, Floor, Risks, smallest_drop};
use crate::stats::signs::signflip_exact;
use crate::stats::special::student_t_cdf;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Did these cases get worse? The cases are fixed; trial noise alone counts.
    TheseCases,
    /// Which is better on cases like these? How cases differ counts too.
    CasesLikeThese,
}

/// How the change was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The exact stratified test with the shift-aware interval.
    Exact,
    /// The t interval over case differences, or over clusters of cases.
    PairedT,
    /// The same interval with the exact sign-flip test, for 20 clusters or fewer.
    SignFlip,
}

/// A change with what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Candidate minus baseline, the mean over cases.
    pub diff: f64,
    /// The two-sided 95 % interval, lower and upper; `None` when the question is about cases like these and all
    /// differences are equal, or there is one cluster only.
    pub interval: Option<[f64; 2]>,
    /// This much worse or more by chance; `None` as for the interval.
    pub p_worse: Option<f64>,
    /// This much better or more by chance.
    pub p_better: Option<f64>,
    /// How.
    pub method: Method,
    /// Cases, or clusters of cases, that count as independent.
    pub units: usize,
    /// The smallest drop that this many trials would likely have shown: 80 % power at a false alarm of 1 %. `None` when
    /// no drop would have shown.
    pub smallest_drop: Option<f64>,
    /// What would make it smaller.
    pub floor: Floor,
}

const CONF: f64 = 0.95;
const RISKS: Risks = Risks { alpha: 0.01, power: 0.8 };

pub(super) fn change(cases: &[Matching<'_>], question: Question) -> Option<Change> {
    let pairs: Vec<Pair> = cases.iter().map(|case| case.pair).collect();
    let exact = suite_change_interval(&pairs, 0.5 + CONF / 2.0, 0.05)?;
    let diffs: Option<Vec<f64>> =
        pairs.iter().map(|pair| Some(pair.candidate.rate()? - pair.baseline.rate()?)).collect();
    let diffs = diffs?;
    let design = design(&pairs, &diffs, question)?;
    let common = Change {
        diff: exact.diff,
        interval: None,
        p_worse: None,
        p_better: None,
        method: Method::Exact,
        units: cases.len(),
        smallest_drop: smallest_drop(&design, RISKS),
        floor: design.binding(),
    };
    if question == Question::TheseCases {
        let test = stratified_exact(&pairs)?;
        return Some(Change {
            interval: Some([exact.interval.low, exact.interval.high]),
            p_worse: Some(test.p_worse),
            p_better: Some(test.p_better),
            ..common
        });
    }
    let clustered: Vec<(&str, f64)> =
        cases.iter().map(|case| case.cluster).zip(diffs.iter().copied()).collect();
    let Some((found, interval)) = clustered_mean_ci(&clustered, CONF).filter(|(found, _)| found.se > 0.0)
    else {
        return Some(Change { method: Method::PairedT, ..common });
    };
    let tail = |t: f64| student_t_cdf(t, found.clusters as f64 - 1.0).map(|p| p.max(f64::MIN_POSITIVE));
    let flips = few(&clustered, found.clusters);
    Some(Change {
        interval: Some([interval.low, interval.high]),
        p_worse: flips.map_or_else(|| tail(found.mean / found.se), |(worse, _)| Some(worse)),
        p_better: flips.map_or_else(|| tail(-found.mean / found.se), |(_, better)| Some(better)),
        method: if flips.is_some() { Method::SignFlip } else { Method::PairedT },
        units: found.clusters,
        ..common
    })
}

/// The sign-flip test in both directions over the sums of clusters, if there are few.
fn few(clustered: &[(&str, f64)], clusters: usize) -> Option<(f64, f64)> {
    if clusters > 20 {
        return None;
    }
    let mut sums: std::collections::BTreeMap<&str, f64> = std::collections::BTreeMap::new();
    for (cluster, diff) in clustered {
        *sums.entry(cluster).or_default() += diff;
    }
    let (down, up): (Vec<f64>, Vec<f64>) = sums.values().map(|sum| (*sum, -*sum)).unzip();
    Some((signflip_exact(&down)?.p_worse, signflip_exact(&up)?.p_worse))
}

/// The comparison as a design; with cases as a sample, how their true changes differ counts too.
fn design(pairs: &[Pair], diffs: &[f64], question: Question) -> Option<Design> {
    let fixed = Design::observed(pairs)?;
    if question == Question::TheseCases || diffs.len() < 2 {
        return Some(fixed);
    }
    let n = diffs.len() as f64;
    let mean = diffs.iter().sum::<f64>() / n;
    let seen = diffs.iter().map(|diff| (diff - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let noise = fixed.within_candidate / fixed.k_candidate + fixed.within_baseline / fixed.k_baseline;
    Some(Design { true_diff: (seen - noise).max(0.0), ..fixed })
}
