//! The host of one trial: answers the server's questions as the case scripts them, and where it scripts nothing as the
//! client profile does. Never opens a URL.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use super::sampling::{Sampler, message};
use super::script::Script;
use super::{Journal, World};
use crate::llm::{self, ChatReply};
use crate::mcp::host::conducted::Conducted;
use crate::mcp::host::elicitation::{self, Mode};
use crate::mcp::host::{Answer, Host};
use crate::plan::{Case, UseWork};
use crate::suite::answers::{Action, Reply, Root, Sampling};
use crate::transcript::{CaseHeader, Fault, Recorder, Side, What};

/// JSON-RPC's code for parameters that make no sense, and what the specification wants for an undeclared mode.
const INVALID_PARAMS: i64 = -32602;
/// The code in the specification's example of a refusal by the user (2025-11-25, client/sampling).
const REJECTED: i64 = -1;

/// Answers for one trial. Answers end when the trial does.
pub struct TrialHost {
    client: Conducted,
    capabilities: Map<String, Value>,
    script: Option<Script>,
    sampling: Option<Source>,
    roots: Option<Vec<Root>>,
    log: Recorder,
    ledger: Arc<Ledger>,
    over: CancellationToken,
}

/// Who gives a model's words.
enum Source {
    Text(String),
    Refuse,
    Model(Paid),
}

/// A model and what its answers are charged to.
struct Paid {
    sampler: Arc<Sampler>,
    journal: Arc<dyn Journal>,
    header: CaseHeader,
    /// Answers the trial may still have of it: as many as tool calls. Nobody else bounds what a server asks for.
    left: AtomicU32,
}

impl TrialHost {
    /// The host of a trial; `over` ends it.
    ///
    /// # Errors
    /// A model that the plan names and the stage did not build.
    pub fn new(
        (case, work): (&Case, &UseWork),
        world: &World,
        log: &Recorder,
        ledger: &Arc<Ledger>,
        over: CancellationToken,
    ) -> Result<Self, Fault> {
        let wire = &case.client.wire;
        let stdio = world.target.url().is_none();
        let capabilities = if stdio { wire.over_stdio().served() } else { wire.served() };
        let answers = &work.answers;
        let sampling = match answers.sampling.as_ref().map(|block| &block.value) {
            None => None,
            Some(Sampling::Text(text)) => Some(Source::Text(text.clone())),
            Some(Sampling::Refuse) => Some(Source::Refuse),
            Some(Sampling::Model(spec)) => {
                let sampler = world.samplers.get(&Sampler::key(spec)).cloned().ok_or_else(|| {
                    Fault::new(
                        Side::Harness,
                        "bug.no-model",
                        "the plan names a sampling model that was not built",
                    )
                })?;
                let journal = Arc::clone(&world.journal);
                let header = case.header.clone();
                let left = AtomicU32::new(work.limits.tool_calls);
                Some(Source::Model(Paid { sampler, journal, header, left }))
            }
        };
        Ok(Self {
            client: Conducted::new(&case.client, capabilities.clone()),
            capabilities,
            script: answers.elicitation.as_ref().map(|block| Script::new(&block.value)),
            sampling,
            roots: answers.roots.as_ref().map(|block| block.value.clone()),
            log: log.clone(),
            ledger: Arc::clone(ledger),
            over,
        })
    }

    async fn reply(&self, method: &str, params: &Value) -> Option<Answer> {
        let capability = match method {
            "elicitation/create" => "elicitation",
            "sampling/createMessage" => "sampling",
            "roots/list" => "roots",
            _ => return self.client.answer(method, params),
        };
        // What the client does not declare no script makes up for.
        if !self.capabilities.contains_key(capability) {
            return self.client.answer(method, params);
        }
        match (capability, &self.script, &self.sampling, &self.roots) {
            ("elicitation", Some(script), _, _) => self.elicit(script, params),
            ("sampling", _, Some(source), _) => self.sample(source, params).await,
            ("roots", _, _, Some(roots)) => Some(Ok(json!({"roots": roots}))),
            _ => self.client.answer(method, params),
        }
    }

    fn elicit(&self, script: &Script, params: &Value) -> Option<Answer> {
        const METHOD: &str = "elicitation/create";
        let mode = match elicitation::mode(params) {
            Ok(mode) if declares(&self.capabilities, mode) => mode,
            Ok(_) => return Some(Err(error(INVALID_PARAMS, "this mode of elicitation is not declared"))),
            Err(mode) => return Some(Err(error(INVALID_PARAMS, &format!("unknown mode {mode}")))),
        };
        let Some(reply) = script.next(params) else {
            self.odd(METHOD, "no scripted answer fits this question; answered as the client profile does");
            return self.client.answer(METHOD, params);
        };
        Some(Ok(match (reply.action, mode) {
            (Action::Accept, Mode::Form) => self.submit(reply, params),
            (Action::Accept, Mode::Url) => {
                if !reply.content.is_empty() {
                    self.odd(METHOD, "a page to visit has no form; the scripted `content` was left out");
                }
                json!({"action": "accept"})
            }
            (action, _) => json!({"action": action.as_str()}),
        }))
    }

    fn submit(&self, reply: &Reply, params: &Value) -> Value {
        let empty = json!({"type": "object"});
        let filled = elicitation::fill(params.get("requestedSchema").unwrap_or(&empty), &reply.content);
        for remark in &filled.unknown {
            self.odd("elicitation/create", &format!("{remark}; it was left out"));
        }
        if filled.fits() {
            return json!({"action": "accept", "content": filled.content});
        }
        let why = filled.unfit.join("; ");
        self.odd("elicitation/create", &format!("{why}; the form was cancelled, as a user would have to"));
        json!({"action": "cancel"})
    }

    async fn sample(&self, source: &Source, params: &Value) -> Option<Answer> {
        let paid = match source {
            Source::Refuse => return Some(Err(error(REJECTED, "User rejected sampling request"))),
            Source::Text(text) => {
                let content = json!({"type": "text", "text": text});
                let model = "scripted";
                return Some(Ok(
                    json!({"role": "assistant", "content": content, "model": model, "stopReason": "endTurn"}),
                ));
            }
            Source::Model(paid) => paid,
        };
        tokio::select! {
            biased;
            () = self.over.cancelled() => None,
            answer = self.model(paid, params) => Some(answer),
        }
    }

    async fn model(&self, paid: &Paid, params: &Value) -> Answer {
        const METHOD: &str = "sampling/createMessage";
        let tools = self.capabilities.get("sampling").is_some_and(|sampling| sampling.get("tools").is_some());
        let wanted = match message::read(params, tools, paid.header.trial) {
            Ok(wanted) => wanted,
            Err(message::Refused::Malformed(why)) => {
                self.log.note(What::ServerOdd { message: format!("`{METHOD}`: {why}") });
                return Err(error(INVALID_PARAMS, &why));
            }
            Err(message::Refused::Unserved(why)) => {
                self.odd(METHOD, &format!("{why}; the request was refused"));
                return Err(error(REJECTED, &why));
            }
        };
        let left = paid.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_err() || self.ledger.stopped().is_err() {
            self.odd(METHOD, "the limits of the case are reached; the request was refused");
            return Err(error(REJECTED, "the limits of this conversation are reached"));
        }
        let asking = self.ledger.asking();
        let reply = match paid.sampler.capped(wanted.max_tokens) {
            Ok(model) => llm::at(&model, &paid.header).complete(&wanted.request, &self.log).await,
            Err(fault) => Err(fault),
        };
        drop(asking);
        match reply {
            Ok(reply) => self.charged(paid, reply).await,
            Err(fault) => {
                // Without its words the server cannot be measured.
                self.ledger.broke(fault);
                Err(error(REJECTED, "the model did not answer"))
            }
        }
    }

    /// Paid work is on disk before anything is done with it.
    async fn charged(&self, paid: &Paid, reply: ChatReply) -> Answer {
        let spec = &paid.sampler.spec;
        let cost = spec.price.as_ref().map(|price| price.of(&reply.usage));
        let seq = self.log.note(What::SamplingAnswered {
            model: spec.name.clone(),
            text: reply.text.clone(),
            calls: reply.calls.clone(),
            usage: reply.usage,
            cost,
            model_id: reply.model_id.clone(),
            stop: reply.stop.clone(),
            took_ms: reply.took_ms,
        });
        self.ledger.charge(reply.usage, cost);
        if let Some(event) = self.log.event(seq)
            && let Err(fault) = paid.journal.model_replied(paid.header.key, &event).await
        {
            self.ledger.broke(fault);
            return Err(error(REJECTED, "the answer could not be kept"));
        }
        let name = reply.model_id.as_deref().unwrap_or(spec.api_id());
        message::result(&reply, name).map_err(|why| {
            self.odd("sampling/createMessage", &why);
            error(REJECTED, &why)
        })
    }

    fn odd(&self, method: &str, message: &str) {
        self.log.note(What::AnswerOdd { method: method.to_owned(), message: message.to_owned() });
    }
}

impl Host for TrialHost {
    fn answer<'a>(&'a self, method: &'a str, params: &'a Value) -> BoxFuture<'a, Option<Answer>> {
        Box::pin(self.reply(method, params))
    }
}

/// An empty `elicitation` declares forms alone (2025-11-25, client/elicitation).
fn declares(capabilities: &Map<String, Value>, mode: Mode) -> bool {
    let declared = capabilities.get("elicitation").and_then(Value::as_object);
    match mode {
        Mode::Form => declared.is_none_or(|modes| modes.is_empty() || modes.contains_key("form")),
        Mode::Url => declared.is_some_and(|modes| modes.contains_key("url")),
    }
}

fn error(code: i64, message: &str) -> Value {
    json!({"code": code, "message": message})
}
