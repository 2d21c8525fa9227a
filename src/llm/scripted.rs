//! The `scripted` dialect: a written script becomes the answers of a model.
//!
//! The step is the number of assistant messages so far, so the model keeps no state. A tool that the client hides behind
//! one that loads tools is loaded first, which is no step. It never improvises: when the
//! conversation leaves the script, the answer is a fault with the code `model.script-left`.
//!
//! ```yaml
//! dialect: scripted
//! script:
//!   - call: {name: get_order, args: {id: 1042}}
//!     sees: order 1042
//!   - say: "The order says: {{result}}"
//! ```
//!
//! A step with `trials: [2, 5]` is there in these trials only, so that a script can fail now and then on purpose.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::loader::{self, Loader};
use super::{
    ChatModel, ChatReply, ChatRequest, Dialect, Message, ModelSpec, Outside, bad_definition, estimate,
};
use crate::display;
use crate::ids::CallId;
use crate::transcript::{Fault, Recorder, Side, ToolCall};

/// The row of this dialect.
pub(super) const DIALECT: Dialect = Dialect {
    name: "scripted",
    about: "follows a written script of calls and answers, offline; a fault when the conversation leaves it",
    inline: |id| ModelSpec::new(&format!("scripted:{id}"), "scripted"),
    logprobs: false,
    longest: |_| None,
    build,
};

/// Most steps of a script and calls of a step.
const MOST: usize = 1000;

struct Scripted {
    name: String,
    id: String,
    steps: Vec<Step>,
}

struct Step {
    /// The trials it is there in; empty: all.
    trials: Vec<u32>,
    sees: Option<String>,
    reply: Reply,
}

enum Reply {
    Say(String),
    Call(Vec<(String, Value)>),
}

fn build(spec: &ModelSpec, _: &Outside) -> Result<Arc<dyn ChatModel>, Fault> {
    let script = spec.script.as_ref().unwrap_or(&Value::Null);
    let steps = read(script).map_err(|problems| bad_definition(spec, &problems.join("; ")))?;
    Ok(Arc::new(Scripted { name: spec.name.to_string(), id: spec.api_id().to_owned(), steps }))
}

/// Everything that is wrong with a script, one sentence each, for the loader of suites.
pub fn problems(script: &Value) -> Vec<String> {
    read(script).err().unwrap_or_default()
}

fn read(script: &Value) -> Result<Vec<Step>, Vec<String>> {
    let Some(steps) = script.as_array().filter(|steps| !steps.is_empty()) else {
        return Err(vec![
            "`script` must be a list of steps, such as `- say: TEXT` or `- call: {name: TOOL, args: {}}`"
                .to_owned(),
        ]);
    };
    if steps.len() > MOST {
        return Err(vec![format!("`script` has {} steps; at most {MOST} are allowed", steps.len())]);
    }
    let mut good = vec![];
    let mut bad = vec![];
    for (index, step) in steps.iter().enumerate() {
        match read_step(step) {
            Ok(step) => good.push(step),
            Err(problem) => bad.push(format!("step {} of `script` {problem}", index + 1)),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

fn read_step(step: &Value) -> Result<Step, String> {
    let map = step.as_object().ok_or("is not a map with one of `say`, `call` and `calls`")?;
    only(map, &["say", "call", "calls", "sees", "trials"])?;
    let trials = match map.get("trials") {
        None => vec![],
        Some(list) => serde_json::from_value(list.clone())
            .map_err(|_| "has `trials` that are not a list of numbers".to_owned())?,
    };
    let sees = match map.get("sees") {
        None => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => return Err("has a `sees` that is not a text".to_owned()),
    };
    let reply = match (map.get("say"), map.get("call"), map.get("calls")) {
        (Some(Value::String(text)), None, None) => Reply::Say(text.clone()),
        (Some(_), None, None) => return Err("has a `say` that is not a text".to_owned()),
        (None, Some(call), None) => Reply::Call(vec![read_call(call)?]),
        (None, None, Some(Value::Array(calls))) if !calls.is_empty() && calls.len() <= MOST => {
            Reply::Call(calls.iter().map(read_call).collect::<Result<_, _>>()?)
        }
        (None, None, Some(_)) => return Err(format!("has `calls` that are not a list of 1 to {MOST} calls")),
        _ => return Err("needs exactly one of `say`, `call` and `calls`".to_owned()),
    };
    Ok(Step { trials, sees, reply })
}

fn read_call(call: &Value) -> Result<(String, Value), String> {
    let map = call.as_object().ok_or("has a call that is not `{name: TOOL, args: {...}}`")?;
    only(map, &["name", "args"])?;
    let name = map.get("name").and_then(Value::as_str).ok_or("has a call without a `name`")?;
    Ok((name.to_owned(), map.get("args").cloned().unwrap_or_else(|| json!({}))))
}

fn only(map: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("has the unknown key `{key}`; known are `{}`", known.join("`, `"))),
        None => Ok(()),
    }
}

impl ChatModel for Scripted {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        _: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>> {
        Box::pin(std::future::ready(self.answer(request)))
    }
}

impl Scripted {
    fn answer(&self, request: &ChatRequest) -> Result<ChatReply, Fault> {
        let left = |why: String| {
            Fault::new(
                Side::Model,
                "model.script-left",
                format!("model `{}`: the conversation left the script: {why}", self.name),
            )
        };
        let is_step = |message: &&Message| match message {
            Message::Assistant { calls, .. } => calls.is_empty() || !calls.iter().all(is_load),
            _ => false,
        };
        let index = request.messages.iter().filter(is_step).count();
        let number = index + 1;
        let is_there = |step: &&Step| step.trials.is_empty() || step.trials.contains(&request.trial);
        let steps: Vec<&Step> = self.steps.iter().filter(is_there).collect();
        let step = steps.get(index).ok_or_else(|| {
            left(format!("answer {number} was asked for, but it has {} steps", steps.len()))
        })?;
        if let Some(sees) = &step.sees {
            let last = last_words(request);
            if !last.contains(sees.as_str()) {
                let (sees, last) = (display::excerpt(sees, 80), display::excerpt(last, 80));
                return Err(left(format!(
                    "step {number} expects to see `{sees}`, but the last message is `{last}`"
                )));
            }
        }
        let mut text = None;
        let mut calls = vec![];
        match &step.reply {
            Reply::Say(say) => text = Some(say.replace("{{result}}", last_result(request))),
            Reply::Call(wanted) => {
                if let Some(calls) = loads(request, wanted, number) {
                    return Ok(local_reply(request, &self.id, None, calls));
                }
                for (position, (name, args)) in wanted.iter().enumerate() {
                    // A script names tools as the server does, whatever the client profile makes of the names.
                    let offered = request.tools.iter().find(|tool| tool.server_name().as_str() == name);
                    let Some(offered) = offered else {
                        return Err(left(format!("step {number} calls `{name}`, which is not offered")));
                    };
                    let id = CallId::new(format!("call_{number}_{}", position + 1));
                    calls.push(ToolCall { id, name: offered.name.clone(), args: args.clone() });
                }
            }
        }
        Ok(local_reply(request, &self.id, text, calls))
    }
}

/// How the ids of calls begin that load what a step needs.
const LOAD: &str = "load_";

fn is_load(call: &ToolCall) -> bool {
    call.id.as_str().starts_with(LOAD)
}

/// Calls that load the tools of a step which the client hides; `None` when all are offered, or have been searched for in
/// vain.
fn loads(request: &ChatRequest, wanted: &[(String, Value)], number: usize) -> Option<Vec<ToolCall>> {
    let loader = Loader::among(&request.tools).filter(|loader| !loader.hidden.is_empty())?;
    let tried = |call: &ToolCall| is_load(call) && call.id.as_str().starts_with(&format!("{LOAD}{number}_"));
    if request.messages.iter().any(|message| matches!(message, Message::Tool { call, .. } if tried(call))) {
        return None;
    }
    let offered = |name: &str| request.tools.iter().any(|tool| tool.server_name().as_str() == name);
    let mut missing: Vec<&str> = Vec::new();
    for (name, _) in wanted.iter().filter(|(name, _)| !offered(name)) {
        if !missing.contains(&name.as_str()) {
            missing.push(name);
        }
    }
    let calls = missing.into_iter().enumerate().map(|(position, name)| {
        // The client has made its own name of the server's, mostly by putting something before it.
        let mut alike = loader.hidden.iter().filter(|hidden| hidden.ends_with(name));
        let query = match (alike.next(), alike.next()) {
            (Some(only), None) => format!("{}{only}", loader::SELECT),
            _ => name.to_owned(),
        };
        let id = CallId::new(format!("{LOAD}{number}_{}", position + 1));
        ToolCall { id, name: loader.tool.name.clone(), args: Loader::args(&query) }
    });
    Some(calls.collect::<Vec<_>>()).filter(|calls| !calls.is_empty())
}

/// The reply of a model that runs inside the program: no time, estimated tokens.
pub(super) fn local_reply(
    request: &ChatRequest,
    id: &str,
    text: Option<String>,
    calls: Vec<ToolCall>,
) -> ChatReply {
    ChatReply {
        usage: estimate::usage(request, text.as_deref(), &calls),
        stop: if calls.is_empty() { "stop" } else { "tool_calls" }.to_owned(),
        text,
        reasoning: None,
        calls,
        carry: None,
        odds: super::Odds::new(),
        model_id: Some(id.to_owned()),
        refused: false,
        took_ms: 0,
        first_token_ms: None,
    }
}

fn last_words(request: &ChatRequest) -> &str {
    let words = |message: &'_ Message| match message {
        Message::Assistant { .. } => false,
        Message::Tool { call, .. } => !is_load(call),
        Message::User(_) => true,
    };
    match request.messages.iter().rev().find(|message| words(message)) {
        Some(Message::User(text) | Message::Tool { text, .. }) => text,
        _ => "",
    }
}

fn last_result(request: &ChatRequest) -> &str {
    let mut results = request.messages.iter().rev().filter_map(|message| match message {
        Message::Tool { call, text, .. } if !is_load(call) => Some(text.as_str()),
        _ => None,
    });
    results.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::ToolOffer;

    fn model(script: &Value) -> Scripted {
        Scripted { name: "s".into(), id: "s".into(), steps: read(script).unwrap() }
    }

    fn request(messages: Vec<Message>) -> ChatRequest {
        let tool = |name: &str| ToolOffer {
            name: name.into(),
            tool: None,
            title: None,
            description: String::new(),
            schema: json!({}),
        };
        ChatRequest {
            system: None,
            messages,
            tools: vec![tool("weather"), tool("mail")].into(),
            trial: 1,
            ..ChatRequest::default()
        }
    }

    #[test]
    fn a_script_is_followed_from_the_conversation_alone() {
        let model = model(&json!([
            {"calls": [{"name": "weather", "args": {"city": "Oslo"}}, {"name": "mail"}], "sees": "Oslo"},
            {"say": "It is: {{result}}", "sees": "rain"},
        ]));
        let mut messages = vec![Message::User("How is Oslo?".into())];
        let reply = model.answer(&request(messages.clone())).unwrap();
        assert_eq!(reply.calls.len(), 2);
        assert_eq!(reply.calls[0].args, json!({"city": "Oslo"}));
        assert_eq!((reply.stop.as_str(), reply.usage.reported), ("tool_calls", false));
        messages.push(Message::Assistant { text: None, calls: reply.calls.clone(), carry: None });
        let call = reply.calls[0].clone();
        messages.push(Message::Tool { call, text: "rain, 9 degrees".into(), is_error: false, media: vec![] });
        let reply = model.answer(&request(messages.clone())).unwrap();
        assert_eq!(reply.text.as_deref(), Some("It is: rain, 9 degrees"));
        messages.push(Message::Assistant { text: reply.text, calls: vec![], carry: None });
        messages.push(Message::User("And now?".into()));
        let fault = model.answer(&request(messages)).unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.retryable, fault.side),
            ("model.script-left", false, Side::Model)
        );
        insta::assert_snapshot!(fault.message, @"model `s`: the conversation left the script: answer 3 was asked for, but it has 2 steps");
    }

    #[test]
    fn steps_may_be_there_in_some_trials_only() {
        let model = model(&json!([{"say": "wrong", "trials": [2, 3]}, {"say": "right"}]));
        let said = |trial| {
            let request = ChatRequest { trial, ..request(vec![Message::User("x".into())]) };
            model.answer(&request).unwrap().text.unwrap()
        };
        assert_eq!([1, 2, 3, 4].map(said), ["right", "wrong", "wrong", "right"]);
        assert_eq!(problems(&json!([{"say": "x", "trials": "2"}])).len(), 1);
    }

    #[test]
    fn leaving_the_script_says_how() {
        let unseen = model(&json!([{"say": "x", "sees": "Bergen"}]));
        let fault = unseen.answer(&request(vec![Message::User("How is Oslo?".into())])).unwrap_err();
        insta::assert_snapshot!(fault.message, @"model `s`: the conversation left the script: step 1 expects to see `Bergen`, but the last message is `How is Oslo?`");
        let absent = model(&json!([{"call": {"name": "refund"}}]));
        let fault = absent.answer(&request(vec![Message::User("x".into())])).unwrap_err();
        insta::assert_snapshot!(fault.message, @"model `s`: the conversation left the script: step 1 calls `refund`, which is not offered");
    }

    #[test]
    fn every_mistake_in_a_script_is_named() {
        assert_eq!(problems(&json!([{"say": "x"}])), Vec::<String>::new());
        let found = problems(&json!([
            {"say": 1}, {"call": {"args": {}}}, {"calls": []}, {"say": "x", "call": {"name": "y"}},
            {"says": "x"}, "say", {"say": "x", "sees": 3}, {"call": {"name": "x", "arguments": {}}},
        ]));
        insta::assert_snapshot!(found.join("\n"), @r"
        step 1 of `script` has a `say` that is not a text
        step 2 of `script` has a call without a `name`
        step 3 of `script` has `calls` that are not a list of 1 to 1000 calls
        step 4 of `script` needs exactly one of `say`, `call` and `calls`
        step 5 of `script` has the unknown key `says`; known are `say`, `call`, `calls`, `sees`, `trials`
        step 6 of `script` is not a map with one of `say`, `call` and `calls`
        step 7 of `script` has a `sees` that is not a text
        step 8 of `script` has the unknown key `arguments`; known are `name`, `args`
        ");
        assert_eq!(problems(&Value::Null).len(), 1);
    }
}
