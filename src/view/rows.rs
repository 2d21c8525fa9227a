//! The runs below a folder as rows of a list. A file is read again only when it has changed; rates, which take longest,
//! are filled in over several requests, the newest runs first.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::display::{self, excerpt};
use crate::gate::Exit;
use crate::ids::{Digest, RunId};
use crate::report::figures::{moment, money};
use crate::stats::Tally;
use crate::stats::proportion::suite_rate;
use crate::store::history::{self, Counts, RunInfo, RunState};
use crate::store::outcomes::Outcomes;
use crate::store::{Reader, StoreError, layout};
use crate::transcript::Clock;

/// Most runs of a list.
const MOST: usize = 20_000;
/// Most rates of a row.
const RATES: usize = 20;
/// How long one request may work on rates.
const BUDGET: Duration = Duration::from_millis(800);

/// What is known of the runs of a folder.
pub(super) struct Rows {
    folder: PathBuf,
    extra: Option<PathBuf>,
    clock: Clock,
    known: Mutex<HashMap<PathBuf, Known>>,
}

struct Known {
    stamp: Stamp,
    row: Arc<Row>,
    /// Everything is filled in.
    whole: bool,
}

/// What tells that a run file has changed: sizes and times of the file, its log and its lock.
pub(super) type Stamp = [Option<(u64, Option<SystemTime>)>; 3];

/// The stamp of a run file.
pub(super) fn stamp(file: &Path) -> Stamp {
    let of = |path: &Path| path.metadata().ok().map(|data| (data.len(), data.modified().ok()));
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    [of(file), of(Path::new(&log)), of(&layout::lock_file(file))]
}

/// The name of a run file in addresses.
pub(super) fn id(file: &Path) -> String {
    Digest::of(file.as_os_str().as_encoded_bytes()).to_string()
}

/// A list of runs.
#[derive(Debug, Serialize)]
pub(super) struct List {
    /// The folder.
    pub(super) folder: String,
    /// Newest first.
    pub(super) runs: Vec<Arc<Row>>,
    /// Runs whose rates are still to be read.
    pub(super) pending: usize,
}

/// A run of a list. Every text is safe to show.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) file: String,
    pub(super) run: String,
    pub(super) suite: String,
    pub(super) started: String,
    /// `running`, `killed`, `open` (resume runs what is missing), `ended`, or `unreadable`.
    pub(super) state: &'static str,
    /// The exit code it ended with.
    pub(super) exit: Option<u8>,
    /// The name of that code.
    pub(super) verdict: Option<&'static str>,
    pub(super) planned: u64,
    pub(super) counts: Counts,
    pub(super) models: Vec<String>,
    /// Pass rates of the use cases as the report has them; empty until they are read, and while the run goes on.
    pub(super) rates: Vec<RateLine>,
    /// US dollars in words.
    pub(super) cost: Option<String>,
    /// It is no run of the whole suite: some cases, a shard, or a server that was broken on purpose.
    pub(super) part: Option<String>,
    /// Why it cannot be read.
    pub(super) error: Option<String>,
}

/// A pass rate with its 95 % interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RateLine {
    model: String,
    persona: String,
    client: String,
    cases: u64,
    rate: f64,
    low: Option<f64>,
    high: Option<f64>,
}

impl Rows {
    pub(super) fn new(folder: PathBuf, extra: Option<PathBuf>, clock: Clock) -> Self {
        Self { folder, extra, clock, known: Mutex::default() }
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = history::all(&self.folder, MOST);
        files.extend(self.extra.iter().filter(|extra| !files.contains(extra)).cloned().collect::<Vec<_>>());
        files
    }

    /// The run file of a name, if there is one now.
    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        self.files().into_iter().find(|file| id(file) == name)
    }

    /// All of them. Reads files that changed.
    pub(super) fn list(&self) -> List {
        let files = self.files();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|file, _| files.contains(file));
        let begun = self.clock.elapsed();
        let mut pending = 0;
        for file in &files {
            let stamp = stamp(file);
            let same = known.get(file).filter(|one| one.stamp == stamp && one.row.state != "running");
            if same.is_some_and(|one| one.whole) {
                continue;
            }
            let (mut row, settled) = match same {
                Some(one) => (Row::clone(&one.row), true),
                None => row(file),
            };
            let mut whole = !settled;
            if settled {
                if self.clock.elapsed().saturating_sub(begun) < BUDGET {
                    fill(&mut row, file);
                    whole = true;
                } else {
                    pending += 1;
                }
            }
            known.insert(file.clone(), Known { stamp, row: Arc::new(row), whole });
        }
        let mut runs: Vec<Arc<Row>> =
            files.iter().filter_map(|file| known.get(file)).map(|one| Arc::clone(&one.row)).collect();
        runs.sort_by(|a, b| (&b.started, &b.run).cmp(&(&a.started, &a.run)));
        List { folder: excerpt(&display::path(&self.folder), 300), runs, pending }
    }
}

/// The row of a file without rates, and whether it has any: a run in progress has none yet, and a broken file none at all.
fn row(file: &Path) -> (Row, bool) {
    let base = Row {
        id: id(file),
        file: excerpt(&display::path(file), 300),
        run: file.file_stem().map(|stem| excerpt(&stem.to_string_lossy(), 100)).unwrap_or_default(),
        ..Row::default()
    };
    match history::info(file) {
        Ok(info) => (of(&info, base), !matches!(info.state, RunState::Running(_))),
        Err(error) => {
            let why = format!("{}: {error}; {}", error.code(), error.hint());
            (Row { state: "unreadable", error: Some(excerpt(&why, 600)), ..base }, false)
        }
    }
}

fn of(info: &RunInfo, base: Row) -> Row {
    let RunInfo { manifest, planned, counts, .. } = info;
    let (state, exit) = state(info);
    let judge = manifest.judge.as_deref();
    let used = manifest.instruments.iter().filter(|instrument| instrument.kind == "model");
    let models = used.filter(|model| Some(model.name.as_str()) != judge);
    let chosen = &manifest.selection;
    let some = !chosen.cases.is_empty() || !chosen.tags.is_empty();
    let part = match (&manifest.flaw, manifest.shard, some) {
        (Some(flaw), ..) => Some(format!("flaw {}", excerpt(flaw, 80))),
        (None, Some(shard), _) => Some(format!("shard {}/{}", shard.index, shard.of)),
        (None, None, true) => Some("some cases".to_owned()),
        (None, None, false) => None,
    };
    Row {
        run: excerpt(manifest.run.as_str(), 100),
        suite: excerpt(manifest.suite.as_str(), 200),
        started: excerpt(&moment(&manifest.started), 40),
        state,
        exit,
        verdict: exit.and_then(name),
        planned: *planned,
        counts: *counts,
        models: models.map(|model| excerpt(&model.name, 100)).take(RATES).collect(),
        part,
        ..base
    }
}

/// How a run stands in a word, and its exit code if it has ended.
pub(super) fn state(info: &RunInfo) -> (&'static str, Option<u8>) {
    let Counts { passed, failed, invalid, skipped, unscored } = info.counts;
    let complete = passed + failed + invalid + skipped == info.planned && unscored == 0;
    match info.state {
        RunState::Running(_) => ("running", None),
        RunState::Broken => ("killed", None),
        RunState::Ended(code) if complete => ("ended", Some(code)),
        RunState::Ended(code) => ("open", Some(code)),
    }
}

/// Changes when a trial of a run ends or is scored, and when the run does.
pub(super) fn tag(info: &RunInfo) -> String {
    Digest::of_json(&(state(info).0, info.counts, info.planned)).to_string()
}

fn name(code: u8) -> Option<&'static str> {
    Exit::BY_PRECEDENCE.into_iter().find(|exit| exit.code() == code).map(Exit::name)
}

/// Adds what takes longer to read.
fn fill(row: &mut Row, file: &Path) {
    let read = || -> Result<_, StoreError> {
        let reader = Reader::open(file)?;
        Ok((reader.money()?, rates(&reader.outcomes()?)))
    };
    match read() {
        Ok(((cost, unpriced), rates)) => {
            row.cost = Some(money(cost, u32::try_from(unpriced).unwrap_or(u32::MAX)));
            row.rates = rates;
        }
        Err(error) => row.error = Some(excerpt(&format!("{}: {error}", error.code()), 600)),
    }
}

/// Pass rates by model, persona and client profile, of use cases that are not known to fail.
fn rates(outcomes: &Outcomes) -> Vec<RateLine> {
    let mut groups: BTreeMap<[&str; 3], Vec<Tally>> = BTreeMap::new();
    for lane in outcomes.lanes.iter().filter(|lane| lane.is_use() && !lane.expected_failure) {
        let model = lane.key.model.as_ref().map_or("", crate::ids::ModelName::as_str);
        let who = [model, lane.key.persona.as_str(), lane.key.client.as_str()];
        groups.entry(who).or_default().push(lane.tally);
    }
    let lines = groups.into_iter().filter_map(|(who, cases)| {
        let found = suite_rate(&cases, 0.95)?;
        let [model, persona, client] = who.map(|name| excerpt(name, 200));
        let (low, high) = (found.interval.map(|ends| ends.low), found.interval.map(|ends| ends.high));
        Some(RateLine { model, persona, client, cases: found.cases, rate: found.rate, low, high })
    });
    lines.take(RATES).collect()
}

/// The run file just before this one, of the same suite, as far as it lies beside it: the one that reports look back to.
pub(super) fn earlier(file: &Path) -> Option<(RunId, PathBuf)> {
    let suite = history::info(file).ok()?.manifest.suite;
    let earlier = history::before(file.ancestors().nth(3)?, &suite, file, 1).into_iter().next()?;
    Some((history::info(&earlier).ok()?.manifest.run, earlier))
}
