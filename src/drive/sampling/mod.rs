//! The model of the suite that answers `sampling/createMessage` in the client's place.

use std::sync::Arc;

use crate::ids::Digest;
use crate::llm::tape::{self, Role, Tape};
use crate::llm::{self, ChatModel, ModelSpec};
use crate::transcript::Fault;

pub mod message;

/// A model that can be asked within a limit that the server sets.
pub struct Sampler {
    /// Its definition.
    pub spec: ModelSpec,
    outside: llm::Outside,
    tape: Option<Arc<Tape>>,
}

impl Sampler {
    /// Builds the model once, so that a missing key or a wrong field is found before anything is spent.
    pub fn new(spec: &ModelSpec, tape: Option<&Arc<Tape>>, outside: &llm::Outside) -> Result<Self, Fault> {
        tape::build(spec, Role::Sampler, tape, outside)?;
        Ok(Self { spec: spec.clone(), outside: outside.clone(), tape: tape.cloned() })
    }

    /// What finds it among the models of a run.
    pub fn key(spec: &ModelSpec) -> Digest {
        Digest::of_json(spec)
    }

    /// The model, which writes at most so many tokens for one answer.
    pub fn capped(&self, max_tokens: Option<u32>) -> Result<Arc<dyn ChatModel>, Fault> {
        let most = [self.spec.max_tokens, max_tokens].into_iter().flatten().min();
        let spec = ModelSpec { max_tokens: most, ..self.spec.clone() };
        tape::build(&spec, Role::Sampler, self.tape.as_ref(), &self.outside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_is_found_when_the_stage_is_set() {
        let outside = llm::Outside::new(crate::net::client().unwrap(), Arc::new(|_| None));
        let spec = ModelSpec { key: Some("SAMPLING_KEY".to_owned()), ..ModelSpec::new("m", "openai") };
        let fault = Sampler::new(&spec, None, &outside).err().unwrap();
        assert_eq!(fault.code, "credentials.missing-key");
        let sampler = Sampler::new(&ModelSpec::new("l", "lexical"), None, &outside).unwrap();
        assert!(sampler.capped(Some(5)).is_ok());
    }
}
