//! Agents that are programs, as the binary runs them: what they do with a server is judged as what any model does, and what
//! becomes of the programs themselves is not.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::exit,
    reason = "a test may stop, touch its own files, and be an agent that fails"
)]

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

#[path = "agents/double.rs"]
mod double;

/// Not a test but the agent: see [`double`].
#[test]
fn agent_double() {
    double::perform();
}

/// The definition of the double.
fn model(more: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let words = format!(
        "[{:?}, --exact, agent_double, --nocapture, --test-threads, \"1\"]",
        program.to_str().unwrap()
    );
    format!(
        "name: double
dialect: command
command: {words}
key: DOUBLE_KEY
agent:
  stdin: \"{{prompt}}\"
  set: {{{role}: \"{{mcp_config}}\"}}
  output:
    form: json_lines
    answer: \"$[?@.type=='result'].text\"
    failed: \"$[?@.type=='failed'].why\"
    out_of_turns: \"$[?@.type=='out_of_turns']\"
    cost: $[*].cost
    input: [\"$[*].usage.in\"]
    cached: [\"$[*].usage.cached\"]
    output: [\"$[*].usage.out\"]
{more}",
        role = double::ROLE,
    )
}

const HTTP: &str = "target:
  command: [rehearsal, demo-server, --transport, http]
  transport: http
  protocol: 2025-11-25
  isolation: run
  env: {BOOKSHOP_ISSUER: \"${issuer.url}\", BOOKSHOP_AUDIENCE: \"${target.url}\"}
auth: {issuer: embedded}
personas: [customer]
";

/// A server over standard streams with one tool, which asks the client something.
const ASKING: &str = r#"
while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"Asking Shop","version":"1"}}}\n' "$id" ;;
    *tools/list*) printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"ask","inputSchema":{"type":"object"}}]}}\n' "$id" ;;
    *tools/call*) call=$id; printf '{"jsonrpc":"2.0","id":"q1","method":"elicitation/create","params":{"message":"Sure?","requestedSchema":{"type":"object","properties":{}}}}\n' ;;
    *'"q1"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"asked and answered"}]}}\n' "$call" ;;
  esac
done
"#;

/// A project with the double, and one run in it.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new(target: &str, model: &str, cases: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("suites")).unwrap();
        fs::create_dir_all(dir.path().join("evals/models")).unwrap();
        fs::create_dir_all(dir.path().join("scratch")).unwrap();
        fs::write(dir.path().join("evals/models/double.yaml"), model).unwrap();
        fs::write(dir.path().join("server.sh"), ASKING).unwrap();
        let text = format!("version: 1\nname: agents\n{target}models: [double]\ncases:\n{cases}");
        fs::write(dir.path().join("suites/agents.yaml"), text).unwrap();
        Self { dir }
    }

    fn run(&self, words: &[&str]) -> (i32, String, String) {
        let done = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .args(words)
            .current_dir(self.dir.path())
            .env("NO_COLOR", "1")
            .env("NOT_NAMED", "leaked")
            .env("DOUBLE_KEY", "a-key-of-the-double-4711")
            .env("TMPDIR", self.dir.path().join("scratch"))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    }

    /// The summary of a run.
    fn eval(&self) -> (i32, Value) {
        let (code, out, err) = self.run(&["eval", "agents", "--allow-exec", "--format", "json"]);
        (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}")))
    }

    fn shown(&self, case: &str) -> String {
        self.run(&["show", "latest", case, "-v"]).1
    }
}

/// Outcome and reasons of a case's only trial.
fn trial(summary: &Value, case: &str) -> (String, String, Value) {
    let cases = summary["cases"].as_array().unwrap();
    let trial = cases.iter().find(|one| one["id"] == case).unwrap()["trials"][0].clone();
    let whys = trial["findings"].as_array().unwrap().iter().map(|finding| finding["why"].as_str().unwrap());
    (trial["outcome"].as_str().unwrap().to_owned(), whys.collect::<Vec<_>>().join("; "), trial)
}

fn case(id: &str, prompt: &str, more: &str) -> String {
    format!("  - id: {id}\n    prompt: {prompt}\n{more}")
}

#[test]
fn what_an_agent_does_is_judged_and_what_becomes_of_its_program_is_not() {
    let idle = "    expect: [{answer_contains: x}]\n";
    let slow = "    limits: {time: 3s}\n    expect: [{answer_contains: x}]\n";
    let cases = [
        case(
            "single",
            "single",
            "    setup: [{tool: {name: get_order, args: {id: 1042}}}]\n    expect:\n      - tool_called: {name: get_order, args: {id: 1042}}\n      - answer_contains: \"2026-11-28\"\n      - tokens: {max: 120}\n      - cost: {max: 0.25}\n      - result_json: {tool: get_order, path: $.status, equals: shipped}\n    verify: [{tool: {name: get_order, args: {id: 1042}}, path: $.id, equals: 1042}]\n",
        ),
        case(
            "fails",
            "single",
            "    tags: [other]\n    limits: {turns: 9}\n    expect: [{tool_not_called: get_order}]\n",
        ),
        case("steps", "steps", "    expect: [{call_order: [search_books, get_book]}, {max_calls: 2}]\n"),
        case(
            "parallel",
            "parallel",
            "    expect: [{tool_called: {name: get_order, args: {id: 1042}}}, {tool_called: {name: get_order, args: {id: 1043}}}]\n",
        ),
        case("unknown", "unknown", "    expect: [{no_tool_errors: true}]\n"),
        case("greedy", "greedy", "    limits: {tool_calls: 2}\n    expect: [{tool_called: get_order}]\n"),
        case("spends", "spends", "    limits: {tool_calls: 1}\n    expect: [{tool_called: get_order}]\n"),
        case("turns", "turns", "    expect: [{tool_called: get_order}]\n"),
        case("crash", "crash", idle),
        case("flood", "flood", idle),
        case("idle", "idle", idle),
        case("give-up", "give up", idle),
        case("hang", "hang", slow),
        case(
            "home",
            "home",
            "    expect: [{answer_matches: rehearsal-agent-\\w+/home none }, {answer_contains: key}, {not: {answer_contains: 4711}}]\n",
        ),
        case("intrude", "intrude", "    expect: [{answer_contains: 404 404 403 403 404}]\n"),
        case("evil", "\"\\e[2Jhello\"", "    expect: [{answer_contains: \"you said\"}]\n"),
    ];
    let place = Place::new(HTTP, &model(""), &cases.concat());
    let (code, summary) = place.eval();
    let told = serde_json::to_string_pretty(&summary).unwrap();
    for good in ["single", "steps", "parallel", "home", "intrude", "evil"] {
        let (outcome, why, _) = trial(&summary, good);
        assert_eq!(outcome, "pass", "{good}: {why}");
    }
    for (bad, reason) in [
        ("fails", "get_order"),
        ("unknown", "no_such_tool"),
        ("greedy", "tool calls"),
        ("turns", "turns used"),
    ] {
        let (outcome, why, _) = trial(&summary, bad);
        assert!(outcome == "fail" && why.contains(reason), "{bad}: {outcome} {why}");
    }
    for (lost, reason) in [
        ("crash", "ended with exit code 3; its last words were: "),
        ("flood", "wrote more than 16 MiB"),
        ("idle", "never spoke to the server"),
        ("give-up", "no credit left"),
        ("hang", "had not answered when the case's 3s were over"),
    ] {
        let (outcome, why, _) = trial(&summary, lost);
        assert!(outcome == "invalid" && why.contains(reason), "{lost}: {outcome} {why}");
    }
    // Who is cut off has asked a model all the same: what that took is read where it is told, and else unknown.
    for (cut, cost) in [("greedy", Value::Null), ("hang", Value::Null), ("spends", 0.125.into())] {
        assert_eq!(trial(&summary, cut).2["cost"], cost, "{cut}: {}", place.shown(cut));
    }
    let (_, why, spends) = trial(&summary, "spends");
    assert!(why.contains("tool calls") && spends["tokens"]["in"] == 40, "{why}: {spends}");
    assert!(summary["usage"]["unpriced_trials"].as_u64().unwrap() >= 2, "{}", summary["usage"]);
    let (_, _, single) = trial(&summary, "single");
    assert_eq!((&single["tokens"]["in"], &single["cost"]), (&100.into(), &0.25.into()), "{told}");
    assert_ne!(code, 0);
    assert_eq!(fs::read_dir(place.dir.path().join("scratch")).unwrap().count(), 0, "a room was left behind");
    let shown = place.shown("single");
    assert!(shown.contains("Bearer [redacted]"), "{shown}");
    let shown = place.shown("evil");
    assert!(shown.contains("hello") && !shown.contains('\x1b'), "{shown}");
    assert!(
        !told.contains("a-key-of-the-double-4711")
            && !place.shown("home").contains("a-key-of-the-double-4711")
    );
}

#[test]
fn over_standard_streams_a_server_asks_the_agent_and_gets_its_answer() {
    let target =
        "target: {command: [sh, server.sh], transport: stdio, protocol: 2025-06-18}\npersonas: [anonymous]\n";
    let cases = case(
        "elicit",
        "elicit",
        "    expect:\n      - server_asked: elicitation/create\n      - tool_called: ask\n      - answer_contains: asked and answered\n",
    );
    let place = Place::new(target, &model(""), &cases);
    let (code, summary) = place.eval();
    assert_eq!(code, 0, "{summary:#}\n{}", place.shown("elicit"));
    let shown = place.shown("elicit");
    assert!(shown.contains("session with Asking Shop"), "{shown}");
}

#[test]
fn programs_are_started_only_with_leave() {
    let place = Place::new(HTTP, &model(""), &case("a", "single", "    expect: [{answer_contains: x}]\n"));
    let (code, _, err) = place.run(&["eval", "agents"]);
    assert_eq!(code, 2);
    assert!(err.contains("run.not-allowed") && err.contains("agent `double` runs"), "{err}");
    let (code, _, err) = place.run(&["check", "agents"]);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn an_agent_that_tells_its_dollars_is_expected_to_take_them_again() {
    let place =
        Place::new(HTTP, &model(""), &case("a", "single", "    expect: [{tool_called: get_order}]\n"));
    assert_eq!(place.eval().0, 0);
    let (_, out, err) = place.run(&["plan", "agents", "--format", "json"]);
    let plan: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"));
    let expected = &plan["suites"][0]["expected"];
    assert_eq!((&expected["cost"], &expected["unpriced_trials"]), (&0.25.into(), &0.into()), "{expected}");
}

#[test]
fn an_agent_is_on_no_tape_and_does_not_run_beside_one() {
    let place =
        Place::new(HTTP, &model(""), &case("a", "single", "    expect: [{tool_called: get_order}]\n"));
    for mode in ["record", "replay", "extend", "loose"] {
        let (code, _, err) =
            place.run(&["eval", "agents", "--allow-exec", "--tape", "tapes", "--tape-mode", mode]);
        assert_eq!(code, 2, "{mode}: {err}");
        assert!(err.contains("tape.agent") && err.contains("agent `double`"), "{mode}: {err}");
    }
    assert!(!place.dir.path().join("reports").exists() && !place.dir.path().join("tapes").exists());
    // The judge's tape is another one.
    let off = ["--tape", "tapes", "--tape-mode", "off", "--judge-tape-mode", "record"];
    let (code, _, err) = place.run(&[&["eval", "agents", "--allow-exec"], &off[..]].concat());
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = place.run(&["resume", "latest", "--allow-exec", "--tape", "tapes"]);
    assert_eq!(code, 0, "nothing is left to run: {err}");
}

#[test]
fn several_prompts_need_an_agent_that_goes_on() {
    let turns = "  - id: talk\n    turns: [{user: one}, {user: two}]\n    expect: [{answer_contains: \"you said: two\"}]\n";
    let place = Place::new(HTTP, &model(""), turns);
    let (code, _, err) = place.run(&["check", "agents"]);
    assert!(code == 2 && err.contains("suite.one-prompt"), "{err}");

    let program = std::env::current_exe().unwrap();
    let then = format!("  then: [{:?}, --exact, agent_double, --nocapture]\n", program.to_str().unwrap());
    let played = format!(
        "{turns}  - id: played\n    turns:\n      - simulate:\n          goal: to be heard\n          model: scripted-user\n          script: [{{say: red}}, {{say: green, sees: \"you said: red\"}}]\n    expect: [{{answer_contains: \"you said: green\"}}]\n"
    );
    let place = Place::new(HTTP, &model(&then), &played);
    let (code, summary) = place.eval();
    assert_eq!(code, 0, "{summary:#}");
    assert!(place.shown("played").contains("user (played by a model)"));
}
