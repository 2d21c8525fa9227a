//! `rehearsal eval` with the suites of `tests/interop/suites`: real servers, real exit codes, nothing left running.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::surroundings::{Installed, survivors};

/// A run of the program.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) summary: Value,
}

/// The project that holds the suites.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

/// Runs a suite of `project` and asserts that every process it started has ended.
pub(crate) fn eval(installed: &Installed, project: &Path, suite: &str, env: &[(&str, &str)]) -> Run {
    let place = tempfile::tempdir().unwrap();
    let (mark, reports) = (place.path().join("tmp"), place.path().join("reports"));
    std::fs::create_dir(&mark).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .arg("-C")
        .arg(project)
        .args(["eval", suite, "--format", "json", "--out"])
        .arg(&reports)
        .env("PATH", installed.path())
        .env("TMPDIR", &mark)
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(survivors(&mark), Vec::<String>::new(), "left by {suite}");
    let summary = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{suite}: {error}: {}\n{stderr}", output.status));
    Run { code: output.status.code().unwrap(), summary }
}

impl Run {
    fn cases(&self) -> impl Iterator<Item = &Value> {
        self.summary["cases"].as_array().unwrap().iter()
    }

    /// The cells in this state, as `case persona`.
    fn with_state(&self, state: &str) -> BTreeSet<&str> {
        self.cases().filter(|case| case["state"] == state).map(|case| case["id"].as_str().unwrap()).collect()
    }

    /// Broken checks that are only reported.
    fn advice(&self) -> BTreeSet<&str> {
        let advised = |case: &&Value| !case["advice"].as_array().unwrap().is_empty();
        self.cases().filter(advised).map(|case| case["id"].as_str().unwrap()).collect()
    }

    /// Why a check failed.
    pub(crate) fn why(&self, id: &str) -> &str {
        let case = self.cases().find(|case| case["id"] == id).unwrap();
        case["failures"][0]["why"].as_str().unwrap()
    }

    /// Exactly these auth checks found nothing to look at.
    #[track_caller]
    pub(crate) fn skips(&self, ids: &[&str]) {
        let ids: BTreeSet<String> = ids.iter().map(|id| format!("auth/{id}")).collect();
        assert_eq!(self.with_state("skipped"), ids.iter().map(String::as_str).collect());
    }

    /// Exactly these auth checks fail, exactly these advise, and everything else passes or is skipped.
    #[track_caller]
    pub(crate) fn finds(&self, failing: &[&str], advising: &[&str]) {
        let named = |ids: &[&str]| ids.iter().map(|id| format!("auth/{id}")).collect::<BTreeSet<_>>();
        let (failing, advising) = (named(failing), named(advising));
        let as_text = |ids: &BTreeSet<String>| ids.iter().cloned().collect::<Vec<_>>();
        let owned = |ids: BTreeSet<&str>| ids.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(as_text(&owned(self.with_state("security"))), as_text(&failing));
        assert_eq!(as_text(&owned(self.advice())), as_text(&advising));
        let rest: Vec<_> = self
            .cases()
            .filter(|case| !["pass", "security", "skipped"].contains(&case["state"].as_str().unwrap()))
            .collect();
        assert!(rest.is_empty(), "{rest:#?}");
        assert_eq!(self.summary["totals"]["invalid"], 0);
        assert_eq!(self.summary["totals"]["missing"], 0);
        assert_eq!(self.code, if failing.is_empty() { 0 } else { 6 });
    }

    /// Everything passes, in this many trials.
    #[track_caller]
    pub(crate) fn passes(&self, trials: u64) {
        self.finds(&[], &[]);
        self.skips(&[]);
        assert_eq!(self.summary["totals"]["trials"], trials);
    }
}

/// Needs nothing installed.
#[test]
fn every_suite_is_valid() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_rehearsal")).arg("-C").arg(project()).arg("check").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn everything_suite_over_stdio() {
    let Some(installed) = Installed::find() else { return };
    eval(&installed, &project(), "everything-stdio", &[]).passes(13);
}

#[test]
fn everything_suite_over_http() {
    let Some(installed) = Installed::find() else { return };
    eval(&installed, &project(), "everything-http", &[]).passes(13);
}

#[test]
fn everything_suite_over_sse() {
    let Some(installed) = Installed::find() else { return };
    eval(&installed, &project(), "everything-sse", &[]).passes(13);
}

#[test]
fn python_suite_over_sse() {
    let Some(installed) = Installed::find() else { return };
    eval(&installed, &project(), "python-sse", &[]).passes(5);
}

#[test]
fn time_suite_over_stdio() {
    let Some(installed) = Installed::find() else { return };
    eval(&installed, &project(), "time-stdio", &[]).passes(7);
}
