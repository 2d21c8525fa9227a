//! Transcripts in the page: deflated in blocks, the failures first, within a size. The browser inflates a block when it
//! is looked at.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::{Serialize, Serializer};

use super::changes::Changes;
use super::scorecard::Scorecard;
use super::shown::ShownTrial;
use crate::ids::CaseKey;
use crate::report::ReportError;
use crate::report::archive::Archive;
use crate::report::summary::{Row, Summary, urgency};

/// How much of the transcripts a page holds. A block that is begun is filled.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes of all blocks, as they stand in the file.
    pub bytes: usize,
    /// Most bytes of all transcripts before they are deflated: what takes the time.
    pub raw: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 10 * 1024 * 1024, raw: 128 * 1024 * 1024 }
    }
}

/// Bytes of transcripts in one block: small enough to be inflated in a moment, large enough that what they share costs
/// little.
const BLOCK: usize = 256 * 1024;
/// Most trials that bring their like of the run before along.
const BESIDE: usize = 500;

/// Where the browser finds a trial.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Place {
    /// In the page: the number of the block, and of the trial in it.
    Block([u32; 2]),
    /// At the server of the page, by its key.
    Key(#[serde(serialize_with = "text")] CaseKey),
}

fn text<S: Serializer>(key: &CaseKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

/// The blocks, and what is in them.
#[derive(Debug, Default)]
pub(super) struct Embedded {
    /// Base64 of raw deflate of a JSON list of trials.
    pub(super) blocks: Vec<String>,
    /// For each case and each of its trials in order; `None`: left out, or without a transcript.
    pub(super) places: Vec<Vec<Option<Place>>>,
    /// Trials in the blocks.
    pub(super) kept: usize,
    /// Trials left out to stay within the size.
    pub(super) left_out: usize,
    /// Of these, trials that failed.
    pub(super) failed_out: usize,
    /// Trials whose transcript could not be read.
    pub(super) unreadable: usize,
    /// The page is served: every transcript is fetched when it is looked at.
    pub(super) served: bool,
}

/// The order in which trials are kept: what needs attention, what can be held beside it, one of each case, the rest.
fn rank(row: &Row, trial: usize) -> u8 {
    let line = &row.trials[trial];
    match (line.outcome, line.skipped.is_some()) {
        (_, true) => 9,
        (Some("fail"), _) => urgency(row.is).min(1),
        (Some("pass"), _) if row.failed == 0 => 5 + u8::from(trial > 0),
        (Some("pass"), _) => 3,
        _ => 2,
    }
}

/// Every trial, by its row and its place in it, in the order in which they are kept.
pub(super) fn order(summary: &Summary) -> Vec<(u8, usize, usize)> {
    let rows = summary.cases.iter().enumerate();
    let mut order: Vec<(u8, usize, usize)> = rows
        .flat_map(|(at, row)| (0..row.trials.len()).map(move |trial| (rank(row, trial), at, trial)))
        .collect();
    order.sort_unstable();
    order
}

/// Reads the transcripts that fit. Everything that is read is counted in the scorecard as well.
pub(super) fn embed(
    summary: &Summary,
    archive: &dyn Archive,
    changes: Option<&Changes>,
    scorecard: &mut Scorecard,
    limits: Limits,
) -> Result<Embedded, ReportError> {
    let mut out = Embedded {
        places: summary.cases.iter().map(|row| vec![None; row.trials.len()]).collect(),
        ..Embedded::default()
    };
    let order = order(summary);
    let mut packer = Packer::default();
    let mut beside = BESIDE;
    for (done, (_, at, number)) in order.iter().copied().enumerate() {
        if packer.is_full(limits) {
            out.left_out = order.len() - done;
            let failed = |(_, at, number): &&(u8, usize, usize)| {
                summary.cases[*at].trials[*number].outcome == Some("fail")
            };
            out.failed_out = order[done..].iter().filter(failed).count();
            break;
        }
        let row = &summary.cases[at];
        let line = &row.trials[number];
        let Some(kept) = archive.trial(line.key) else {
            out.unreadable += 1;
            continue;
        };
        scorecard.absorb(&kept.transcript);
        let mut shown = ShownTrial::of(&kept);
        let other = changes.filter(|_| beside > 0).and_then(|changes| {
            let key = changes.other_way(row, line.trial, line.outcome)?;
            let before = ShownTrial::of(&archive.earlier(key)?);
            Some(ShownTrial { run: Some(changes.run().to_owned()), ..before })
        });
        if let Some(other) = other {
            beside -= 1;
            shown.before = Some(Box::new(other));
        }
        out.places[at][number] = Some(packer.add(&shown)?);
        out.kept += 1;
    }
    packer.flush()?;
    out.blocks = packer.blocks;
    Ok(out)
}

#[derive(Default)]
struct Packer {
    blocks: Vec<String>,
    pending: Vec<u8>,
    trials: u32,
    used: usize,
    raw: usize,
}

impl Packer {
    fn is_full(&self, limits: Limits) -> bool {
        self.used >= limits.bytes || self.raw >= limits.raw
    }

    fn add(&mut self, trial: &ShownTrial) -> Result<Place, ReportError> {
        let place = Place::Block([u32::try_from(self.blocks.len()).unwrap_or(u32::MAX), self.trials]);
        self.pending.push(if self.trials == 0 { b'[' } else { b',' });
        serde_json::to_writer(&mut self.pending, trial).map_err(|error| unwritable(&error))?;
        self.trials += 1;
        if self.pending.len() >= BLOCK {
            self.flush()?;
        }
        Ok(place)
    }

    fn flush(&mut self) -> Result<(), ReportError> {
        if self.trials > 0 {
            self.pending.push(b']');
            let block = packed(&self.pending)?;
            self.raw += self.pending.len();
            self.used += block.len();
            self.blocks.push(block);
            self.pending.clear();
            self.trials = 0;
        }
        Ok(())
    }
}

pub(super) fn unwritable(error: &dyn std::fmt::Display) -> ReportError {
    ReportError::Render { format: "html", message: error.to_string() }
}

/// Base64 of raw deflate: inert in a page, and what every browser can inflate.
pub(super) fn packed(bytes: &[u8]) -> Result<String, ReportError> {
    Ok(STANDARD.encode(deflated(bytes)?))
}

/// Raw deflate (RFC 1951).
pub(super) fn deflated(bytes: &[u8]) -> Result<Vec<u8>, ReportError> {
    let mut deflater = DeflateEncoder::new(Vec::with_capacity(bytes.len() / 6), Compression::new(3));
    deflater.write_all(bytes)?;
    Ok(deflater.finish()?)
}
