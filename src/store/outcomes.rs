//! What trials gave and nothing else: enough to accept a run into a baseline and to compare runs, at a fraction of the
//! time and memory of a whole record.
//!
//! Checked on the way: the seal of every planned trial and of every verdict. Not looked at: transcripts, which a verdict
//! does not change with; `runs check` looks at everything.

use std::collections::HashMap;

use serde::Deserialize;

use super::baseline::{LaneKey, LanePrint, Prints};
use super::record::Manifest;
use super::{Reader, StoreError, pack};
use crate::ids::{CaseKey, CaseName, ClientName, ModelName, PersonaName, Pool, ScoreKey};
use crate::score::Outcome;
use crate::stats::Tally;
use crate::transcript::CaseKind;

/// What the trials of a run gave, lane by lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcomes {
    /// What the run is about.
    pub manifest: Manifest,
    /// What it was measured with.
    pub prints: Prints,
    /// Its lanes, in the order of their keys.
    pub lanes: Vec<LaneOutcome>,
    /// Trials that are planned.
    pub planned: u64,
    /// Trials whose bytes do not match their seal: they count as missing.
    pub damaged: u64,
}

/// What the trials of one lane gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneOutcome {
    /// Use, access or auth.
    pub kind: CaseKind,
    /// The lane.
    pub key: LaneKey,
    /// What was measured.
    pub print: LanePrint,
    /// The tags of the case.
    pub tags: Vec<String>,
    /// The valid trials, without those that only confirm.
    pub tally: Tally,
    /// Trials that gave nothing, without those that only confirm.
    pub invalid: u64,
    /// Planned trials without a verdict.
    pub missing: u64,
    /// Fresh trials that confirmed or cleared a suspect; never part of a rate.
    pub confirms: Tally,
    /// The case is known to fail.
    pub expected_failure: bool,
}

impl LaneOutcome {
    /// Whether a model worked on it.
    pub fn is_use(&self) -> bool {
        self.kind == CaseKind::Use
    }
}

/// What is read of a planned trial.
#[derive(Deserialize)]
struct Plan {
    header: Header,
    score_key: ScoreKey,
    #[serde(default)]
    expected_failure: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    confirms: bool,
}

#[derive(Deserialize)]
struct Header {
    key: CaseKey,
    case: CaseName,
    kind: CaseKind,
    model: Option<ModelName>,
    persona: PersonaName,
    client: ClientName,
    tags: Vec<String>,
}

/// Lanes while they are counted.
#[derive(Default)]
struct Counting {
    pool: Pool,
    at: HashMap<(LaneKey, LanePrint), usize>,
    lanes: Vec<LaneOutcome>,
}

impl Counting {
    fn lane(&mut self, mut plan: Plan) -> &mut LaneOutcome {
        let header = &mut plan.header;
        header.case.share(&mut self.pool);
        header.persona.share(&mut self.pool);
        header.client.share(&mut self.pool);
        header.model.iter_mut().for_each(|model| model.share(&mut self.pool));
        let Header { key, case, kind, model, persona, client, tags } = plan.header;
        let print = LanePrint { question: key.question, model: key.model, score: plan.score_key.0 };
        let key = LaneKey { case, model, persona, client };
        let known = self.at.get(&(key.clone(), print)).copied();
        let at = known.unwrap_or_else(|| {
            self.at.insert((key.clone(), print), self.lanes.len());
            self.lanes.push(LaneOutcome {
                kind,
                key,
                print,
                tags,
                tally: Tally::default(),
                invalid: 0,
                missing: 0,
                confirms: Tally::default(),
                expected_failure: plan.expected_failure.is_some(),
            });
            self.lanes.len() - 1
        });
        &mut self.lanes[at]
    }

    fn count(&mut self, plan: Plan, outcome: Option<Outcome>) {
        let confirms = plan.confirms;
        let lane = self.lane(plan);
        let one = |passed| Tally { trials: 1, passed };
        match (outcome, confirms) {
            (Some(Outcome::Pass), false) => lane.tally = lane.tally.plus(one(1)),
            (Some(Outcome::Fail), false) => lane.tally = lane.tally.plus(one(0)),
            (Some(Outcome::Pass), true) => lane.confirms = lane.confirms.plus(one(1)),
            (Some(Outcome::Fail), true) => lane.confirms = lane.confirms.plus(one(0)),
            (Some(Outcome::Invalid), false) => lane.invalid += 1,
            (Some(Outcome::Invalid), true) => {}
            (None, _) => lane.missing += 1,
        }
    }
}

impl Reader {
    /// What the trials gave, lane by lane.
    pub fn outcomes(&self) -> Result<Outcomes, StoreError> {
        let manifest = self.manifest()?;
        let planned = self.bare_manifest()?.1;
        let (mut lanes, seen, mut damaged) = self.counted().map_err(|error| self.unreadable(&error))?;
        damaged += planned.saturating_sub(seen);
        lanes.sort_by(|a, b| (a.kind, &a.key, a.print).cmp(&(b.kind, &b.key, b.print)));
        let mut prints = Prints::without_trials(&manifest);
        prints.models =
            lanes.iter().filter_map(|lane| Some((lane.key.model.clone()?, lane.print.model))).collect();
        Ok(Outcomes { manifest, prints, lanes, planned, damaged })
    }

    /// Lanes, rows seen, and how many of these are damaged.
    fn counted(&self) -> rusqlite::Result<(Vec<LaneOutcome>, u64, u64)> {
        let mut rows = self.conn().prepare(
            "SELECT t.key, t.wanted, t.planned, t.seal, v.outcome, v.verdict, v.judge, v.seal
             FROM trials t LEFT JOIN verdicts v ON v.trial = t.id WHERE t.wanted = 1 ORDER BY t.id",
        )?;
        let mut rows = rows.query([])?;
        let mut counting = Counting::default();
        let (mut seen, mut damaged) = (0, 0);
        while let Some(row) = rows.next()? {
            seen += 1;
            let text = |at| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
            let Ok((key, planned, seal)) = (|| Ok::<_, rusqlite::Error>((text(0)?, text(2)?, text(3)?)))()
            else {
                damaged += 1;
                continue;
            };
            let intact = pack::seal_trial(key, row.get(1)?, planned) == seal;
            let Some(plan) = intact.then(|| serde_json::from_str::<Plan>(planned).ok()).flatten() else {
                damaged += 1;
                continue;
            };
            let outcome = match row.get_ref(4)? {
                rusqlite::types::ValueRef::Null => None,
                _ => {
                    let sealed = || Ok::<_, rusqlite::Error>((text(4)?, text(5)?, text(6)?, text(7)?));
                    let read = sealed()
                        .ok()
                        .filter(|(_, verdict, judge, seal)| pack::seal_verdict(key, verdict, judge) == *seal);
                    let known = read.and_then(|(outcome, ..)| outcome_of(outcome));
                    damaged += u64::from(known.is_none());
                    known
                }
            };
            counting.count(plan, outcome);
        }
        Ok((counting.lanes, seen, damaged))
    }
}

fn outcome_of(word: &str) -> Option<Outcome> {
    match word {
        "pass" => Some(Outcome::Pass),
        "fail" => Some(Outcome::Fail),
        "invalid" => Some(Outcome::Invalid),
        _ => None,
    }
}
