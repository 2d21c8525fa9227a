//! The judge of a run as reports show it: who, how well known, how often undecided, and what else to mind.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures::count;
use crate::display;
use crate::ids::ModelName;
use crate::score::Finding;
use crate::score::judge::calibration::{Corrected, TNR_FLOOR, TPR_FLOOR, corrected_by};
use crate::score::judge::canary::UNSURE_ALARM;
use crate::score::judge::routing::Routing;
use crate::score::judge::worth::PanelWorth;
use crate::score::judge::{FirstWord, Kind, Ruling};
use crate::stats::votes::pearson;
use crate::store::record::{CaseResult, Judging, RunRecord};

mod arms;

pub use arms::Arm;

/// The judge of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct JudgeStamp {
    /// Its model; the first one where there are several.
    pub model: String,
    /// Whether this very judge was calibrated against human labels; until then reports say "uncalibrated".
    pub calibrated: bool,
    /// All models that judge, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub panel: Vec<String>,
    /// The rubric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rubric: Option<String>,
    /// What makes this judge this one and no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// How it decided against people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Models under test that are of the same family as a judge.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kin: Vec<String>,
    /// What it ruled.
    #[serde(skip_serializing_if = "Rulings::is_none")]
    pub rulings: Rulings,
    /// The share of met criteria as people would have found it; `None` without a calibration that can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrected: Option<Corrected>,
    /// How far longer answers pass more often than shorter ones of the same case, from -1 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verbosity: Option<f64>,
    /// The same for each model under test, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<Arm>,
}

/// A calibration in the words of reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// The day.
    pub on: String,
    /// Of what people find met, the share that the judge finds met: [rate, low, high].
    pub tpr: Option<[f64; 3]>,
    /// Of what people find not met, the share that the judge finds not met.
    pub tnr: Option<[f64; 3]>,
    /// Whether its verdicts may gate.
    pub may_gate: bool,
    /// Whether labels show that it is too weak, so that it advises and decides nothing.
    pub advises: bool,
    /// Criteria on which labels show it to be too weak, so that it only advises there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weak: Vec<String>,
    /// What the panel is worth, if a panel was calibrated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panel: Option<PanelWorth>,
    /// Where the second judge is asked, if labels show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
}

/// How many criteria a judge was asked about, and what came of it. Criteria that are only reported are no part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rulings {
    /// Asked.
    pub asked: u64,
    /// Found met.
    pub met: u64,
    /// Left undecided: for a person to look at.
    pub undecided: u64,
    /// Put before a second judge or a panel.
    pub escalated: u64,
    /// Decided by a first judge that was asked how sure it is, and whose probability is not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub unweighed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Rulings {
    fn is_none(&self) -> bool {
        self.asked == 0
    }

    /// The share that was left undecided; `None` when nothing was asked.
    pub fn undecided_share(&self) -> Option<f64> {
        (self.asked > 0).then(|| self.undecided as f64 / self.asked as f64)
    }
}

/// Trials below which a correlation says nothing.
const ENOUGH: usize = 20;
/// Most criteria that are named in notes.
const LISTED: usize = 3;
/// The correlation from which longer answers are worth a word.
const VERBOSE: f64 = 0.3;

impl JudgeStamp {
    /// The judge of a run; `None` when nothing is judged.
    pub fn of(run: &RunRecord) -> Option<Self> {
        let name = |text: &str| display::excerpt(text, 200);
        let manifest = &run.manifest;
        let model = name(manifest.judge.as_deref()?);
        let rulings = rulings(run.results.iter());
        let verbosity = verbosity(run.results.iter());
        let arms = arms::of(&run.results);
        let stamp = Self { model, rulings, verbosity, arms, ..Self::default() };
        let Some(Judging { models, rubric, fingerprint, kin, calibration, .. }) = &manifest.judging else {
            return Some(stamp);
        };
        let decided = rulings.asked - rulings.undecided;
        let measured = calibration.as_ref().map(|known| &known.measured);
        Some(Self {
            calibrated: calibration.is_some(),
            panel: if models.len() > 1 { models.iter().map(|model| name(model)).collect() } else { vec![] },
            rubric: Some(name(rubric)),
            fingerprint: Some(fingerprint.to_string()),
            kin: kin.iter().map(|model| name(model)).collect(),
            corrected: measured.and_then(|known| corrected_by(known, rulings.met, decided)),
            calibration: calibration.as_ref().map(|known| Calibration {
                on: name(&known.on),
                tpr: known.measured.tpr,
                tnr: known.measured.tnr,
                may_gate: known.may_gate,
                advises: known.advises().all,
                weak: known.weak.iter().map(|criterion| name(criterion)).collect(),
                panel: known.panel,
                routing: known.routing,
            }),
            ..stamp
        })
    }

    /// `calibrated` or `uncalibrated`.
    pub fn word(&self) -> &'static str {
        if self.calibrated { "calibrated" } else { "uncalibrated" }
    }

    /// What a reader should mind, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = vec![];
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        if let Some(share) = self.rulings.undecided_share().filter(|_| self.rulings.undecided > 0) {
            let alarm =
                if share > UNSURE_ALARM { ", more than the 10 % that a sound judge leaves open" } else { "" };
            let criteria = count(self.rulings.asked, "criterion").replace("criterions", "criteria");
            notes.push(format!(
                "{} of {criteria} undecided{alarm}; `rehearsal judge label --undecided` shows them to a person",
                self.rulings.undecided
            ));
        }
        if let Some(Calibration { tpr, tnr, may_gate: false, advises, .. }) = &self.calibration {
            let low = |rate: &Option<[f64; 3]>| rate.map_or("unknown".to_owned(), |[_, low, _]| percent(low));
            let weak = match advises {
                true => "too weak to gate, so it advises and decides nothing",
                false => "not shown to be fit to gate, labels are too few",
            };
            notes.push(format!(
                "{weak}: it surely finds {} of what people pass ({} needed) and {} of what they fail ({} needed)",
                low(tpr),
                percent(TPR_FLOOR),
                low(tnr),
                percent(TNR_FLOOR)
            ));
        }
        let weak = self.calibration.as_ref().map_or(&[][..], |known| &known.weak);
        for criterion in weak.iter().take(LISTED) {
            notes.push(format!("too weak for `{criterion}`, on which it only advises"));
        }
        if weak.len() > LISTED {
            notes.push(format!("too weak for {} criteria more", weak.len() - LISTED));
        }
        if let Some(Corrected { judged, estimate, low, high, .. }) = self.corrected {
            notes.push(format!(
                "finds {} of criteria met; people would find {} ({} to {})",
                percent(judged),
                percent(estimate),
                percent(low),
                percent(high)
            ));
        }
        if let Some(panel) = self.calibration.as_ref().and_then(|known| known.panel) {
            notes.push(format!("panel {}", panel.sentence()));
        }
        if self.rulings.unweighed > 0 {
            notes.push(format!(
                "how sure it was is not known of {} of {}: its API told no log probabilities, or none that cover its verdict",
                self.rulings.unweighed, self.rulings.asked
            ));
        }
        if !self.kin.is_empty() {
            notes.push(format!("of one family with {}, which it may favour", self.kin.join(", ")));
        }
        if let Some(r) = self.verbosity.filter(|r| r.abs() > VERBOSE) {
            let which = if r > 0.0 { "longer" } else { "shorter" };
            notes.push(format!("{which} answers of one case pass more often (correlation {r:.2})"));
        }
        notes.extend(arms::notes(&self.arms));
        notes
    }
}

/// Who decided a criterion, and how sure the first judge was of its own word.
pub(super) fn decided_by(ruling: &Ruling) -> String {
    let (who, whose) = match (ruling.asked, ruling.escalated) {
        (false, _) => return "decided by code, no judge was asked".to_owned(),
        (true, false) => ("decided by the judge", "its"),
        (true, true) => ("decided with a second judge", "the first one's"),
    };
    let Some(FirstWord { holds: Some(holds), probability }) = ruling.first else { return who.to_owned() };
    let word = if holds { "yes" } else { "no" };
    match probability {
        Some(probability) => format!("{who}; {whose} {word} had the probability {probability:.3}"),
        None => format!("{who}; how sure {whose} {word} was is not known"),
    }
}

/// Why a finding is as it is, and how sure its judge was where that was asked.
pub(super) fn words(finding: &Finding) -> Vec<String> {
    let weighed = finding.ruling.as_deref().filter(|ruling| ruling.first.is_some());
    std::iter::once(finding.why.clone()).chain(weighed.map(decided_by)).collect()
}

/// What judges were asked about, as far as it weighs.
fn asked(result: &CaseResult) -> impl Iterator<Item = &Ruling> {
    let ruling = |finding: &'_ Finding| finding.ruling.as_deref().is_some_and(|ruling| ruling.asked);
    let findings = result.verdict.iter().flat_map(|verdict| &verdict.findings);
    let asked =
        findings.filter(move |finding| ruling(finding)).filter_map(|finding| finding.ruling.as_deref());
    asked.filter(|ruling| ruling.criterion.kind() != Kind::Info)
}

fn rulings<'a>(results: impl Iterator<Item = &'a CaseResult>) -> Rulings {
    let mut rulings = Rulings::default();
    for ruling in results.flat_map(asked) {
        rulings.asked += 1;
        rulings.met += u64::from(ruling.met() == Some(true));
        rulings.undecided += u64::from(ruling.holds.is_none());
        rulings.escalated += u64::from(ruling.escalated);
        let unweighed = |first: FirstWord| first.holds.is_some() && first.probability.is_none();
        rulings.unweighed += u64::from(ruling.first.is_some_and(unweighed));
    }
    rulings
}

/// The correlation of answer length and share of met criteria, each taken from the mean of its case: cases that want
/// long answers and are easy would otherwise look like a judge that likes length.
fn verbosity<'a>(results: impl Iterator<Item = &'a CaseResult>) -> Option<f64> {
    type Case<'a> = (&'a str, Option<&'a str>);
    let mut cases: BTreeMap<Case<'_>, Vec<(f64, f64)>> = BTreeMap::new();
    for result in results {
        let met: Vec<f64> =
            asked(result).filter_map(Ruling::met).map(|met| f64::from(u8::from(met))).collect();
        let (Some(length), false) = (result.answer_chars, met.is_empty()) else { continue };
        let case = (result.header.case.as_str(), result.header.model.as_ref().map(ModelName::as_str));
        let share = met.iter().sum::<f64>() / met.len() as f64;
        cases.entry(case).or_default().push((length as f64, share));
    }
    within_cases(cases.values())
}

/// The correlation of two numbers of trials, each taken from the mean of its case; `None` for too few trials.
fn within_cases<'a>(cases: impl Iterator<Item = &'a Vec<(f64, f64)>>) -> Option<f64> {
    let (mut lengths, mut shares) = (vec![], vec![]);
    for trials in cases.filter(|trials| trials.len() > 1) {
        let n = trials.len() as f64;
        let length = trials.iter().map(|(length, _)| length).sum::<f64>() / n;
        let share = trials.iter().map(|(_, share)| share).sum::<f64>() / n;
        lengths.extend(trials.iter().map(|(own, _)| own - length));
        shares.extend(trials.iter().map(|(_, own)| own - share));
    }
    let r = pearson(&lengths, &shares).filter(|_| lengths.len() >= ENOUGH)?;
    Some((r * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn length_counts_within_cases_only() {
        // Long answers in an easy case, short ones in a hard one: no judge's doing.
        let easy = vec![(900.0, 1.0); 10];
        let hard = vec![(100.0, 0.0); 10];
        assert_eq!(within_cases([easy.clone(), hard].iter()), None, "nothing varies within a case");
        let wordy: Vec<(f64, f64)> = (0..20).map(|n| (f64::from(n), f64::from(u8::from(n >= 10)))).collect();
        assert!(within_cases([wordy.clone()].iter()).is_some_and(|r| r > 0.8));
        assert_eq!(within_cases([wordy[..10].to_vec()].iter()), None, "too few");
        assert_eq!(within_cases([easy].iter()), None);
    }

    #[test]
    fn who_decided_and_how_sure_the_first_was_is_said() {
        let told = |asked: bool, escalated: bool, first: Value| {
            let ruling = json!({"criterion": {"must": "A."}, "holds": true, "asked": asked, "escalated": escalated,
                "first": first});
            decided_by(&serde_json::from_value(ruling).unwrap())
        };
        assert_eq!(told(false, false, Value::Null), "decided by code, no judge was asked");
        assert_eq!(told(true, false, Value::Null), "decided by the judge");
        assert_eq!(told(true, true, json!({"holds": null})), "decided with a second judge");
        assert_eq!(
            told(true, true, json!({"holds": false, "probability": 0.55})),
            "decided with a second judge; the first one's no had the probability 0.550"
        );
        assert_eq!(
            told(true, false, json!({"holds": true})),
            "decided by the judge; how sure its yes was is not known"
        );
    }

    #[test]
    fn a_sound_judge_needs_no_words_and_others_do() {
        let sound = JudgeStamp {
            model: "m".into(),
            calibrated: true,
            rulings: Rulings { asked: 50, met: 40, undecided: 0, escalated: 2, unweighed: 0 },
            calibration: Some(Calibration {
                on: String::new(),
                tpr: None,
                tnr: None,
                may_gate: true,
                advises: false,
                weak: vec![],
                panel: None,
                routing: None,
            }),
            verbosity: Some(0.2),
            ..JudgeStamp::default()
        };
        assert_eq!(sound.notes(), Vec::<String>::new());
        let weak = JudgeStamp {
            rulings: Rulings { undecided: 9, ..sound.rulings },
            calibration: Some(Calibration {
                on: String::new(),
                tpr: Some([0.95, 0.91, 0.97]),
                tnr: Some([0.8, 0.62, 0.9]),
                may_gate: false,
                advises: true,
                weak: vec!["Says sorry.".into()],
                panel: Some(PanelWorth {
                    members: 3,
                    labels: 120,
                    error_correlation: Some(0.45),
                    effective_votes: Some(1.5789),
                }),
                routing: None,
            }),
            corrected: Some(Corrected {
                method: "rogan-gladen",
                judged: 0.9,
                estimate: 0.85,
                low: 0.8,
                high: 0.9,
            }),
            kin: vec!["x".into()],
            verbosity: Some(0.45),
            ..sound
        };
        insta::assert_snapshot!(weak.notes().join("\n"), @r"
        9 of 50 criteria undecided, more than the 10 % that a sound judge leaves open; `rehearsal judge label --undecided` shows them to a person
        too weak to gate, so it advises and decides nothing: it surely finds 91 % of what people pass (90 % needed) and 62 % of what they fail (80 % needed)
        too weak for `Says sorry.`, on which it only advises
        finds 90 % of criteria met; people would find 85 % (80 % to 90 %)
        panel worth about 1.6 independent votes of 3 (errors correlate 0.45 on 120 labels)
        of one family with x, which it may favour
        longer answers of one case pass more often (correlation 0.45)
        ");
    }
}
