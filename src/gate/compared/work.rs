//! A comparison at work: the gates of a run, one per model, told of trials by their keys and asked what they want next.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::rounds::{CaseRecord, Gate, GateCase, GateError, Knobs, Mode, Next, Seen, Settings, Slot};
use super::standings::{Standing, Standings};
use super::{Base, Compared, Course, Excluded, Exclusion, LaneSeen, VERSION};
use crate::ids::{CaseKey, Digest, ModelName};
use crate::plan::Planned;
use crate::score::Outcome;
use crate::stats::Tally;
use crate::store::baseline::{self, Against, Baseline, LaneKey, LanePrint, Prints, Status};
use crate::store::record::Manifest;
use crate::suite::{GateMode, GatePolicy};
use crate::transcript::CaseKind;

/// A baseline and where it is from.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The baseline.
    pub baseline: &'a Baseline,
    /// Its file, as the user would type it.
    pub file: String,
    /// The digest of its bytes.
    pub digest: Digest,
}

/// The gates of a run at work.
#[derive(Clone, Debug)]
pub struct Gates {
    /// Everything but the gates.
    compared: Compared,
    gates: BTreeMap<ModelName, Gate>,
    /// Lanes by question and model.
    places: HashMap<(Digest, Digest), usize>,
}

/// A trial that is wanted next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The trial.
    pub key: CaseKey,
    /// It confirms or clears a suspect.
    pub confirms: bool,
}

/// What one model's gate does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A round: one trial of each of these many cases.
    Round {
        /// The model.
        model: ModelName,
        /// Which one, from 1.
        round: u32,
        /// How many there are at most.
        of: u32,
        /// Cases.
        cases: usize,
    },
    /// Fresh trials for suspects.
    Confirm {
        /// The model.
        model: ModelName,
        /// Suspects.
        suspects: usize,
        /// Fresh trials each.
        trials: u32,
    },
}

impl Gates {
    /// The gates over the use cases of a plan. Lanes without a history that fits are set aside and named.
    ///
    /// # Errors
    /// The policy of the suite cannot be worked with.
    pub fn begin(
        known: &Known<'_>,
        manifest: &Manifest,
        planned: &[Planned],
        course: Course,
    ) -> Result<Self, GateError> {
        let lanes = lanes(planned);
        let against = against(known.baseline, manifest.gate.mode);
        let ids = baseline::names(lanes.iter().map(|lane| &lane.key));
        let id = |key: &LaneKey| ids.get(key).cloned().unwrap_or_else(|| key.case.to_string());
        let (mut seen, mut excluded) = (vec![], vec![]);
        let mut cases: BTreeMap<ModelName, Vec<GateCase>> = BTreeMap::new();
        for lane in &lanes {
            let pooled = known.baseline.pool_against(&lane.key, &lane.print, against);
            let why = match pooled.status {
                _ if lane.known_to_fail => Some(Exclusion::KnownToFail),
                Status::New => Some(Exclusion::New),
                Status::Changed(what) => Some(Exclusion::Changed(what)),
                Status::Same => None,
            };
            let (id, key) = (id(&lane.key), lane.key.clone());
            match (why, &lane.key.model) {
                (Some(why), _) => excluded.push(Excluded { id, key, why }),
                (None, None) => {}
                (None, Some(model)) => {
                    cases.entry(model.clone()).or_default().push(GateCase {
                        id: id.clone(),
                        group: lane.group.clone(),
                        baseline: pooled.tally,
                        quarantined: manifest
                            .gate
                            .quarantine_of(lane.key.case.as_str(), &manifest.started)
                            .is_some(),
                    });
                    let (nights, left_out) = (pooled.nights, pooled.left_out);
                    let LanePrint { question, model: asked, .. } = lane.print;
                    seen.push(LaneSeen { id, key, question, asked, nights, left_out });
                }
            }
        }
        if is_whole(manifest) {
            excluded.extend(removed(known.baseline, &lanes));
        }
        let settings = settings(&manifest.gate, (course == Course::Fixed).then(|| fewest(&lanes, &seen)))?;
        let gates = cases
            .into_iter()
            .map(|(model, cases)| Ok((model, Gate::new(settings.clone(), cases)?)))
            .collect::<Result<BTreeMap<_, _>, GateError>>()?;
        let nights = known.baseline.nights.iter();
        let start = match (against, &known.baseline.pinned) {
            (Against::Pinned, Some(pinned)) => nights.clone().position(|night| night.run == *pinned),
            _ => None,
        };
        let nights = nights.skip(start.unwrap_or(0)).map(|night| (night.run.clone(), night.started.clone()));
        let compared = Compared {
            version: VERSION,
            course,
            baseline: Base {
                file: known.file.clone(),
                digest: known.digest,
                against,
                nights: nights.collect(),
            },
            drift: known.baseline.drift(&Prints::of(manifest, planned.iter().map(|row| &row.header))),
            gates: BTreeMap::new(),
            lanes: seen,
            excluded,
            unconfirmed: BTreeMap::new(),
            control: BTreeMap::new(),
        };
        Ok(Self { places: places(&compared.lanes), compared, gates })
    }

    /// The gates of a stored comparison before their first trial.
    ///
    /// # Errors
    /// What is stored cannot be worked with.
    pub fn again(compared: Compared) -> Result<Self, GateError> {
        let gates = compared
            .gates
            .iter()
            .map(|(model, record)| Ok((model.clone(), record.begin()?)))
            .collect::<Result<_, GateError>>()?;
        let compared = Compared { unconfirmed: BTreeMap::new(), ..compared };
        Ok(Self { places: places(&compared.lanes), compared, gates })
    }

    /// How trials come about.
    pub fn course(&self) -> Course {
        self.compared.course
    }

    /// Whether nothing can be compared.
    pub fn is_empty(&self) -> bool {
        self.gates.is_empty()
    }

    /// What each model's gate is measured against, with its settings.
    pub fn baselines(&self) -> Vec<(&ModelName, Vec<Tally>, &Settings)> {
        self.gates.iter().map(|(model, gate)| (model, gate.baselines(), gate.settings())).collect()
    }

    /// Whether the trial is of a lane that is compared.
    pub fn compares(&self, key: &CaseKey) -> bool {
        self.places.contains_key(&(key.question, key.model))
    }

    /// Notes what a finished trial gave, when nothing more will be tried about it. Trials of other lanes, and of a fixed
    /// plan those beyond its rounds, are not compared.
    ///
    /// # Errors
    /// The trial was noted before with another result.
    pub fn observe(&mut self, key: &CaseKey, outcome: Outcome) -> Result<(), GateError> {
        let seen = match outcome {
            Outcome::Pass => Seen::Pass,
            Outcome::Fail => Seen::Fail,
            Outcome::Invalid => Seen::Invalid,
        };
        let Some(place) = self.places.get(&(key.question, key.model)) else { return Ok(()) };
        let lane = &self.compared.lanes[*place];
        let Some(gate) = lane.key.model.as_ref().and_then(|model| self.gates.get_mut(model)) else {
            return Ok(());
        };
        let Settings { max_rounds, confirm_trials, .. } = *gate.settings();
        let fresh = key.trial.saturating_sub(max_rounds);
        match fresh {
            0 => gate.observe(&lane.id, Slot::Round(key.trial), seen),
            fresh if fresh <= confirm_trials && self.compared.course == Course::Rounds => {
                gate.observe(&lane.id, Slot::Confirm(fresh), seen)
            }
            _ => Ok(()),
        }
    }

    /// How the compared lanes stand against their baselines; those in quarantine raise no alarm, and are left out.
    pub fn standings(&self) -> Standings {
        let standing = |gate: &Gate, case: CaseRecord| {
            let rounds = gate.settings().max_rounds;
            Standing { baseline: case.baseline, so_far: case.tally(rounds as usize), rounds }
        };
        let by_name: HashMap<(&ModelName, String), Standing> = self
            .gates
            .iter()
            .flat_map(|(model, gate)| gate.record().cases.into_iter().map(move |case| (model, gate, case)))
            .filter(|(.., case)| !case.quarantined)
            .map(|(model, gate, case)| ((model, case.id.clone()), standing(gate, case)))
            .collect();
        let lanes = self.compared.lanes.iter().filter_map(|lane| {
            let standing = by_name.get(&(lane.key.model.as_ref()?, lane.id.clone()))?;
            Some(((lane.question, lane.asked), *standing))
        });
        Standings::new(lanes)
    }

    /// The trials that are needed next, and what they are for. Nothing when every gate is decided, and for a fixed plan.
    pub fn wants(&mut self) -> (Vec<Wanted>, Vec<Phase>) {
        let (mut wanted, mut phases) = (vec![], vec![]);
        if self.compared.course == Course::Fixed {
            return (wanted, phases);
        }
        for (model, gate) in &mut self.gates {
            let next = gate.advance();
            let Settings { max_rounds: of, confirm_trials, .. } = *gate.settings();
            let trials = match &next {
                Next::Decided(_) => continue,
                Next::Round(trials) | Next::Confirm(trials) => trials,
            };
            let cases: BTreeSet<&str> = trials.iter().map(|trial| trial.case.as_str()).collect();
            let (model, cases) = (model.clone(), cases.len());
            phases.push(match trials.first().map(|trial| trial.slot) {
                Some(Slot::Round(round)) => Phase::Round { model: model.clone(), round, of, cases },
                _ => Phase::Confirm { model: model.clone(), suspects: cases, trials: confirm_trials },
            });
            let lanes: HashMap<&str, &LaneSeen> = self
                .compared
                .lanes
                .iter()
                .filter(|lane| lane.key.model.as_ref() == Some(&model))
                .map(|lane| (lane.id.as_str(), lane))
                .collect();
            wanted.extend(trials.iter().filter_map(|trial| {
                let LaneSeen { question, asked, .. } = lanes.get(trial.case.as_str())?;
                let (trial, confirms) = match trial.slot {
                    Slot::Round(round) => (round, false),
                    Slot::Confirm(fresh) => (of + fresh, true),
                };
                Some(Wanted { key: CaseKey { question: *question, model: *asked, trial }, confirms })
            }));
        }
        (wanted, phases)
    }

    /// Everything so far. Suspects of a fixed plan get no fresh trials: their places count as invalid, so that the later
    /// rounds are looked at, and they are named.
    ///
    /// # Errors
    /// A gate contradicts itself.
    pub fn compared(&mut self) -> Result<Compared, GateError> {
        for (model, gate) in &mut self.gates {
            while let Next::Confirm(trials) = gate.advance() {
                if self.compared.course == Course::Rounds {
                    break;
                }
                let named = self.compared.unconfirmed.entry(model.clone()).or_default();
                for trial in trials {
                    gate.observe(&trial.case, trial.slot, Seen::Invalid)?;
                    if !named.contains(&trial.case) {
                        named.push(trial.case);
                    }
                }
            }
        }
        let gates = self.gates.iter().map(|(model, gate)| (model.clone(), gate.record())).collect();
        Ok(Compared { gates, ..self.compared.clone() })
    }
}

fn places(lanes: &[LaneSeen]) -> HashMap<(Digest, Digest), usize> {
    lanes.iter().enumerate().map(|(at, lane)| ((lane.question, lane.asked), at)).collect()
}

/// A lane of a plan.
struct Lane {
    key: LaneKey,
    print: LanePrint,
    group: Option<String>,
    known_to_fail: bool,
    /// Trials planned, those that only confirm left out.
    trials: u32,
}

/// The use lanes of a plan in the order of the suite.
fn lanes(planned: &[Planned]) -> Vec<Lane> {
    let mut rows: Vec<&Planned> =
        planned.iter().filter(|row| row.header.kind == CaseKind::Use && !row.confirms).collect();
    rows.sort_by(|a, b| {
        let place = |row: &Planned| (row.header.origin.clone(), LaneKey::of(&row.header));
        place(a).cmp(&place(b))
    });
    let mut lanes: Vec<Lane> = vec![];
    for row in rows {
        let (header, key) = (&row.header, LaneKey::of(&row.header));
        match lanes.last_mut().filter(|lane| lane.key == key) {
            Some(lane) => lane.trials += 1,
            None => lanes.push(Lane {
                key,
                print: LanePrint {
                    question: header.key.question,
                    model: header.key.model,
                    score: row.score_key.0,
                },
                group: header.tags.first().cloned(),
                known_to_fail: row.expected_failure.is_some(),
                trials: 1,
            }),
        }
    }
    lanes
}

/// The rounds that a fixed plan can fill: the trials of the compared lane with the fewest.
fn fewest(lanes: &[Lane], seen: &[LaneSeen]) -> u32 {
    let compared: BTreeSet<&LaneKey> = seen.iter().map(|lane| &lane.key).collect();
    let trials = lanes.iter().filter(|lane| compared.contains(&lane.key)).map(|lane| lane.trials);
    trials.min().unwrap_or(1)
}

/// The settings of a suite's policy; a fixed plan has as many rounds as trials.
///
/// # Errors
/// A number of the policy is out of range.
pub fn settings(policy: &GatePolicy, fixed: Option<u32>) -> Result<Settings, GateError> {
    let mode = match policy.mode {
        GateMode::Pr => Mode::Pr,
        GateMode::Nightly => Mode::Nightly,
        GateMode::Release => Mode::Release,
    };
    let knobs =
        Knobs { margin: policy.margin.0, max_rounds: policy.max_rounds, false_alarm: policy.false_alarm.0 };
    let settings = Settings { max_invalid: policy.max_invalid.0, ..Settings::new(mode, knobs)? };
    let max_rounds = settings.max_rounds.min(fixed.unwrap_or(u32::MAX));
    Ok(Settings { max_rounds, ..settings })
}

/// A release is measured against the pinned night where there is one.
fn against(baseline: &Baseline, mode: GateMode) -> Against {
    match (mode, &baseline.pinned) {
        (GateMode::Release, Some(_)) => Against::Pinned,
        _ => Against::Rolling,
    }
}

/// Whether the run was to hold everything that the suite asks.
fn is_whole(manifest: &Manifest) -> bool {
    let crate::plan::Selection { cases, tags, models, personas, clients, kinds, shard, .. } =
        &manifest.selection;
    let nothing =
        [cases.len(), tags.len(), models.len(), personas.len(), clients.len()].iter().all(|n| *n == 0);
    nothing && shard.is_none() && (kinds.is_empty() || kinds.iter().any(|kind| kind == "use"))
}

/// Lanes of the newest night that the plan does not have.
fn removed(baseline: &Baseline, lanes: &[Lane]) -> Vec<Excluded> {
    let Some(newest) = baseline.nights.first().map(|night| &night.run) else { return vec![] };
    let now: BTreeSet<&LaneKey> = lanes.iter().map(|lane| &lane.key).collect();
    let gone = baseline
        .lanes
        .iter()
        .filter(|lane| lane.seen.first().is_some_and(|seen| seen.run == *newest) && !now.contains(&lane.key));
    let gone: Vec<&LaneKey> = gone.map(|lane| &lane.key).collect();
    let ids = baseline::names(gone.iter().copied());
    let named = |key: &LaneKey| Excluded {
        id: ids.get(key).cloned().unwrap_or_else(|| key.case.to_string()),
        key: key.clone(),
        why: Exclusion::Removed,
    };
    gone.into_iter().map(named).collect()
}
