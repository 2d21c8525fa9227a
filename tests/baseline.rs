//! Baselines as a person uses them: accept, show, pin; what is refused, and what a broken file says.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

#[path = "support/nights.rs"]
mod nights;
#[path = "support/runs.rs"]
mod runs;

use std::fs;
use std::path::Path;
use std::process::Output;

use nights::{Lane, lane, rehearsal, run, stderr, stdout};
use rehearsal::plan::Shard;
use rehearsal::transcript::CaseKind;

const FILE: &str = "reports/baselines/bookshop.json";

fn usual() -> Vec<Lane> {
    let access = Lane { kind: CaseKind::Access, ..lane("access/clerk", [1, 1]) };
    let clerk = Lane { persona: "clerk".to_owned(), ..lane("late-order", [5, 5]) };
    vec![lane("late-order", [5, 5]), clerk, lane("refund", [4, 5]), access]
}

fn said(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(output), stderr(output));
    if code == 0 { stdout(output) } else { stderr(output) }
}

fn accept(project: &Path, more: &[&str]) -> Output {
    rehearsal(project, &[&["baseline", "accept"], more].concat())
}

#[test]
fn nights_are_accepted_shown_and_pinned() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    run(1, &usual()).write(project);
    let first = said(&accept(project, &["night-01", "--pin"]), 0);
    let mut second = run(2, &usual());
    second.lanes[2].asks = "v2".to_owned();
    second.lanes.push(lane("new-case", [12, 12]));
    second.manifest.surfaces[0].digest = None;
    second.write(project);
    let told = said(&accept(project, &["night-02"]), 0);
    insta::assert_snapshot!("baseline_accept", format!("{first}\n{told}"));
    let shown = said(&rehearsal(project, &["baseline", "show"]), 0);
    insta::assert_snapshot!("baseline_show", shown);
    insta::assert_snapshot!("baseline_file", fs::read_to_string(project.join(FILE)).unwrap());
    let json = said(&rehearsal(project, &["baseline", "show", "bookshop", "--format", "json"]), 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["pinned"].as_str(), json["lanes"].as_array().unwrap().len()), (Some("night-01"), 4));

    let mut third = run(3, &usual());
    third.lanes.remove(1);
    third.manifest.version = "0.2.0".to_owned();
    third.write(project);
    let beside = said(&rehearsal(project, &["baseline", "show", "night-03"]), 0);
    insta::assert_snapshot!("baseline_show_run", beside);
}

#[test]
fn the_pin_moves_and_goes() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    for night in [1, 2] {
        run(night, &usual()).write(project);
        said(&accept(project, &[&format!("night-0{night}")]), 0);
    }
    let pinned = || {
        let file: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(project.join(FILE)).unwrap()).unwrap();
        file["pinned"].as_str().map(str::to_owned)
    };
    said(&rehearsal(project, &["baseline", "pin", "bookshop"]), 0);
    assert_eq!(pinned().as_deref(), Some("night-02"));
    said(&rehearsal(project, &["baseline", "pin", "night-01"]), 0);
    assert_eq!(pinned().as_deref(), Some("night-01"));
    let several = said(&rehearsal(project, &["baseline", "pin", "night-"]), 2);
    assert!(several.contains("baseline.which"), "{several}");
    let none = said(&rehearsal(project, &["baseline", "pin", "night-09"]), 2);
    assert!(none.contains("baseline.unaccepted"), "{none}");
    said(&rehearsal(project, &["baseline", "pin", "bookshop", "--remove"]), 0);
    assert_eq!(pinned(), None);
}

#[test]
fn the_same_runs_in_any_order_give_the_same_file() {
    let text = |order: &[u32]| {
        let project = tempfile::tempdir().unwrap();
        for number in [1, 2, 3] {
            let mut night = run(number, &usual());
            night.lanes[0].asks = format!("v{}", number % 2);
            night.write(project.path());
        }
        for number in order {
            said(&accept(project.path(), &[&format!("night-0{number}")]), 0);
        }
        fs::read_to_string(project.path().join(FILE)).unwrap()
    };
    let first = text(&[1, 2, 3]);
    assert_eq!(text(&[3, 1, 2]), first);
    assert_eq!(text(&[2, 3, 1, 3]), first);
}

#[test]
fn what_should_not_become_the_measure_is_refused_without_a_reason() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    let refused = |number: u32, change: &dyn Fn(&mut nights::Run), code: &str| {
        let mut night = run(number, &usual());
        change(&mut night);
        night.write(project);
        let told = said(&accept(project, &[&format!("night-{number:02}")]), 2);
        assert!(told.contains(&format!("error[{code}]")), "{told}");
    };
    refused(1, &|run| run.lanes[0].trials = [1, 4, 0], "baseline.failed");
    refused(2, &|run| run.lanes[0].trials = [0, 0, 5], "baseline.inconclusive");
    refused(3, &|run| run.manifest.flaw = Some("vague-descriptions".to_owned()), "baseline.flaw");
    refused(4, &|run| run.manifest.tapes = vec!["models: replay".to_owned()], "baseline.tape");
    refused(5, &|run| run.manifest.shard = Some(Shard { index: 1, of: 2 }), "baseline.shard");
    refused(6, &|run| run.lanes.drain(..3).for_each(drop), "baseline.empty");
    assert!(!project.join(FILE).exists(), "nothing was written");
    let empty = said(&accept(project, &["night-01", "--force", " "]), 2);
    assert!(empty.contains("baseline.reason"), "{empty}");
    said(&accept(project, &["night-01", "--force", "the new model is known to be worse"]), 0);
    let shown = said(&rehearsal(project, &["baseline", "show"]), 0);
    assert!(shown.contains("accepted although it did not pass: the new"), "{shown}");
    // A recording that was made on the way is no repetition.
    let mut recorded = run(7, &usual());
    recorded.manifest.tapes = vec!["models: record".to_owned()];
    recorded.write(project);
    said(&accept(project, &["night-07"]), 0);
}

#[test]
fn a_broken_file_says_where() {
    let project = tempfile::tempdir().unwrap();
    let project = project.path();
    run(1, &usual()).write(project);
    let missing = said(&rehearsal(project, &["baseline", "show", "bookshop"]), 2);
    assert!(missing.contains("baseline.missing"), "{missing}");
    said(&accept(project, &[]), 0);
    let text = fs::read_to_string(project.join(FILE)).unwrap();
    let merged = text.replace("\"lanes\"", "<<<<<<< ours\n=======\n>>>>>>> theirs\n\"lanes\"");
    fs::write(project.join(FILE), merged).unwrap();
    let conflict = said(&accept(project, &[]), 2);
    assert!(conflict.contains("baseline.conflict") && conflict.contains("bookshop.json:7:1"), "{conflict}");
    fs::write(project.join(FILE), text.replacen("\"passed\":5", "\"passed\":50", 1)).unwrap();
    let edited = said(&rehearsal(project, &["baseline", "show"]), 2);
    assert!(edited.contains("50 of 5 trials cannot have passed") && edited.contains(".json:8:1"), "{edited}");
}
