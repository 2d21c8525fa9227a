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
    pub(crate) fn with_state(&self, state: &str) -> BTreeSet<&str> {
        self.cases().filter(|case| case["state"] == state).map(|case| case["id"].as_str().unwrap()).collect()
    }

    /// Broken checks that are only reported.
    fn advice(&self) -> BTreeSet<&str> {
        let advised = |case: &&Value| !case["advice"].as_array().unwrap().is_empty();
        self.cases().filter(advised).map(|case| case["id"].as_str().unwrap()).collect()
    }

    /// Why a check failed.
    fn why(&self, id: &str) -> &str {
        let case = self.cases().find(|case| case["id"] == id).unwrap();
        case["failures"][0]["why"].as_str().unwrap()
    }

    /// Exactly these auth checks found nothing to look at.
    #[track_caller]
    fn skips(&self, ids: &[&str]) {
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

/// Set up as its documentation says, FastMCP 4.1.2 misses this:
///
/// - B05: its metadata names the issuer with a slash behind it, because pydantic's `AnyHttpUrl` puts one behind a URL
///   without a path. Clients that compare issuers byte for byte turn away.
/// - D05: `JWTVerifier` does not look at `nbf`.
/// - F01: a token that lacks the required scope gets 401 `invalid_token` instead of 403 `insufficient_scope`.
/// - H01: `Origin` is not looked at.
#[test]
fn fastmcp_suite() {
    let Some(installed) = Installed::find() else { return };
    let run = eval(&installed, &project(), "fastmcp", &[]);
    run.finds(&["B05", "D05", "F01", "H01"], &[]);
    // There is no 403 whose challenge could be read.
    run.skips(&["F01.challenge"]);
    assert!(run.why("auth/F01").contains("401 instead of 403"), "{}", run.why("auth/F01"));
    assert!(run.why("auth/B05").contains("/`, but it calls itself"), "{}", run.why("auth/B05"));
}

/// The same with the audience left at its default and the issuer as a plain string, which is named as it is (no B05):
///
/// - D19, D20, D21, D25, D26: a verifier without an audience takes tokens for other resources, for none and for clients.
/// - H02 (advice): `Host` is not looked at, so that a page can reach the server by rebinding its name.
#[test]
fn fastmcp_suite_with_its_default_audience() {
    let Some(installed) = Installed::find() else { return };
    let run = eval(&installed, &project(), "fastmcp-defaults", &[]);
    run.finds(&["D05", "D19", "D20", "D21", "D25", "D26", "F01", "H01"], &["H02"]);
    run.skips(&["F01.challenge"]);
}

/// The official Python SDK 2.3.0 with a verifier made of PyJWT and `validate_token_resource` breaks no duty, only
/// three pieces of advice:
///
/// - A07: it reports `invalid_token` to somebody who sent no token.
/// - A09, F01.challenge: its challenges name no scope.
#[test]
fn python_sdk_suite() {
    let Some(installed) = Installed::find() else { return };
    eval(&installed, &project(), "python-sdk", &[]).finds(&[], &["A07", "A09", "F01.challenge"]);
}

/// The official TypeScript SDK 1.32.2 with a verifier made of jose:
///
/// - A06: it puts jose's message into the challenge as it is, and that of an expired token has quotes in it.
/// - H01: `Origin` is not looked at; its transport does so on request only.
/// - A07 (advice): it reports `invalid_token` to somebody who sent no token.
/// - H02 (advice): nor is `Host`.
#[test]
fn typescript_sdk_suite() {
    let Some(installed) = Installed::find() else { return };
    let run = eval(&installed, &project(), "typescript-sdk", &[]);
    run.finds(&["A06", "H01"], &["A07", "H02"]);
}
