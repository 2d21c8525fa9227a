//! Every check against fixture transcripts: its grade, its sentence, its evidence, and what it refuses to load.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]
#![expect(clippy::disallowed_methods, reason = "fixtures are files")]

#[path = "support/transcripts.rs"]
mod transcripts;

use rehearsal::diag::Located;
use rehearsal::score::checks::matcher::Matcher;
use rehearsal::score::checks::{self, Check};
use rehearsal::score::{self, Grade, Outcome, Weight};
use rehearsal::transcript::event::Refused;
use rehearsal::transcript::{End, Fault, Limit, Side, Subject, Transcript, View, What};
use serde::Deserialize;
use serde_json::{Value, json};
use transcripts::{Script, Spent, origin};

/// One expectation on one transcript.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    about: String,
    expect: Check,
    #[serde(default)]
    events: Vec<Told>,
    #[serde(default)]
    took_ms: Option<u64>,
    /// `pass`, `fail`, or the code of the fault that left it unscored.
    grade: String,
}

/// An event, or a call with its result.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Told {
    lists: Option<Vec<String>>,
    has: Option<HasTold>,
    becomes: Option<String>,
    fetches: Option<Subject>,
    user: Option<String>,
    says: Option<String>,
    spent: Option<SpentTold>,
    calls: Option<String>,
    probes: Option<String>,
    rejects: Option<String>,
    args: Option<Value>,
    returns: Option<Value>,
    after_ms: Option<u64>,
    fails: Option<String>,
    refused: Option<Refused>,
    asked: Option<String>,
    noted: Option<String>,
    params: Value,
    answered: Value,
    step: Option<StepTold>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpentTold {
    input: u64,
    output: u64,
    #[serde(default)]
    cost: Option<f64>,
    #[serde(default)]
    first_token_ms: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HasTold {
    resources: Vec<String>,
    templates: Vec<String>,
    prompts: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepTold {
    phase: String,
    about: String,
    result: Value,
    ok: bool,
}

impl Fixture {
    fn transcript(&self) -> Transcript {
        let script = self.events.iter().cloned().fold(Script::default(), tell);
        match self.took_ms {
            Some(ms) => script.took(ms).done(),
            None => script.done(),
        }
    }
}

fn tell(mut script: Script, told: Told) -> Script {
    let args = told.args.unwrap_or_else(|| json!({}));
    if let Some(tools) = told.lists {
        script = script.lists(&tools.iter().map(String::as_str).collect::<Vec<_>>());
    }
    if let Some(text) = told.user {
        script = script.user(&text);
    }
    if let Some(text) = told.says {
        let spent = told.spent.map_or(Spent::SMALL, |spent| Spent {
            input: spent.input,
            output: spent.output,
            cost: spent.cost,
            first_token_ms: spent.first_token_ms,
        });
        script = script.says_for(&text, spent);
    }
    if let Some(name) = told.calls {
        script = script.calls(&name, args);
    } else if let Some(name) = told.probes {
        script = script.probes(&name, args);
    } else if let Some(name) = told.rejects {
        script = script.rejected(&name, args, "there is no such tool");
    }
    if let Some(result) = told.returns {
        script = script.returns_after(result, told.after_ms.unwrap_or(30));
    }
    if let Some(text) = told.fails {
        script = script.fails(&text);
    }
    if let Some(HasTold { resources, templates, prompts }) = told.has {
        script = script.note(What::FeaturesListed { resources, templates, prompts });
    }
    if let Some(to) = told.becomes {
        script = script.note(What::IdentityChanged { to: to.as_str().into() });
    }
    if let Some(subject) = told.fetches {
        script = script.fetches(subject, told.refused);
    } else if let Some(refused) = told.refused {
        script = script.refused_as(refused);
    }
    if let Some(method) = told.asked {
        script = script.note(What::ServerAsked { method, params: told.params, answered: told.answered });
    } else if let Some(method) = told.noted {
        script = script.note(What::ServerNoted { method, params: told.params });
    }
    if let Some(StepTold { phase, about, result, ok }) = told.step {
        script = script.step(&phase, &about, result, ok);
    }
    script
}

fn fixtures(name: &str) -> Vec<Fixture> {
    let file = format!("{}/tests/fixtures/checks/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text =
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name} has no fixtures: {error}"));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn grade(grade: &Grade) -> &str {
    match grade {
        Grade::Pass => "pass",
        Grade::Fail => "fail",
        Grade::Unscored(fault) => &fault.code,
    }
}

#[test]
fn every_check_passes_and_fails_where_its_fixtures_say() {
    for name in Check::NAMES {
        let fixtures = fixtures(name);
        let mut lines = vec![];
        for fixture in &fixtures {
            let Fixture { about, expect, .. } = fixture;
            assert_eq!(expect.name(), *name, "{name}: {about}");
            assert_eq!(expect.problems(), Vec::<String>::new(), "{name}: {about}");
            let transcript = fixture.transcript();
            let seen = expect.examine(&View::of(&transcript));
            assert_eq!(grade(&seen.grade), fixture.grade, "{name}: {about}: {}", seen.why);
            assert!(
                seen.evidence.iter().all(|seq| (*seq as usize) < transcript.events.len()),
                "{name}: {about}"
            );
            lines.push(format!("{about}\n  {}: {} {:?}", grade(&seen.grade), seen.why, seen.evidence));
        }
        // An auth check is decided by the battery; its own tests hold the passing and failing records.
        for wanted in ["pass", "fail"].iter().filter(|_| *name != "auth_check") {
            assert!(
                fixtures.iter().any(|fixture| fixture.grade == *wanted),
                "{name} has no fixture that gives {wanted}"
            );
        }
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("check_{name}"), lines.join("\n"));
        });
    }
}

#[test]
fn checks_survive_their_stored_form() {
    for name in Check::NAMES {
        for fixture in fixtures(name) {
            let stored = serde_json::to_string(&fixture.expect).unwrap();
            assert_eq!(serde_json::from_str::<Check>(&stored).unwrap(), fixture.expect, "{stored}");
        }
    }
}

#[test]
fn the_schema_for_editors_accepts_what_is_read() {
    let schema = schemars::schema_for!(Check).to_value();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for name in Check::NAMES {
        let file = format!("{}/tests/fixtures/checks/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let raw: Vec<Value> = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for fixture in raw {
            let expect = &fixture["expect"];
            if let Err(error) = validator.validate(expect) {
                panic!("{name}: {expect}: {error}");
            }
        }
    }
    assert!(!validator.is_valid(&json!({"max_calls": "three"})));
    assert!(!validator.is_valid(&json!({"tool_called": {"nam": "x"}})));
}

#[test]
fn mistakes_keep_their_place() {
    let mut lines = vec![];
    for yaml in [
        "- tool_called: {name: a, arg: {}}",
        "- call_order:\n    - a\n    - {name: b, agrs: {}}",
        "- max_calls: many",
        "- answer_contains: 2.50",
        "- all_of:\n    - tool_called: a\n    - not: {tool_caled: b}",
        "- no_tool_errors: yes please",
        "- latency: soon",
    ] {
        let error = serde_saphyr::from_str::<Vec<Check>>(yaml).unwrap_err();
        let at = error.location().map(|at| format!("{}:{}", at.line(), at.column()));
        let text = error.to_string();
        lines.push(format!("{}: {}", at.unwrap_or_default(), text.lines().next().unwrap_or_default()));
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    1:26: error: line 1 column 26: unknown field `arg`, expected one of name, args, times
    3:17: error: line 3 column 17: unknown field `agrs`, expected one of name, args
    1:3: error: line 1 column 3: invalid type: string "many", expected a number of calls, or a map with `max` and `tool`
    1:3: error: line 1 column 3: invalid type: floating point `2.5`, expected a text, a list of texts, or a map with `all`, `any` and `case`
    3:13: error: line 3 column 13: unknown variant `tool_caled`, expected one of tool_called, tool_not_called, not_reached, call_order, max_calls, no_tool_errors, recovered, answer_contains, answer_matches, answer_json, answer_numbers, result_json, result_size, latency, tokens, cost, server_asked, server_not_asked, server_noted, all_of, any_of, not, access_visible, access_hidden, access_allowed, access_denied, denied_as, access_others, auth_check, verify, command
    1:3: error: line 1 column 3: invalid type: string "yes please", expected `true`, or a map with `except`
    1:3: error: line 1 column 3: invalid type: string "soon", expected a duration such as 5s, or a map with `max` and `of`
    "#);
}

#[test]
fn arguments_are_checked_when_a_suite_is_loaded() {
    let mut lines = vec![];
    for yaml in [
        "tool_called: {name: a, args: {id: {$regx: x}}}",
        "tool_called: {name: a, args: 5}",
        "tool_called: {name: a, times: {min: 3, max: 1}}",
        "tool_not_called: ''",
        "call_order: [a]",
        "no_tool_errors: false",
        "recovered: false",
        "answer_contains: []",
        "answer_contains: {any: ['  ']}",
        "answer_matches: '('",
        "answer_matches: '.*'",
        "answer_matches: 'a{1000}{1000}'",
        "answer_json: {path: 'a.b'}",
        "answer_json: {path: '$..a..b..c'}",
        "answer_json: {schema: {$ref: 'https://example.com/s.json'}}",
        "answer_json: {schema: {type: strng}}",
        "answer_numbers: []",
        "result_json: {tool: a}",
        "cost: -1",
        "all_of: []",
        "any_of: [{answer_matches: '['}]",
        "not: {answer_matches: '['}",
        "access_visible: ''",
        "not_reached: ''",
        "denied_as: {of: {resource: ' '}, shape: challenge}",
        "verify: {index: 0, path: '$[', equals: 1}",
        "auth_check: D003",
        "server_asked: elicitation/creat",
        "server_not_asked: elicit",
        "server_asked: {method: roots/list, params: 5, answered: {roots: {$sett: []}}}",
        "server_noted: {method: notifications/message, times: {}}",
    ] {
        let check: Check = serde_saphyr::from_str(yaml).unwrap();
        let problems = check.problems();
        assert!(!problems.is_empty(), "{yaml}");
        lines.push(format!("{yaml}\n  {}", problems.join("\n  ")));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

fn located(yaml: &str) -> Vec<Located<Check>> {
    let checks: Vec<Check> = serde_saphyr::from_str(yaml).expect("good checks");
    checks.into_iter().map(|check| Located::new(check, origin())).collect()
}

#[test]
fn a_fault_of_ours_never_counts_as_a_failure() {
    let checks = located("[{answer_contains: soon}, {tool_called: get_order}]");
    let fault = |side| End::Faulted(Fault::new(side, "x.y", "something broke"));
    let outcome = |end: End| {
        let transcript = Script::default().user("When?").ends(end).done();
        let findings = score::by_code(&transcript, &checks);
        assert!(!score::needs_judge(&findings));
        score::outcome(&findings)
    };
    for side in [Side::Harness, Side::Model, Side::Judge] {
        assert_eq!(outcome(fault(side)), Outcome::Invalid, "{side:?}");
    }
    for side in [Side::Server, Side::Auth] {
        assert_eq!(outcome(fault(side)), Outcome::Fail, "{side:?}");
    }
    assert_eq!(outcome(End::Interrupted), Outcome::Invalid);
    assert_eq!(outcome(End::OutOf(Limit::Turns)), Outcome::Fail);
}

#[test]
fn a_leak_stays_a_leak_when_the_trial_breaks_off() {
    let end = End::Faulted(Fault::new(Side::Harness, "x.y", "something broke"));
    let transcript = Script::default().lists(&["refund_order"]).ends(end).done();
    let findings = score::by_code(&transcript, &located("[{access_hidden: refund_order}]"));
    assert_eq!(score::outcome(&findings), Outcome::Fail);
    assert_eq!(findings[1].weight, Weight::Security);
    // A group that failed for what came no more has seen no leak.
    let group = "[{all_of: [{access_hidden: delete_order}, {tool_called: refund_order}]}]";
    assert_eq!(score::outcome(&score::by_code(&transcript, &located(group))), Outcome::Invalid);
}

#[test]
fn the_judge_is_asked_only_when_it_matters() {
    let transcript = Script::default().user("When?").says("On 28 November.").done();
    let needs = |yaml| score::needs_judge(&score::by_code(&transcript, &located(yaml)));
    assert!(needs("[]"));
    assert!(needs("[{answer_contains: 28 November}, {cost: 1}]"));
    assert!(!needs("[{answer_contains: 29 November}]"));
}

#[test]
fn sentences_are_bounded_and_safe() {
    let hostile = format!("\u{1b}[2J{}\u{202e}", "A".repeat(100_000));
    let transcript = Script::default()
        .lists(&[&hostile])
        .user("?")
        .calls(&hostile, json!({ hostile.clone(): hostile }))
        .fails(&hostile)
        .probes("t", json!({}))
        .fails(&hostile)
        .says(&hostile)
        .done();
    let view = View::of(&transcript);
    let mut count = 0;
    for name in Check::NAMES {
        for fixture in fixtures(name) {
            let seen = fixture.expect.examine(&view);
            assert!(seen.why.chars().count() < 2_000, "{name}: {}", seen.why.len());
            assert!(!seen.why.contains(['\u{1b}', '\u{202e}', '\n']), "{name}: {}", seen.why);
            count += 1;
        }
    }
    assert!(count >= 2 * Check::NAMES.len());
}

#[test]
fn an_unpriced_model_is_not_free() {
    let spent = Spent { cost: None, ..Spent::SMALL };
    let transcript = Script::default().user("?").says_for("x", spent).done();
    let findings = checks::examine(&located("[{cost: 1000}]"), &View::of(&transcript));
    assert_eq!(score::outcome(&findings), Outcome::Invalid);
}

mod properties {
    use proptest::prelude::*;

    use super::{Matcher, Value, json};

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e15..1e15f64).prop_map(Value::from),
            "[^$]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec(("[a-zà-ü' ]{0,6}", inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    fn holds(pattern: &Value, value: &Value) -> bool {
        Matcher::parse(pattern).expect("a good pattern").check(Some(value)).is_ok()
    }

    proptest! {
        #[test]
        fn any_json_matches_itself(value in json_value()) {
            prop_assert!(holds(&value, &value));
            prop_assert!(holds(&json!({"$exact": value}), &value), "unexpected");
            prop_assert!(holds(&json!({"$one_of": [1, value]}), &value), "unexpected");
            prop_assert!(holds(&json!({"$any": true}), &value), "unexpected");
        }

        #[test]
        fn order_in_a_set_does_not_matter(mut items in prop::collection::vec(json_value(), 0..6)) {
            let pattern = json!({"$set": items});
            items.reverse();
            prop_assert!(holds(&pattern, &Value::from(items.clone())));
            items.push(json!("one more"));
            prop_assert!(!holds(&pattern, &Value::from(items)));
        }

        #[test]
        fn numbers_are_equal_by_value(number in -1_000_000_000_000i64..1_000_000_000_000) {
            prop_assert!(holds(&json!(number), &json!(number as f64)));
            prop_assert!(holds(&json!(number as f64), &json!(number)));
            prop_assert!(!holds(&json!(number), &json!(number.to_string())));
            prop_assert!(!holds(&json!(number), &json!(number + 1)));
        }

        #[test]
        fn further_keys_are_tolerated_and_missing_ones_are_not(value in json_value(), extra in json_value()) {
            let pattern = json!({"a": value});
            prop_assert!(holds(&pattern, &json!({"a": value, "b": extra})), "unexpected");
            prop_assert!(!holds(&pattern, &json!({"b": extra})), "unexpected");
            prop_assert!(!holds(&json!({"$exact": pattern}), &json!({"a": value, "b": extra})), "unexpected");
        }

        #[test]
        fn no_pattern_or_value_panics(pattern in json_value(), value in json_value(), key in "\\$[a-z_]{0,8}") {
            let pattern = json!({key: pattern});
            if let Ok(matcher) = Matcher::parse(&pattern) {
                let _ = matcher.check(Some(&value));
                let _ = matcher.check(None);
            }
        }
    }

    #[test]
    fn large_integers_are_not_confused() {
        assert!(!holds(&json!(9_007_199_254_740_993_u64), &json!(9_007_199_254_740_992_u64)));
        assert!(holds(&json!(25), &json!(25.0)));
        assert!(!holds(&json!("a"), &json!("a ")));
    }
}

#[test]
fn a_limit_says_what_was_used_up() {
    use rehearsal::transcript::Limit;
    let lines: Vec<String> = [Limit::Turns, Limit::ToolCalls, Limit::Time, Limit::Tokens, Limit::Cost]
        .into_iter()
        .map(|limit| {
            let first = Script::default().user("Hello").says("Hello.").user("Again");
            let twice =
                first.calls("a", json!({})).returns(json!("x")).calls("a", json!({})).returns(json!("y"));
            let transcript = twice.ends(End::OutOf(limit)).took(4200).done();
            score::examine_end(&transcript).unwrap().why
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    2 turns used without an answer
    2 tool calls asked for without an answer
    no answer after 4.2 s, the time limit of the case
    360 tokens used, above the limit of the case
    $0.0030 spent, above the limit of the case
    ");
}
