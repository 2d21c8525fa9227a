//! An agent that is no model: it does what its prompt says. It is this very test program, started by the harness as an
//! agent is: with the MCP configuration of the room, the prompt on standard input, and lines of JSON on standard output.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

/// The variable that makes a double of this program; it holds the path of the MCP configuration.
pub(crate) const ROLE: &str = "AGENT_DOUBLE";

static NEXT_ID: AtomicU32 = AtomicU32::new(1);

/// Does what the prompt says, if this is a double.
pub(crate) fn perform() {
    let Ok(config) = std::env::var(ROLE) else { return };
    let mut prompt = String::new();
    std::io::stdin().read_to_string(&mut prompt).unwrap();
    let config: Value = serde_json::from_str(&std::fs::read_to_string(config).unwrap()).unwrap();
    let server = config["mcpServers"].as_object().unwrap().values().next().unwrap().clone();
    let answer = act(prompt.trim(), &server);
    say(
        &json!({"type": "result", "text": answer, "usage": {"in": 100, "out": 20, "cached": 10}, "cost": 0.25}),
    );
}

/// A line of its own, whatever the test runner has written before it.
fn say(line: &Value) {
    let mut out = std::io::stdout().lock();
    write!(out, "\n{line}\n").unwrap();
    out.flush().unwrap();
}

fn order(id: u32) -> Value {
    json!({"name": "get_order", "arguments": {"id": id}})
}

fn act(prompt: &str, server: &Value) -> String {
    match prompt {
        "crash" => {
            eprintln!("the double broke");
            std::process::exit(3);
        }
        "hang" => loop {
            std::thread::sleep(Duration::from_secs(60));
        },
        "flood" => {
            let line = json!({"type": "noise", "text": "x".repeat(1 << 20)});
            (0..64).for_each(|_| say(&line));
            "never said".to_owned()
        }
        "idle" => "I know that without a server.".to_owned(),
        "give up" => {
            say(&json!({"type": "failed", "why": "no credit left"}));
            String::new()
        }
        "turns" => {
            let mut talk = Talk::open(server);
            talk.call(&order(1042));
            say(&json!({"type": "out_of_turns"}));
            String::new()
        }
        "home" => {
            Talk::open(server);
            let var = |name: &str| std::env::var(name).unwrap_or_else(|_| "none".to_owned());
            std::fs::write(format!("{}/trace", var("HOME")), "x").unwrap();
            format!(
                "{} {} {} key {}",
                var("HOME"),
                var("NOT_NAMED"),
                var("XDG_CONFIG_HOME"),
                var("DOUBLE_KEY")
            )
        }
        "intrude" => {
            Talk::open(server);
            intrude(server["url"].as_str().unwrap())
        }
        "single" => Talk::open(server).call(&order(1042)).to_string(),
        "unknown" => Talk::open(server).call(&json!({"name": "no_such_tool", "arguments": {}})).to_string(),
        "steps" => {
            let mut talk = Talk::open(server);
            talk.call(&json!({"name": "search_books", "arguments": {"query": "Le Guin"}}));
            talk.call(&json!({"name": "get_book", "arguments": {"id": "B101"}})).to_string()
        }
        "parallel" => {
            let talk = Talk::open(server);
            let Talk::Http { url, session } = &talk else { return "over http only".to_owned() };
            let calls: Vec<_> = [1042, 1043].map(|id| (url.clone(), session.clone(), id)).into();
            let threads = calls.into_iter().map(|(url, session, id)| {
                std::thread::spawn(move || Talk::Http { url, session }.call(&order(id)))
            });
            // All are under way before any is waited for.
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(|thread| thread.join().unwrap().to_string()).collect()
        }
        "greedy" => {
            let mut talk = Talk::open(server);
            loop {
                talk.call(&order(1042));
            }
        }
        "spends" => {
            let mut talk = Talk::open(server);
            loop {
                talk.call(&order(1042));
                say(&json!({"type": "turn", "usage": {"in": 40, "out": 8}, "cost": 0.125}));
                talk.call(&order(1043));
                std::thread::sleep(Duration::from_secs(60));
            }
        }
        "elicit" => {
            let mut talk = Talk::open(server);
            talk.call(&json!({"name": "ask", "arguments": {}})).to_string()
        }
        other => {
            Talk::open(server);
            format!("you said: {other}")
        }
    }
}

/// What strangers get: another path, another `Host`, an `Origin` of the web, and the metadata of authorization.
fn intrude(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    let place = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let ask = |path: &str, host: &str, origin: &str| {
        let mut stream = std::net::TcpStream::connect(&place).unwrap();
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: {host}\r\n{origin}content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer.split(' ').nth(1).unwrap_or("none").to_owned()
    };
    [
        ask("/mcp", &place, ""),
        ask("/wrong/mcp", &place, ""),
        ask(url.path(), "evil.example", ""),
        ask(url.path(), &place, "origin: https://evil.example\r\n"),
        ask("/.well-known/oauth-protected-resource", &place, ""),
    ]
    .join(" ")
}

/// An MCP client that is just enough.
enum Talk {
    Http { url: String, session: Option<String> },
    Stdio { stdin: std::process::ChildStdin, lines: std::io::Lines<BufReader<std::process::ChildStdout>> },
}

impl Talk {
    fn open(server: &Value) -> Self {
        let mut talk = match server["url"].as_str() {
            Some(url) => Self::Http { url: url.to_owned(), session: None },
            None => {
                let args = server["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap());
                let env = server["env"].as_object().unwrap().iter();
                #[allow(
                    clippy::zombie_processes,
                    reason = "it ends with its stdin, and this program right after"
                )]
                let mut child = Command::new(server["command"].as_str().unwrap())
                    .args(args)
                    .envs(env.map(|(name, value)| (name, value.as_str().unwrap())))
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap();
                let lines = BufReader::new(child.stdout.take().unwrap()).lines();
                Self::Stdio { stdin: child.stdin.take().unwrap(), lines }
            }
        };
        talk.request(
            "initialize",
            &json!({
                "protocolVersion": "2025-06-18",
                "capabilities": {"elicitation": {}},
                "clientInfo": {"name": "double", "version": "1"},
            }),
        );
        talk.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        talk.request("tools/list", &json!({}));
        talk
    }

    fn call(&mut self, params: &Value) -> Value {
        self.request("tools/call", params)
    }

    fn request(&mut self, method: &str, params: &Value) -> Value {
        // No id is used twice in a session, also by calls that are under way together.
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let answers = self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        if let Some(answer) = answers.into_iter().find(|answer| answer.get("method").is_none()) {
            return answer;
        }
        let Self::Stdio { stdin, lines } = self else { return Value::Null };
        loop {
            let Some(Ok(line)) = lines.next() else { return json!("the server is gone") };
            let message: Value = serde_json::from_str(&line).unwrap();
            match message.get("method").and_then(Value::as_str) {
                None => return message,
                Some("elicitation/create") => {
                    let result = json!({"action": "accept", "content": {"yes": true}});
                    let reply = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
                    writeln!(stdin, "{reply}").unwrap();
                }
                Some(_) => {}
            }
        }
    }

    /// Sends a message; over HTTP returns what came back.
    fn send(&mut self, message: &Value) -> Vec<Value> {
        match self {
            Self::Stdio { stdin, .. } => {
                // The server may be gone; what is read next says so.
                let _ = writeln!(stdin, "{message}");
                vec![]
            }
            Self::Http { url, session } => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let (text, given) = runtime.block_on(async {
                    let mut request = reqwest::Client::new()
                        .post(url.as_str())
                        .header("accept", "application/json, text/event-stream")
                        .header("content-type", "application/json");
                    if let Some(session) = session.as_deref() {
                        request = request.header("mcp-session-id", session);
                    }
                    let response = request.body(message.to_string()).send().await.unwrap();
                    let given =
                        response.headers().get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
                    (response.text().await.unwrap_or_default(), given)
                });
                if given.is_some() {
                    *session = given;
                }
                let lines = text.lines().map(|line| line.strip_prefix("data:").unwrap_or(line).trim());
                lines
                    .filter_map(|line| serde_json::from_str::<Value>(line).ok().filter(Value::is_object))
                    .collect()
            }
        }
    }
}
