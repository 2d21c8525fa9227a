//! Whole responses and the events of streamed ones become one [`ChatReply`], by the same rules.

use std::collections::BTreeMap;

use async_openai::Client;
use async_openai::error::OpenAIError;
use futures::future::BoxFuture;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::super::exchange::{Form, Pieces};
use super::super::logprobs;
use super::super::wire::Settings;
use super::event::{Event, Response, WireUsage};
use super::request::ITEMS;
use crate::llm::api::calls::{Ids, MOST_CALLS, arguments};
use crate::llm::api::error::Problem;
use crate::llm::api::names::Names;
use crate::llm::odds::{self, MOST_TOKENS, Token};
use crate::llm::retry::Failure;
use crate::llm::{ChatReply, ChatRequest, estimate};
use crate::transcript::ToolCall;

/// What an answer consists of so far.
#[derive(Default)]
pub(super) struct Assembly {
    items: BTreeMap<u64, Item>,
    /// Pieces of summaries, for servers that do not repeat them in the item.
    thoughts: String,
    status: Option<String>,
    model: Option<String>,
    usage: Option<WireUsage>,
}

/// An item of the output so far.
#[derive(Default)]
struct Item {
    /// As it was announced or, later, as it was finished.
    value: Value,
    text: String,
    /// The tokens of the text, as far as they came with its pieces.
    tokens: Vec<Token>,
    refusal: String,
    arguments: String,
    whole: bool,
}

impl Form for Assembly {
    type Whole = Response;
    type Piece = Event;

    fn ask<'a>(
        client: &'a Client<Settings>,
        body: &'a RawValue,
    ) -> BoxFuture<'a, Result<Response, OpenAIError>> {
        Box::pin(async move { client.responses().create_byot(body).await })
    }

    fn stream<'a>(
        client: &'a Client<Settings>,
        body: &'a RawValue,
    ) -> BoxFuture<'a, Result<Pieces<Event>, OpenAIError>> {
        Box::pin(async move { client.responses().create_stream_byot(body).await })
    }

    fn take(&mut self, whole: Response) -> Result<(), Failure> {
        self.end(whole, None)
    }

    fn add(&mut self, event: Event) -> Result<bool, Failure> {
        let kind = event.kind.0.as_deref().unwrap_or_default();
        let index = event.output_index.0.unwrap_or(0);
        let delta = event.delta.0.as_deref().unwrap_or_default();
        match kind {
            "error" => return Err(problem(event).failure(200, None)),
            "response.completed" | "response.incomplete" | "response.failed" => {
                let kind = kind.strip_prefix("response.").map(str::to_owned);
                self.end(event.response.0.unwrap_or_default(), kind)?;
                return Ok(true);
            }
            "response.created" | "response.in_progress" => {
                if let Some(model) = event.response.0.and_then(|response| response.model.0) {
                    self.model = Some(model);
                }
                return Ok(false);
            }
            "response.output_item.added" | "response.output_item.done" => {
                let whole = kind.ends_with("done");
                if let Some(item) = self.item(index) {
                    (item.value, item.whole) = (event.item, whole);
                }
                return Ok(whole);
            }
            "response.output_text.delta" => {
                self.append(index, delta, |item| &mut item.text);
                if let Some(item) = self.item(index) {
                    item.tokens.extend(logprobs::of_part(&event.logprobs));
                    item.tokens.truncate(MOST_TOKENS);
                }
            }
            "response.refusal.delta" => self.append(index, delta, |item| &mut item.refusal),
            "response.function_call_arguments.delta" => self.append(index, delta, |item| &mut item.arguments),
            "response.output_text.done" => self.put(index, event.text.0, |item| &mut item.text),
            "response.refusal.done" => self.put(index, event.refusal.0, |item| &mut item.refusal),
            "response.function_call_arguments.done" => {
                self.put(index, event.arguments.0, |item| &mut item.arguments);
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.thoughts.push_str(delta);
            }
            _ => return Ok(false),
        }
        Ok(!delta.is_empty())
    }

    fn is_finished(&self) -> bool {
        self.status.is_some()
    }

    fn is_done(&self) -> bool {
        self.is_finished()
    }

    fn is_empty(&self) -> bool {
        self.items.is_empty() && !self.is_finished()
    }
}

/// The error of an event, which stands in the event itself or within it.
fn problem(event: Event) -> Problem {
    event.error.unwrap_or_else(|| Problem::coded(event.code.0, event.message.0.unwrap_or_default()))
}

impl Assembly {
    /// Takes the last word: the whole response. An output that is missing there is what came before.
    fn end(&mut self, response: Response, kind: Option<String>) -> Result<(), Failure> {
        let status = response.status.0.or(kind).unwrap_or_default();
        match response.error {
            Some(problem) => return Err(problem.failure(200, None)),
            None if matches!(status.as_str(), "failed" | "cancelled") => {
                return Err(Problem::coded(status, "the response failed".to_owned()).failure(200, None));
            }
            None => {}
        }
        if let Some(model) = response.model.0.filter(|model| !model.is_empty()) {
            self.model = Some(model);
        }
        self.usage = response.usage.0;
        let items = response.output.0;
        if !items.is_empty() {
            let mut known = std::mem::take(&mut self.items);
            let mut whole = |(index, value)| {
                let tokens = known.remove(&index).map(|item| item.tokens).unwrap_or_default();
                (index, Item { value, tokens, whole: true, ..Item::default() })
            };
            self.items = (0..).zip(items).map(&mut whole).collect();
        }
        let why = response.incomplete_details.0.and_then(|details| details.reason.0);
        let stop = why.filter(|why| !why.is_empty()).unwrap_or(status);
        if !stop.is_empty() {
            self.status = Some(stop);
        }
        Ok(())
    }

    fn item(&mut self, index: u64) -> Option<&mut Item> {
        if self.items.len() >= MOST_CALLS && !self.items.contains_key(&index) {
            return None;
        }
        Some(self.items.entry(index).or_default())
    }

    fn append(&mut self, index: u64, piece: &str, field: fn(&mut Item) -> &mut String) {
        if let Some(item) = self.item(index) {
            field(item).push_str(piece);
        }
    }

    fn put(&mut self, index: u64, whole: Option<String>, field: fn(&mut Item) -> &mut String) {
        if let Some((item, whole)) = self.item(index).zip(whole) {
            *field(item) = whole;
        }
    }

    /// The reply. `sent` is the size of the request in bytes, for an estimate where the provider reports nothing.
    pub(super) fn reply(self, request: &ChatRequest, names: &Names, sent: usize) -> ChatReply {
        let mut said = Said { ids: Some(Ids::of(request)), ..Said::default() };
        for (_, item) in self.items {
            said.add(item, names);
        }
        let declined = !said.refusal.is_empty();
        let stop = self.status.unwrap_or_else(|| "unspecified".to_owned());
        let refused = declined || stop == "content_filter";
        let text = Some(if declined { said.refusal } else { said.text }).filter(|text| !text.is_empty());
        let odds = odds::of(request.weigh.as_ref(), text.as_deref(), &said.tokens);
        let thoughts = if said.thoughts.is_empty() { self.thoughts } else { said.thoughts };
        let reasoning = Some(thoughts).filter(|text| !text.is_empty());
        let usage = self.usage.as_ref().and_then(WireUsage::read).unwrap_or_else(|| {
            estimate::unreported(sent, text.as_deref(), reasoning.as_deref(), &said.calls)
        });
        ChatReply {
            text,
            reasoning,
            calls: said.calls,
            // Texts and calls are given back anyway; what else came must keep its place between them.
            carry: said.carries.then(|| json!({ ITEMS: said.items })),
            odds,
            usage,
            model_id: self.model,
            stop: if declined { "refusal".to_owned() } else { stop },
            refused,
            took_ms: 0,
            first_token_ms: None,
        }
    }
}

/// What the items say.
#[derive(Default)]
struct Said {
    ids: Option<Ids>,
    text: String,
    tokens: Vec<Token>,
    refusal: String,
    thoughts: String,
    calls: Vec<ToolCall>,
    items: Vec<Value>,
    carries: bool,
}

impl Said {
    fn add(&mut self, item: Item, names: &Names) {
        let word = |key: &str| item.value.get(key).and_then(Value::as_str).unwrap_or_default();
        match word("type") {
            "function_call" => {
                let written =
                    if item.whole || item.arguments.is_empty() { word("arguments") } else { &item.arguments };
                // Some servers send an object.
                let args = match item.value.get("arguments") {
                    Some(object @ Value::Object(_)) => object.clone(),
                    _ => arguments(written),
                };
                let Some(ids) = &mut self.ids else { return };
                let id = ids.next(word("call_id"));
                self.items.push(json!({"call": id}));
                self.calls.push(ToolCall { id, name: names.tool(word("name")), args });
            }
            "reasoning" => {
                self.thoughts.push_str(&joined(&item.value, "summary", "text"));
                if self.thoughts.is_empty() {
                    self.thoughts.push_str(&joined(&item.value, "content", "text"));
                }
                if let Some(carried) = reasoning(&item.value) {
                    self.items.push(carried);
                    self.carries = true;
                }
            }
            // A message, or one that was never announced.
            "message" | "" => {
                let (mut text, mut refusal) =
                    (joined(&item.value, "content", "text"), joined(&item.value, "content", "refusal"));
                let told = tokens(&item.value);
                self.tokens.extend(if told.is_empty() { item.tokens } else { told });
                if !item.whole {
                    (text, refusal) = (item.text, item.refusal);
                }
                if !text.is_empty() {
                    let mut message = Map::new();
                    message.insert("role".to_owned(), json!("assistant"));
                    message.insert("content".to_owned(), json!(text));
                    // Newer models tell commentary from answers, and want it told.
                    if let Some(phase) = item.value.get("phase").filter(|phase| phase.is_string()) {
                        message.insert("phase".to_owned(), phase.clone());
                        self.carries = true;
                    }
                    self.items.push(Value::Object(message));
                }
                self.text.push_str(&text);
                self.refusal.push_str(&refusal);
            }
            _ => {}
        }
    }
}

/// A reasoning item as it is given back: only with what the API needs to know it again.
fn reasoning(item: &Value) -> Option<Value> {
    let given = |key: &str| item.get(key).filter(|value| !value.is_null());
    given("encrypted_content").or(given("content"))?;
    let kept = ["type", "id", "summary", "content", "encrypted_content"];
    let mut map: Map<String, Value> =
        kept.iter().filter_map(|key| Some(((*key).to_owned(), given(key)?.clone()))).collect();
    map.entry("summary").or_insert_with(|| json!([]));
    Some(Value::Object(map))
}

/// The tokens of the parts of a message.
fn tokens(item: &Value) -> Vec<Token> {
    let parts = item.get("content").and_then(Value::as_array).into_iter().flatten();
    parts.filter_map(|part| part.get("logprobs")).flat_map(logprobs::of_part).collect()
}

/// The texts of the parts of an item.
fn joined(item: &Value, list: &str, field: &str) -> String {
    let parts = item.get(list).and_then(Value::as_array).into_iter().flatten();
    parts.filter_map(|part| part.get(field).and_then(Value::as_str)).collect()
}

#[cfg(test)]
mod tests;
