//! `summary.json` is a contract: every field of it stands in a real run's file, with its type and its unit.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::process::Command;

use serde_json::Value;

/// A type, with what else holds of the value.
type Holds = fn(&Value) -> bool;

const TEXT: Holds = |value| value.as_str().is_some_and(|text| !text.is_empty());
const COUNT: Holds = Value::is_u64;
const SHARE: Holds = |value| value.as_f64().is_some_and(|share| (0.0..=1.0).contains(&share));
const DOLLARS: Holds = |value| value.as_f64().is_some_and(|dollars| (0.0..1000.0).contains(&dollars));
const SECONDS: Holds = |value| value.is_f64() && value.as_f64().is_some_and(|s| (0.0..600.0).contains(&s));
const LIST: Holds = Value::is_array;
const TRUTH: Holds = Value::is_boolean;
const TEXT_OR_NULL: Holds = |value| value.is_null() || TEXT(value);
const SHARE_OR_NULL: Holds = |value| value.is_null() || SHARE(value);

/// The ends of paths whose values may be unknown.
const OR_NULL: &[&str] = &[
    "case",
    "model",
    "low",
    "high",
    "invalid_share",
    "failure_rate_below",
    "icc",
    "icc_says",
    "recall",
    "precision",
    "wanted",
];

fn one_of<const N: usize>(value: &Value, words: [&str; N]) -> bool {
    value.as_str().is_some_and(|word| words.contains(&word))
}

/// Every field of the contract: a path in which `*` stands for each item of a list, and what holds of the value there.
const CONTRACT: &[(&str, Holds)] = &[
    ("schema", |value| *value == 1),
    ("suite", TEXT),
    ("run", TEXT),
    ("started", |value| value.as_str().is_some_and(|at| at.len() == 20 && at.ends_with('Z'))),
    ("verdict", |value| one_of(value, ["pass", "fail", "inconclusive"])),
    ("exit_code", COUNT),
    ("reasons", LIST),
    ("reasons/*/code", |value| value.as_str().is_some_and(|code| code.contains('.'))),
    ("reasons/*/message", TEXT),
    ("reasons/*/case", TEXT_OR_NULL),
    ("reasons/*/origin/file", TEXT),
    ("reasons/*/origin/line", COUNT),
    ("reasons/*/origin/column", COUNT),
    ("totals/trials", COUNT),
    ("totals/passed", COUNT),
    ("totals/failed", COUNT),
    ("totals/invalid", COUNT),
    ("totals/skipped", COUNT),
    ("rates", LIST),
    ("rates/*/model", TEXT),
    ("rates/*/persona", TEXT),
    ("rates/*/client", TEXT),
    ("rates/*/pass_rate", SHARE),
    ("rates/*/low", SHARE_OR_NULL),
    ("rates/*/high", SHARE_OR_NULL),
    ("rates/*/pass_hat_k/1", SHARE),
    ("rates/*/pass_hat_k/2", SHARE),
    ("rates/*/pass_at_1", SHARE),
    ("rates/*/curve/*/k", COUNT),
    ("rates/*/curve/*/pass_hat", SHARE),
    ("rates/*/curve/*/low", SHARE_OR_NULL),
    ("rates/*/curve/*/cases", COUNT),
    ("rates/*/curve/*/projected", TRUTH),
    ("rates/*/invalid", COUNT),
    ("rates/*/invalid_share", SHARE_OR_NULL),
    ("rates/*/failure_rate_below", SHARE_OR_NULL),
    ("rates/*/first_try", COUNT),
    ("rates/*/recovered", COUNT),
    ("rates/*/icc", SHARE_OR_NULL),
    ("rates/*/icc_says", TEXT_OR_NULL),
    ("rates/*/effort/*/what", TEXT),
    ("rates/*/effort/*/trials", COUNT),
    ("rates/*/effort/*/median/value", Value::is_f64),
    ("rates/*/effort/*/p95/value", Value::is_f64),
    ("exact/*/what", |value| one_of(value, ["denied", "granted"])),
    ("exact/*/of", COUNT),
    ("exact/*/held", COUNT),
    ("exact/*/low", SHARE),
    ("tools/*/model", TEXT),
    ("tools/*/trials", COUNT),
    ("tools/*/recall", SHARE_OR_NULL),
    ("tools/*/tools/*/tool", TEXT),
    ("tools/*/tools/*/wanted", COUNT),
    ("tools/*/tools/*/precision", SHARE_OR_NULL),
    ("tools/*/tools/*/steals_from", LIST),
    ("tools/*/confusion/*/wanted", TEXT_OR_NULL),
    ("tools/*/confusion/*/trials", COUNT),
    ("tools/*/ways/errors", COUNT),
    ("health/*/kind", TEXT),
    ("health/*/level", |value| one_of(value, ["warning", "note"])),
    ("health/*/message", TEXT),
    ("cases", LIST),
    ("cases/*/id", TEXT),
    ("cases/*/kind", |value| one_of(value, ["use", "access", "auth"])),
    ("cases/*/model", TEXT_OR_NULL),
    ("cases/*/persona", TEXT),
    ("cases/*/client", TEXT),
    ("cases/*/trials", LIST),
    ("cases/*/trials/*/trial", |value| value.as_u64().is_some_and(|number| number >= 1)),
    // A trial whose question does not arise has no outcome, and says why.
    ("cases/*/trials/*", |trial| match &trial["outcome"] {
        Value::Null => trial["skipped"].is_string(),
        outcome => one_of(outcome, ["pass", "fail", "invalid"]),
    }),
    ("cases/*/trials/*/findings", LIST),
    ("cases/*/trials/*/findings/*/check", TEXT),
    ("cases/*/trials/*/findings/*/grade", |value| one_of(value, ["pass", "fail", "unscored"])),
    ("cases/*/trials/*/findings/*/why", TEXT),
    ("cases/*/trials/*/tool_calls", LIST),
    ("cases/*/trials/*/tokens/in", COUNT),
    ("cases/*/trials/*/tokens/out", COUNT),
    ("cases/*/trials/*/cost", DOLLARS),
    ("cases/*/trials/*/seconds", SECONDS),
    ("access/personas", LIST),
    ("access/tools/*/name", TEXT),
    ("access/tools/*/cells", LIST),
    ("access/resources", LIST),
    ("access/prompts", LIST),
    ("access/leaks", COUNT),
    ("access/missing", COUNT),
    ("access/hidden_but_callable", COUNT),
    ("access/listed_but_refused", COUNT),
    ("usage/tokens_in", COUNT),
    ("usage/tokens_out", COUNT),
    ("usage/cost", DOLLARS),
    ("usage/model_calls", COUNT),
    ("usage/judge_calls", COUNT),
    ("usage/tool_calls", COUNT),
    ("losses", LIST),
    ("judge/model", TEXT),
    ("judge/calibrated", TRUTH),
];

/// The values at a path; a step that is not there gives nothing.
fn at<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    path.split('/').fold(vec![value], |values, step| match step {
        "*" => values.iter().flat_map(|value| value.as_array().into_iter().flatten()).collect(),
        key => values.iter().filter_map(|value| value.get(key)).collect(),
    })
}

/// What breaks the contract: a field that is missing somewhere, or is not what it should be.
fn broken(summary: &Value) -> Vec<String> {
    let mut broken = vec![];
    for (path, holds) in CONTRACT {
        let (parent, key) = path.rsplit_once('/').unwrap_or(("", path));
        let parents = if parent.is_empty() { vec![summary] } else { at(summary, parent) };
        // A list has as many values as it has; every other parent has the field.
        let values = at(summary, path);
        let expected = if key == "*" { values.len() } else { parents.len() };
        if values.is_empty() || values.len() != expected {
            broken.push(format!("{path} stands at {} of {expected} places", values.len()));
        }
        broken.extend(values.iter().filter(|value| !holds(value)).map(|value| format!("{path} is {value}")));
    }
    broken
}

/// A real run with a failure, so that it has reasons.
fn real() -> Value {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["eval", "bookshop", "--trials", "2", "--flaw", "vague-descriptions", "--format", "json"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let run = summary["run"].as_str().unwrap();
    let file = dir.path().join(format!("reports/runs/bookshop/{run}/summary.json"));
    assert_eq!(fs::read(file).unwrap(), output.stdout, "the file is what is printed");
    summary
}

fn sum(summary: &Value, path: &str) -> f64 {
    at(summary, path).iter().map(|value| value.as_f64().unwrap()).sum()
}

#[test]
fn every_field_of_the_contract_is_there_with_its_type_and_unit() {
    let summary = real();
    assert_eq!(broken(&summary), [""; 0]);

    // Totals are sums of what stands below them, in the same units.
    let outcomes = |word: &str| {
        at(&summary, "cases/*/trials/*/outcome").iter().filter(|outcome| **outcome == word).count() as u64
    };
    for (total, word) in [("passed", "pass"), ("failed", "fail"), ("invalid", "invalid")] {
        assert_eq!(summary["totals"][total], outcomes(word), "{total}");
    }
    assert_eq!(summary["totals"]["trials"], at(&summary, "cases/*/trials/*").len());
    for (total, part) in [("tokens_in", "in"), ("tokens_out", "out")] {
        let trials = sum(&summary, &format!("cases/*/trials/*/tokens/{part}"));
        assert_eq!(summary["usage"][total].as_f64(), Some(trials), "{total}");
    }
    assert_eq!(summary["usage"]["tool_calls"], at(&summary, "cases/*/trials/*/tool_calls/*").len());
    assert!(sum(&summary, "usage/model_calls") > 0.0 && sum(&summary, "usage/judge_calls") > 0.0);
    let seconds = sum(&summary, "cases/*/trials/*/seconds");
    assert!((summary["usage"]["seconds"].as_f64().unwrap() - seconds).abs() < 0.01);
    assert_eq!((&summary["verdict"], &summary["exit_code"]), (&"fail".into(), &1.into()));
    assert_eq!(summary["judge"]["calibrated"], false);
    for kind in ["use", "access", "auth"] {
        assert!(at(&summary, "cases/*/kind").iter().any(|found| **found == kind), "{kind}");
    }

    // Every rule can be broken: without a field, and with a value of another type.
    for (path, _) in CONTRACT {
        let pointer = format!("/{}", path.replace('*', "0"));
        for wrong in [Value::Null, serde_json::json!({"no": "such type"})] {
            let mut damaged = summary.clone();
            *damaged.pointer_mut(&pointer).unwrap() = wrong.clone();
            let tolerated = wrong.is_null() && OR_NULL.iter().any(|key| path.ends_with(key));
            assert!(tolerated || !broken(&damaged).is_empty(), "{path}: {wrong}");
        }
    }
}
