//! Trials that vary a failed one, to learn why it fails: the same again, with the right tools alone, by another model,
//! and the expected calls without any model. Pure.

use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::key;
use super::{Case, UseWork, Work};
use crate::ids::{CaseName, Digest, ToolName};
use crate::llm::{ModelSpec, Price, command};
use crate::mcp::ClientProfile;
use crate::score::checks::expected;
use crate::suite::{Limits, Turn};

/// What a trial varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The expected calls straight to the server, without a model.
    Direct,
    /// Nothing: the same again.
    Again,
    /// Only the expected tools are offered.
    Alone,
    /// Another model.
    SecondModel,
}

impl Arm {
    /// Every arm, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::Direct, Self::Again, Self::Alone, Self::SecondModel];

    /// The end of the names of its cases: `late-order/alone`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Again => "again",
            Self::Alone => "alone",
            Self::SecondModel => "second-model",
        }
    }
}

/// The name of the model that makes the expected calls.
const CALLER: &str = "expected-calls";

/// The same trial under fresh numbers.
pub fn fresh(case: &Case, numbers: RangeInclusive<u32>) -> Vec<Case> {
    let mut one = Case { expected_failure: None, ..case.clone() };
    numbers
        .map(|number| {
            one.header.trial = number;
            one.header.key.trial = number;
            one.clone()
        })
        .collect()
}

/// The same trial under fresh numbers, named as an arm of its case.
pub fn repeated(case: &Case, arm: Arm, numbers: RangeInclusive<u32>) -> Vec<Case> {
    let mut one = case.clone();
    one.header.case = CaseName::new(format!("{}/{}", case.header.case, arm.as_str()));
    fresh(&one, numbers)
}

/// The same with these tools alone. `None` for probes, and for agents, which list the tools themselves.
pub fn alone(case: &Case, tools: &[ToolName]) -> Option<Case> {
    let work = work(case).filter(|work| !tools.is_empty() && !command::is_agent(&work.model))?;
    let mut one = varied(case, Arm::Alone);
    one.work = Work::Use(Arc::new(UseWork { only: Some(tools.into()), ..UseWork::clone(work) }));
    Some(one)
}

/// These calls in the place of the model's, through the client without limits, examined for what the server answers for.
/// `None` for probes and without calls.
pub fn direct(case: &Case, calls: &[(ToolName, Value)]) -> Option<Case> {
    let work = work(case).filter(|_| !calls.is_empty())?;
    let step = |(name, args): &(ToolName, Value)| json!({"call": {"name": name, "args": args}});
    let script: Vec<Value> = calls.iter().map(step).chain([json!({"say": "{{result}}"})]).collect();
    let steps = u32::try_from(script.len()).unwrap_or(u32::MAX);
    let free = Price { input: 0.0, output: 0.0, cached: None, cache_write: None, verified: None };
    let model = ModelSpec {
        script: Some(Value::Array(script)),
        price: Some(free),
        ..ModelSpec::new(CALLER, "scripted")
    };
    let reference = ClientProfile::reference();
    let client = work.answers.declared_by(&reference).unwrap_or(reference);
    let checks = expected::of_the_target(&case.checks);
    let mut one = varied(case, Arm::Direct);
    one.header.key.model = key::of_model(&model);
    one.header.model = Some(model.name.clone());
    one.header.client = client.name.clone();
    one.score_key = key::of_score(&checks, &[], &[], None);
    one.checks = checks.into();
    one.criteria = Arc::default();
    one.client = Arc::new(client);
    let turns = vec![Turn::User("The expected calls, made without a model.".to_owned())];
    let limits = Limits {
        turns: work.limits.turns.max(steps),
        tool_calls: work.limits.tool_calls.max(steps),
        tokens: None,
        ..work.limits
    };
    one.work = Work::Use(Arc::new(UseWork { model: Arc::new(model), turns, limits, ..UseWork::clone(work) }));
    Some(one)
}

/// Another question than that of the case, so that no record can take one for the other.
fn varied(case: &Case, arm: Arm) -> Case {
    let mut one = case.clone();
    one.header.key.question = Digest::of_json(&(case.header.key.question.to_string(), arm));
    one
}

fn work(case: &Case) -> Option<&Arc<UseWork>> {
    match &case.work {
        Work::Use(work) => Some(work),
        Work::Access(_) | Work::Auth(_) => None,
    }
}
