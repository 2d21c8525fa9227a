//! Run files: round trips, crashes, full disks, two writers, damage.

#[path = "support/runs.rs"]
mod runs;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rehearsal::drive::Journal;
use rehearsal::score::Outcome;
use rehearsal::store::record::{CaseResult, Ending, JudgeSpend, Stop};
use rehearsal::store::{Kept, Reader, Store, layout};
use rehearsal::transcript::{End, Usage, What};
use runs::{key, manifest, planned, transcript, verdict};

fn files(dir: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn judged() -> JudgeSpend {
    let usage = Usage { input: 50, output: 5, cached: 0, reasoning: 0, reported: true };
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
