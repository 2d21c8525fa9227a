//! The loop every host runs: ask the model, call the tools it wants, feed results and errors back, until it answers.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::doors::Door;
use super::host::TrialHost;
use super::ledger::Ledger;
use super::offer::left::Left;
use super::offer::result::{Beside, Called, Returned, Shown};
use super::offer::{self, Source, Stock, search};
use super::steps::Around;
use super::user::Players;
use super::{World, foreign, steps};
use crate::ids::{CallId, ToolName};
use crate::llm::{self, ChatModel, ChatReply, ChatRequest, Media, Message, ToolOffer};
use crate::mcp::profile::Results;
use crate::mcp::{Host, Refusal, Session, ToolOutcome};
use crate::plan::{Case, UseWork};
use crate::transcript::event::Caller;
use crate::transcript::{End, Fault, Limit, Loss, Recorder, Side, ToolCall, ToolFact, What};

/// Runs a use case to its end. The time limit covers everything; when it strikes while the model's API is silent, that
/// is the API's fault and not the model's.
pub async fn run(case: &Case, work: &UseWork, world: &World, log: &Recorder) -> End {
    if let Some(agent) = world.hands.agents.get(&case.header.key.model) {
        return foreign::run(case, work, agent, world, log).await;
    }
    let Some(model) = world.models.get(&case.header.key.model) else {
        return End::Faulted(Fault::new(
            Side::Harness,
            "bug.no-model",
            "the plan names a model that was not built",
        ));
    };
    let model = llm::at(model, &case.header);
    let ledger = Arc::new(Ledger::new(work.limits));
    // Whatever the host still does when the trial is over, it stops doing.
    let over = CancellationToken::new();
    let _over = over.clone().drop_guard();
    let host: Arc<dyn Host> = match TrialHost::new((case, work), world, log, &ledger, over) {
        Ok(host) => Arc::new(host),
        Err(fault) => return End::Faulted(fault),
    };
    let door = world.doors.enter().await;
    let session = match world.open(&case.persona.name, case, log, Some(&host)).await {
        Ok(session) => session,
        Err(fault) => return End::Faulted(fault),
    };
    let around = Around { case, world, log, session: session.as_ref(), host: &host };
    let talk = Talk { work, around, model: model.as_ref(), ledger: &ledger };
    let end = match within(work.limits.time.0, log, talk.whole(door)).await {
        Some(Ok(())) => End::Done,
        Some(Err(end)) => end,
        None if ledger.is_asking() => {
            let message =
                format!("the model's API had not answered when the case's {} were over", work.limits.time);
            End::Faulted(Fault::new(Side::Model, "model.timeout", message).retryable())
        }
        None => End::OutOf(Limit::Time),
    };
    steps::cleanup(work, around).await;
    // A server that does not let go must not hold up the run; its process group is killed when the handle drops.
    let _ = tokio::time::timeout(Duration::from_secs(10), session.close()).await;
    end
}

/// Waits for work until its time is over. Time in which the trial was held by a provider's limits does not count.
async fn within<T>(limit: Duration, log: &Recorder, work: impl Future<Output = T>) -> Option<T> {
    /// How often it is looked whether the trial is still held.
    const LOOK: Duration = Duration::from_millis(20);
    let begun = log.clock().elapsed();
    let left = || limit.checked_sub(log.clock().elapsed().saturating_sub(begun).saturating_sub(log.held()));
    tokio::pin!(work);
    while let Some(left) = left().filter(|left| !left.is_zero()) {
        if let Ok(done) = tokio::time::timeout(left.max(LOOK), &mut work).await {
            return Some(done);
        }
    }
    None
}

/// One conversation in progress.
struct Talk<'a> {
    work: &'a UseWork,
    around: Around<'a>,
    model: &'a dyn ChatModel,
    ledger: &'a Ledger,
}

impl Talk<'_> {
    async fn whole(&self, door: Door) -> Result<(), End> {
        let listed = self.around.session.list_tools().await.map_err(End::Faulted)?;
        door.opened();
        let mut shop = self.shop(&listed);
        steps::setup(self.work, self.around).await?;
        let instructions = self.around.session.facts().instructions.as_deref();
        let mut request = ChatRequest {
            system: offer::system(&self.around.case.client.menu, self.server(), instructions),
            messages: vec![],
            tools: shop.stock.menu.offers.clone(),
            trial: self.around.case.header.trial,
            ..ChatRequest::default()
        };
        let mut called = 0;
        let Around { case, world, log, .. } = self.around;
        let mut players = Players::new(&case.header, self.work, world, (log, self.ledger));
        while let Some(text) = players.next().await? {
            request.messages.push(Message::User(text));
            players.heard(self.turn(&mut shop, &mut request, &mut called).await?);
        }
        steps::verify(self.work, self.around).await
    }

    /// The server's name, as far as it has one.
    fn server(&self) -> &str {
        let name = self.around.session.facts().name.as_str();
        if name.is_empty() { "server" } else { name }
    }

    /// What the client makes of a list of tools.
    fn shop(&self, listed: &[ToolFact]) -> Shop {
        let (client, only) = (&self.around.case.client, self.work.only.as_deref());
        let source = Source { listed, server: self.server(), client, only };
        Shop { stock: self.around.world.stocks.of(source), told: false }
    }

    /// Offers other tools where the server has said that its list changed; what a search has loaded stays.
    async fn look_again(&self, shop: &mut Shop, request: &mut ChatRequest) -> Result<(), End> {
        let changed = self.around.session.changed_tools().await.map_err(End::Faulted)?;
        if let Some(listed) = changed {
            *shop = self.shop(&listed);
            let loaded = |offer: &&ToolOffer| request.tools.iter().any(|known| known.name == offer.name);
            let loaded: Vec<ToolOffer> = shop.stock.menu.deferred.iter().filter(loaded).cloned().collect();
            request.tools = shop.stock.menu.offers.iter().cloned().chain(loaded).collect();
        }
        Ok(())
    }

    /// From the user's words to the model's answer.
    async fn turn(
        &self,
        shop: &mut Shop,
        request: &mut ChatRequest,
        called: &mut u32,
    ) -> Result<Option<String>, End> {
        let most = self.around.case.client.conduct.calls_per_prompt.unwrap_or(u32::MAX);
        let mut made: u32 = 0;
        for _ in 0..self.work.limits.turns {
            self.look_again(shop, request).await?;
            if !std::mem::replace(&mut shop.told, true) {
                self.ledger.lost(self.model.losses(&request.tools), self.around.log);
            }
            let reply = self.ask(request).await?;
            let ChatReply { text, calls, carry, .. } = reply;
            let answer = text.clone().filter(|_| calls.is_empty());
            request.messages.push(Message::Assistant { text, calls: calls.clone(), carry });
            if calls.is_empty() {
                return Ok(answer);
            }
            *called += calls.len() as u32;
            if *called > self.work.limits.tool_calls {
                return Err(End::OutOf(Limit::ToolCalls));
            }
            // Results keep the order of the calls, however many of them run side by side.
            let allowed = most.saturating_sub(made) as usize;
            made = made.saturating_add(calls.len() as u32);
            let (wanted, beyond) = calls.split_at(allowed.min(calls.len()));
            let read_only: Vec<bool> =
                wanted.iter().map(|call| shop.is_read_only(call, &request.tools)).collect();
            let mut told = Vec::with_capacity(calls.len());
            for batch in offer::batches(&read_only, self.around.case.client.conduct.parallel()) {
                let batch = wanted[batch].iter().map(|call| self.call(call, shop, &request.tools));
                told.extend(join_all(batch).await.into_iter().collect::<Result<Vec<_>, End>>()?);
            }
            let message = format!("the client makes at most {most} tool calls for one prompt");
            told.extend(beyond.iter().map(|call| self.reject(call, message.clone())));
            for (call, Told { text, is_error, media, loads }) in calls.into_iter().zip(told) {
                request.messages.push(Message::Tool { call, text, is_error, media });
                for offer in loads {
                    if request.tools.iter().all(|known| known.name != offer.name) {
                        request.tools.push(offer);
                        shop.told = false;
                    }
                }
            }
            // A model that answered for the server spends from the same purse.
            self.ledger.stopped()?;
        }
        Err(End::OutOf(Limit::Turns))
    }

    async fn ask(&self, request: &ChatRequest) -> Result<ChatReply, End> {
        self.around.log.note(What::ModelAsked {
            offered: request.tools.iter().map(|tool| tool.name.clone()).collect(),
            messages: request.messages.len() as u32,
            request: request.digest().to_string(),
        });
        let asking = self.ledger.asking();
        let reply = self.model.complete(request, self.around.log).await;
        drop(asking);
        let reply = reply.map_err(End::Faulted)?;
        let cost = self.work.model.price.as_ref().map(|price| price.of(&reply.usage));
        let seq = self.around.log.note(What::ModelSaid {
            text: reply.text.clone(),
            reasoning: reply.reasoning.clone(),
            calls: reply.calls.clone(),
            usage: reply.usage,
            cost,
            model_id: reply.model_id.clone(),
            stop: reply.stop.clone(),
            refused: reply.refused,
            took_ms: reply.took_ms,
            first_token_ms: reply.first_token_ms,
        });
        // Paid work is on disk before anything is done with it.
        if let Some(event) = self.around.log.event(seq) {
            self.around
                .world
                .journal
                .model_replied(self.around.case.header.key, &event)
                .await
                .map_err(End::Faulted)?;
        }
        self.ledger.charge(reply.usage, cost);
        self.ledger.stopped()?;
        Ok(reply)
    }

    /// One tool call. Errors of the tool go back to the model; only a broken session ends the trial.
    async fn call(&self, call: &ToolCall, shop: &Shop, offered: &[ToolOffer]) -> Result<Told, End> {
        let Some(offer) = offered.iter().find(|tool| tool.name == call.name) else {
            return Ok(self.reject(call, format!("there is no tool named `{}`", call.name)));
        };
        if let Value::String(text) = &call.args {
            let text = crate::display::whole_words(text, 80);
            return Ok(self.reject(call, format!("the arguments are not JSON: {text}")));
        }
        if let Some(found) = shop.stock.menu.search(&call.name, &call.args) {
            let (text, loads) = (search::told(&found), found.into_iter().cloned().collect());
            let (id, name, args) = (call.id.clone(), call.name.clone(), call.args.clone());
            self.around.log.note(What::ClientAnswered { call: id, name, args, text: text.clone() });
            return Ok(Told { text, is_error: false, media: vec![], loads });
        }
        // The server gets its own name for the tool, and none of what the client added to the schema.
        let name = offer.server_name().clone();
        let args = shop.stock.menu.arguments(&name, &call.args);
        let call = ToolCall { id: call.id.clone(), name, args };
        let (id, name, args) = (call.id.clone(), call.name.clone(), call.args.clone());
        self.around.log.note(What::ToolCalled { call: id, name, args, by: Caller::Model });
        let shown =
            perform(self.around.session, &call, self.around.log, &self.around.case.client.result).await;
        let Shown { text, is_error, media, left, .. } = shown.map_err(|fault| match fault.code.as_str() {
            // The server could not answer because a model that it was promised did not.
            "target.timeout" if self.ledger.is_asking() => {
                let message =
                    "the model that samples for the server had not answered when its call timed out";
                End::Faulted(Fault::new(Side::Model, "model.timeout", message).retryable())
            }
            _ => End::Faulted(fault),
        })?;
        self.lost(&offer.name, call.id, (&media, left));
        let media = media.into_iter().map(|beside| beside.media).collect();
        Ok(Told { text, is_error, media, loads: vec![] })
    }

    /// Notes what of a result does not reach the model, if anything does not.
    fn lost(&self, tool: &ToolName, call: CallId, (media, left): (&[Beside], Vec<Left>)) {
        let loss = |place: String, what: String| Loss { tool: tool.clone(), place, what };
        let unseen = |beside: &Beside| Some(loss(beside.place.clone(), self.model.unseen(&beside.media)?));
        let api: Vec<Loss> = media.iter().filter_map(unseen).collect();
        let client: Vec<Loss> = left.into_iter().map(|Left { place, what }| loss(place, what)).collect();
        if !api.is_empty() || !client.is_empty() {
            self.around.log.note(What::ResultLost { call, api, client });
        }
    }

    /// A call that does not leave the harness.
    fn reject(&self, call: &ToolCall, message: String) -> Told {
        let (id, name) = (call.id.clone(), call.name.clone());
        self.around.log.note(What::ToolRejected { call: id, name, message: message.clone() });
        Told { text: message, is_error: true, media: vec![], loads: vec![] }
    }
}

/// What the model is told after a call, and the tools that it can call from then on.
struct Told {
    text: String,
    is_error: bool,
    media: Vec<Media>,
    loads: Vec<ToolOffer>,
}

/// The server's tools through the client.
struct Shop {
    stock: Arc<Stock>,
    /// Whether it is on record what the model does not see of the tools that are offered now.
    told: bool,
}

impl Shop {
    fn is_read_only(&self, call: &ToolCall, offered: &[ToolOffer]) -> bool {
        let offer = offered.iter().find(|tool| tool.name == call.name);
        offer.is_some_and(|offer| self.stock.read_only.contains(offer.server_name()))
    }
}

/// Sends a call that has been noted, notes what became of it, and returns what is read of it under these rules.
pub async fn perform(
    session: &dyn Session,
    call: &ToolCall,
    log: &Recorder,
    rules: &Results,
) -> Result<Shown, Fault> {
    let begun = log.elapsed_ms();
    let outcome = session.call_tool(call.name.as_str(), &call.args).await?;
    let took_ms = log.elapsed_ms().saturating_sub(begun);
    let id = call.id.clone();
    let called = Called { id: call.id.as_str(), tool: call.name.as_str() };
    Ok(match outcome {
        ToolOutcome::Returned { content, structured, is_error, bytes } => {
            let returned = Returned { content: &content, structured: structured.as_ref(), is_error };
            let shown = offer::result::shown(returned, rules, called);
            let cut_by_client = shown.cut;
            log.note(What::ToolReturned {
                call: id,
                content,
                structured,
                is_error,
                bytes,
                cut_by_client,
                took_ms,
            });
            shown
        }
        ToolOutcome::Refused(refusal) => {
            let shown = offer::result::refused(&refusal.message, rules, called);
            let Refusal { code, status, message, challenge, .. } = refusal;
            log.note(What::ToolRefused { call: id, code, status, message, challenge, took_ms });
            shown
        }
    })
}
