//! A model with a provider that misbehaves on purpose: whole answers through wiremock, bytes through a bare socket.
//!
//! Every request that arrives is checked for what the API demands of a conversation, whatever the test is about.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rehearsal::ids::ToolName;
use rehearsal::llm::{self, ChatReply, ChatRequest, Message, ModelSpec, Outside, ToolOffer};
use rehearsal::transcript::{Clock, Fault, Recorder, Secrets, What};
use rehearsal::units::Period;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiremock::matchers::{method, path_regex};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

pub(crate) const KEY: &str = "sk-test-3f9a8b7c6d5e4f";

/// An API: the dialect that speaks it, where it is asked, and what it would refuse of a request.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) dialect: &'static str,
    pub(crate) path: &'static str,
    pub(crate) refuses: fn(&Request, &Value) -> Vec<String>,
}

/// The chat completions API.
pub(crate) const OPENAI: Kind = Kind {
    dialect: "openai",
    path: "^/v1/(chat/completions|responses)$",
    refuses: |request, body| {
        let mut wrong = violations(body);
        if header(request, "authorization") != Some(&format!("Bearer {KEY}")) {
            wrong.push("no key".into());
        }
        wrong
    },
};

pub(crate) fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.get(name).and_then(|value| value.to_str().ok())
}

/// Answers in order, and keeps what is wrong with the requests.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) kind: Kind,
    pub(crate) answers: Arc<Mutex<VecDeque<ResponseTemplate>>>,
    pub(crate) wrong: Arc<Mutex<Vec<String>>>,
    pub(crate) bodies: Arc<Mutex<Vec<Value>>>,
}

impl Respond for Api {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        self.wrong.lock().unwrap().extend((self.kind.refuses)(request, &body));
        self.bodies.lock().unwrap().push(body);
        self.answers.lock().unwrap().pop_front().unwrap_or_else(|| ResponseTemplate::new(418))
    }
}

/// What the API would refuse.
pub(crate) fn violations(body: &Value) -> Vec<String> {
    let mut wrong = vec![];
    let mut open = BTreeSet::new();
    for message in body["messages"].as_array().map_or(&[][..], Vec::as_slice) {
        let role = message["role"].as_str().unwrap_or_default();
        match role {
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                if !open.remove(id) {
                    wrong.push(format!("a tool message answers `{id}`, which is no open call"));
                }
            }
            _ if !open.is_empty() => wrong.push(format!("{open:?} were not answered before `{role}`")),
            _ => {}
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            if !call["function"]["arguments"].is_string() || call["type"] != "function" {
                wrong.push(format!("a call without arguments as text: {call}"));
            }
            if !open.insert(call["id"].as_str().unwrap_or_default().to_owned()) {
                wrong.push("two calls of one id".into());
            }
        }
        if message["content"].is_null() && message["tool_calls"].is_null() {
            wrong.push(format!("an empty message of `{role}`"));
        }
    }
    for item in body["input"].as_array().into_iter().flatten() {
        let id = item["call_id"].as_str().unwrap_or_default();
        match item["type"].as_str() {
            Some("function_call") if !open.insert(id.to_owned()) => wrong.push("two calls of one id".into()),
            Some("function_call_output") if !open.remove(id) => {
                wrong.push(format!("an output answers `{id}`, which is no open call"));
            }
            _ => {}
        }
    }
    for tool in body["tools"].as_array().into_iter().flatten() {
        let function = if tool["function"].is_object() { &tool["function"] } else { tool };
        let name = function["name"].as_str().unwrap_or_default();
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
            wrong.push(format!("the tool name `{name}`"));
        }
        if function["parameters"]["properties"].is_null() {
            wrong.push(format!("`{name}` has no properties"));
        }
    }
    if body["tools"] == json!([]) || (body["tools"].is_null() && !body["tool_choice"].is_null()) {
        wrong.push("a tool list that is empty or missing".into());
    }
    wrong
}

pub(crate) struct Bench {
    pub(crate) api: Api,
    pub(crate) spec: ModelSpec,
    pub(crate) log: Recorder,
    pub(crate) http: reqwest::Client,
    // Kept alive for the test.
    pub(crate) _server: Option<MockServer>,
}

impl Bench {
    pub(crate) async fn new(answers: Vec<ResponseTemplate>) -> Self {
        Self::of(OPENAI, answers).await
    }

    pub(crate) fn at(base: &str) -> Self {
        Self::of_at(OPENAI, base)
    }

    pub(crate) async fn of(kind: Kind, answers: Vec<ResponseTemplate>) -> Self {
        let server = MockServer::start().await;
        let mut bench = Self::of_at(kind, &format!("{}/v1", server.uri()));
        bench.api.answers.lock().unwrap().extend(answers);
        Mock::given(method("POST"))
            .and(path_regex(kind.path))
            .respond_with(bench.api.clone())
            .mount(&server)
            .await;
        bench._server = Some(server);
        bench
    }

    pub(crate) fn of_at(kind: Kind, base: &str) -> Self {
        let mut spec = ModelSpec::new("m", kind.dialect);
        spec.base_url = Some(base.to_owned());
        spec.key = Some("TEST_KEY".into());
        spec.timeout = Period(Duration::from_secs(20));
        let log = Recorder::new(Clock::system(), Secrets::default());
        let http = rehearsal::net::client().unwrap();
        let api = Api { kind, answers: Arc::default(), wrong: Arc::default(), bodies: Arc::default() };
        Self { api, spec, log, http, _server: None }
    }

    pub(crate) async fn ask(&self, request: &ChatRequest) -> Result<ChatReply, Fault> {
        let env = |name: &str| (name == "TEST_KEY").then(|| format!("{KEY}\n"));
        let outside = Outside::new(self.http.clone(), Arc::new(env));
        let outcome = llm::build(&self.spec, &outside)?.complete(request, &self.log).await;
        assert_eq!(*self.api.wrong.lock().unwrap(), Vec::<String>::new());
        let seen = format!("{outcome:?} {:?}", self.failed());
        assert!(!seen.contains(KEY), "the key is shown: {seen}");
        outcome
    }

    /// Failed attempts: status, message, whether another followed.
    pub(crate) fn failed(&self) -> Vec<(Option<u16>, String, Option<u64>)> {
        (0..self.log.len() as u32)
            .filter_map(|seq| match self.log.event(seq)?.what {
                What::ModelAttemptFailed { status, message, wait_ms, .. } => Some((status, message, wait_ms)),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    pub(crate) fn requests(&self) -> usize {
        self.api.bodies.lock().unwrap().len()
    }
}

pub(crate) fn request(messages: Vec<Message>) -> ChatRequest {
    let tools = ["get.order", "echo"].map(|name| ToolOffer {
        name: ToolName::from(name),
        tool: None,
        title: None,
        description: "x".into(),
        schema: json!({"type": "object"}),
    });
    ChatRequest {
        system: Some("s".into()),
        messages,
        tools: tools.into(),
        trial: 1,
        ..ChatRequest::default()
    }
}

pub(crate) fn hello() -> ChatRequest {
    request(vec![Message::User("hello".into())])
}

/// What a raw server does after it has read a request.
#[derive(Clone)]
pub(crate) enum Act {
    Send(Vec<u8>),
    Pause(u64),
    Drip(Vec<u8>),
    Hang,
}

/// A server that plays one list of acts per connection, then closes it.
pub(crate) async fn raw(connections: Vec<Vec<Act>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for acts in connections {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = vec![];
            while !String::from_utf8_lossy(&head).contains("}]") {
                let mut piece = [0; 4096];
                match socket.read(&mut piece).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => head.extend_from_slice(&piece[..read]),
                }
            }
            for act in acts {
                let fine = match act {
                    Act::Send(bytes) => socket.write_all(&bytes).await.is_ok(),
                    Act::Pause(ms) => {
                        tokio::time::sleep(Duration::from_millis(ms)).await;
                        true
                    }
                    Act::Drip(bytes) => loop {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        if socket.write_all(&bytes).await.is_err() {
                            break false;
                        }
                    },
                    Act::Hang => std::future::pending().await,
                };
                if !fine {
                    break;
                }
            }
        }
    });
    format!("http://{address}/v1")
}
