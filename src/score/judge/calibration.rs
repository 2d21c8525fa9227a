//! A judge against people: what it gets right, whether it may gate, and the rate that people would have found. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Fingerprint;
use super::criterion::Kind;
use super::labels::{LabelRow, Sample, Word};
use super::routing::Routing;
use super::worth::PanelWorth;
use crate::stats::Interval;
use crate::stats::agreement::{Counts, cohen_kappa, gwet_ac1, judge_confusion, krippendorff_alpha_nominal};
use crate::stats::correction::{self, ppi_share, rogan_gladen};

/// The confidence of intervals.
const LEVEL: f64 = 0.95;
/// A judge may gate when it surely fails this share of what people fail ...
pub const TNR_FLOOR: f64 = 0.8;
/// ... and surely passes this share of what people pass.
pub const TPR_FLOOR: f64 = 0.9;
/// The share of labels on which two people may differ before the criterion is at fault.
pub const DISAGREEMENT: f64 = 0.1;
/// Labels below which a calibration shows nothing, for or against a judge.
pub const ENOUGH: u64 = 100;

/// The calibrations of a rubric: one per judge, as the file beside the rubric holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibrations {
    /// The version of the file's format: 1.
    pub version: u32,
    /// The rubric.
    pub rubric: String,
    /// One per judge.
    pub judges: Vec<Calibration>,
}

impl Calibration {
    /// The criteria whose own labels show the judge to be too weak for them, however well it does on others.
    pub fn weak(&self) -> BTreeSet<String> {
        self.criteria.iter().filter(|(_, own)| own.is_weak()).map(|(text, _)| text.clone()).collect()
    }
}

impl Calibrations {
    /// None yet.
    pub fn none(rubric: &str) -> Self {
        Self { version: 1, rubric: rubric.to_owned(), judges: vec![] }
    }

    /// The calibration of this judge; another fingerprint is another judge.
    pub fn of(&self, judge: Fingerprint) -> Option<&Calibration> {
        self.judges.iter().find(|one| one.judge == judge)
    }

    /// Puts a calibration in the place of an earlier one of the same judge.
    pub fn set(&mut self, calibration: Calibration) {
        self.judges.retain(|one| one.judge != calibration.judge);
        self.judges.push(calibration);
    }
}

/// What people's labels say about one judge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The judge.
    pub judge: Fingerprint,
    /// Its models, for readers.
    pub models: Vec<String>,
    /// The day of the calibration.
    pub on: String,
    /// How people and judge decided, all criteria together.
    pub measured: Measured,
    /// Labelled criteria on which the judge was unsure; they are part of nothing else.
    pub unsure: u64,
    /// Criteria on which people were unsure or differed; part of nothing else either.
    pub unsettled: u64,
    /// Krippendorff's alpha among the raters, if some rated the same.
    pub alpha: Option<f64>,
    /// The share of criteria with several raters on which they differ.
    pub disagreement: Option<f64>,
    /// Whether its verdicts may gate.
    pub may_gate: bool,
    /// What the panel is worth, if a panel judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panel: Option<PanelWorth>,
    /// Where the second judge is asked, if labels show it; else at the usual probability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// The same for each criterion.
    pub criteria: BTreeMap<String, Measured>,
}

/// How people and judge decided. Positive means: people say that the criterion is met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Met, say both.
    pub tp: u64,
    /// Met, say people; not met, says the judge.
    pub missed: u64,
    /// Not met, say people; met, says the judge.
    pub fooled: u64,
    /// Not met, say both.
    pub tn: u64,
    /// The true positive rate with its Wilson interval: [rate, low, high].
    pub tpr: Option<[f64; 3]>,
    /// The true negative rate likewise.
    pub tnr: Option<[f64; 3]>,
    /// Cohen's kappa.
    pub kappa: Option<f64>,
    /// Gwet's AC1.
    pub ac1: Option<f64>,
}

impl Measured {
    fn of(counts: Counts) -> Self {
        let found = judge_confusion(&counts, LEVEL);
        let rate = |share: Option<f64>, interval: Option<Interval>| {
            share.zip(interval).map(|(share, interval)| [share, interval.low, interval.high].map(rounded))
        };
        Self {
            tp: counts.tp,
            missed: counts.fn_,
            fooled: counts.fp,
            tn: counts.tn,
            tpr: rate(found.tpr, found.tpr_interval),
            tnr: rate(found.tnr, found.tnr_interval),
            kappa: cohen_kappa(&counts.table()).map(|found| rounded(found.coefficient)),
            ac1: gwet_ac1(&counts.table()).map(|found| rounded(found.coefficient)),
        }
    }

    /// The counts.
    pub fn counts(&self) -> Counts {
        Counts { tp: self.tp, fn_: self.missed, fp: self.fooled, tn: self.tn }
    }

    /// Whether there are labels enough to say that the judge is too weak: fewer show nothing, for or against it.
    pub fn tells(&self) -> bool {
        self.counts().total() >= ENOUGH && self.tpr.is_some() && self.tnr.is_some()
    }

    /// Whether one of the rates surely lies below its floor.
    pub fn is_weak(&self) -> bool {
        let surely = |rate: Option<[f64; 3]>, floor: f64| rate.is_some_and(|[_, _, high]| high < floor);
        surely(self.tpr, TPR_FLOOR) || surely(self.tnr, TNR_FLOOR)
    }

    /// Whether both rates surely lie above their floors.
    pub fn may_gate(&self) -> bool {
        let surely = |rate: Option<[f64; 3]>, floor: f64| rate.is_some_and(|[_, low, _]| low >= floor);
        surely(self.tpr, TPR_FLOOR) && surely(self.tnr, TNR_FLOOR)
    }
}

/// Four digits are more than labels can tell, and keep the file readable.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// Who judged, and when the labels were held against it.
#[derive(Clone, Debug)]
pub struct Who {
    /// The judge.
    pub judge: Fingerprint,
    /// Its models.
    pub models: Vec<String>,
    /// The day.
    pub on: String,
}

/// What was labelled: the run, the trial and the text of the criterion.
pub type Item<'a> = (&'a str, &'a str, &'a str);

struct Labelled<'a> {
    kind: Kind,
    raters: BTreeMap<&'a str, Word>,
    verdict: Option<Word>,
}

impl Labelled<'_> {
    /// What people agree on.
    fn people(&self) -> Option<bool> {
        let mut words = self.raters.values();
        let first = *words.next()?;
        words.all(|word| *word == first).then_some(first)?.meets(self.kind)
    }

    fn differ(&self) -> bool {
        let mut words = self.raters.values();
        let first = words.next();
        self.raters.len() > 1 && words.any(|word| Some(word) != first)
    }
}

fn items(rows: &[LabelRow]) -> BTreeMap<Item<'_>, Labelled<'_>> {
    let mut items: BTreeMap<Item<'_>, Labelled<'_>> = BTreeMap::new();
    for row in rows {
        let item = items.entry((&row.run, &row.trial, &row.criterion)).or_insert_with(|| Labelled {
            kind: row.kind,
            raters: BTreeMap::new(),
            verdict: None,
        });
        item.raters.insert(&row.rater, row.label);
        item.verdict = row.verdict.or(item.verdict);
    }
    items
}

/// Whether people find each labelled criterion met, where they agree.
pub fn agreed(rows: &[LabelRow]) -> BTreeMap<Item<'_>, bool> {
    items(rows).into_iter().filter_map(|(item, labelled)| Some((item, labelled.people()?))).collect()
}

/// Holds a judge's verdicts against labels. `None` when no criterion has both a label people agree on and a verdict.
pub fn calibrate(rows: &[LabelRow], who: Who) -> Option<Calibration> {
    let items = items(rows);
    let mut all = Counts::default();
    let mut by_criterion: BTreeMap<String, Counts> = BTreeMap::new();
    let (mut unsure, mut unsettled) = (0, 0);
    for ((_, _, criterion), item) in &items {
        let Some(verdict) = item.verdict else { continue };
        let Some(people) = item.people() else {
            unsettled += 1;
            continue;
        };
        let Some(judge) = verdict.meets(item.kind) else {
            unsure += 1;
            continue;
        };
        all.add(people, judge);
        by_criterion.entry((*criterion).to_owned()).or_default().add(people, judge);
    }
    if all.total() == 0 {
        return None;
    }
    let raters: BTreeSet<&str> = items.values().flat_map(|item| item.raters.keys().copied()).collect();
    let units: Vec<Vec<Option<bool>>> = items
        .values()
        .map(|item| raters.iter().map(|rater| item.raters.get(rater)?.meets(item.kind)).collect())
        .collect();
    let several = items.values().filter(|item| item.raters.len() > 1).count();
    let differ = items.values().filter(|item| item.differ()).count();
    let measured = Measured::of(all);
    Some(Calibration {
        judge: who.judge,
        models: who.models,
        on: who.on,
        measured,
        unsure,
        unsettled,
        alpha: krippendorff_alpha_nominal(&units).map(rounded),
        disagreement: (several > 0).then(|| rounded(differ as f64 / several as f64)),
        may_gate: measured.may_gate(),
        panel: None,
        routing: None,
        criteria: by_criterion.into_iter().map(|(text, counts)| (text, Measured::of(counts))).collect(),
    })
}

/// A share of met criteria as people would have found it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Corrected {
    /// `ppi++` or `rogan-gladen`.
    pub method: &'static str,
    /// What the judge says.
    pub judged: f64,
    /// The corrected share.
    pub estimate: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Corrects the share that a judge finds met by a calibration from elsewhere. `None` where TPR + TNR <= 1, and where
/// people never said met or never not met: such a calibration cannot correct anything.
pub fn corrected_by(measured: &Measured, met: u64, judged: u64) -> Option<Corrected> {
    let Counts { tp, fn_, fp, tn } = measured.counts();
    let calibration = correction::Calibration { tp, pos: tp + fn_, tn, neg: tn + fp };
    let found = rogan_gladen(met, judged, &calibration, LEVEL)?;
    Some(Corrected {
        method: "rogan-gladen",
        judged: found.raw,
        estimate: found.theta,
        low: found.interval.low,
        high: found.interval.high,
    })
}

/// Corrects the share of met criteria in the very runs that labels are of: by prediction-powered inference where the
/// labelled trials are a random sample and there are others, else by the judge's known errors. `unlabelled` are the
/// judge's verdicts on the rest: met or not.
pub fn corrected(rows: &[LabelRow], unlabelled: &[bool], sample: Sample) -> Option<Corrected> {
    let labelled: Vec<(bool, bool)> = items(rows)
        .values()
        .filter_map(|item| Some((item.people()?, item.verdict?.meets(item.kind)?)))
        .collect();
    let met =
        labelled.iter().map(|(_, judge)| *judge).chain(unlabelled.iter().copied()).filter(|met| *met).count();
    let judged = labelled.len() + unlabelled.len();
    if sample == Sample::Random && !unlabelled.is_empty() {
        let found = ppi_share(&labelled, unlabelled, LEVEL)?;
        let clamp = |value: f64| value.clamp(0.0, 1.0);
        return Some(Corrected {
            method: "ppi++",
            judged: met as f64 / judged as f64,
            estimate: clamp(found.estimate),
            low: clamp(found.interval.low),
            high: clamp(found.interval.high),
        });
    }
    let mut counts = Counts::default();
    labelled.iter().for_each(|(people, judge)| counts.add(*people, *judge));
    corrected_by(&Measured::of(counts), met as u64, judged as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;

    fn row(trial: usize, rater: &str, label: Word, verdict: Option<Word>) -> LabelRow {
        LabelRow {
            run: "r".into(),
            trial: trial.to_string(),
            case: String::new(),
            criterion: "A.".into(),
            kind: Kind::Must,
            rater: rater.into(),
            label,
            verdict,
            judge: None,
        }
    }

    fn who() -> Who {
        Who { judge: Fingerprint(Digest::of(b"j")), models: vec!["m".into()], on: "2026-11-21".into() }
    }

    /// Labels with these counts.
    fn rows(tp: usize, missed: usize, fooled: usize, tn: usize) -> Vec<LabelRow> {
        let pairs = [
            (Word::Yes, Word::Yes, tp),
            (Word::Yes, Word::No, missed),
            (Word::No, Word::Yes, fooled),
            (Word::No, Word::No, tn),
        ];
        let all = pairs.into_iter().flat_map(|(label, verdict, times)| vec![(label, verdict); times]);
        all.enumerate().map(|(trial, (label, verdict))| row(trial, "a", label, Some(verdict))).collect()
    }

    #[test]
    fn a_good_judge_may_gate_and_others_may_not() {
        let gate = |rows: &[LabelRow]| calibrate(rows, who()).map(|found| found.may_gate);
        assert_eq!(gate(&rows(98, 2, 1, 49)), Some(true));
        assert_eq!(gate(&rows(9, 0, 0, 9)), Some(false), "right ten times proves little");
        assert_eq!(gate(&rows(95, 0, 5, 0)), Some(false), "always met is right in 95 %");
        assert_eq!(gate(&rows(80, 20, 0, 100)), Some(false), "it fails too much of what is good");
        assert_eq!(gate(&[row(1, "a", Word::Yes, None)]), None, "no verdict");
    }

    #[test]
    fn too_few_labels_show_nothing_for_or_against_a_judge() {
        let tells = |rows: &[LabelRow]| calibrate(rows, who()).map(|found| found.measured.tells());
        assert_eq!(tells(&rows(40, 20, 10, 40)), Some(true));
        assert_eq!(tells(&rows(10, 10, 10, 10)), Some(false));
        assert_eq!(tells(&rows(80, 40, 0, 0)), Some(false), "nothing is known of what people fail");
    }

    #[test]
    fn a_criterion_whose_own_labels_show_a_weak_judge_never_gates() {
        let other = |row: LabelRow| LabelRow { criterion: "B.".into(), run: "s".into(), ..row };
        let all = [rows(300, 0, 0, 100), rows(2, 8, 0, 2).into_iter().map(other).collect()].concat();
        let found = calibrate(&all, who()).expect("labels");
        assert!(found.may_gate, "all together hide it");
        assert_eq!(found.weak(), ["B.".to_owned()].into());
        let unlucky = [rows(300, 0, 0, 100), rows(2, 1, 0, 0).into_iter().map(other).collect()].concat();
        let found = calibrate(&unlucky, who()).expect("labels");
        assert_eq!(found.weak(), BTreeSet::new(), "one miss of three shows nothing");
    }

    #[test]
    fn raters_who_differ_settle_nothing() {
        let mut rows = rows(10, 0, 0, 10);
        rows.push(row(0, "b", Word::No, None));
        rows.push(row(1, "b", Word::Yes, None));
        rows.push(row(50, "a", Word::Unsure, Some(Word::Yes)));
        rows.push(row(51, "a", Word::Yes, Some(Word::Unsure)));
        let found = calibrate(&rows, who()).expect("labels");
        assert_eq!((found.measured.tp, found.measured.tn, found.unsettled, found.unsure), (9, 10, 2, 1));
        assert_eq!(found.disagreement, Some(0.5));
        assert!(found.alpha.is_some());
    }

    #[test]
    fn what_must_not_hold_is_met_when_it_does_not() {
        let rows: Vec<LabelRow> =
            rows(3, 1, 2, 4).into_iter().map(|row| LabelRow { kind: Kind::MustNot, ..row }).collect();
        let found = calibrate(&rows, who()).expect("labels").measured;
        assert_eq!((found.tp, found.missed, found.fooled, found.tn), (4, 2, 1, 3));
    }

    #[test]
    fn rates_are_corrected_where_they_can_be() {
        let rows = rows(90, 5, 10, 40);
        let by_lot = corrected(&rows, &[true; 60], Sample::Random).expect("labels and others");
        assert_eq!(by_lot.method, "ppi++");
        assert!(
            by_lot.estimate < by_lot.judged && by_lot.low < by_lot.estimate && by_lot.estimate < by_lot.high
        );
        let picked = corrected(&rows, &[true; 60], Sample::Picked).expect("informative");
        assert_eq!(picked.method, "rogan-gladen");
        let coin = super::tests::rows(10, 10, 10, 10);
        assert_eq!(corrected(&coin, &[true; 60], Sample::Picked), None, "TPR + TNR = 1");
    }

    #[test]
    fn a_changed_judge_has_no_calibration() {
        let mut file = Calibrations::none("r");
        let found = calibrate(&rows(9, 1, 1, 9), who()).expect("labels");
        file.set(found.clone());
        file.set(Calibration { on: "2026-11-22".into(), ..found });
        assert_eq!(file.judges.len(), 1);
        assert_eq!(file.of(who().judge).map(|one| one.on.as_str()), Some("2026-11-22"));
        assert_eq!(file.of(Fingerprint(Digest::of(b"k"))), None);
    }
}
