//! One call through async-openai: attempts until one succeeds, each with its deadlines, whichever API is spoken.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_openai::Client;
use async_openai::error::OpenAIError;
use futures::future::BoxFuture;
use futures::{Stream, StreamExt};
use serde_json::value::RawValue;

use super::wire::{Mode, Seen, Settings, Wire};
use crate::display;
use crate::llm::api::attempt::Stage;
use crate::llm::api::{Api, answer};
use crate::llm::retry::Failure;
use crate::llm::{ChatReply, ModelSpec};
use crate::transcript::{Fault, Recorder};

/// The pieces of a streamed answer.
pub(super) type Pieces<P> = Pin<Box<dyn Stream<Item = Result<P, OpenAIError>> + Send>>;

/// What is made of an answer of one API, whole or piece by piece.
pub(super) trait Form: Default + Send {
    /// A whole answer.
    type Whole: Send;
    /// An event of a streamed one.
    type Piece: Send;

    /// Asks for a whole answer.
    fn ask<'a>(
        client: &'a Client<Settings>,
        body: &'a RawValue,
    ) -> BoxFuture<'a, Result<Self::Whole, OpenAIError>>;

    /// Asks for a streamed answer.
    fn stream<'a>(
        client: &'a Client<Settings>,
        body: &'a RawValue,
    ) -> BoxFuture<'a, Result<Pieces<Self::Piece>, OpenAIError>>;

    /// Takes a whole answer.
    fn take(&mut self, whole: Self::Whole) -> Result<(), Failure>;

    /// Adds a piece. Says whether it held anything of the answer: text, thoughts, calls or its end.
    fn add(&mut self, piece: Self::Piece) -> Result<bool, Failure>;

    /// Whether the provider has said why it stopped.
    fn is_finished(&self) -> bool;

    /// Whether nothing can follow.
    fn is_done(&self) -> bool {
        false
    }

    /// Whether there is nothing to answer with.
    fn is_empty(&self) -> bool;
}

/// What both dialects are made of.
pub(super) struct Caller {
    pub(super) spec: ModelSpec,
    pub(super) api: Api,
    client: Client<Settings>,
}

/// One call with everything its attempts share.
#[derive(Clone, Copy)]
struct Call<'a> {
    caller: &'a Caller,
    body: &'a RawValue,
    log: &'a Recorder,
}

impl Caller {
    /// Calls this API.
    pub(super) fn new(spec: &ModelSpec, api: Api) -> Self {
        let client = Client::build(api.http().clone(), Settings::new(api.clone()));
        Self { spec: spec.clone(), api, client }
    }

    /// Asks until an attempt succeeds or nothing can help, and makes a reply of what came.
    pub(super) async fn ask<F: Form>(
        &self,
        body: &RawValue,
        log: &Recorder,
        reply: impl Fn(F) -> ChatReply + Sync,
    ) -> Result<ChatReply, Fault> {
        self.api.register_key(log);
        let policy = self.api.policy(&self.spec, body);
        let call = Call { caller: self, body, log };
        policy.run(log, || Box::pin(call.attempt(&reply))).await
    }
}

impl Call<'_> {
    async fn attempt<F: Form>(self, make: &(impl Fn(F) -> ChatReply + Sync)) -> Result<ChatReply, Failure> {
        let spec = &self.caller.spec;
        let begun = self.log.clock().elapsed();
        let work = async {
            match spec.stream {
                false => Ok((self.whole().await?, None)),
                true => self.streamed(begun).await,
            }
        };
        let (form, first_token_ms) = tokio::time::timeout(spec.timeout.0, work)
            .await
            .map_err(|_| Failure::Timeout(format!("no complete answer within {}", spec.timeout)))??;
        Ok(ChatReply { took_ms: self.since(begun), first_token_ms, ..make(form) })
    }

    fn since(self, begun: Duration) -> u64 {
        self.log.clock().elapsed().saturating_sub(begun).as_millis() as u64
    }

    fn client(self, mode: Mode) -> (Client<Settings>, Arc<Seen>) {
        let seen = Arc::new(Seen::default());
        let wire = Wire { http: self.caller.api.http().clone(), mode, seen: Arc::clone(&seen) };
        (self.caller.client.clone().with_http_service(wire), seen)
    }

    fn heed(self, seen: &Seen) {
        if let Some(asked) = seen.announced() {
            self.caller.api.heed(asked, self.log);
        }
    }

    async fn whole<F: Form>(self) -> Result<F, Failure> {
        let (client, seen) = self.client(Mode::Whole);
        let answer = F::ask(&client, self.body).await.map_err(failure)?;
        self.heed(&seen);
        let mut form = F::default();
        form.take(answer)?;
        match form.is_empty() {
            true => Err(Failure::Bad("the answer holds neither a text nor a tool call".to_owned())),
            false => Ok(form),
        }
    }

    async fn streamed<F: Form>(self, begun: Duration) -> Result<(F, Option<u64>), Failure> {
        let (client, seen) = self.client(Mode::Streamed);
        let mut stream = F::stream(&client, self.body).await.map_err(failure)?;
        self.heed(&seen);
        let mut form = F::default();
        let mut first = None;
        while !form.is_done()
            && let Some(piece) = self.next(&mut stream, &mut form, first.is_some()).await
        {
            let content = piece.map_err(|error| seen.take_failure().unwrap_or(error))?;
            if content && first.is_none() {
                first = Some(self.since(begun));
            }
        }
        if let Some(failure) = seen.take_failure() {
            return Err(failure);
        }
        match (form.is_finished() || seen.done()) && !form.is_empty() {
            true => Ok((form, first)),
            false => Err(Failure::Broken("the stream ended before the answer did".to_owned())),
        }
    }

    /// The next piece that holds something of the answer; comments and empty pieces do not stop the clock of silence.
    /// `None` at the end of the stream.
    async fn next<F: Form>(
        self,
        stream: &mut Pieces<F::Piece>,
        form: &mut F,
        talking: bool,
    ) -> Option<Result<bool, Failure>> {
        let stage = Stage::of(talking, form.is_finished());
        let content = async {
            while let Some(piece) = stream.next().await {
                match piece.map_err(failure).and_then(|piece| form.add(piece)) {
                    Ok(false) => {}
                    outcome => return Some(outcome),
                }
            }
            None
        };
        stage.wait(&self.caller.spec, content).await
    }
}

/// async-openai's errors as ours; only [`Wire`] makes boxed ones.
fn failure(error: OpenAIError) -> Failure {
    match error {
        OpenAIError::Boxed(inner) => match inner.downcast::<Failure>() {
            Ok(failure) => *failure,
            Err(other) => Failure::Broken(other.to_string()),
        },
        OpenAIError::JSONDeserialize(error, text) => answer::unreadable(&error, text.as_bytes()),
        OpenAIError::Reqwest(error) => Failure::Broken(crate::net::describe(&error)),
        OpenAIError::StreamError(error) => Failure::Broken(format!(
            "the stream cannot be read: {}",
            display::excerpt(&error.to_string(), 200)
        )),
        other => Failure::Bad(display::excerpt(&other.to_string(), 200)),
    }
}
