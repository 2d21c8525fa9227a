//! Makes two run files of so many trials each and compares them with the program's own command, whole process.
//!
//! `cargo run --release --example compare_nights -- 100000`. Prints seconds, peak memory and file sizes; ends with 1 when
//! a bar is missed: 2 seconds and 300 MB for 100,000 trials.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measurement may print and stop"
)]

#[path = "../tests/support/runs.rs"]
mod runs;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Instant;

use futures::stream::{self, StreamExt};
use rehearsal::ids::{CaseKey, Digest};
use rehearsal::plan::Planned;
use rehearsal::score::Outcome;
use rehearsal::store::Store;
use rehearsal::store::record::{JudgeSpend, Manifest};
use rehearsal::transcript::{CaseHeader, End, Transcript};
use runs::{header, manifest, planned, transcript, verdict};

/// Trials of each case.
const EACH: u32 = 10;

fn main() -> ExitCode {
    let trials: u32 = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir().unwrap();
    let files = [1_u32, 2].map(|night| write(folder.path(), night, trials));
    for file in &files {
        println!("{}: {} MB", file.display(), std::fs::metadata(file).unwrap().len() >> 20);
    }
    let program = std::env::current_exe().unwrap().parent().unwrap().join("../rehearsal");
    let started = Instant::now();
    let peak = peak(&program, &files);
    let seconds = started.elapsed().as_secs_f64();
    println!("{trials} trials a side: {seconds:.2} s, {peak} MB");
    let scale = f64::from(trials) / 100_000.0;
    ExitCode::from(u8::from(seconds > 2.0 * scale.max(0.1) || peak > 300))
}

/// Compares; megabytes at the peak, as the system counted them while it ran.
fn peak(program: &Path, files: &[PathBuf; 2]) -> u64 {
    let mut child =
        Command::new(program).arg("compare").args(files).stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) / 1024);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    peak
}

fn trial(number: u32) -> CaseHeader {
    let (case, at) = (number / EACH, number % EACH + 1);
    let key = CaseKey { trial: at, ..runs::key(case) };
    CaseHeader { key, trial: at, ..header(case) }
}

fn write(folder: &Path, night: u32, trials: u32) -> PathBuf {
    let path = folder.join(format!("night-{night}.sqlite"));
    let manifest = Manifest { run: format!("night-{night}").as_str().into(), ..manifest("night") };
    let template = planned(1).remove(0);
    let plan: Vec<Planned> =
        (0..trials).map(|number| Planned { header: trial(number), ..template.clone() }).collect();
    let store = Store::create(&path, &manifest, &plan).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        stream::iter(plan)
            .for_each_concurrent(512, |planned| {
                let store = &store;
                async move {
                    let header = planned.header;
                    let key = header.key;
                    // Nine in ten pass, the second night a little fewer.
                    let lot = Digest::of_json(&(key, night)).as_u64() % 100;
                    let outcome = if lot < 91 - u64::from(night) { Outcome::Pass } else { Outcome::Fail };
                    let made = Transcript { header, ..transcript(1, End::Done) };
                    store.finished(Arc::new(made)).await.unwrap();
                    store.scored(key, &verdict(outcome), JudgeSpend::default()).await.unwrap();
                }
            })
            .await;
        store.close().await.unwrap();
    });
    path
}
