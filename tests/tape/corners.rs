//! The rarer ways to talk with a target, on tape: questions of the server, calls side by side, the transport of 2024,
//! identities that change inside a session.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use rehearsal::store::read::Reader;
use serde_json::{Value, json};

use crate::project::{Ran, Shop, program, run, transcripts, write};

/// A project with one suite of one scripted case.
pub(crate) fn scripted(target: &str, case: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let suite = format!(
        "version: 1\nname: taped\ntarget: {target}\nmodels: [scripted]\ncases:\n  - id: only\n    prompt: Go.\n{case}"
    );
    write(dir.path(), "suites/taped.yaml", &suite);
    dir
}

/// Records, plays, and holds the two transcripts against each other.
pub(crate) fn plays_again(dir: &Path) -> String {
    let (first, again) = both(dir, &["eval", "taped"]);
    assert_eq!((first.code, again.code), (Some(0), Some(0)), "{}{}", first.talk, again.talk);
    let (then, now) = (transcripts(&dir.join("first")), transcripts(&dir.join("second")));
    assert_eq!(then, now);
    then.into_iter().map(|(_, text)| text).collect()
}

pub(crate) fn both(dir: &Path, command: &[&str]) -> (Ran, Ran) {
    let record = ["--server-tape=tape.ndjson", "--server-tape-mode=record", "--out=first"];
    let first = run(program(), dir, &[command, &record[..]].concat(), None);
    let replay = ["--server-tape=tape.ndjson", "--out=second"];
    (first, run(program(), dir, &[command, &replay[..]].concat(), None))
}

#[test]
fn a_question_of_the_server_is_asked_again() {
    let say = |message: Value| format!("read -r line; printf '%s\\n' '{message}'\n");
    let answer = |id: u32, result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result});
    let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]});
    let question = json!({"jsonrpc": "2.0", "id": "q", "method": "elicitation/create",
                          "params": {"message": "Sure?", "requestedSchema": schema}});
    let script = [
        say(answer(
            1,
            json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "asker", "version": "1"}}),
        )),
        "read -r initialized\n".to_owned(),
        say(answer(2, json!({"tools": [{"name": "ask", "inputSchema": {"type": "object"}}]}))),
        say(question),
        say(answer(3, json!({"content": [{"type": "text", "text": "agreed"}]}))),
        "cat >/dev/null".to_owned(),
    ];
    let case = "    script: [{call: {name: ask}}, {say: 'It said: {{result}}'}]\n    answers: {elicitation: [{content: {ok: true}}]}\n    expect: [tool_called: ask, server_asked: elicitation/create, answer_contains: agreed]\n";
    let dir = scripted("{command: [sh, server.sh], transport: stdio, protocol: 2025-11-25}", case);
    write(dir.path(), "server.sh", &script.concat());
    let text = plays_again(dir.path());
    assert!(text.contains("Sure?"), "{text}");
}

#[test]
fn calls_side_by_side_get_their_own_answers() {
    let shop = Shop::open();
    let target = format!("{{url: \"http://127.0.0.1:{}/mcp\", protocol: 2025-11-25}}", shop.port);
    let call = |word: &str| format!("{{name: search_books, args: {{query: {word}}}}}");
    let calls = ["Le Guin", "Tolkien", "dragon"].map(call).join(", ");
    let case = format!(
        "    script: [{{calls: [{calls}]}}, {{say: done}}]\n    expect: [tool_called: search_books]\n"
    );
    let dir = scripted(&target, &case);
    let (first, again) = both(dir.path(), &["eval", "taped"]);
    assert_eq!((first.code, again.code), (Some(0), Some(0)), "{}{}", first.talk, again.talk);
    drop(shop);
    let answers = |out: &str| {
        let mut found = vec![];
        for (_, text) in transcripts(&dir.path().join(out)) {
            let value: Value = serde_json::from_str(&text).unwrap();
            results(&value, &mut found);
        }
        found.sort();
        found
    };
    let then = answers("first");
    assert_eq!(then.len(), 3, "{then:?}");
    assert_eq!(then, answers("second"));
}

/// The results of calls that the model got, each with the id of its call.
pub(crate) fn results(value: &Value, found: &mut Vec<String>) {
    let events = value["events"].as_array().unwrap();
    found.extend(events.iter().filter_map(|event| event["what"].get("tool_returned")).map(Value::to_string));
}

#[test]
fn the_transport_of_2024_is_played() {
    let server = old_server();
    let case = "    script: [{call: {name: greet}}, {say: '{{result}}'}]\n    expect: [tool_called: greet, answer_contains: hello]\n";
    let target = format!("{{url: \"http://127.0.0.1:{server}/sse\", transport: sse}}");
    let dir = scripted(&target, case);
    let (first, again) = both(dir.path(), &["eval", "taped"]);
    assert_eq!((first.code, again.code), (Some(0), Some(0)), "{}{}", first.talk, again.talk);
    let [then, now] = ["first", "second"].map(|out| without_receipts(&dir.path().join(out)));
    assert!(then.iter().any(|event| event.contains("2024-11-05")), "{then:?}");
    assert_eq!(then, now);
}

/// What happened, without the receipts of what was sent: they race with the answers on the stream.
fn without_receipts(out: &Path) -> Vec<String> {
    let mut found = vec![];
    for (_, text) in transcripts(out) {
        let value: Value = serde_json::from_str(&text).unwrap();
        let what = value["events"].as_array().unwrap().iter().map(|event| &event["what"]);
        found.extend(what.filter(|what| what["wire"]["received"]["status"] != 202).map(Value::to_string));
    }
    assert!(found.len() > 10, "{found:?}");
    found
}

/// A server with one event stream per session; returns its port. Ends with the process.
fn old_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let streams: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let streams = Arc::clone(&streams);
            thread::spawn(move || two_ways(stream, &streams));
        }
    });
    port
}

fn two_ways(stream: TcpStream, streams: &Mutex<Vec<TcpStream>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut stream = stream;
    if first.starts_with("GET ") {
        let mut all = streams.lock().ok()?;
        all.push(stream.try_clone().ok()?);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        return write!(stream, "{head}event: endpoint\ndata: /messages?n={}\n\n", all.len()).ok();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let number: usize = first.split("n=").nth(1)?.split_whitespace().next()?.parse().ok()?;
    let request: Value = serde_json::from_slice(&body).ok()?;
    let result = match request["method"].as_str()? {
        "initialize" => Some(
            json!({"protocolVersion": "2024-11-05", "capabilities": {"tools": {}}, "serverInfo": {"name": "old", "version": "1"}}),
        ),
        "tools/list" => Some(json!({"tools": [{"name": "greet", "inputSchema": {"type": "object"}}]})),
        "tools/call" => Some(json!({"content": [{"type": "text", "text": "hello"}]})),
        _ => None,
    };
    write!(stream, "HTTP/1.1 202 Accepted\r\ncontent-length: 8\r\nconnection: close\r\n\r\nAccepted").ok()?;
    let message = json!({"jsonrpc": "2.0", "id": request["id"], "result": result?});
    let mut all = streams.lock().ok()?;
    write!(all.get_mut(number - 1)?, "event: message\ndata: {message}\n\n").ok()
}

#[test]
fn an_identity_that_changes_inside_a_session_is_played() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "suites/taped.yaml",
        "version: 1
name: taped
target:
  command: [rehearsal, demo-server, --transport, http]
  transport: http
  env: {BOOKSHOP_ISSUER: \"${issuer.url}\", BOOKSHOP_AUDIENCE: \"${target.url}\"}
auth: {issuer: embedded}
personas: [customer, clerk]
access:
  customer:
    sees: [get_order]
    never: {refund_order: {id: 1043}}
    becomes:
      clerk: {sees: [refund_order], calls: {refund_order: {id: 1043}}}
",
    );
    let (first, again) = both(dir.path(), &["access", "taped"]);
    assert_eq!((first.code, again.code), (Some(0), Some(0)), "{}{}", first.talk, again.talk);
    assert_eq!(first.summary["totals"], again.summary["totals"]);
    assert_eq!(calls(&dir.path().join("first")), calls(&dir.path().join("second")));
    // A tape in which the promoted customer was refused says so when it is played.
    let tape = fs::read_to_string(dir.path().join("tape.ndjson")).unwrap();
    assert!(tape.contains("refund_order"), "{tape}");
}

/// What was called and what came of it.
fn calls(out: &Path) -> Vec<String> {
    let file = fs::read_dir(out.join("runs/taped")).unwrap().map(|entry| entry.unwrap().path());
    let file = file.filter(|path| path.extension().is_some_and(|end| end == "sqlite")).max().unwrap();
    let record = Reader::open(&file).unwrap().record().unwrap();
    let mut found: Vec<String> = record
        .results
        .iter()
        .flat_map(|result| {
            let findings = &result.verdict.as_ref().unwrap().findings;
            findings.iter().map(|one| format!("{} {} {:?}", result.header.case, one.why, one.grade))
        })
        .collect();
    found.sort();
    assert!(found.len() > 3, "{found:?}");
    found
}
