//! Auth cases: runs the probe of one auth check; what it means is decided from the record.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::World;
use crate::auth::Persona;
use crate::auth::checks;
use crate::auth::identity::{self, Authority};
use crate::auth::prober::{ProbeSetup, Prober};
use crate::ids::PersonaName;
use crate::mcp::Identity;
use crate::transcript::{End, Fault, Recorder, Side};

/// What auth probes need: a prober aimed at the target, with a persona whose good token is the positive control.
pub struct Lab {
    prober: Prober,
}

impl Lab {
    /// A lab for an HTTP target. The control is that of [`identity::control`]. Fixed headers are sent along, but for those that would let anybody in.
    pub fn new(
        target: &url::Url,
        mut headers: BTreeMap<String, String>,
        personas: &[Persona],
        identities: &[(PersonaName, Identity)],
        authority: &Authority,
    ) -> Result<Self, Fault> {
        let persona = identity::control(personas).cloned();
        let identity = match &persona {
            // The same as in its sessions: a refresh token serves only one of two.
            Some(persona) => match identities.iter().find(|(name, _)| *name == persona.name) {
                Some((_, identity)) => Arc::clone(identity),
                None => identity::identity(persona, authority)?,
            },
            None => Arc::new(crate::mcp::Anonymous),
        };
        headers.retain(|name, _| !name.eq_ignore_ascii_case("authorization"));
        let setup = ProbeSetup {
            target: target.clone(),
            headers,
            issuer: authority.issuer.clone(),
            persona,
            identity,
            audience: authority.audience.clone(),
        };
        let log = Recorder::new(authority.clock.clone(), authority.secrets.clone());
        Ok(Self { prober: Prober::new(setup, log)? })
    }

    /// The same lab with another HTTP client.
    #[must_use]
    pub fn through(self, http: reqwest::Client) -> Self {
        Self { prober: self.prober.through(http) }
    }
}

/// Runs the probe.
pub async fn run(check: &str, world: &World, log: &Recorder) -> End {
    let Some(lab) = &world.lab else {
        let message = "auth checks need a target over streamable HTTP";
        return End::Faulted(Fault::new(Side::Harness, "auth.not-http", message));
    };
    let Some(check) = checks::find(check) else {
        return End::Faulted(Fault::new(
            Side::Harness,
            "bug.no-check",
            format!("there is no auth check `{check}`"),
        ));
    };
    match check.run(&lab.prober.recording(log.clone())).await {
        Ok(()) => End::Done,
        Err(fault) => End::Faulted(fault),
    }
}
