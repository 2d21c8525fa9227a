//! The state machine: trials in, in any order; what is needed next out.

use std::collections::HashMap;

use super::confirm::{examined, most_suspects, was_reliable};
use super::look::{Look, Standing, change, look};
use super::record::Record;
use super::settings::{Levels, Settings};
use super::{GateCase, GateError, Next, Ruling, Seen, Slot, Wanted, Why};
use crate::stats::Tally;

/// A gate at work. What it says depends on the trials it was told of, never on the order they finished in.
#[derive(Clone, Debug)]
pub struct Gate {
    pub(super) settings: Settings,
    pub(super) cases: Vec<Tracked>,
    pub(super) new_cases: Vec<String>,
    pub(super) looks: Vec<Look>,
    places: HashMap<String, usize>,
    levels: Vec<Levels>,
    /// Suspects so far, in the order they were suspected.
    suspects: Vec<usize>,
    /// The look whose suspects are being confirmed.
    open: Option<Look>,
    ruling: Option<Ruling>,
}

/// A case with all that was reported of it.
#[derive(Clone, Debug)]
pub(super) struct Tracked {
    pub case: GateCase,
    pub rounds: Vec<Option<Seen>>,
    pub fresh: Vec<Option<Seen>>,
}

impl Gate {
    /// A gate over `cases`, in the order of the suite. Cases without a baseline are set aside as new.
    ///
    /// Errors: no case has a baseline, a name is there twice, a baseline has more passes than trials, or a setting is
    /// out of range.
    pub fn new(settings: Settings, cases: Vec<GateCase>) -> Result<Self, GateError> {
        let settings = settings.checked()?;
        let (mut tracked, mut new_cases, mut places) = (vec![], vec![], HashMap::new());
        for case in cases {
            if places.insert(case.id.clone(), tracked.len()).is_some() {
                return Err(GateError::Twice(case.id));
            }
            if case.baseline.passed > case.baseline.trials {
                return Err(GateError::BadBaseline(case.id));
            }
            if case.baseline.trials == 0 {
                places.insert(case.id.clone(), usize::MAX);
                new_cases.push(case.id);
                continue;
            }
            let rounds = vec![None; settings.max_rounds as usize];
            let fresh = vec![None; settings.confirm_trials as usize];
            tracked.push(Tracked { case, rounds, fresh });
        }
        if tracked.is_empty() {
            return Err(GateError::NoBaseline);
        }
        let levels = settings.levels();
        Ok(Self {
            settings,
            cases: tracked,
            new_cases,
            looks: vec![],
            places,
            levels,
            suspects: vec![],
            open: None,
            ruling: None,
        })
    }

    /// Notes a finished trial. A trial nobody asked for is kept and counts only if it comes to be wanted; one of a new
    /// case is not compared. An invalid trial is noted when its retries are used up.
    ///
    /// Errors: the case is unknown, the slot does not exist, or it was reported before with another result.
    pub fn observe(&mut self, case: &str, slot: Slot, seen: Seen) -> Result<(), GateError> {
        let place = *self.places.get(case).ok_or_else(|| GateError::UnknownCase(case.to_owned()))?;
        let Some(tracked) = self.cases.get_mut(place) else { return Ok(()) };
        let (trials, at) = match slot {
            Slot::Round(round) => (&mut tracked.rounds, round),
            Slot::Confirm(trial) => (&mut tracked.fresh, trial),
        };
        let kept = (at as usize).checked_sub(1).and_then(|at| trials.get_mut(at));
        match kept {
            None => Err(GateError::NoSuchSlot(case.to_owned())),
            Some(Some(before)) if *before != seen => Err(GateError::Contradiction(case.to_owned())),
            Some(kept) => {
                *kept = Some(seen);
                Ok(())
            }
        }
    }

    /// What is needed next: the trials of a round that are still missing, the fresh trials of suspects that are still
    /// missing, or nothing more.
    pub fn advance(&mut self) -> Next {
        loop {
            if let Some(ruling) = &self.ruling {
                return Next::Decided(ruling.clone());
            }
            let wanted = self.missing();
            match (&self.open, wanted.is_empty()) {
                (None, false) => return Next::Round(wanted),
                (Some(_), false) => return Next::Confirm(wanted),
                (None, true) => self.begin_look(),
                (Some(_), true) => self.end_look(),
            }
        }
    }

    /// What each case is measured against, in the order of the suite.
    pub fn baselines(&self) -> Vec<Tally> {
        self.cases.iter().map(|tracked| tracked.case.baseline).collect()
    }

    /// Every number it works with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Everything the verdict rests on, and the verdict, if it is reached.
    pub fn record(&self) -> Record {
        Record::of(self, self.ruling.clone())
    }

    /// The round at work, from 1.
    fn round(&self) -> u32 {
        self.looks.len() as u32 + 1
    }

    fn missing(&self) -> Vec<Wanted> {
        let wanted = |tracked: &Tracked, slot| Wanted { case: tracked.case.id.clone(), slot };
        if self.open.is_none() {
            let round = self.round();
            let missing = self.cases.iter().filter(|tracked| seen_in(tracked, round).is_none());
            return missing.map(|tracked| wanted(tracked, Slot::Round(round))).collect();
        }
        let suspects = self.suspects.iter().map(|at| &self.cases[*at]);
        let missing = suspects.flat_map(|tracked| {
            let empty = (1..).zip(&tracked.fresh).filter(|(_, seen)| seen.is_none());
            empty.map(|(trial, _)| wanted(tracked, Slot::Confirm(trial)))
        });
        missing.collect()
    }

    fn begin_look(&mut self) {
        let round = self.round();
        let Some(levels) = self.levels.get(self.looks.len()).copied() else { return };
        let mut found = look(round, &self.standings(), levels);
        let fallen = found.fallen_groups();
        let why = if found.p_suite <= found.alpha_suite {
            Some(Why::Suite)
        } else {
            (!fallen.is_empty()).then_some(Why::Groups(fallen))
        };
        if let Some(why) = why {
            self.looks.push(found);
            return self.rule(why);
        }
        let suspects = self.new_suspects(round);
        found.suspects = Some(suspects.iter().map(|at| self.cases[*at].case.id.clone()).collect());
        self.suspects.extend(suspects);
        self.open = Some(found);
    }

    fn new_suspects(&self, round: u32) -> Vec<usize> {
        let suspicious = |(at, tracked): &(usize, &Tracked)| {
            seen_in(tracked, round) == Some(Seen::Fail)
                && was_reliable(&tracked.case, &self.settings)
                && !self.suspects.contains(at)
        };
        let found = self.cases.iter().enumerate().filter(suspicious).map(|(at, _)| at);
        found.take(most_suspects(&self.settings, self.cases.len())).collect()
    }

    fn end_look(&mut self) {
        let Some(mut found) = self.open.take() else { return };
        let confirmed = self.suspects.iter().map(|at| {
            let Tracked { case, fresh, .. } = &self.cases[*at];
            let fresh: Vec<Seen> = fresh.iter().flatten().copied().collect();
            examined(case, &fresh)
        });
        let fallen = found.enter_suspects(confirmed.collect());
        if !fallen.is_empty() {
            self.looks.push(found);
            return self.rule(Why::Cases(fallen));
        }
        let conf = self.levels.get(self.looks.len()).map_or(1.0, |levels| levels.pass);
        let standings = self.standings();
        found.change = change(&standings, conf, &self.settings);
        let not_worse = found.change.is_some_and(|change| change.lower > -self.settings.margin);
        let degraded = found.is_degraded(self.settings.max_invalid);
        let last = found.round >= self.settings.max_rounds;
        self.looks.push(found);
        match (not_worse, degraded, last) {
            (true, false, _) => self.rule(Why::NotWorse),
            (_, true, true) => self.rule(Why::Degraded),
            (false, false, true) => self.rule(Why::Budget),
            (_, _, false) => {}
        }
    }

    /// What every case gave in the rounds up to the one at work.
    fn standings(&self) -> Vec<Standing<'_>> {
        let so_far = self.round() as usize;
        let standing = |tracked: &'_ Tracked| {
            let seen = tracked.rounds.iter().take(so_far).flatten();
            let mut tally = Tally::default();
            let mut invalid = 0;
            for seen in seen {
                match seen {
                    Seen::Pass => tally = tally.plus(Tally { trials: 1, passed: 1 }),
                    Seen::Fail => tally = tally.plus(Tally { trials: 1, passed: 0 }),
                    Seen::Invalid => invalid += 1,
                }
            }
            (tally, invalid)
        };
        let cases = self.cases.iter().map(|tracked| {
            let (tally, invalid) = standing(tracked);
            Standing { case: &tracked.case, tally, invalid }
        });
        cases.collect()
    }

    fn rule(&mut self, why: Why) {
        let round = self.looks.len() as u32;
        let rounds = u64::from(round) * self.cases.len() as u64;
        let fresh = self.suspects.len() as u64 * u64::from(self.settings.confirm_trials);
        self.ruling = Some(Ruling { why, round, trials: rounds + fresh });
    }
}

fn seen_in(tracked: &Tracked, round: u32) -> Option<Seen> {
    tracked.rounds.get((round as usize).checked_sub(1)?).copied().flatten()
}
