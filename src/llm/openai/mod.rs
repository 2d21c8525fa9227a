//! The `openai` dialect: chat completions of OpenAI and of every compatible provider, through async-openai.
//!
//! async-openai builds the requests and decodes the event streams. Its own retries, its reading of the environment and
//! its strict types are all left out: `wire` executes, `reply` reads tolerantly, `retry` repeats visibly.

use std::sync::Arc;
use std::time::Duration;

use async_openai::Client;
use async_openai::error::OpenAIError;
use futures::future::BoxFuture;
use futures::{Stream, StreamExt};
use serde_json::value::RawValue;

use self::assemble::Assembly;
use self::reply::Completion;
use self::wire::{Mode, Seen, Settings, Wire};
use super::api::attempt::Stage;
use super::api::names::{Names, Rules};
use super::api::{Api, Usual, answer};
use super::retry::Failure;
use super::{ChatModel, ChatReply, ChatRequest, Dialect, ModelSpec, Outside};
use crate::display;
use crate::transcript::{Fault, Recorder};

mod assemble;
mod reply;
mod request;
mod wire;

/// The row of this dialect.
pub(super) const DIALECT: Dialect = Dialect {
    name: "openai",
    about: "chat completions of OpenAI, or of any compatible provider under its `base_url`",
    inline: |id| {
        let mut spec = ModelSpec::new(&format!("openai:{id}"), "openai");
        spec.id = Some(id.to_owned());
        spec.key = Some("OPENAI_API_KEY".to_owned());
        spec
    },
    build,
};

/// Where it is and how it takes the key.
const USUAL: Usual = Usual { base: request::OPENAI_BASE, key_header: "authorization", headers: &[] };

/// The names of tools that it accepts.
const NAMES: Rules = Rules { longest: 64, signs: "_-", letter_first: false };

struct OpenAi {
    spec: ModelSpec,
    api: Api,
    client: Client<Settings>,
}

fn build(spec: &ModelSpec, outside: &Outside) -> Result<Arc<dyn ChatModel>, Fault> {
    let api = Api::new(spec, outside, USUAL)?;
    let client = Client::build(api.http().clone(), Settings::new(api.clone()));
    Ok(Arc::new(OpenAi { spec: spec.clone(), api, client }))
}

impl ChatModel for OpenAi {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        log: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>> {
        Box::pin(async move {
            self.api.register_key(log);
            let names = Names::of(request, NAMES);
            let body = request::body(&self.spec, request, &names)?;
            let policy = self.api.policy(&self.spec, &body);
            let call = Call { model: self, request, names: &names, body: &body, log };
            policy.run(log, || Box::pin(call.attempt())).await
        })
    }
}

/// One call with everything its attempts share.
#[derive(Clone, Copy)]
struct Call<'a> {
    model: &'a OpenAi,
    request: &'a ChatRequest,
    names: &'a Names,
    body: &'a RawValue,
    log: &'a Recorder,
}

impl Call<'_> {
    async fn attempt(self) -> Result<ChatReply, Failure> {
        let spec = &self.model.spec;
        let begun = self.log.clock().elapsed();
        let work = async {
            match spec.stream {
                false => Ok((self.whole().await?, None)),
                true => self.streamed(begun).await,
            }
        };
        let (assembly, first) = tokio::time::timeout(spec.timeout.0, work)
            .await
            .map_err(|_| Failure::Timeout(format!("no complete answer within {}", spec.timeout)))??;
        let mut reply = assembly.reply(self.request, self.names, self.body.get().len());
        reply.took_ms = self.since(begun);
        reply.first_token_ms = first;
        Ok(reply)
    }

    fn since(self, begun: Duration) -> u64 {
        self.log.clock().elapsed().saturating_sub(begun).as_millis() as u64
    }

    fn client(self, mode: Mode) -> (Client<Settings>, Arc<Seen>) {
        let seen = Arc::new(Seen::default());
        let wire = Wire { http: self.model.api.http().clone(), mode, seen: Arc::clone(&seen) };
        (self.model.client.clone().with_http_service(wire), seen)
    }

    fn heed(self, seen: &Seen) {
        if let Some(asked) = seen.announced() {
            self.model.api.heed(asked, self.log);
        }
    }

    async fn whole(self) -> Result<Assembly, Failure> {
        let (client, seen) = self.client(Mode::Whole);
        let answer: Completion = client.chat().create_byot(self.body).await.map_err(failure)?;
        self.heed(&seen);
        let mut assembly = Assembly::default();
        add(&mut assembly, answer)?;
        match assembly.is_empty() {
            true => Err(Failure::Bad("the answer holds no choice with a text or a tool call".to_owned())),
            false => Ok(assembly),
        }
    }

    async fn streamed(self, begun: Duration) -> Result<(Assembly, Option<u64>), Failure> {
        let (client, seen) = self.client(Mode::Streamed);
        let mut stream = client.chat().create_stream_byot(self.body).await.map_err(failure)?;
        self.heed(&seen);
        let mut assembly = Assembly::default();
        let mut first = None;
        while let Some(piece) = self.next(&mut stream, &mut assembly, first.is_some()).await {
            let content = piece.map_err(|error| seen.take_failure().unwrap_or(error))?;
            if content && first.is_none() {
                first = Some(self.since(begun));
            }
        }
        if let Some(failure) = seen.take_failure() {
            return Err(failure);
        }
        match (assembly.finished() || seen.done()) && !assembly.is_empty() {
            true => Ok((assembly, first)),
            false => Err(Failure::Broken("the stream ended before the answer did".to_owned())),
        }
    }

    /// The next piece that holds something of the answer; comments and empty pieces do not stop the clock of silence.
    /// `None` at the end of the stream.
    async fn next<S>(
        self,
        stream: &mut S,
        assembly: &mut Assembly,
        talking: bool,
    ) -> Option<Result<bool, Failure>>
    where
        S: Stream<Item = Result<Completion, OpenAIError>> + Unpin,
    {
        let stage = Stage::of(talking, assembly.finished());
        let content = async {
            while let Some(piece) = stream.next().await {
                match piece.map_err(failure).and_then(|piece| add(assembly, piece)) {
                    Ok(false) => {}
                    outcome => return Some(outcome),
                }
            }
            None
        };
        stage.wait(&self.model.spec, content).await
    }
}

/// Adds a piece unless it is an error object under status 200.
fn add(assembly: &mut Assembly, mut piece: Completion) -> Result<bool, Failure> {
    match piece.error.take() {
        Some(problem) => Err(problem.failure(200, None)),
        None => Ok(assembly.add(piece)),
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
