//! Everything that can happen in a trial, as one closed enum.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::body::{Body, HttpSide};
pub use super::subject::Refused;
use super::{Aside, Loss, Subject, Usage};
use crate::ids::{CallId, ModelName, PersonaName, ToolName};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number in the trial, from 0, without gaps. Findings and the judge cite it.
    pub seq: u32,
    /// Milliseconds since the trial began.
    pub at_ms: u64,
    /// What it was.
    pub what: What,
    /// The further session it belongs to; absent for the trial itself and its first session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<Aside>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A session with the target was opened.
    ServerOpened(ServerFacts),
    /// A complete `tools/list`, all pages, as this persona and client profile see it.
    ToolsListed {
        /// The tools in the server's order.
        tools: Vec<ToolFact>,
    },
    /// Complete lists of what a server has besides tools, all pages, as this persona sees them.
    FeaturesListed {
        /// The URIs of resources, in the server's order.
        resources: Vec<String>,
        /// URI templates.
        templates: Vec<String>,
        /// The names of prompts.
        prompts: Vec<String>,
    },
    /// The harness read a resource or got a prompt, and the target answered.
    Fetched {
        /// The resource or prompt.
        subject: Subject,
        /// The arguments of a prompt; null for none.
        args: Value,
        /// How the target refused; `None` when it answered with a result.
        refused: Option<Refused>,
        /// Milliseconds from request to answer.
        took_ms: u64,
    },
    /// From here on the persona has other credentials: those of another persona, for the same subject.
    IdentityChanged {
        /// The persona whose rights it has now, or what became of its token: `revoked`, `rotated`.
        to: PersonaName,
    },
    /// The user (a person's words from the suite, or a model that plays the user) said something.
    UserSaid {
        /// The words.
        text: String,
        /// Whether a model plays the user.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        simulated: bool,
    },
    /// The model that plays the user was asked for its next words. It is paid work, but none of the trial's: it counts
    /// neither for checks nor for limits.
    UserPlayed {
        /// The model.
        model: ModelName,
        /// What the user says next; `None` when there is nothing left to say.
        say: Option<String>,
        /// Why nothing is left to say, in its own words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<String>,
        /// Tokens of this call.
        usage: Usage,
        /// Cost of this call in US dollars; `None` when the model has no price.
        cost: Option<f64>,
        /// The model id the provider reported.
        model_id: Option<String>,
        /// Milliseconds from request to the end of the answer.
        took_ms: u64,
    },
    /// An agent that is a program has worked on a prompt.
    AgentRan {
        /// How it ended, in words.
        ended: String,
        /// Its standard output: the end of it, where it is long.
        stdout: String,
        /// The end of its standard error.
        stderr: String,
        /// Bytes of its standard output in all.
        bytes: u64,
        /// Milliseconds from its start to its end.
        took_ms: u64,
    },
    /// A request went to the model.
    ModelAsked {
        /// The tools offered, in order.
        offered: Vec<ToolName>,
        /// How many messages the conversation held.
        messages: u32,
        /// The digest of everything the model saw, as 32 hexadecimal digits.
        request: String,
    },
    /// The model's API does not take everything that the offered tools say. Noted when the losses change.
    OfferLost {
        /// What the model does not see.
        losses: Vec<Loss>,
    },
    /// Not all of a tool's result reaches the model: its API has no form for an image or a sound, or the client passes
    /// content on as no more than a mark.
    ResultLost {
        /// The call whose result it is.
        call: CallId,
        /// What the model's API does not take.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        api: Vec<Loss>,
        /// What the client does not pass on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        client: Vec<Loss>,
    },
    /// An attempt at a model call failed and may be repeated.
    ModelAttemptFailed {
        /// The number of the attempt, from 1.
        attempt: u32,
        /// HTTP status, if there was one.
        status: Option<u16>,
        /// What went wrong.
        message: String,
        /// Milliseconds waited before the next attempt; `None` when there is none.
        wait_ms: Option<u64>,
    },
    /// The model answered.
    ModelSaid {
        /// Text, if any.
        text: Option<String>,
        /// Private reasoning, if the API shows it. Never given to the judge.
        reasoning: Option<String>,
        /// Tool calls asked for, in order.
        calls: Vec<ToolCall>,
        /// Tokens of this call.
        usage: Usage,
        /// Cost of this call in US dollars; `None` when the model has no price.
        cost: Option<f64>,
        /// The model id the provider reported.
        model_id: Option<String>,
        /// Why it stopped, in the provider's word.
        stop: String,
        /// Whether it, or its provider's filter, refused to answer.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        refused: bool,
        /// Milliseconds from request to the end of the answer.
        took_ms: u64,
        /// Milliseconds to the first token, when streamed.
        first_token_ms: Option<u64>,
    },
    /// A tool call went to the target.
    ToolCalled {
        /// Pairs it with its result.
        call: CallId,
        /// The tool.
        name: ToolName,
        /// The arguments as sent. Text that was not JSON stands as a JSON string.
        args: Value,
        /// Who asked for it.
        by: Caller,
    },
    /// The target returned a result.
    ToolReturned {
        /// Pairs it with its call.
        call: CallId,
        /// Content blocks, as received.
        content: Vec<Value>,
        /// Structured content, as received.
        structured: Option<Value>,
        /// Whether the server flagged it as an error.
        is_error: bool,
        /// Size of the result in bytes, as received.
        bytes: u64,
        /// Bytes that the client profile cut off before the model saw the result.
        cut_by_client: Option<u64>,
        /// Milliseconds from call to result.
        took_ms: u64,
    },
    /// The target refused a call with a JSON-RPC error or an HTTP status.
    ToolRefused {
        /// Pairs it with its call.
        call: CallId,
        /// JSON-RPC error code, if there was one.
        code: Option<i64>,
        /// HTTP status, over HTTP.
        status: Option<u16>,
        /// The message.
        message: String,
        /// The `WWW-Authenticate` header, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        challenge: Option<String>,
        /// Milliseconds from call to refusal.
        took_ms: u64,
    },
    /// The model asked for a call that never left the harness: no such tool, or arguments that are no JSON.
    ToolRejected {
        /// Pairs it with the model's call.
        call: CallId,
        /// The tool as the model spelled it.
        name: ToolName,
        /// What the model was told.
        message: String,
    },
    /// The emulated client itself answered a call: a search for tools that it shows by name only.
    ClientAnswered {
        /// Pairs it with the model's call.
        call: CallId,
        /// The client's own tool.
        name: ToolName,
        /// The arguments.
        args: Value,
        /// What the model was told.
        text: String,
    },
    /// The server asked the client something (elicitation, sampling, roots, ping).
    ServerAsked {
        /// The JSON-RPC method.
        method: String,
        /// Its parameters.
        params: Value,
        /// What was answered: a result, or an error object.
        answered: Value,
    },
    /// A model of the suite answered a `sampling/createMessage` of the server, in the client's place. It is paid work
    /// like [`What::ModelSaid`], but no words of the model under test.
    SamplingAnswered {
        /// The model.
        model: ModelName,
        /// Text, if any.
        text: Option<String>,
        /// Calls of the server's own tools that it asked for, in order.
        calls: Vec<ToolCall>,
        /// Tokens of this call.
        usage: Usage,
        /// Cost of this call in US dollars; `None` when the model has no price.
        cost: Option<f64>,
        /// The model id the provider reported.
        model_id: Option<String>,
        /// Why it stopped, in the provider's word.
        stop: String,
        /// Milliseconds from request to the end of the answer.
        took_ms: u64,
    },
    /// What the suite scripts as an answer does not fit what the server asked, and what was done instead.
    AnswerOdd {
        /// The JSON-RPC method of the question.
        method: String,
        /// What does not fit.
        message: String,
    },
    /// The server told the client something (progress, log, list changed).
    ServerNoted {
        /// The JSON-RPC method.
        method: String,
        /// Its parameters.
        params: Value,
    },
    /// The server broke the protocol without breaking the trial (garbage on stdout, an unknown id, ...).
    ServerOdd {
        /// What it did.
        message: String,
    },
    /// Lines of the server's stderr.
    ServerStderr {
        /// The text, bounded.
        text: String,
    },
    /// A message on the wire between the embedded client and the target, byte for byte after redaction.
    Wire(WireMessage),
    /// Something between an identity and its authorization servers, in the record of the trial that caused it.
    Auth(AuthMessage),
    /// An HTTP exchange of an auth probe.
    Exchanged {
        /// What was sent, and why, in a few words.
        label: String,
        /// The request.
        request: HttpSide,
        /// The answer, or what went wrong on the way.
        response: Result<HttpSide, String>,
        /// Milliseconds.
        took_ms: u64,
    },
    /// A setup, cleanup or verify step ran.
    StepRan {
        /// `setup`, `verify` or `cleanup`.
        phase: String,
        /// What ran.
        about: String,
        /// What came back; text or JSON.
        result: Value,
        /// Whether the step itself worked.
        ok: bool,
    },
}

impl What {
    /// Tokens and price in US dollars of an event that is paid for and no part of what is measured: a model that plays the
    /// user.
    pub fn paid_aside(&self) -> Option<(Usage, Option<f64>)> {
        match self {
            Self::UserPlayed { usage, cost, .. } => Some((*usage, *cost)),
            _ => None,
        }
    }

    /// Tokens and price in US dollars of an event that is a model's answer, whoever it answered.
    pub fn paid(&self) -> Option<(Usage, Option<f64>)> {
        match self {
            Self::ModelSaid { usage, cost, .. } | Self::SamplingAnswered { usage, cost, .. } => {
                Some((*usage, *cost))
            }
            _ => None,
        }
    }
}

/// Who asked for a tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// The model under test.
    Model,
    /// The harness: access probes, setup, verify.
    Harness,
}

/// A tool call that a model asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The call's id.
    pub id: CallId,
    /// The tool as the model spelled it.
    pub name: ToolName,
    /// The arguments; a JSON string when the model's text was not JSON.
    pub args: Value,
}

/// A tool as the server described it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolFact {
    /// Its name.
    pub name: ToolName,
    /// The whole tool object as received, unknown fields and key order kept. Trials that were told the same share it.
    pub raw: Arc<Value>,
}

impl ToolFact {
    /// The description, or an empty text.
    pub fn description(&self) -> &str {
        self.raw.get("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// The input schema; an empty object schema when the server sent none.
    pub fn input_schema(&self) -> Value {
        self.raw.get("inputSchema").cloned().unwrap_or_else(|| serde_json::json!({"type": "object"}))
    }
}

/// What the server said of itself when the session was opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// `serverInfo.name`.
    pub name: String,
    /// `serverInfo.version`.
    pub version: String,
    /// The negotiated protocol revision.
    pub protocol: String,
    /// Capabilities as received.
    pub capabilities: Value,
    /// Instructions for the model, if any.
    pub instructions: Option<String>,
}

/// A message on the wire, in either direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireMessage {
    /// To the target.
    Sent {
        /// `stdio`, `POST`, `GET`, `DELETE`.
        via: String,
        /// HTTP request headers, secrets redacted; empty over stdio.
        headers: Vec<(String, String)>,
        /// The message.
        body: Body,
    },
    /// From the target.
    Received {
        /// `stdio`, `json`, `sse`, `empty`.
        via: String,
        /// HTTP status, on the first message of a response.
        status: Option<u16>,
        /// HTTP response headers, on the first message of a response.
        headers: Vec<(String, String)>,
        /// How it stood in an event stream; `None` elsewhere, and for what came of an event that broke off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        frame: Option<Frame>,
        /// The id of the request whose exchange the event stream belongs to; `None` for what says so itself, and on streams
        /// of the server's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<u64>,
        /// The message.
        body: Body,
    },
}

impl WireMessage {
    /// What came or went before the message: HTTP headers, then the fields of its event.
    pub fn head(&self) -> Vec<(String, String)> {
        match self {
            Self::Sent { headers, .. } | Self::Received { headers, frame: None, .. } => headers.clone(),
            Self::Received { headers, frame: Some(frame), .. } => {
                headers.iter().cloned().chain(frame.fields()).collect()
            }
        }
    }
}

/// The fields of an event of a stream beside its data (HTML standard, server-sent events).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The event's type; empty for plain messages.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The id to resume after, if the event has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Milliseconds to wait before the stream is resumed, if the event says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u64>,
}

impl Frame {
    /// The fields by their names in a stream.
    pub fn fields(&self) -> impl Iterator<Item = (String, String)> {
        let kind = (!self.kind.is_empty()).then(|| self.kind.clone());
        let all =
            [("event", kind), ("id", self.id.clone()), ("retry", self.retry_ms.map(|ms| ms.to_string()))];
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)))
    }
}

/// What passes while an identity gets or renews its tokens. One identity serves many trials, so a trial may find a token
/// that another one has got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMessage {
    /// To an authorization server, or to the target for its metadata.
    Sent {
        /// The request.
        request: HttpSide,
    },
    /// What came back.
    Received {
        /// `METHOD url` of the request that it answers, without a query.
        to: String,
        /// The answer as far as it came, or why there is none.
        answer: Result<HttpSide, String>,
        /// Milliseconds from the request.
        took_ms: u64,
    },
    /// What no message shows: a document asked for again, a wait for another trial's renewal.
    Noted {
        /// What happened.
        message: String,
    },
}
