//! The real binary as a new user meets it: wrong input of every kind gives one clear message, the right exit code, and
//! nothing half-written.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A throw-away project.
struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn file(self, path: &str, text: &str) -> Self {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn suite(self, text: &str) -> Self {
        self.file("suites/mine.yaml", text)
    }

    fn run(&self, args: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .args(args)
            .current_dir(self.dir.path())
            .env_remove("OPENAI_API_KEY")
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        Ran::of(&output)
    }

    fn runs(&self) -> Vec<PathBuf> {
        fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                if entry.path().is_dir() { walk(&entry.path(), out) } else { out.push(entry.path()) }
            }
        }
        let mut out = Vec::new();
        walk(&self.dir.path().join("reports/runs"), &mut out);
        out
    }
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is missing in:\n{}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert!(!self.stderr.contains('\u{1b}'), "{}", self.stderr);
    }
}

/// A suite with one case against some target.
fn suite(target: &str, rest: &str) -> String {
    format!(
        "version: 1\nname: mine\ntarget:\n{target}\nauth: {{issuer: none}}\npersonas: [anonymous]\nmodels: [lexical]\n\
         trials: 1\ndefaults: {{persona: anonymous}}\ncases:\n  - id: hello\n    prompt: Say hello.\n    expect:\n      - answer_contains: hello\n{rest}"
    )
}

#[test]
fn help_and_version_answer() {
    let project = Project::new();
    let help = project.run(&["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("eval") && help.stdout.contains("demo-server"));
    assert_eq!(project.run(&["--version"]).stdout.trim(), format!("rehearsal {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_suite_names_its_neighbour() {
    let project = Project::new().suite(&suite("  url: http://127.0.0.1:9/mcp", ""));
    project.run(&["eval", "minee"]).fails(2, &["minee", "did you mean", "mine"]);
    assert!(project.runs().is_empty());
}

#[test]
fn a_misspelt_key_is_shown_with_its_line() {
    let text = suite("  url: http://127.0.0.1:9/mcp", "").replace("prompt:", "promt:");
    let project = Project::new().suite(&text);
    project.run(&["eval", "mine"]).fails(2, &["promt", "suites/mine.yaml:12:", "prompt", "nothing was run"]);
    project.run(&["check", "mine"]).fails(2, &["promt"]);
    assert!(project.runs().is_empty());
}

#[test]
fn a_missing_key_is_named_before_anything_is_spent() {
    let text = suite("  url: http://127.0.0.1:9/mcp", "").replace("[lexical]", "[openai:gpt-x]");
    let project = Project::new().suite(&text);
    project.run(&["eval", "mine"]).fails(5, &["OPENAI_API_KEY"]);
    assert!(project.runs().is_empty());
}

#[test]
fn a_target_that_is_not_there_is_named() {
    let project = Project::new().suite(&suite("  url: http://127.0.0.1:9/mcp", ""));
    project.run(&["eval", "mine"]).fails(4, &["http://127.0.0.1:9/mcp", "target."]);
    assert!(project.runs().is_empty());
}

#[test]
fn a_server_that_dies_at_start_shows_its_last_words() {
    let project = Project::new()
        .suite(&suite("  command: [sh, -c, \"echo no database >&2; exit 3\"]\n  transport: stdio", ""));
    project.run(&["eval", "mine"]).fails(4, &["no database", "3"]);
    assert!(project.runs().is_empty());
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let project =
        Project::new().suite(&suite("  command: [no-such-program-anywhere]\n  transport: stdio", ""));
    project.run(&["eval", "mine"]).fails(4, &["no-such-program-anywhere"]);
}

#[test]
fn garbage_on_stdout_is_quoted() {
    let project = Project::new()
        .suite(&suite("  command: [sh, -c, \"echo this is not json; exit 0\"]\n  transport: stdio", ""));
    project.run(&["eval", "mine"]).fails(4, &["this is not json"]);
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let project = Project::new();
    project
        .run(&["demo-server", "--transport", "http", "--open", "--port", &port])
        .fails(2, &[&port, "taken"]);
}

#[test]
fn machine_modes_end_stderr_with_one_json_line() {
    let project = Project::new().suite(&suite("  url: http://127.0.0.1:9/mcp", ""));
    let ran = project.run(&["eval", "mine", "--format", "json"]);
    assert_eq!(ran.code, 4);
    assert_eq!(ran.stdout, "");
    let last = ran.stderr.lines().last().unwrap();
    let error: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(error["error"]["exit"], 4);
    assert!(error["error"]["code"].as_str().unwrap().starts_with("target."));
}

/// The JSON line that ends stderr.
#[track_caller]
fn error_line(ran: &Ran) -> serde_json::Value {
    let last = ran.stderr.lines().last().unwrap_or_default();
    let line: serde_json::Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{}", ran.stderr));
    assert_eq!(line["error"]["exit"], ran.code);
    line["error"].clone()
}

#[test]
fn the_json_line_says_where_and_what_to_do() {
    let text = suite("  url: http://127.0.0.1:9/mcp", "").replace("prompt:", "promt:");
    let ran = Project::new().suite(&text).run(&["eval", "mine", "--format", "json"]);
    let error = error_line(&ran);
    assert_eq!(error["code"], "suite.unknown-key");
    assert_eq!(error["where"], serde_json::json!({"file": "suites/mine.yaml", "line": 12, "column": 5}));
    assert!(error["hint"].as_str().unwrap().contains("prompt"), "{error}");

    let project = Project::new().suite(&suite("  url: http://127.0.0.1:9/mcp", ""));
    let error = error_line(&project.run(&["eval", "mine", "--format", "json"]));
    assert_eq!(error["where"]["file"], "suites/mine.yaml");
    assert_eq!(error["where"]["line"], 4);

    let error = error_line(&project.run(&["eval", "mine", "--format=json", "--frob"]));
    assert_eq!(error["code"], "usage.flags");
}

#[test]
fn every_mistake_of_a_suite_is_a_cause() {
    let text = suite("  url: http://127.0.0.1:9/mcp", "")
        .replace("[anonymous]", "[anonymos]")
        .replace("[lexical]", "[lexcal]");
    let error = error_line(&Project::new().suite(&text).run(&["eval", "mine", "--format", "json"]));
    assert!(!error["causes"].as_array().unwrap().is_empty(), "{error}");
}

#[test]
fn folders_empty_files_and_folders_that_are_not_there_are_named() {
    let project = Project::new().suite("# nothing yet\n");
    project.run(&["check", "suites"]).fails(2, &["folder", "suites"]);
    project.run(&["check", "mine"]).fails(2, &["empty", "version: 1"]);
    project.run(&["-C", "nowhere", "check"]).fails(2, &["no folder", "nowhere"]);
}

#[test]
fn a_stdio_server_that_is_silent_may_take_as_long_as_the_suite_says() {
    let target = "  command: [sh, -c, \"sleep 60\"]\n  transport: stdio\n  ready: {timeout: 300ms}";
    let started = std::time::Instant::now();
    Project::new()
        .suite(&suite(target, ""))
        .run(&["eval", "mine"])
        .fails(4, &["initialize", "300ms", "ready:"]);
    assert!(started.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn unknown_names_on_the_command_line_are_usage_errors() {
    let project = Project::new().suite(&suite("  url: http://127.0.0.1:9/mcp", ""));
    project.run(&["eval", "mine", "--persona", "anonymos"]).fails(2, &["anonymos", "anonymous"]);
    project.run(&["eval", "mine", "--case", "helo"]).fails(2, &["helo"]);
    project.run(&["eval", "mine", "--model", "lexcal"]).fails(2, &["lexcal", "lexical"]);
    project.run(&["eval", "mine", "--format", "jsn"]).fails(2, &["jsn", "json"]);
    project.run(&["eval", "mine", "--shard", "3/2"]).fails(2, &["3/2"]);
    project.run(&["eval", "mine", "--trials", "0"]).fails(2, &["trials"]);
    project.run(&["eval", "mine", "--max-cost", "nan"]).fails(2, &["US dollars"]);
    project.run(&["eval", "mine", "--resume", "--trials", "4"]).fails(2, &["--trials"]);
    project.run(&["eval", "mine", "--flaw", "vague-descriptions"]).fails(2, &["demo"]);
    project.run(&["show", "latest"]).fails(2, &["run"]);
    project.run(&["explain", "target.unreachabel"]).fails(2, &["target.unreachable"]);
    project.run(&["frobnicate"]).fails(2, &["frobnicate"]);
}

#[test]
fn commands_to_copy_are_those_that_work_for_this_user() {
    let project = Project::new();
    let ran = |package: Option<&str>, args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
        command.args(args).current_dir(project.dir.path()).env_remove("CARGO_PKG_NAME");
        package.map(|package| command.env("CARGO_PKG_NAME", package));
        let ran = Ran::of(&command.output().unwrap());
        ran.stdout + &ran.stderr
    };
    let path = env!("CARGO_BIN_EXE_rehearsal");
    for (package, program) in [(Some("rehearsal"), "cargo run "), (Some("another"), path), (None, path)] {
        for (args, wanted) in [
            (&["show", "latest"][..], "runs list`"),
            (&["explain", "run.budget"], "resume RUN`"),
            (&["--help"], "eval bookshop"),
            (&["eval", "--frob", "--format", "json"], "--help`"),
        ] {
            let text = ran(package, args);
            let line = text.lines().find(|line| line.contains(wanted)).unwrap_or_else(|| panic!("{text}"));
            assert!(line.contains(program) && !line.contains("`rehearsal "), "{package:?} {args:?}: {line}");
        }
    }
}

#[test]
fn every_exit_code_is_explained() {
    let project = Project::new();
    for code in
        ["0", "1", "2", "3", "4", "5", "6", "70", "74", "130", "143", "target.unreachable", "gate.leak"]
    {
        let ran = project.run(&["explain", code]);
        assert_eq!(ran.code, 0, "{code}: {}", ran.stderr);
        assert!(ran.stdout.len() > 40, "{code}: {}", ran.stdout);
    }
}

#[test]
fn the_schema_is_the_one_that_is_checked_in() {
    let printed = Project::new().run(&["schema"]).stdout;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/suite.schema.json");
    assert_eq!(printed, fs::read_to_string(path).unwrap());
}
