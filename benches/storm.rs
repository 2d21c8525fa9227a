//! A run against a provider in a storm, whole process: 2,000 calls of which 30 % are refused with a wait, 5 % fail, 2 %
//! break off and 1 % hang, at an announced rate of 6,000 requests a minute.
//!
//! Prints how long the requests took against the time that the rate alone allows for so many, and what was lost.
#![allow(missing_docs, reason = "a program")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement may stop and look at files"
)]

use std::process::Command;

#[path = "../tests/support/storm.rs"]
mod storm;

const RATE: u32 = 6_000;

fn main() {
    // `cargo test --benches` only asks whether it runs.
    let cases = if std::env::args().any(|arg| arg == "--bench") { 2_000 } else { 20 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (address, seen) = runtime.block_on(storm::serve(RATE));
    let dir = storm::project(address, RATE, cases);
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    command.args(["eval", "storm", "--concurrency", "200", "--format", "json"]).current_dir(dir.path());
    let output = command.output().unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let seen = seen.lock().unwrap();
    let ideal = seen.requests as f64 / f64::from(RATE) * 60.0;
    let took = seen.took().as_secs_f64();
    println!("exit {:?}, totals {}", output.status.code(), summary["totals"]);
    println!(
        "{} requests for {cases} cases: {} refused, {} failed, {} broke off, {} hung; {} above the announced rate; {} prompts \
         answered, {} answers",
        seen.requests,
        seen.faults[0],
        seen.faults[1],
        seen.faults[2],
        seen.faults[3],
        seen.above,
        seen.answered.len(),
        seen.answered.values().sum::<u64>(),
    );
    println!(
        "{took:.1} s from the first request to the last, {ideal:.1} s by the rate alone: {:.2} times",
        took / ideal
    );
}
