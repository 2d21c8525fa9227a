//! The documents are tested: every code has its long text, the README's suite is valid, its output is real.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rehearsal::gate::explain::explain;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(dir: &Path, out: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
            out.push(text[..end].to_owned());
        }
    }
}

/// Every string literal of the program that has the form of a code.
fn codes() -> BTreeSet<String> {
    const FAMILIES: &[&str] = &[
        "target",
        "credentials",
        "model",
        "judge",
        "store",
        "run",
        "suite",
        "gate",
        "usage",
        "output",
        "demo",
        "auth",
        "issuer",
        "persona",
        "case",
        "check",
        "harness",
        "explain",
        "bug",
        "agent",
        "user",
        "baseline",
        "compare",
        "surface",
        "import",
        "doctor",
        "generate",
        "view",
        "init",
    ];
    let mut texts = Vec::new();
    sources(&root().join("src"), &mut texts);
    let literal = regex::Regex::new(r#""([a-z]+)\.([a-z0-9][a-z0-9.-]*)""#).unwrap();
    let found = texts
        .iter()
        .flat_map(|text| literal.captures_iter(text).map(|found| (found[1].to_owned(), found[2].to_owned())));
    found
        // Variables of templates, fields of suites and files are no codes.
        .filter(|(family, rest)| {
            const OTHERS: [&str; 11] = [
                "url",
                "port",
                "jwks",
                "introspection",
                "upstream",
                "env",
                "headers",
                "servers",
                "js",
                "css",
                "yaml",
            ];
            FAMILIES.contains(&family.as_str()) && !OTHERS.contains(&rest.as_str())
        })
        .map(|(family, rest)| format!("{family}.{rest}"))
        .collect()
}

#[test]
fn every_code_has_its_long_text() {
    let codes = codes();
    assert!(codes.len() > 40, "the search found only {codes:?}");
    let missing: Vec<_> = codes.iter().filter(|code| explain(code).is_none()).collect();
    assert!(missing.is_empty(), "no text for {missing:#?}");
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

fn block<'a>(text: &'a str, after: &str, fence: &str) -> &'a str {
    let rest = &text[text.find(after).unwrap_or_else(|| panic!("`{after}` is gone")) + after.len()..];
    let rest = &rest[rest.find(fence).unwrap() + fence.len()..];
    let rest = &rest[rest.find('\n').unwrap() + 1..];
    &rest[..rest.find("```").unwrap()]
}

fn rehearsal(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(args)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_first_suite_of_the_readme_is_valid() {
    let project = tempfile::tempdir().unwrap();
    let text: String = block(&readme(), "Write `suites/mine.yaml`", "```yaml")
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("   ").unwrap_or(line)))
        .collect();
    fs::create_dir(project.path().join("suites")).unwrap();
    fs::write(project.path().join("suites/mine.yaml"), &text).unwrap();
    let (code, _, talk) = rehearsal(project.path(), &["check", "mine"]);
    assert_eq!(code, Some(0), "{talk}\n{text}");
}

#[test]
fn the_complete_suite_of_the_documentation_is_valid() {
    let text = fs::read_to_string(root().join("docs/suite.md")).unwrap();
    let suite = block(&text, "<!-- suite: complete -->", "```yaml");
    let project = tempfile::tempdir().unwrap();
    fs::create_dir(project.path().join("suites")).unwrap();
    fs::write(project.path().join("suites/complete.yaml"), suite).unwrap();
    let (code, _, talk) = rehearsal(project.path(), &["check", "complete"]);
    assert_eq!(code, Some(0), "{talk}");
    // Every check that a suite writes stands in it; the rest is made from `access`, `auth_checks` and `verify`.
    let made = [
        "access_visible",
        "access_hidden",
        "access_allowed",
        "access_denied",
        "denied_as",
        "access_others",
        "auth_check",
        "verify",
    ];
    let written = rehearsal::score::checks::Check::NAMES.iter().filter(|name| !made.contains(name));
    let missing: Vec<_> = written.filter(|name| !suite.contains(&format!("- {name}:"))).collect();
    assert!(missing.is_empty(), "docs/suite.md lacks {missing:?}");
}

#[test]
fn every_matcher_is_documented() {
    let text = fs::read_to_string(root().join("docs/suite.md")).unwrap();
    for name in rehearsal::score::checks::matcher::NAMES {
        assert!(text.contains(&format!("`{{{name}: ")), "{name}");
    }
}

#[test]
fn the_suites_of_the_project_are_valid() {
    let (code, _, talk) = rehearsal(&root(), &["check"]);
    assert_eq!(code, Some(0), "{talk}");
    assert!(!talk.contains("warning"), "{talk}");
}

/// The output without what differs from run to run: ids, times, and the width of a column of times.
fn stable(text: &str) -> String {
    let id = regex::Regex::new(r"[0-9a-f]{8}-[0-9a-f]{4}(-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})?").unwrap();
    let time = regex::Regex::new(r"\b[0-9.]+ (ms|s)\b").unwrap();
    let space = regex::Regex::new(" +").unwrap();
    let text = time.replace_all(text, "TIME").into_owned();
    let text = space.replace_all(&text, " ").into_owned();
    id.replace_all(&text, "RUN").lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_output_in_the_readme_is_what_the_command_prints() {
    let project = tempfile::tempdir().unwrap();
    let (code, printed, talk) = rehearsal(project.path(), &["eval", "bookshop"]);
    assert_eq!(code, Some(0), "{printed}\n{talk}");
    if std::env::var_os("UPDATE_README").is_some() {
        let text = readme();
        let old = block(&text, "<!-- output: eval bookshop -->", "```text");
        let new = text.replacen(&format!("```text\n{old}```"), &format!("```text\n{printed}```"), 1);
        fs::write(root().join("README.md"), new).unwrap();
    }
    let text = readme();
    assert_eq!(stable(block(&text, "<!-- output: eval bookshop -->", "```text")), stable(&printed));
}

#[test]
fn every_fact_is_documented() {
    let text = fs::read_to_string(root().join("docs/auth.md")).unwrap();
    let schema = schemars::schema_for!(rehearsal::auth::Facts).to_value();
    let missing: Vec<_> = schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| !text.contains(&format!("\n| `{key}` |")))
        .collect();
    assert!(missing.is_empty(), "docs/auth.md has no row for {missing:?}");
}

#[test]
fn the_table_of_auth_checks_is_that_of_the_program() {
    let path = root().join("docs/auth-checks.md");
    let text = fs::read_to_string(&path).unwrap();
    let (intro, _) = text.split_once("| id |").unwrap();
    let current = format!("{intro}{}", rehearsal::gate::explain::auth_table());
    if std::env::var_os("UPDATE_AUTH_CHECKS").is_some() {
        fs::write(&path, &current).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(written == current, "docs/auth-checks.md is stale; run the test once with UPDATE_AUTH_CHECKS=1");
}

#[test]
fn the_flaws_of_the_readme_are_caught_with_their_exit_codes() {
    let text = readme();
    let line = regex::Regex::new(r"--flaw ([a-z-]+) +# .*: exit (\d+)").unwrap();
    let flaws: Vec<_> = line
        .captures_iter(&text)
        .map(|found| (found[1].to_owned(), found[2].parse::<i32>().unwrap()))
        .collect();
    assert!(flaws.len() >= 3, "{flaws:?}");
    for (flaw, exit) in flaws {
        let project = tempfile::tempdir().unwrap();
        let (code, printed, talk) =
            rehearsal(project.path(), &["eval", "bookshop", "--trials", "1", "--flaw", &flaw]);
        assert_eq!(code, Some(exit), "{flaw}\n{printed}\n{talk}");
    }
}
