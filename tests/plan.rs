//! Plans: what is expanded, what identifies a trial, and what leaves its identity alone.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;
use rehearsal::diag::render::render;
use rehearsal::ids::{CaseKey, ScoreKey};
use rehearsal::plan::{self, Plan, Selection, Shard, Work};
use rehearsal::score::judge::Advises;
use rehearsal::suite::{Project, Request, Suite};
use rehearsal::transcript::CaseKind;

fn suite(text: &str) -> Suite {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("suites/s.yaml");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    let loaded = Project::new(dir.path().to_owned()).load(&path, &Request::default());
    loaded.suite.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

const TEXT: &str = r#"
version: 1
name: shop
target: {url: "http://127.0.0.1:9/mcp"}
auth: {issuer: embedded}
personas: [customer, clerk, anonymous]
clients: [reference, {name: narrow, wire: {client_info: {name: narrow, version: "1"}}, menu: {limit: 3}}]
models: [lexical, scripted]
judge: {model: scripted-judge}
trials: 3
cases:
  - id: orders-late
    prompt: Where is my order?
    tags: [orders, smoke]
    personas: [customer, clerk]
    script: [{say: It comes.}]
    expect: [{answer_contains: comes}]
    expected_failure: {reason: known, models: [lexical]}
  - id: orders-two
    turns: [{user: Hello}, {user: Bye}]
    tags: [orders]
    client: narrow
    model: lexical
    trials: 2
    expect: [{answer_contains: x}]
    criteria: [{must: Greets., scripted: x}]
  - id: books
    prompt: Any books?
    client: reference
    script: [{say: Many.}]
    setup: [{tool: {name: reset}}]
    expect: [{tool_called: search}]
    verify: [{tool: {name: count}, path: $.n, equals: 0}]
access:
  customer: {sees: [search], calls: {get_order: {id: 1}}, never: [refund]}
  anonymous: {never: [get_order, refund]}
"#;

fn expand(suite: &Suite, selection: &Selection) -> Plan {
    plan::expand(suite, selection, 7).unwrap_or_else(|wrong| panic!("{wrong:#?}"))
}

fn all(text: &str) -> Plan {
    expand(&suite(text), &Selection::default())
}

fn keys(plan: &Plan) -> BTreeSet<CaseKey> {
    let keys: BTreeSet<CaseKey> = plan.cases.iter().map(|case| case.header.key).collect();
    assert_eq!(keys.len(), plan.cases.len(), "a key occurs twice");
    keys
}

/// Key and score key of every trial, by its name.
fn identities(plan: &Plan) -> BTreeMap<String, (CaseKey, ScoreKey)> {
    let name = |case: &plan::Case| {
        let header = &case.header;
        format!("{} {:?} {} {} {}", header.case, header.model, header.persona, header.client, header.trial)
    };
    plan.cases.iter().map(|case| (name(case), (case.header.key, case.score_key))).collect()
}

#[test]
fn where_a_judge_only_advises_its_trials_are_scored_otherwise() {
    let mut suite = suite(TEXT);
    let keys = |suite: &Suite| identities(&expand(suite, &Selection::default()));
    let before = keys(&suite);
    let mut advising = |advises: Advises| {
        suite.judge.as_mut().unwrap().value.advises = advises;
        let now = keys(&suite);
        let changed = now.iter().filter(|(name, key)| before[*name] != **key).map(|(name, _)| name.clone());
        let changed: Vec<String> = changed.collect();
        assert!(now.iter().all(|(name, key)| before[name].0 == key.0), "the same trials");
        changed
    };
    assert!(advising(Advises::default()).is_empty(), "a judge that gates is the judge it was");
    let all = advising(Advises::on_all());
    assert!(!all.is_empty() && all.iter().all(|name| name.starts_with("orders-two ")), "{all:?}");
    let one = |text: &str| Advises { all: false, criteria: [text.to_owned()].into() };
    assert_eq!(advising(one("Greets.")), all);
    assert!(advising(one("Says goodbye.")).is_empty(), "no criterion of these cases");
}

fn wrong(suite: &Suite, selection: &Selection) -> String {
    let wrong = plan::expand(suite, selection, 1).map(|plan| plan.cases.len()).unwrap_err();
    wrong.iter().map(|diagnostic| render(diagnostic, &|_| None)).collect()
}

#[test]
fn every_combination_occurs_once() {
    let plan = all(TEXT);
    let mut table: BTreeMap<String, u32> = BTreeMap::new();
    for case in &plan.cases {
        let header = &case.header;
        let model = header.model.as_ref().map_or("-", |model| model.as_str());
        *table
            .entry(format!(
                "{} {} {} {} {model}",
                header.kind.as_str(),
                header.case,
                header.persona,
                header.client
            ))
            .or_default() += 1;
    }
    let table: Vec<String> = table.iter().map(|(name, trials)| format!("{name} x{trials}")).collect();
    insta::assert_snapshot!(table.join("\n"));
    keys(&plan);
}

#[test]
fn rows_of_the_matrix_become_checks_with_their_own_places() {
    insta::assert_snapshot!(access_lines(&all(TEXT)).join("\n"));
}

fn access_lines(plan: &Plan) -> Vec<String> {
    let mut lines = vec![];
    for case in plan.cases.iter().filter(|case| case.header.kind == CaseKind::Access) {
        let Work::Access(work) = &case.work else { panic!("an access case that does something else") };
        lines.push(format!("{} at {}", case.header.case, case.header.origin));
        lines.extend(
            work.calls
                .iter()
                .map(|call| format!("  tries {} {} {}", call.subject.kind(), call.subject, call.args)),
        );
        lines.extend(
            work.becomes
                .iter()
                .map(|turn| format!("  becomes {}", serde_json::to_string(&turn.persona).unwrap())),
        );
        lines.extend(work.others.iter().map(|named| format!("  and nothing but {named:?}")));
        lines.extend(case.checks.iter().map(|check| {
            format!(
                "  {} {} at {}",
                check.value.name(),
                serde_json::to_string(&check.value).unwrap(),
                check.origin
            )
        }));
    }
    lines.sort();
    lines
}

#[test]
fn rows_for_resources_prompts_and_changes_of_rights() {
    let row = r#"  customer:
    sees: [search]
    resources: {sees: ["shop://about"], reads: ["shop://orders/1"], never: ["shop://staff"]}
    prompts: {sees: [hello], gets: {restock: {shelf: A}}, never: [refund]}
    others: never
    denied_as: as_unknown
    becomes:
      clerk: {sees: [refund], becomes: {anonymous: {never: [search]}}}
"#;
    let (head, _) = TEXT.split_once("  customer: {sees").unwrap();
    insta::assert_snapshot!(access_lines(&all(&format!("{head}{row}"))).join("\n"));
}

#[test]
fn auth_checks_run_once_as_the_persona_whose_token_they_vary() {
    let ids = rehearsal::auth::checks::ids();
    let text = format!("{TEXT}auth_checks: {{pack: standard}}\n");
    let selection = Selection { kinds: vec!["auth".to_owned()], ..Selection::default() };
    let plan = expand(&suite(&text), &selection);
    assert!(plan.cases.len() >= 20, "{}", plan.cases.len());
    for case in &plan.cases {
        let Work::Auth(id) = &case.work else { panic!("an auth case that does something else") };
        assert!(ids.contains(&id.as_str()), "{id}");
        assert_eq!(case.header.case.as_str(), format!("auth/{id}"));
        let nobody = !rehearsal::auth::checks::find(id).unwrap().asks_as_somebody();
        let persona = if nobody { "anonymous" } else { "customer" };
        assert_eq!((case.header.persona.as_str(), case.header.client.as_str()), (persona, "reference"));
        assert_eq!((case.header.trial, case.checks.len()), (1, 1));
    }
    for persona in ["anonymous", "customer"] {
        assert!(plan.cases.iter().any(|case| case.header.persona.as_str() == persona), "{persona}");
    }
    keys(&plan);
}

#[test]
fn scripts_reach_scripted_models_only() {
    for case in &all(TEXT).cases {
        let Work::Use(work) = &case.work else { continue };
        let script = work.model.script.as_ref().map(ToString::to_string);
        match (work.model.dialect.as_str(), case.header.case.as_str()) {
            ("scripted", "books") => assert_eq!(script.as_deref(), Some(r#"[{"say":"Many."}]"#)),
            ("scripted", _) => assert_eq!(script.as_deref(), Some(r#"[{"say":"It comes."}]"#)),
            _ => assert_eq!(script, None),
        }
        let known = case.header.case.as_str() == "orders-late" && work.model.dialect == "lexical";
        assert_eq!(case.expected_failure.is_some(), known);
    }
}

#[test]
fn first_trials_come_first_and_models_take_turns() {
    let plan = all(TEXT);
    let trials: Vec<u32> = plan.cases.iter().map(|case| case.header.trial).collect();
    assert!(trials.is_sorted(), "{trials:?}");
    let second = plan.cases.iter().filter(|case| case.header.trial == 2);
    let models: Vec<&str> =
        second.filter_map(|case| case.header.model.as_ref().map(rehearsal::ids::ModelName::as_str)).collect();
    assert!(models.len() >= 8);
    let longest = models.chunk_by(|a, b| a == b).map(<[_]>::len).max().unwrap();
    assert!(longest <= 3, "{models:?}");
}

#[test]
fn selections_narrow() {
    let suite = suite(TEXT);
    let count = |selection: Selection| expand(&suite, &selection).cases.len();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let everything = count(Selection::default());
    assert_eq!(everything, 24 + 2 + 6 + 2);
    assert_eq!(count(Selection { cases: texts(&["orders-*"]), ..Selection::default() }), 26);
    assert_eq!(count(Selection { cases: texts(&["access/*", "books"]), ..Selection::default() }), 8);
    assert_eq!(count(Selection { tags: texts(&["smoke"]), ..Selection::default() }), 24);
    assert_eq!(count(Selection { models: vec!["scripted".into()], ..Selection::default() }), 12 + 3 + 2);
    assert_eq!(count(Selection { personas: vec!["clerk".into()], ..Selection::default() }), 12);
    assert_eq!(count(Selection { clients: vec!["narrow".into()], ..Selection::default() }), 12 + 2 + 2);
    assert_eq!(count(Selection { kinds: texts(&["access"]), ..Selection::default() }), 2);
    assert_eq!(count(Selection { trials: Some(1), ..Selection::default() }), 8 + 1 + 2 + 2);
}

#[test]
fn selections_that_select_nothing_say_why() {
    let suite = suite(TEXT);
    let unknown = Selection {
        cases: vec!["oders-late".into(), "zz*".into()],
        tags: vec!["smok".into()],
        models: vec!["lexicle".into()],
        personas: vec!["clerc".into()],
        clients: vec!["narow".into()],
        trials: Some(0),
        kinds: vec!["acess".into()],
        shard: Some(Shard { index: 4, of: 3 }),
    };
    let empty = Selection { cases: vec!["books".into()], tags: vec!["smoke".into()], ..Selection::default() };
    insta::assert_snapshot!(format!("{}{}", wrong(&suite, &unknown), wrong(&suite, &empty)));
}

#[test]
fn two_cases_with_one_question_are_refused() {
    let text =
        TEXT.replace("Any books?", "Where is my order?").replace("    setup: [{tool: {name: reset}}]\n", "");
    let text = text.replace("    verify: [{tool: {name: count}, path: $.n, equals: 0}]\n", "");
    let text = text.replace("{say: Many.}", "{say: It comes.}");
    insta::assert_snapshot!(wrong(&suite(&text), &Selection::default()));
}

#[test]
fn what_does_not_shape_a_transcript_leaves_its_key_alone() {
    let before = identities(&all(TEXT));
    let same = [
        ("\ncases:", "\n# a remark\n\ncases:"),
        ("    tags: [orders, smoke]\n", "    tags: [other]\n"),
        ("expected_failure: {reason: known", "expected_failure: {reason: still known"),
        ("trials: 3\ncases", "trials: 3\ngate: {margin: 2pt}\ncases"),
    ];
    for (from, to) in same {
        assert!(TEXT.contains(from), "{from}");
        assert_eq!(identities(&all(&TEXT.replace(from, to))), before, "{from}");
    }
}

#[test]
fn editing_an_expectation_changes_the_score_of_that_case_only() {
    let before = identities(&all(TEXT));
    let edits = [
        ("answer_contains: comes", "answer_contains: arrives", "orders-late"),
        ("must: Greets.", "must_not: Greets.", "orders-two"),
        ("scripted: x", "scripted: y", "orders-two"),
        ("equals: 0", "equals: 1", "books"),
        ("sees: [search]", "sees: [search, get_order]", "access/customer"),
    ];
    for (from, to, name) in edits {
        assert!(TEXT.contains(from), "{from}");
        let after = identities(&all(&TEXT.replace(from, to)));
        assert!(before.keys().eq(after.keys()), "{from}");
        for (trial, (key, score)) in &before {
            let (key_after, score_after) = &after[trial];
            assert_eq!(key, key_after, "{from}: {trial}");
            assert_eq!(score != score_after, trial.starts_with(&format!("{name} ")), "{from}: {trial}");
        }
    }
}

#[test]
fn editing_a_question_changes_the_key_of_that_case_only() {
    let before = identities(&all(TEXT));
    let edits = [
        ("Where is my order?", "Where is my parcel?", "orders-late"),
        ("{user: Bye}", "{user: Goodbye}", "orders-two"),
        ("    client: narrow\n", "    client: narrow\n    limits: {turns: 3}\n", "orders-two"),
        ("    client: narrow\n", "    client: narrow\n    answers: {elicitation: decline}\n", "orders-two"),
        (
            "    client: reference\n",
            "    client: reference\n    answers: {sampling: {model: lexical}}\n",
            "books",
        ),
        ("name: reset", "name: restart", "books"),
        ("path: $.n", "path: $.m", "books"),
        ("get_order: {id: 1}", "get_order: {id: 2}", "access/customer"),
    ];
    for (from, to, name) in edits {
        assert!(TEXT.contains(from), "{from}");
        let after = identities(&all(&TEXT.replace(from, to)));
        for (trial, (key, _)) in &before {
            let changed = key.question != after[trial].0.question;
            assert_eq!(changed, trial.starts_with(&format!("{name} ")), "{from}: {trial}");
        }
    }
    let script = identities(&all(&TEXT.replace("{say: Many.}", "{say: Few.}")));
    for (trial, (key, _)) in &before {
        assert_eq!(key.question, script[trial].0.question);
        let changed = key.model != script[trial].0.model;
        assert_eq!(changed, trial.starts_with("books ") && trial.contains("scripted"), "{trial}");
    }
}

#[test]
fn what_a_server_is_answered_is_part_of_the_question() {
    let answering = |answers: &str| {
        let case = format!("    client: reference\n    answers: {answers}\n");
        let plan = all(&TEXT.replace("    client: reference\n", &case));
        let books = plan.cases.iter().find(|case| case.header.case.as_str() == "books").unwrap().clone();
        (books.header.key.question, books)
    };
    let (accept, case) = answering("{elicitation: {content: {date: 2026-12-01}}}");
    // The client of a case declares what the case answers, besides what it declares anyway.
    assert!(case.client.wire.capabilities().contains_key("roots"));
    assert_eq!(case.header.client.as_str(), "reference");
    let (other, _) = answering("{elicitation: {content: {date: 2026-12-02}}}");
    let (roots, case) = answering("{roots: ['file:///srv']}");
    assert!(!case.client.wire.capabilities().contains_key("sampling"));
    let (sampling, case) = answering("{sampling: refuse}");
    assert!(case.client.wire.capabilities().contains_key("sampling"));
    assert_eq!(BTreeSet::from([accept, other, roots, sampling]).len(), 4);
}

fn generated(cases: u32, trials: u32) -> String {
    let mut text = format!(
        "version: 1\ntarget: {{url: 'http://127.0.0.1:9/mcp'}}\nmodels: [lexical, local]\ntrials: {trials}\ncases:\n"
    );
    for number in 0..cases {
        text.push_str(&format!(
            "  - {{id: case-{number}, prompt: Question {number}, expect: [{{answer_contains: x}}]}}\n"
        ));
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_same_input_gives_the_same_plan(cases in 1u32..30, trials in 1u32..4, seed: u64) {
        let suite = suite(&generated(cases, trials));
        let order = |seed| -> Vec<CaseKey> {
            let plan = plan::expand(&suite, &Selection::default(), seed).unwrap();
            plan.cases.iter().map(|case| case.header.key).collect()
        };
        let first = order(seed);
        prop_assert_eq!(&first, &order(seed));
        let (mut mine, mut other) = (first, order(seed.wrapping_add(1)));
        prop_assert_eq!(mine.len(), (cases * trials * 2) as usize);
        mine.sort();
        other.sort();
        prop_assert_eq!(mine, other);
    }

    #[test]
    fn shards_are_disjoint_and_cover(cases in 1u32..30, trials in 1u32..4, of in 1u32..9, seed: u64) {
        let suite = suite(&generated(cases, trials));
        let whole = keys(&plan::expand(&suite, &Selection::default(), seed).unwrap());
        let mut joined = BTreeSet::new();
        let mut homes: BTreeMap<_, u32> = BTreeMap::new();
        for index in 1..=of {
            let shard = Selection { shard: Some(Shard { index, of }), ..Selection::default() };
            for key in keys(&plan::expand(&suite, &shard, seed.wrapping_mul(3)).unwrap()) {
                prop_assert!(joined.insert(key), "{} is in two shards", key);
                prop_assert_eq!(*homes.entry((key.question, key.model)).or_insert(index), index);
            }
        }
        prop_assert_eq!(joined, whole);
    }

    #[test]
    fn raising_trials_only_adds(cases in 1u32..20, trials in 1u32..4, more in 1u32..4) {
        let few = keys(&expand(&suite(&generated(cases, trials)), &Selection::default()));
        let many_suite = suite(&generated(cases, trials + more));
        let many = expand(&many_suite, &Selection::default());
        prop_assert!(few.is_subset(&keys(&many)));
        let left = plan::remaining(&many, |key| few.contains(key));
        prop_assert_eq!(left.cases.len(), (cases * more * 2) as usize);
        prop_assert!(left.cases.iter().all(|case| case.header.trial > trials));
        let order: Vec<_> = many.cases.iter().map(|case| case.header.key).filter(|key| !few.contains(key)).collect();
        prop_assert_eq!(left.cases.iter().map(|case| case.header.key).collect::<Vec<_>>(), order);
    }
}
