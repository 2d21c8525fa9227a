//! Two sides as people name them (a run, a baseline, one model of a run) become arms that may be compared: which lanes
//! are paired, what makes them alike, and what is exact and needs no statistics.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ArmCase, Comparison, Question, compare};
use crate::ids::{ClientName, ModelName, PersonaName};
use crate::stats::Tally;
use crate::stats::multiple::holm;
use crate::store::baseline::{
    Against, Baseline, Changed, Drift, LaneKey, LanePrint, Part as Drifted, Prints, Status, between, names,
};
use crate::store::outcomes::{LaneOutcome, Outcomes};
use crate::transcript::CaseKind;

/// The level at which something is called worse with consequences, over everything compared.
pub const CLEAR: f64 = 0.01;

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// Its name, as it was given.
    pub name: String,
    /// What was measured with.
    pub prints: Prints,
    /// Its lanes.
    pub lanes: Vec<SideLane>,
    /// The part that is compared.
    pub pick: Pick,
}

/// Which lanes of a side are compared; `None`: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pick {
    /// Those of this model.
    pub model: Option<ModelName>,
    /// Those as this persona.
    pub persona: Option<PersonaName>,
    /// Those through this client profile.
    pub client: Option<ClientName>,
}

/// A lane of a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideLane {
    /// Use, access or auth.
    pub kind: CaseKind,
    /// The lane.
    pub key: LaneKey,
    /// What was measured.
    pub print: LanePrint,
    /// The tags of the case; empty for a baseline.
    pub tags: Vec<String>,
    /// Its valid trials.
    pub tally: Tally,
    /// Trials that gave nothing.
    pub invalid: u64,
}

impl Side {
    /// A run.
    pub fn of_run(name: String, outcomes: Outcomes) -> Self {
        let lane = |lane: LaneOutcome| SideLane {
            kind: lane.kind,
            key: lane.key,
            print: lane.print,
            tags: lane.tags,
            tally: lane.tally,
            invalid: lane.invalid,
        };
        let lanes = outcomes.lanes.into_iter().map(lane).collect();
        Self { name, prints: outcomes.prints, lanes, pick: Pick::default() }
    }

    /// The pooled history of a baseline: of the cases that `other` has where it has them, else of the newest ones.
    pub fn of_baseline(name: String, baseline: &Baseline, against: Against, other: Option<&Self>) -> Self {
        let known: BTreeMap<&LaneKey, LanePrint> =
            other.iter().flat_map(|side| &side.lanes).map(|lane| (&lane.key, lane.print)).collect();
        let lanes = baseline.lanes.iter().map(|lane| {
            let wanted = known.get(&lane.key).copied().unwrap_or(lane.print);
            let found = baseline.pool_against(&lane.key, &wanted, against);
            let (print, pooled) = match found.status {
                Status::Same => (wanted, found),
                _ => (lane.print, baseline.pool_against(&lane.key, &lane.print, against)),
            };
            SideLane {
                kind: CaseKind::Use,
                key: lane.key.clone(),
                print,
                tags: vec![],
                tally: pooled.tally,
                invalid: 0,
            }
        });
        let night = match against {
            Against::Rolling => baseline.nights.first(),
            Against::Pinned => baseline.pinned.as_ref().and_then(|run| baseline.night(run)),
        };
        let prints = night.map(|night| night.prints.clone()).unwrap_or_default();
        Self { name, prints, lanes: lanes.collect(), pick: Pick::default() }
    }

    /// The models of its lanes, in order.
    pub fn models(&self) -> BTreeSet<ModelName> {
        self.picked().filter_map(|lane| lane.key.model.clone()).collect()
    }

    fn picked(&self) -> impl Iterator<Item = &SideLane> {
        self.lanes.iter().filter(|lane| {
            let Pick { model, persona, client } = &self.pick;
            // Access and auth cases have no model, and every model meets them.
            model.as_ref().is_none_or(|name| lane.key.model.as_ref().is_none_or(|own| own == name))
                && persona.as_ref().is_none_or(|name| lane.key.persona == *name)
                && client.as_ref().is_none_or(|name| lane.key.client == *name)
        })
    }
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SideBySide {
    /// What was asked.
    pub question: Question,
    /// One comparison per model, or one of two models.
    pub parts: Vec<Part>,
    /// Access and auth cases, which are exact.
    pub exact: Exact,
    /// What differs around the cases.
    pub drift: Vec<Drift>,
    /// Models that only one side has.
    pub unshared: [Vec<ModelName>; 2],
}

/// The comparison of one model, or of two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The models of both sides.
    pub models: [ModelName; 2],
    /// Worse, better or neither.
    pub finding: Finding,
    /// The chance of so much worse, adjusted by Holm for the number of parts; `None` when undefined.
    pub p_worse: Option<f64>,
    /// What was measured.
    pub comparison: Comparison,
    /// Why cases under one name are not one case.
    pub changed: Vec<ChangedCase>,
}

/// A case that is another one on the other side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedCase {
    /// Its name.
    pub case: String,
    /// What differs.
    pub what: Unlike,
}

/// What makes cases under one name unlike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unlike {
    /// Something of the case itself.
    Case(Changed),
    /// The sides differ in persona or client profile, and their suites have different texts: nobody knows whether the
    /// prompts are the same.
    Suite,
}

/// What can be said of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The candidate is worse: 2.5 % or less by chance.
    Worse,
    /// It is better, likewise.
    Better,
    /// It could be either.
    NotToldApart,
    /// No case is on both sides.
    NothingInCommon,
}

/// Access and auth cases on both sides: each is what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exact {
    /// Hold on both sides.
    pub hold: usize,
    /// Fail on both sides.
    pub fail: usize,
    /// Held before and fail now.
    pub lost: Vec<String>,
    /// Failed before and hold now.
    pub won: Vec<String>,
    /// On one side only, without a valid trial, or changed: not compared.
    pub unlike: Vec<String>,
}

impl SideBySide {
    /// What is clearly worse, by name: access and auth cases that hold no more, models, single cases. The levels are
    /// [`CLEAR`] over all parts together, and over all cases and parts.
    pub fn losses(&self) -> Vec<String> {
        let mut losses = self.exact.lost.clone();
        let parts = self.parts.len().max(1) as f64;
        for part in &self.parts {
            if part.p_worse.is_some_and(|p| p <= CLEAR) {
                losses.push(part.name());
            }
            let cases = part.comparison.losers.iter().filter(|loser| loser.holm * parts <= CLEAR);
            losses.extend(cases.map(|loser| format!("{} ({})", loser.case, part.name())));
        }
        losses
    }
}

impl Part {
    /// The model, or both.
    pub fn name(&self) -> String {
        let [before, now] = &self.models;
        if before == now { now.to_string() } else { format!("{now} against {before}") }
    }
}

/// Compares two sides. `question`: by default whether these cases changed, and which is better on cases like these when
/// the sides are two models, personas or client profiles. `cluster` is the prefix of a tag that says what cases share;
/// without one, the lanes of a case count together.
pub fn side_by_side(
    before: &Side,
    now: &Side,
    question: Option<Question>,
    cluster: Option<&str>,
) -> SideBySide {
    let pairing = Pairing::of(before, now, cluster);
    let (models, unshared) = models(before, now);
    let unlike = models.iter().any(|[a, b]| a != b) || pairing.free_persona || pairing.free_client;
    let usual = if unlike { Question::CasesLikeThese } else { Question::TheseCases };
    let question = question.unwrap_or(usual);
    let mut parts: Vec<Part> = models.into_iter().map(|models| pairing.part(models, question)).collect();
    let p: Vec<f64> = parts.iter().map(|part| part.p_worse.unwrap_or(1.0)).collect();
    for (part, adjusted) in parts.iter_mut().zip(holm(&p).unwrap_or_default()) {
        part.p_worse = part.p_worse.map(|_| adjusted);
    }
    let mut drift = between(&before.prints, &now.prints);
    // What was asked for is no news.
    drift.retain(|drift| {
        !(pairing.free_persona && drift.part == Drifted::Server)
            && !(pairing.free_client && drift.part == Drifted::Profile)
    });
    drift.sort_by(|a, b| (a.part, &a.name).cmp(&(b.part, &b.name)));
    SideBySide { question, parts, exact: pairing.exact(), drift, unshared }
}

/// The pairs of models to compare, and those that only one side has.
fn models(before: &Side, now: &Side) -> (Vec<[ModelName; 2]>, [Vec<ModelName>; 2]) {
    let (old, new) = (before.models(), now.models());
    let single =
        |models: &BTreeSet<ModelName>| (models.len() == 1).then(|| models.first().cloned()).flatten();
    let named = before.pick.model.is_some() || now.pick.model.is_some();
    if let (Some(a), Some(b)) = (single(&old), single(&new))
        && (named || old != new)
    {
        return (vec![[a, b]], [vec![], vec![]]);
    }
    let shared = old.intersection(&new).map(|model| [model.clone(), model.clone()]).collect();
    let only = |a: &BTreeSet<ModelName>, b: &BTreeSet<ModelName>| a.difference(b).cloned().collect();
    (shared, [only(&old, &new), only(&new, &old)])
}

/// How lanes are paired.
struct Pairing<'a> {
    sides: [&'a Side; 2],
    /// The sides are two personas, or two client profiles: these names do not count.
    free_persona: bool,
    free_client: bool,
    /// Two versions of a model were named on purpose, so its digest does not count.
    free_model: bool,
    cluster: Option<&'a str>,
}

impl<'a> Pairing<'a> {
    fn of(before: &'a Side, now: &'a Side, cluster: Option<&'a str>) -> Self {
        let (a, b) = (&before.pick, &now.pick);
        Self {
            sides: [before, now],
            free_persona: a.persona != b.persona && a.persona.is_some() && b.persona.is_some(),
            free_client: a.client != b.client && a.client.is_some() && b.client.is_some(),
            free_model: a.model.is_some() && b.model.is_some(),
            cluster,
        }
    }

    /// The name of a lane without what does not count.
    fn key(&self, key: &LaneKey) -> LaneKey {
        LaneKey {
            case: key.case.clone(),
            model: None,
            persona: if self.free_persona { "".into() } else { key.persona.clone() },
            client: if self.free_client { "".into() } else { key.client.clone() },
        }
    }

    /// What must be equal for two lanes to be one case.
    fn content(&self, lane: &SideLane, side: &Side, models: Option<&[ModelName; 2]>) -> String {
        let LanePrint { question, model, score } = lane.print;
        let asked = if self.free_persona || self.free_client {
            // The digest of the question holds persona and client; the text of the suite stands in.
            side.prints.suite.map_or_else(String::new, |suite| suite.to_string())
        } else {
            question.to_string()
        };
        let same_model = models.is_none_or(|[a, b]| a == b);
        let model = if self.free_model || !same_model { String::new() } else { model.to_string() };
        format!("{asked} {model} {score}")
    }

    fn part(&self, models: [ModelName; 2], question: Question) -> Part {
        let lanes = |at: usize| -> Vec<&SideLane> {
            let own =
                |lane: &&SideLane| lane.kind == CaseKind::Use && lane.key.model.as_ref() == Some(&models[at]);
            self.sides[at].picked().filter(own).collect()
        };
        let all = [lanes(0), lanes(1)];
        let keys: Vec<LaneKey> = all.iter().flatten().map(|lane| self.key(&lane.key)).collect();
        let ids = names(&keys);
        let arm = |at: usize| -> Vec<ArmCase> {
            let case = |lane: &&SideLane| ArmCase {
                id: ids.get(&self.key(&lane.key)).cloned().unwrap_or_default(),
                content: self.content(lane, self.sides[at], Some(&models)),
                tally: lane.tally,
                invalid: lane.invalid,
                cluster: Some(self.cluster(lane)),
            };
            all[at].iter().map(case).collect()
        };
        let comparison = compare(&arm(0), &arm(1), question);
        let print = |at: usize| -> BTreeMap<&str, LanePrint> {
            let named = |lane: &&SideLane| Some((ids.get(&self.key(&lane.key))?.as_str(), lane.print));
            all[at].iter().filter_map(named).collect()
        };
        let (old, new) = (print(0), print(1));
        let changed = comparison.excluded.changed.iter().map(|case| ChangedCase {
            case: case.clone(),
            what: self.why(old.get(case.as_str()), new.get(case.as_str())),
        });
        let changed = changed.collect();
        let (finding, p_worse) = found(&comparison);
        Part { models, finding, p_worse, comparison, changed }
    }

    fn why(&self, old: Option<&LanePrint>, new: Option<&LanePrint>) -> Unlike {
        let (Some(old), Some(new)) = (old, new) else { return Unlike::Case(Changed::Question) };
        if self.free_persona || self.free_client {
            let score = old.score != new.score;
            return if score { Unlike::Case(Changed::Score) } else { Unlike::Suite };
        }
        Unlike::Case(Changed::between(old, new).unwrap_or(Changed::Question))
    }

    fn cluster(&self, lane: &SideLane) -> String {
        let prefix = self.cluster.map(|prefix| format!("{prefix}:"));
        let tag = prefix.and_then(|prefix| lane.tags.iter().find(|tag| tag.starts_with(&prefix)));
        tag.map_or_else(|| lane.key.case.to_string(), Clone::clone)
    }

    /// Access and auth cases of both sides.
    fn exact(&self) -> Exact {
        type Seen = BTreeMap<(CaseKind, String), (Tally, String)>;
        let side = |at: usize| -> Seen {
            let mut seen = Seen::new();
            for lane in self.sides[at].picked().filter(|lane| lane.kind != CaseKind::Use) {
                let LaneKey { case, persona, client, .. } = self.key(&lane.key);
                let who: Vec<&str> =
                    [persona.as_str(), client.as_str()].into_iter().filter(|name| !name.is_empty()).collect();
                let name = format!("{case} ({})", who.join(", "));
                let content = self.content(lane, self.sides[at], None);
                let known = seen.entry((lane.kind, name)).or_insert((Tally::default(), content));
                known.0 = known.0.plus(lane.tally);
            }
            seen
        };
        let (old, new) = (side(0), side(1));
        let mut exact = Exact::default();
        // Baselines hold use cases only, and many a run has nothing else.
        if old.is_empty() || new.is_empty() {
            return exact;
        }
        for (key, (before, content)) in &old {
            let name = key.1.clone();
            let Some((now, _)) = new.get(key).filter(|(now, other)| now.trials > 0 && other == content)
            else {
                exact.unlike.push(name);
                continue;
            };
            match (before.trials > 0, before.passed == before.trials, now.passed == now.trials) {
                (false, ..) => exact.unlike.push(name),
                (_, true, true) => exact.hold += 1,
                (_, false, false) => exact.fail += 1,
                (_, true, false) => exact.lost.push(name),
                (_, false, true) => exact.won.push(name),
            }
        }
        exact.unlike.extend(new.keys().filter(|key| !old.contains_key(*key)).map(|(_, name)| name.clone()));
        exact
    }
}

/// What may be said, and the chance of so much worse.
fn found(comparison: &Comparison) -> (Finding, Option<f64>) {
    let Some(change) = comparison.change else { return (Finding::NothingInCommon, None) };
    let clear = |p: Option<f64>| p.is_some_and(|p| p <= 0.025);
    let finding = match (clear(change.p_worse), clear(change.p_better)) {
        (true, false) if change.diff < 0.0 => Finding::Worse,
        (false, true) if change.diff > 0.0 => Finding::Better,
        _ => Finding::NotToldApart,
    };
    (finding, change.p_worse)
}
