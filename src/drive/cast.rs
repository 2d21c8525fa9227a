//! Builds every model that a plan needs: those under test, programs, users, those that answer for the client, judges.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::sampling::Sampler;
use super::stage::{Env, Outside};
use crate::ids::Digest;
use crate::llm::command::{self, Agent};
use crate::llm::pace::Paces;
use crate::llm::tape::{self, Role};
use crate::llm::{self, ChatModel, ModelSpec};
use crate::plan::{Plan, Work};
use crate::score::judge::{Confidence, Examiner, Judge, Others};
use crate::suite::answers::Sampling;
use crate::suite::{JudgeSpec, Suite, Turn};
use crate::transcript::Fault;

/// Every model of a plan but the judge.
#[derive(Default)]
pub(super) struct Models {
    /// Those under test, by the `model` digest of the case keys.
    pub(super) tested: HashMap<Digest, Arc<dyn ChatModel>>,
    /// Those that answer for the client.
    pub(super) samplers: HashMap<Digest, Arc<Sampler>>,
    /// Programs under test, by the same digest.
    pub(super) agents: HashMap<Digest, Arc<Agent>>,
    /// Those that play users.
    pub(super) players: HashMap<Digest, Arc<dyn ChatModel>>,
    /// How fast the providers of all of them, and of the judge, may be asked.
    pub(super) paces: Arc<Paces>,
}

/// Builds the models that judge.
pub fn examiners(
    spec: &JudgeSpec,
    build: impl Fn(&ModelSpec) -> Result<Arc<dyn ChatModel>, Fault>,
) -> Result<Judge, Fault> {
    let asked =
        |spec: &ModelSpec, confidence| Ok(Examiner { model: build(spec)?, spec: spec.clone(), confidence });
    let examiner = |spec: &ModelSpec| asked(spec, Confidence::None);
    let others = match (&spec.second, &spec.panel[..]) {
        (Some(second), _) => Others::Second(examiner(second)?, spec.escalate),
        (None, []) => Others::Nobody,
        (None, panel) => Others::Panel(panel.iter().map(examiner).collect::<Result<_, Fault>>()?),
    };
    let first = asked(&spec.model, spec.confidence)?;
    let alone = Judge::alone(first, spec.rubric.clone());
    Ok(Judge { others, grouping: spec.calls, advises: spec.advises.clone(), ..alone })
}

/// Builds every model of the plan once. All missing keys are named together.
pub(super) fn models(
    suite: &Suite,
    plan: &Plan,
    outside: &Outside,
) -> Result<(Models, Option<Judge>), Fault> {
    let (env, secrets) = (Arc::clone(&outside.env), outside.secrets.clone());
    // Whatever a model definition reads from the environment is a credential.
    let keys: Env = Arc::new(move |name| env(name).inspect(|value| secrets.register(name, value)));
    let tapes = &outside.tapes;
    let outside = llm::Outside::new(outside.http.clone(), keys);
    let mut models = Models { paces: Arc::clone(&outside.paces), ..Models::default() };
    let mut faults: Vec<Fault> = Vec::new();
    let mut note = |fault: Fault| {
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    };
    for case in &plan.cases {
        let Work::Use(work) = &case.work else { continue };
        for user in work.turns.iter().filter_map(Turn::player) {
            if let Entry::Vacant(entry) = models.players.entry(Digest::of_json(&user.model)) {
                match tape::build(&user.model, Role::User, tapes.models.as_ref(), &outside) {
                    Ok(model) => _ = entry.insert(model),
                    Err(fault) => note(fault),
                }
            }
        }
        if command::is_agent(&work.model) {
            if let Entry::Vacant(entry) = models.agents.entry(case.header.key.model) {
                match Agent::new(&work.model, &outside.env) {
                    Ok(agent) => _ = entry.insert(Arc::new(agent)),
                    Err(fault) => note(fault),
                }
            }
        } else if let Entry::Vacant(entry) = models.tested.entry(case.header.key.model) {
            match tape::build(&work.model, Role::Candidate, tapes.models.as_ref(), &outside) {
                Ok(model) => _ = entry.insert(model),
                Err(fault) => note(fault),
            }
        }
        let Some(Sampling::Model(spec)) = work.answers.sampling.as_ref().map(|block| &block.value) else {
            continue;
        };
        if let Entry::Vacant(entry) = models.samplers.entry(Sampler::key(spec)) {
            match Sampler::new(spec, tapes.models.as_ref(), &outside) {
                Ok(sampler) => _ = entry.insert(Arc::new(sampler)),
                Err(fault) => note(fault),
            }
        }
    }
    let judged = plan.cases.iter().any(|case| !case.criteria.is_empty());
    let mut judge = None;
    if let Some(spec) = suite.judge.as_ref().filter(|_| judged) {
        match examiners(&spec.value, |spec| tape::build(spec, Role::Judge, tapes.judge.as_ref(), &outside)) {
            Ok(built) => judge = Some(built),
            Err(fault) => note(fault),
        }
    }
    match faults.split_first() {
        None => Ok((models, judge)),
        Some((first, [])) => Err(first.clone()),
        Some((first, rest)) => {
            let all = std::iter::once(first)
                .chain(rest)
                .map(|fault| fault.message.as_str())
                .collect::<Vec<_>>()
                .join("; ");
            Err(Fault { message: all, ..first.clone() })
        }
    }
}
