//! The file of a baseline: one night and one lane a line, so that reviews and merges see single lines. What people edited
//! or a merge left behind is refused with its place.

#![expect(clippy::disallowed_methods, reason = "baselines are read and written here")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Baseline, Lane, LaneKey, LaneNight, LanePrint, Night, SCHEMA};
use crate::diag::Origin;
use crate::ids::{CaseName, ClientName, Digest, ModelName, PersonaName, RunId, SuiteName};
use crate::store::layout;

/// Larger files are no baselines: ten thousand lanes of sixty nights take less.
const LARGEST: u64 = 256 << 20;

/// A baseline that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BaselineError {
    /// The code that `rehearsal explain` knows.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where.
    pub at: Origin,
    /// What to do.
    pub hint: &'static str,
}

/// Where the baseline of a suite lies.
pub fn path(reports: &Path, suite: &SuiteName) -> PathBuf {
    layout::baseline_file(reports, suite)
}

/// Reads a baseline; `None` when there is no such file.
pub fn read(path: &Path) -> Result<Option<Baseline>, BaselineError> {
    let unreadable = |message: String| BaselineError {
        code: "baseline.unreadable",
        message,
        at: place(path, 1, 1),
        hint: "see that it is a file which may be read",
    };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(format!("the baseline cannot be read: {error}"))),
        Ok(data) if !data.is_file() => return Err(unreadable("the baseline is not a file".to_owned())),
        Ok(data) if data.len() > LARGEST => {
            return Err(unreadable(format!(
                "the baseline has {} bytes; {LARGEST} are read at most",
                data.len()
            )));
        }
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| unreadable(format!("the baseline cannot be read: {error}")))?;
    parse(&text, path).map(Some)
}

/// The bytes of a baseline.
pub fn written(baseline: &Baseline) -> String {
    let mut out = format!("{{\n\"schema\": {SCHEMA},\n\"suite\": {}", json(&baseline.suite));
    if let Some(pinned) = &baseline.pinned {
        out.push_str(&format!(",\n\"pinned\": {}", json(pinned)));
    }
    let nights = baseline.nights.iter().map(json);
    let lanes = baseline.lanes.iter().map(|lane| json(&Written::of(lane)));
    for (name, items) in [("nights", nights.collect::<Vec<_>>()), ("lanes", lanes.collect())] {
        let open = if items.is_empty() { "" } else { "\n" };
        out.push_str(&format!(",\n\"{name}\": [{open}{}{open}]", items.join(",\n")));
    }
    out.push_str("\n}\n");
    out
}

/// Plain data as one line; it always becomes JSON.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Baseline {
    /// Writes the file beside itself first, so that nobody ever reads half of it.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut new = path.as_os_str().to_owned();
        new.push(".part");
        std::fs::write(&new, written(self))?;
        std::fs::rename(&new, path)
    }
}

/// A lane as one line: no level of nesting that says nothing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    case: CaseName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<ModelName>,
    persona: PersonaName,
    client: ClientName,
    question: Digest,
    answers_as: Digest,
    score: Digest,
    seen: Vec<LaneNight>,
}

impl Written {
    fn of(lane: &Lane) -> Self {
        let LaneKey { case, model, persona, client } = lane.key.clone();
        let LanePrint { question, model: answers_as, score } = lane.print;
        Self { case, model, persona, client, question, answers_as, score, seen: lane.seen.clone() }
    }

    fn lane(self) -> Lane {
        let Self { case, model, persona, client, question, answers_as, score, seen } = self;
        let print = LanePrint { question, model: answers_as, score };
        Lane { key: LaneKey { case, model, persona, client }, print, seen }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'t> {
    schema: u32,
    suite: SuiteName,
    #[serde(default)]
    pinned: Option<RunId>,
    #[serde(borrow)]
    nights: Vec<&'t RawValue>,
    #[serde(borrow)]
    lanes: Vec<&'t RawValue>,
}

/// The number of the format alone: newer formats may have other fields.
#[derive(Deserialize)]
struct Format {
    schema: u32,
}

/// Reads the text of a baseline.
fn parse(text: &str, path: &Path) -> Result<Baseline, BaselineError> {
    if let Some(line) = text.lines().position(is_marker) {
        return Err(BaselineError {
            code: "baseline.conflict",
            message: "a merge left both sides in the baseline".to_owned(),
            at: place(path, line as u32 + 1, 1),
            hint: "take the file of one side, then `rehearsal baseline accept` the runs of the other: the order in which runs are accepted does not matter",
        });
    }
    let reading = Reading { text, path };
    if let Ok(Format { schema }) = serde_json::from_str(text)
        && schema > SCHEMA
    {
        return Err(BaselineError {
            code: "baseline.newer",
            message: format!(
                "the baseline has format {schema}, and this version reads formats up to {SCHEMA}"
            ),
            at: place(path, 1, 1),
            hint: "update rehearsal",
        });
    }
    let document: Document<'_> = serde_json::from_str(text).map_err(|error| reading.syntax(text, &error))?;
    if document.schema == 0 {
        return Err(reading.broken(1, 1, "`schema` counts from 1".to_owned()));
    }
    let mut baseline = Baseline { pinned: document.pinned, ..Baseline::new(document.suite) };
    let mut runs = BTreeSet::new();
    for raw in document.nights {
        let night: Night = reading.item(raw)?;
        if !runs.insert(night.run.clone()) {
            return Err(reading.wrong(raw, format!("the night of run `{}` is there twice", night.run)));
        }
        if let Some(before) = baseline.nights.last()
            && (&before.started, &before.run) < (&night.started, &night.run)
        {
            return Err(reading.wrong(raw, "nights stand newest first, and this one is out of order"));
        }
        baseline.nights.push(night);
    }
    if let Some(pinned) = baseline.pinned.as_ref().filter(|pinned| !runs.contains(*pinned)) {
        let message = format!("the pinned run `{pinned}` is not among the nights");
        return Err(reading.broken(1, 1, message));
    }
    for raw in document.lanes {
        let lane = reading.item::<Written>(raw)?.lane();
        if let Some(why) = unsound(&lane, baseline.lanes.last(), &runs) {
            return Err(reading.wrong(raw, why));
        }
        baseline.lanes.push(lane);
    }
    Ok(baseline)
}

fn is_marker(line: &str) -> bool {
    ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|marker| line.starts_with(marker))
}

/// Why a lane cannot be so.
fn unsound(lane: &Lane, before: Option<&Lane>, runs: &BTreeSet<RunId>) -> Option<String> {
    let case = &lane.key.case;
    if before.is_some_and(|before| before.key >= lane.key) {
        return Some(format!("the lane of case `{case}` is there twice or out of order"));
    }
    if lane.seen.is_empty() {
        return Some(format!("the lane of case `{case}` has no night"));
    }
    let mut own = BTreeSet::new();
    for seen in &lane.seen {
        if !runs.contains(&seen.run) {
            return Some(format!("case `{case}`: run `{}` is not among the nights", seen.run));
        }
        if !own.insert(&seen.run) {
            return Some(format!("case `{case}`: run `{}` is there twice", seen.run));
        }
        if seen.passed > seen.trials || seen.trials > MOST_TRIALS || seen.invalid > MOST_TRIALS {
            let (passed, trials) = (seen.passed, seen.trials);
            return Some(format!("case `{case}`: {passed} of {trials} trials cannot have passed"));
        }
    }
    None
}

/// More trials of one lane in one night are a mistake of an editor.
const MOST_TRIALS: u64 = 1_000_000;

fn place(path: &Path, line: u32, column: u32) -> Origin {
    let path = path.strip_prefix(".").unwrap_or(path);
    Origin { file: path.display().to_string().into(), line, column }
}

/// A text being read, to know places in it.
struct Reading<'t> {
    text: &'t str,
    path: &'t Path,
}

impl<'t> Reading<'t> {
    fn item<T: Deserialize<'t>>(&self, raw: &'t RawValue) -> Result<T, BaselineError> {
        serde_json::from_str(raw.get()).map_err(|error| self.syntax(raw.get(), &error))
    }

    /// An error of the parser in a part of the text.
    fn syntax(&self, part: &str, error: &serde_json::Error) -> BaselineError {
        let (line, column) = self.start(part);
        let inside = (error.line() as u32).max(1);
        // The first line of a part begins somewhere in a line of the text.
        let column = if inside == 1 { column - 1 } else { 0 } + error.column() as u32;
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        self.broken(line + inside - 1, column.max(1), format!("the baseline cannot be read: {said}"))
    }

    /// Something that cannot be so.
    fn wrong(&self, raw: &RawValue, why: impl Into<String>) -> BaselineError {
        let (line, column) = self.start(raw.get());
        self.broken(line, column, why.into())
    }

    /// Line and column at which a part of the text begins.
    fn start(&self, part: &str) -> (u32, u32) {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let before = self.text.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count() as u32 + 1;
        (line, before.chars().rev().take_while(|c| *c != '\n').count() as u32 + 1)
    }

    fn broken(&self, line: u32, column: u32, message: String) -> BaselineError {
        BaselineError {
            code: "baseline.broken",
            message,
            at: place(self.path, line, column),
            hint: "take the file from version control again; baselines are written by `rehearsal baseline accept`, not by hand",
        }
    }
}
