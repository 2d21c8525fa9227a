//! Expands a suite into cases in a fixed shuffled order. Pure: the same suite, selection and seed give the same plan.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::auth::Persona;
use crate::diag::Located;
use crate::ids::{CaseName, ClientName, ModelName, PersonaName, ScoreKey, ToolName};
use crate::llm::ModelSpec;
use crate::mcp::ClientProfile;
use crate::score::checks::Check;
use crate::score::judge::Criterion;
use crate::suite::{self, AccessSpec, Answers, Change, ExpectedFailure, Limits, Step, Verify};
use crate::transcript::{CaseHeader, Subject};

mod access;
pub mod arms;
mod expand;
mod expectations;
mod key;
mod order;
pub mod programs;
mod select;
mod shard;

pub use expand::{expand, remaining};

/// One trial to run: everything driving and scoring it needs. What trials have in common they share.
#[derive(Clone, Debug)]
pub struct Case {
    /// Identity, names and place.
    pub header: CaseHeader,
    /// What is done.
    pub work: Work,
    /// As whom.
    pub persona: Arc<Persona>,
    /// Through which client.
    pub client: Arc<ClientProfile>,
    /// Expectations in code.
    pub checks: Arc<[Located<Check>]>,
    /// Expectations for the judge.
    pub criteria: Arc<[Located<Criterion>]>,
    /// What shapes the score.
    pub score_key: ScoreKey,
    /// Set when this trial is known to fail.
    pub expected_failure: Option<ExpectedFailure>,
}

/// What a trial does.
#[derive(Clone, Debug)]
pub enum Work {
    /// A model works on prompts.
    Use(Arc<UseWork>),
    /// List as the persona, then try what the row names.
    Access(AccessWork),
    /// Run the probe of one auth check.
    Auth(String),
}

/// A model works on prompts.
#[derive(Clone, Debug)]
pub struct UseWork {
    /// The model.
    pub model: Arc<ModelSpec>,
    /// What the user says.
    pub turns: Vec<suite::Turn>,
    /// Limits.
    pub limits: Limits,
    /// What is answered when the server asks the client.
    pub answers: Answers,
    /// Steps before.
    pub setup: Vec<Located<Step>>,
    /// Steps after, checked.
    pub verify: Vec<Located<Verify>>,
    /// Steps at the end.
    pub cleanup: Vec<Located<Step>>,
    /// The only tools that are offered, by the names the server gives them; `None`: all that the client offers.
    pub only: Option<Arc<[ToolName]>>,
}

/// What an access case looks at and tries.
#[derive(Clone, Debug, Default)]
pub struct AccessWork {
    /// The identities that it takes on inside the session before anything is tried, one after the other.
    pub becomes: Vec<Turn>,
    /// What is tried.
    pub calls: Vec<AccessCall>,
    /// Whether it is about more than tools.
    pub features: bool,
    /// What the row names, where it says that nothing else may be reached.
    pub others: Option<Vec<Subject>>,
}

/// A change of identity inside a session.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The persona whose rights it gets.
    pub to: PersonaName,
    /// Who it is then: the same subject with those rights, named after both.
    pub persona: Persona,
    /// What becomes of its tokens in place of other rights.
    pub change: Option<Change>,
}

/// A use that an access case tries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccessCall {
    /// The tool, resource or prompt.
    pub subject: Subject,
    /// Its arguments; an empty object means: made from its schema where it is known.
    pub args: Value,
}

/// Every trial of a run, in the order of execution.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The trials, shuffled by the seed; each [`crate::ids::CaseKey`] occurs once.
    pub cases: Vec<Case>,
    /// The seed.
    pub seed: u64,
}

/// What the command line selects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Case ids; empty: all. A `*` stands for any run of characters.
    pub cases: Vec<String>,
    /// Tags, any of them; empty: all.
    pub tags: Vec<String>,
    /// Models; empty: the suite's. Names outside the suite replace the suite's models.
    pub models: Vec<ModelName>,
    /// Personas; empty: the suite's.
    pub personas: Vec<PersonaName>,
    /// Client profiles; empty: the suite's.
    pub clients: Vec<ClientName>,
    /// Trials of each use case; `None`: the suite's.
    pub trials: Option<u32>,
    /// Only access cases, only auth cases, ...; empty: every kind.
    pub kinds: Vec<String>,
    /// Part I of N.
    pub shard: Option<Shard>,
}

/// One of N disjoint parts that together cover the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 1.
    pub index: u32,
    /// How many.
    pub of: u32,
}

/// A planned trial as the record of a run keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Identity, names and place.
    pub header: CaseHeader,
    /// What shapes its score.
    pub score_key: ScoreKey,
    /// Set when it is known to fail.
    pub expected_failure: Option<ExpectedFailure>,
    /// A fresh trial that confirms or clears a suspect of the gate: no rate, no state and no baseline counts it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirms: bool,
}

impl From<&Case> for Planned {
    fn from(case: &Case) -> Self {
        Self {
            header: case.header.clone(),
            score_key: case.score_key,
            expected_failure: case.expected_failure.clone(),
            confirms: false,
        }
    }
}

impl Case {
    /// The same case as another of its trials.
    #[must_use]
    pub fn at_trial(&self, trial: u32) -> Self {
        let mut other = self.clone();
        other.header.key.trial = trial;
        other.header.trial = trial;
        other
    }
}

/// The name under which an access case appears: `access/PERSONA`, or `access/PERSONA/OTHER` when it becomes another.
pub fn access_case(row: &AccessSpec) -> CaseName {
    let path = std::iter::once(&row.persona).chain(&row.becomes);
    let path: Vec<&str> = path.map(|persona| persona.value.as_str()).collect();
    CaseName::new(format!("access/{}", path.join("/")))
}

/// The name under which an auth check appears: `auth/ID`.
pub fn auth_case(check: &str) -> CaseName {
    CaseName::new(format!("auth/{check}"))
}
