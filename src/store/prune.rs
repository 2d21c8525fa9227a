//! Which old runs may go, and their removal. The decision is pure.

#![expect(clippy::disallowed_methods, reason = "removes run files")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::history::{RunInfo, RunState};
use super::lock::Lock;
use super::{StoreError, layout};
use crate::ids::{RunId, SuiteName};

/// The runs that may go when each suite keeps its newest `keep`: never a pinned one (a baseline rests on it), never one
/// that a process works on. The order of `runs` does not matter; the answer is oldest first.
pub fn decide<'a>(runs: &'a [RunInfo], keep: usize, pinned: &BTreeSet<RunId>) -> Vec<&'a RunInfo> {
    let mut suites: BTreeMap<&SuiteName, Vec<&RunInfo>> = BTreeMap::new();
    for run in runs {
        suites.entry(&run.manifest.suite).or_default().push(run);
    }
    let age = |run: &&RunInfo| (run.manifest.started.clone(), run.manifest.run.clone());
    let mut gone = Vec::new();
    for runs in suites.values_mut() {
        runs.sort_by_key(|run| std::cmp::Reverse(age(run)));
        gone.extend(
            runs.iter().skip(keep).filter(|run| {
                !pinned.contains(&run.manifest.run) && !matches!(run.state, RunState::Running(_))
            }),
        );
    }
    gone.sort_by_key(age);
    gone
}

/// Removes a run file, what belongs to it, and its reports. Refuses while a process works on it.
pub fn remove(run_file: &Path) -> Result<(), StoreError> {
    let lock = Lock::take(run_file)?;
    let wrong = |error: std::io::Error| StoreError::Write {
        path: run_file.to_owned(),
        why: error.to_string(),
        needed: 0,
    };
    std::fs::remove_file(run_file).map_err(wrong)?;
    // The lock file goes last, by itself: until then it keeps others away.
    for companion in layout::companions(run_file) {
        if companion != layout::lock_file(run_file) {
            let _ = std::fs::remove_file(companion);
        }
    }
    let reports = layout::report_dir(run_file);
    if reports != run_file && reports.is_dir() {
        std::fs::remove_dir_all(&reports).map_err(wrong)?;
    }
    drop(lock);
    Ok(())
}
