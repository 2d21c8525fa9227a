//! Two sides become arms that may be compared: which lanes are paired, what makes them alike, and what is exact and needs
//! no statistics.

use std::collections::{BTreeMap, BTreeSet};

use super::found::{ChangedCase, Exact, Finding, Part, SideBySide, Unlike};
use super::sides::{Side, SideLane};
use super::{ArmCase, Comparison, Question, compare};
use crate::ids::ModelName;
use crate::stats::Tally;
use crate::stats::multiple::holm;
use crate::store::baseline::{Changed, LaneKey, LanePrint, Part as Drifted, between, names};
use crate::transcript::CaseKind;

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
    drift.retain(|drift| match drift.part {
        Drifted::Server => !pairing.free_persona,
        Drifted::Profile => !pairing.free_client,
        _ => true,
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
