//! The two identities of a trial: what shapes its transcript and what shapes its score. Places in files, descriptions
//! and prices shape neither, so moving lines or correcting a price runs nothing again.

use std::sync::Arc;

use serde::Serialize;

use super::AccessWork;
use crate::auth::Persona;
use crate::diag::Located;
use crate::ids::{Digest, ScoreKey};
use crate::llm::{self, ModelLimits, ModelSpec};
use crate::mcp::ClientProfile;
use crate::score::checks::Check;
use crate::score::checks::command::Command;
use crate::score::judge::{Criterion, Fingerprint};
use crate::suite::AuthSetup;
use crate::suite::answers::{Answers, Reply, Root, Sampling};
use crate::suite::{CaseSpec, JudgeSpec, Limits, Step, ToolStep, Turn, Verify};
use crate::transcript::CaseKind;

/// Who asks, through what.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub persona: &'a Arc<Persona>,
    pub client: &'a Arc<ClientProfile>,
}

#[derive(Serialize)]
struct Question<'a, T: Serialize> {
    kind: CaseKind,
    persona: Persona,
    client: ClientProfile,
    asks: &'a T,
}

#[derive(Serialize)]
struct Asks<'a> {
    turns: Vec<Said<'a>>,
    limits: Limits,
    setup: Vec<&'a Step>,
    verify: Vec<(Looks<'a>, &'a Option<String>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<Answered<'a>>,
    /// Programs that the checks run when the trial ends: what they say is in its record.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<&'a Command>,
}

/// A turn, without what does not shape the words of a played user.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Said<'a> {
    User(&'a str),
    Simulate { persona: &'a str, goal: &'a str, stop: Option<&'a str>, max_turns: u32, model: Digest },
}

impl<'a> Said<'a> {
    fn of(turn: &'a Turn) -> Self {
        match turn {
            Turn::User(text) => Self::User(text),
            Turn::Simulate(user) => Self::Simulate {
                persona: &user.persona,
                goal: &user.goal,
                stop: user.stop.as_deref(),
                max_turns: user.max_turns,
                model: of_model(&user.model),
            },
        }
    }
}

/// What a verify step does. Calls stand without their kind: keys of runs from before there were others stay the same.
#[derive(Serialize)]
#[serde(untagged)]
enum Looks<'a> {
    Call(&'a ToolStep),
    Other(&'a Step),
}

impl<'a> Looks<'a> {
    fn of(step: &'a Step) -> Self {
        match step {
            Step::Tool(tool) => Self::Call(tool),
            other => Self::Other(other),
        }
    }
}

/// What the server is answered; it shapes what the model sees.
#[derive(Serialize)]
struct Answered<'a> {
    elicitation: Option<&'a [Reply]>,
    sampling: Option<Sampled<'a>>,
    roots: Option<&'a [Root]>,
}

#[derive(Serialize)]
enum Sampled<'a> {
    Model(Digest),
    Text(&'a str),
    Refuse,
}

fn answered(answers: &Answers) -> Option<Answered<'_>> {
    (!answers.is_empty()).then(|| Answered {
        elicitation: answers.elicitation.as_ref().map(|block| block.value.as_slice()),
        sampling: answers.sampling.as_ref().map(|block| match &block.value {
            Sampling::Model(model) => Sampled::Model(of_model(model)),
            Sampling::Text(text) => Sampled::Text(text),
            Sampling::Refuse => Sampled::Refuse,
        }),
        roots: answers.roots.as_ref().map(|block| block.value.as_slice()),
    })
}

/// The question of a use case.
pub(super) fn of_use(case: &CaseSpec, asker: Asker<'_>) -> Digest {
    let setup = case.setup.iter().map(|step| &step.value).collect();
    let verify =
        case.verify.iter().map(|verify| (Looks::of(&verify.value.step), &verify.value.path)).collect();
    let answers = answered(&case.answers);
    let turns = case.turns.iter().map(Said::of).collect();
    let commands = case.expect.iter().flat_map(|check| check.value.commands()).collect();
    let limits = case.limits;
    question(CaseKind::Use, asker, &Asks { turns, limits, setup, verify, answers, commands })
}

/// The question of an access case: what it becomes, looks at and tries.
pub(super) fn of_access(work: &AccessWork, asker: Asker<'_>) -> Digest {
    let becomes: Vec<&Persona> = work.becomes.iter().map(|turn| &turn.persona).collect();
    question(CaseKind::Access, asker, &(becomes, &work.calls, work.features, &work.others))
}

/// The question of an auth case: the id of its check, and what the suite says for the checks.
pub(super) fn of_auth(id: &str, setup: &AuthSetup, asker: Asker<'_>) -> Digest {
    question(CaseKind::Auth, asker, &(id, setup))
}

fn question<T: Serialize>(kind: CaseKind, asker: Asker<'_>, asks: &T) -> Digest {
    let persona = Persona { description: String::new(), ..Persona::clone(asker.persona) };
    let client = asker.client.shaping();
    Digest::of_json(&Question { kind, persona, client, asks })
}

/// The model with its parameters, and what it follows if it is scripted.
pub(super) fn of_model(model: &ModelSpec) -> Digest {
    Digest::of_json(&shaping(model))
}

/// A model without what does not shape its answers.
fn shaping(model: &ModelSpec) -> ModelSpec {
    let plain = ModelSpec::new("", "");
    ModelSpec {
        description: String::new(),
        family: None,
        limits: ModelLimits { output: llm::limited_output(model), ..plain.limits },
        logprobs: None,
        cache: plain.cache,
        price: None,
        key: None,
        key_header: None,
        timeout: plain.timeout,
        retries: plain.retries,
        ..model.clone()
    }
}

#[derive(Serialize)]
struct Score<'a> {
    checks: Vec<&'a Check>,
    criteria: Vec<&'a Criterion>,
    verify: Vec<&'a Verify>,
    judge: Option<Fingerprint>,
    /// The places of criteria on which the judge only advises: the same verdict weighs otherwise there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    advises: Vec<usize>,
}

/// What shapes the score of a case. The judge is part of it only where it is asked, and what it may decide only where
/// that is not everything.
pub(super) fn of_score(
    checks: &[Located<Check>],
    criteria: &[Located<Criterion>],
    verify: &[Located<Verify>],
    judge: Option<&JudgeSpec>,
) -> ScoreKey {
    let judge = judge.filter(|_| !criteria.is_empty());
    let advises = |place: &usize| judge.is_some_and(|judge| judge.advises.on(&criteria[*place].value));
    ScoreKey(Digest::of_json(&Score {
        checks: checks.iter().map(|check| &check.value).collect(),
        criteria: criteria.iter().map(|criterion| &criterion.value).collect(),
        verify: verify.iter().map(|verify| &verify.value).collect(),
        judge: judge.map(JudgeSpec::fingerprint),
        advises: (0..criteria.len()).filter(advises).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_model_s_limits_only_what_is_asked_for_is_part_of_its_key() {
        let with = |dialect: &str, limits: ModelLimits| {
            of_model(&ModelSpec { limits, ..ModelSpec::new("m", dialect) })
        };
        let plain = ModelLimits::default();
        let bears = ModelLimits { context: Some(200_000), concurrency: Some(4), ..plain };
        let longest = |most: u64| ModelLimits { output: Some(most), ..plain };
        for dialect in ["anthropic", "openai", "gemini"] {
            assert_eq!(with(dialect, bears), with(dialect, plain), "{dialect}");
        }
        assert_ne!(with("anthropic", longest(64_000)), with("anthropic", plain));
        assert_ne!(with("anthropic", longest(64_000)), with("anthropic", longest(32_000)));
        // Nobody asks this API for more or less because of it.
        assert_eq!(with("openai", longest(64_000)), with("openai", plain));
    }
}
