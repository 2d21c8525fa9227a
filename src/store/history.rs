//! Finds runs: lists them newest first and turns what a person types into a path. Reads a few numbers of each file, never
//! its transcripts.

#![expect(clippy::disallowed_methods, reason = "lists the folders of run files")]

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::record::Manifest;
use super::{Reader, StoreError, layout, lock};
use crate::ids::SuiteName;
use crate::score::NOT_APPLICABLE;

/// A run in a few numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunInfo {
    /// The run file.
    pub path: PathBuf,
    /// What it is about, without the input texts.
    pub manifest: Manifest,
    /// Trials planned.
    pub planned: u64,
    /// How many have which outcome.
    pub counts: Counts,
    /// Whether it is still going on.
    pub state: RunState,
    /// Bytes on disk.
    pub bytes: u64,
}

/// Outcomes of the planned trials; the rest of the plan is pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// Invalid.
    pub invalid: u64,
    /// Ended with nothing to say, because the question does not arise.
    pub skipped: u64,
    /// Driven and not scored yet.
    pub unscored: u64,
}

impl Counts {
    /// All of them.
    pub fn ended(self) -> u64 {
        self.passed + self.failed + self.invalid + self.skipped + self.unscored
    }
}

/// Whether a run is still going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A process works on it; its number, if known.
    Running(Option<u32>),
    /// The last session ended with this exit code.
    Ended(u8),
    /// The last session was killed, or its machine stopped.
    Broken,
}

/// The runs of one suite, or of all, newest first. Files that cannot be read are left out and returned beside.
pub fn list(reports: &Path, suite: Option<&SuiteName>) -> (Vec<RunInfo>, Vec<StoreError>) {
    let mut runs = Vec::new();
    let mut errors = Vec::new();
    for path in files(reports, suite) {
        match info(&path) {
            Ok(info) => runs.push(info),
            Err(error) => errors.push(error),
        }
    }
    runs.sort_by(|a, b| (&b.manifest.started, &b.manifest.run).cmp(&(&a.manifest.started, &a.manifest.run)));
    (runs, errors)
}

/// The files of the runs of a suite that were begun before this one, newest first, at most `limit`. Ids of runs sort by
/// their time, so that no file is opened.
pub fn before(reports: &Path, suite: &SuiteName, run_file: &Path, limit: usize) -> Vec<PathBuf> {
    let mut earlier = files(reports, Some(suite));
    earlier.retain(|path| stem(path) < stem(run_file));
    earlier.sort_by_key(|path| std::cmp::Reverse(stem(path)));
    earlier.truncate(limit);
    earlier
}

/// The run files below a folder, the newest names first, at most `limit`: those of its `runs`, or, where it has no such
/// folder, those in it and in the folders in it.
pub fn all(folder: &Path, limit: usize) -> Vec<PathBuf> {
    let mut found = if layout::runs_dir(folder).is_dir() {
        files(folder, None)
    } else {
        let here = entries(folder);
        let below = here.iter().filter(|path| path.is_dir()).flat_map(|path| entries(path));
        let mut found: Vec<PathBuf> = here.iter().cloned().chain(below).collect();
        let verdicts = layout::verdict_file(folder);
        found.retain(|path| is_run(path) && path.file_name() != verdicts.file_name());
        found
    };
    found.sort_by(|a, b| stem(b).cmp(&stem(a)).then(a.cmp(b)));
    found.truncate(limit);
    found
}

/// One run in a few numbers.
pub fn info(path: &Path) -> Result<RunInfo, StoreError> {
    let reader = Reader::open(path)?;
    let (manifest, planned) = reader.bare_manifest()?;
    // A skipped trial has one finding, and that says so. Few verdicts hold the word at all: the others are not read.
    let sql = "SELECT coalesce(sum(v.outcome = 'pass'), 0), coalesce(sum(v.outcome = 'fail'), 0),
                      coalesce(sum(v.outcome = 'invalid'), 0), coalesce(sum(v.outcome IS NULL), 0),
                      coalesce(sum(v.outcome = 'pass' AND instr(v.verdict, ?1) AND json_valid(v.verdict)
                          AND v.verdict ->> '$.findings[0].grade.unscored.code' = ?1), 0)
               FROM trials t JOIN transcripts r ON r.trial = t.id LEFT JOIN verdicts v ON v.trial = t.id
               WHERE t.wanted = 1";
    let number = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(|number| number as u64);
    let counts = reader.conn().query_row(sql, [NOT_APPLICABLE], |row| {
        let skipped = number(row, 4)?;
        Ok(Counts {
            passed: number(row, 0)?.saturating_sub(skipped),
            failed: number(row, 1)?,
            invalid: number(row, 2)?,
            skipped,
            unscored: number(row, 3)?,
        })
    });
    let sql = "SELECT ended IS NOT NULL, exit FROM sessions ORDER BY id DESC LIMIT 1";
    let session = reader.conn().query_row(sql, [], |row| Ok((row.get(0)?, row.get::<_, Option<u8>>(1)?)));
    let state = match (lock::holder(path), session.map_err(|error| reader.unreadable(&error))?) {
        (Some(pid), _) => RunState::Running(pid),
        (None, (true, exit)) => RunState::Ended(exit.unwrap_or_default()),
        (None, (false, _)) => RunState::Broken,
    };
    Ok(RunInfo {
        path: path.to_owned(),
        manifest,
        planned,
        counts: counts.map_err(|error| reader.unreadable(&error))?,
        state,
        bytes: path.metadata().map_or(0, |data| data.len()),
    })
}

/// Turns what a person types into a run file: a path, `latest`, a suite's name (its latest run), the beginning of a run
/// id, or `SUITE/ID` and `SUITE/latest`.
pub fn resolve(reports: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let unknown = || StoreError::Unknown { name: name.to_owned() };
    if name.is_empty() {
        return Err(unknown());
    }
    let (suite, id) = match name.split_once('/') {
        Some((suite, id)) => (Some(SuiteName::new(suite)), id),
        None if layout::suite_dir(reports, &name.into()).is_dir() => (Some(name.into()), "latest"),
        None => (None, name),
    };
    if id == "latest" {
        let newest = list(reports, suite.as_ref()).0.into_iter().next();
        return newest.map(|run| run.path).ok_or_else(unknown);
    }
    let id = id.strip_suffix(".sqlite").unwrap_or(id);
    let mut found: Vec<PathBuf> = files(reports, suite.as_ref());
    found.retain(|path| stem(path).starts_with(id));
    if let Some(exact) = found.iter().find(|path| stem(path) == id) {
        return Ok(exact.clone());
    }
    match found.as_slice() {
        [] => Err(unknown()),
        [one] => Ok(one.clone()),
        several => {
            let found = several.iter().map(|path| stem(path)).collect();
            Err(StoreError::Ambiguous { name: name.to_owned(), found })
        }
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Run files, sorted by path.
fn files(reports: &Path, suite: Option<&SuiteName>) -> Vec<PathBuf> {
    let folders = match suite {
        Some(suite) => vec![layout::suite_dir(reports, suite)],
        None => entries(&layout::runs_dir(reports)),
    };
    let mut files: Vec<PathBuf> = folders.iter().flat_map(|folder| entries(folder)).collect();
    files.retain(|path| is_run(path));
    files.sort();
    files
}

fn is_run(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "sqlite") && path.is_file()
}

/// A folder that does not exist has no entries.
fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default()
}
