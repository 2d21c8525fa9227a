//! Suite health, tool scores, rates: each finding with a run that has it and one that has not.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::process::Command;

#[path = "support/golden.rs"]
mod golden;

use golden::{HOSTILE, Trial, run_of};
use rehearsal::gate::decide;
use rehearsal::ids::{ClientName, ModelName};
use rehearsal::report::health::HealthFinding;
use rehearsal::report::toolscore::ModelTools;
use rehearsal::report::{FORMATS, Style, Summary, View, terminal};
use rehearsal::score::Grade;
use rehearsal::score::expects::Expects;
use rehearsal::score::trajectory::Trajectory;
use rehearsal::store::record::{RunRecord, SurfaceSeen};
use rehearsal::suite::health::{Kind, Weakness};
use rehearsal::transcript::{CaseKind, Side};

/// One trial of a use case: the tools it called, and whether it passed.
fn trial(case: &str, number: u32, calls: &[&str], passes: bool) -> Trial {
    let mut trial = Trial::new(CaseKind::Use, case, "customer", number);
    if !passes {
        trial = trial.finding("tool_called", Grade::Fail, "it was not called", (7, 9));
    }
    trial.0.tool_calls = calls.iter().map(|tool| (*tool).to_owned()).collect();
    trial.0.trajectory = Some(Trajectory { turns: 2, ..Trajectory::default() });
    trial
}

fn wanting(mut run: RunRecord, cases: &[(&str, &[&str], &[&str])]) -> RunRecord {
    for (case, called, may) in cases {
        let names = |list: &[&str]| list.iter().map(|tool| (*tool).into()).collect();
        let expects = Expects { called: names(called), may: names(may), ..Expects::default() };
        run.manifest.expects.insert((*case).into(), expects);
    }
    run
}

fn with_view<T>(run: &RunRecord, use_it: impl FnOnce(&View<'_>) -> T) -> T {
    let decision = decide(run);
    use_it(&View {
        run,
        decision: &decision,
        run_file: "reports/runs/bookshop/1.sqlite".to_owned(),
        program: "rehearsal".to_owned(),
        next: vec![],
        fits: vec![],
        lost: Default::default(),
        after: Default::default(),
    })
}

fn summary(run: &RunRecord) -> Summary {
    with_view(run, Summary::of)
}

fn found<'a>(findings: &'a [HealthFinding], kind: &str) -> Option<&'a HealthFinding> {
    findings.iter().find(|finding| finding.kind == kind)
}

fn tools(run: &RunRecord) -> ModelTools {
    summary(run).tools.remove(0)
}

#[test]
fn a_case_that_never_passes_is_found_and_one_that_sometimes_does_is_not() {
    let three = |last| run_of((1..=3).map(|n| trial("late-order", n, &["get_order"], last && n == 3)));
    let health = summary(&three(false)).health;
    let finding = found(&health, "always-failing").unwrap();
    assert_eq!((finding.level, &finding.cases[..]), ("warning", &["late-order".to_owned()][..]));
    assert_eq!(finding.origin.as_ref().unwrap().to_string(), "suites/bookshop.yaml:4:9");
    assert!(found(&summary(&three(true)).health, "always-failing").is_none());
    let two = run_of((1..=2).map(|n| trial("late-order", n, &[], false)));
    assert!(found(&summary(&two).health, "always-failing").is_none(), "two trials say too little");
    let known = run_of((1..=3).map(|n| trial("late-order", n, &[], false).known("later")));
    assert!(found(&summary(&known).health, "always-failing").is_none(), "known to fail");
    // What one model passes can be passed.
    let mut other = trial("late-order", 4, &["get_order"], true);
    other.0.header.model = Some(ModelName::from("other"));
    let both = run_of((1..=3).map(|n| trial("late-order", n, &[], false)).chain([other]));
    assert!(found(&summary(&both).health, "always-failing").is_none());
}

#[test]
fn cases_that_never_fail_are_saturated_after_enough_trials() {
    let run = |trials, last| run_of((1..=trials).map(|n| trial("stock", n, &[], last || n < trials)));
    let health = summary(&run(5, true)).health;
    assert_eq!(found(&health, "saturated").unwrap().cases, ["stock"]);
    assert!(found(&summary(&run(5, false)).health, "saturated").is_none());
    assert!(found(&summary(&run(4, true)).health, "saturated").is_none());
}

#[test]
fn tools_that_nothing_exercises_are_found() {
    let run = |calls: &'static [&'static str]| {
        let run = run_of([trial("late-order", 1, calls, true), trial("stock", 1, &["get_order"], true)]);
        let mut run = wanting(
            run,
            &[("late-order", &["get_order"], &["list_orders"]), ("stock", &["search_books"], &[])],
        );
        let tools = ["get_order", "list_orders", "search_books", "delete_shop"].map(Into::into).to_vec();
        run.manifest.surfaces = vec![SurfaceSeen {
            persona: "customer".into(),
            tools,
            later: vec![],
            digest: None,
            look: vec![],
        }];
        run
    };
    let health = summary(&run(&["get_order"])).health;
    // Called by a case that does not want it is not exercised.
    assert_eq!(found(&health, "tool-never-called").unwrap().tools, ["search_books"]);
    assert_eq!(found(&health, "tool-without-case").unwrap().tools, ["delete_shop"]);
    let mut whole = run(&["get_order"]);
    whole.manifest.surfaces[0].tools.truncate(3);
    whole.results[1].tool_calls = vec!["search_books".to_owned()];
    let health = summary(&whole).health;
    assert!(found(&health, "tool-never-called").is_none() && found(&health, "tool-without-case").is_none());
    // A file of an older version says nothing of tools, so nothing is said of it.
    whole.manifest.expects.clear();
    whole.manifest.surfaces[0].tools.push("delete_shop".into());
    assert_eq!(summary(&whole).health, []);
}

#[test]
fn what_the_words_of_a_suite_show_is_in_the_report() {
    let mut run = run_of([trial("stock", 1, &[], true)]);
    assert_eq!(summary(&run).health, []);
    let origin = run.results[0].header.origin.clone();
    let weak = |kind, other: Option<&str>, tool: Option<&str>| Weakness {
        kind,
        case: "stock".into(),
        origin: origin.clone(),
        other: other.map(|case| (case.into(), origin.clone())),
        tool: tool.map(Into::into),
    };
    run.manifest.weaknesses = vec![
        weak(Kind::JudgeOnly, None, None),
        weak(Kind::NamesTool, None, Some("search_books")),
        weak(Kind::DuplicatePrompt, Some("late-order"), None),
    ];
    let told: Vec<(&str, String)> =
        summary(&run).health.into_iter().map(|finding| (finding.kind, finding.message)).collect();
    let expected = [
        ("duplicate-prompt", "cases late-order and stock ask nearly the same"),
        ("names-tool", "the prompt of case stock names the tool search_books that it expects"),
        ("judge-only", "nothing but the judge decides case stock"),
    ];
    assert_eq!(told, expected.map(|(kind, message)| (kind, message.to_owned())));
}

#[test]
fn precision_recall_and_thefts_follow_from_wanted_and_called() {
    let run = run_of([
        trial("order", 1, &["get_order"], true),
        trial("order", 2, &["list_orders"], false),
        trial("order", 3, &["list_orders", "search_books"], false),
        trial("order", 4, &[], false),
        trial("list", 1, &["list_orders"], true),
        trial("list", 2, &["list_orders", "help"], true),
        trial("untold", 1, &["get_order"], true),
        trial("broken", 1, &["get_order"], true).faulted(Side::Model, "model.timeout", "no answer"),
    ]);
    let mut run = wanting(
        run,
        &[("order", &["get_order"], &[]), ("list", &["list_orders"], &["help"]), ("broken", &["x"], &[])],
    );
    run.manifest.expects.insert("thanks".into(), Expects { nothing: true, ..Expects::default() });
    let found = tools(&run);
    assert_eq!(found.trials, 6, "a case that says nothing and an invalid trial are no part");
    let scored = |name: &str| found.tools.iter().find(|tool| tool.tool == name).unwrap();
    let order = scored("get_order");
    assert_eq!((order.wanted, order.called, order.hits), (4, 1, 1));
    assert_eq!((order.precision, order.recall), (Some(1.0), Some(0.25)));
    let list = scored("list_orders");
    assert_eq!((list.precision, list.recall), (Some(0.5), Some(1.0)));
    assert_eq!(list.steals_from, [("get_order".to_owned(), 2)]);
    let search = scored("search_books");
    assert_eq!((search.precision, search.recall), (Some(0.0), None));
    assert!(found.tools.iter().all(|tool| tool.tool != "help"), "what is allowed is neither right nor wrong");
    let pairs: Vec<(Option<&str>, Option<&str>, u64)> = found
        .confusion
        .iter()
        .map(|pair| (pair.wanted.as_deref(), pair.called.as_deref(), pair.trials))
        .collect();
    assert_eq!(
        pairs,
        [
            (Some("get_order"), None, 1),
            (Some("get_order"), Some("get_order"), 1),
            (Some("get_order"), Some("list_orders"), 2),
            (Some("get_order"), Some("search_books"), 1),
            (Some("list_orders"), Some("list_orders"), 2),
        ]
    );
}

#[test]
fn a_case_that_wants_no_tool_is_a_row_of_its_own() {
    let run = |calls: &[&str]| {
        let mut run = run_of([trial("thanks", 1, calls, calls.is_empty())]);
        run.manifest.expects.insert("thanks".into(), Expects { nothing: true, ..Expects::default() });
        tools(&run)
    };
    let quiet = run(&[]);
    assert_eq!((quiet.precision, quiet.recall, quiet.tools.len()), (Some(1.0), Some(1.0), 0));
    let busy = run(&["get_order"]);
    assert_eq!(busy.precision, Some(0.0));
    assert_eq!(
        (busy.confusion[0].wanted.as_deref(), busy.confusion[0].called.as_deref()),
        (None, Some("get_order"))
    );
}

#[test]
fn trials_that_confirm_a_suspect_count_nowhere() {
    let run = |confirms| {
        let mut fresh = trial("order", 4, &["list_orders"], false);
        fresh.0.confirms = confirms;
        fresh.0.trajectory = Some(Trajectory { errors: 9, ..Trajectory::default() });
        let trials = (1..=3).map(|n| trial("order", n, &["get_order"], true));
        wanting(run_of(trials.chain([fresh])), &[("order", &["get_order"], &[])])
    };
    let (all, kept) = (run(false), run(true));
    assert_eq!((tools(&all).trials, tools(&all).ways.errors), (4, 9));
    assert_eq!((tools(&kept).trials, tools(&kept).ways.errors), (3, 0));
    let rate = summary(&kept).rates.remove(0);
    assert_eq!((rate.trials, rate.passed, rate.effort[0].trials), (3, 3, 3));
    assert_eq!(summary(&all).rates[0].trials, 4);
    // They were paid for all the same: what the models took adds up to what the run took.
    let summary = summary(&kept);
    let [model] = summary.spending.models.as_slice() else { panic!("{:?}", summary.spending) };
    assert!(model.calls > 0);
    assert_eq!(model.calls, summary.usage.model_calls);
}

#[test]
fn ways_are_added_up() {
    let mut odd = trial("order", 1, &["get_order"], true);
    odd.0.trajectory = Some(Trajectory {
        turns: 4,
        errors: 2,
        recovered: 1,
        redundant: 3,
        unknown: vec![HOSTILE.to_owned()],
        looped: true,
        no_answer: true,
        ..Trajectory::default()
    });
    let mut older = trial("order", 2, &["get_order"], true);
    older.0.trajectory = None;
    let run = run_of([odd, older]);
    let found = tools(&run);
    assert_eq!((found.trials, found.precision), (0, None), "no case says what it wants");
    let ways = found.ways;
    assert_eq!((ways.trials, ways.errors, ways.recovered, ways.redundant), (1, 2, 1, 3));
    assert_eq!((ways.unknown_tool, ways.looped, ways.no_answer), (1, 1, 1));
    let summary = summary(&run);
    let told = summary.cases[0].trials[0].trajectory.as_ref().unwrap();
    assert!(!told.unknown[0].contains('\u{1b}'), "{:?}", told.unknown);
    assert_eq!(summary.cases[0].trials[1].trajectory, None);
    let rate = &summary.rates[0];
    assert_eq!((rate.first_try, rate.recovered, rate.way_unknown), (0, 1, 1));
}

#[test]
fn rates_say_what_is_undefined_and_nothing_is_nan() {
    let run =
        run_of((1..=20).flat_map(|case| (1..=3).map(move |n| trial(&format!("c{case:02}"), n, &[], true))));
    let rate = summary(&run).rates.remove(0);
    assert!((rate.failure_rate_below.unwrap() - 0.0487).abs() < 1e-4, "{rate:?}");
    assert_eq!((rate.icc, rate.icc_says), (None, None), "nothing varies");
    assert_eq!((rate.pass_at_1, rate.first_try, rate.recovered), (Some(1.0), 60, 0));
    let ks: Vec<(u64, bool)> = rate.curve.iter().map(|point| (point.k, point.projected)).collect();
    assert_eq!(ks, [(1, false), (2, false), (3, false), (5, true)]);
    let text = with_view(&run, |view| terminal::render(view, Style::Plain, 120));
    assert!(text.contains("60/60 passes: the failure rate of these cases could still be 4.9 %"), "{text}");

    let own = run_of(
        (1..=10).flat_map(|case| (1..=3).map(move |n| trial(&format!("c{case:02}"), n, &[], case > 3))),
    );
    let rate = summary(&own).rates.remove(0);
    assert_eq!((rate.icc, rate.failure_rate_below), (Some(1.0), None));
    assert!(rate.icc_says.unwrap().starts_with("failures belong to cases"));
    let erratic = run_of(
        (1..=10).flat_map(|case| (1..=4).map(move |n| trial(&format!("c{case:02}"), n, &[], n % 2 == 0))),
    );
    assert!(summary(&erratic).rates[0].icc_says.unwrap().starts_with("the agent is erratic"));

    let nothing = run_of([trial("a", 1, &[], true).faulted(Side::Model, "model.timeout", "no answer")]);
    let rate = summary(&nothing).rates.remove(0);
    assert_eq!(
        (rate.pass_rate, rate.pass_at_1, rate.invalid, rate.invalid_share),
        (None, None, 1, Some(1.0))
    );
    assert_eq!((rate.effort.len(), rate.curve.len()), (0, 0));
    for run in [&run, &own, &erratic, &nothing] {
        // What is packed into a page may hold any letters.
        for (name, bytes) in all(run).into_iter().filter(|(name, _)| *name != "html") {
            let text = String::from_utf8(bytes).unwrap();
            assert!(!text.contains("NaN") && !text.contains("inf,"), "{name}");
        }
    }
}

#[test]
fn dollars_per_passing_case_have_an_interval_drawn_by_case() {
    let run = run_of((1..=12).map(|case| trial(&format!("c{case:02}"), 1, &[], case % 2 == 0)));
    let summary = summary(&run);
    let model = &summary.spending.models[0];
    let (low, high) = (model.cost_per_passing_case_low.unwrap(), model.cost_per_passing_case_high.unwrap());
    assert_eq!(model.cost_per_passing_case, Some(0.0024));
    assert!(low < 0.0024 && 0.0024 < high && low >= 0.0012, "{low} {high}");
    let mut unpriced = run.clone();
    unpriced.results[0].cost = None;
    let model = &with_view(&unpriced, Summary::of).spending.models[0];
    assert_eq!((model.cost_per_passing_case, model.cost_per_passing_case_low), (None, None));
}

#[test]
fn denials_have_an_exact_interval() {
    let run = golden::golden();
    let summary = summary(&run);
    let told: Vec<(&str, u64, u64)> =
        summary.exact.iter().map(|rate| (rate.what, rate.held, rate.of)).collect();
    assert_eq!(told, [("denied", 0, 1), ("granted", 3, 4)]);
    assert_eq!(summary.exact[0].failure_rate_below, None);
    assert!((summary.exact[1].low - 0.194).abs() < 1e-3, "{:?}", summary.exact[1]);
}

/// Every rendering of a run.
fn all(run: &RunRecord) -> Vec<(&'static str, Vec<u8>)> {
    with_view(run, |view| {
        let summary = Summary::of(view);
        let files = FORMATS.iter().map(|format| {
            let mut bytes = vec![];
            format.write(&summary, &(), &mut bytes).unwrap();
            (format.name, bytes)
        });
        let text = terminal::render(view, Style::Plain, 100).into_bytes();
        files.chain([("terminal", text)]).collect()
    })
}

/// A run with everything this file is about, its trials in this order.
fn busy() -> RunRecord {
    let mut trials = vec![];
    for (index, model) in ["lexical", HOSTILE].into_iter().enumerate() {
        for number in 1..=4 {
            for (case, calls, passes) in [
                ("order", &["list_orders"][..], number > 2),
                ("list", &["list_orders"], true),
                ("never", &[HOSTILE], false),
            ] {
                let mut one = trial(case, number, calls, passes);
                one.0.header.model = Some(ModelName::from(model));
                one.0.header.key.trial = number + 10 * index as u32;
                one.0.took_ms = 100 * u64::from(number);
                trials.push(one);
            }
        }
    }
    let mut run = wanting(
        run_of(trials),
        &[("order", &["get_order"], &[]), ("list", &["list_orders"], &[]), ("never", &[HOSTILE], &[])],
    );
    let tools = ["get_order", HOSTILE, "unused"].map(Into::into).to_vec();
    run.manifest.surfaces =
        vec![SurfaceSeen { persona: "customer".into(), tools, later: vec![], digest: None, look: vec![] }];
    run
}

#[test]
fn two_renderings_are_the_same_bytes_whatever_the_order_of_the_trials() {
    let run = busy();
    let mut turned = busy();
    turned.results.reverse();
    assert_eq!(all(&run), all(&run));
    for ((name, one), (_, other)) in all(&run).into_iter().zip(all(&turned)) {
        assert!(one == other, "{name} depends on the order in which trials finished");
    }
}

#[test]
fn tools_and_health_read_well_in_markdown_and_in_a_terminal() {
    let mut run = busy();
    for result in &mut run.results {
        if result.header.model.as_ref().is_some_and(|model| model.as_str() != "lexical") {
            result.header.model = Some(ModelName::from("other"));
        }
        result.header.client = ClientName::from("reference");
    }
    let all = all(&run);
    let text = |name: &str| {
        let (_, bytes) = all.iter().find(|(known, _)| *known == name).unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    };
    insta::assert_snapshot!("health_markdown", text("markdown"));
    insta::assert_snapshot!("health_terminal", text("terminal"));
}

#[test]
fn what_is_hostile_stays_inert() {
    for (name, bytes) in all(&busy()) {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains('\u{9b}'), "{name}");
        assert!(
            name != "terminal" || text.lines().all(|line| !line.trim_start().starts_with("::")),
            "{text}"
        );
    }
}

const WEAK: &str = "\
version: 1
name: weak
target: {command: [server]}
personas: [anonymous]
clients: [reference]
models: [lexical]
judge: {model: scripted-judge, rubric: answers-question}
cases:
  - {id: first, prompt: Where is my parcel with the blue book?, expect: [tool_called: get_order]}
  - {id: again, prompt: where is MY parcel with the blue book, expect: [tool_called: get_order, max_calls: 2]}
  - {id: told, prompt: Please call get_order for me., expect: [tool_called: get_order]}
  - {id: words, prompt: Tell me a story., criteria: [{must: Tells a story., scripted: once}]}
";

fn check(suite: &str) -> (Option<i32>, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("suites")).unwrap();
    fs::write(dir.path().join("suites/weak.yaml"), suite).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["check", "weak"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn check_warns_of_what_a_suite_shows_and_stays_silent_about_a_sound_one() {
    let (code, told) = check(WEAK);
    assert_eq!(code, Some(0), "{told}");
    insta::assert_snapshot!("health_check", told);
    let sound = WEAK
        .replace("where is MY parcel with the blue book,", "When was order 1042 sent?,")
        .replace("Please call get_order for me.", "Is my order on its way?")
        .replace("criteria: [", "expect: [max_calls: 0], criteria: [");
    let (code, told) = check(&sound);
    assert_eq!((code, told.contains("warning")), (Some(0), false), "{told}");
}
