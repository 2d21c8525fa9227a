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
use self::names::Names;
use self::reply::Completion;
use self::wire::{Endpoint, Mode, Seen, Settings, Wire};
use super::pace::Pace;
use super::retry::{Failure, Policy};
use super::{ChatModel, ChatReply, ChatRequest, Dialect, ModelSpec, Outside, bad_definition, estimate};
use crate::display;
use crate::ids::Digest;
use crate::transcript::{Fault, Recorder, Side};
use crate::units::Period;

mod assemble;
mod loose;
mod names;
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

/// The longest silence in the middle of a stream.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// How long usage and the end mark may come after the last word.
const FAREWELL: Duration = Duration::from_secs(5);

struct OpenAi {
    spec: ModelSpec,
    client: Client<Settings>,
    http: reqwest::Client,
    key: Option<(String, String)>,
    pace: Arc<Pace>,
}

fn build(spec: &ModelSpec, outside: &Outside) -> Result<Arc<dyn ChatModel>, Fault> {
    let base = spec.base_url.as_deref().unwrap_or(request::OPENAI_BASE);
    match url::Url::parse(base) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.query().is_none() => {}
        _ => return Err(bad_definition(spec, "`base_url` is not an http or https URL without a query")),
    }
    let key = match &spec.key {
        None => None,
        Some(variable) => Some((variable.clone(), key(spec, variable, outside)?)),
    };
    let endpoint = Endpoint::new(base, key.as_ref().map(|(_, value)| value.as_str())).ok_or_else(|| {
        let variable = spec.key.as_deref().unwrap_or_default();
        let message =
            format!("model `{}`: the value of `{variable}` holds characters that no key has", spec.name);
        Fault::new(Side::Model, "credentials.missing-key", message)
    })?;
    let http = outside.http.clone();
    let client = Client::build(http.clone(), Settings(Arc::new(endpoint)));
    Ok(Arc::new(OpenAi { spec: spec.clone(), client, http, key, pace: outside.paces.of(spec) }))
}

fn key(spec: &ModelSpec, variable: &str, outside: &Outside) -> Result<String, Fault> {
    let value =
        (outside.env)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    value.ok_or_else(|| {
        let message =
            format!("model `{}` needs the environment variable `{variable}`, which is not set", spec.name);
        Fault::new(Side::Model, "credentials.missing-key", message)
    })
}

impl ChatModel for OpenAi {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        log: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>> {
        Box::pin(async move {
            self.register_key(log);
            let names = Names::of(request);
            // Written once: attempts repeat the bytes.
            let body = request::body(&self.spec, request, &names).map_err(|error| {
                Fault::new(
                    Side::Harness,
                    "harness.request",
                    format!("a model request cannot be written: {error}"),
                )
            })?;
            let policy = Policy {
                model: self.spec.name.as_str(),
                retries: self.spec.retries,
                seed: Digest::of(body.get().as_bytes()).as_u64(),
                pace: &self.pace,
                weight: estimate::weight(&self.spec, body.get().len()),
            };
            let call = Call { model: self, request, names: &names, body: &body, log };
            policy.run(log, || Box::pin(call.attempt())).await
        })
    }
}

impl OpenAi {
    /// Before the first use of the key with this record; looking costs a read lock.
    fn register_key(&self, log: &Recorder) {
        if let Some((name, value)) = &self.key
            && log.secrets().redact(value) == value.as_str()
        {
            log.secrets().register(name, value);
        }
    }

    /// The part of the deadline that silence may take.
    fn silence(&self) -> Duration {
        self.spec.timeout.0 / 2
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
        let wire = Wire { http: self.model.http.clone(), mode, seen: Arc::clone(&seen) };
        (self.model.client.clone().with_http_service(wire), seen)
    }

    fn heed(self, seen: &Seen) {
        if let Some(asked) = seen.announced() {
            self.model.pace.heard(asked, self.log);
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
    /// `None` at the end of the stream. Before the first piece only the deadline of the attempt counts, because
    /// reasoning models may think in silence.
    async fn next<S>(
        self,
        stream: &mut S,
        assembly: &mut Assembly,
        talking: bool,
    ) -> Option<Result<bool, Failure>>
    where
        S: Stream<Item = Result<Completion, OpenAIError>> + Unpin,
    {
        let finished = assembly.finished();
        let content = async {
            while let Some(piece) = stream.next().await {
                match piece.map_err(failure).and_then(|piece| add(assembly, piece)) {
                    Ok(false) => {}
                    outcome => return Some(outcome),
                }
            }
            None
        };
        if !talking {
            return content.await;
        }
        // A server that has said why it stopped and then keeps the connection open has answered.
        let silence = self.model.silence().min(if finished { FAREWELL } else { LONGEST_SILENCE });
        match tokio::time::timeout(silence, content).await {
            Ok(outcome) => outcome,
            Err(_) if finished => None,
            Err(_) => {
                let silence = Period(silence);
                Some(Err(Failure::Timeout(format!("nothing came in the middle of the answer for {silence}"))))
            }
        }
    }
}

/// Adds a piece unless it is an error object under status 200.
fn add(assembly: &mut Assembly, mut piece: Completion) -> Result<bool, Failure> {
    match piece.error.take() {
        Some(error) => Err(wire::error_object(error, 200, None)),
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
        OpenAIError::JSONDeserialize(error, text) if error.is_eof() && !text.trim().is_empty() => {
            Failure::Broken(format!("the answer broke off after {} bytes", text.len()))
        }
        OpenAIError::JSONDeserialize(_, text) => {
            Failure::Bad(format!("the answer is not what the API promises: {}", text.trim()))
        }
        OpenAIError::Reqwest(error) => Failure::Broken(crate::net::describe(&error)),
        OpenAIError::StreamError(error) => Failure::Broken(format!(
            "the stream cannot be read: {}",
            display::excerpt(&error.to_string(), 200)
        )),
        other => Failure::Bad(display::excerpt(&other.to_string(), 200)),
    }
}
