//! The `scripted_user` dialect: a user of a written conversation, offline. It reads the framed conversation of a simulated
//! user, counts what the user has said, and says the next line of its script; at the end of the script it is done.
//!
//! ```yaml
//! simulate:
//!   goal: a refund
//!   model: scripted-user
//!   script:
//!     - say: I want my money back.
//!     - say: The number is 1042.
//!       sees: number
//! ```

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::scripted::local_reply;
use super::{ChatModel, ChatReply, ChatRequest, Dialect, Message, ModelSpec, Outside, bad_definition};
use crate::display;
use crate::transcript::{Fault, Recorder, Side};

/// The name of this dialect.
pub const NAME: &str = "scripted_user";

/// The row of this dialect.
pub(super) const DIALECT: Dialect = Dialect {
    name: NAME,
    about: "plays a user from a written script, offline",
    inline: |id| ModelSpec::new(&format!("{NAME}:{id}"), NAME),
    logprobs: false,
    longest: |_| None,
    build,
};

struct ScriptedUser {
    name: String,
    id: String,
    lines: Vec<Line>,
}

struct Line {
    say: String,
    sees: Option<String>,
}

fn build(spec: &ModelSpec, _: &Outside) -> Result<Arc<dyn ChatModel>, Fault> {
    let lines = read(spec.script.as_ref().unwrap_or(&Value::Null))
        .map_err(|problems| bad_definition(spec, &problems.join("; ")))?;
    Ok(Arc::new(ScriptedUser { name: spec.name.to_string(), id: spec.api_id().to_owned(), lines }))
}

/// Everything that is wrong with a script, one sentence each, for the loader of suites.
pub fn problems(script: &Value) -> Vec<String> {
    read(script).err().unwrap_or_default()
}

fn read(script: &Value) -> Result<Vec<Line>, Vec<String>> {
    let Some(lines) = script.as_array().filter(|lines| !lines.is_empty() && lines.len() <= 1000) else {
        return Err(vec!["`script` must be a list of 1 to 1000 lines such as `- say: TEXT`".to_owned()]);
    };
    let (mut good, mut bad) = (vec![], vec![]);
    for (index, line) in lines.iter().enumerate() {
        match read_line(line) {
            Ok(line) => good.push(line),
            Err(problem) => bad.push(format!("line {} of `script` {problem}", index + 1)),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

fn read_line(line: &Value) -> Result<Line, String> {
    let map = line.as_object().ok_or("is not `{say: TEXT}`")?;
    if let Some(key) = map.keys().find(|key| !matches!(key.as_str(), "say" | "sees")) {
        return Err(format!("has the unknown key `{key}`; known are `say` and `sees`"));
    }
    let text = |key: &str| match map.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(format!("has no text under `{key}`")),
    };
    Ok(Line { say: text("say")?.ok_or("has no text under `say`")?, sees: text("sees")? })
}

impl ChatModel for ScriptedUser {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        _: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>> {
        Box::pin(std::future::ready(self.answer(request)))
    }
}

impl ScriptedUser {
    fn answer(&self, request: &ChatRequest) -> Result<ChatReply, Fault> {
        let prompt = request.messages.iter().rev().find_map(|message| match message {
            Message::User(text) => Some(text.as_str()),
            _ => None,
        });
        let (mut said, mut heard) = (0, String::new());
        for line in prompt.unwrap_or_default().lines().filter(|line| line.starts_with('{')) {
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            match (line.get("who").and_then(Value::as_str), line.get("says").and_then(Value::as_str)) {
                (Some("you"), Some(_)) => said += 1,
                (Some("assistant"), Some(words)) => words.clone_into(&mut heard),
                _ => {}
            }
        }
        let next = match self.lines.get(said) {
            None => json!({"say": null, "over": "the script is over"}),
            Some(Line { sees: Some(sees), .. }) if !heard.contains(sees) => {
                let (sees, heard) = (display::excerpt(sees, 80), display::excerpt(&heard, 80));
                let message = format!(
                    "model `{}`: the conversation left the script: line {} expects to hear `{sees}`, but the assistant said `{heard}`",
                    self.name,
                    said + 1
                );
                return Err(Fault::new(Side::Model, "model.script-left", message));
            }
            Some(line) => json!({"say": line.say, "over": null}),
        };
        Ok(local_reply(request, &self.id, Some(next.to_string()), vec![]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(script: &Value) -> ScriptedUser {
        let lines = read(script).unwrap();
        ScriptedUser { name: "u".into(), id: "u".into(), lines }
    }

    fn asked(lines: &[Value]) -> ChatRequest {
        let text = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        ChatRequest { messages: vec![Message::User(format!("words\n{text}\n"))], ..ChatRequest::default() }
    }

    #[test]
    fn it_says_line_after_line_and_then_is_done() {
        let user = user(&json!([{"say": "a"}, {"say": "b", "sees": "which"}]));
        let next = |lines: &[Value]| user.answer(&asked(lines)).map(|reply| reply.text.unwrap());
        assert_eq!(next(&[]).unwrap(), r#"{"say":"a","over":null}"#);
        let you = json!({"who": "you", "says": "a"});
        let fits = json!({"who": "assistant", "says": "which one?"});
        assert_eq!(next(&[you.clone(), fits.clone()]).unwrap(), r#"{"say":"b","over":null}"#);
        assert!(next(&[you.clone(), fits, you.clone()]).unwrap().contains("the script is over"));
        let fault = next(&[you, json!({"who": "assistant", "says": "no"})]).unwrap_err();
        assert_eq!(fault.code, "model.script-left");
    }

    #[test]
    fn a_broken_script_is_explained() {
        assert!(problems(&json!([])).join("").contains("1 to 1000 lines"));
        assert!(problems(&json!([{"say": 1}])).join("").contains("no text under `say`"));
        assert!(problems(&json!([{"say": "a", "call": {}}])).join("").contains("unknown key `call`"));
        assert!(problems(&json!([{"say": "a"}])).is_empty());
    }
}
