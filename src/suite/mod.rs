//! Reads suites and instruments, resolves names, reports every mistake with its line.
//!
//! Text in, value and diagnostics out. A [`Suite`] is checked and complete: every name is resolved to its definition,
//! every expectation carries its place in the file. Variables such as `${issuer.url}` are still templates, because
//! their values exist only once the run has started ([`Template`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::auth::Persona;
use crate::auth::issuer::Options;
use crate::diag::{Located, Origin};
use crate::ids::{CaseName, ClientName, Digest, ModelName, PersonaName, SuiteName};
use crate::llm::ModelSpec;
use crate::mcp::{ClientProfile, Isolation};
use crate::net::Tls;
use crate::score::access::DenialShape;
use crate::score::checks::Check;
use crate::score::judge::{Advises, Confidence, Criterion, Escalate, Fingerprint, Grouping, Rubric};
use crate::surface::policy::Policy;
use crate::transcript::Subject;
use crate::units::{Period, Share};

pub mod answers;
mod builtin;
pub mod catalog;
mod change;
mod control;
mod entries;
pub mod health;
pub mod jsonc;
pub mod judge_files;
pub mod made;
mod one_or_many;
pub mod quarantine;
pub mod read;
mod resolve;
pub mod schema;
pub mod secret;
mod steps;
mod text_or;
mod tls;
pub mod tree;
mod validate;
pub mod vars;
pub mod wire;
pub mod write;
pub mod yaml;

pub use answers::Answers;
pub use change::Change;
pub use control::OldServer;
pub use read::{Loaded, Project, Request};
pub use steps::{CommandStep, HttpStep, PromptStep, ResourceStep, Simulate, Step, ToolStep, Turn, Verify};

/// One suite file, checked, with everything it names resolved.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Its name.
    pub name: SuiteName,
    /// Its path as diagnostics show it.
    pub file: Arc<str>,
    /// What it is about.
    pub description: String,
    /// The server under test.
    pub target: TargetSpec,
    /// Who issues tokens.
    pub issuer: IssuerSpec,
    /// Environment variables that the suite may read.
    pub env: Vec<Located<String>>,
    /// Those of them whose values are no secrets.
    pub public: Vec<Located<String>>,
    /// Personas of the suite, in order; the first is the default unless `defaults.persona` says otherwise.
    pub personas: Vec<Located<Persona>>,
    /// Client profiles of the suite, in order.
    pub clients: Vec<Located<ClientProfile>>,
    /// Models of the suite, in order.
    pub models: Vec<Located<ModelSpec>>,
    /// Who judges criteria, if anybody.
    pub judge: Option<Located<JudgeSpec>>,
    /// Trials of each use case.
    pub trials: u32,
    /// The budget of a run in US dollars, if there is one.
    pub max_cost: Option<f64>,
    /// The cases, in order.
    pub cases: Vec<CaseSpec>,
    /// The access matrix, in order.
    pub access: Vec<AccessSpec>,
    /// Auth checks to run, resolved from the pack; empty when the suite asks for none.
    pub auth_checks: Vec<Located<String>>,
    /// Who takes part in them, and what no probe can guess.
    pub auth: AuthSetup,
    /// When a run passes.
    pub gate: GatePolicy,
    /// What the tools may cost and must be like, if the suite says so.
    pub surface: Option<Policy>,
    /// Every text that was read, by the path that origins name: for excerpts and for the record of a run.
    pub sources: BTreeMap<Arc<str>, Arc<str>>,
    /// Every instrument used: kind (`model`, `persona`, `client`, `rubric`, `auth`), name, digest of its content.
    pub instruments: Vec<InstrumentUse>,
}

/// What a suite says for its auth checks besides their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AuthSetup {
    /// The second person of checks of isolation. Default: the second persona with credentials of its own.
    pub other: Option<PersonaName>,
    /// A persona that may do less than the first.
    pub weaker: Option<PersonaName>,
    /// Facts about the target.
    pub facts: crate::auth::Facts,
}

/// An instrument a suite uses, for the record of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstrumentUse {
    /// `model`, `persona`, `client`, `rubric` or `auth`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Where its definition stands: `embedded`, `inline`, or the project's file.
    pub from: String,
    /// The digest of its resolved content.
    pub digest: Digest,
}

/// A text that may hold `${…}` variables: declared environment variables, `${issuer.url}`, `${target.url}`,
/// `${target.port}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Template(pub String);

/// The server under test.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetSpec {
    /// Where the block stands.
    pub origin: Origin,
    /// How it is started or found.
    pub source: TargetSource,
    /// How it is spoken to.
    pub transport: Transport,
    /// `auto` or a revision.
    pub protocol: crate::mcp::revision::Choice,
    /// Processes per session or per run.
    pub isolation: Isolation,
    /// Variables for the child process.
    pub env: BTreeMap<String, Template>,
    /// Headers for every HTTP request.
    pub headers: BTreeMap<String, Template>,
    /// Certificates for HTTPS.
    pub tls: Tls,
    /// A proxy for every request; the environment's when absent.
    pub proxy: Option<Template>,
    /// How long a started server may take until it accepts connections, or over standard streams until it has
    /// answered the handshake. Absent: the built-in default.
    pub ready: Option<Period>,
    /// The folder a command starts in, relative to the suite file's project.
    pub cwd: Option<String>,
    /// The path of the MCP endpoint of a command spoken to over HTTP: by default `/mcp`, over HTTP+SSE `/sse`.
    pub path: String,
}

/// How the server is started or found.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetSource {
    /// Started as a child process; the program name `rehearsal` means this program.
    Command(Vec<Template>),
    /// Already running.
    Url(Template),
}

/// How the server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Standard streams of a child process.
    Stdio,
    /// Streamable HTTP.
    Http,
    /// HTTP+SSE of 2024-11-05.
    Sse,
}

/// Who issues tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum IssuerSpec {
    /// The embedded authorization server on loopback.
    Embedded(Options),
    /// Nobody.
    None,
}

/// Who judges criteria.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgeSpec {
    /// The judge's model.
    pub model: ModelSpec,
    /// How it is asked.
    pub rubric: Rubric,
    /// Who is asked where the first judge's word is not enough.
    pub second: Option<ModelSpec>,
    /// Who is always asked besides the first.
    pub panel: Vec<ModelSpec>,
    /// When the second judge is asked.
    pub escalate: Escalate,
    /// What goes into one call.
    pub calls: Grouping,
    /// How it is known how sure the first judge is.
    pub confidence: Confidence,
    /// Where it only advises, as far as people's labels are known; no suite says so.
    pub advises: Advises,
}

impl JudgeSpec {
    /// A judge that decides alone.
    pub fn alone(model: ModelSpec, rubric: Rubric) -> Self {
        let (escalate, calls) = (Escalate::Unsure, Grouping::Apart);
        let confidence = Confidence::usual(&model);
        let advises = Advises::default();
        Self { model, rubric, second: None, panel: vec![], escalate, calls, confidence, advises }
    }

    /// Every model that judges, the first one first.
    pub fn models(&self) -> impl Iterator<Item = &ModelSpec> {
        std::iter::once(&self.model).chain(&self.second).chain(&self.panel)
    }

    /// What makes this judge this one and no other.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut parts: Vec<Fingerprint> =
            self.models().map(|model| Fingerprint::of(model, &self.rubric)).collect();
        parts[0] = Fingerprint::weighed(&self.model, &self.rubric, self.confidence);
        let usual = parts.len() == 1 && self.calls == Grouping::Apart;
        let policy = (self.panel.len(), self.escalate, self.calls);
        Fingerprint::together(&parts, (!usual).then_some(&policy))
    }
}

/// A use case.
#[derive(Clone, Debug)]
pub struct CaseSpec {
    /// Its id, with its place.
    pub id: Located<CaseName>,
    /// What the user says, turn by turn; at least one.
    pub turns: Vec<Turn>,
    /// Tags, sorted.
    pub tags: Vec<String>,
    /// The personas it runs as.
    pub personas: Vec<PersonaName>,
    /// The client profiles it runs through.
    pub clients: Vec<ClientName>,
    /// The models it runs with; `true` in `models_named` when the case itself names them.
    pub models: Vec<ModelName>,
    /// Whether the case itself names its models, so that `--model` selects among them and never replaces them.
    pub models_named: bool,
    /// Trials.
    pub trials: u32,
    /// Expectations in code.
    pub expect: Vec<Located<Check>>,
    /// Expectations for the judge.
    pub criteria: Vec<Located<Criterion>>,
    /// Limits.
    pub limits: Limits,
    /// What is answered when the server asks the client.
    pub answers: Answers,
    /// What the scripted model does in this case.
    pub script: Option<Value>,
    /// Why this case is known to fail; it must keep failing.
    pub expected_failure: Option<Located<ExpectedFailure>>,
    /// Steps before the first turn.
    pub setup: Vec<Located<Step>>,
    /// Steps after the last turn whose results are checked.
    pub verify: Vec<Located<Verify>>,
    /// Steps at the end, whatever happened.
    pub cleanup: Vec<Located<Step>>,
}

/// A failure that is known and must keep happening; when the case starts to pass, that is reported and fails the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedFailure {
    /// Why.
    pub reason: String,
    /// The models it holds for; empty: all.
    pub models: Vec<ModelName>,
}

/// Limits of a trial. Absent: the built-in default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most answers of the model per turn of the user. Default 10.
    #[serde(default = "default_turns")]
    pub turns: u32,
    /// Most tool calls of a trial. Default 20.
    #[serde(default = "default_calls")]
    pub tool_calls: u32,
    /// Most wall time of a trial. Default 2m.
    #[serde(default = "default_time")]
    pub time: Period,
    /// Most tokens of a trial, in and out together.
    #[serde(default)]
    pub tokens: Option<u64>,
    /// Most US dollars of a trial.
    #[serde(default)]
    pub cost: Option<f64>,
}

fn default_turns() -> u32 {
    10
}

fn default_calls() -> u32 {
    20
}

fn default_time() -> Period {
    Period::secs(120)
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            turns: default_turns(),
            tool_calls: default_calls(),
            time: default_time(),
            tokens: None,
            cost: None,
        }
    }
}

/// One row of the access matrix: what a persona must see, may use and must never see or use.
#[derive(Clone, Debug)]
pub struct AccessSpec {
    /// The persona, with the place of the row.
    pub persona: Located<PersonaName>,
    /// The personas whose rights it gets inside the session, one after the other, before anything is expected; or what
    /// becomes of its tokens, by a name of [`Change`].
    pub becomes: Vec<Located<PersonaName>>,
    /// What must be listed.
    pub sees: Vec<Located<Subject>>,
    /// What must be allowed, with arguments (`{}`: made from the schema).
    pub calls: Vec<(Located<Subject>, Value)>,
    /// What must be neither listed nor allowed, with arguments to try (`{}`: made from the schema).
    pub never: Vec<(Located<Subject>, Value)>,
    /// Where the row says that nothing else may be listed or allowed, if it does.
    pub others: Option<Origin>,
    /// The shape in which everything under `never` must be denied, if the suite demands one.
    pub denied_as: Option<DenialShape>,
}

impl AccessSpec {
    /// Everything that the row names, in the order of its keys.
    pub fn named(&self) -> impl Iterator<Item = &Located<Subject>> {
        let pairs = self.calls.iter().chain(&self.never).map(|(subject, _)| subject);
        self.sees.iter().chain(pairs)
    }
}

/// When a run passes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GatePolicy {
    /// Without a baseline: the share of trials of a use case that must pass. Absent: more than half.
    #[serde(default)]
    pub min_pass: Option<Share>,
    /// The largest drop that does not matter. Default 5pt.
    #[serde(default = "default_margin")]
    pub margin: Share,
    /// Most rounds of the sequential gate. Default 5.
    #[serde(default = "default_rounds")]
    pub max_rounds: u32,
    /// The share of unchanged nights that may raise an alarm. Default 1%.
    #[serde(default = "default_alarm")]
    pub false_alarm: Share,
    /// The largest share of invalid trials with which a run can pass. Default 5%.
    #[serde(default = "default_invalid")]
    pub max_invalid: Share,
    /// How strict the gate is about missing evidence. Default pr.
    #[serde(default)]
    pub mode: GateMode,
    /// Use cases that raise no alarm of their own; suites write them under the key `quarantine` at the top.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub quarantine: Vec<quarantine::Quarantined>,
    /// The server as it was: after an alarm it is run beside the new one, on the cases that the alarm is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<OldServer>,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            min_pass: None,
            margin: default_margin(),
            max_rounds: default_rounds(),
            false_alarm: default_alarm(),
            max_invalid: default_invalid(),
            mode: GateMode::default(),
            quarantine: vec![],
            control: None,
        }
    }
}

fn default_margin() -> Share {
    Share(0.05)
}

fn default_rounds() -> u32 {
    5
}

fn default_alarm() -> Share {
    Share(0.01)
}

fn default_invalid() -> Share {
    Share(0.05)
}

/// How strict the gate is about missing evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateMode {
    /// Inconclusive exits 3.
    #[default]
    Pr,
    /// Inconclusive warns, and exits 3 from the third night in a row.
    Nightly,
    /// Inconclusive exits 3.
    Release,
}
