//! A small MCP server over HTTP with the tools and answers of a test, that counts its calls.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

/// What the server has and does.
#[derive(Clone)]
pub(crate) struct Rpc {
    pub(crate) tools: Value,
    pub(crate) answer: fn(&str, &Value, usize) -> Value,
    pub(crate) called: Arc<Mutex<Vec<String>>>,
    pub(crate) count: Arc<AtomicUsize>,
}

impl Rpc {
    pub(crate) fn new(tools: Value, answer: fn(&str, &Value, usize) -> Value) -> Self {
        Self { tools, answer, called: Arc::default(), count: Arc::default() }
    }

    pub(crate) async fn start(&self) -> MockServer {
        let server = MockServer::start().await;
        Mock::given(matchers::method("POST")).respond_with(self.clone()).mount(&server).await;
        Mock::given(matchers::method("DELETE")).respond_with(ResponseTemplate::new(405)).mount(&server).await;
        Mock::given(matchers::method("GET")).respond_with(ResponseTemplate::new(405)).mount(&server).await;
        server
    }
}

impl Respond for Rpc {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let asked: Value = request.body_json().unwrap_or_default();
        let Some(id) = asked.get("id") else { return ResponseTemplate::new(202) };
        let result = match asked["method"].as_str().unwrap_or_default() {
            "initialize" => json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "test", "version": "1"}}),
            "tools/list" => json!({"tools": self.tools}),
            "tools/call" => {
                let name = asked["params"]["name"].as_str().unwrap_or_default().to_owned();
                self.called.lock().unwrap().push(name.clone());
                (self.answer)(&name, &asked["params"]["arguments"], self.count.fetch_add(1, Ordering::SeqCst))
            }
            _ => {
                let error = json!({"code": -32601, "message": "no such method"});
                return ResponseTemplate::new(200)
                    .set_body_json(json!({"jsonrpc": "2.0", "id": id, "error": error}));
            }
        };
        ResponseTemplate::new(200).set_body_json(json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }
}

/// A result of one text.
pub(crate) fn text(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}], "isError": false})
}
