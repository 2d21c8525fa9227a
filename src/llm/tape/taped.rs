//! A model behind a tape.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::asked::Asked;
use super::file::{Call, Outcome};
use super::{Place, Role, Tape};
use crate::llm::{ChatModel, ChatReply, ChatRequest, Media, ModelSpec, Offers};
use crate::transcript::{CaseHeader, Fault, Loss, Recorder, What};

/// See the module.
#[derive(Clone)]
pub(super) struct Taped {
    tape: Arc<Tape>,
    model: Arc<dyn ChatModel>,
    spec: Arc<ModelSpec>,
    role: Role,
    place: Place,
}

impl Taped {
    pub(super) fn new(tape: Arc<Tape>, model: Arc<dyn ChatModel>, spec: &ModelSpec, role: Role) -> Self {
        Self { tape, model, spec: Arc::new(spec.clone()), role, place: Place::default() }
    }

    async fn answer(&self, request: &ChatRequest, log: &Recorder) -> Result<ChatReply, Fault> {
        let asked = Asked::new((self.role, &self.spec), &self.place, request, log.secrets());
        if let Some(call) = self.tape.play(&asked) {
            return played(call, log);
        }
        if !self.tape.mode().asks() {
            return Err(self.tape.miss(&asked));
        }
        let before = log.len() as u32;
        let answer = self.model.complete(request, log).await;
        let mut outcome = match &answer {
            Ok(reply) => Outcome::Reply(Box::new(reply.clone())),
            Err(fault) => Outcome::Fault(fault.clone()),
        };
        redact(&mut outcome, log);
        self.tape.keep(&asked, failed(log, before), outcome)?;
        answer
    }
}

/// Attempts that failed since an event, as the transcript has them.
fn failed(log: &Recorder, since: u32) -> Vec<serde_json::Value> {
    let events = (since..log.len() as u32).filter_map(|seq| log.event(seq));
    let attempts = events.filter(|event| matches!(event.what, What::ModelAttemptFailed { .. }));
    attempts.filter_map(|event| serde_json::to_value(event.what).ok()).collect()
}

/// A model may repeat what it was shown.
fn redact(outcome: &mut Outcome, log: &Recorder) {
    let Ok(mut value) = serde_json::to_value(&*outcome) else { return };
    log.secrets().redact_json(&mut value);
    if let Ok(clean) = serde_json::from_value(value) {
        *outcome = clean;
    }
}

fn played(call: Call, log: &Recorder) -> Result<ChatReply, Fault> {
    for attempt in call.attempts {
        if let Ok(what @ What::ModelAttemptFailed { .. }) = serde_json::from_value(attempt) {
            log.note(what);
        }
    }
    match call.outcome {
        Outcome::Reply(reply) => Ok(*reply),
        Outcome::Fault(fault) => Err(fault),
    }
}

impl ChatModel for Taped {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        log: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>> {
        Box::pin(self.answer(request, log))
    }

    fn losses(&self, tools: &Offers) -> Vec<Loss> {
        self.model.losses(tools)
    }

    fn unseen(&self, media: &Media) -> Option<String> {
        self.model.unseen(media)
    }

    fn at(&self, header: &CaseHeader) -> Option<Arc<dyn ChatModel>> {
        Some(Arc::new(Self { place: Place::of(header, self.role), ..self.clone() }))
    }
}
