//! A run joins a baseline.

use std::collections::{BTreeMap, BTreeSet};

use super::{Baseline, Lane, LaneKey, LaneNight, LanePrint, NIGHTS_KEPT, Night};
use crate::ids::RunId;
use crate::store::outcomes::LaneOutcome;

/// What accepting a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The run was in already and was replaced by what its file says now.
    pub again: bool,
    /// Lanes it adds trials to.
    pub lanes: usize,
    /// Lanes nothing was known of before.
    pub new: Vec<LaneKey>,
    /// Lanes that are another case now: older trials are set aside.
    pub set_aside: Vec<LaneKey>,
    /// Nights that are too old to be kept.
    pub dropped: Vec<RunId>,
}

impl Baseline {
    /// Adds what a run gave. Use cases alone enter; the order in which runs are accepted does not matter.
    pub fn accept(&mut self, night: Night, outcomes: &[LaneOutcome]) -> Accepted {
        let mut done = Accepted { again: self.night(&night.run).is_some(), ..Accepted::default() };
        let run = night.run.clone();
        let mut lanes = self.by_key();
        for nights in lanes.values_mut() {
            nights.remove(&run);
        }
        self.nights.retain(|known| known.run != run);
        self.nights.push(night);
        self.nights.sort_by(|a, b| (&b.started, &b.run).cmp(&(&a.started, &a.run)));
        for outcome in outcomes.iter().filter(|outcome| outcome.is_use()) {
            let nights = lanes.entry(outcome.key.clone()).or_default();
            if nights.is_empty() {
                done.new.push(outcome.key.clone());
            } else if nights.values().all(|(_, print)| *print != outcome.print) {
                done.set_aside.push(outcome.key.clone());
            }
            let seen = LaneNight {
                run: run.clone(),
                trials: outcome.tally.trials,
                passed: outcome.tally.passed,
                invalid: outcome.invalid,
                was: None,
            };
            nights.insert(run.clone(), (seen, outcome.print));
            done.lanes += 1;
        }
        done.dropped = self.forget();
        self.rebuild(lanes);
        done
    }

    /// The same as if a run had never been accepted: nothing is compared with itself.
    #[must_use]
    pub fn without(mut self, run: &RunId) -> Self {
        let mut lanes = self.by_key();
        for nights in lanes.values_mut() {
            nights.remove(run);
        }
        self.nights.retain(|night| night.run != *run);
        self.pinned = self.pinned.filter(|pinned| pinned != run);
        self.rebuild(lanes);
        self
    }

    /// Drops nights that are neither among the newest nor among those the pinned one begins.
    fn forget(&mut self) -> Vec<RunId> {
        let pinned = self.nights.iter().position(|night| Some(&night.run) == self.pinned.as_ref());
        let kept =
            |at: usize| at < NIGHTS_KEPT || pinned.is_some_and(|pin| (pin..pin + NIGHTS_KEPT).contains(&at));
        let mut dropped = vec![];
        let mut at = 0;
        self.nights.retain(|night| {
            let keep = kept(at);
            at += 1;
            if !keep {
                dropped.push(night.run.clone());
            }
            keep
        });
        dropped
    }

    /// The lanes with each night's own print.
    fn by_key(&self) -> ByKey {
        let lane = |lane: &Lane| {
            let print = |seen: &LaneNight| seen.was.unwrap_or(lane.print);
            lane.seen.iter().map(|seen| (seen.run.clone(), (seen.clone(), print(seen)))).collect()
        };
        self.lanes.iter().map(|known| (known.key.clone(), lane(known))).collect()
    }

    /// Sets the lanes anew, each in the order of the nights that are kept.
    fn rebuild(&mut self, lanes: ByKey) {
        let kept: BTreeSet<&RunId> = self.nights.iter().map(|night| &night.run).collect();
        let lane = |(key, mut nights): (LaneKey, BTreeMap<RunId, (LaneNight, LanePrint)>)| {
            nights.retain(|run, _| kept.contains(run));
            let ordered = self.nights.iter().filter_map(|night| nights.remove(&night.run));
            let ordered: Vec<(LaneNight, LanePrint)> = ordered.collect();
            let print = ordered.first()?.1;
            let seen = ordered
                .into_iter()
                .map(|(seen, own)| LaneNight { was: (own != print).then_some(own), ..seen })
                .collect();
            Some(Lane { key, print, seen })
        };
        let lanes: Vec<Lane> = lanes.into_iter().filter_map(lane).collect();
        self.lanes = lanes;
    }
}

type ByKey = BTreeMap<LaneKey, BTreeMap<RunId, (LaneNight, LanePrint)>>;
