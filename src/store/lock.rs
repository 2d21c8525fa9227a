//! One writer per run: an advisory lock on a small file beside the run file.
//!
//! The lock belongs to the open file, so it vanishes with its process; the file that a killed process leaves behind is
//! not a lock. SQLite's own locks guard single transactions and say nothing about who works on a run.

#![expect(clippy::disallowed_methods, reason = "removes the lock file it owns")]

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{StoreError, layout};

/// The right to write a run, or another file that one process at a time may write. Dropping it gives it up and removes
/// the small file beside it.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

/// Listings ask for the lock for an instant, and a file can be removed under us: neither may refuse a resume.
const ATTEMPTS: u32 = 4;

impl Lock {
    /// Takes the right to write the file, or says who has it.
    ///
    /// # Errors
    /// Somebody has it, or the small file cannot be written.
    pub fn take(run_file: &Path) -> Result<Self, StoreError> {
        let path = layout::lock_file(run_file);
        let failed = |error: std::io::Error| StoreError::Write {
            path: run_file.to_owned(),
            why: error.to_string(),
            needed: 0,
        };
        let mut pid = None;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(Duration::from_millis(15));
            }
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .mode(0o600)
                .open(&path)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) if same_file(&file, &path) => {
                    file.set_len(0).map_err(failed)?;
                    write!(file, "{}", std::process::id()).map_err(failed)?;
                    return Ok(Self { path, file });
                }
                // The former holder removed the file between our opening and our locking it: what we hold is nothing.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => pid = read_pid(&mut file),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        Err(StoreError::Locked { path: run_file.to_owned(), pid })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while still locked, so nobody can lock a file that is about to vanish without noticing.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// The process that works on a run right now; `Some(None)` when it is not known which.
pub(super) fn holder(run_file: &Path) -> Option<Option<u32>> {
    let mut file = OpenOptions::new().read(true).open(layout::lock_file(run_file)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(read_pid(&mut file)),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.metadata()) {
        (Ok(ours), Ok(theirs)) => ours.ino() == theirs.ino() && ours.dev() == theirs.dev(),
        _ => false,
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_the_file_goes_with_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("r.sqlite");
        let lock = Lock::take(&run).unwrap();
        assert_eq!(holder(&run), Some(Some(std::process::id())));
        let refused = Lock::take(&run).unwrap_err();
        assert_eq!(refused, StoreError::Locked { path: run.clone(), pid: Some(std::process::id()) });
        drop(lock);
        assert!(!layout::lock_file(&run).exists());
        assert_eq!(holder(&run), None);
        drop(Lock::take(&run).unwrap());
    }

    #[test]
    fn a_file_left_by_a_dead_process_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("r.sqlite");
        std::fs::write(layout::lock_file(&run), "999999").unwrap();
        assert_eq!(holder(&run), None);
        Lock::take(&run).unwrap();
    }
}
