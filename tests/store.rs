//! Run files: round trips, crashes, full disks, two writers, damage.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may stop and touch its own files")]

#[path = "support/runs.rs"]
mod runs;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rehearsal::drive::Journal;
use rehearsal::ids::{Digest, ScoreKey};
use rehearsal::score::Outcome;
use rehearsal::store::record::{CaseResult, Ending, JudgeSpend, Stop};
use rehearsal::store::{
    Kept, Packed, PackedVerdict, Reader, Store, StoreError, check, history, layout, prune,
};
use rehearsal::transcript::{End, Event, Fault, Secrets, Side, Usage, What};
use runs::{key, manifest, planned, transcript, verdict};

fn files(dir: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn judged() -> JudgeSpend {
    let usage = Usage { input: 50, output: 5, cached: 0, reasoning: 0, reported: true, ..Usage::default() };
    JudgeSpend { calls: 1, usage, cost: Some(0.25) }
}

#[tokio::test]
async fn everything_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = layout::run_file(dir.path(), &"bookshop".into(), &"run-1".into());
    let plan = planned(3);
    let store = Store::create(&path, &manifest("run-1"), &plan).unwrap();
    let done = Arc::new(transcript(0, End::Done));
    for event in done.events.iter().filter(|event| matches!(event.what, What::ModelSaid { .. })) {
        store.model_replied(key(0), event).await.unwrap();
    }
    assert_eq!(store.reader().unwrap().replies(key(0)).unwrap().len(), 2, "paid work is on disk at once");
    assert_eq!(store.finished(Arc::clone(&done)).await, Ok(Kept::Stored));
    assert!(store.reader().unwrap().replies(key(0)).unwrap().is_empty(), "charged once");
    store.scored(key(0), &verdict(Outcome::Fail), judged()).await.unwrap();
    store.finished(Arc::new(transcript(1, End::Done))).await.unwrap();
    let stop = Stop { code: "run.budget".to_owned(), message: "the budget is spent".to_owned() };
    store.stopped(&stop).await.unwrap();
    store.ended(&Ending { at: "2026-01-01T00:00:09Z".to_owned(), exit: 3 }).await.unwrap();
    store.close().await.unwrap();

    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.transcript(key(0)).unwrap().as_ref(), Some(&*done));
    assert_eq!(reader.transcript(key(2)).unwrap(), None);
    assert_eq!(reader.ended_keys(0, 10).unwrap(), [Some(key(0)), Some(key(1))]);
    assert_eq!(reader.ended_keys(1, 1).unwrap(), [Some(key(1))]);
    assert_eq!(reader.ended_keys(2, 10).unwrap(), [], "what has not ended is not there");
    let all = reader.ended().unwrap();
    assert_eq!(
        all.iter().map(|(header, outcome)| (header.key, *outcome)).collect::<Vec<_>>(),
        [(key(0), Some(Outcome::Fail)), (key(1), None)]
    );
    let first = &plan[0].header.case;
    let own: Vec<_> = all.into_iter().filter(|(header, _)| header.case == *first).collect();
    assert_eq!(reader.ended_of(|name| name == first).unwrap(), own);
    assert_eq!(reader.ended_of(|_| false).unwrap(), []);
    let record = reader.record().unwrap();
    assert_eq!(record.manifest, manifest("run-1"));
    assert_eq!(record.stops, [stop]);
    assert_eq!(record.missing, [plan[2].header.clone()]);
    let first = CaseResult::of(&done, plan[0].clone()).scored(verdict(Outcome::Fail), judged());
    let second = CaseResult::of(&transcript(1, End::Done), plan[1].clone());
    assert_eq!(record.results, [first, second]);
    assert_eq!(record.results[0].tool_calls, ["get_order", "no_such_tool"]);
    assert_eq!(record.results[0].cost, Some(0.5));
    let done = reader.done_keys().unwrap();
    assert_eq!(done.get(&key(0)), Some(&Some(verdict(Outcome::Fail).score_key)));
    assert_eq!((done.get(&key(1)), done.get(&key(2))), (Some(&None), None));
    let all: Vec<_> = reader.transcripts().unwrap().map(|item| item.unwrap().1.header.key).collect();
    assert_eq!(all, [key(0), key(1)]);
}

#[tokio::test]
async fn a_clean_end_leaves_one_private_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = layout::run_file(&dir.path().join("reports"), &"bookshop".into(), &"run-1".into());
    let store = Store::create(&path, &manifest("run-1"), &planned(1)).unwrap();
    let folder = path.parent().unwrap();
    assert!(files(folder).contains("run-1.sqlite.lock"));
    store.finished(Arc::new(transcript(0, End::Done))).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(files(folder), BTreeSet::from(["run-1.sqlite".to_owned()]));
    Reader::open(&path).unwrap().record().unwrap();
    assert_eq!(files(folder), BTreeSet::from(["run-1.sqlite".to_owned()]), "reading leaves nothing either");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(folder)), (0o600, 0o700));
    let late = store.scored(key(0), &verdict(Outcome::Pass), judged()).await.unwrap_err();
    assert_eq!(late.code(), "store.closed");
}

#[tokio::test]
async fn trials_that_end_together_share_a_sync() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run-1.sqlite");
    let store = Store::create(&path, &manifest("run-1"), &planned(1000)).unwrap();
    let trials: Vec<_> = (0..1000).map(|number| Arc::new(transcript(number, End::Done))).collect();
    let ends = trials.into_iter().map(|trial| store.finished(trial));
    assert!(futures::future::join_all(ends).await.iter().all(Result::is_ok));
    let pass = verdict(Outcome::Pass);
    let before = store.commits();
    let scores = (0..1000).map(|number| store.scored(key(number), &pass, JudgeSpend::default()));
    assert!(futures::future::join_all(scores).await.iter().all(Result::is_ok));
    assert!(store.commits() - before < 100, "{} syncs for 1000 verdicts", store.commits() - before);
    let record = store.reader().unwrap().record().unwrap();
    assert_eq!((record.results.len(), record.missing.len()), (1000, 0));
    assert!(record.results.is_sorted_by(|a, b| a.order() <= b.order()));
}

#[tokio::test]
async fn only_missing_data_may_be_replaced_and_what_it_cost_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run-1.sqlite");
    let store = Store::create(&path, &manifest("run-1"), &planned(2)).unwrap();
    let reader = store.reader().unwrap();
    let said = |number| {
        let events = transcript(number, End::Done).events;
        events.into_iter().find(|event| matches!(event.what, What::ModelSaid { .. })).unwrap()
    };
    // Interrupted: nothing is kept but what was paid.
    store.model_replied(key(0), &said(0)).await.unwrap();
    let cut = store.finished(Arc::new(transcript(0, End::Interrupted))).await;
    assert_eq!(cut, Ok(Kept::SetAside));
    assert_eq!(reader.record().unwrap().missing.len(), 2);
    assert_eq!(reader.wasted().unwrap().cost(), 0.25);
    // The model's API broke: invalid, and not done.
    let fault = Fault::new(Side::Model, "model.rate-limited", "too many requests");
    store.model_replied(key(0), &said(0)).await.unwrap();
    store.finished(Arc::new(transcript(0, End::Faulted(fault)))).await.unwrap();
    store.scored(key(0), &verdict(Outcome::Invalid), judged()).await.unwrap();
    assert!(reader.done_keys().unwrap().is_empty());
    assert_eq!(reader.record().unwrap().results[0].outcome, Some(Outcome::Invalid));
    // Again, and well.
    store.finished(Arc::new(transcript(0, End::Done))).await.unwrap();
    assert_eq!(reader.record().unwrap().results[0].outcome, None, "the old score went with its transcript");
    assert_eq!(reader.done_keys().unwrap().get(&key(0)), Some(&None));
    let wasted = reader.wasted().unwrap();
    assert_eq!((wasted.calls, wasted.cost()), (1 + 2 + 1, 0.25 + 0.5 + 0.25));
    let record = reader.record().unwrap();
    assert_eq!(record.wasted, wasted);
    let results: f64 = record.results.iter().filter_map(|result| result.cost).sum();
    assert_eq!(reader.money().unwrap().0, Some(results + wasted.cost()), "what was paid is the total");
    // Settled for good: the target broke it, or it is done.
    let twice = store.finished(Arc::new(transcript(0, End::Done))).await.unwrap_err();
    assert_eq!(twice, StoreError::Duplicate { key: key(0) });
    let fault = Fault::new(Side::Server, "target.died", "the server ended");
    store.finished(Arc::new(transcript(1, End::Faulted(fault)))).await.unwrap();
    assert!(store.finished(Arc::new(transcript(1, End::Done))).await.is_err());
    // Refused whole: a verdict that comes with its transcript does not stand on another one.
    let packed = |end| Packed::of(&transcript(1, end)).unwrap();
    let failed = || PackedVerdict::of(key(1), &verdict(Outcome::Fail), &judged()).unwrap();
    assert!(store.keep(packed(End::Done), Some(failed())).await.is_err());
    assert_eq!(reader.done_keys().unwrap().get(&key(1)), Some(&None), "it has no verdict");
    // A judge's fault is scored again, and both judgements were paid.
    store.scored(key(0), &verdict(Outcome::Invalid), judged()).await.unwrap();
    assert_eq!(reader.done_keys().unwrap().get(&key(0)), Some(&None));
    store.scored(key(0), &verdict(Outcome::Pass), judged()).await.unwrap();
    assert!(reader.done_keys().unwrap()[&key(0)].is_some());
    assert_eq!(reader.wasted().unwrap().calls, 5);
    // Another file that takes the run over takes over what was paid in vain.
    let other = dir.path().join("run-2.sqlite");
    let joined = Store::create(&other, &manifest("run-2"), &planned(2)).unwrap();
    for waste in reader.waste().unwrap() {
        joined.wasted(waste).await.unwrap();
    }
    assert_eq!(joined.reader().unwrap().wasted().unwrap(), reader.wasted().unwrap());
    assert_eq!(check::check(&path, &Secrets::default()).unwrap(), []);
}

#[tokio::test]
async fn refusals_leave_the_store_working() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run-1.sqlite");
    let store = Store::create(&path, &manifest("run-1"), &planned(1)).unwrap();
    let early = store.scored(key(0), &verdict(Outcome::Pass), judged()).await.unwrap_err();
    assert_eq!(early, StoreError::Unfinished { key: key(0) });
    let alien = store.finished(Arc::new(transcript(9, End::Done))).await.unwrap_err();
    assert_eq!(alien, StoreError::Unplanned { key: key(9) });
    assert!(early.is_bug() && alien.is_bug());
    store.finished(Arc::new(transcript(0, End::Done))).await.unwrap();
    let again = Store::open(&path).unwrap_err();
    assert_eq!(again, StoreError::Locked { path: path.clone(), pid: Some(std::process::id()) });
    store.close().await.unwrap();
    let exists = Store::create(&path, &manifest("run-1"), &planned(1)).unwrap_err();
    assert_eq!(exists.code(), "store.exists");
    assert_eq!(files(dir.path()), BTreeSet::from(["run-1.sqlite".to_owned()]));
    let record = Reader::open(&path).unwrap().record().unwrap();
    assert_eq!(record.results.len(), 1, "the refused creation changed nothing");
}

#[tokio::test]
async fn a_changed_plan_keeps_results_and_drops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run-1.sqlite");
    let store = Store::create(&path, &manifest("run-1"), &planned(2)).unwrap();
    for number in 0..2 {
        store.finished(Arc::new(transcript(number, End::Done))).await.unwrap();
    }
    let stop = Stop { code: "run.interrupted".to_owned(), message: "stopped".to_owned() };
    store.stopped(&stop).await.unwrap();
    store.close().await.unwrap();
    let store = Store::open(&path).unwrap();
    let mut plan = planned(3);
    plan.remove(0);
    plan[0].score_key = ScoreKey(Digest::of(b"edited"));
    store.replan(&plan).await.unwrap();
    let reader = store.reader().unwrap();
    let record = reader.record().unwrap();
    assert_eq!(record.results.iter().map(|result| result.header.key).collect::<Vec<_>>(), [key(1)]);
    assert_eq!((record.missing.len(), record.stops.as_slice()), (1, &[stop][..]));
    assert_eq!(reader.planned().unwrap(), plan);
    assert_eq!(reader.wasted().unwrap().calls, 2, "the trial that left the plan was paid");
    store.replan(&planned(3)).await.unwrap();
    assert_eq!(reader.record().unwrap().results.len(), 2, "and is there when it comes back");
    store.finished(Arc::new(transcript(2, End::Done))).await.unwrap();
    assert_eq!(reader.record().unwrap().stops, [], "a run that was resumed to its end did not stop");
}

/// A run with three trials: two scored, one driven with odd content.
async fn sample(path: &Path, odd: impl FnOnce(&mut Vec<Event>)) {
    let store = Store::create(path, &manifest("run-1"), &planned(4)).unwrap();
    for (number, outcome) in [(0, Outcome::Pass), (1, Outcome::Fail)] {
        store.finished(Arc::new(transcript(number, End::Done))).await.unwrap();
        store.scored(key(number), &verdict(outcome), judged()).await.unwrap();
    }
    let mut last = transcript(2, End::Done);
    odd(&mut last.events);
    store.finished(Arc::new(last)).await.unwrap();
    store.close().await.unwrap();
}

fn invariants(path: &Path, secrets: &Secrets) -> BTreeSet<&'static str> {
    check::check(path, secrets).unwrap().into_iter().map(|broken| broken.invariant).collect()
}

#[tokio::test]
async fn every_broken_invariant_is_found() {
    let event = serde_json::to_string(&transcript(0, End::Done).events[1]).unwrap();
    let twice = format!("INSERT INTO replies VALUES (1, 0, 1, '{}')", event.replace('\'', "''"));
    let breaks = [
        ("I1", "UPDATE trials SET key = 'x' || key WHERE id = 1"),
        ("I1", "UPDATE verdicts SET score_key = 'x' WHERE trial = 1"),
        ("I2", "UPDATE transcripts SET facts = replace(facts, '\"calls\":2', '\"calls\":1') WHERE trial = 1"),
        ("I2", &twice),
        ("I3", "UPDATE transcripts SET cost = 99 WHERE trial = 1"),
        ("I3", "UPDATE transcripts SET tokens_out = tokens_out + 1 WHERE trial = 1"),
        ("I4", "UPDATE run SET wanted = 9"),
        ("I4", "UPDATE verdicts SET outcome = 'pass' WHERE trial = 2"),
        ("I5", "DELETE FROM transcripts WHERE trial = 1"),
        ("I6", "UPDATE transcripts SET body = zeroblob(20) WHERE trial = 1"),
        ("I6", "UPDATE transcripts SET digest = replace(digest, substr(digest, 1, 1), 'z') WHERE trial = 1"),
        ("I6", "UPDATE verdicts SET verdict = replace(verdict, 'fail', 'pass') WHERE trial = 2"),
        ("I6", "UPDATE run SET manifest = replace(manifest, 'bookshop', 'bookstop')"),
        ("I6", "UPDATE trials SET planned = replace(planned, 'customer', 'clerk') WHERE id = 1"),
        ("I6", "INSERT INTO replies VALUES (4, 1, 0, 'torn')"),
        ("file", "INSERT INTO replies VALUES (99, 1, 0, 'x')"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole.sqlite");
    sample(&whole, |_| {}).await;
    assert_eq!(check::check(&whole, &Secrets::default()).unwrap(), []);
    for (number, (invariant, sql)) in breaks.iter().enumerate() {
        let path = dir.path().join(format!("{number}.sqlite"));
        std::fs::copy(&whole, &path).unwrap();
        let conn = rusqlite::Connection::open(&path).unwrap();
        conn.pragma_update(None, "foreign_keys", false).unwrap();
        assert!(conn.execute(sql, []).unwrap() > 0, "{sql} changes nothing");
        drop(conn);
        assert!(invariants(&path, &Secrets::default()).contains(invariant), "{invariant}: {sql}");
    }
}

#[tokio::test]
async fn odd_transcripts_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    sample(&path("gap"), |events| events[3].seq = 7).await;
    assert_eq!(invariants(&path("gap"), &Secrets::default()), BTreeSet::from(["I6"]));
    sample(&path("clock"), |events| events[3].at_ms = 0).await;
    assert_eq!(invariants(&path("clock"), &Secrets::default()), BTreeSet::from(["I7"]));
    sample(&path("late"), |events| events[5].at_ms = 99_999).await;
    assert_eq!(invariants(&path("late"), &Secrets::default()), BTreeSet::from(["I7"]));
    sample(&path("short"), |events| events.truncate(2)).await;
    let store = Store::open(&path("short")).unwrap();
    store.scored(key(2), &verdict(Outcome::Pass), judged()).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(
        invariants(&path("short"), &Secrets::default()),
        BTreeSet::from(["I5"]),
        "evidence is missing"
    );

    let secrets = Secrets::default();
    secrets.register("KEY", "hunter2hunter2");
    sample(&path("clean"), |_| {}).await;
    assert_eq!(invariants(&path("clean"), &secrets), BTreeSet::new());
    let leak = What::ServerOdd { message: "it said hunter2hunter2".to_owned() };
    sample(&path("leak"), |events| events[0].what = leak).await;
    assert_eq!(invariants(&path("leak"), &secrets), BTreeSet::from(["I9"]));
    let store = Store::open(&path("clean")).unwrap();
    let stop = Stop { code: "x".to_owned(), message: "hunter2hunter2".to_owned() };
    store.stopped(&stop).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(invariants(&path("clean"), &secrets), BTreeSet::from(["I9"]));
}

#[tokio::test]
async fn damage_stays_in_its_trial_and_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run-1.sqlite");
    sample(&path, |_| {}).await;
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute("UPDATE transcripts SET body = zeroblob(length(body)) WHERE trial = 1", []).unwrap();
    drop(conn);
    let reader = Reader::open(&path).unwrap();
    let record = reader.record().unwrap();
    assert_eq!(record.results.iter().map(|result| result.header.key).collect::<Vec<_>>(), [key(1), key(2)]);
    assert_eq!(record.stops[0].code, "store.damaged");
    insta::assert_snapshot!(record.stops[0].message, @"1 of 4 trials are damaged and count as missing; trial ec2bd03bf86b935fa34d71ad7ebb049f-db37ee3825b15df90880360f9b99a607-1: the transcript does not match its seal");
    assert!(reader.transcript(key(0)).is_err());
    assert_eq!(reader.transcripts().unwrap().filter(Result::is_ok).count(), 2);
    assert!(!reader.done_keys().unwrap().contains_key(&key(0)), "it runs again");
    let store = Store::open(&path).unwrap();
    store.finished(Arc::new(transcript(0, End::Done))).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(check::check(&path, &Secrets::default()).unwrap(), []);
}

/// Flips bytes all over the file: no result is ever wrong, and nothing disappears without a word.
#[tokio::test]
async fn flipped_bytes_never_change_a_verdict_silently() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whole.sqlite");
    sample(&path, |_| {}).await;
    let bytes = std::fs::read(&path).unwrap();
    let whole = Reader::open(&path).unwrap().record().unwrap();
    let flipped = dir.path().join("flipped.sqlite");
    let (mut refused, mut reported, mut unchanged) = (0, 0, 0);
    for at in (0..bytes.len()).step_by(113) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(&flipped, damaged).unwrap();
        let Ok(record) = Reader::open(&flipped).and_then(|reader| reader.record()) else {
            refused += 1;
            continue;
        };
        for result in &record.results {
            let known = whole.results.iter().find(|known| known.header.key == result.header.key).unwrap();
            let unscored = CaseResult { outcome: None, verdict: None, ..known.clone() };
            let unscored = CaseResult { judge_calls: 0, judge_usage: Usage::default(), ..unscored };
            let unscored = CaseResult { judge_cost: Some(0.0), ..unscored };
            assert!(*result == *known || *result == unscored, "byte {at} changed a result");
        }
        assert_eq!(record.manifest.run, whole.manifest.run);
        match record.results == whole.results && record.missing == whole.missing {
            true => unchanged += 1,
            false => {
                let told = record.stops.iter().any(|stop| stop.code == "store.damaged");
                assert!(told, "byte {at} made something disappear");
                reported += 1;
            }
        }
    }
    assert!(reported > 20 && unchanged > 20, "{refused} refused, {reported} reported, {unchanged} unchanged");
}

#[test]
fn other_files_are_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.sqlite");
    let told = |path: &Path| {
        let error = Store::open(path).unwrap_err();
        assert_eq!(Reader::open(path).unwrap_err(), error);
        let place = path.display().to_string();
        format!("{}: {} ({})", error.code(), error.to_string().replace(&place, "FILE"), error.hint())
    };
    insta::assert_snapshot!(told(&path));
    std::fs::write(&path, "version: 1\nname: bookshop\n".repeat(99)).unwrap();
    insta::assert_snapshot!(told(&path));
    std::fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    insta::assert_snapshot!(told(&path));
    std::fs::remove_file(&path).unwrap();
    drop(Store::create(&path, &manifest("run-1"), &[]).unwrap());
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    insta::assert_snapshot!(told(&path));
    assert_eq!(files(dir.path()), BTreeSet::from(["run.sqlite".to_owned()]), "refusing leaves nothing");
}

#[tokio::test]
async fn runs_are_listed_found_and_pruned() {
    let reports = tempfile::tempdir().unwrap();
    let reports = reports.path();
    let at = |run: &str| layout::run_file(reports, &"bookshop".into(), &run.into());
    for run in ["aa01", "ab02", "ac03"] {
        let mut about = manifest(run);
        about.started = format!("2026-01-{}T00:00:00Z", &run[2..]);
        let store = Store::create(&at(run), &about, &planned(3)).unwrap();
        store.finished(Arc::new(transcript(0, End::Done))).await.unwrap();
        store.finished(Arc::new(transcript(1, End::Done))).await.unwrap();
        store.scored(key(0), &verdict(Outcome::Fail), judged()).await.unwrap();
        if run != "ab02" {
            store.ended(&Ending { at: about.started, exit: 1 }).await.unwrap();
        }
    }
    std::fs::write(at("zz"), "rubbish").unwrap();
    let busy = Store::open(&at("aa01")).unwrap();
    let (runs, errors) = history::list(reports, None);
    assert_eq!((runs.len(), errors.len()), (3, 1));
    let ids: Vec<_> = runs.iter().map(|run| run.manifest.run.as_str()).collect();
    assert_eq!(ids, ["ac03", "ab02", "aa01"], "newest first");
    let states: Vec<_> = runs.iter().map(|run| run.state).collect();
    let pid = Some(std::process::id());
    let ended = history::RunState::Ended(1);
    assert_eq!(states, [ended, history::RunState::Broken, history::RunState::Running(pid)]);
    let counts = history::Counts { passed: 0, failed: 1, invalid: 0, skipped: 0, unscored: 1 };
    assert_eq!((runs[0].planned, runs[0].counts), (3, counts));

    let resolve = |name: &str| history::resolve(reports, name);
    for name in ["latest", "bookshop", "bookshop/latest", "ac", "bookshop/ac03", "ac03.sqlite"] {
        assert_eq!(resolve(name), Ok(at("ac03")), "{name}");
    }
    assert_eq!(resolve(&at("ab02").display().to_string()), Ok(at("ab02")));
    let found = vec!["aa01".to_owned(), "ab02".to_owned(), "ac03".to_owned()];
    assert_eq!(resolve("a"), Err(StoreError::Ambiguous { name: "a".to_owned(), found }));
    for name in ["", "nothing", "../bookshop", "other/latest"] {
        assert_eq!(resolve(name).unwrap_err().code(), "store.unknown-run", "{name}");
    }

    let decide = |keep, pinned: &[&str]| -> Vec<String> {
        let pinned = pinned.iter().map(|run| (*run).into()).collect();
        prune::decide(&runs, keep, &pinned).into_iter().map(|run| run.manifest.run.to_string()).collect()
    };
    assert_eq!(decide(0, &[]), ["ab02", "ac03"], "a run in use stays");
    assert_eq!(decide(1, &[]), ["ab02"]);
    assert_eq!(decide(0, &["ac03"]), ["ab02"]);
    assert_eq!(decide(5, &[]), [""; 0]);
    std::fs::create_dir_all(layout::report_dir(&at("ab02")).join("x")).unwrap();
    prune::remove(&at("ab02")).unwrap();
    assert_eq!(prune::remove(&at("aa01")).unwrap_err().code(), "store.locked");
    drop(busy);
    let left = ["aa01.sqlite", "ac03.sqlite", "zz.sqlite"].map(str::to_owned);
    assert_eq!(files(at("aa01").parent().unwrap()), BTreeSet::from(left));
}
