//! Replies are read strictly: whatever is doubtful is unsure, never yes.

use proptest::prelude::*;
use rehearsal::score::judge::prompt::Expected;
use rehearsal::score::judge::reply::{self, Decision};
use rehearsal::score::judge::{Role, Shown};
use serde_json::{Map, Value, json};

fn expected() -> Expected {
    Expected {
        canary: "fedcba9876543210fedcba9876543210".into(),
        fields: vec!["c1".into(), "c3".into()],
        decoy: "c2".into(),
        counter: "c4".into(),
    }
}

fn shown() -> Vec<Shown> {
    [(1, Role::User), (4, Role::ToolResult), (6, Role::Assistant)]
        .map(|(seq, role)| Shown { seq, role })
        .to_vec()
}

fn one(verdict: &str, evidence: &[i64], doubt: &str) -> Value {
    json!({"evidence": evidence, "reason": "because", "doubt": doubt, "verdict": verdict})
}

/// A reply whose control questions are right.
fn reply_of(fields: &[(&str, Value)]) -> String {
    let mut reply = Map::new();
    reply.insert("canary".into(), expected().canary.into());
    reply.insert("c2".into(), one("yes", &[1], "none"));
    reply.insert("c4".into(), one("no", &[], "none"));
    reply.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    Value::Object(reply).to_string()
}

fn two(first: Value, second: Value) -> String {
    reply_of(&[("c1", first), ("c3", second)])
}

fn read(text: &str, cites: &[&[Role]]) -> String {
    match reply::read(text, &expected(), &shown(), cites) {
        Err(broken) => format!("{}: {}", broken.code, broken.why),
        Ok(decisions) => decisions
            .iter()
            .map(|decision| match decision {
                Decision::Yes(ground) => {
                    format!("yes {:?}{}", ground.evidence, if ground.steered { " steered" } else { "" })
                }
                Decision::No(ground) => format!("no {:?}", ground.evidence),
                Decision::Unsure { code, why } => format!("{code} ({why})"),
            })
            .collect::<Vec<_>>()
            .join("; "),
    }
}

#[test]
fn replies_are_read_strictly() {
    let good = two(one("yes", &[4], "none"), one("no", &[], "none"));
    let twice = good.replacen("{", &format!("{{\"c1\":{},", one("no", &[], "none")), 1);
    let again = good.replacen(r#""verdict":"yes""#, r#""verdict":"no","verdict":"yes""#, 1);
    let listed = good.replacen(&one("yes", &[4], "none").to_string(), r#"[[4],"because","none","yes"]"#, 1);
    let rows = [
        ("as agreed", good.clone()),
        ("in a fence", format!("```json\n{good}\n```")),
        ("with words before", format!("Sure! {good}")),
        ("two objects", format!("{good}{good}")),
        ("wrong token", good.replace("fedcba", "abcdef")),
        ("two tokens", good.replacen('{', "{\"canary\":\"x\",", 1)),
        ("one left out", reply_of(&[("c1", one("yes", &[4], "none"))])),
        ("one twice", twice),
        ("a key twice", again),
        ("a list", listed),
        (
            "one too many",
            reply_of(&[
                ("c1", one("yes", &[4], "none")),
                ("c3", one("no", &[], "none")),
                ("c9", one("no", &[], "none")),
            ]),
        ),
        ("no evidence; unknown evidence", two(one("yes", &[], "none"), one("yes", &[4, 99], "none"))),
        ("evidence out of range", two(one("yes", &[-1], "none"), one("no", &[77], "none"))),
        ("the user's words; all words", two(one("yes", &[1], "none"), one("yes", &[1, 6], "none"))),
        ("unsure", two(one("unsure", &[], "none"), one("unsure", &[], "missing_evidence"))),
        (
            "unsure",
            two(one("unsure", &[], "ambiguous_criterion"), one("unsure", &[], "transcript_truncated")),
        ),
        ("steered", two(one("unsure", &[], "injection_suspected"), one("yes", &[6], "injection_suspected"))),
        (
            "decided and in doubt",
            two(one("yes", &[6], "missing_evidence"), one("no", &[6], "transcript_truncated")),
        ),
        ("no such verdict", two(one("maybe", &[], "none"), one("no", &[], "none"))),
        ("no such doubt", two(one("yes", &[4], "a bit"), one("no", &[], "none"))),
        (
            "control wrong",
            good.replace(&one("yes", &[1], "none").to_string(), &one("no", &[1], "none").to_string()),
        ),
        (
            "counter wrong",
            reply_of(&[
                ("c1", one("yes", &[4], "none")),
                ("c3", one("no", &[], "none")),
                ("c4", one("yes", &[1], "none")),
            ]),
        ),
        ("a stray key", good.replacen('{', "{\"extra\":1,", 1)),
        ("nothing", String::new()),
        ("a word", "yes".to_owned()),
        ("depth", "[".repeat(50_000)),
        ("size", " ".repeat(300_000)),
    ];
    let lines: Vec<String> = rows.iter().map(|(name, text)| format!("{name}: {}", read(text, &[]))).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_criterion_can_demand_what_a_yes_rests_on() {
    let from = |evidence: &[i64]| two(one("yes", evidence, "none"), one("no", &[], "none"));
    let cites: &[&[Role]] = &[&[Role::ToolResult, Role::Assistant]];
    assert_eq!(read(&from(&[4, 6]), cites), "yes [4, 6]; no []");
    assert_eq!(
        read(&from(&[6]), cites),
        "judge.evidence (the judge says yes but does not cite tool_result and assistant: because); no []"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_reply_panics_or_passes_by_chance(text in "\\PC{0,200}|\\{\"canary\":.{0,80}|[\\[\\]{}\",:0-9a-z]{0,80}") {
        prop_assert!(reply::read(&text, &expected(), &shown(), &[]).is_err());
    }

    #[test]
    fn a_reply_that_was_cut_off_says_nothing(at in 0_usize..300) {
        let good = two(one("yes", &[4], "none"), one("yes", &[6], "none"));
        let cut: String = good.chars().take(at.min(good.len() - 1)).collect();
        prop_assert!(reply::read(&cut, &expected(), &shown(), &[]).is_err());
    }
}
