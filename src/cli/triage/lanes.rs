//! The failed cases of a run: what is known of them, and the trials that would tell more.

use std::collections::BTreeMap;

use serde_json::Value;

use super::TriageArgs;
use crate::cli::experiment::cost;
use crate::cli::failure::{Failure, Outcome};
use crate::diag::suggest;
use crate::drive::surface::Surfaces;
use crate::gate::cells::{self, Cell, State};
use crate::gate::triage::{Evidence, Tries};
use crate::ids::{CaseKey, Digest, ToolName};
use crate::plan::arms::{self, Arm};
use crate::plan::{Case, Plan};
use crate::score::Outcome as Verdict;
use crate::score::checks::expected::{self, Expected};
use crate::score::judge::Criterion;
use crate::store::read::Reader;
use crate::store::record::{CaseResult, RunRecord};
use crate::transcript::{CaseKind, ToolFact, View};

/// A failed case.
pub(super) struct Lane {
    /// A trial of it, as the suite has it now.
    pub(super) case: Case,
    /// The calls that it expects.
    pub(super) expected: Vec<Expected>,
    /// What is known of it.
    pub(super) evidence: Evidence,
    /// Failed trials that nothing but the judge failed, with the criteria.
    pub(super) judged: Vec<(CaseKey, Vec<Criterion>)>,
    /// Model calls of a trial, and US dollars, as the run had them on average.
    pub(super) usual: (f64, Option<f64>),
    /// Arguments of calls that were made as expected, one for each expected call where there was one.
    seen: Vec<Option<Value>>,
    /// The number of the first fresh trial.
    fresh: u32,
}

/// The failed use cases that are to be looked into, in the order of the suite.
///
/// # Errors
/// A case that the run does not have, or that the suite asks differently now.
pub(super) fn failed(
    args: &TriageArgs,
    record: &RunRecord,
    plan: &Plan,
    reader: &Reader,
) -> Outcome<Vec<Lane>> {
    let cells: Vec<Cell<'_>> =
        cells::cells(record).into_iter().filter(|cell| cell.name.kind == CaseKind::Use).collect();
    for name in &args.cases {
        if cells.iter().all(|cell| cell.name.case != name) {
            let message = format!("the run holds no use case `{name}`");
            let known = cells.iter().map(|cell| cell.name.case);
            return Err(Failure::usage("run.no-case", message).hint(suggest::hint(name, known)));
        }
    }
    let policy = &record.manifest.gate;
    let wanted = |cell: &&Cell<'_>| {
        let named = args.cases.iter().any(|name| name == cell.name.case);
        let fails = matches!(cell.state(policy), State::Fail | State::Security);
        cell.counts().failed > 0 && (named || (fails && args.cases.is_empty()))
    };
    cells.iter().filter(wanted).map(|cell| lane(cell, plan, reader)).collect()
}

fn lane(cell: &Cell<'_>, plan: &Plan, reader: &Reader) -> Outcome<Lane> {
    let keys = |case: &&Case| {
        let key = case.header.key;
        cell.results.first().is_some_and(|result| same(&result.header.key, &key))
    };
    let Some(case) = plan.cases.iter().find(keys).cloned() else {
        let message = format!("the suite asks `{}` in another way than the run did", cell.name.case);
        return Err(Failure::usage("run.changed", message)
            .hint("run the suite again, and look into the failures of that run"));
    };
    let expected = expected::of(case.checks.iter());
    let counts = cell.counts();
    let mut run = Tries {
        passed: counts.passed,
        failed: counts.failed,
        invalid: counts.invalid,
        why: cell.failures().next().map(|(_, finding)| finding.why.clone()),
        ..Tries::default()
    };
    let (mut judged, mut seen) = (vec![], vec![None; expected.len()]);
    for result in &cell.results {
        let failed = cells::outcome(result) == Some(Verdict::Fail);
        let Some(transcript) = reader.transcript(result.header.key)? else { continue };
        let view = View::of(&transcript);
        for (expected, seen) in expected.iter().zip(&mut seen) {
            *seen = seen.take().or_else(|| expected.made_in(&view));
        }
        if failed {
            run.ways.add(&expected::way(&expected, &view));
            judged.extend(only_judged(result));
        }
    }
    let trials = cell.results.len().max(1) as f64;
    let cost: Option<f64> = cell.results.iter().map(|result| cost(result)).sum();
    let calls: u32 = cell.results.iter().map(|result| result.model_calls).sum();
    let last = cell.results.iter().map(|result| result.header.trial).max().unwrap_or(0);
    Ok(Lane {
        case,
        expected,
        evidence: Evidence { run, ..Evidence::default() },
        judged,
        usual: (f64::from(calls) / trials, cost.map(|cost| cost / trials)),
        seen,
        fresh: last.saturating_add(1),
    })
}

fn same(a: &CaseKey, b: &CaseKey) -> bool {
    (a.question, a.model) == (b.question, b.model)
}

/// A failed trial with the criteria that failed it, when nothing else did.
fn only_judged(result: &CaseResult) -> Option<(CaseKey, Vec<Criterion>)> {
    let verdict = result.verdict.as_ref()?;
    let criteria = verdict.failures().map(|finding| Some(finding.ruling.as_ref()?.criterion.clone()));
    let criteria: Vec<Criterion> = criteria.collect::<Option<_>>()?;
    (!criteria.is_empty()).then_some((result.header.key, criteria))
}

/// Whether the arguments that a suite says are a whole call of the tool, or show that the tool wants others now. A suite
/// may leave out arguments that it does not care about, and then nobody knows a call that must work.
fn says_enough(expected: &Expected, schema: &Value) -> bool {
    let Some(Value::Object(args)) = expected.example() else { return false };
    let known = |name: &str| schema.get("properties").is_none_or(|all| all.get(name).is_some());
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let missing = required.filter_map(Value::as_str).any(|name| !args.contains_key(name));
    !missing || args.keys().any(|name| !known(name))
}

/// Which trial of an experiment tells about which arm of which lane.
pub(super) type Places = BTreeMap<(Digest, Digest), (usize, Arm)>;

/// The trials that would tell more, the arms of all lanes side by side. `second` are trials of another model.
pub(super) fn trials(lanes: &[Lane], second: &[Case], tries: u32) -> (Vec<Case>, Places) {
    let (mut cases, mut places) = (vec![], Places::new());
    for (index, lane) in lanes.iter().enumerate() {
        let numbers = lane.fresh..=lane.fresh.saturating_add(tries - 1);
        let tools: Vec<ToolName> = lane.expected.iter().map(|expected| expected.tool.clone()).collect();
        let header = &lane.case.header;
        let other = second.iter().find(|other| {
            let other = &other.header;
            (&other.case, &other.persona, &other.client) == (&header.case, &header.persona, &header.client)
        });
        let arms = [
            (Arm::Direct, lane.calls().and_then(|calls| arms::direct(&lane.case, &calls))),
            (Arm::Again, Some(lane.case.clone())),
            (Arm::Alone, arms::alone(&lane.case, &tools)),
            (Arm::SecondModel, other.cloned()),
        ];
        for (arm, case) in arms {
            let Some(case) = case else { continue };
            places.insert((case.header.key.question, case.header.key.model), (index, arm));
            cases.extend(arms::repeated(&case, arm, numbers.clone()));
        }
    }
    // One trial of every arm first: what a budget cuts off is cut off everywhere.
    cases.sort_by_key(|case| {
        let (lane, arm) = places[&(case.header.key.question, case.header.key.model)];
        (case.header.trial - lanes[lane].fresh, lane, arm)
    });
    (cases, places)
}

impl Lane {
    /// The expected calls with arguments: as the suite says them, else as a trial made them. `None` where neither tells.
    fn calls(&self) -> Option<Vec<(ToolName, Value)>> {
        let each = self.expected.iter().zip(&self.seen).map(|(expected, seen)| {
            // What the suite says may leave out arguments that the tool wants; a call that was made has them all.
            let args = seen.clone().or_else(|| expected.example())?;
            Some((expected.tool.clone(), args))
        });
        each.collect()
    }

    /// Takes what the persona sees into account: tools that are gone, offers that cannot be narrowed further, and calls
    /// whose arguments nobody knows. Returns the arms that are not worth a trial.
    pub(super) fn look(&mut self, surfaces: &Surfaces) -> Vec<Arm> {
        let Some(Ok(surface)) = surfaces.get(&self.case.persona.name) else { return vec![] };
        let fact = |tool: &ToolName| surface.tools.iter().find(|fact| fact.name == *tool);
        let gone = self.expected.iter().filter(|expected| fact(&expected.tool).is_none());
        self.evidence.not_offered = gone.map(|expected| expected.tool.to_string()).collect();
        if !self.evidence.not_offered.is_empty() {
            return vec![Arm::Direct, Arm::Alone];
        }
        let all = surface.tools.iter().all(|tool| self.expected.iter().any(|one| one.tool == tool.name));
        let vague = self.expected.iter().zip(&self.seen).any(|(expected, seen)| {
            let schema = fact(&expected.tool).map(ToolFact::input_schema);
            seen.is_none() && !schema.is_some_and(|schema| says_enough(expected, &schema))
        });
        [(Arm::Direct, vague), (Arm::Alone, all)]
            .iter()
            .filter(|(_, drop)| *drop)
            .map(|(arm, _)| *arm)
            .collect()
    }

    /// Takes in what the trials of one arm gave.
    pub(super) fn take(&mut self, arm: Arm, results: &[&CaseResult], reader: &Reader) -> Outcome<()> {
        let mut tries = Tries::default();
        let mut missing = None;
        for result in results {
            match cells::outcome(result) {
                Some(Verdict::Pass) => tries.passed += 1,
                Some(Verdict::Fail) => {
                    tries.failed += 1;
                    let failure = result.verdict.iter().flat_map(crate::score::Verdict::failures).next();
                    tries.why = tries.why.or_else(|| failure.map(|finding| finding.why.clone()));
                    if let Some(transcript) = reader.transcript(result.header.key)? {
                        tries.ways.add(&expected::way(&self.expected, &View::of(&transcript)));
                    }
                }
                Some(Verdict::Invalid) | None => {
                    tries.invalid += 1;
                    missing = missing.or_else(|| Some(cells::blame(result).2.to_owned()));
                }
            }
        }
        tries.why = tries.why.or(missing);
        if arm == Arm::Direct {
            // Nobody chose these calls.
            tries.ways = crate::gate::triage::Ways::default();
        }
        let place = match arm {
            Arm::Direct => &mut self.evidence.direct,
            Arm::Again => &mut self.evidence.again,
            Arm::Alone => &mut self.evidence.alone,
            Arm::SecondModel => &mut self.evidence.second_model,
        };
        *place = (!results.is_empty()).then_some(tries);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_is_whole_where_nothing_is_missing_or_the_tool_has_changed() {
        let wants = |args| Expected { tool: "get_order".into(), args };
        let schema = json!({"properties": {"id": {}, "full": {}}, "required": ["id"]});
        for (args, whole) in [
            (Some(json!({"id": 1042})), true),
            (None, false),
            (Some(json!({"full": true})), false),
            (Some(json!({"id": {"$any": true}})), false),
            (Some(json!({"number": 1042})), true),
        ] {
            assert_eq!(says_enough(&wants(args.clone()), &schema), whole, "{args:?}");
        }
        assert!(says_enough(&wants(None), &json!({})));
    }
}
