//! A model behind an API of the OpenAI kind, whose every answer is another one; and a census of connections.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

/// What a listener has seen. Ends with the value.
pub(crate) struct Listening {
    pub(crate) port: u16,
    seen: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Listening {
    fn new(port: u16, serve: fn(TcpStream, usize)) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counting, ending) = (Arc::clone(&seen), Arc::clone(&over));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ending.load(Ordering::SeqCst) {
                    break;
                }
                let number = counting.fetch_add(1, Ordering::SeqCst) + 1;
                thread::spawn(move || serve(stream, number));
            }
        });
        Self { port, seen, over, thread: Some(thread) }
    }

    /// Counts who comes, and says nothing.
    pub(crate) fn census(port: u16) -> Self {
        Self::new(port, |stream, _| drop(stream))
    }

    /// How many connections there were.
    pub(crate) fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A model that searches first and then answers, never twice the same way. It repeats the key that it was sent.
pub(crate) fn model() -> Listening {
    Listening::new(0, |stream, number| {
        let Some((key, request)) = request(&stream) else { return };
        let called = request["messages"].as_array().unwrap().iter().any(|message| message["role"] == "tool");
        let message = if called {
            json!({"role": "assistant", "content": format!("Answer {number}, with the key {key}.")})
        } else {
            let call = json!({"name": "search_books", "arguments": "{\"query\":\"Le Guin\"}"});
            json!({"role": "assistant", "content": null,
                "tool_calls": [{"id": format!("call-{number}"), "type": "function", "function": call}]})
        };
        let stop = if called { "stop" } else { "tool_calls" };
        let usage =
            json!({"prompt_tokens": 10 + number, "completion_tokens": 5, "total_tokens": 15 + number});
        let answer = |object: &str, choice: Value, usage: Value| json!({"id": "x", "object": object, "created": 1, "model": "double-1", "choices": choice, "usage": usage});
        let (kind, body) = if request["stream"] == true {
            let mut delta = message;
            if let Some(calls) = delta.get_mut("tool_calls") {
                calls[0]["index"] = json!(0);
            }
            let first = json!([{"index": 0, "delta": delta, "finish_reason": null}]);
            let last = json!([{"index": 0, "delta": {}, "finish_reason": stop}]);
            let object = "chat.completion.chunk";
            let chunks = [answer(object, first, Value::Null), answer(object, last, usage)];
            let lines: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
            ("text/event-stream", lines + "data: [DONE]\n\n")
        } else {
            let choice = json!([{"index": 0, "message": message, "finish_reason": stop}]);
            ("application/json", answer("chat.completion", choice, usage).to_string())
        };
        let mut stream = stream;
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
    })
}

/// The key and the body of a request.
fn request(stream: &TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut key) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => key = value.trim_start_matches("Bearer ").to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((key, serde_json::from_slice(&body).ok()?))
}
