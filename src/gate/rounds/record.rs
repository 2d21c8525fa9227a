//! What is stored of a gate, and how its verdict is found again from that alone.

use serde::{Deserialize, Serialize};

use super::machine::Tracked;
use super::{ChangeLook, Gate, GateCase, GateError, Look, Next, Ruling, Seen, Settings, Slot};
use crate::stats::change::suite_change_interval;
use crate::stats::power::{Design, Risks, smallest_drop};
use crate::stats::{Pair, Tally};

/// Everything a verdict rests on: settings, baselines, outcomes by round, and what every look found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this form.
    pub version: u32,
    /// Every number of the algorithm.
    pub settings: Settings,
    /// The cases compared, in the order of the suite.
    pub cases: Vec<CaseRecord>,
    /// Cases without a baseline, which were not compared.
    pub new_cases: Vec<String>,
    /// What every look found, in order.
    pub looks: Vec<Look>,
    /// The verdict, if it was reached.
    pub ruling: Option<Ruling>,
}

/// A case in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRecord {
    /// Its name.
    pub id: String,
    /// Its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What accepted nights gave.
    pub baseline: Tally,
    /// Whether it was quarantined.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quarantined: bool,
    /// A letter per round: `p`ass, `f`ail, `i`nvalid, `.` for none.
    pub rounds: String,
    /// The same per fresh trial.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub confirm: String,
}

const VERSION: u32 = 1;

impl Record {
    pub(super) fn of(gate: &Gate, ruling: Option<Ruling>) -> Self {
        Self {
            version: VERSION,
            settings: gate.settings.clone(),
            cases: gate.cases.iter().map(CaseRecord::of).collect(),
            new_cases: gate.new_cases.clone(),
            looks: gate.looks.clone(),
            ruling,
        }
    }

    /// The gate again from settings, baselines and outcomes; the stored looks and verdict are not read. The verdict is
    /// sound when the result equals this record.
    ///
    /// Errors: as [`Gate::new`] and [`Gate::observe`], and for letters that mean nothing.
    pub fn recompute(&self) -> Result<Self, GateError> {
        let mut gate = self.begin()?;
        for case in &self.cases {
            let bad = || GateError::BadRecord(case.id.clone());
            for (letters, slot) in
                [(&case.rounds, Slot::Round as fn(u32) -> Slot), (&case.confirm, Slot::Confirm)]
            {
                for (at, letter) in (1..).zip(letters.chars()) {
                    if let Some(seen) = read(letter).ok_or_else(bad)? {
                        gate.observe(&case.id, slot(at), seen)?;
                    }
                }
            }
        }
        let ruling = match gate.advance() {
            Next::Decided(ruling) => Some(ruling),
            Next::Round(_) | Next::Confirm(_) => None,
        };
        Ok(Self::of(&gate, ruling))
    }

    /// The gate before its first trial: settings, cases and baselines, without outcomes.
    ///
    /// Errors: as [`Gate::new`].
    pub fn begin(&self) -> Result<Gate, GateError> {
        let without_baseline = |id: &String| GateCase {
            id: id.clone(),
            group: None,
            baseline: Tally::default(),
            quarantined: false,
        };
        let cases = self.cases.iter().map(CaseRecord::case);
        let cases = cases.chain(self.new_cases.iter().map(without_baseline)).collect();
        Gate::new(self.settings.clone(), cases)
    }

    /// The change of the suite over the rounds looked at, between bounds of this one-sided confidence; for reports, since
    /// a look that fails holds none. `None` when a case has no valid trial.
    pub fn change(&self, conf: f64) -> Option<ChangeLook> {
        let change = suite_change_interval(&self.pairs(), conf, self.settings.deff_floor)?;
        Some(ChangeLook { diff: change.diff, lower: change.interval.low, upper: change.interval.high, conf })
    }

    /// Baseline and rounds of every case.
    fn pairs(&self) -> Vec<Pair> {
        let rounds = self.looks.len();
        let pair = |case: &CaseRecord| Pair { baseline: case.baseline, candidate: case.tally(rounds) };
        self.cases.iter().map(pair).collect()
    }

    /// The smallest drop of the suite that these rounds would likely have shown: 80 % power at the suite's part of the
    /// false alarms. `None` when a case has no valid trial, and when no drop would have shown.
    pub fn smallest_drop(&self) -> Option<f64> {
        let alpha = self.settings.alpha * self.settings.split[0];
        smallest_drop(&Design::observed(&self.pairs())?, Risks { alpha, power: 0.8 })
    }
}

impl CaseRecord {
    /// What its first rounds gave, fresh trials that confirm left out.
    pub fn tally(&self, rounds: usize) -> Tally {
        let count = |wanted: &[char]| {
            self.rounds.chars().take(rounds).filter(|letter| wanted.contains(letter)).count() as u64
        };
        Tally { trials: count(&['p', 'f']), passed: count(&['p']) }
    }

    fn of(tracked: &Tracked) -> Self {
        let Tracked { case, rounds, fresh } = tracked;
        Self {
            id: case.id.clone(),
            group: case.group.clone(),
            baseline: case.baseline,
            quarantined: case.quarantined,
            rounds: letters(rounds),
            confirm: letters(fresh),
        }
    }

    fn case(&self) -> GateCase {
        GateCase {
            id: self.id.clone(),
            group: self.group.clone(),
            baseline: self.baseline,
            quarantined: self.quarantined,
        }
    }
}

fn letters(seen: &[Option<Seen>]) -> String {
    let letter = |seen: &Option<Seen>| match seen {
        Some(Seen::Pass) => 'p',
        Some(Seen::Fail) => 'f',
        Some(Seen::Invalid) => 'i',
        None => '.',
    };
    seen.iter().map(letter).collect::<String>().trim_end_matches('.').to_owned()
}

fn read(letter: char) -> Option<Option<Seen>> {
    match letter {
        'p' => Some(Some(Seen::Pass)),
        'f' => Some(Some(Seen::Fail)),
        'i' => Some(Some(Seen::Invalid)),
        '.' => Some(None),
        _ => None,
    }
}
