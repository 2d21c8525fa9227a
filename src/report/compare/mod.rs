//! Two sides for people and programs: what changed, by how much, which cases moved, and what could not be compared. Pure;
//! every text is safe to show.

use serde::Serialize;

use super::figures::{count, moment, percent};
use crate::display::safe_line;
use crate::gate::compare::{
    Change, Exact, Excluded, Finding, Method, Mover, Part, Question, SideBySide, Unlike,
};
use crate::stats::power::Floor;
use crate::stats::shown::{P, Points};
use crate::store::baseline::Drift;
use crate::store::outcomes::Outcomes;

mod human;
mod markdown;
mod words;

pub use human::human;
pub use markdown::markdown;
pub use words::{PartWords, Words};

/// The number of the form in JSON. Fields are only added.
pub const SCHEMA: u32 = 1;

/// A comparison as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What came before.
    pub before: SideLine,
    /// What is compared with it.
    pub now: SideLine,
    /// What was found.
    #[serde(flatten)]
    pub found: SideBySide,
    /// What is clearly worse, by name.
    pub losses: Vec<String>,
    /// What a judge preferred, if one was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred: Option<Preferred>,
}

/// A side in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SideLine {
    /// As it was given on the command line.
    pub name: String,
    /// The suite.
    pub suite: String,
    /// The run, or the newest night.
    pub run: Option<String>,
    /// Its start.
    pub started: Option<String>,
    /// What is remarkable about it, such as damaged trials.
    pub notes: Vec<String>,
}

/// What a judge preferred among last answers, asked in both orders.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Preferred {
    /// The judge's model.
    pub judge: String,
    /// Pairs in which the earlier side is better.
    pub before: u64,
    /// Pairs in which the later side is better.
    pub now: u64,
    /// Pairs that are as good as each other, or where the judge changed its mind with the order.
    pub ties: u64,
    /// Of these, how often it changed its mind.
    pub flipped: u64,
    /// Pairs that it could not decide.
    pub failed: u64,
    /// As many or more preferences for the earlier side by chance, by the sign test over cases; `None` without a pair.
    pub p_worse: Option<f64>,
    /// US dollars; `None`: unpriced.
    pub cost: Option<f64>,
}

impl SideLine {
    /// A run under the name it was given by.
    pub fn of_run(name: &str, outcomes: &Outcomes) -> Self {
        let Outcomes { manifest, damaged, .. } = outcomes;
        let notes = (*damaged > 0).then(|| format!("{} damaged and left out", count(*damaged, "trial")));
        Self {
            name: safe_line(name),
            suite: safe_line(manifest.suite.as_str()),
            run: Some(safe_line(manifest.run.as_str())),
            started: Some(safe_line(&manifest.started)),
            notes: notes.into_iter().collect(),
        }
    }

    /// `A: bookshop, run 0193…, 2026-01-01T00:00:00Z`.
    fn says(&self) -> String {
        let mut parts = vec![self.suite.clone()];
        parts.extend(self.run.iter().map(|run| format!("run {run}")));
        parts.extend(self.started.as_deref().map(moment));
        parts.extend(self.notes.iter().cloned());
        format!("{}: {}", self.name, parts.join(", "))
    }
}

impl Page {
    /// The page of a comparison.
    pub fn of(before: SideLine, now: SideLine, found: SideBySide, preferred: Option<Preferred>) -> Self {
        let losses = found.losses().iter().map(|name| safe_line(name)).collect();
        Self { schema: SCHEMA, before, now, found: safe(found), losses, preferred }
    }

    /// As JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    fn question(&self) -> &'static str {
        match self.found.question {
            Question::TheseCases => {
                "Did these cases change? The cases are fixed; the noise of trials alone counts."
            }
            Question::CasesLikeThese => {
                "Which is better on cases like these? The cases are a sample; how they differ counts as well."
            }
        }
    }
}

/// Every text made safe to show.
fn safe(mut found: SideBySide) -> SideBySide {
    let clean = |text: &mut String| *text = safe_line(text);
    for part in &mut found.parts {
        let comparison = &mut part.comparison;
        comparison.losers.iter_mut().chain(&mut comparison.gainers).for_each(|mover| clean(&mut mover.case));
        let Excluded { removed, new, changed, unseen } = &mut comparison.excluded;
        [removed, new, changed, unseen].into_iter().flatten().for_each(clean);
        part.changed.iter_mut().for_each(|changed| clean(&mut changed.case));
        part.models.iter_mut().for_each(|model| *model = safe_line(model.as_str()).as_str().into());
    }
    let Exact { lost, won, unlike, .. } = &mut found.exact;
    [lost, won, unlike].into_iter().flatten().for_each(clean);
    for Drift { name, message, .. } in &mut found.drift {
        clean(name);
        clean(message);
    }
    found.unshared.iter_mut().flatten().for_each(|model| *model = safe_line(model.as_str()).as_str().into());
    found
}

/// The words of a finding.
fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Worse => "worse",
        Finding::Better => "better",
        Finding::NotToldApart => "not told apart",
        Finding::NothingInCommon => "nothing in common",
    }
}

/// `92.0 % then, 85.0 % now: -7.0 points (95 % interval -11.0 to -3.1), p 0.0012 for worse`.
fn change(part: &Part) -> String {
    let (before, now) = (&part.comparison.baseline, &part.comparison.candidate);
    let (Some(change), Some(old), Some(new)) = (&part.comparison.change, before.rate, now.rate) else {
        return "no case is on both sides".to_owned();
    };
    let interval = change.interval.map_or_else(
        || "no interval: every case changed alike, or there is one only".to_owned(),
        |[low, high]| format!("95 % interval {} to {}", bare(low), bare(high)),
    );
    let p = match (change.p_worse, change.p_better) {
        (Some(worse), _) if change.diff < 0.0 => format!(", {} for worse", p(worse)),
        (_, Some(better)) if change.diff > 0.0 => format!(", {} for better", p(better)),
        _ => String::new(),
    };
    format!("{} then, {} now: {} ({interval}){p}", percent(old), percent(new), Points(change.diff))
}

/// Points without the word.
fn bare(share: f64) -> String {
    Points(share).to_string().trim_end_matches(" points").to_owned()
}

/// `p 0.012`, `p <1e-12`.
fn p(value: f64) -> String {
    format!("p {}", P(value))
}

/// `40 cases, 200 trials then and 200 now, 0 and 3 invalid; exact stratified test`.
fn basis(part: &Part) -> String {
    let comparison = &part.comparison;
    let (before, now) = (&comparison.baseline, &comparison.candidate);
    let invalid = match before.invalid + now.invalid {
        0 => String::new(),
        _ => format!(", {} and {} invalid", before.invalid, now.invalid),
    };
    let method = comparison.change.as_ref().map(|change| match change.method {
        Method::Exact => "; exact stratified test".to_owned(),
        Method::PairedT => format!("; paired t over {}", count(change.units as u64, "cluster")),
        Method::SignFlip => format!("; sign-flip test over {}", count(change.units as u64, "cluster")),
    });
    format!(
        "{}, {} then and {} now{invalid}{}",
        count(comparison.cases as u64, "case"),
        count(before.trials, "trial"),
        now.trials,
        method.unwrap_or_default()
    )
}

/// What the trials could have shown, and what would show more.
fn sight(change: &Change) -> String {
    let help = match change.floor {
        Floor::Candidate => "more trials now would show smaller ones",
        Floor::Baseline => "more trials now will not help: pool more of what came before",
        Floor::Cases => "more trials will not help: add cases",
    };
    match change.smallest_drop {
        Some(drop) => format!("smallest drop we would likely have seen: {:.1} points; {help}", drop * 100.0),
        None => format!("no drop would likely have been seen; {help}"),
    }
}

/// `5 of 5`.
fn of(tally: crate::stats::Tally) -> String {
    format!("{} of {}", tally.passed, tally.trials)
}

/// The cells of a case that moved: name, then, now, change, p, Holm, Benjamini and Hochberg.
fn mover(mover: &Mover) -> [String; 7] {
    [
        mover.case.clone(),
        of(mover.baseline),
        of(mover.candidate),
        bare(mover.diff),
        P(mover.p).to_string(),
        P(mover.holm).to_string(),
        P(mover.discovery).to_string(),
    ]
}

const HEADER: [&str; 7] = ["", "then", "now", "points", "p", "Holm", "BH"];

/// What the columns of cases that moved mean.
const LEGEND: &str =
    "p: by chance, for one case alone; Holm: among all cases, for a yes or no; BH: for reading the list.";

/// Why a case is unlike.
fn unlike(what: Unlike) -> &'static str {
    match what {
        Unlike::Case(what) => what.as_str(),
        Unlike::Suite => "the text of the suite, so that nobody knows whether the prompts are the same",
    }
}

/// A sentence that ends in a list of names.
struct Told {
    what: String,
    names: Vec<String>,
}

impl Told {
    fn new(what: String, names: &[String]) -> Self {
        Self { what, names: names.to_vec() }
    }

    /// For a terminal.
    fn plain(&self, most: usize) -> String {
        if self.names.is_empty() {
            self.what.clone()
        } else {
            format!("{}: {}", self.what, some(&self.names, most))
        }
    }
}

/// What was left out.
fn left_out(part: &Part) -> Vec<Told> {
    let excluded = &part.comparison.excluded;
    let plain = [
        ("new, only on the later side", &excluded.new),
        ("removed, only on the earlier side", &excluded.removed),
        ("without a valid trial on one side", &excluded.unseen),
    ];
    let mut told: Vec<Told> = plain
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(why, names)| Told::new(format!("{} {why}", names.len()), names))
        .collect();
    let mut whats: Vec<Unlike> = vec![];
    for changed in &part.changed {
        if !whats.contains(&changed.what) {
            whats.push(changed.what);
        }
    }
    for what in whats {
        let alike = part.changed.iter().filter(|changed| changed.what == what);
        let names: Vec<String> = alike.map(|changed| changed.case.clone()).collect();
        told.push(Told::new(format!("{} another case now ({} changed)", names.len(), unlike(what)), &names));
    }
    told
}

/// The first few names.
fn some(names: &[String], most: usize) -> String {
    let mut shown = names.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > most {
        shown.push_str(&format!(" and {} more", names.len() - most));
    }
    shown
}

/// What is exact; nothing when there is nothing exact.
fn exact(exact: &Exact) -> Vec<Told> {
    let Exact { hold, fail, lost, won, unlike } = exact;
    if *hold + *fail + lost.len() + won.len() + unlike.len() == 0 {
        return vec![];
    }
    let mut told = vec![Told::new(format!("{hold} hold on both sides, {fail} fail on both"), &[])];
    let lists = [("hold no more", lost), ("hold now", won), ("not compared", unlike)];
    let lists = lists.into_iter().filter(|(_, names)| !names.is_empty());
    told.extend(lists.map(|(what, names)| Told::new(format!("{} {what}", names.len()), names)));
    told
}

/// Models that only one side has.
fn unshared(found: &SideBySide) -> Vec<Told> {
    let sides = found.unshared.iter().zip(["only on the earlier side", "only on the later side"]);
    sides
        .filter(|(models, _)| !models.is_empty())
        .map(|(models, what)| {
            Told::new(what.to_owned(), &models.iter().map(ToString::to_string).collect::<Vec<_>>())
        })
        .collect()
}

/// What a judge preferred, as a sentence.
fn preference(found: &Preferred) -> String {
    let undecided =
        if found.failed > 0 { format!(", {} could not be decided", found.failed) } else { String::new() };
    let flipped = if found.flipped > 0 {
        format!(" (in {} of them it changed its mind with the order)", found.flipped)
    } else {
        String::new()
    };
    let p = found.p_worse.map(|p| format!("; {} for worse, by the sign test over cases", self::p(p)));
    format!(
        "The judge prefers the later side in {}, the earlier one in {}, neither in {}{flipped}{undecided}{}. It advises; nothing is decided by it.",
        count(found.now, "pair"),
        found.before,
        found.ties,
        p.unwrap_or_default()
    )
}
