//! The viewer of run files: who may come in, what is shown, and a run that goes on meanwhile. Real sockets, the real
//! program.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly, look at files and measure time"
)]

#[path = "support/nights.rs"]
mod nights;
#[path = "support/runs.rs"]
mod runs;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nights::{lane, rehearsal, run, stderr, stdout};
use rehearsal::ids::CaseKey;
use rehearsal::report::archive::Kept;
use rehearsal::report::html::served::{Laid, Served};
use rehearsal::transcript::Clock;
use rehearsal::view;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const TICK: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not happen in a minute");
        sleep(TICK);
    }
}

/// What a viewer answers.
struct Answer {
    status: u16,
    /// In lower case.
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The program as a viewer.
struct Viewer {
    child: Child,
    /// `127.0.0.1:PORT`.
    host: String,
    token: String,
    /// The path that all pages are below.
    mount: String,
    cookie: String,
    /// Where the first page leads.
    first: String,
}

impl Viewer {
    fn start(project: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .arg("view")
            .args(args)
            .current_dir(project)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        let (host, rest) = url.trim().strip_prefix("http://").unwrap().split_once('/').unwrap();
        let token = rest.split(['=', '&']).nth(1).unwrap().to_owned();
        let mut viewer = Self {
            child,
            host: host.to_owned(),
            token,
            mount: String::new(),
            cookie: String::new(),
            first: String::new(),
        };
        let entered = viewer.raw("GET", &format!("/{rest}"), &[]);
        assert_eq!(entered.status, 200, "{}", entered.text());
        let page = entered.text();
        viewer.first = page.split_once("url=").unwrap().1.split('"').next().unwrap().to_owned();
        viewer.mount = viewer.first.split('/').nth(1).unwrap().to_owned();
        viewer.cookie = viewer.given_cookie(&format!("/{rest}"));
        viewer
    }

    fn given_cookie(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.host).unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        let line = all.lines().find(|line| line.starts_with("set-cookie: ")).unwrap();
        assert!(line.contains("; HttpOnly; SameSite=Strict"), "{line}");
        assert!(line.contains(&format!("; Path=/{}/;", self.mount)), "bound to the path: {line}");
        line["set-cookie: ".len()..].split(';').next().unwrap().to_owned()
    }

    /// A request with these headers and, unless one is among them, the right host.
    fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            text.push_str(&format!("host: {}\r\n", self.host));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{text}\r\n").as_bytes()).unwrap();
        let mut all = vec![];
        stream.read_to_end(&mut all).unwrap();
        let at = all.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&all[..at]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: all[at + 4..].to_vec() }
    }

    /// A page below the mount, with the cookie.
    fn get(&self, path: &str) -> Answer {
        self.raw("GET", &format!("/{}/{path}", self.mount), &[("cookie", &self.cookie)])
    }

    /// The list of runs when everything in it has been read.
    fn list(&self) -> Vec<Value> {
        let mut list = Value::Null;
        until("the whole list", || {
            list = self.get("api/runs").json();
            list["pending"] == 0
        });
        list["runs"].as_array().unwrap().clone()
    }

    /// Ends it; its exit code.
    fn stop(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let mut code = None;
        until("the end of the viewer", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.unwrap().code()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two nights: one case breaks, one mends, one comes, one goes.
fn two_nights(project: &Path) {
    let steady = |count: u32| (0..count).map(|at| lane(&format!("steady-{at}"), [5, 5]));
    let mut before: Vec<nights::Lane> = steady(6).collect();
    before.extend([lane("breaks", [15, 15]), lane("mends", [0, 5]), lane("removed", [5, 5])]);
    run(1, &before).write(project);
    let mut now: Vec<nights::Lane> = steady(6).collect();
    now.extend([lane("breaks", [1, 5]), lane("mends", [5, 5]), lane("added", [5, 5])]);
    run(2, &now).write(project);
}

#[test]
fn only_who_was_given_the_address_comes_in() {
    let project = tempfile::tempdir().unwrap();
    run(1, &[lane("a", [1, 1])]).write(project.path());
    let viewer = Viewer::start(project.path(), &[]);
    let Viewer { host, token, mount, cookie, .. } = &viewer;
    assert_eq!(token.len(), 43, "256 bits");
    let port = host.split_once(':').unwrap().1;
    let list = format!("/{mount}/api/runs");
    let status = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let answer = viewer.raw(method, path, headers);
        for wanted in [
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "frame-ancestors 'none'",
        ] {
            assert!(answer.head.contains(wanted), "{method} {path}: {}", answer.head);
        }
        assert!(!answer.head.contains("access-control-"), "{}", answer.head);
        answer.status
    };
    let good = ("cookie", cookie.as_str());
    assert_eq!(status("GET", &list, &[good]), 200);
    assert_eq!(status("HEAD", &list, &[good]), 200);
    assert_eq!(status("GET", &list, &[("authorization", &format!("Bearer {token}"))]), 200);
    // Without the secret, and with half of it.
    for path in ["/", "/?token=", "/?token=wrong", &list, &format!("/{mount}/"), "/elsewhere"] {
        assert_eq!(status("GET", path, &[]), 401, "{path}");
    }
    assert_eq!(status("GET", &list, &[("cookie", "rehearsal=wrong")]), 401);
    assert_eq!(status("GET", &list, &[("cookie", &format!("rehearsal={token}"))]), 401);
    assert_eq!(status("GET", "/elsewhere", &[good]), 404);
    // Names of this machine, and no others.
    for name in [format!("localhost:{port}"), format!("[::1]:{port}")] {
        assert_eq!(status("GET", &list, &[good, ("host", &name)]), 200, "{name}");
    }
    for name in ["evil.example", "127.0.0.1", "127.0.0.1:1", &format!("evil.example:{port}"), ""] {
        assert_eq!(status("GET", &list, &[good, ("host", name)]), 421, "{name}");
    }
    assert_eq!(status("GET", &list, &[good, ("host", host), ("host", "evil.example")]), 421);
    assert_eq!(status("GET", &format!("http://evil.example{list}"), &[good]), 421);
    // Pages of this origin, and no others.
    assert_eq!(status("GET", &list, &[good, ("origin", &format!("http://{host}"))]), 200);
    for origin in ["http://evil.example", "null", &format!("https://{host}"), "http://127.0.0.1:1"] {
        assert_eq!(status("GET", &list, &[good, ("origin", origin)]), 403, "{origin}");
    }
    for (site, code) in [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)] {
        assert_eq!(status("GET", &list, &[good, ("sec-fetch-site", site)]), code, "{site}");
    }
    let visit =
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    let link = format!("/?token={token}");
    assert_eq!(status("GET", &link, &visit), 200, "a link to the address may stand anywhere");
    assert_eq!(status("GET", &link, &visit[..2]), 403, "but not in a frame or a picture");
    assert_eq!(
        status("GET", &list, &[&visit[..], &[good]].concat()),
        403,
        "and it leads to the first page only"
    );
    // It reads.
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        assert_eq!(status(method, &list, &[good]), 405, "{method}");
    }
    assert_eq!(status("GET", &format!("{list}?x={}", "y".repeat(3000)), &[good]), 414);
}

#[test]
fn nothing_that_is_asked_for_becomes_a_path() {
    let project = tempfile::tempdir().unwrap();
    run(1, &[lane("a", [1, 1])]).write(project.path());
    fs::write(project.path().join("secret.sqlite"), "a secret").unwrap();
    let viewer = Viewer::start(project.path(), &[]);
    let id = viewer.list()[0]["id"].as_str().unwrap().to_owned();
    for path in [
        "runs/..%2f..%2fsecret.sqlite",
        "runs/../../secret.sqlite",
        "runs/%2e%2e/%2e%2e/secret.sqlite",
        "runs/night-01",
        "runs/reports%2fruns%2fbookshop%2fnight-01.sqlite",
        "api/runs/%00",
        "api/runs/..%2f..%2fsecret/index",
        &format!("api/runs/{id}/trials/..%2f..%2fsecret"),
        &format!("api/runs/{id}/trials/{}", "0".repeat(200)),
        &format!("api/runs/{}/index", id.to_uppercase()),
        "secret.sqlite",
        "api/compare?a=..%2f..%2fsecret&b=x",
    ] {
        let answer = viewer.get(path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(!answer.text().contains("a secret"), "{path}");
    }
    assert_eq!(viewer.get(&format!("runs/{id}")).status, 200);
    assert_eq!(viewer.get("api/compare").status, 400, "two are needed");
}

#[test]
fn the_list_has_the_numbers_of_the_reports() {
    let project = tempfile::tempdir().unwrap();
    two_nights(project.path());
    let viewer = Viewer::start(project.path(), &[]);
    let rows = viewer.list();
    let started: Vec<&str> = rows.iter().map(|row| row["started"].as_str().unwrap()).collect();
    assert_eq!(started, ["2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"], "the newest first");
    for row in &rows {
        let run = row["run"].as_str().unwrap();
        let report = rehearsal(project.path(), &["report", run, "--format", "json"]);
        let summary: Value = serde_json::from_str(&stdout(&report)).unwrap();
        assert_eq!(row["rates"].as_array().unwrap().len(), 1);
        for (ours, theirs) in [("rate", "pass_rate"), ("low", "low"), ("high", "high"), ("cases", "cases")] {
            assert_eq!(row["rates"][0][ours], summary["rates"][0][theirs], "{run} {ours}");
        }
        let totals = &summary["totals"];
        assert_eq!(row["counts"]["passed"], totals["passed"]);
        assert_eq!(row["counts"]["failed"], totals["failed"]);
        let cost = summary["usage"]["cost"].as_f64().unwrap();
        assert_eq!(row["cost"], format!("${cost:.2}"), "{run}");
        assert_eq!(row["state"], "killed", "nobody noted its end");
    }
    let again = viewer.raw("GET", &format!("/{}/api/runs", viewer.mount), &[("cookie", &viewer.cookie)]);
    let tag = again.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let headers = [("cookie", viewer.cookie.as_str()), ("if-none-match", tag.as_str())];
    assert_eq!(viewer.raw("GET", &format!("/{}/api/runs", viewer.mount), &headers).status, 304);
}

#[test]
fn sockets_that_only_stay_open_keep_nobody_out() {
    let project = tempfile::tempdir().unwrap();
    run(1, &[lane("a", [1, 1])]).write(project.path());
    let viewer = Viewer::start(project.path(), &[]);
    let idle: Vec<TcpStream> = (0..200)
        .map(|at| {
            let mut stream = TcpStream::connect(&viewer.host).unwrap();
            if at % 2 == 0 {
                write!(stream, "GET / HTTP/1.1\r\nhost: {}", viewer.host).unwrap();
            }
            stream
        })
        .collect();
    assert_eq!(viewer.list().len(), 1);
    drop(idle);
    assert_eq!(viewer.stop(Signal::INT), Some(0));
}

/// Counts how often a page is made, which takes a while.
struct Slow(AtomicUsize);

impl view::Source for Slow {
    fn lay(&self, _: &Path, _: &Served) -> Result<Laid, view::Refused> {
        self.0.fetch_add(1, Ordering::SeqCst);
        sleep(TICK * 3);
        Ok(Laid { page: b"laid".to_vec(), ..Laid::default() })
    }

    fn trial(&self, _: &Path, _: CaseKey) -> Option<Kept> {
        None
    }
}

/// What is answered to a bearer of the token.
fn asked(host: &str, token: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!("host: {host}\r\nauthorization: Bearer {token}\r\nconnection: close");
    write!(stream, "GET {path} HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    all
}

#[test]
fn a_page_that_several_ask_for_is_made_once() {
    let project = tempfile::tempdir().unwrap();
    let file = run(1, &[lane("a", [1, 1])]).write(project.path());
    let source = Arc::new(Slow(AtomicUsize::new(0)));
    let options = view::Options {
        folder: project.path().join("reports"),
        first: Some(file),
        port: 0,
        limits: view::Limits::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let starting = view::Viewer::start(options, Arc::clone(&source) as _, Clock::system());
    let viewer = runtime.block_on(starting).unwrap();
    let url = viewer.url();
    let (host, rest) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let (host, token) = (host.to_owned(), rest.split(['=', '&']).nth(1).unwrap().to_owned());
    let entered = asked(&host, &token, &format!("/{rest}"));
    let page = entered.split_once("url=").unwrap().1.split('"').next().unwrap().to_owned();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| asked(&host, &token, &page))).collect();
        for answer in all {
            assert!(answer.join().unwrap().ends_with("laid"));
        }
    });
    assert_eq!(source.0.load(Ordering::SeqCst), 1);
    runtime.block_on(viewer.close());
}

/// The JSON of an index as it is sent.
fn inflated(bytes: &[u8]) -> Value {
    let mut json = vec![];
    flate2::read::DeflateDecoder::new(bytes).read_to_end(&mut json).unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn a_run_is_a_page_whose_transcripts_are_fetched() {
    let project = tempfile::tempdir().unwrap();
    two_nights(project.path());
    let viewer = Viewer::start(project.path(), &["night-02"]);
    let id = viewer.list()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(viewer.first, format!("/{}/runs/{id}", viewer.mount), "the run that was named comes first");
    let page = viewer.get(&format!("runs/{id}"));
    let text = page.text();
    assert_eq!(page.status, 200);
    assert!(text.contains("id=\"verdict\"") && text.contains("All runs") && text.contains("id=\"index\""));
    assert!(!text.contains("id=\"b0\""), "no transcript is in the page");
    assert!(
        page.head.contains("connect-src 'self'") && !page.head.contains("unsafe-inline"),
        "{}",
        page.head
    );

    let sent = viewer.get(&format!("api/runs/{id}/index"));
    // Whoever has these cases already is told so, by the tag that the numbers have as well.
    let tag = format!("\"{}\"", viewer.get(&format!("api/runs/{id}")).json()["tag"].as_str().unwrap());
    assert!(sent.head.contains(&format!("etag: {tag}")), "{}", sent.head);
    let again = |tag: &str| {
        let headers = [("cookie", viewer.cookie.as_str()), ("if-none-match", tag)];
        viewer.raw("GET", &format!("/{}/api/runs/{id}/index", viewer.mount), &headers)
    };
    assert_eq!((again(&tag).status, again(&tag).body.len()), (304, 0));
    assert_eq!((again("\"other\"").status, again("\"other\"").body), (200, sent.body.clone()));
    let index = inflated(&sent.body);
    assert_eq!((&index["api"], &index["running"]), (&format!("../api/runs/{id}").into(), &Value::Null));
    let breaks = index["cases"].as_array().unwrap().iter().find(|case| case["id"] == "breaks").unwrap();
    assert_eq!((&breaks["passed"], &breaks["was"]), (&1.into(), &"15/15".into()));
    let failed = breaks["trials"].as_array().unwrap().iter().find(|trial| trial["o"] == "fail").unwrap();
    let trial = viewer.get(&format!("api/runs/{id}/trials/{}", failed["at"].as_str().unwrap())).json();
    assert_eq!(trial["outcome"], "fail");
    assert!(trial["events"].to_string().contains("I cannot say."));
    assert_eq!(trial["before"]["run"], "night-01", "its like of the run before, that went another way");
    assert!(trial["before"]["events"].to_string().contains("28 November"));

    // Words are looked for where the transcripts are.
    let found = |words: &str| {
        let mut keys = vec![];
        let mut from = Some(0);
        while let Some(at) = from {
            let part = viewer.get(&format!("api/runs/{id}/search?q={words}&from={at}")).json();
            keys.extend(part["found"].as_array().unwrap().clone());
            assert_eq!(part["of"], 45);
            from = part["next"].as_u64();
        }
        keys.len()
    };
    assert_eq!([found("cannot+say"), found("cannot+november"), found("shipped")], [4, 0, 45]);
    assert_eq!(viewer.get(&format!("api/runs/{id}/case?case=breaks")).json().as_array().unwrap().len(), 5);
}

#[test]
fn two_runs_are_compared_with_the_numbers_of_compare() {
    let project = tempfile::tempdir().unwrap();
    two_nights(project.path());
    let viewer = Viewer::start(project.path(), &[]);
    let rows = viewer.list();
    let [now, before] = [&rows[0], &rows[1]].map(|row| row["id"].as_str().unwrap());
    let page = viewer.get(&format!("compare?a={before}&b={now}"));
    assert_eq!(page.status, 200);
    let found = viewer.get(&format!("api/compare?a={before}&b={now}")).json();
    let command = rehearsal(project.path(), &["compare", "night-01", "night-02", "--format", "json"]);
    let said: Value = serde_json::from_str(&stdout(&command)).unwrap();
    for part in ["question", "parts", "exact", "drift", "losses", "unshared"] {
        assert_eq!(found[part], said[part], "{part}");
    }
    let terminal = stdout(&rehearsal(project.path(), &["compare", "night-01", "night-02"]));
    let words = &found["words"]["parts"][0];
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["change", "basis", "sight"] {
        let sentence = words[part].as_str().unwrap();
        assert!(squeezed(&terminal).contains(&squeezed(sentence)), "{sentence}\n{terminal}");
    }
    let cells: Vec<String> = found["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| format!("{} {}", cell["what"].as_str().unwrap(), cell["id"].as_str().unwrap()))
        .collect();
    assert_eq!(cells, ["lost breaks", "gained mends", "gone removed", "new added"]);
    assert_eq!(found["same"], 6);
}

#[test]
fn broken_newer_and_vanished_files_are_rows_with_an_error() {
    let project = tempfile::tempdir().unwrap();
    let file = run(1, &[lane("a", [1, 1])]).write(project.path());
    let beside = |name: &str| file.with_file_name(name);
    fs::write(beside("broken.sqlite"), "no SQLite at all, and long enough to be looked at ".repeat(40))
        .unwrap();
    fs::write(beside("empty.sqlite"), "").unwrap();
    // Bytes 60 to 63 of an SQLite file are its user version: the format of the run.
    let mut newer = fs::read(&file).unwrap();
    newer[60..64].copy_from_slice(&9999_u32.to_be_bytes());
    fs::write(beside("newer.sqlite"), newer).unwrap();
    let viewer = Viewer::start(project.path(), &[]);
    let rows = viewer.list();
    assert_eq!(rows.len(), 4);
    let row = |run: &str| rows.iter().find(|row| row["run"] == run).unwrap();
    for (name, code) in
        [("broken", "store.not-a-run"), ("empty", "store.not-a-run"), ("newer", "store.newer")]
    {
        let row = row(name);
        assert_eq!(row["state"], "unreadable");
        assert!(row["error"].as_str().unwrap().starts_with(code), "{row}");
        let page = viewer.get(&format!("runs/{}", row["id"].as_str().unwrap()));
        assert_eq!(page.status, 500);
        assert!(
            page.text().contains("This run cannot be shown") && page.text().contains(code),
            "{}",
            page.text()
        );
    }
    let id = row("night-01")["id"].as_str().unwrap();
    assert_eq!(viewer.get(&format!("runs/{id}")).status, 200);
    fs::remove_file(&file).unwrap();
    assert_eq!(viewer.get(&format!("runs/{id}")).status, 404);
    assert_eq!(viewer.get(&format!("api/runs/{id}")).status, 404);
    assert_eq!(viewer.list().len(), 3);
}

/// A provider that answers so many requests, and lets the others wait until it may answer more.
fn provider() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let allowed = Arc::new(AtomicUsize::new(0));
    let gate = Arc::clone(&allowed);
    std::thread::spawn(move || {
        let answered = Arc::new(AtomicUsize::new(0));
        for stream in listener.incoming().flatten() {
            let (gate, answered) = (Arc::clone(&gate), Arc::clone(&answered));
            std::thread::spawn(move || answer(stream, &gate, &answered));
        }
    });
    (url, allowed)
}

fn answer(mut stream: TcpStream, gate: &AtomicUsize, answered: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    if reader.read_exact(&mut vec![0; length]).is_err() || length == 0 {
        return;
    }
    let deadline = Instant::now() + LONG;
    let turn = answered.fetch_add(1, Ordering::SeqCst);
    while turn >= gate.load(Ordering::SeqCst) && Instant::now() < deadline {
        sleep(TICK);
    }
    let body = r#"{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"All is fine."},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":4,"total_tokens":9}}"#;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let _ = stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
}

/// A project whose suite asks this provider eight things, and the program at work on it.
fn going(project: &Path, url: &str) -> Child {
    let cases: String = (0..8)
        .map(|at| format!("  - {{id: c{at}, prompt: Is {at} fine?, expect: [{{answer_contains: fine}}]}}\n"))
        .collect();
    let suite = format!(
        "version: 1\nname: going\ntarget: {{command: [rehearsal, demo-server], transport: stdio}}\n\
         auth: {{issuer: none}}\npersonas: [anonymous]\nmodels: [gated]\ncases:\n{cases}"
    );
    let model = format!("dialect: openai\nid: m\nbase_url: {url}\nretries: 0\n");
    for (path, text) in [("evals/models/gated.yaml", model), ("suites/going.yaml", suite)] {
        let path = project.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let file = |name| fs::File::create(project.join(name)).unwrap();
    Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["eval", "going", "-j", "2"])
        .current_dir(project)
        .stdin(Stdio::null())
        .stdout(file("out"))
        .stderr(file("err"))
        .spawn()
        .unwrap()
}

fn said(project: &Path) -> String {
    ["out", "err"].map(|name| fs::read_to_string(project.join(name)).unwrap_or_default()).concat()
}

/// The numbers of the one run, once there is one.
fn first_run(viewer: &Viewer, project: &Path) -> String {
    let mut id = String::new();
    until("a run in the list", || {
        assert!(!said(project).contains("error["), "no run begins: {}", said(project));
        let list = viewer.get("api/runs").json();
        let found = list["runs"].as_array().unwrap().iter().find(|row| row["state"] == "running").cloned();
        id = found.map(|row| row["id"].as_str().unwrap().to_owned()).unwrap_or_default();
        !id.is_empty()
    });
    id
}

#[test]
fn a_run_in_progress_is_followed_to_its_end_and_left_as_one_file() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    let (url, allowed) = provider();
    let viewer = Viewer::start(project, &[]);
    assert_eq!(viewer.list().len(), 0, "nothing yet");
    let mut eval = going(project, &url);
    let id = first_run(&viewer, project);
    let now = || viewer.get(&format!("api/runs/{id}")).json();
    let passed = |now: &Value| now["counts"]["passed"].as_u64().unwrap();
    let nothing = now();
    assert_eq!((&nothing["state"], &nothing["planned"], passed(&nothing)), (&"running".into(), &8.into(), 0));
    allowed.store(3, Ordering::SeqCst);
    until("three trials", || passed(&now()) == 3);
    assert_ne!(now()["tag"], nothing["tag"]);
    let page = viewer.get(&format!("runs/{id}")).text();
    assert!(page.contains("Running") && page.contains("id=\"live\"") && !page.contains("Inconclusive"));
    let mut index = Value::Null;
    until("an index with three trials", || {
        index = inflated(&viewer.get(&format!("api/runs/{id}/index")).body);
        index["cases"]
            .as_array()
            .unwrap()
            .iter()
            .map(|case| case["trials"].as_array().unwrap().len())
            .sum::<usize>()
            == 3
    });
    assert_eq!(index["running"], true);
    let cases = index["cases"].as_array().unwrap();
    let done = cases.iter().find(|case| case["passed"] == 1).unwrap();
    let key = done["trials"][0]["at"].as_str().unwrap();
    let trial = viewer.get(&format!("api/runs/{id}/trials/{key}")).json();
    assert!(trial["events"].to_string().contains("All is fine."));

    // Eyes on it all the time until it ends.
    allowed.store(100, Ordering::SeqCst);
    let mut status = None;
    until("the end of the run", || {
        for path in [format!("api/runs/{id}"), format!("api/runs/{id}/index"), "api/runs".to_owned()] {
            assert_eq!(viewer.get(&path).status, 200);
        }
        status = eval.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(0), "{}", said(project));
    until("the end in the viewer", || now()["state"] == "ended");
    assert_eq!((passed(&now()), &now()["exit"]), (8, &0.into()));
    let page = viewer.get(&format!("runs/{id}")).text();
    assert!(page.contains("Passed") && !page.contains("id=\"live\""));
    let mut left: Vec<String> = fs::read_dir(project.join("reports/runs/going"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    left.retain(|name| name.contains('.'));
    assert_eq!(left.len(), 1, "no log and no lock is left: {left:?}");
    let sound = rehearsal(project, &["runs", "check"]);
    assert_eq!(sound.status.code(), Some(0), "{}", stdout(&sound));
}

#[test]
fn a_run_that_is_killed_is_shown_as_that() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    let (url, allowed) = provider();
    let viewer = Viewer::start(project, &[]);
    let mut eval = going(project, &url);
    let id = first_run(&viewer, project);
    allowed.store(2, Ordering::SeqCst);
    let now = || viewer.get(&format!("api/runs/{id}")).json();
    until("two trials", || now()["counts"]["passed"] == 2);
    eval.kill().unwrap();
    eval.wait().unwrap();
    until("its end in the viewer", || now()["state"] == "killed");
    assert_eq!(viewer.list()[0]["state"], "killed");
    let page = viewer.get(&format!("runs/{id}")).text();
    assert!(page.contains("Inconclusive") && page.contains("resume"), "{page}");
}

#[test]
fn hostile_names_are_inert_in_every_answer() {
    let project = tempfile::tempdir().unwrap();
    let name = "x\u{1b}]0;owned\u{7}\u{202e}</script><img src=x onerror=alert(1)>";
    let mut night = run(1, &[nights::Lane { model: name.to_owned(), ..lane(name, [1, 2]) }]);
    night.manifest.suite = name.into();
    night.manifest.target = name.to_owned();
    night.write(project.path());
    let mut night = run(2, &[nights::Lane { model: name.to_owned(), ..lane(name, [2, 2]) }]);
    night.manifest.suite = name.into();
    night.write(project.path());
    let viewer = Viewer::start(project.path(), &[]);
    let rows = viewer.list();
    let [now, before] = [&rows[0], &rows[1]].map(|row| row["id"].as_str().unwrap());
    let index = viewer.get(&format!("api/runs/{now}/index")).body;
    let key = inflated(&index)["cases"][0]["trials"][0]["at"].as_str().unwrap().to_owned();
    let answers = [
        serde_json::to_string(&rows).unwrap(),
        inflated(&index).to_string(),
        viewer.get(&format!("runs/{now}")).text(),
        viewer.get(&format!("api/runs/{now}/trials/{key}")).text(),
        viewer.get(&format!("api/compare?a={before}&b={now}")).text(),
    ];
    for answer in &answers {
        assert!(!answer.contains(['\u{1b}', '\u{7}', '\u{202e}']) && !answer.contains("\\u001b"), "{answer}");
    }
    assert!(!answers[2].contains("<img") && answers[2].contains("&lt;img"), "escaped where it is markup");
    assert!(answers[0].contains("<img"), "and text where it is data");
}

#[test]
fn a_look_at_the_end_of_a_run_leaves_one_file() {
    let project = tempfile::tempdir().unwrap();
    let path = project.path().join("r.sqlite");
    let store = rehearsal::store::Store::create(&path, &runs::manifest("r"), &runs::planned(2)).unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(reader.planned().unwrap().len(), 2);
    let looking = std::thread::spawn(move || {
        sleep(Duration::from_millis(80));
        drop(reader);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(store.close()).unwrap();
    looking.join().unwrap();
    let left: Vec<_> =
        fs::read_dir(project.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["r.sqlite"]);
}

/// Seconds that something takes, and what it gave.
fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun = Instant::now();
    let done = work();
    (begun.elapsed().as_secs_f64(), done)
}

#[test]
#[ignore = "a measurement: cargo test --release --test view -- --ignored --nocapture"]
fn a_hundred_thousand_trials_are_a_page_like_any_other() {
    let trials: u32 = std::env::var("REHEARSAL_TRIALS").map_or(100_000, |text| text.parse().unwrap());
    let project = tempfile::tempdir().unwrap();
    let lanes = |failing: u32| -> Vec<nights::Lane> {
        let cases = 0..trials / 5;
        cases.map(|at| lane(&format!("case-{at:05}"), [5 - u32::from(at % 17 == failing), 5])).collect()
    };
    let files = [run(1, &lanes(0)).write(project.path()), run(2, &lanes(1)).write(project.path())];
    let size = fs::metadata(&files[1]).unwrap().len();
    let viewer = Viewer::start(project.path(), &[]);
    let (list, rows) = timed(|| viewer.list());
    let (again, _) = timed(|| viewer.list());
    let [now, before] = [&rows[0], &rows[1]].map(|row| row["id"].as_str().unwrap());
    let (first, page) = timed(|| viewer.get(&format!("runs/{now}")));
    let (second, _) = timed(|| viewer.get(&format!("runs/{now}")));
    let index = viewer.get(&format!("api/runs/{now}/index")).body;
    let key = inflated(&index)["cases"][1]["trials"][4]["at"].as_str().unwrap().to_owned();
    let (trial, one) = timed(|| viewer.get(&format!("api/runs/{now}/trials/{key}")));
    let (numbers, _) = timed(|| viewer.get(&format!("api/runs/{now}")));
    let (compared, found) = timed(|| viewer.get(&format!("api/compare?a={before}&b={now}")));
    let (part, _) = timed(|| viewer.get(&format!("api/runs/{now}/search?q=november")));
    assert!([page.status, one.status, found.status].iter().all(|status| *status == 200));
    let status = fs::read_to_string(format!("/proc/{}/status", viewer.child.id())).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!(
        "{trials} trials, {size} bytes: list {list:.2} s, again {again:.3} s; page {} bytes in {first:.2} s, again {second:.3} s; \
         trial {trial:.3} s; numbers {numbers:.3} s; comparison {} bytes in {compared:.2} s; search request {part:.2} s; {peak}",
        page.body.len(),
        found.body.len()
    );
}

#[test]
fn it_ends_well_and_refuses_with_words() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    let file = run(1, &[lane("a", [1, 1])]).write(project);
    for signal in [Signal::INT, Signal::TERM] {
        assert_eq!(Viewer::start(project, &[]).stop(signal), Some(0));
    }
    // A folder of run files that is no folder of reports, and a file that lies elsewhere.
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy.sqlite");
    fs::copy(&file, &copy).unwrap();
    let viewer = Viewer::start(project, &[elsewhere.path().to_str().unwrap()]);
    assert_eq!(viewer.list().len(), 1);
    let viewer = Viewer::start(project, &[copy.to_str().unwrap()]);
    assert_eq!(viewer.list().len(), 2, "those of the project, and the one that was named");
    assert_eq!(viewer.get(viewer.first.splitn(3, '/').nth(2).unwrap()).status, 200);

    let port = viewer.host.split_once(':').unwrap().1;
    let refused = |args: &[&str], code: &str| {
        let output = rehearsal(project, &[&["view"], args].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(code), "{}", stderr(&output));
    };
    refused(&["--port", port], "view.port-taken");
    refused(&["no-such-run"], "run.not-found");
}
