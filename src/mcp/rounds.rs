//! Requests that may come back with questions first (2026-07-28, basic/patterns/mrtr): tools, prompts, resources.
//!
//! Each round is a request of its own with a new id. Questions go to the session's host, all of one round side by side;
//! what the server wants back byte for byte is never read. Rounds are bounded.

use std::sync::Arc;

use futures::future::join_all;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Refusal;
use super::host::unknown_method;
use super::hub::Reply;
use super::request::Request;
use super::revision::Era;
use super::session::{Conversation, Got};
use super::shape::{self, Kind};
use super::terms::Terms;
use crate::display;
use crate::transcript::{Fault, What};

/// Most rounds of one request, as in the official clients.
pub(super) const ROUNDS: u32 = 10;
/// Most questions of one round.
const QUESTIONS: usize = 100;

/// The parameters of one round.
#[derive(Serialize)]
struct Round<'a, P: Serialize> {
    #[serde(flatten)]
    first: Option<&'a P>,
    #[serde(rename = "inputResponses", skip_serializing_if = "Option::is_none")]
    responses: Option<&'a Map<String, Value>>,
    #[serde(rename = "requestState", skip_serializing_if = "Option::is_none")]
    state: Option<&'a RawValue>,
}

/// What questions came to.
pub(super) enum Answers {
    /// An answer to each.
    All(Map<String, Value>),
    /// The host refused one, or said nothing.
    Refused(Refusal),
}

impl Conversation {
    /// Sends a request until its result is no question, and answers the questions on the way.
    pub(super) async fn whole<P: Serialize>(
        &self,
        first: &Request<'_, P>,
        repeatable: bool,
    ) -> Result<Got, Fault> {
        let got = self.ask(first, self.patience, repeatable).await?;
        let mut got = self.after_pages(first, got).await?;
        for _ in 0..ROUNDS {
            let Some((questions, state)) = self.questions(&mut got) else { return Ok(got) };
            if questions.is_none() && state.is_none() {
                self.odd_once(format!(
                    "`{}` was answered with `input_required` and neither questions nor a state",
                    first.method
                ));
            }
            let responses = match questions {
                None => None,
                Some(Value::Object(questions)) => match self.answers(questions).await? {
                    Answers::All(responses) => Some(responses),
                    Answers::Refused(refusal) => return Ok(Err(refusal)),
                },
                Some(_) => return Err(self.broken("`inputRequests` is no object".to_owned())),
            };
            let params =
                Round { first: first.params, responses: responses.as_ref(), state: state.as_deref() };
            let next = Request {
                method: first.method,
                params: Some(&params),
                bare: false,
                meta: first.meta,
                progress: first.progress,
                name: first.name,
                mirrored: first.mirrored,
            };
            got = self.ask(&next, self.patience, repeatable).await?;
        }
        match self.questions(&mut got) {
            None => Ok(got),
            Some(_) => {
                Err(self.broken(format!("`{}` asked for input in more than {ROUNDS} rounds", first.method)))
            }
        }
    }

    /// The questions and the state of a result that is no answer yet.
    fn questions(&self, got: &mut Got) -> Option<(Option<Value>, Option<Box<RawValue>>)> {
        let Ok(Reply { outcome: Ok(result), opaque, .. }) = got else { return None };
        if self.era() == Era::Legacy || shape::kind(result) != Kind::InputRequired {
            return None;
        }
        Some((Arc::make_mut(result).get_mut("inputRequests").map(Value::take), opaque.take()))
    }

    /// Asks the host every question.
    pub(super) async fn answers(&self, questions: Map<String, Value>) -> Result<Answers, Fault> {
        if questions.len() > QUESTIONS {
            return Err(self.broken(format!("more than {QUESTIONS} questions in one round")));
        }
        let asking = questions.into_iter().map(|(key, question)| self.answer(key, question));
        let mut all = Map::new();
        for answer in join_all(asking).await {
            match answer {
                Ok((key, answer)) => all.insert(key, answer),
                Err(refusal) => return Ok(Answers::Refused(refusal)),
            };
        }
        Ok(Answers::All(all))
    }

    pub(super) async fn answer(&self, key: String, mut question: Value) -> Result<(String, Value), Refusal> {
        let method = question.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
        let params = question.get_mut("params").map(Value::take).unwrap_or_default();
        let answer = match undeclared(&method, &params, &self.terms) {
            Some(odd) => {
                self.odd(odd);
                Some(Err(unknown_method()))
            }
            None => {
                let asking = self.line.host.answer(&method, &params);
                tokio::time::timeout(self.patience.whole, asking).await.unwrap_or(None)
            }
        };
        let answered = match &answer {
            Some(Ok(result)) => result.clone(),
            Some(Err(error)) => error.clone(),
            None => Value::Null,
        };
        self.line.log.note(What::ServerAsked { method: method.clone(), params, answered });
        match answer {
            Some(Ok(result)) => Ok((key, result)),
            // A round has results only; there is no place in it for an error.
            Some(Err(error)) => {
                let said = error.get("message").and_then(Value::as_str).unwrap_or("refused");
                Err(ours(&method, &display::whole_words(said, 200)))
            }
            None => Err(ours(&method, "no answer")),
        }
    }

    /// `resources/read`.
    pub(super) async fn read(&self, uri: &str) -> Result<Result<Value, Refusal>, Fault> {
        let params = serde_json::json!({"uri": uri});
        let request = Request::new("resources/read", Some(&params)).named(Some(uri));
        let got = self.whole(&request, true).await?;
        Ok(self.complete("resources/read", got)?.map(|(result, _)| result))
    }

    /// `prompts/get`.
    pub(super) async fn prompt(&self, name: &str, args: &Value) -> Result<Result<Value, Refusal>, Fault> {
        let params = match args {
            Value::Null => serde_json::json!({"name": name}),
            args => serde_json::json!({"name": name, "arguments": args}),
        };
        let request = Request::new("prompts/get", Some(&params)).named(Some(name));
        let got = self.whole(&request, true).await?;
        Ok(self.complete("prompts/get", got)?.map(|(result, _)| result))
    }
}

/// Why a question must not have been asked, if so.
fn undeclared(method: &str, params: &Value, terms: &Terms) -> Option<String> {
    let declared = |name: &str| terms.capabilities.get(name);
    let missing = match method {
        "roots/list" => declared("roots").is_none().then_some("roots"),
        "sampling/createMessage" => declared("sampling").is_none().then_some("sampling"),
        "elicitation/create" => match (declared("elicitation"), params.get("mode").and_then(Value::as_str)) {
            (None, _) => Some("elicitation"),
            // An empty declaration means forms (2025-11-25, client/elicitation).
            (Some(modes), Some("url")) if modes.get("url").is_none() => Some("elicitation.url"),
            (Some(modes), None | Some("form")) => {
                let only_url = modes.get("url").is_some() && modes.get("form").is_none();
                only_url.then_some("elicitation.form")
            }
            (Some(_), _) => None,
        },
        other => {
            let other = display::excerpt(other, 80);
            return Some(format!("the server asked for `{other}` in `inputRequests`, where it has no place"));
        }
    };
    missing.map(|missing| {
        format!("the server asked for `{method}` though the client does not declare `{missing}`")
    })
}

/// A refusal of ours, in the server's stead.
fn ours(method: &str, said: &str) -> Refusal {
    let method = display::excerpt(method, 80);
    let message = format!("the server asked the client for `{method}` first, and the client refused: {said}");
    Refusal { code: None, status: None, message, data: None, challenge: None }
}
