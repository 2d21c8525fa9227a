//! The comparison of a run with its baseline as reports show it: one sentence per model, and what limits it.
//!
//! Words: regressed, not worse by more than so many points, inconclusive. A change stands with its interval, the trials it
//! rests on and the smallest drop that these would likely have shown.

use serde::Serialize;

use super::figures::count;
use crate::display;
use crate::gate::GateVerdict;
use crate::gate::compared::{Compared, Course};
use crate::gate::rounds::{Record, SuspectLook, Why};
use crate::ids::ModelName;
use crate::stats::shown::P;
use crate::store::baseline::Against;
use crate::store::record::RunRecord;

/// The one-sided confidence of the bounds of a change: together a 90 % interval.
const BOUNDS: f64 = 0.95;
/// Most characters of a name and of a sentence.
const NAME: usize = 200;
const SENTENCE: usize = 1000;

/// The comparison with a baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateStamp {
    /// The file of the baseline.
    pub baseline: String,
    /// `rolling` or `pinned`.
    pub against: &'static str,
    /// Accepted runs in it.
    pub nights: u64,
    /// The newest of them.
    pub newest: Option<String>,
    /// `rounds`, or `fixed` for a plan that was made beforehand.
    pub course: &'static str,
    /// One verdict per model.
    pub models: Vec<ModelStamp>,
    /// What is not as it was in the newest accepted run.
    pub drift: Vec<String>,
    /// Cases that are not compared, with the reason.
    pub left_out: Vec<String>,
    /// How often an unchanged server would be accused, all models taken together; `None` with one model.
    pub family: Option<String>,
}

/// The verdict about one model's cases.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelStamp {
    /// The model.
    pub model: String,
    /// `regressed`, `not worse` or `inconclusive`.
    pub verdict: &'static str,
    /// The verdict as a sentence, with what it rests on.
    pub sentence: String,
    /// The largest drop that still passes, as a share.
    pub margin: f64,
    /// Cases compared.
    pub cases: u64,
    /// Rounds looked at.
    pub rounds: u64,
    /// Rounds at most.
    pub rounds_at_most: u64,
    /// Trials it took, fresh ones for suspects included.
    pub trials: u64,
    /// The change of the suite as a share, negative is worse; `None` when a case has no valid trial.
    pub change: Option<f64>,
    /// The lower end of its 90 % interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// The smallest drop that these trials would likely (8 in 10) have shown, as a share.
    pub smallest_drop: Option<f64>,
    /// Groups that are worse, the clearest first.
    pub worse_groups: Vec<String>,
    /// Cases that are worse, the clearest first.
    pub worse_cases: Vec<String>,
    /// Cases that failed, used to be reliable, and got fresh trials.
    pub suspects: Vec<Suspect>,
    /// Cases with too few accepted trials to see one of them break.
    pub thin: u64,
}

/// A case that was under suspicion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suspect {
    /// The case.
    pub case: String,
    /// Its fresh trials.
    pub trials: u64,
    /// Those that passed.
    pub passed: u64,
    /// The chance of so few passes if the case has not changed.
    pub p: f64,
}

impl GateStamp {
    /// The stamp of a run; `None` when it was compared with nothing.
    pub fn of(run: &RunRecord) -> Option<Self> {
        let compared = Compared::of(run).ok().flatten()?;
        let base = &compared.baseline;
        let models: Vec<ModelStamp> =
            compared.gates.iter().map(|(model, record)| stamp(&compared, model, record)).collect();
        let alpha = compared.gates.values().next().map_or(0.0, |record| record.settings.alpha);
        let family = (models.len() > 1).then(|| {
            let all = (alpha * models.len() as f64).min(1.0) * 100.0;
            format!(
                "{} verdicts: an unchanged server is accused in at most {} of runs",
                models.len(),
                percent(all)
            )
        });
        Some(Self {
            baseline: shown(&base.file, NAME),
            against: match base.against {
                Against::Rolling => "rolling",
                Against::Pinned => "pinned",
            },
            nights: base.nights.len() as u64,
            newest: base.nights.first().map(|(run, _)| shown(run.as_str(), NAME)),
            course: match compared.course {
                Course::Rounds => "rounds",
                Course::Fixed => "fixed",
            },
            models,
            drift: compared
                .drift
                .iter()
                .map(|drift| {
                    let name =
                        if drift.name.is_empty() { String::new() } else { format!(" `{}`", drift.name) };
                    shown(&format!("{}{name}: {}", drift.part.as_str(), drift.message), SENTENCE)
                })
                .collect(),
            left_out: compared
                .excluded
                .iter()
                .map(|lane| shown(&format!("{} ({})", lane.id, lane.why.as_words()), SENTENCE))
                .collect(),
            family,
        })
    }

    /// What a person reads of it: where the baseline is, and a sentence per model.
    pub fn lines(&self) -> Vec<String> {
        let pinned = if self.against == "pinned" { ", from the pinned one on" } else { "" };
        let mut lines = vec![format!(
            "compared with {} in {}{pinned}",
            count(self.nights, "accepted run"),
            self.baseline
        )];
        let several = self.models.len() > 1;
        lines.extend(self.models.iter().map(|model| match several {
            true => format!("{}: {}", model.model, model.sentence),
            false => model.sentence.clone(),
        }));
        lines.extend(self.family.clone());
        lines
    }
}

fn stamp(compared: &Compared, model: &ModelName, record: &Record) -> ModelStamp {
    let why = record.ruling.as_ref().map(|ruling| &ruling.why);
    let verdict = match compared.verdict(model) {
        Some(GateVerdict::Fail) => "regressed",
        Some(GateVerdict::Pass) => "not worse",
        Some(GateVerdict::Inconclusive) | None => "inconclusive",
    };
    let change = record.change(BOUNDS);
    let confirmed = record.looks.last().map(|look| look.confirmed.as_slice()).unwrap_or_default();
    let named = |names: &[String]| names.iter().map(|name| shown(name, NAME)).collect::<Vec<_>>();
    let trials = record.cases.iter().map(|case| ran(&case.rounds) + ran(&case.confirm)).sum();
    let mut stamp = ModelStamp {
        model: shown(model.as_str(), NAME),
        verdict,
        sentence: String::new(),
        margin: record.settings.margin,
        cases: record.cases.len() as u64,
        rounds: record.looks.len() as u64,
        rounds_at_most: u64::from(record.settings.max_rounds),
        trials,
        change: change.map(|change| change.diff),
        low: change.map(|change| change.lower),
        high: change.map(|change| change.upper),
        smallest_drop: record.smallest_drop(),
        worse_groups: match why {
            Some(Why::Groups(groups)) => named(groups),
            _ => vec![],
        },
        worse_cases: match why {
            Some(Why::Cases(cases)) => named(cases),
            _ => vec![],
        },
        suspects: confirmed.iter().map(suspect).collect(),
        thin: compared.thin(model).len() as u64,
    };
    stamp.sentence = shown(&sentence(&stamp, why), SENTENCE);
    stamp
}

fn suspect(look: &SuspectLook) -> Suspect {
    let SuspectLook { case, fresh, p } = look;
    Suspect { case: shown(case, NAME), trials: fresh.trials, passed: fresh.passed, p: *p }
}

fn sentence(stamp: &ModelStamp, why: Option<&Why>) -> String {
    let points = |share: f64| format!("{:.1}", share * 100.0 + 0.0);
    let margin = points(stamp.margin);
    let margin = margin.trim_end_matches(".0");
    let mut parts = vec![match stamp.verdict {
        "regressed" => match (stamp.worse_groups.as_slice(), stamp.worse_cases.as_slice()) {
            ([], []) => "regressed: the suite".to_owned(),
            ([], cases) => format!("regressed: {} {}", plural(cases.len(), "case"), some(cases)),
            (groups, _) => format!("regressed: {} {}", plural(groups.len(), "group"), some(groups)),
        },
        "not worse" => format!("not worse by more than {margin} points"),
        _ => match why {
            None => "inconclusive: stopped before the gate could decide".to_owned(),
            Some(Why::Degraded) => "inconclusive: too few valid trials".to_owned(),
            Some(Why::NotWorse) => "inconclusive: suspects have no fresh trials".to_owned(),
            Some(Why::Suite | Why::Groups(_) | Why::Cases(_)) => {
                "inconclusive: an alarm that the old server beside it does not confirm".to_owned()
            }
            Some(Why::Budget) => {
                format!("inconclusive: not shown to be worse, nor to be within {margin} points")
            }
        },
    }];
    if let (Some(change), Some(low), Some(high)) = (stamp.change, stamp.low, stamp.high) {
        let signed = |share: f64| format!("{:+.1}", (share * 1000.0).round() / 10.0 + 0.0);
        parts.push(format!(
            "change {} points (90 % interval {} to {})",
            signed(change),
            signed(low),
            signed(high)
        ));
    }
    let of = if stamp.rounds_at_most > 1 {
        format!(" of at most {}", stamp.rounds_at_most)
    } else {
        String::new()
    };
    parts.push(format!("{} in {}{of}", count(stamp.trials, "trial"), count(stamp.rounds, "round")));
    if let Some(drop) = stamp.smallest_drop.filter(|_| stamp.verdict != "regressed") {
        parts.push(format!("a drop of {} points would likely have been seen", points(drop)));
    }
    let cleared = stamp.suspects.len() - stamp.worse_cases.len().min(stamp.suspects.len());
    if cleared > 0 && stamp.suspects.iter().all(|suspect| suspect.trials > 0) {
        parts.push(format!("{} cleared by fresh trials", count(cleared as u64, "suspect")));
    }
    parts.join("; ")
}

fn plural(n: usize, word: &str) -> String {
    if n == 1 { word.to_owned() } else { format!("{word}s") }
}

fn some(names: &[String]) -> String {
    let shown = names.iter().take(5).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > 5 { format!("{shown} and {} more", names.len() - 5) } else { shown }
}

fn percent(value: f64) -> String {
    let text = format!("{value:.1}");
    format!("{} %", text.trim_end_matches(".0"))
}

/// Trials that a row of letters stands for.
fn ran(letters: &str) -> u64 {
    letters.chars().filter(|letter| *letter != '.').count() as u64
}

fn shown(text: &str, most: usize) -> String {
    display::excerpt(text, most)
}

/// A section for Markdown; `code` makes words of others harmless.
pub(super) fn section(stamp: &GateStamp, code: impl Fn(&str) -> String) -> String {
    let pinned = if stamp.against == "pinned" { ", from the pinned one on" } else { "" };
    let mut out = format!(
        "**Against the baseline** ({} in {}{pinned})\n\n",
        count(stamp.nights, "accepted run"),
        code(&stamp.baseline)
    );
    for model in &stamp.models {
        out.push_str(&format!("- {}: {}\n", code(&model.model), code(&model.sentence)));
        for suspect in &model.suspects {
            out.push_str(&format!(
                "  - suspect {}: {} of {} fresh trials passed ({})\n",
                code(&suspect.case),
                suspect.passed,
                suspect.trials,
                P(suspect.p).words()
            ));
        }
    }
    out.extend(stamp.family.iter().map(|family| format!("- {family}\n")));
    out.push('\n');
    out
}
