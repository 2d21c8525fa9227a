//! What `tests/interop/run.sh` installed, and what is left of it afterwards.

use std::path::{Path, PathBuf};

use rehearsal::mcp::Program;
use rehearsal::mcp::launch::{Launch, Launched, pick_port};

/// Where the programs are.
pub(crate) struct Installed {
    node: PathBuf,
    python: PathBuf,
    models: PathBuf,
}

impl Installed {
    /// `None` when interoperability is not asked for.
    pub(crate) fn find() -> Option<Self> {
        if std::env::var_os("REHEARSAL_INTEROP").is_none() {
            eprintln!("skipped: run tests/interop/run.sh to install the servers");
            return None;
        }
        let place = |name: &str| match std::env::var_os(name) {
            Some(place) => PathBuf::from(place),
            None => panic!("REHEARSAL_INTEROP is set, but {name} is not"),
        };
        Some(Self {
            node: place("REHEARSAL_INTEROP_NODE"),
            python: place("REHEARSAL_INTEROP_PYTHON"),
            models: place("REHEARSAL_INTEROP_MODELS"),
        })
    }

    /// A program of npm.
    pub(crate) fn node(&self, program: &str, arguments: &[&str]) -> Vec<String> {
        command(&self.node, program, arguments)
    }

    /// A program among the Python servers.
    pub(crate) fn python(&self, program: &str, arguments: &[&str]) -> Vec<String> {
        command(&self.python, program, arguments)
    }

    /// A program beside LiteLLM.
    pub(crate) fn models(&self, program: &str, arguments: &[&str]) -> Vec<String> {
        command(&self.models, program, arguments)
    }

    /// Where npm put its packages.
    pub(crate) fn modules(&self) -> PathBuf {
        self.node.join("..")
    }

    /// `PATH` with the servers first.
    pub(crate) fn path(&self) -> String {
        let rest = std::env::var("PATH").unwrap_or_default();
        format!("{}:{}:{rest}", self.python.display(), self.node.display())
    }
}

fn command(place: &Path, program: &str, arguments: &[&str]) -> Vec<String> {
    let program = place.join(program).to_string_lossy().into_owned();
    std::iter::once(program).chain(arguments.iter().map(|&argument| argument.to_owned())).collect()
}

/// A program that listens on a loopback port, and the base of its API; `{port}` in its arguments is the port.
pub(crate) async fn listening(command: Vec<String>, env: &[(&str, &str)]) -> (Launched, String) {
    let port = pick_port().unwrap();
    let command = command.into_iter().map(|word| word.replace("{port}", &port.to_string())).collect();
    let url = format!("http://127.0.0.1:{port}/v1");
    (started(command, env, &url).await, url)
}

/// A program that listens where the URL says.
pub(crate) async fn started(command: Vec<String>, env: &[(&str, &str)], url: &str) -> Launched {
    let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let ready = std::time::Duration::from_secs(120);
    let launch = Launch { program: Program { command, env, cwd: None }, url: url.parse().unwrap(), ready };
    launch.start(None).await.unwrap()
}

/// The processes whose `TMPDIR` is `mark`: everything that a run with it started, however far down.
pub(crate) fn survivors(mark: &Path) -> Vec<String> {
    let wanted = format!("TMPDIR={}", mark.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()) {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            found.push(format!("{}: {line}", entry.file_name().to_string_lossy()));
        }
    }
    found
}

#[test]
fn survivors_are_found() {
    let place = tempfile::tempdir().unwrap();
    let mut left = std::process::Command::new("sleep").arg("60").env("TMPDIR", place.path()).spawn().unwrap();
    // Between fork and exec a process still has the environment of its parent.
    let mut found = survivors(place.path());
    for _ in 0..200 {
        if !found.is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        found = survivors(place.path());
    }
    left.kill().unwrap();
    left.wait().unwrap();
    assert!(cfg!(not(target_os = "linux")) || found.len() == 1, "{found:?}");
    assert!(survivors(place.path()).is_empty());
}
