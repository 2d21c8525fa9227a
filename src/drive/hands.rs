//! What trials do beside talking to a model and the target: agents that are started, users that are played, steps that run
//! commands and ask HTTP endpoints.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use crate::ids::Digest;
use crate::llm::ChatModel;
use crate::llm::command::Agent;
use crate::mcp::process::guard::Guard;

/// See the module. Built once per run.
pub struct Hands {
    /// Agents under test, by the `model` digest of the case keys.
    pub agents: HashMap<Digest, Arc<Agent>>,
    /// Models that play users, by the digest of their definition.
    pub players: HashMap<Digest, Arc<dyn ChatModel>>,
    /// Values of `${…}` in steps.
    pub variables: BTreeMap<String, String>,
    /// The HTTP client of steps.
    pub http: reqwest::Client,
    /// Who ends child processes when we cannot.
    pub guard: Guard,
    /// This program.
    pub program: PathBuf,
    /// The folder of the project, where commands of steps start.
    pub root: PathBuf,
}

impl Hands {
    /// No agents, no players and no variables.
    pub fn bare(http: reqwest::Client, guard: Guard, program: PathBuf, root: PathBuf) -> Self {
        let (agents, players, variables) = (HashMap::new(), HashMap::new(), BTreeMap::new());
        Self { agents, players, variables, http, guard, program, root }
    }
}
