//! A throw-away project, runs of the real program in it, and what they leave.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rehearsal::store::read::Reader;
use serde_json::Value;

pub(crate) const KEY: &str = "sk-tape-0123456789abcdef";

/// A suite with two models of which one streams, two trials each, at a target.
pub(crate) fn suite(target: &str) -> String {
    format!(
        "version: 1
name: taped
target: {target}
models: [double, double-streamed]
trials: 2
judge: {{model: scripted-judge, rubric: answers-question}}
cases:
  - id: author
    prompt: Do you have any books by Le Guin?
    expect: [tool_called: search_books]
    criteria:
      - must: Answers the question.
        scripted: Answer
"
    )
}

pub(crate) fn project(suite: &str, port: u16) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let model = format!(
        "dialect: openai\nid: double-1\nbase_url: http://127.0.0.1:{port}/v1\nkey: TAPE_KEY\nretries: 0\n"
    );
    write(dir.path(), "evals/models/double.yaml", &model);
    write(dir.path(), "evals/models/double-streamed.yaml", &format!("{model}stream: true\nmax_tokens: 99\n"));
    write(dir.path(), "suites/taped.yaml", suite);
    dir
}

pub(crate) fn write(dir: &Path, path: &str, text: &str) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) summary: Value,
    pub(crate) talk: String,
}

pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_rehearsal"))
}

/// Runs a command in a project, with the key or without it.
pub(crate) fn run(mut command: Command, dir: &Path, args: &[&str], key: Option<&str>) -> Ran {
    command
        .args(args)
        .args(["--format", "json"])
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .env_remove("TAPE_KEY");
    if let Some(key) = key {
        command.env("TAPE_KEY", key);
    }
    let output = command.output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    Ran { code: output.status.code(), summary, talk }
}

/// The transcripts of the run below a folder, by trial, as text without times.
pub(crate) fn transcripts(out: &Path) -> Vec<(String, String)> {
    let folder = out.join("runs/taped");
    let file = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let file = file.filter(|path| path.extension().is_some_and(|end| end == "sqlite")).max().unwrap();
    let reader = Reader::open(&file).unwrap();
    let mut found = vec![];
    for planned in reader.planned().unwrap() {
        let transcript = reader.transcript(planned.header.key).unwrap().unwrap();
        let mut value = serde_json::to_value(&transcript).unwrap();
        timeless(&mut value);
        let header = planned.header;
        let name = format!("{}/{:?}#{}", header.case, header.model, header.trial);
        found.push((name, serde_json::to_string_pretty(&value).unwrap()));
    }
    found.sort();
    found
}

fn timeless(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match key.as_str() {
                    "at_ms" | "took_ms" | "first_token_ms" | "started" => *value = Value::Null,
                    _ => timeless(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(timeless),
        _ => {}
    }
}

/// The bookshop over HTTP, without authorization. Ends with the value.
pub(crate) struct Shop {
    child: Child,
    pub(crate) port: u16,
}

impl Shop {
    pub(crate) fn open() -> Self {
        let mut child = program()
            .args(["demo-server", "--transport", "http", "--open", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It says where it is.
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = |line: &str| {
            let rest = line.split("127.0.0.1:").nth(1)?;
            rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
        };
        let (sender, said) = std::sync::mpsc::channel();
        for lines in [Box::new(lines) as Box<dyn Iterator<Item = _> + Send>, Box::new(out)] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                lines.map_while(Result::ok).for_each(|line: String| {
                    let _ = sender.send(line);
                });
            });
        }
        let port = said.iter().find_map(|line| port(&line)).unwrap();
        Self { child, port }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
