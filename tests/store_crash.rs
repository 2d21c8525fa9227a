//! Run files under faults: kill -9, full disks, failing writes, two writers. Everything acknowledged survives; nothing is
//! half-written.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may stop and touch its own files")]

#[path = "support/runs.rs"]
mod runs;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rehearsal::drive::Journal;
use rehearsal::score::Outcome;
use rehearsal::store::record::JudgeSpend;
use rehearsal::store::{Options, Reader, Store, StoreError, check, layout};
use rehearsal::transcript::{End, Secrets, What};
use runs::{key, manifest, planned, transcript, verdict};

const TRIALS: u32 = 300;

/// Trials at once: few enough that a kill always finds some in flight and many to come.
const JOBS: usize = 12;

/// One trial as the pipeline does it; `Ok` only when everything was acknowledged.
async fn work(store: &Store, number: u32) -> Result<(), StoreError> {
    let done = Arc::new(transcript(number, End::Done));
    for event in done.events.iter().filter(|event| matches!(event.what, What::ModelSaid { .. })) {
        if let Err(fault) = store.model_replied(key(number), event).await {
            return Err(store.failure().unwrap_or_else(|| panic!("{fault}")));
        }
    }
    store.finished(done).await?;
    score(store, number).await
}

async fn score(store: &Store, number: u32) -> Result<(), StoreError> {
    store.scored(key(number), &verdict(Outcome::Pass), JudgeSpend::default()).await
}

/// The process that the tests below start and kill; does nothing on its own. Prints a line for each trial that was
/// acknowledged.
#[test]
fn child() {
    let Ok(path) = std::env::var("STORE_CHILD") else { return };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let path = Path::new(&path);
        let store = match path.exists() {
            true => Store::open(path),
            false => Store::create(path, &manifest("run-1"), &planned(TRIALS)),
        }
        .unwrap();
        println!("\nopen");
        let done = store.reader().unwrap().done_keys().unwrap();
        let jobs = Arc::new(tokio::sync::Semaphore::new(JOBS));
        let open = (0..TRIALS).filter(|number| !matches!(done.get(&key(*number)), Some(Some(_))));
        let trials = open.map(|number| {
            let (store, jobs) = (store.clone(), Arc::clone(&jobs));
            let driven = done.contains_key(&key(number));
            tokio::spawn(async move {
                let _permit = jobs.acquire().await;
                // On a disk that syncs in no time the run must not be over before it is killed.
                tokio::time::sleep(std::time::Duration::from_millis(4)).await;
                let ended = match driven {
                    true => score(&store, number).await,
                    false => work(&store, number).await,
                };
                match ended {
                    Ok(()) => println!("\nack {number}"),
                    Err(error) => println!("\nfailed {} {error}", error.code()),
                }
            })
        });
        for trial in trials.collect::<Vec<_>>() {
            trial.await.unwrap();
        }
        store.close().await.unwrap_or_default();
        println!("\nclosed");
    });
}

fn start(path: &Path, through: &[&str]) -> Child {
    let exe = std::env::current_exe().unwrap();
    let mut command = match through {
        [] => Command::new(exe),
        [program, args @ ..] => {
            let mut command = Command::new(program);
            command.args(args).arg(exe);
            command
        }
    };
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    command.env("STORE_CHILD", path).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn acknowledged(lines: &str) -> BTreeSet<u32> {
    lines.lines().filter_map(|line| line.strip_prefix("ack ")?.parse().ok()).collect()
}

/// Everything acknowledged is there with its score, nothing else is broken, and the files are readable without repair.
fn assert_whole(path: &Path, acked: &BTreeSet<u32>) -> usize {
    let reader = Reader::open(path).unwrap();
    let done = reader.done_keys().unwrap();
    for number in acked {
        assert!(
            matches!(done.get(&key(*number)), Some(Some(_))),
            "trial {number} was acknowledged and is lost"
        );
    }
    let mut transcripts = 0;
    for item in reader.transcripts().unwrap() {
        let (planned, stored) = item.unwrap();
        assert_eq!(stored.events.len(), 6, "{} is half-written", planned.header.case);
        transcripts += 1;
    }
    let record = reader.record().unwrap();
    assert_eq!((record.results.len(), record.missing.len()), (transcripts, TRIALS as usize - transcripts));
    assert_eq!(check::check(path, &Secrets::default()).unwrap(), []);
    transcripts
}

#[test]
fn a_killed_process_loses_only_trials_in_flight_and_resume_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run-1.sqlite");
    let mut acked = BTreeSet::new();
    let (mut kept, mut kills) = (0, 0);
    for more in [0, 1, 7, 40, 60] {
        let mut child = start(&path, &[]);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut lines = String::new();
        while !lines.contains("\nopen") || acknowledged(&lines).len() < more {
            if out.read_line(&mut lines).unwrap() == 0 {
                assert!(lines.contains("\nclosed"), "the child failed: {lines}");
                break;
            }
        }
        if more == 0 {
            let refused = Store::open(&path).unwrap_err();
            assert_eq!(refused, StoreError::Locked { path: path.clone(), pid: Some(child.id()) });
        }
        child.kill().unwrap();
        kills += usize::from(!child.wait().unwrap().success());
        // What it said before it died is in the pipe; the last line may be torn.
        out.read_to_string(&mut lines).unwrap();
        let whole = lines.rfind('\n').unwrap_or(0);
        let fresh = acknowledged(&lines[..whole]);
        assert!(acked.is_disjoint(&fresh), "a finished trial ran again");
        acked.extend(fresh);
        let now = assert_whole(&path, &acked);
        assert!(now >= kept, "progress went backwards");
        kept = now;
    }
    assert!(kills > 2, "{kills} of 5 children were killed at work");
    let out = start(&path, &[]).wait_with_output().unwrap();
    let lines = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(lines.contains("closed"), "{lines}");
    assert!(acked.is_disjoint(&acknowledged(&lines)), "a finished trial ran again");
    assert_eq!(assert_whole(&path, &(0..TRIALS).collect()), TRIALS as usize);
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 1, "one file is left");
}

#[test]
fn a_real_file_size_limit_stops_the_run_with_what_was_stored() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run-1.sqlite");
    // The signal of the limit is ignored, so that writes fail as on a full disk.
    let limited = ["sh", "-c", "trap '' 25; ulimit -f 2400; exec \"$0\" \"$@\""];
    let out = start(&path, &limited).wait_with_output().unwrap();
    let lines = String::from_utf8_lossy(&out.stdout).into_owned();
    let acked = acknowledged(&lines);
    assert!(lines.contains("failed store.write"), "{lines}");
    assert!(acked.len() < TRIALS as usize, "the limit is too high for this test");
    assert_whole(&path, &acked);
    let out = start(&path, &[]).wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&out.stdout).contains("closed"));
    assert_eq!(assert_whole(&path, &(0..TRIALS).collect()), TRIALS as usize);
}

#[tokio::test]
async fn a_full_disk_is_loud_final_and_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run-1.sqlite");
    let options = Options { max_pages: Some(120), ..Options::default() };
    let store = Store::create_with(&path, &manifest("run-1"), &planned(TRIALS), options);
    let store = match store {
        Ok(store) => store,
        Err(error) => panic!("the plan alone must fit: {error}"),
    };
    let mut acked = BTreeSet::new();
    let mut first = None;
    for number in 0..TRIALS {
        match work(&store, number).await {
            Ok(()) => drop(acked.insert(number)),
            Err(error) => {
                let known = first.get_or_insert_with(|| error.clone());
                assert_eq!(*known, error, "the first error is final");
            }
        }
    }
    let error = first.unwrap();
    assert_eq!(error.code(), "store.write");
    assert!(error.to_string().contains("full"), "{error}");
    let fault = rehearsal::transcript::Fault::from(error);
    assert_eq!((fault.side, &*fault.code), (rehearsal::transcript::Side::Harness, "store.write"));
    drop(store);
    assert!(!acked.is_empty());
    assert_whole(&path, &acked);
    // With room again the rest is done.
    let store = Store::open(&path).unwrap();
    let rest = (0..TRIALS).filter(|number| !acked.contains(number)).map(|number| work(&store, number));
    for ended in futures::future::join_all(rest).await {
        // A duplicate was on disk, though the error came before the answer.
        assert!(matches!(ended, Ok(()) | Err(StoreError::Duplicate { .. })), "{ended:?}");
    }
    store.close().await.unwrap();
    assert!(!layout::lock_file(&path).exists());
}

/// Fails the N-th step towards the disk, once, for every N there is; and for every fifth N, from then on.
#[tokio::test]
async fn no_failing_write_loses_or_breaks_anything() {
    for (persistent, stride) in [(false, 1), (true, 5)] {
        for n in (1..).step_by(stride) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("run-1.sqlite");
            let hit = Arc::new(std::sync::atomic::AtomicBool::new(false));
            let seen = Arc::clone(&hit);
            let fault = move |step| {
                let fails = step == n || persistent && step > n;
                seen.fetch_or(fails, std::sync::atomic::Ordering::Relaxed);
                fails
            };
            let options = Options { fault: Some(Arc::new(fault)), ..Options::default() };
            let plan = planned(2);
            let mut acked = BTreeSet::new();
            match Store::create_with(&path, &manifest("run-1"), &plan, options) {
                Err(error) => {
                    assert_eq!(error.code(), "store.write", "step {n}");
                    let left = std::fs::read_dir(dir.path()).unwrap().count();
                    assert_eq!(left, 0, "step {n}: a run that never began leaves nothing");
                    continue;
                }
                Ok(store) => {
                    for number in 0..2 {
                        match work(&store, number).await {
                            Ok(()) => drop(acked.insert(number)),
                            Err(error) => assert_eq!(error.code(), "store.write", "step {n}"),
                        }
                    }
                    assert_eq!(store.failure().is_some(), hit.load(std::sync::atomic::Ordering::Relaxed));
                }
            }
            assert_eq!(check::check(&path, &Secrets::default()).unwrap(), [], "step {n}");
            let store = Store::open(&path).unwrap();
            let done = store.reader().unwrap().done_keys().unwrap();
            for number in 0..2 {
                assert!(
                    !acked.contains(&number) || matches!(done.get(&key(number)), Some(Some(_))),
                    "step {n}"
                );
                match done.get(&key(number)) {
                    Some(Some(_)) => {}
                    Some(None) => score(&store, number).await.unwrap(),
                    None => work(&store, number).await.unwrap(),
                }
            }
            let record = store.reader().unwrap().record().unwrap();
            assert_eq!((record.results.len(), record.missing.len()), (2, 0), "step {n}");
            store.close().await.unwrap();
            if !hit.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(n > 20, "the loop went through every step");
                break;
            }
        }
    }
}
