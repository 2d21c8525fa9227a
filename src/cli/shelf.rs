//! The run files that reports read from: the run itself and those before it, opened when a format asks.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use crate::ids::CaseKey;
use crate::report::archive::{Archive, Before, Kept, PastRun};
use crate::store::history;
use crate::store::read::Reader;
use crate::store::record::Manifest;

/// Most earlier runs that a report looks at.
const PAST: usize = 20;

/// A run file among those of its suite.
pub(super) struct Shelf<'a> {
    file: &'a Path,
    manifest: &'a Manifest,
    this: OnceCell<Option<Reader>>,
    before: OnceCell<Option<Reader>>,
}

impl<'a> Shelf<'a> {
    /// Opens nothing yet.
    pub(super) fn new(file: &'a Path, manifest: &'a Manifest) -> Self {
        Self { file, manifest, this: OnceCell::new(), before: OnceCell::new() }
    }

    /// The runs before this one, newest first, as far as they lie beside it.
    fn earlier_files(&self, limit: usize) -> Vec<PathBuf> {
        let reports = self.file.ancestors().nth(3);
        let find = |reports| history::before(reports, &self.manifest.suite, self.file, limit);
        reports.map(find).unwrap_or_default()
    }

    fn earlier_reader(&self) -> Option<&Reader> {
        let open = || Reader::open(self.earlier_files(1).first()?).ok();
        self.before.get_or_init(open).as_ref()
    }
}

/// A trial of a run file, whole.
pub(super) fn kept(reader: &Reader, key: CaseKey) -> Option<Kept> {
    let transcript = reader.transcript(key).ok()??;
    Some(Kept { transcript, verdict: reader.verdict_of(key) })
}

impl Archive for Shelf<'_> {
    fn trial(&self, key: CaseKey) -> Option<Kept> {
        kept(self.this.get_or_init(|| Reader::open(self.file).ok()).as_ref()?, key)
    }

    fn before(&self) -> Option<Before> {
        let reader = self.earlier_reader()?;
        let manifest = reader.manifest().ok()?;
        let trials = reader.ended().ok()?;
        Some(Before { run: manifest.run.to_string(), started: manifest.started, trials })
    }

    fn earlier(&self, key: CaseKey) -> Option<Kept> {
        kept(self.earlier_reader()?, key)
    }

    fn past(&self) -> Vec<PastRun> {
        let runs = self.earlier_files(PAST).into_iter().rev().filter_map(|path| history::info(&path).ok());
        let few = runs.map(|info| PastRun {
            run: info.manifest.run.to_string(),
            started: info.manifest.started,
            passed: info.counts.passed,
            failed: info.counts.failed,
            invalid: info.counts.invalid,
        });
        few.collect()
    }
}
