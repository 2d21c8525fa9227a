//! One attempt: the request goes out, the answer comes whole or in events, and every wait has an end.

use std::future::Future;
use std::time::Duration;

use serde_json::value::RawValue;

use super::{Api, FAREWELL, LONGEST_SILENCE, answer};
use crate::llm::retry::{Failure, Taken};
use crate::llm::{ChatReply, ModelSpec};
use crate::net::sse::{Decoder, EVENT_CAP};
use crate::net::{self, BODY_CAP, BodyError};
use crate::transcript::{Fault, Recorder};
use crate::units::Period;

/// What a dialect makes of an answer, whole or piece by piece.
pub(in crate::llm) trait Reading: Default + Send {
    /// Tokens read and written, if the provider has said so: what its allowance was charged.
    fn tokens(&self) -> Option<u64>;

    /// Reads a whole answer.
    fn whole(&mut self, body: &[u8]) -> Result<(), Failure>;

    /// Reads the data of one event. Says whether it held anything of the answer: text, thoughts, calls or its end.
    fn event(&mut self, data: &[u8]) -> Result<bool, Failure>;

    /// Whether the provider has said why it stopped.
    fn is_finished(&self) -> bool;

    /// Whether the end mark has come, after which nothing follows.
    fn is_done(&self) -> bool;
}

/// How far a streamed answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::llm) enum Stage {
    /// Nothing has come yet. Only the deadline of the attempt counts, because models may think in silence.
    Waiting,
    /// Something has come.
    Talking,
    /// The provider has said why it stopped; usage may follow.
    Finished,
}

impl Stage {
    /// The stage of a stream.
    pub(in crate::llm) fn of(talking: bool, finished: bool) -> Self {
        match (talking, finished) {
            (_, true) => Self::Finished,
            (true, false) => Self::Talking,
            (false, false) => Self::Waiting,
        }
    }

    /// Waits for the next piece that holds something of the answer, no longer than the stage allows. `None` at the end:
    /// a server that has said why it stopped and then keeps the connection open has answered.
    pub(in crate::llm) async fn wait<T>(
        self,
        spec: &ModelSpec,
        piece: impl Future<Output = Option<Result<T, Failure>>>,
    ) -> Option<Result<T, Failure>> {
        let silence = (spec.timeout.0 / 2).min(match self {
            Self::Waiting => return piece.await,
            Self::Talking => LONGEST_SILENCE,
            Self::Finished => FAREWELL,
        });
        match tokio::time::timeout(silence, piece).await {
            Ok(outcome) => outcome,
            Err(_) if self == Self::Finished => None,
            Err(_) => {
                let silence = Period(silence);
                Some(Err(Failure::Timeout(format!("nothing came in the middle of the answer for {silence}"))))
            }
        }
    }
}

/// A request to a model, with everything its attempts share.
#[derive(Clone, Copy)]
pub(in crate::llm) struct Question<'a> {
    pub(in crate::llm) api: &'a Api,
    pub(in crate::llm) spec: &'a ModelSpec,
    /// Below the address, with a leading slash.
    pub(in crate::llm) path: &'a str,
    pub(in crate::llm) body: &'a RawValue,
    pub(in crate::llm) log: &'a Recorder,
}

/// What came of the attempt that succeeded.
pub(in crate::llm) struct Answer<R> {
    /// What was read.
    pub(in crate::llm) reading: R,
    took_ms: u64,
    first_token_ms: Option<u64>,
}

impl<R> Answer<R> {
    /// Makes a reply of what was read, with the times of the attempt.
    pub(in crate::llm) fn reply(self, make: impl FnOnce(R) -> ChatReply) -> ChatReply {
        let Self { reading, took_ms, first_token_ms } = self;
        ChatReply { took_ms, first_token_ms, ..make(reading) }
    }
}

impl<R: Reading> Taken for Answer<R> {
    fn tokens(&self) -> Option<u64> {
        self.reading.tokens()
    }
}

impl Question<'_> {
    /// Asks until an attempt succeeds or nothing can help.
    pub(in crate::llm) async fn ask<R: Reading>(self) -> Result<Answer<R>, Fault> {
        self.api.register_key(self.log);
        let policy = self.api.policy(self.spec, self.body);
        policy.run(self.log, || Box::pin(self.attempt())).await
    }

    async fn attempt<R: Reading>(self) -> Result<Answer<R>, Failure> {
        let begun = self.log.clock().elapsed();
        let work = async {
            match self.spec.stream {
                false => Ok((self.whole().await?, None)),
                true => self.streamed(begun).await,
            }
        };
        let (reading, first_token_ms) = tokio::time::timeout(self.spec.timeout.0, work)
            .await
            .map_err(|_| Failure::Timeout(format!("no complete answer within {}", self.spec.timeout)))??;
        Ok(Answer { reading, took_ms: self.since(begun), first_token_ms })
    }

    fn since(self, begun: Duration) -> u64 {
        self.log.clock().elapsed().saturating_sub(begun).as_millis() as u64
    }

    async fn whole<R: Reading>(self) -> Result<R, Failure> {
        let response = self.api.send(self.path, self.body, self.log).await?;
        let mut reading = R::default();
        reading.whole(&answer::whole(response).await?)?;
        Ok(reading)
    }

    async fn streamed<R: Reading>(self, begun: Duration) -> Result<(R, Option<u64>), Failure> {
        let response = self.api.send(self.path, self.body, self.log).await?;
        if !answer::is_event_stream(&response) {
            return Err(answer::no_stream(response).await);
        }
        let mut stream = Stream { response, decoder: Decoder::default(), bytes: 0 };
        let mut reading = R::default();
        let mut first = None;
        while !reading.is_done() {
            let stage = Stage::of(first.is_some(), reading.is_finished());
            match stage.wait(self.spec, stream.next(&mut reading)).await {
                None => break,
                Some(Err(failure)) => return Err(failure),
                Some(Ok(())) => first = first.or_else(|| Some(self.since(begun))),
            }
        }
        match reading.is_finished() {
            true => Ok((reading, first)),
            false => Err(Failure::Broken("the stream ended before the answer did".to_owned())),
        }
    }
}

struct Stream {
    response: reqwest::Response,
    decoder: Decoder,
    bytes: usize,
}

impl Stream {
    /// Reads on until something of the answer has come. Comments, pings and empty pieces do not stop the clock of
    /// silence.
    async fn next<R: Reading>(&mut self, reading: &mut R) -> Option<Result<(), Failure>> {
        loop {
            let chunk = match self.response.chunk().await {
                Ok(chunk) => chunk?,
                Err(error) => return Some(Err(Failure::Broken(net::describe(&error)))),
            };
            self.bytes += chunk.len();
            if self.bytes > BODY_CAP {
                return Some(Err(Failure::Bad(BodyError::TooLarge(BODY_CAP).to_string())));
            }
            let Ok(events) = self.decoder.push(&chunk) else {
                let message = format!("an event of the stream is larger than {} MiB", EVENT_CAP >> 20);
                return Some(Err(Failure::Bad(message)));
            };
            let mut held = false;
            for event in events.iter().filter(|event| !event.data.is_empty()) {
                match reading.event(&event.data) {
                    Ok(content) => held |= content,
                    Err(failure) => return Some(Err(failure)),
                }
            }
            if held || reading.is_done() {
                return Some(Ok(()));
            }
        }
    }
}
