//! A provider in a storm: a third of the requests is refused, some fail, break off or hang. No trial fails for it, none is
//! lost or counted twice, and no request goes out above the announced rate.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test may fail loudly and look at files"
)]

use std::collections::BTreeSet;

use serde_json::Value;

#[path = "support/storm.rs"]
mod storm;

const CASES: usize = 150;

#[tokio::test(flavor = "multi_thread")]
async fn no_trial_is_lost_doubled_or_failed_in_a_storm() {
    let (address, seen) = storm::serve(3_000).await;
    let dir = storm::project(address, 3_000, CASES);
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    command.args(["eval", "storm", "--concurrency", "100", "--format", "json"]).current_dir(dir.path());
    let output = command.output().await.unwrap();
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{talk}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let totals = &summary["totals"];
    assert_eq!(
        (totals["passed"].as_u64(), totals["invalid"].as_u64()),
        (Some(CASES as u64), Some(0)),
        "{totals}"
    );
    let ids: BTreeSet<&str> =
        summary["cases"].as_array().unwrap().iter().map(|case| case["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), CASES);

    let seen = seen.lock().unwrap();
    assert!(seen.faults.iter().take(3).all(|count| *count > 0), "there was no storm: {:?}", seen.faults);
    // A third of the requests was refused, and yet the provider's time was used.
    let least = seen.requests as f64 / 50.0 * 0.5;
    assert!(seen.took().as_secs_f64() >= least, "{:?} for {} requests", seen.took(), seen.requests);
    assert_eq!(seen.above, 0, "{} of {} requests came above the rate", seen.above, seen.requests);
    // Each prompt was answered, and paid for, once.
    assert_eq!((seen.answered.len(), seen.answered.values().sum::<u64>()), (CASES, CASES as u64));
}
