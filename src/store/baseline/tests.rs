//! What is pooled, what is set aside, and what a file survives.

use std::path::Path;

use super::*;
use crate::store::outcomes::LaneOutcome;
use crate::transcript::CaseKind;

fn print(seed: &str) -> LanePrint {
    LanePrint { question: Digest::of(seed.as_bytes()), model: Digest::of(b"m"), score: Digest::of(b"s") }
}

fn key(case: &str) -> LaneKey {
    LaneKey {
        case: case.into(),
        model: Some("gpt".into()),
        persona: "customer".into(),
        client: "baseline".into(),
    }
}

fn outcome(case: &str, seed: &str, [passed, trials]: [u64; 2]) -> LaneOutcome {
    LaneOutcome {
        kind: CaseKind::Use,
        key: key(case),
        print: print(seed),
        tags: vec![],
        tally: Tally { trials, passed },
        invalid: 0,
        missing: 0,
        confirms: Tally { trials: 5, passed: 0 },
        expected_failure: false,
    }
}

fn night(number: u32) -> Night {
    let surfaces = [("customer".into(), Some(Digest::of(b"surface")))].into();
    let prints = Prints { version: "0.1.0".to_owned(), surfaces, ..Prints::default() };
    Night {
        run: format!("run-{number:03}").as_str().into(),
        started: format!("2026-01-01T00:00:00.{number:03}Z"),
        forced: None,
        prints,
    }
}

fn with(nights: &[(u32, &str, [u64; 2])]) -> Baseline {
    let mut baseline = Baseline::new("bookshop".into());
    for (number, seed, counts) in nights {
        baseline.accept(night(*number), &[outcome("a", seed, *counts)]);
    }
    baseline
}

fn pooled(baseline: &Baseline, seed: &str) -> (Tally, u32, Status, u32) {
    let Pooled { tally, nights, status, left_out } = baseline.pool(&key("a"), &print(seed));
    (tally, nights, status, left_out)
}

fn tally(passed: u64, trials: u64) -> Tally {
    Tally { trials, passed }
}

#[test]
fn nights_are_pooled_newest_first_up_to_thirty_trials() {
    let baseline = with(&[(1, "v1", [0, 10]), (2, "v1", [10, 10]), (3, "v1", [9, 10]), (4, "v1", [10, 10])]);
    assert_eq!(pooled(&baseline, "v1"), (tally(29, 30), 3, Status::Same, 0));
}

#[test]
fn one_night_is_pooled_however_large() {
    let baseline = with(&[(1, "v1", [40, 40]), (2, "v1", [49, 50])]);
    assert_eq!(pooled(&baseline, "v1"), (tally(49, 50), 1, Status::Same, 0));
}

#[test]
fn a_single_trial_is_a_thin_history() {
    let baseline = with(&[(1, "v1", [1, 1])]);
    let pooled = baseline.pool(&key("a"), &print("v1"));
    assert_eq!((pooled.tally, pooled.is_thin()), (tally(1, 1), true));
    assert!(!with(&[(1, "v1", [9, 10])]).pool(&key("a"), &print("v1")).is_thin());
}

#[test]
fn another_case_under_the_name_is_set_aside_and_comes_back_with_it() {
    let baseline = with(&[(1, "v1", [5, 5]), (2, "v2", [3, 5])]);
    assert_eq!(pooled(&baseline, "v2"), (tally(3, 5), 1, Status::Same, 1));
    assert_eq!(pooled(&baseline, "v1"), (tally(5, 5), 1, Status::Same, 1));
    let other = baseline.pool(&key("a"), &LanePrint { score: Digest::of(b"new"), ..print("v2") });
    assert_eq!((other.status, other.left_out), (Status::Changed(Changed::Score), 2));
    assert_eq!(pooled(&baseline, "v3").2, Status::Changed(Changed::Question));
}

#[test]
fn a_night_without_a_valid_trial_says_nothing() {
    let baseline = with(&[(1, "v1", [0, 0])]);
    assert_eq!(pooled(&baseline, "v1"), (tally(0, 0), 0, Status::New, 0));
    assert_eq!(baseline.pool(&key("b"), &print("v1")).status, Status::New);
}

#[test]
fn nights_with_another_surface_or_harness_are_left_out() {
    let mut baseline = with(&[(1, "v1", [5, 5])]);
    let mut other = night(2);
    other.prints.surfaces.insert("customer".into(), Some(Digest::of(b"new tools")));
    baseline.accept(other.clone(), &[outcome("a", "v1", [4, 5])]);
    assert_eq!(pooled(&baseline, "v1"), (tally(4, 5), 1, Status::Same, 1));
    other = Night { run: "run-003".into(), started: "2026-01-02T00:00:00Z".to_owned(), ..other };
    other.prints.version = "0.2.0".to_owned();
    baseline.accept(other, &[outcome("a", "v1", [3, 5])]);
    assert_eq!(pooled(&baseline, "v1"), (tally(3, 5), 1, Status::Same, 2));
}

#[test]
fn the_order_of_accepting_does_not_matter() {
    let nights = [(1, "v1", [5, 5]), (2, "v2", [4, 5]), (3, "v1", [3, 5]), (4, "v1", [2, 5])];
    let first = written(&with(&nights));
    let mut other = nights;
    for _ in 0..nights.len() {
        other.rotate_left(1);
        assert_eq!(written(&with(&other)), first);
        other.swap(0, 2);
        assert_eq!(written(&with(&other)), first);
    }
    assert_eq!(written(&with(&[nights, nights].concat())), first, "twice is once");
}

#[test]
fn old_nights_are_dropped_but_for_the_pinned_ones() {
    let nights: Vec<(u32, &str, [u64; 2])> = (1..=40).map(|number| (number, "v1", [1, 1])).collect();
    assert_eq!(with(&nights).nights.len(), NIGHTS_KEPT);
    let mut baseline = with(&nights[..5]);
    assert!(baseline.pin(&"run-003".into()));
    assert!(!baseline.pin(&"run-999".into()));
    for (number, seed, counts) in &nights[5..] {
        baseline.accept(night(*number), &[outcome("a", seed, *counts)]);
    }
    assert_eq!(baseline.nights.len(), NIGHTS_KEPT + 3);
    let pinned = baseline.pool_against(&key("a"), &print("v1"), Against::Pinned);
    assert_eq!((pooled(&baseline, "v1").0, pinned.tally), (tally(30, 30), tally(3, 3)));
}

#[test]
fn access_and_confirming_trials_never_enter() {
    let mut baseline = Baseline::new("bookshop".into());
    let access = LaneOutcome { kind: CaseKind::Access, ..outcome("access", "v1", [1, 1]) };
    let done = baseline.accept(night(1), &[access, outcome("a", "v1", [3, 3])]);
    assert_eq!((done.lanes, baseline.lanes.len()), (1, 1));
    assert_eq!(pooled(&baseline, "v1").0, tally(3, 3));
}

#[test]
fn drift_is_named_part_by_part() {
    let baseline = with(&[(1, "v1", [5, 5])]);
    let mut now = night(2).prints;
    assert_eq!(baseline.drift(&now), vec![]);
    now.version = "0.2.0".to_owned();
    now.suite = Some(Digest::of(b"suite"));
    now.surfaces.insert("customer".into(), None);
    now.surfaces.insert("new persona".into(), None);
    let parts: Vec<Part> = baseline.drift(&now).iter().map(|drift| drift.part).collect();
    assert_eq!(parts, [Part::Server, Part::Harness, Part::Suite]);
    assert_eq!(Baseline::new("bookshop".into()).drift(&now), vec![]);
    let (a, b) = ((key("a"), print("v2")), (key("b"), print("v1")));
    let cases = baseline.drift_of_cases([(&a.0, &a.1), (&b.0, &b.1)]);
    let names: Vec<&str> = cases.iter().map(|drift| drift.name.as_str()).collect();
    assert_eq!(names, ["a (gpt)", "b (gpt)"]);
    let gone = baseline.drift_of_cases([(&b.0, &b.1)]);
    assert_eq!(
        gone.iter().map(|drift| drift.message.as_str()).collect::<Vec<_>>(),
        ["is new", "is not run any more"]
    );
}

#[test]
fn a_file_survives_writing_and_reading() {
    let mut baseline = with(&[(1, "v1", [5, 5]), (2, "v2", [3, 5])]);
    baseline.pin(&"run-001".into());
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(folder.path(), &"bookshop".into());
    assert_eq!(read(&file), Ok(None));
    baseline.write(&file).expect("written");
    assert_eq!(read(&file), Ok(Some(baseline)));
    let empty = Baseline::new("bookshop".into());
    empty.write(&file).expect("written");
    assert_eq!(read(&file), Ok(Some(empty)));
}

fn refused(text: &str) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("b.json");
    #[expect(clippy::disallowed_methods, reason = "a test writes its own file")]
    std::fs::write(&file, text).expect("written");
    let error = read(&file).expect_err("refused");
    assert_eq!(Path::new(&*error.at.file), file);
    (format!("{} {}:{}", error.code, error.at.line, error.at.column), error.message)
}

#[test]
fn what_people_and_merges_leave_behind_is_refused_with_its_place() {
    let text = written(&with(&[(1, "v1", [5, 5]), (2, "v1", [3, 5])]));
    let lane = text.lines().position(|line| line.starts_with("{\"case\"")).expect("a lane") + 1;
    let merged = text.replace("\"lanes\"", "<<<<<<< HEAD\n\"lanes\"");
    assert_eq!(refused(&merged).0, format!("baseline.conflict {}:1", lane - 1));
    let typo = text.replace("\"passed\":5", "\"pased\":5");
    let (at, message) = refused(&typo);
    assert!(at.starts_with(&format!("baseline.broken {lane}:")), "{at}");
    assert!(message.contains("unknown field `pased`"), "{message}");
    let many = text.replace("\"passed\":5", "\"passed\":6");
    assert_eq!(
        refused(&many),
        (format!("baseline.broken {lane}:1"), "case `a`: 6 of 5 trials cannot have passed".to_owned())
    );
    let unknown = text.replacen("run-001", "run-009", 1);
    assert!(refused(&unknown).1.contains("is not among the nights"));
    assert_eq!(refused("{\"schema\": 99, \"new\": 1}").0, "baseline.newer 1:1");
    assert!(refused("").0.starts_with("baseline.broken 1:"));
    assert!(refused("[1,2").0.starts_with("baseline.broken 1:"));
    assert!(refused(&"[".repeat(100_000)).0.starts_with("baseline.broken 1:"));
}

#[test]
fn names_say_persona_and_client_only_where_there_are_several() {
    let clerk = LaneKey { persona: "clerk".into(), ..key("a") };
    let keys = [key("a"), clerk.clone(), key("b")];
    let found = names(&keys);
    assert_eq!(found[&clerk], "a as clerk");
    assert_eq!(found[&key("b")], "b");
    let other = LaneKey { client: "cursor".into(), ..key("b") };
    assert_eq!(names([&key("b"), &other])[&other], "b in cursor");
}
