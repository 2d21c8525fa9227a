//! Transcripts in the page: deflated in blocks, the failures first, within a size. The browser inflates a block when it
//! is looked at.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use rayon::prelude::*;
use serde::{Serialize, Serializer};

use super::changes::Changes;
use super::scorecard::Scorecard;
use super::shown::ShownTrial;
use crate::ids::CaseKey;
use crate::report::ReportError;
use crate::report::archive::{Archive, Kept};
use crate::report::summary::{Row, Summary, urgency};

/// How much of the transcripts a page holds. What is read already is kept, a few trials and blocks beyond.
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
/// Trials that are read before the next look at the limits.
const BATCH: usize = 8;
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
///
/// One thread reads while the others write what was read before and pack the blocks that are full, so the limits are held
/// to within what is under way; which trials that is does not depend on the threads.
pub(super) fn embed(
    summary: &Summary,
    archive: &dyn Archive,
    changes: Option<&Changes>,
    scorecard: &mut Scorecard,
    limits: Limits,
) -> Result<Embedded, ReportError> {
    let mut places: Vec<_> = summary.cases.iter().map(|row| vec![None; row.trials.len()]).collect();
    let (order, run) = (order(summary), changes.map(Changes::run));
    let mut taker = Taker { summary, archive, changes, order: &order, beside: BESIDE, unreadable: 0 };
    let (mut packer, mut kept) = (Packer::default(), 0);
    let mut batch = taker.batch(scorecard);
    while !batch.is_empty() {
        let full = packer.is_full(limits);
        let closed = std::mem::take(&mut packer.closed);
        let (mut texts, mut blocks, mut next) = (Ok(vec![]), Ok(vec![]), vec![]);
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| texts = batch.par_iter().map(|taken| taken.text(run)).collect());
            scope.spawn(|_| blocks = closed.par_iter().map(|block| packed(block)).collect());
            if !full {
                next = taker.batch(scorecard);
            }
        });
        packer.enter(blocks?);
        let texts: Vec<Vec<u8>> = texts?;
        kept += texts.len();
        for (taken, text) in batch.iter().zip(&texts) {
            places[taken.row][taken.number] = Some(packer.add(text));
        }
        batch = next;
    }
    let left = taker.order;
    let failed =
        |(_, at, number): &&(u8, usize, usize)| summary.cases[*at].trials[*number].outcome == Some("fail");
    Ok(Embedded {
        left_out: left.len(),
        failed_out: left.iter().filter(failed).count(),
        unreadable: taker.unreadable,
        blocks: packer.finish()?,
        places,
        kept,
        served: false,
    })
}

/// Reads trials in the order in which they are kept.
struct Taker<'a> {
    summary: &'a Summary,
    archive: &'a dyn Archive,
    changes: Option<&'a Changes>,
    /// Those that are left.
    order: &'a [(u8, usize, usize)],
    /// How many more bring their like of the run before along.
    beside: usize,
    unreadable: usize,
}

/// A trial that was read.
struct Taken {
    row: usize,
    number: usize,
    kept: Kept,
    /// Its like of the run before.
    before: Option<Kept>,
}

impl Taker<'_> {
    /// The next few; none when there are no more.
    fn batch(&mut self, scorecard: &mut Scorecard) -> Vec<Taken> {
        let mut out = vec![];
        while let Some(((_, row, number), rest)) = self.order.split_first().filter(|_| out.len() < BATCH) {
            self.order = rest;
            let cell = &self.summary.cases[*row];
            let line = &cell.trials[*number];
            let Some(kept) = self.archive.trial(line.key) else {
                self.unreadable += 1;
                continue;
            };
            scorecard.absorb(&kept.transcript);
            let other = self.changes.filter(|_| self.beside > 0);
            let other = other.and_then(|changes| changes.other_way(cell, line.trial, line.outcome));
            let before = other.and_then(|key| self.archive.earlier(key));
            self.beside -= usize::from(before.is_some());
            out.push(Taken { row: *row, number: *number, kept, before });
        }
        out
    }
}

impl Taken {
    /// As the viewer takes it. `run` is the run before.
    fn text(&self, run: Option<&str>) -> Result<Vec<u8>, ReportError> {
        let mut shown = ShownTrial::of(&self.kept);
        shown.before = self
            .before
            .as_ref()
            .map(|before| Box::new(ShownTrial { run: run.map(ToOwned::to_owned), ..ShownTrial::of(before) }));
        serde_json::to_vec(&shown).map_err(|error| unwritable(&error))
    }
}

#[derive(Default)]
struct Packer {
    /// Packed.
    blocks: Vec<String>,
    /// Full, and to be packed.
    closed: Vec<Vec<u8>>,
    pending: Vec<u8>,
    trials: u32,
    /// Blocks so far, the pending one left out.
    number: u32,
    used: usize,
    raw: usize,
}

impl Packer {
    fn is_full(&self, limits: Limits) -> bool {
        self.used >= limits.bytes || self.raw >= limits.raw
    }

    fn add(&mut self, text: &[u8]) -> Place {
        let place = Place::Block([self.number, self.trials]);
        self.pending.push(if self.trials == 0 { b'[' } else { b',' });
        self.pending.extend_from_slice(text);
        self.trials += 1;
        self.raw += text.len() + 1;
        if self.pending.len() >= BLOCK {
            self.close();
        }
        place
    }

    fn close(&mut self) {
        if self.trials > 0 {
            self.pending.push(b']');
            self.closed.push(std::mem::take(&mut self.pending));
            self.number += 1;
            self.trials = 0;
        }
    }

    fn enter(&mut self, blocks: Vec<String>) {
        self.used += blocks.iter().map(String::len).sum::<usize>();
        self.blocks.extend(blocks);
    }

    fn finish(mut self) -> Result<Vec<String>, ReportError> {
        self.close();
        let left: Result<Vec<String>, ReportError> = self.closed.iter().map(|block| packed(block)).collect();
        self.enter(left?);
        Ok(self.blocks)
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
