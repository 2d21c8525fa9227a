//! Client profiles in the real program: a model sees what the client shows, the server gets its own names, and the
//! layers can be chosen one by one.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::process::{Command, Output};

use serde_json::Value;

#[path = "support/shell.rs"]
mod shell;

struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(self, path: &str, text: &str) -> Self {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .args(args)
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .output()
            .unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn json(output: &Output) -> Value {
    let text = stdout(output);
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("no JSON: {text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn the_server_gets_its_own_name_for_a_tool() {
    let project = Project::new();
    let args = [
        "eval",
        "bookshop",
        "--client",
        "gemini-cli",
        "--case",
        "late-order",
        "--model",
        "lexical",
        "-k",
        "1",
    ];
    let ran = project.run(&[&args[..], &["--format", "json"]].concat());
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let summary = json(&ran);
    assert_eq!(summary["rates"][0]["client"], "gemini-cli");
    assert_eq!(summary["clients"]["named"][0]["client"], "gemini-cli");
    let shown = stdout(&project.run(&["show", "latest", "late-order"]));
    assert!(shown.contains("asks for `mcp_bookshop_get_order`"), "{shown}");
    assert!(shown.contains("call `get_order`"), "{shown}");
}

#[test]
fn layers_are_chosen_one_by_one() {
    let project = Project::new();
    let run = |client: &str| {
        let args =
            ["eval", "bookshop", "--case", "late-order", "--model", "lexical", "-k", "1", "--client", client];
        let ran = project.run(&args);
        assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
        stdout(&project.run(&["show", "latest", "late-order", "-v"]))
    };
    let menu = run("gemini-cli:menu");
    assert!(menu.contains("mcp_bookshop_get_order") && menu.contains("\"name\":\"rehearsal\""), "{menu}");
    let wire = run("gemini-cli:surface+wire");
    assert!(!wire.contains("mcp_bookshop_get_order") && wire.contains("gemini-cli-mcp-client"), "{wire}");
    let without = run("gemini-cli:-menu.name");
    assert!(
        !without.contains("mcp_bookshop_get_order") && without.contains("gemini-cli-mcp-client"),
        "{without}"
    );
    let wrong = project.run(&["eval", "bookshop", "--client", "gemini-cli:-menu.nam"]);
    let told = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(told.contains("`menu.nam` is no value") && told.contains("NAME:-layer.value"), "{told}");
    let wrong = project.run(&["eval", "bookshop", "--client", "gemini-cli:meny"]);
    assert_eq!(wrong.status.code(), Some(2));
    let told = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(told.contains("`meny` is no layer") && told.contains("wire, menu, result"), "{told}");
}

const DEFERRED: &str = r#"
version: 1
name: deferred
target: {command: [rehearsal, demo-server]}
personas: [anonymous]
clients:
  - name: searching
    menu: {name: {template: "mcp__{server}__{tool}"}, deferral: {tool: Find, results: 2}}
  - name: strict
    menu: {schema: {add: {wait: {type: boolean}}}}
    result: {limits: [{over: 20, then: head}], structured: ignored}
    conduct: {calls_per_prompt: 1, parallel: never}
models: [scripted]
cases:
  - id: found
    prompt: Is there anything by Le Guin?
    client: searching
    script:
      - call: {name: Find, args: {query: "select:mcp__bookshop__search_books"}}
      - call: {name: search_books, args: {query: Le Guin}}
        sees: mcp__bookshop__search_books
      - say: There is.
    expect:
      - tool_called: search_books
      - max_calls: 1
  - id: limited
    prompt: Is there anything by Le Guin?
    client: strict
    script:
      - calls:
          - {name: search_books, args: {query: Le Guin, wait: true}}
          - {name: search_books, args: {query: Dune}}
      - say: "{{result}}"
    expect:
      - answer_contains: at most 1 tool calls
"#;

#[test]
fn tools_are_found_by_searching_and_limits_are_kept() {
    let project = Project::new().file("suites/deferred.yaml", DEFERRED);
    let ran = project.run(&["eval", "deferred", "--format", "json"]);
    let summary = json(&ran);
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(summary["verdict"], "pass", "{told}");
    let found = stdout(&project.run(&["show", "latest", "found"]));
    assert!(found.contains("`Find` answered by the emulated client"), "{found}");
    let limited = stdout(&project.run(&["show", "latest", "limited"]));
    assert!(limited.contains("bytes cut by the client profile"), "{limited}");
    assert!(!limited.contains("\"wait\""), "what the client added does not reach the server: {limited}");
}

#[test]
fn a_server_is_held_against_clients_without_a_suite() {
    let project = Project::new();
    let program = env!("CARGO_BIN_EXE_rehearsal");
    let look = |more: &[&str]| {
        let clients = ["tools", "--clients", "codex-cli,reference"];
        project.run(&[&clients[..], more, &["--", program, "demo-server"]].concat())
    };
    let plain = look(&[]);
    assert_eq!(plain.status.code(), Some(0), "{}", String::from_utf8_lossy(&plain.stderr));
    let text = stdout(&plain).replace(program, "rehearsal");
    insta::assert_snapshot!("clients_tools", text);
    let machine = json(&look(&["--format", "json"]));
    assert_eq!(machine["clients"][0]["client"], "codex-cli");
    assert_eq!(machine["clients"][0]["misfits"][0]["kind"], "schema_lost");
    assert_eq!(look(&["--fail-on", "note"]).status.code(), Some(1));
    assert_eq!(look(&["--fail-on", "warning"]).status.code(), Some(0));
}

#[test]
fn mistakes_are_explained() {
    let project = Project::new();
    let fails = |args: &[&str], word: &str| {
        let ran = project.run(args);
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(2), "{told}");
        assert!(told.contains(word), "{told}");
    };
    fails(&["clients", "claude-cod"], "did you mean `claude-code`");
    fails(&["tools"], "one target is needed");
    fails(&["tools", "bookshop", "--clients", "nobody"], "no client profile `nobody`");
    fails(&["tools", "http://"], "is not a URL");
    let all = json(&project.run(&["clients", "--format", "json"]));
    assert_eq!(all["clients"].as_array().unwrap().len(), 23);
    let one = json(&project.run(&["clients", "codex-cli:menu", "--format", "json"]));
    assert_eq!(one["name"], "codex-cli:menu");
}

/// A server that lists its tools on two pages.
const PAGED: &str = r#"
    *'"initialize"'*) answer '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"paged","version":"1"}}' ;;
    *'"cursor"'*) answer '{"tools":[{"name":"second","inputSchema":{"type":"object"}}]}' ;;
    *'"tools/list"'*) answer '{"tools":[{"name":"first","inputSchema":{"type":"object"}}],"nextCursor":"2"}' ;;
    *'"tools/call"'*) answer '{"content":[{"type":"text","text":"done"}]}' ;;
"#;

#[test]
fn a_client_that_reads_one_page_does_not_offer_the_second() {
    let suite = r#"
version: 1
name: paged
target: {command: [sh, server.sh], protocol: "2025-11-25"}
personas: [anonymous]
clients: [{name: patient, menu: {pages: all}}, {name: hasty, menu: {pages: first}}]
models: [scripted]
cases:
  - {id: whole, prompt: Do it., client: patient, script: [{call: {name: second}}, {say: "{{result}}"}], expect: [{answer_contains: done}]}
  - {id: half, prompt: Do it., client: hasty, script: [{call: {name: first}}, {say: "{{result}}"}], expect: [{answer_contains: done}]}
  - {id: gone, prompt: Do it., client: hasty, script: [{call: {name: second}}, {say: "{{result}}"}], expect: [{answer_contains: done}]}
"#;
    let project = Project::new().file("suites/paged.yaml", suite).file("server.sh", &shell::serving(PAGED));
    let summary = json(&project.run(&["eval", "paged", "--format", "json"]));
    let cases = summary["cases"].as_array().unwrap();
    let is =
        |id: &str| cases.iter().find(|case| case["id"] == id).unwrap()["state"].as_str().unwrap().to_owned();
    assert_eq!(
        (is("whole"), is("half"), is("gone")),
        ("pass".into(), "pass".into(), "invalid".into()),
        "{summary}"
    );
    let named = &summary["clients"]["named"];
    let about = |client: &str| named.as_array().unwrap().iter().find(|one| one["client"] == client).unwrap();
    assert_eq!(about("hasty")["misfits"][0]["kind"], "beyond_first_page", "{named}");
    assert!(!about("patient").to_string().contains("beyond_first_page"), "{named}");
    assert!(summary["clients"]["others"].to_string().contains("gemini-cli"), "{summary}");
}

#[test]
fn what_a_hasty_client_never_asks_for_is_still_reported_and_checked() {
    let suite = r#"
version: 1
name: hasty
target: {command: [sh, server.sh], protocol: "2025-11-25"}
personas: [anonymous]
clients: [{name: hasty, menu: {pages: first}}]
models: [scripted]
cases:
  - {id: half, prompt: Do it., script: [{call: {name: first}}, {say: "{{result}}"}], expect: [{answer_contains: done}]}
access:
  anonymous: {sees: [first, second]}
"#;
    let project = Project::new().file("suites/hasty.yaml", suite).file("server.sh", &shell::serving(PAGED));
    let ran = project.run(&["eval", "hasty", "--format", "json"]);
    let summary = json(&ran);
    assert_eq!(summary["verdict"], "pass", "access is about the whole list: {summary}");
    let misfit = &summary["clients"]["named"][0]["misfits"][0];
    assert_eq!((misfit["kind"].as_str(), misfit["count"].as_u64()), (Some("beyond_first_page"), Some(1)));
    assert_eq!(misfit["items"][0]["tools"][0], "second");
    let shown = stdout(&project.run(&["show", "latest", "half", "-v"]));
    assert_eq!(shown.matches("\"tools/list\"").count(), 1, "the second page is not asked for: {shown}");
}

#[test]
fn the_models_of_the_program_use_the_tool_that_loads_tools() {
    let project = Project::new();
    let run = |client: &str, model: &str, case: &str| {
        let args = ["eval", "bookshop", "--case", case, "--model", model, "-k", "1", "--client", client];
        let ran = project.run(&args);
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(0), "{client} {model}: {told}{}", stdout(&ran));
        stdout(&project.run(&["show", "latest", case]))
    };
    let shown = run("claude-code:-result", "lexical", "late-order");
    assert!(shown.contains("`ToolSearch` answered by the emulated client"), "{shown}");
    assert!(shown.contains("asks for `mcp__bookshop__get_order`"), "{shown}");
    let direct = run("claude-code:-result-menu.deferral", "lexical", "late-order");
    assert!(!direct.contains("ToolSearch") && direct.contains("`mcp__bookshop__get_order`"), "{direct}");
}

#[test]
fn a_script_need_not_know_of_the_tool_that_loads_tools() {
    let suite = r#"
version: 1
name: hidden
target: {command: [rehearsal, demo-server]}
personas: [anonymous]
clients: [claude-code]
models: [scripted]
cases:
  - id: found
    prompt: Is there anything by Le Guin?
    script:
      - call: {name: search_books, args: {query: Le Guin}}
        sees: Is there
      - say: "There is: {{result}}"
        sees: Le Guin
    expect: [{tool_called: search_books}, {max_calls: 1}, {answer_contains: Le Guin}]
  - id: gone
    prompt: Is there anything by Le Guin?
    script: [{call: {name: nothing_like_it}}, {say: no}]
    expect: [{max_calls: 0}]
"#;
    let project = Project::new().file("suites/hidden.yaml", suite);
    let summary = json(&project.run(&["eval", "hidden", "--format", "json"]));
    let state = |id: &str| {
        let cases = summary["cases"].as_array().unwrap();
        cases.iter().find(|case| case["id"] == id).unwrap()["state"].clone()
    };
    assert_eq!((state("found"), state("gone")), ("pass".into(), "invalid".into()), "{summary}");
    let shown = stdout(&project.run(&["show", "latest", "found"]));
    assert!(shown.contains("`ToolSearch` answered by the emulated client"), "{shown}");
}

const PICTURES: &str = r#"
version: 1
name: pictures
target: {command: [sh, server.sh], transport: stdio, protocol: 2025-11-25}
clients: [{name: deaf, result: {audio: dropped}}]
models: [scripted]
cases:
  - id: shown
    prompt: Look.
    client: deaf
    script: [{call: {name: look}}, {say: done}]
    expect: [tool_called: look]
  - id: told
    prompt: Read.
    client: deaf
    script: [{call: {name: read}}, {say: done}]
    expect: [tool_called: read]
"#;

const GALLERY: &str = r#"
    *'"initialize"'*) answer '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"gallery","version":"1"}}' ;;
    *'"tools/list"'*) answer '{"tools":[{"name":"look","inputSchema":{"type":"object"}},{"name":"read","inputSchema":{"type":"object"}}]}' ;;
    *'"name":"look"'*) answer '{"content":[{"type":"image","mimeType":"image/png","data":"QQ=="},{"type":"audio","mimeType":"audio/wav","data":"QQ=="},{"type":"resource","resource":{"uri":"a://b","blob":"QQ=="}}]}' ;;
    *'"name":"read"'*) answer '{"content":[{"type":"text","text":"words"}]}' ;;
"#;

#[test]
fn what_of_a_result_does_not_reach_the_model_is_on_record() {
    let project =
        Project::new().file("suites/pictures.yaml", PICTURES).file("server.sh", &shell::serving(GALLERY));
    let ran = project.run(&["eval", "pictures", "--format", "json"]);
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    // The report is about models' APIs; what the client does is among its misfits.
    let losses = &json(&ran)["losses"][0];
    assert_eq!((&losses["model"], &losses["count"]), (&"scripted".into(), &1.into()), "{losses}");
    assert_eq!(losses["losses"][0]["place"], "/result/content/0");
    let shown = stdout(&project.run(&["show", "latest", "shown"]));
    for told in [
        "not all of the result reaches the model",
        "look /result/content/0: left out: the model reads text only, and no image/png",
        "look /result/content/1: left out: the client passes no audio on",
        "look /result/content/2: shown as its address alone",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    let shown = stdout(&project.run(&["show", "latest", "told"]));
    assert!(shown.contains("words") && !shown.contains("not all of the result"), "{shown}");
}
