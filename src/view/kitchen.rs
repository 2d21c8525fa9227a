//! Where pages are made: what takes long is made by few at a time, and kept as long as the run file stays as it is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::rows::{self, Rows, Stamp};
use super::{Refused, Source};
use crate::ids::CaseKey;
use crate::report::archive::Kept;
use crate::report::html::served::{self, Laid, Served};
use crate::store::history::{self, RunInfo};
use crate::transcript::Clock;

/// Most pages that are kept.
const PAGES: usize = 4;
/// How many long jobs run at once.
const COOKS: usize = 2;
/// What is known of a run in progress is good for this long, and for so many times what it took to find out.
const FRESH: Duration = Duration::from_secs(1);
const TIMES: u32 = 5;

/// What the handlers share.
pub(super) struct Kitchen {
    source: Arc<dyn Source>,
    pub(super) rows: Rows,
    clock: Clock,
    pages: Mutex<Vec<Plate>>,
    news: Mutex<Vec<News>>,
    cooks: Semaphore,
    /// One for each file whose page is being made: whoever wants the same page waits for it.
    ovens: Mutex<HashMap<PathBuf, Arc<Mutex<()>>>>,
}

/// A page, and for what it was made.
#[derive(Clone)]
struct Plate {
    file: PathBuf,
    stamp: Stamp,
    running: bool,
    made: Duration,
    took: Duration,
    /// The numbers of the run before the page was made; see [`rows::tag`].
    tag: String,
    laid: Arc<Laid>,
    /// The run before, if trials of it stand beside those of this one.
    earlier: Option<PathBuf>,
}

#[derive(Clone)]
struct News {
    file: PathBuf,
    stamp: Stamp,
    made: Duration,
    took: Duration,
    info: Arc<RunInfo>,
}

impl Kitchen {
    pub(super) fn new(source: Arc<dyn Source>, rows: Rows, clock: Clock) -> Self {
        let (pages, news, ovens) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { source, rows, clock, pages, news, cooks: Semaphore::new(COOKS), ovens }
    }

    /// Does something long where it holds nobody up; `None`: it broke.
    pub(super) async fn long<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let _cook = self.cooks.acquire().await.ok()?;
        self.brief(work).await
    }

    /// Does something that reads files and is soon done; `None`: it broke.
    pub(super) async fn brief<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let own = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&own)).await.ok()
    }

    fn is_fresh(&self, made: Duration, took: Duration) -> bool {
        self.clock.elapsed().saturating_sub(made) < FRESH.max(took * TIMES)
    }

    /// A run in a few numbers.
    pub(super) fn info(&self, file: &Path) -> Result<Arc<RunInfo>, Refused> {
        let stamp = rows::stamp(file);
        // Of a run that has ended nothing changes but with its file.
        let still = |one: &News| one.stamp == stamp && rows::state(&one.info).0 != "running";
        let fresh = |one: &&News| one.file == file && (still(one) || self.is_fresh(one.made, one.took));
        if let Some(one) = self.news.lock().unwrap_or_else(PoisonError::into_inner).iter().find(fresh) {
            return Ok(Arc::clone(&one.info));
        }
        let begun = self.clock.elapsed();
        let info = Arc::new(history::info(file)?);
        let made = self.clock.elapsed();
        let took = made.saturating_sub(begun);
        let news = News { file: file.to_owned(), stamp, made, took, info: Arc::clone(&info) };
        let mut all = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| one.file != file);
        all.push(news);
        let extra = all.len().saturating_sub(PAGES);
        all.drain(..extra);
        Ok(info)
    }

    /// The page of a run file.
    pub(super) fn page(&self, file: &Path) -> Result<Arc<Laid>, Refused> {
        self.plate(file).map(|plate| plate.laid)
    }

    /// The same with the tag of what it shows: a page whose tag is that of the run now is not behind it.
    pub(super) fn tagged(&self, file: &Path) -> Result<(Arc<Laid>, String), Refused> {
        self.plate(file).map(|plate| (plate.laid, plate.tag))
    }

    fn plate(&self, file: &Path) -> Result<Plate, Refused> {
        let oven = {
            let mut ovens = self.ovens.lock().unwrap_or_else(PoisonError::into_inner);
            ovens.retain(|_, oven| Arc::strong_count(oven) > 1);
            Arc::clone(ovens.entry(file.to_owned()).or_default())
        };
        let _alone = oven.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = rows::stamp(file);
        let info = self.info(file)?;
        let running = rows::state(&info).0 == "running";
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let good = |one: &Plate| {
            one.file == file
                && one.running == running
                && (one.stamp == stamp || running && self.is_fresh(one.made, one.took))
        };
        if let Some(at) = pages.iter().position(good) {
            let one = pages.remove(at);
            pages.push(one.clone());
            return Ok(one);
        }
        drop(pages);
        let begun = self.clock.elapsed();
        let api = format!("../api/runs/{}", rows::id(file));
        let laid = Arc::new(self.source.lay(file, &Served { api, back: "../".to_owned(), running })?);
        let earlier = if laid.beside.is_empty() { None } else { rows::earlier(file).map(|(_, path)| path) };
        let made = self.clock.elapsed();
        let took = made.saturating_sub(begun);
        let plate =
            Plate { file: file.to_owned(), stamp, running, made, took, tag: rows::tag(&info), laid, earlier };
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.retain(|one| one.file != file);
        pages.push(plate.clone());
        let extra = pages.len().saturating_sub(PAGES);
        pages.drain(..extra);
        Ok(plate)
    }

    /// A trial as the viewer of transcripts takes it; `None` where there is none. With the one of the run before that
    /// went another way, if the page of the run has been made.
    pub(super) fn trial(&self, file: &Path, key: CaseKey) -> Option<Vec<u8>> {
        let kept = self.source.trial(file, key)?;
        let plate = {
            let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
            pages.iter().find(|one| one.file == file).cloned()
        };
        let before = plate.as_ref().and_then(|plate| {
            let other = plate.laid.beside.get(&key)?;
            let kept = self.source.trial(plate.earlier.as_deref()?, *other)?;
            Some((plate.laid.before.as_deref()?, kept))
        });
        served::trial(&kept, before.as_ref().map(|(run, kept)| (*run, kept))).ok()
    }

    /// A trial whole.
    pub(super) fn kept(&self, file: &Path, key: CaseKey) -> Option<Kept> {
        self.source.trial(file, key)
    }

    /// The time since the program began.
    pub(super) fn now(&self) -> Duration {
        self.clock.elapsed()
    }
}
