//! The writing side of a run file: requests go to one thread and come back when they are synced.

#![expect(clippy::disallowed_methods, reason = "creates run files")]

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use futures::future::BoxFuture;
use rusqlite::TransactionBehavior;
use tokio::sync::oneshot;

use super::clerks::Clerks;
pub use super::jobs::FaultPoint;
use super::jobs::{Attempts, Faults, Job, Pen, PlanRow};
use super::lock::Lock;
use super::pack::{self, Packed, PackedVerdict};
use super::paid::Waste;
use super::record::{Ending, JudgeSpend, Manifest, Stop};
use super::writer::{Request, Shared, Writer, failed};
use super::{Reader, StoreError, layout, schema};
use crate::drive::Journal;
use crate::ids::CaseKey;
use crate::plan::Planned;
use crate::score::Verdict;
use crate::transcript::{End, Event, Fault, Transcript};

/// A run file open for writing. Clones share it; it is the only writer on this machine. Every call returns when what it
/// wrote is synced. Dropping the last clone closes the file as [`Store::close`] does.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    /// `None` after closing.
    requests: Mutex<Option<Sender<Request>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
    clerks: Clerks,
}

/// What became of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is stored.
    Stored,
    /// The trial was interrupted: it runs again on resume. What it cost so far stays on record.
    SetAside,
}

/// Limits and faults for the tests of the store's own promises.
#[derive(Clone, Default)]
pub struct Options {
    /// The most pages the file may have: a small full disk.
    pub max_pages: Option<u32>,
    /// Asked before each step towards the disk with its number, from 1; `true` fails it.
    pub fault: Option<FaultPoint>,
}

impl Store {
    /// Creates the file of a new run, and its folder, for this user alone.
    pub fn create(path: &Path, manifest: &Manifest, planned: &[Planned]) -> Result<Self, StoreError> {
        Self::create_with(path, manifest, planned, Options::default())
    }

    /// The same under [`Options`].
    pub fn create_with(
        path: &Path,
        manifest: &Manifest,
        planned: &[Planned],
        options: Options,
    ) -> Result<Self, StoreError> {
        let wrong = |error: std::io::Error| StoreError::Write {
            path: path.to_owned(),
            why: error.to_string(),
            needed: 0,
        };
        let rows = planned.iter().map(PlanRow::of).collect::<Result<Vec<_>, _>>()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(wrong)?;
        let lock = Lock::take(path)?;
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(StoreError::Exists { path: path.to_owned() });
            }
            file => drop(file.map_err(wrong)?),
        }
        let store = Self::start(path, lock, options, |pen| {
            schema::upgrade(pen.conn, 0)?;
            pen.begin(manifest, &rows)
        })
        .inspect_err(|_| {
            // It was never a run, so nothing of it stays.
            for file in std::iter::once(path.to_owned()).chain(layout::companions(path)) {
                let _ = std::fs::remove_file(file);
            }
        })?;
        // Without this a power cut could forget the file's name.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(wrong)?;
        Ok(store)
    }

    /// Opens the file of an earlier run to go on with it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, Options::default())
    }

    /// The same under [`Options`].
    pub fn open_with(path: &Path, options: Options) -> Result<Self, StoreError> {
        // Refuses what is no run file before anything is locked or written.
        let version = schema::recognise(&schema::open_to_read(path)?, path)?;
        let lock = Lock::take(path)?;
        Self::start(path, lock, options, |pen| schema::upgrade(pen.conn, version))
    }

    fn start(
        path: &Path,
        lock: Lock,
        options: Options,
        prepare: impl FnOnce(&Pen<'_>) -> rusqlite::Result<()>,
    ) -> Result<Self, StoreError> {
        let mut conn = schema::open_to_write(path)?;
        let faults = Faults { point: options.fault, ..Faults::default() };
        let begin = || {
            schema::use_log(&conn)?;
            if let Some(pages) = options.max_pages {
                conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
            }
            faults.step()?;
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let pen = Pen { conn: &tx, faults: &faults, session: 0 };
            prepare(&pen)?;
            pen.run("INSERT INTO sessions (pid) VALUES (?1)", [std::process::id()])?;
            let session = tx.last_insert_rowid();
            let attempts = Attempts::of(&tx)?;
            faults.step()?;
            tx.commit().map(|()| (session, attempts))
        };
        let (session, attempts) = begin().map_err(|error| failed(path, &error, 0))?;
        let shared = Arc::<Shared>::default();
        let writer = Writer {
            path: path.to_owned(),
            conn,
            lock,
            faults,
            session,
            attempts,
            shared: Arc::clone(&shared),
        };
        let (requests, inbox) = mpsc::channel();
        let unstarted = |error: std::io::Error| StoreError::Write {
            path: path.to_owned(),
            why: error.to_string(),
            needed: 0,
        };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.work(&inbox))
            .map_err(unstarted)?;
        let clerks = Clerks::start().map_err(unstarted)?;
        let inner = Inner {
            path: path.to_owned(),
            requests: Mutex::new(Some(requests)),
            thread: Mutex::new(Some(thread)),
            shared,
            clerks,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The run file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// A reader of the same file, which sees everything that was acknowledged.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.inner.path)
    }

    /// The error that ended all writing, if there was one.
    pub fn failure(&self) -> Option<StoreError> {
        self.inner.shared.failed.get().cloned()
    }

    /// How many transactions were committed: trials that end together share one.
    pub fn commits(&self) -> u64 {
        self.inner.shared.commits.load(Ordering::Relaxed)
    }

    /// Keeps a finished trial whole. A settled trial cannot finish twice; one that ended by our or the model API's fault
    /// is replaced.
    pub async fn finished(&self, transcript: Arc<Transcript>) -> Result<Kept, StoreError> {
        if transcript.end == End::Interrupted {
            return self.request(Job::GivenUp(transcript.header.key)).await;
        }
        let key = transcript.header.key;
        let packed = self.inner.clerks.work(move || Packed::of(&transcript)).await;
        self.keep(packed.map_err(|broken| StoreError::Unstorable { key, why: broken.to_string() })??, None)
            .await
    }

    /// The same of a transcript that is packed already, with its score if that is known: both are kept, or neither is.
    pub async fn keep(&self, packed: Packed, scored: Option<PackedVerdict>) -> Result<Kept, StoreError> {
        self.request(Job::Finished(Box::new(packed), scored.map(Box::new))).await
    }

    /// The threads that pack, for other work on finished trials.
    pub fn clerks(&self) -> &Clerks {
        &self.inner.clerks
    }

    /// Keeps the score of a finished trial and what the judge took; an earlier score is replaced.
    pub async fn scored(&self, key: CaseKey, verdict: &Verdict, judge: JudgeSpend) -> Result<(), StoreError> {
        self.request(Job::Scored(Box::new(PackedVerdict::of(key, verdict, &judge)?))).await.map(drop)
    }

    /// Keeps what was paid in vain in another run that becomes a part of this one.
    pub async fn wasted(&self, waste: Waste) -> Result<(), StoreError> {
        self.request(Job::Wasted(waste)).await.map(drop)
    }

    /// Notes why the run stops before its end.
    pub async fn stopped(&self, stop: &Stop) -> Result<(), StoreError> {
        self.request(Job::Stopped(stop.clone())).await.map(drop)
    }

    /// Notes how this session of work on the run ended.
    pub async fn ended(&self, ending: &Ending) -> Result<(), StoreError> {
        self.request(Job::Ended(ending.clone())).await.map(drop)
    }

    /// Makes this the plan of the run, for a resume after the suite changed: known trials keep their results, new ones
    /// are added, the others stay in the file and leave the reports.
    pub async fn replan(&self, planned: &[Planned]) -> Result<(), StoreError> {
        let rows = planned.iter().map(PlanRow::of).collect::<Result<Vec<_>, _>>()?;
        self.request(Job::Planned(rows)).await.map(drop)
    }

    /// Keeps what the comparison with a baseline rests on; what was kept before is replaced.
    pub async fn gate(&self, body: &serde_json::Value) -> Result<(), StoreError> {
        self.request(Job::Gate(body.to_string())).await.map(drop)
    }

    /// Ends writing and leaves a single file. Later calls on any clone fail.
    pub async fn close(&self) -> Result<(), StoreError> {
        let closed = self.request(Job::Close).await.map(drop);
        *self.requests() = None;
        closed
    }

    async fn request(&self, job: Job) -> Result<Kept, StoreError> {
        if let Some(error) = self.failure() {
            return Err(error);
        }
        let closed = || StoreError::Closed { path: self.inner.path.clone() };
        let (done, answer) = oneshot::channel();
        {
            let requests = self.requests();
            let requests = requests.as_ref().ok_or_else(closed)?;
            requests.send(Request { job, done }).map_err(|_| closed())?;
        }
        answer.await.unwrap_or_else(|_| Err(self.failure().unwrap_or_else(closed)))
    }

    fn requests(&self) -> MutexGuard<'_, Option<Sender<Request>>> {
        self.inner.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for Store {
    fn model_replied<'a>(&'a self, key: CaseKey, event: &'a Event) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let job = Job::Replied { key, seq: event.seq, event: pack::json(key, event)? };
            self.request(job).await?;
            Ok(())
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The thread ends when nobody can send any more; waiting for it leaves a single file behind.
        self.requests.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.inner.path.display())
    }
}
