//! Streams that the server cuts and goes on with on a GET with `Last-Event-ID` (2025-11-25, basic/transports): what was
//! recorded of them is played message by message, cuts included.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rehearsal::ids::Digest;
use serde_json::{Value, json};

use crate::corners::{both, plays_again, results, scripted};
use crate::project::{program, run, transcripts};

/// How a server goes on after its first cut.
#[derive(Clone, Copy, PartialEq)]
enum After {
    /// With the rest, cut once more; so does its own stream, before it says which tools it has.
    Resumes,
    /// The same, without a stream of its own.
    Alone,
    /// It refuses every GET.
    Refuses,
}

/// A server that cuts every stream, its own one included. Ends with the process.
struct Cutter {
    port: u16,
    seen: Arc<AtomicUsize>,
}

/// The ids of requests under way by the number of the call, and how often the own stream was resumed and the tools asked
/// for.
#[derive(Default)]
struct Asked {
    ids: Mutex<HashMap<String, Value>>,
    resumed: AtomicUsize,
    listed: AtomicUsize,
}

struct Request {
    line: String,
    last_event: String,
    body: Value,
}

impl Cutter {
    fn start(after: After) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(Asked::default()));
        let counting = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counting.fetch_add(1, Ordering::SeqCst);
                let asked = Arc::clone(&asked);
                thread::spawn(move || serve(stream, &asked, after));
            }
        });
        Self { port, seen }
    }

    fn target(&self) -> String {
        format!("{{url: \"http://127.0.0.1:{}/mcp\", protocol: 2025-11-25}}", self.port)
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut last_event, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "last-event-id" => last_event = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { line, last_event, body: serde_json::from_slice(&body).unwrap_or_default() })
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

fn note(text: &str) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": text}})
}

fn serve(mut stream: TcpStream, asked: &Asked, after: After) -> Option<()> {
    let request = read(&stream)?;
    let plain = |mut stream: TcpStream, status: &str, body: &str| {
        let kind = "content-type: application/json\r\nmcp-session-id: s1\r\nconnection: close";
        write!(stream, "HTTP/1.1 {status}\r\n{kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).ok()
    };
    let id = request.body["id"].clone();
    let whole = |stream, result: Value| {
        plain(stream, "200 OK", &json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string())
    };
    if request.line.starts_with("GET ") {
        return go_on(stream, &request.last_event, asked, after);
    }
    match request.body["method"].as_str() {
        Some("initialize") => whole(
            stream,
            json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}, "logging": {}},
                "serverInfo": {"name": "cutter", "version": "1"}}),
        ),
        Some("tools/list") => {
            let number = asked.listed.fetch_add(1, Ordering::SeqCst) + 1;
            for _ in 0..1_000 {
                if after != After::Resumes || asked.resumed.load(Ordering::SeqCst) >= number {
                    break;
                }
                thread::sleep(std::time::Duration::from_millis(2));
            }
            // What was said on the own stream arrives before the answer.
            thread::sleep(std::time::Duration::from_millis(50));
            let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
            whole(stream, json!({"tools": [{"name": "slow", "inputSchema": schema}]}))
        }
        Some("tools/call") => {
            let n = request.body["params"]["arguments"]["n"].to_string();
            asked.ids.lock().ok()?.insert(n.clone(), id);
            // An event that only says where to go on, a message, and one that never ends.
            let said = note(&format!("begun {n}"));
            write!(stream, "{STREAM}id: call-{n}-1\nretry: 20\ndata:\n\nid: call-{n}-2\ndata: {said}\n\ndata: {{\"half\": \nda")
                .ok()
        }
        _ => plain(stream, "202 Accepted", ""),
    }
}

fn go_on(mut stream: TcpStream, last: &str, asked: &Asked, after: After) -> Option<()> {
    let parts: Vec<&str> = last.split('-').collect();
    match parts.as_slice() {
        _ if after == After::Refuses || (after == After::Alone && last.is_empty()) => write!(
            stream,
            "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        .ok(),
        [""] => write!(stream, "{STREAM}id: own-1\nretry: 20\ndata: {}\n\n", note("own")).ok(),
        ["own", _] => {
            write!(stream, "{STREAM}id: own-2\ndata: {}\n\n", note("own again")).ok()?;
            asked.resumed.fetch_add(1, Ordering::SeqCst);
            // It stays open as long as the client is there.
            stream.read(&mut [0]).ok().map(|_| ())
        }
        ["call", n, "2"] => write!(stream, "{STREAM}id: call-{n}-3\ndata:\n\n").ok(),
        ["call", n, "3"] => {
            let id = asked.ids.lock().ok()?.get(*n)?.clone();
            let result = json!({"content": [{"type": "text", "text": format!("hello {n}")}]});
            let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
            write!(
                stream,
                "{STREAM}event: other\ndata: {}\n\nid: call-{n}-4\ndata: {answer}\n\n",
                note("unread")
            )
            .ok()
        }
        _ => None,
    }
}

const CASE: &str = "    script: [{call: {name: slow, args: {n: 1}}}, {call: {name: slow, args: {n: 2}}}, {say: 'It said: {{result}}'}]\n    expect: [tool_called: slow, answer_contains: hello 2]\n";

/// What was asked with a GET, by the last event that it named.
fn resumptions(text: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(text).unwrap();
    let sent = value["events"].as_array().unwrap().iter().map(|event| &event["what"]["wire"]["sent"]);
    let gets = sent.filter(|sent| sent["via"] == "GET");
    let mut found: Vec<String> = gets
        .map(|sent| {
            let headers = sent["headers"].as_array().unwrap();
            let last = headers.iter().find(|header| header[0] == "last-event-id");
            last.map_or_else(|| "none".to_owned(), |header| header[1].as_str().unwrap().to_owned())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn a_stream_that_is_cut_and_resumed_is_played() {
    let server = Cutter::start(After::Resumes);
    let dir = scripted(&server.target(), CASE);
    let recorded = || server.seen.load(Ordering::SeqCst);
    let text = plays_again(dir.path());
    let resumed = ["call-1-2", "call-1-3", "call-2-2", "call-2-3", "none", "own-1"];
    assert_eq!(resumptions(&text), resumed);
    for kept in ["\"retry_ms\": 20", "an event of type `other`", "data: {\\\"half\\\": \\nda", "own again"] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    // Nobody came to the server again.
    let before = recorded();
    let again =
        run(program(), dir.path(), &["eval", "taped", "--server-tape=tape.ndjson", "--out=third"], None);
    assert_eq!((again.code, recorded()), (Some(0), before), "{}", again.talk);
}

#[test]
fn a_resumption_that_was_refused_is_refused_again() {
    let server = Cutter::start(After::Refuses);
    let dir = scripted(&server.target(), CASE);
    let (first, again) = both(dir.path(), &["eval", "taped"]);
    assert_eq!(first.code, again.code, "{}{}", first.talk, again.talk);
    assert_ne!(first.code, Some(0), "{}", first.talk);
    let (then, now) = (transcripts(&dir.path().join("first")), transcripts(&dir.path().join("second")));
    assert_eq!(then, now);
    assert!(then[0].1.contains("resuming it was refused with HTTP 405"), "{}", then[0].1);
}

#[test]
fn streams_side_by_side_are_cut_and_resumed_each_for_itself() {
    let server = Cutter::start(After::Alone);
    let calls = [1, 2, 3].map(|n| format!("{{name: slow, args: {{n: {n}}}}}")).join(", ");
    let case =
        format!("    script: [{{calls: [{calls}]}}, {{say: done}}]\n    expect: [tool_called: slow]\n");
    let dir = scripted(&server.target(), &case);
    let (first, again) = both(dir.path(), &["eval", "taped"]);
    assert_eq!((first.code, again.code), (Some(0), Some(0)), "{}{}", first.talk, again.talk);
    let [then, now] = ["first", "second"].map(|out| answers(&dir.path().join(out)));
    assert_eq!(then.len(), 3, "{then:?}");
    assert_eq!(then, now);
}

fn answers(out: &std::path::Path) -> Vec<String> {
    let mut found = vec![];
    for (_, text) in transcripts(out) {
        results(&serde_json::from_str(&text).unwrap(), &mut found);
    }
    found.sort();
    found
}

#[test]
fn a_tape_without_the_fields_of_events_is_played() {
    let server = Cutter::start(After::Alone);
    let dir = scripted(&server.target(), CASE);
    let (first, _) = both(dir.path(), &["eval", "taped"]);
    assert_eq!(first.code, Some(0), "{}", first.talk);
    let path = dir.path().join("tape.ndjson");
    let plain = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().shift_remove("seal");
        if let Some(received) = value.pointer_mut("/wire/received").and_then(Value::as_object_mut) {
            received.shift_remove("frame");
        }
        value["seal"] = Digest::of_json(&value).to_string().into();
        format!("{value}\n")
    };
    let tape = fs::read_to_string(&path).unwrap();
    let older: String = tape.lines().map(plain).collect();
    assert!(tape.contains("\"frame\"") && !older.contains("\"frame\""));
    fs::write(&path, older).unwrap();
    let again =
        run(program(), dir.path(), &["eval", "taped", "--server-tape=tape.ndjson", "--out=older"], None);
    assert_eq!(again.code, Some(0), "{}", again.talk);
    let then = transcripts(&dir.path().join("first"));
    let now = transcripts(&dir.path().join("older"));
    assert_eq!(resumptions(&then[0].1), resumptions(&now[0].1));
    assert_eq!(answers(&dir.path().join("first")), answers(&dir.path().join("older")));
}
