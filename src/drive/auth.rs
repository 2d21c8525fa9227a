//! Auth cases: runs the probe of one auth check; what it means is decided from the record.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::World;
use crate::auth::Persona;
use crate::auth::checks;
use crate::auth::identity::{self, Authority};
use crate::auth::prober::{Figure, ProbeSetup, Prober};
use crate::ids::PersonaName;
use crate::mcp::Identity;
use crate::net::Route;
use crate::suite::AuthSetup;
use crate::transcript::{End, Fault, Recorder, Side};

/// What auth probes need: a prober aimed at the target, with a persona whose good token is the positive control.
pub struct Lab {
    prober: Prober,
}

/// Everybody whom a suite names, with the credentials of their sessions.
#[derive(Clone, Copy)]
pub struct Cast<'a> {
    /// The personas, in order.
    pub personas: &'a [Persona],
    /// Their identities: a refresh token serves only one of two.
    pub identities: &'a [(PersonaName, Identity)],
}

impl Cast<'_> {
    fn figure(&self, persona: &Persona, authority: &Authority) -> Result<Figure, Fault> {
        let known = self.identities.iter().find(|(name, _)| *name == persona.name);
        let identity = match known {
            Some((_, identity)) => Arc::clone(identity),
            None => identity::identity(persona, authority)?,
        };
        Ok(Figure { persona: persona.clone(), identity })
    }

    fn named(&self, name: &PersonaName, authority: &Authority) -> Result<Option<Figure>, Fault> {
        let persona = self.personas.iter().find(|persona| persona.name == *name);
        persona.map(|persona| self.figure(persona, authority)).transpose()
    }
}

impl Lab {
    /// A lab for an HTTP target. The control is that of [`identity::control`]. Fixed headers are sent along, but for
    /// those that would let anybody in.
    pub fn new(
        target: &url::Url,
        mut headers: BTreeMap<String, String>,
        cast: Cast<'_>,
        setup: &AuthSetup,
        authority: &Authority,
    ) -> Result<Self, Fault> {
        let control = identity::control(cast.personas);
        let other = match &setup.other {
            Some(name) => cast.named(name, authority)?,
            None => control
                .and_then(|control| identity::second(cast.personas, control))
                .map(|persona| cast.figure(persona, authority))
                .transpose()?,
        };
        let weaker = match &setup.weaker {
            Some(name) => cast.named(name, authority)?,
            None => None,
        };
        headers.retain(|name, _| !name.eq_ignore_ascii_case("authorization"));
        let setup = ProbeSetup {
            target: target.clone(),
            headers,
            issuer: authority.issuer.clone(),
            control: control.map(|persona| cast.figure(persona, authority)).transpose()?,
            other,
            weaker,
            facts: setup.facts.clone(),
            audience: authority.audience.clone(),
        };
        let log = Recorder::new(authority.clock.clone(), authority.secrets.clone());
        Ok(Self { prober: Prober::new(setup, log)? })
    }

    /// The same lab with another HTTP client, made for `route`.
    #[must_use]
    pub fn through(self, http: reqwest::Client, route: &Route) -> Self {
        Self { prober: self.prober.through(http, route) }
    }

    /// The same lab, asking so many times per second at most.
    #[must_use]
    pub fn paced(self, rps: Option<u32>) -> Self {
        Self { prober: self.prober.paced(rps) }
    }

    /// The same lab, knowing which eras the target speaks with the control, or with anybody.
    pub async fn knowing(self) -> Result<Self, Fault> {
        let good = self.prober.good().await?;
        let eras = self.prober.spoken(&good).await;
        Ok(Self { prober: self.prober.knowing(eras) })
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
