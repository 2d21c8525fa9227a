//! The writer thread: it owns the connection and commits everything that is waiting in one transaction, so many trials
//! that end together share one sync. The first error of the disk is final.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::StoreError;
use super::jobs::{Attempts, Faults, Job, Pen};
use super::lock::Lock;
use super::sqlite::Kept;

/// How often folding the log into the file is tried, and the pause between.
const FOLDS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// A job and who waits for it.
pub(super) struct Request {
    pub(super) job: Job,
    pub(super) done: oneshot::Sender<Result<Kept, StoreError>>,
}

/// What the handle and the thread share.
#[derive(Default)]
pub(super) struct Shared {
    /// The error that ended all writing.
    pub(super) failed: OnceLock<StoreError>,
    /// Transactions so far.
    pub(super) commits: AtomicU64,
}

/// Everything the thread owns.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) conn: Connection,
    /// Given up last, when the file is whole.
    pub(super) lock: Lock,
    pub(super) faults: Faults,
    pub(super) session: i64,
    pub(super) attempts: Attempts,
    pub(super) shared: Arc<Shared>,
}

/// How many requests one transaction takes on besides model responses: a few milliseconds of work.
const BATCH: usize = 64;

/// What waits to be written.
#[derive(Default)]
struct Queue {
    /// Model responses: a conversation goes on when they are synced, so they come first. Whatever else is stored of the
    /// same trial is asked for later than they are, so nothing is overtaken that they depend on.
    paid: VecDeque<Request>,
    /// Everything else, in order.
    rest: VecDeque<Request>,
}

impl Queue {
    fn push(&mut self, request: Request) {
        match request.job {
            Job::Replied { .. } => self.paid.push_back(request),
            _ => self.rest.push_back(request),
        }
    }

    fn is_empty(&self) -> bool {
        self.paid.is_empty() && self.rest.is_empty()
    }

    /// What the next transaction is about.
    fn batch(&mut self) -> Vec<Request> {
        let mut batch = Vec::from(std::mem::take(&mut self.paid));
        batch.extend(self.rest.drain(..BATCH.min(self.rest.len())));
        batch
    }
}

impl Writer {
    /// Works until the store is closed or dropped, then leaves a single file.
    pub(super) fn work(mut self, inbox: &Receiver<Request>) {
        let mut attempts = std::mem::take(&mut self.attempts);
        let mut closers = Vec::new();
        let mut queue = Queue::default();
        while closers.is_empty() {
            if queue.is_empty() {
                let Ok(first) = inbox.recv() else { break };
                queue.push(first);
            }
            inbox.try_iter().for_each(|next| queue.push(next));
            let batch = queue.batch();
            let results = self.commit(&batch, &mut attempts);
            for (request, result) in batch.into_iter().zip(results) {
                match (request.job, result) {
                    (Job::Close, Ok(_)) => closers.push(request.done),
                    // Whoever stopped waiting does not care.
                    (_, result) => drop(request.done.send(result)),
                }
            }
        }
        let shared = Arc::clone(&self.shared);
        let ended = self.finish();
        if let Err(error) = &ended {
            let _ = shared.failed.set(error.clone());
        }
        for closer in closers {
            let _ = closer.send(ended.clone().map(|()| Kept::Stored));
        }
    }

    fn commit(&mut self, batch: &[Request], attempts: &mut Attempts) -> Vec<Result<Kept, StoreError>> {
        if let Some(error) = self.shared.failed.get() {
            return batch.iter().map(|_| Err(error.clone())).collect();
        }
        let Self { conn, faults, session, .. } = self;
        let mut write = || {
            faults.step()?;
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let pen = Pen { conn: &tx, faults, session: *session };
            let results = batch
                .iter()
                .map(|request| pen.apply(&request.job, attempts))
                .collect::<rusqlite::Result<Vec<_>>>()?;
            faults.step()?;
            tx.commit()?;
            // The worst fault: it is on disk, and nobody learns of it.
            faults.step()?;
            Ok(results)
        };
        match write() {
            Ok(results) => {
                self.shared.commits.fetch_add(1, Ordering::Relaxed);
                results
            }
            Err(error) => {
                let needed = batch.iter().map(|request| request.job.size()).sum();
                let error = failed(&self.path, &error, needed);
                let _ = self.shared.failed.set(error.clone());
                batch.iter().map(|_| Err(error.clone())).collect()
            }
        }
    }

    /// Folds the log into the file and switches it off, so that one file remains and read-only media can be read.
    fn finish(self) -> Result<(), StoreError> {
        let Self { path, conn, lock, shared, .. } = self;
        let result = if shared.failed.get().is_some() {
            Ok(())
        } else {
            let fold = || {
                conn.busy_timeout(Duration::from_millis(200))?;
                conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
                conn.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
            };
            // Somebody who looks at the run is gone in a moment, and SQLite does not wait for that by itself. A reader
            // that stays keeps the log; its closing, or the next opening, folds it.
            let mut folded = fold();
            for _ in 1..FOLDS {
                if !folded.as_ref().is_err_and(is_busy) {
                    break;
                }
                std::thread::sleep(PAUSE);
                folded = fold();
            }
            match folded {
                Err(error) if !is_busy(&error) => Err(failed(&path, &error, 0)),
                Ok(()) | Err(_) => Ok(()),
            }
        };
        drop(conn);
        drop(lock);
        result
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

/// What SQLite's refusal to write means for a person.
pub(super) fn failed(path: &std::path::Path, error: &rusqlite::Error, needed: u64) -> StoreError {
    StoreError::Write { path: path.to_owned(), why: error.to_string(), needed }
}
