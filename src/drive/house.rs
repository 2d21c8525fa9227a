//! The target of a suite, up and open for single sessions outside of any run.

use super::stage::{self, Outside, Set};
use crate::auth::{Persona, identity};
use crate::mcp::{ClientProfile, Opening, Session};
use crate::suite::Suite;
use crate::transcript::{Fault, Recorder};

/// A target that is up, with its issuer where it has one.
pub struct House {
    set: Set,
    /// How the target is reached, in words.
    pub described: String,
}

impl House {
    /// Starts issuer and target as a run would.
    pub async fn enter(suite: &Suite, outside: &Outside) -> Result<Self, Fault> {
        let (set, described) = stage::raise(suite, outside).await?;
        Ok(Self { set, described })
    }

    /// A session as a persona, through the client without limits; what is said goes into `log`.
    pub async fn session(
        &self,
        persona: &Persona,
        outside: &Outside,
        log: &Recorder,
    ) -> Result<Box<dyn Session>, Fault> {
        let identity = identity::identity(persona, &self.set.authority(outside))?;
        let profile = ClientProfile::reference();
        self.set.target().open(Opening::new(&identity, &profile), log.clone()).await
    }

    /// Ends everything.
    pub async fn leave(self) {
        self.set.strike().await;
    }
}
