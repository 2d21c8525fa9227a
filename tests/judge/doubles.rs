//! Judges made of closures, and the replies they give.

use std::sync::{Arc, Mutex};
use std::task::Poll;

use futures::future::BoxFuture;
use rehearsal::llm::{ChatModel, ChatReply, ChatRequest, Message, ModelSpec, Odds, Price};
use rehearsal::score::judge::{Confidence, Examiner, Rubric};
use rehearsal::transcript::{Clock, Fault, Recorder, Secrets, Usage};
use serde_json::{Map, Value, json};

pub(crate) type Answers = dyn Fn(&str, usize) -> Result<String, Fault> + Send + Sync;

/// A model that answers by a closure of the prompt and the number of the call, and remembers what it was asked.
pub(crate) struct Double {
    answers: Box<Answers>,
    asked: Mutex<Vec<String>>,
    /// The probability of each word that it writes, where it is asked for that.
    probability: Option<f64>,
}

impl Double {
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Double {
    /// As an API tells them that has log probabilities: the word that was written, and another one.
    fn odds(&self, request: &ChatRequest, text: &str) -> Odds {
        let (Some(weigh), Some(p)) = (&request.weigh, self.probability) else { return Odds::new() };
        let Ok(reply) = serde_json::from_str::<Value>(text) else { return Odds::new() };
        let of = |pointer: &String| {
            let word = reply.pointer(pointer)?.as_str()?;
            let other = weigh.words.iter().find(|other| *other != word)?;
            let odds = [(word.to_owned(), p.ln()), (other.clone(), (1.0 - p).ln())];
            Some((pointer.clone(), odds.into_iter().collect()))
        };
        weigh.fields.iter().filter_map(of).collect()
    }
}

impl ChatModel for Double {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        _: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>> {
        assert!(request.tools.is_empty(), "a judge has no tools");
        let Message::User(prompt) = &request.messages[0] else { panic!("no message of the user") };
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(prompt.clone());
            asked.len() - 1
        };
        let usage = Usage { input: 1_000, output: 100, reported: true, ..Usage::default() };
        let made = move |text: String| ChatReply {
            odds: self.odds(request, &text),
            text: Some(text),
            usage,
            stop: "stop".into(),
            took_ms: 1,
            ..ChatReply::default()
        };
        let prompt = prompt.clone();
        Box::pin(async move {
            // As with any API, others go on meanwhile.
            next_poll().await;
            (self.answers)(&prompt, number).map(made)
        })
    }
}

async fn next_poll() {
    let mut polled = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A judge under this name that answers by a closure.
pub(crate) fn examiner(
    name: &str,
    answers: impl Fn(&str, usize) -> Result<String, Fault> + Send + Sync + 'static,
) -> (Examiner, Arc<Double>) {
    let double = Double { answers: Box::new(answers), asked: Mutex::default(), probability: None };
    examiner_of(name, double)
}

fn examiner_of(name: &str, double: Double) -> (Examiner, Arc<Double>) {
    let double = Arc::new(double);
    let mut spec = ModelSpec::new(name, "canned");
    spec.price = Some(Price { input: 1.0, output: 10.0, ..Price::default() });
    (Examiner { model: double.clone(), spec, confidence: Confidence::None }, double)
}

/// A judge that gives every question the same word and finds it so likely; `None`: its API does not say.
pub(crate) fn is_sure(name: &str, word: &'static str, probability: Option<f64>) -> (Examiner, Arc<Double>) {
    let answers: Box<Answers> = Box::new(move |prompt, _| Ok(reply(prompt, |_| word)));
    let (mut examiner, double) = examiner_of(name, Double { answers, asked: Mutex::default(), probability });
    examiner.spec.logprobs = Some(5);
    examiner.confidence = Confidence::Logprobs;
    (examiner, double)
}

/// A judge that gives every question the same word.
pub(crate) fn says(name: &str, word: &'static str) -> (Examiner, Arc<Double>) {
    examiner(name, move |prompt, _| Ok(reply(prompt, |_| word)))
}

pub(crate) fn lines(prompt: &str) -> Vec<Value> {
    prompt.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The well-formed reply to a prompt; the control questions are always answered right.
pub(crate) fn reply(prompt: &str, word: impl Fn(&str) -> &'static str) -> String {
    let lines = lines(prompt);
    let canary = lines.iter().find_map(|line| line["canary"].as_str()).expect("the prompt holds a canary");
    let cited: Vec<u64> = lines
        .iter()
        .filter(|line| line["role"] != "user")
        .filter_map(|line| line["event"].as_u64())
        .collect();
    let mut reply = Map::new();
    reply.insert("canary".into(), canary.into());
    for line in &lines {
        let (Some(id), Some(statement)) = (line["criterion"].as_str(), line["statement"].as_str()) else {
            continue;
        };
        let verdict = match statement {
            "The transcript contains at least one event." => "yes",
            "The transcript contains no event at all." => "no",
            other => word(other),
        };
        let doubt = if verdict == "unsure" { "missing_evidence" } else { "none" };
        let one =
            json!({"evidence": cited, "reason": "the record shows it", "doubt": doubt, "verdict": verdict});
        reply.insert(id.into(), one);
    }
    Value::Object(reply).to_string()
}

pub(crate) fn rubric() -> Rubric {
    Rubric {
        name: "test".into(),
        version: 1,
        description: String::new(),
        instructions: "Decide whether each statement holds.".into(),
    }
}

pub(crate) fn log() -> Recorder {
    Recorder::new(Clock::system(), Secrets::default())
}
