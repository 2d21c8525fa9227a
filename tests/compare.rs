//! Comparisons as a person asks for them: runs, baselines, two models of one run.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

#[allow(dead_code, reason = "one kind of answer is enough here")]
#[path = "support/completions.rs"]
mod completions;
#[path = "support/nights.rs"]
mod nights;
#[path = "support/runs.rs"]
mod runs;

use std::path::Path;

use nights::{Lane, lane, rehearsal, run, stderr, stdout};
use rehearsal::ids::Digest;
use rehearsal::transcript::CaseKind;
use serde_json::Value;

fn compared(project: &Path, args: &[&str], code: i32) -> String {
    let output = rehearsal(project, &[&["compare"], args].concat());
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(&output), stderr(&output));
    if code == 0 { stdout(&output) } else { stderr(&output) }
}

fn json(project: &Path, args: &[&str]) -> Value {
    let text = compared(project, &[args, &["--format", "json"]].concat(), 0);
    assert!(!text.contains("NaN") && !text.contains("significant"), "{text}");
    serde_json::from_str(&text).unwrap()
}

fn access(case: &str, counts: [u32; 2]) -> Lane {
    Lane { kind: CaseKind::Access, ..lane(case, counts) }
}

/// Ten cases of which one breaks, one gets better, one changes, one goes and one comes.
fn two_nights(project: &Path) {
    let steady = |count: u32| (0..count).map(|at| lane(&format!("steady-{at}"), [5, 5]));
    let mut before: Vec<Lane> = steady(6).collect();
    before.extend([lane("breaks", [15, 15]), lane("mends", [0, 5]), lane("edited", [5, 5])]);
    before.extend([lane("removed", [5, 5]), access("access/clerk", [1, 1]), access("access/guest", [1, 1])]);
    run(1, &before).write(project);
    let mut now: Vec<Lane> = steady(6).collect();
    now[0].trials = [4, 0, 1];
    let edited = Lane { asks: "v2".to_owned(), ..lane("edited", [0, 5]) };
    now.extend([lane("breaks", [0, 5]), lane("mends", [5, 5]), edited, lane("new|`case`", [5, 5])]);
    now.extend([access("access/clerk", [0, 1]), access("access/guest", [1, 1])]);
    let mut second = run(2, &now);
    second.manifest.surfaces[0].digest = Some(Digest::of(b"other tools"));
    second.manifest.version = "0.2.0".to_owned();
    second.write(project);
}

#[test]
fn two_runs_are_compared_case_by_case() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    two_nights(project);
    let text = compared(project, &["night-01", "night-02"], 0);
    insta::assert_snapshot!("compare_runs", text);
    assert_eq!(compared(project, &["night-01", "night-02"], 0), text, "the same bytes");
    let markdown = compared(project, &["night-01", "night-02", "--format", "markdown"], 0);
    insta::assert_snapshot!("compare_runs_markdown", markdown);
    for text in [text, markdown] {
        assert!(!text.contains("NaN") && !text.contains("significant"), "{text}");
    }
    let found = json(project, &["night-01", "night-02"]);
    assert_eq!(found["question"], "these_cases");
    let part = &found["parts"][0];
    assert_eq!(part["comparison"]["cases"], 8);
    assert_eq!(part["comparison"]["losers"][0]["case"], "breaks");
    assert_eq!(part["comparison"]["excluded"]["changed"], serde_json::json!(["edited"]));
    assert_eq!(found["exact"]["lost"].as_array().unwrap().len(), 1);
}

#[test]
fn a_loss_fails_only_where_it_is_asked_for() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    two_nights(project);
    let told = compared(project, &["night-01", "night-02", "--fail-on-loss"], 1);
    assert!(told.contains("compare.loss") && told.contains("breaks"), "{told}");
    compared(project, &["night-02", "night-01@gpt", "--question", "like-these"], 0);
    run(3, &[lane("a", [5, 5])]).write(project);
    run(4, &[lane("a", [4, 5])]).write(project);
    compared(project, &["night-03", "night-04", "--fail-on-loss"], 0);
}

#[test]
fn two_models_of_one_run_are_asked_about_cases_like_these() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    let claude = |at: u32| Lane { model: "claude".to_owned(), ..lane(&format!("case-{at}"), [5, 5]) };
    let gpt = |at: u32| lane(&format!("case-{at}"), [if at.is_multiple_of(2) { 2 } else { 5 }, 5]);
    let lanes: Vec<Lane> = (0..12).flat_map(|at| [claude(at), gpt(at)]).collect();
    run(1, &lanes).write(project);
    let text = compared(project, &["night-01", "--model-a", "claude", "--model-b", "gpt"], 0);
    insta::assert_snapshot!("compare_models", text);
    let found = json(project, &["night-01@claude", "night-01@gpt"]);
    assert_eq!(found["question"], "cases_like_these");
    assert_eq!(found["parts"][0]["models"], serde_json::json!(["claude", "gpt"]));
    assert_eq!(found["parts"][0]["finding"], "worse");
    assert_eq!(found["parts"][0]["comparison"]["cases"], 12);
}

#[test]
fn personas_of_one_run_are_compared_by_case() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    let clerk = |at: u32| Lane { persona: "clerk".to_owned(), ..lane(&format!("case-{at}"), [5, 5]) };
    let lanes: Vec<Lane> = (0..4).flat_map(|at| [clerk(at), lane(&format!("case-{at}"), [3, 5])]).collect();
    run(1, &lanes).write(project);
    let found = json(project, &["night-01@persona=clerk", "night-01@persona=customer"]);
    assert_eq!(found["parts"][0]["comparison"]["cases"], 4);
    assert_eq!(found["parts"][0]["comparison"]["change"]["diff"], -0.4);
}

#[test]
fn a_run_is_not_compared_with_itself_in_a_baseline() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    for (night, passed) in [(1, 5), (2, 5), (3, 4)] {
        run(night, &[lane("a", [passed, 5]), lane("b", [5, 5])]).write(project);
        let accepted = rehearsal(project, &["baseline", "accept", &format!("night-0{night}")]);
        assert!(accepted.status.success(), "{}", stderr(&accepted));
    }
    let found = json(project, &["baseline:bookshop", "night-03"]);
    let comparison = &found["parts"][0]["comparison"];
    assert_eq!(
        (&comparison["baseline"]["trials"], &comparison["candidate"]["trials"]),
        (&20.into(), &10.into())
    );
    let file = json(project, &["reports/baselines/bookshop.json", "night-03"]);
    assert_eq!(file["parts"], found["parts"]);
    let pinned = compared(project, &["pinned:bookshop", "night-03"], 2);
    assert!(pinned.contains("baseline.unpinned"), "{pinned}");
    rehearsal(project, &["baseline", "pin", "night-01"]);
    let pinned = json(project, &["pinned:bookshop", "night-03"]);
    assert_eq!(pinned["parts"][0]["comparison"]["baseline"]["trials"], 10);
}

#[test]
fn wrong_sides_are_refused_with_what_to_do() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    run(1, &[lane("a", [5, 5])]).write(project);
    run(2, &[lane("a", [5, 5])]).write(project);
    for (args, code) in [
        (vec!["night-01"], "compare.same"),
        (vec!["night-01", "night-01"], "compare.same"),
        (vec!["night-01", "night-01@model=gpt,colour=red"], "compare.part"),
        (vec!["night-02", "night-01@llama"], "compare.no-part"),
        (vec!["night-01", "night-07"], "run.not-found"),
        (vec!["baseline:nothing", "night-01"], "baseline.missing"),
    ] {
        let told = compared(project, &args, 2);
        assert!(told.contains(&format!("error[{code}]")), "{args:?}: {told}");
    }
}

#[test]
fn nothing_in_common_is_said() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    run(1, &[lane("a", [5, 5])]).write(project);
    run(2, &[lane("b", [5, 5])]).write(project);
    let text = compared(project, &["night-01", "night-02"], 0);
    assert!(
        text.contains("nothing in common") && text.contains("1 new, only on the later side: b"),
        "{text}"
    );
    run(3, &[Lane { model: "claude".to_owned(), ..lane("a", [0, 0]) }, lane("c", [5, 5])]).write(project);
    let text = compared(project, &["night-01", "night-03"], 0);
    assert!(text.contains("nothing in common"), "{text}");
}

#[test]
fn a_comparison_of_one_trial_each_holds() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    run(1, &[lane("a", [1, 1])]).write(project);
    run(2, &[lane("a", [0, 1])]).write(project);
    let text = compared(project, &["night-01", "night-02"], 0);
    assert!(text.contains("not told apart") && !text.contains("NaN"), "{text}");
    let like = compared(project, &["night-01", "night-02", "--question", "like-these"], 0);
    assert!(like.contains("no interval") && !like.contains("NaN"), "{like}");
}

/// A judge over HTTP that prefers the side which names the day; one that is `fickle` always prefers what it is shown first.
struct Judge {
    fickle: bool,
}

impl wiremock::Respond for Judge {
    fn respond(&self, request: &wiremock::Request) -> wiremock::ResponseTemplate {
        let asked: Value = request.body_json().unwrap();
        let prompt: String =
            asked["messages"].as_array().unwrap().iter().filter_map(|one| one["content"].as_str()).collect();
        let token = prompt.lines().find_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            Some(line["canary"].as_str()?.to_owned())
        });
        let first = prompt.split("===== END 1").next().unwrap().contains("28 November");
        let better = if self.fickle || first { "first" } else { "second" };
        let answer = serde_json::json!({"canary": token, "reason": "it names the day", "better": better});
        wiremock::ResponseTemplate::new(200).set_body_json(completions::said(&answer.to_string()))
    }
}

fn judged(fickle: bool) -> (String, Value) {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(async {
        let server = wiremock::MockServer::start().await;
        wiremock::Mock::given(wiremock::matchers::any()).respond_with(Judge { fickle }).mount(&server).await;
        server
    });
    std::fs::create_dir_all(project.join("evals/models")).unwrap();
    let model = format!("{{dialect: openai, id: m, base_url: '{}/v1'}}\n", server.uri());
    std::fs::write(project.join("evals/models/other.yaml"), model).unwrap();
    let lanes = |passed| (0..6).map(|at| lane(&format!("case-{at}"), [passed, 1])).collect::<Vec<_>>();
    run(1, &lanes(1)).write(project);
    run(2, &lanes(0)).write(project);
    let args = ["night-01", "night-02", "--judge", "other"];
    (compared(project, &args, 0), json(project, &args))
}

#[test]
fn a_judge_prefers_answers_in_both_orders() {
    let (text, found) = judged(false);
    let preferred = &found["preferred"];
    assert_eq!(
        (&preferred["before"], &preferred["now"], &preferred["ties"]),
        (&6.into(), &0.into(), &0.into())
    );
    assert_eq!(preferred["p_worse"], 0.015_625);
    assert!(text.contains("Judged by other. The judge prefers the later side in 0 pairs"), "{text}");
    let (text, found) = judged(true);
    assert_eq!((&found["preferred"]["ties"], &found["preferred"]["flipped"]), (&6.into(), &6.into()));
    assert!(text.contains("it changed its mind with the order"), "{text}");
}

#[test]
fn a_judge_needs_answers() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    run(1, &[lane("a", [5, 5])]).write(project);
    run(2, &[lane("b", [5, 5])]).write(project);
    let told = compared(project, &["night-01", "night-02", "--judge", "scripted-judge"], 2);
    assert!(told.contains("compare.no-answers"), "{told}");
}
