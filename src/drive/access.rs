//! Access cases: list as the persona, then try calls, reads and prompts; no model.

use std::sync::Arc;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::turning::{Speaker, Turning};
use super::{World, agent, surface};
use crate::auth::{Persona, identity};
use crate::ids::CallId;
use crate::mcp::profile::Results;
use crate::mcp::{Identity, Opening, Refusal, Scene, Session, example, facts};
use crate::plan::{AccessCall, AccessWork, Case};
use crate::suite::Change;
use crate::transcript::event::{Caller, Refused};
use crate::transcript::{End, Fault, Recorder, Side, Subject, ToolCall, What};

/// The start of the name of what no server has. Asking for it shows how the target answers for what it does not know;
/// what is forbidden and answered in the same shape counts as denied.
pub const NONEXISTENT: &str = "rehearsal_nonexistent_";

/// Most uses of what the row does not name.
const UNNAMED: usize = 100;

/// Lists as the persona, or as what it becomes, asks for something nonexistent as the reference, then for everything of
/// the row. A target that lets the persona in nowhere has shown and allowed nothing, which is an observation and not a
/// fault.
pub async fn run(case: &Case, work: &AccessWork, world: &World, log: &Recorder) -> End {
    world.prelude.tell(&case.persona.name, log);
    let trial = async {
        let turning = turning(case, work, world).await?;
        let identity: Identity = turning.clone();
        let scene = Scene { persona: &case.persona.name, case: Some(&case.header) };
        let opening = Opening::new(&identity, &case.client).in_scene(scene);
        let session = world.target.open(opening, log.clone()).await?;
        Ok((turning, session))
    };
    let (turning, session) = match trial.await {
        Ok(opened) => opened,
        Err(fault) if is_refusal(&fault) && work.becomes.is_empty() => {
            return shut_out(&calls(work, world), &fault, log);
        }
        Err(fault) => return End::Faulted(fault),
    };
    let probe = Probe { case, work, world, log, session: session.as_ref() };
    let end = match probe.whole(&turning).await {
        Ok(()) => End::Done,
        Err(fault) => End::Faulted(fault),
    };
    session.close().await;
    end
}

/// Whoever the persona is, one after the other. Where a token is taken back, nobody else may have it: the trial gets
/// identities of its own.
async fn turning(case: &Case, work: &AccessWork, world: &World) -> Result<Arc<Turning>, Fault> {
    let alone = work.becomes.iter().any(|turn| turn.change == Some(Change::Revoked));
    let of = |persona: &Persona| match &world.authority {
        Some(authority) if alone => identity::identity(persona, authority),
        _ => world.identity(&persona.name).cloned(),
    };
    let first = of(&case.persona)?;
    let mut then = vec![];
    for turn in &work.becomes {
        then.push(match turn.change {
            None => Speaker::Identity(of(&turn.persona)?),
            Some(Change::Revoked) => Speaker::Parrot,
            Some(Change::Rotated) => {
                // A tape knows no tokens.
                let Some(authority) = world.authority.clone() else {
                    then.push(Speaker::Parrot);
                    continue;
                };
                let persona = turn.persona.clone();
                // A new key takes a tenth of a second: too long for an async thread.
                let made = tokio::task::spawn_blocking(move || identity::rotated(&persona, &authority)).await;
                let broken = |error: tokio::task::JoinError| {
                    Fault::new(Side::Harness, "issuer.crypto", format!("making a key broke off: {error}"))
                };
                Speaker::Identity(made.map_err(broken)??)
            }
        });
    }
    Ok(Turning::new(first, then))
}

fn is_refusal(fault: &Fault) -> bool {
    fault.code == "target.unauthorized"
}

/// Everything that a trial tries: what the row names and, where it closes the world, what else may be tried unasked.
fn calls(work: &AccessWork, world: &World) -> Vec<AccessCall> {
    let mut calls = work.calls.clone();
    if let Some(named) = &work.others {
        let is_named =
            |subject: &Subject| named.iter().any(|name| name == subject || name.is_shown_by(subject));
        let mut unnamed = surface::harmless(&world.surfaces);
        unnamed.retain(|subject| !is_named(subject));
        let unnamed = unnamed.into_iter().take(UNNAMED);
        calls.extend(unnamed.map(|subject| AccessCall { subject, args: json!({}) }));
    }
    calls
}

struct Probe<'a> {
    case: &'a Case,
    work: &'a AccessWork,
    world: &'a World,
    log: &'a Recorder,
    session: &'a dyn Session,
}

impl Probe<'_> {
    async fn whole(&self, turning: &Turning) -> Result<(), Fault> {
        self.look().await?;
        for turn in &self.work.becomes {
            if turn.change == Some(Change::Revoked)
                && let Some(issuer) =
                    self.world.authority.as_ref().and_then(|authority| authority.issuer.as_ref())
                && let Some(token) = turning.shown()
            {
                issuer.revoke(token.expose_secret());
            }
            turning.turn();
            self.log.note(What::IdentityChanged { to: turn.to.clone() });
            self.look().await?;
        }
        let calls = calls(self.work, self.world);
        let mut known = vec![];
        for (index, call) in calls.iter().enumerate() {
            // The first of its kind comes after the reference of its kind.
            if !known.contains(&call.subject.kind()) {
                known.push(call.subject.kind());
                let reference = AccessCall { subject: self.reference(&call.subject), args: json!({}) };
                self.attempt(&format!("reference-{}", call.subject.kind()), &reference).await?;
            }
            self.attempt(&format!("probe-{index}"), call).await?;
        }
        Ok(())
    }

    /// What no server has. The suffix is the same for every trial of a question, so equal runs leave equal records.
    fn reference(&self, of: &Subject) -> Subject {
        let name = format!("{NONEXISTENT}{}", &self.case.header.key.question.to_string()[..8]);
        match of {
            Subject::Tool(_) => Subject::tool(&name),
            Subject::Prompt(_) => Subject::Prompt(name),
            // In the same scheme, so that it takes the same way through the server.
            Subject::Resource(uri) => {
                let scheme = uri.split_once("://").map_or("rehearsal", |(scheme, _)| scheme);
                Subject::Resource(format!("{scheme}://{name}"))
            }
        }
    }

    /// Every list that the row is about. An identity that may not even list sees nothing.
    async fn look(&self) -> Result<(), Fault> {
        match self.session.list_tools().await {
            Ok(_) => {}
            Err(fault) if is_refusal(&fault) => _ = self.log.note(What::ToolsListed { tools: vec![] }),
            Err(fault) => return Err(fault),
        }
        if self.work.features {
            let features = surface::features(self.session).await;
            let features = match features {
                Err(fault) if is_refusal(&fault) => surface::Features::default(),
                other => other?,
            };
            let texts = |items: &[Value], key: &str| {
                let text = |item: &Value| item.get(key).and_then(Value::as_str).map(str::to_owned);
                items.iter().filter_map(text).collect()
            };
            self.log.note(What::FeaturesListed {
                resources: texts(&features.resources, facts::RESOURCES.name),
                templates: texts(&features.templates, facts::TEMPLATES.name),
                prompts: texts(&features.prompts, facts::PROMPTS.name),
            });
        }
        Ok(())
    }

    async fn attempt(&self, id: &str, call: &AccessCall) -> Result<(), Fault> {
        let given = Some(&call.args).filter(|args| args.as_object().is_some_and(|args| !args.is_empty()));
        let begun = self.log.elapsed_ms();
        let (answer, args) = match &call.subject {
            Subject::Tool(name) => {
                let known = || surface::find(&self.world.surfaces, name);
                let made =
                    || known().map_or_else(|| json!({}), |fact| example::arguments(&fact.input_schema()));
                let args = given.cloned().unwrap_or_else(made);
                let call = ToolCall { id: CallId::new(id), name: name.clone(), args };
                let (id, name, args) = (call.id.clone(), call.name.clone(), call.args.clone());
                self.log.note(What::ToolCalled { call: id, name, args, by: Caller::Harness });
                agent::perform(self.session, &call, self.log, &Results::default()).await?;
                return Ok(());
            }
            Subject::Resource(uri) => (self.session.read_resource(uri).await?, Value::Null),
            Subject::Prompt(name) => {
                let known = || surface::find_prompt(&self.world.surfaces, name);
                let args =
                    given.cloned().unwrap_or_else(|| known().map_or(Value::Null, example::prompt_arguments));
                (self.session.get_prompt(name, &args).await?, args)
            }
        };
        let took_ms = self.log.elapsed_ms().saturating_sub(begun);
        let refused = answer.err().map(|Refusal { code, status, message, challenge, .. }| Refused {
            code,
            status,
            message,
            challenge,
        });
        self.log.note(What::Fetched { subject: call.subject.clone(), args, refused, took_ms });
        Ok(())
    }
}

/// The record of a persona that was refused at the door: nothing listed, every use refused.
fn shut_out(calls: &[AccessCall], fault: &Fault, log: &Recorder) -> End {
    log.note(What::ToolsListed { tools: vec![] });
    log.note(What::FeaturesListed { resources: vec![], templates: vec![], prompts: vec![] });
    let status = Some(if fault.message.contains("HTTP 403") { 403 } else { 401 });
    let challenge = fault.message.split_once("challenge: ").map(|(_, challenge)| challenge.to_owned());
    for (index, call) in calls.iter().enumerate() {
        let (message, challenge) = (fault.message.clone(), challenge.clone());
        if let Subject::Tool(name) = &call.subject {
            let id = CallId::new(format!("probe-{index}"));
            let (name, args) = (name.clone(), call.args.clone());
            log.note(What::ToolCalled { call: id.clone(), name, args, by: Caller::Harness });
            log.note(What::ToolRefused { call: id, code: None, status, message, challenge, took_ms: 0 });
        } else {
            let refused = Some(Refused { code: None, status, message, challenge });
            let (subject, args) = (call.subject.clone(), call.args.clone());
            log.note(What::Fetched { subject, args, refused, took_ms: 0 });
        }
    }
    End::Done
}
