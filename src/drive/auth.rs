//! Auth cases: runs the probe of one auth check; what it means is decided from the record.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::World;
use crate::auth::Persona;
use crate::auth::checks;
use crate::auth::identity::{self, Authority};
use crate::auth::prober::{Figure, ProbeSetup, Prober};
use crate::auth::{Bench, BenchSetup};
use crate::ids::PersonaName;
use crate::mcp::{Identity, Target};
use crate::net::Route;
use crate::suite::AuthSetup;
use crate::transcript::{End, Fault, Recorder, Side};

/// What auth probes need: a prober aimed at the target, or a bench for its processes, with a persona whose good
/// credential is the positive control.
pub enum Lab {
    /// For a target over Streamable HTTP.
    Http(Box<Prober>),
    /// For a target over standard streams.
    Stdio(Box<Bench>),
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

    /// The control and the second persona, if there are any.
    fn two(
        &self,
        setup: &AuthSetup,
        authority: &Authority,
    ) -> Result<(Option<Figure>, Option<Figure>), Fault> {
        let control = identity::control(self.personas);
        let other = match &setup.other {
            Some(name) => self.named(name, authority)?,
            None => control
                .and_then(|control| identity::second(self.personas, control))
                .map(|persona| self.figure(persona, authority))
                .transpose()?,
        };
        Ok((control.map(|persona| self.figure(persona, authority)).transpose()?, other))
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
        let (control, other) = cast.two(setup, authority)?;
        let weaker = match &setup.weaker {
            Some(name) => cast.named(name, authority)?,
            None => None,
        };
        headers.retain(|name, _| !name.eq_ignore_ascii_case("authorization"));
        let setup = ProbeSetup {
            target: target.clone(),
            headers,
            issuer: authority.issuer.clone(),
            control,
            other,
            weaker,
            facts: setup.facts.clone(),
            audience: authority.audience.clone(),
        };
        let log = Recorder::new(authority.clock.clone(), authority.secrets.clone());
        Ok(Self::Http(Box::new(Prober::new(setup, log)?)))
    }

    /// A lab for a target over standard streams.
    pub fn stdio(
        target: Arc<dyn Target>,
        cast: Cast<'_>,
        setup: &AuthSetup,
        authority: &Authority,
    ) -> Result<Self, Fault> {
        let (control, other) = cast.two(setup, authority)?;
        let setup = BenchSetup { target, control, other, facts: setup.facts.clone() };
        let log = Recorder::new(authority.clock.clone(), authority.secrets.clone());
        Ok(Self::Stdio(Box::new(Bench::new(setup, log))))
    }

    /// The same lab with its prober changed, if it has one.
    fn probing(self, change: impl FnOnce(Prober) -> Prober) -> Self {
        match self {
            Self::Http(prober) => Self::Http(Box::new(change(*prober))),
            stdio @ Self::Stdio(_) => stdio,
        }
    }

    /// The same lab with another HTTP client, made for `route`.
    #[must_use]
    pub fn through(self, http: reqwest::Client, route: &Route) -> Self {
        self.probing(|prober| prober.through(http, route))
    }

    /// The same lab, asking so many times per second at most.
    #[must_use]
    pub fn paced(self, rps: Option<u32>) -> Self {
        self.probing(|prober| prober.paced(rps))
    }

    /// The same lab, knowing which eras the target speaks with the control, or with anybody.
    pub async fn knowing(self) -> Result<Self, Fault> {
        let Self::Http(prober) = &self else { return Ok(self) };
        let good = prober.good().await?;
        let eras = prober.spoken(&good).await;
        Ok(self.probing(|prober| prober.knowing(eras)))
    }
}

/// Runs the probe.
pub async fn run(check: &str, world: &World, log: &Recorder) -> End {
    let Some(lab) = &world.lab else {
        let message = "auth checks need a target over streamable HTTP or standard streams";
        return End::Faulted(Fault::new(Side::Harness, "auth.not-http", message));
    };
    let Some(check) = checks::find(check) else {
        return End::Faulted(Fault::new(
            Side::Harness,
            "bug.no-check",
            format!("there is no auth check `{check}`"),
        ));
    };
    let ran = match lab {
        Lab::Http(prober) => check.run(&prober.recording(log.clone())).await,
        Lab::Stdio(bench) => check.run_on(&bench.recording(log.clone())).await,
    };
    match ran {
        Ok(()) => End::Done,
        Err(fault) => End::Faulted(fault),
    }
}
