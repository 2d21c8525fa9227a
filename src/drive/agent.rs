//! The loop every host runs: ask the model, call the tools it wants, feed results and errors back, until it answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;

use super::{World, offer, steps};
use crate::ids::Digest;
use crate::llm::{ChatModel, ChatReply, ChatRequest, Message, ToolOffer};
use crate::mcp::{Session, ToolOutcome};
use crate::plan::{Case, UseWork};
use crate::suite::Turn;
use crate::transcript::event::Caller;
use crate::transcript::{End, Fault, Limit, Recorder, Side, ToolCall, Usage, What};

/// Runs a use case to its end. The time limit covers everything; when it strikes while the model's API is silent, that
/// is the API's fault and not the model's.
pub async fn run(case: &Case, work: &UseWork, world: &World, log: &Recorder) -> End {
    let Some(model) = world.models.get(&case.header.key.model) else {
        return End::Faulted(Fault::new(
            Side::Harness,
            "bug.no-model",
            "the plan names a model that was not built",
        ));
    };
    let session = match world.open(&case.persona.name, case, log).await {
        Ok(session) => session,
        Err(fault) => return End::Faulted(fault),
    };
    let asking = AtomicBool::new(false);
    let talk =
        Talk { case, work, world, log, model: model.as_ref(), session: session.as_ref(), asking: &asking };
    let end = match tokio::time::timeout(work.limits.time.0, talk.whole()).await {
        Ok(Ok(())) => End::Done,
        Ok(Err(end)) => end,
        Err(_) if asking.load(Ordering::Relaxed) => {
            let message =
                format!("the model's API had not answered when the case's {} were over", work.limits.time);
            End::Faulted(Fault::new(Side::Model, "model.timeout", message).retryable())
        }
        Err(_) => End::OutOf(Limit::Time),
    };
    steps::cleanup(case, work, world, log, session.as_ref()).await;
    // A server that does not let go must not hold up the run; its process group is killed when the handle drops.
    let _ = tokio::time::timeout(Duration::from_secs(10), session.close()).await;
    end
}

/// One conversation in progress.
struct Talk<'a> {
    case: &'a Case,
    work: &'a UseWork,
    world: &'a World,
    log: &'a Recorder,
    model: &'a dyn ChatModel,
    session: &'a dyn Session,
    asking: &'a AtomicBool,
}

/// What has been used up so far.
#[derive(Default)]
struct Spent {
    calls: u32,
    usage: Usage,
    cost: f64,
}

impl Talk<'_> {
    async fn whole(&self) -> Result<(), End> {
        let facts = self.session.list_tools().await.map_err(End::Faulted)?;
        let tools = offer::tools(&facts, &self.case.client);
        steps::setup(self.case, self.work, self.world, self.log, self.session).await?;
        let mut request = ChatRequest {
            system: offer::system(&self.case.client, self.session.facts().instructions.as_deref()),
            messages: vec![],
            tools,
            answer_schema: None,
            trial: self.case.header.trial,
        };
        let mut spent = Spent::default();
        for Turn::User(text) in &self.work.turns {
            self.log.note(What::UserSaid { text: text.clone() });
            request.messages.push(Message::User(text.clone()));
            self.turn(&mut request, &mut spent).await?;
        }
        steps::verify(self.case, self.work, self.world, self.log, self.session).await
    }

    /// From the user's words to the model's answer.
    async fn turn(&self, request: &mut ChatRequest, spent: &mut Spent) -> Result<(), End> {
        for _ in 0..self.work.limits.turns {
            let reply = self.ask(request, spent).await?;
            let ChatReply { text, calls, carry, .. } = reply;
            request.messages.push(Message::Assistant { text, calls: calls.clone(), carry });
            if calls.is_empty() {
                return Ok(());
            }
            spent.calls += calls.len() as u32;
            if spent.calls > self.work.limits.tool_calls {
                return Err(End::OutOf(Limit::ToolCalls));
            }
            // Calls of one answer run side by side, as real hosts do; results keep the order of the calls.
            let results = join_all(calls.iter().map(|call| self.call(call, &request.tools))).await;
            for (call, result) in calls.into_iter().zip(results) {
                let (text, is_error) = result?;
                request.messages.push(Message::Tool { call, text, is_error });
            }
        }
        Err(End::OutOf(Limit::Turns))
    }

    async fn ask(&self, request: &ChatRequest, spent: &mut Spent) -> Result<ChatReply, End> {
        self.log.note(What::ModelAsked {
            offered: request.tools.iter().map(|tool| tool.name.clone()).collect(),
            messages: request.messages.len() as u32,
            request: Digest::of_json(request).to_string(),
        });
        self.asking.store(true, Ordering::Relaxed);
        let reply = self.model.complete(request, self.log).await;
        self.asking.store(false, Ordering::Relaxed);
        let reply = reply.map_err(End::Faulted)?;
        let cost = self.work.model.price.map(|price| price.of(&reply.usage));
        let seq = self.log.note(What::ModelSaid {
            text: reply.text.clone(),
            reasoning: reply.reasoning.clone(),
            calls: reply.calls.clone(),
            usage: reply.usage,
            cost,
            model_id: reply.model_id.clone(),
            stop: reply.stop.clone(),
            took_ms: reply.took_ms,
            first_token_ms: reply.first_token_ms,
        });
        // Paid work is on disk before anything is done with it.
        if let Some(event) = self.log.event(seq) {
            self.world.journal.model_replied(self.case.header.key, &event).await.map_err(End::Faulted)?;
        }
        spent.usage += reply.usage;
        spent.cost += cost.unwrap_or(0.0);
        let limits = &self.work.limits;
        if limits.tokens.is_some_and(|most| spent.usage.input.saturating_add(spent.usage.output) > most) {
            return Err(End::OutOf(Limit::Tokens));
        }
        if limits.cost.is_some_and(|most| spent.cost > most) {
            return Err(End::OutOf(Limit::Cost));
        }
        Ok(reply)
    }

    /// One tool call: the text the model reads, and whether it is an error. Errors of the tool go back to the model;
    /// only a broken session ends the trial.
    async fn call(&self, call: &ToolCall, offered: &[ToolOffer]) -> Result<(String, bool), End> {
        let reject = |message: String| {
            let (id, name) = (call.id.clone(), call.name.clone());
            self.log.note(What::ToolRejected { call: id, name, message: message.clone() });
            Ok((message, true))
        };
        if !offered.iter().any(|tool| tool.name == call.name) {
            return reject(format!("there is no tool named `{}`", call.name));
        }
        if let Value::String(text) = &call.args {
            return reject(format!("the arguments are not JSON: {}", crate::display::whole_words(text, 80)));
        }
        let (call_id, name, args) = (call.id.clone(), call.name.clone(), call.args.clone());
        self.log.note(What::ToolCalled { call: call_id, name, args, by: Caller::Model });
        let outcome = perform(self.session, call, self.log, &self.case.client).await.map_err(End::Faulted)?;
        Ok(outcome)
    }
}

/// Sends a call that has been noted, notes what became of it, and returns what the model reads.
pub async fn perform(
    session: &dyn Session,
    call: &ToolCall,
    log: &Recorder,
    profile: &crate::mcp::ClientProfile,
) -> Result<(String, bool), Fault> {
    let begun = log.elapsed_ms();
    let outcome = session.call_tool(call.name.as_str(), &call.args).await?;
    let took_ms = log.elapsed_ms().saturating_sub(begun);
    let id = call.id.clone();
    Ok(match outcome {
        ToolOutcome::Returned { content, structured, is_error, bytes } => {
            let (text, cut_by_client) = offer::result_text(&content, structured.as_ref(), profile);
            log.note(What::ToolReturned {
                call: id,
                content,
                structured,
                is_error,
                bytes,
                cut_by_client,
                took_ms,
            });
            (text, is_error)
        }
        ToolOutcome::Refused(refusal) => {
            let text = format!("error: {}", refusal.message);
            let (code, status, message) = (refusal.code, refusal.status, refusal.message);
            log.note(What::ToolRefused { call: id, code, status, message, took_ms });
            (text, true)
        }
    })
}
