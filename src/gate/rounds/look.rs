//! One look at the rounds so far: is the suite or a group worse, and is the suite surely not?

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::GateCase;
use super::settings::{Levels, Settings};
use crate::stats::change::suite_change_interval;
use crate::stats::exact::stratified_exact;
use crate::stats::{Pair, Tally};

/// What a look found, with everything it was measured against. A look that fails early holds no later part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// The round, from 1.
    pub round: u32,
    /// As few passes or fewer by chance, if no case changed.
    pub p_suite: f64,
    /// At or below this the suite is worse.
    pub alpha_suite: f64,
    /// Every group, in the order of the suite.
    pub groups: Vec<GroupLook>,
    /// The smallest p-value of a group; 1 without groups.
    pub p_group_min: f64,
    /// The same, times the number of groups.
    pub p_group_adjusted: f64,
    /// At or below this a group is worse.
    pub alpha_group: f64,
    /// Cases that this round put under suspicion; `None` when the round had failed before.
    pub suspects: Option<Vec<String>>,
    /// Every suspect so far with what its fresh trials gave.
    pub confirmed: Vec<SuspectLook>,
    /// The smallest p-value of a suspect so far, times their number; 1 without suspects.
    pub p_case_adjusted: Option<f64>,
    /// At or below this a case is worse.
    pub alpha_case: f64,
    /// The change of the suite; `None` when the round had failed before, or a case has no valid trial.
    pub change: Option<ChangeLook>,
    /// Valid trials so far, confirmations left out.
    pub valid: u64,
    /// Invalid trials so far, confirmations left out.
    pub invalid: u64,
    /// Cases without a valid trial so far; with any, the gate does not pass.
    pub unseen: Vec<String>,
}

/// A group in a look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupLook {
    /// Its name.
    pub group: String,
    /// As few passes or fewer by chance, if no case of it changed.
    pub p: f64,
}

/// A suspect in a look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuspectLook {
    /// The case.
    pub case: String,
    /// What its fresh trials gave.
    pub fresh: Tally,
    /// Fisher's exact p-value of the fresh trials against the baseline.
    pub p: f64,
}

/// The change of the suite in a look.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeLook {
    /// Candidate minus baseline, as a share.
    pub diff: f64,
    /// The one-sided lower bound; above minus the margin the suite passes.
    pub lower: f64,
    /// The one-sided upper bound.
    pub upper: f64,
    /// The one-sided confidence.
    pub conf: f64,
}

/// A case with what its rounds gave so far.
pub(super) struct Standing<'a> {
    pub case: &'a GateCase,
    pub tally: Tally,
    pub invalid: u64,
}

impl Standing<'_> {
    fn pair(&self) -> Pair {
        Pair { baseline: self.case.baseline, candidate: self.tally }
    }
}

/// The first part of a look: the suite and its groups.
pub(super) fn look(round: u32, standings: &[Standing<'_>], levels: Levels) -> Look {
    let groups = groups(standings);
    let p_group_min = groups.iter().map(|group| group.p).fold(1.0, f64::min);
    let unseen = standings.iter().filter(|case| case.tally.trials == 0);
    Look {
        round,
        p_suite: p_worse(&standings.iter().map(Standing::pair).collect::<Vec<_>>()),
        alpha_suite: levels.suite,
        p_group_min,
        p_group_adjusted: (p_group_min * groups.len().max(1) as f64).min(1.0),
        alpha_group: levels.group,
        groups,
        suspects: None,
        confirmed: vec![],
        p_case_adjusted: None,
        alpha_case: levels.case,
        change: None,
        valid: standings.iter().map(|case| case.tally.trials).sum(),
        invalid: standings.iter().map(|case| case.invalid).sum(),
        unseen: unseen.map(|case| case.case.id.clone()).collect(),
    }
}

/// Groups that may raise an alarm, in the order of the suite.
fn groups(standings: &[Standing<'_>]) -> Vec<GroupLook> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut members: Vec<(&str, Vec<Pair>)> = vec![];
    for standing in standings.iter().filter(|standing| !standing.case.quarantined) {
        let Some(group) = standing.case.group.as_deref() else { continue };
        let place = *places.entry(group).or_insert(members.len());
        if place == members.len() {
            members.push((group, vec![]));
        }
        members[place].1.push(standing.pair());
    }
    members
        .into_iter()
        .map(|(group, pairs)| GroupLook { group: group.to_owned(), p: p_worse(&pairs) })
        .collect()
}

fn p_worse(pairs: &[Pair]) -> f64 {
    // Without cases there is no evidence.
    stratified_exact(pairs).map_or(1.0, |test| test.p_worse)
}

/// The last part of a look: the change of the suite.
pub(super) fn change(standings: &[Standing<'_>], conf: f64, settings: &Settings) -> Option<ChangeLook> {
    let pairs: Vec<Pair> = standings.iter().map(Standing::pair).collect();
    let change = suite_change_interval(&pairs, conf, settings.deff_floor)?;
    Some(ChangeLook { diff: change.diff, lower: change.interval.low, upper: change.interval.high, conf })
}

impl Look {
    /// Groups that are worse, the clearest first.
    pub(super) fn fallen_groups(&self) -> Vec<String> {
        let count = self.groups.len() as f64;
        let mut fallen: Vec<&GroupLook> =
            self.groups.iter().filter(|group| group.p * count <= self.alpha_group).collect();
        fallen.sort_by(|a, b| a.p.total_cmp(&b.p));
        fallen.into_iter().map(|group| group.group.clone()).collect()
    }

    /// Whether the trials are too thin to certify anything: too many invalid, or a case without any valid one.
    pub(super) fn is_degraded(&self, max_invalid: f64) -> bool {
        let all = self.valid + self.invalid;
        !self.unseen.is_empty() || self.invalid as f64 > max_invalid * all as f64
    }
}
