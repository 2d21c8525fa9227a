//! Whole answers and pieces of streamed ones become one [`ChatReply`], by the same rules.

use async_openai::Client;
use async_openai::error::OpenAIError;
use futures::future::BoxFuture;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::details::Details;
use super::exchange::{Form, Pieces as Events};
use super::logprobs;
use super::reply::{Call, Choice, Completion, Said, WireUsage};
use super::wire::Settings;
use crate::llm::api::calls::{Ids, MOST_CALLS, arguments};
use crate::llm::api::loose::Arguments;
use crate::llm::api::names::Names;
use crate::llm::odds::{self, MOST_TOKENS, Token};
use crate::llm::retry::Failure;
use crate::llm::{ChatReply, ChatRequest, estimate};
use crate::transcript::ToolCall;

/// Largest thing carried back to the provider, in bytes.
const LARGEST_CARRY: usize = 1024 * 1024;

/// The name of reasoning in the manner of DeepSeek.
const CONTENT: &str = "reasoning_content";
/// Its name in the manner of OpenAI's advice, of OpenRouter, and of vLLM since it left the other one.
const REASONING: &str = "reasoning";

/// What an answer consists of so far.
#[derive(Default)]
pub(super) struct Assembly {
    content: Option<String>,
    refusal: Option<String>,
    reasoning: Option<String>,
    /// Under which names the reasoning came.
    thoughts: Vec<&'static str>,
    details: Details,
    calls: Vec<Pieces>,
    tokens: Vec<Token>,
    finish: Option<String>,
    model: Option<String>,
    usage: Option<WireUsage>,
}

/// A tool call so far.
#[derive(Default)]
struct Pieces {
    index: u64,
    id: String,
    name: String,
    arguments: String,
    object: Option<Value>,
    extra: Option<Value>,
}

impl Form for Assembly {
    type Whole = Completion;
    type Piece = Completion;

    fn ask<'a>(
        client: &'a Client<Settings>,
        body: &'a RawValue,
    ) -> BoxFuture<'a, Result<Completion, OpenAIError>> {
        Box::pin(async move { client.chat().create_byot(body).await })
    }

    fn stream<'a>(
        client: &'a Client<Settings>,
        body: &'a RawValue,
    ) -> BoxFuture<'a, Result<Events<Completion>, OpenAIError>> {
        Box::pin(async move { client.chat().create_stream_byot(body).await })
    }

    fn take(&mut self, whole: Completion) -> Result<(), Failure> {
        self.add(whole).map(|_| ())
    }

    /// An error object under status 200 is none of the answer.
    fn add(&mut self, mut piece: Completion) -> Result<bool, Failure> {
        match piece.error.take() {
            Some(problem) => Err(problem.failure(200, None)),
            None => Ok(self.put(piece)),
        }
    }

    fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    fn is_empty(&self) -> bool {
        self.content.is_none() && self.refusal.is_none() && self.calls.is_empty() && !self.is_finished()
    }
}

impl Assembly {
    /// Adds a piece, or a whole answer. Says whether it held anything of the answer: text, calls or its end.
    fn put(&mut self, piece: Completion) -> bool {
        if self.model.is_none() {
            self.model = piece.model.0.filter(|model| !model.is_empty());
        }
        if let Some(usage) = piece.usage.0 {
            self.usage = Some(usage);
        }
        let Some(choice) = piece.choices.0.into_iter().next() else { return false };
        let Choice { message, delta, logprobs, finish_reason } = choice;
        let mut content = false;
        if let Some(finish) = finish_reason.0.filter(|finish| !finish.is_empty()) {
            self.finish = Some(finish);
            content = true;
        }
        if let Some(raw) = logprobs {
            self.tokens.extend(logprobs::of_choice(&raw));
            self.tokens.truncate(MOST_TOKENS);
        }
        for (said, whole) in [(message.0, true), (delta.0, false)] {
            let Some(mut said) = said else { continue };
            self.add_details(said.reasoning_details.take(), whole);
            content |= self.add_said(said);
        }
        content
    }

    fn add_details(&mut self, raw: Option<Box<RawValue>>, whole: bool) {
        match carried(raw) {
            Some(Value::Array(blocks)) if whole => self.details.add_whole(blocks),
            Some(Value::Array(pieces)) => self.details.add_pieces(pieces),
            _ => {}
        }
    }

    fn add_said(&mut self, said: Said) -> bool {
        let mut content = append(&mut self.content, said.content.0);
        content |= append(&mut self.refusal, said.refusal.0);
        content |= self.add_reasoning([(CONTENT, said.reasoning_content.0), (REASONING, said.reasoning.0)]);
        for (position, call) in said.tool_calls.0.into_iter().enumerate() {
            self.add_call(position, call);
            content = true;
        }
        content
    }

    /// Servers that say the same under both names are in the middle of a change: it is heard once.
    fn add_reasoning(&mut self, said: [(&'static str, Option<String>); 2]) -> bool {
        let mut said =
            said.into_iter().filter_map(|(name, text)| Some((name, text.filter(|text| !text.is_empty())?)));
        let Some((name, text)) = said.next() else { return false };
        for name in std::iter::once(name).chain(said.map(|(name, _)| name)) {
            if !self.thoughts.contains(&name) {
                self.thoughts.push(name);
            }
        }
        append(&mut self.reasoning, Some(text))
    }

    /// Pieces of a call share an index. Providers that leave it out send each call whole.
    fn add_call(&mut self, position: usize, call: Call) {
        let id = call.id.0.unwrap_or_default();
        let index = call.index.0;
        let known = match index {
            Some(index) => self.calls.iter().position(|known| known.index == index),
            None if id.is_empty() => self
                .calls
                .len()
                .checked_sub(1)
                .filter(|_| position == 0 && call_has_no_name(&call.function.0)),
            None => self.calls.iter().position(|known| known.id == id),
        };
        let known = match known {
            Some(known) => known,
            None if self.calls.len() >= MOST_CALLS => return,
            None => {
                let next = self.calls.iter().map(|call| call.index.saturating_add(1)).max().unwrap_or(0);
                self.calls.push(Pieces { index: index.unwrap_or(next), ..Pieces::default() });
                self.calls.len() - 1
            }
        };
        let pieces = &mut self.calls[known];
        if pieces.id.is_empty() {
            pieces.id = id;
        }
        if let Some(extra) = carried(call.extra_content) {
            pieces.extra = Some(extra);
        }
        let function = call.function.0.unwrap_or_default();
        // Some servers repeat the whole name in every piece.
        if let Some(name) = function.name.0.filter(|name| *name != pieces.name) {
            pieces.name.push_str(&name);
        }
        match function.arguments {
            Arguments::Text(text) => pieces.arguments.push_str(&text),
            Arguments::Object(object) => pieces.object = Some(object),
        }
    }

    /// The reply. `sent` is the size of the request in bytes, for an estimate where the provider reports nothing.
    pub(super) fn reply(mut self, request: &ChatRequest, names: &Names, sent: usize) -> ChatReply {
        let pieces = std::mem::take(&mut self.calls);
        let mut calls = vec![];
        let mut extras = Map::new();
        let mut ids = Ids::of(request);
        for mut pieces in pieces {
            let id = ids.next(&pieces.id);
            if let Some(extra) = pieces.extra.take() {
                extras.insert(id.to_string(), extra);
            }
            let args = pieces.object.take().unwrap_or_else(|| arguments(&pieces.arguments));
            calls.push(ToolCall { id, name: names.tool(&pieces.name), args });
        }
        let declined = self.refusal.as_ref().is_some_and(|refusal| !refusal.is_empty());
        let refused = declined || self.finish.as_deref() == Some("content_filter");
        let carry = self.carry(extras, !calls.is_empty());
        let stop = match self.finish {
            _ if declined => "refusal".to_owned(),
            Some(finish) => finish,
            None => "unspecified".to_owned(),
        };
        let text = if declined { self.refusal } else { self.content }.filter(|text| !text.is_empty());
        let odds = odds::of(request.weigh.as_ref(), text.as_deref(), &self.tokens);
        let reasoning = self.reasoning.filter(|text| !text.is_empty());
        let usage = self
            .usage
            .as_ref()
            .and_then(WireUsage::read)
            .unwrap_or_else(|| estimate::unreported(sent, text.as_deref(), reasoning.as_deref(), &calls));
        ChatReply {
            text,
            reasoning,
            calls,
            carry,
            odds,
            usage,
            model_id: self.model,
            stop,
            refused,
            took_ms: 0,
            first_token_ms: None,
        }
    }

    /// What providers want back: reasoning blocks, signatures of calls, and the reasoning text of a turn with calls.
    fn carry(&mut self, extras: Map<String, Value>, with_calls: bool) -> Option<Value> {
        let mut carry = Map::new();
        if let Some(details) = self.details.take() {
            carry.insert("reasoning_details".to_owned(), details);
        } else if let Some(reasoning) = self.reasoning.as_ref().filter(|_| with_calls) {
            // Servers read back the name that they use themselves, and some know no other.
            let same =
                self.thoughts.iter().map(|name| ((*name).to_owned(), Value::String(reasoning.clone())));
            carry.extend(same);
        }
        if !extras.is_empty() {
            carry.insert("extra_content".to_owned(), Value::Object(extras));
        }
        if carry.is_empty() { None } else { Some(Value::Object(carry)) }
    }
}

fn call_has_no_name(function: &Option<super::reply::Function>) -> bool {
    function.as_ref().and_then(|function| function.name.0.as_deref()).is_none_or(str::is_empty)
}

fn append(whole: &mut Option<String>, piece: Option<String>) -> bool {
    let Some(piece) = piece.filter(|piece| !piece.is_empty()) else { return false };
    match whole {
        Some(whole) => whole.push_str(&piece),
        None => *whole = Some(piece),
    }
    true
}

fn carried(raw: Option<Box<RawValue>>) -> Option<Value> {
    let raw = raw.filter(|raw| raw.get().len() <= LARGEST_CARRY)?;
    serde_json::from_str(raw.get()).ok().filter(|value: &Value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> ChatRequest {
        ChatRequest { trial: 1, ..ChatRequest::default() }
    }

    fn assembled(pieces: &[&str]) -> ChatReply {
        let mut assembly = Assembly::default();
        for piece in pieces {
            assembly.add(serde_json::from_str(piece).unwrap()).unwrap();
        }
        assembly.reply(&request(), &Names::default(), 400)
    }

    fn shown(reply: &ChatReply) -> Vec<String> {
        reply.calls.iter().map(|call| format!("{} {} {}", call.id, call.name, call.args)).collect()
    }

    #[test]
    fn interleaved_calls_are_joined_by_index() {
        let piece = |calls: &str| format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{calls}]}}}}]}}"#);
        let pieces = [
            piece(r#"{"index":0,"id":"a","function":{"name":"add","arguments":""}}"#),
            piece(r#"{"index":1,"id":"b","function":{"name":"echo","arguments":"{\"t\":"}}"#),
            piece(
                r#"{"index":0,"function":{"arguments":"{\"x\":1}"}},{"index":1,"function":{"arguments":"2}"}}"#,
            ),
        ];
        let reply = assembled(&pieces.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(shown(&reply), [r#"a add {"x":1}"#, r#"b echo {"t":2}"#]);
        assert!(!reply.usage.reported);
        assert_eq!((reply.usage.input, reply.stop.as_str()), (100, "unspecified"));
    }

    #[test]
    fn calls_without_an_index_or_with_the_same_id_stay_apart() {
        let reply = assembled(&[r#"{"choices":[{"message":{"tool_calls":[
            {"id":"","function":{"name":"a","arguments":"{}"}},
            {"id":"","function":{"name":"b","arguments":{"k":1}}},
            {"index":7,"id":"z","function":{"name":"c","arguments":"{oops"}},
            {"index":8,"id":"z","function":{"name":"d"}}]}}]}"#]);
        assert_eq!(
            shown(&reply),
            ["call_0_0 a {}", r#"call_0_1 b {"k":1}"#, r#"z c "{oops""#, "call_0_3 d {}"]
        );
    }

    #[test]
    fn what_a_provider_wants_back_is_carried() {
        let reply = assembled(&[
            r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"x"},
                "extra_content":{"google":{"thought_signature":"s"}}}]}}]}"#,
        ]);
        assert_eq!(
            reply.carry.unwrap().to_string(),
            r#"{"reasoning_content":"hm","extra_content":{"a":{"google":{"thought_signature":"s"}}}}"#
        );
        assert_eq!(reply.reasoning.as_deref(), Some("hm"));
    }

    #[test]
    fn reasoning_goes_back_under_the_name_it_came_with_on_turns_with_calls() {
        let call = r#""tool_calls":[{"index":0,"id":"a","function":{"name":"x"}}]"#;
        let carried = |said: &str, call: &str| {
            let first = format!(r#"{{"choices":[{{"delta":{{{said}}}}}]}}"#);
            let reply = assembled(&[&first, &format!(r#"{{"choices":[{{"delta":{{{call}}}}}]}}"#)]);
            assert_eq!(reply.reasoning.as_deref(), Some("hm"));
            reply.carry.map(|carry| carry.to_string()).unwrap_or_default()
        };
        assert_eq!(carried(r#""reasoning":"hm""#, call), r#"{"reasoning":"hm"}"#);
        assert_eq!(carried(r#""reasoning_content":"hm""#, call), r#"{"reasoning_content":"hm"}"#);
        assert_eq!(carried(r#""reasoning_content":"","reasoning":"hm""#, call), r#"{"reasoning":"hm"}"#);
        assert_eq!(
            carried(r#""reasoning_content":"hm","reasoning":"hm""#, call),
            r#"{"reasoning_content":"hm","reasoning":"hm"}"#
        );
        assert_eq!(carried(r#""reasoning":"hm""#, r#""content":"done""#), "");
    }

    #[test]
    fn a_block_of_thought_that_is_streamed_goes_back_whole_with_its_signature() {
        let piece =
            |detail: &str| format!(r#"{{"choices":[{{"delta":{{"reasoning_details":[{detail}]}}}}]}}"#);
        let mut pieces = vec![piece(r#"{"type":"reasoning.text","text":"a","index":0}"#); 2_000];
        pieces.push(piece(r#"{"type":"reasoning.text","signature":"EqQB","index":0}"#));
        let reply = assembled(&pieces.iter().map(String::as_str).collect::<Vec<_>>());
        let details = &reply.carry.unwrap()["reasoning_details"];
        assert_eq!(details.as_array().unwrap().len(), 1);
        assert_eq!(details[0]["text"].as_str().unwrap().len(), 2_000);
        assert_eq!(details[0]["signature"], "EqQB");
    }

    #[test]
    fn a_refusal_is_the_text() {
        let reply = assembled(&[
            r#"{"choices":[{"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}]}"#,
        ]);
        assert_eq!((reply.text.as_deref(), reply.stop.as_str()), (Some("No."), "refusal"));
    }
}
