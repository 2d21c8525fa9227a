//! Whether a run file keeps its promises, behind `rehearsal runs check`: a list of what is broken, and for which trial.
//!
//! The numbers are those of the reliability invariants: I1 one identity for each trial's end; I2 every model response is
//! charged once; I3 stored sums equal what the transcripts say; I4 every planned trial is in exactly one of pass, fail,
//! invalid and pending; I5 no verdict without the transcript and events it rests on; I6 events are numbered without
//! gaps, and digests and seals match; I7 time never runs backwards; I9 no known secret in any byte. `file` is SQLite's
//! own opinion of the file. Reads only.

#![expect(clippy::disallowed_methods, reason = "reads the bytes of the run file it checks")]

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use rayon::prelude::*;
use rusqlite::OptionalExtension;

use super::record::{Facts, Spend};
use super::{Reader, StoreError, layout, pack};
use crate::ids::CaseKey;
use crate::plan::Planned;
use crate::score::Verdict;
use crate::transcript::{End, Event, Secrets, Transcript};

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Broken {
    /// `file` or the number of the invariant, such as `I6`.
    pub invariant: &'static str,
    /// The trial; `None` when it is about the whole file.
    pub key: Option<CaseKey>,
    /// What is wrong.
    pub message: String,
}

/// Checks a run file; empty: every promise holds. `secrets` are looked for in every byte.
pub fn check(path: &Path, secrets: &Secrets) -> Result<Vec<Broken>, StoreError> {
    let reader = Reader::open(path)?;
    let mut check = Check { reader: &reader, secrets, found: Vec::new() };
    let sqlite = |error: rusqlite::Error| reader.unreadable(&error);
    check.file().map_err(sqlite)?;
    check.run();
    for ids in check.ids("SELECT id FROM trials ORDER BY id").map_err(sqlite)?.chunks(BATCH) {
        let rows: Vec<_> = ids.iter().map(|id| check.row(*id)).collect();
        // Reading is SQLite's, one row after the other; unpacking keeps every processor busy.
        let unpacked: Vec<_> = rows
            .into_par_iter()
            .map(|row| row.map(|row| row.map(|row| Unpacked::of(row, check.secrets))))
            .collect();
        for (id, unpacked) in ids.iter().zip(unpacked) {
            if let Err(error) = unpacked.and_then(|unpacked| check.trial(*id, unpacked)) {
                check.broken("file", None, format!("trial row {id}: {error}"));
            }
        }
    }
    check.orphans().map_err(sqlite)?;
    check.bytes(path)?;
    Ok(check.found)
}

struct Check<'a> {
    reader: &'a Reader,
    secrets: &'a Secrets,
    found: Vec<Broken>,
}

/// Transcripts in memory at once.
const BATCH: usize = 64;

/// A transcript's row, with the key of its trial.
struct Stored {
    key: String,
    facts: String,
    sums: (i64, i64, i64, Option<f64>, i64),
    bytes: i64,
    digest: String,
    seal: String,
    body: Vec<u8>,
}

/// A transcript's row and what is in it.
struct Unpacked {
    row: Stored,
    sealed: bool,
    secret: bool,
    transcript: Result<Transcript, String>,
}

impl Unpacked {
    fn of(row: Stored, secrets: &Secrets) -> Self {
        let sealed = pack::seal_transcript(&row.key, &row.facts, &row.digest, &row.body) == row.seal;
        let text = pack::inflate(&row.body, row.bytes as u64, &row.digest);
        let secret = text.as_ref().is_ok_and(|text| holds_secret(secrets, &String::from_utf8_lossy(text)));
        let transcript = text.and_then(|text| pack::read("transcript", &text));
        Self { row, sealed, secret, transcript }
    }
}

impl Check<'_> {
    fn broken(&mut self, invariant: &'static str, key: Option<CaseKey>, message: impl Into<String>) {
        self.found.push(Broken { invariant, key, message: message.into() });
    }

    fn file(&mut self) -> rusqlite::Result<()> {
        let conn = self.reader.conn();
        let mut integrity = conn.prepare("PRAGMA integrity_check(20)")?;
        let words = integrity.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
        for word in words.into_iter().filter(|word| word != "ok") {
            self.broken("file", None, word);
        }
        let mut foreign = conn.prepare("PRAGMA foreign_key_check")?;
        let rows = foreign.query_map([], |row| {
            let (table, id): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
            Ok(format!("row {} of `{table}` belongs to nothing", id.unwrap_or_default()))
        })?;
        for row in rows.collect::<rusqlite::Result<Vec<_>>>()? {
            self.broken("file", None, row);
        }
        Ok(())
    }

    fn run(&mut self) {
        if let Err(error) = self.reader.bare_manifest() {
            self.broken("I6", None, error.to_string());
        }
        if let Err(why) = self.reader.gate() {
            self.broken("I6", None, format!("what the comparison with a baseline rests on: {why}"));
        }
        let sql = "SELECT wanted, (SELECT count(*) FROM trials WHERE wanted = 1) FROM run";
        let counts = self.reader.conn().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
        let (planned, rows): (i64, i64) = counts.unwrap_or((-1, 0));
        if rows != planned {
            self.broken("I4", None, format!("{planned} trials are planned, {rows} are in the plan"));
        }
    }

    fn trial(&mut self, id: i64, unpacked: Option<Unpacked>) -> rusqlite::Result<()> {
        let conn = self.reader.conn();
        let sql = "SELECT key, wanted, planned, seal FROM trials WHERE id = ?1";
        let (text, wanted, planned, seal): (String, i64, String, String) =
            conn.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        if pack::seal_trial(&text, wanted, &planned) != seal {
            self.broken("I6", None, format!("the plan of trial {text} does not match its seal"));
        }
        let planned: Planned = match pack::read("plan", planned.as_bytes()) {
            Ok(planned) => planned,
            Err(why) => {
                self.broken("I6", None, format!("trial {text}: {why}"));
                return Ok(());
            }
        };
        let key = planned.header.key;
        if key.to_string() != text {
            self.broken("I1", Some(key), format!("the plan calls this trial {text}"));
        }
        let transcript = unpacked.and_then(|unpacked| self.transcript(key, unpacked));
        self.replies(id, key, transcript.as_ref())?;
        self.verdict(id, key, transcript.as_ref())
    }

    fn row(&self, id: i64) -> rusqlite::Result<Option<Stored>> {
        let sql = "SELECT facts, model_calls, tokens_in, tokens_out, cost, took_ms, bytes, digest, r.seal, body, key
                   FROM transcripts r JOIN trials t ON t.id = r.trial WHERE r.trial = ?1";
        let row = self.reader.conn().prepare_cached(sql)?.query_row([id], |row| {
            Ok(Stored {
                key: row.get(10)?,
                facts: row.get(0)?,
                sums: (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?),
                bytes: row.get(6)?,
                digest: row.get(7)?,
                seal: row.get(8)?,
                body: row.get(9)?,
            })
        });
        row.optional()
    }

    fn transcript(&mut self, key: CaseKey, unpacked: Unpacked) -> Option<Transcript> {
        let Unpacked { row, sealed, secret, transcript } = unpacked;
        if !sealed {
            self.broken("I6", Some(key), "the transcript does not match its seal");
        }
        if secret {
            self.broken("I9", Some(key), SECRET);
        }
        let transcript = transcript.map_err(|why| self.broken("I6", Some(key), why)).ok()?;
        self.order(key, &transcript);
        self.charges(key, &row, &transcript);
        Some(transcript)
    }

    fn order(&mut self, key: CaseKey, transcript: &Transcript) {
        if transcript.header.key != key {
            self.broken("I1", Some(key), format!("the transcript is about {}", transcript.header.key));
        }
        if transcript.end == End::Interrupted {
            self.broken("I4", Some(key), "an interrupted trial is kept as finished");
        }
        let events = &transcript.events;
        if let Some((expected, event)) = (0..).zip(events).find(|(expected, event)| *expected != event.seq) {
            self.broken("I6", Some(key), format!("event {expected} has the number {}", event.seq));
        }
        if let Some(pair) = events.windows(2).find(|pair| pair[0].at_ms > pair[1].at_ms) {
            let message = format!("event {} is older than the one before it", pair[1].seq);
            self.broken("I7", Some(key), message);
        }
        if events.last().is_some_and(|last| last.at_ms > transcript.took_ms) {
            self.broken("I7", Some(key), "the last event is younger than the end of the trial");
        }
    }

    fn charges(&mut self, key: CaseKey, row: &Stored, transcript: &Transcript) {
        let facts: Facts = match pack::read("facts", row.facts.as_bytes()) {
            Ok(facts) => facts,
            Err(why) => return self.broken("I6", Some(key), why),
        };
        let told = Facts::of(transcript);
        let spend = &facts.spend;
        for (spend, sum) in [(spend, &told.spend), (&facts.user, &told.user)] {
            if (spend.calls, spend.usage) != (sum.calls, sum.usage) || !same(spend.cost, sum.cost) {
                let message = "the charges are not those of the transcript's model responses";
                self.broken("I2", Some(key), message);
            }
        }
        if (&facts.end, &facts.tool_calls, facts.took_ms) != (&told.end, &told.tool_calls, told.took_ms) {
            self.broken("I6", Some(key), "the stored result is not that of the transcript");
        }
        let (calls, tokens_in, tokens_out, cost, took) = row.sums;
        let counts = [calls, tokens_in, tokens_out, took];
        let told = [
            i64::from(spend.calls),
            spend.usage.input as i64,
            spend.usage.output as i64,
            facts.took_ms as i64,
        ];
        if counts != told || !same(cost, spend.cost) {
            self.broken("I3", Some(key), "the columns for sums are not those of the result");
        }
    }

    /// A response that the transcript carries must not stand among the paid ones without a result.
    fn replies(&mut self, id: i64, key: CaseKey, transcript: Option<&Transcript>) -> rusqlite::Result<()> {
        let sql = "SELECT p.event, p.attempt = coalesce(r.attempt, -1)
                   FROM replies p LEFT JOIN transcripts r ON r.trial = p.trial WHERE p.trial = ?1";
        let mut rows = self.reader.conn().prepare_cached(sql)?;
        let rows = rows.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let carries = |event: &Event| transcript.is_some_and(|whole| whole.events.contains(event));
        for (text, carried) in rows.collect::<rusqlite::Result<Vec<(String, bool)>>>()? {
            match pack::read::<Event>("model response", text.as_bytes()) {
                Ok(event) if carried && carries(&event) => {
                    self.broken(
                        "I2",
                        Some(key),
                        format!("the model response {} is charged twice", event.seq),
                    );
                }
                Ok(event) if event.what.paid().or(event.what.paid_aside()).is_some() => {}
                Ok(event) => {
                    let message = format!("event {} is no model response and carries no charge", event.seq);
                    self.broken("I2", Some(key), message);
                }
                Err(why) => self.broken("I6", Some(key), why),
            }
        }
        Ok(())
    }

    fn verdict(&mut self, id: i64, key: CaseKey, transcript: Option<&Transcript>) -> rusqlite::Result<()> {
        let sql = "SELECT score_key, outcome, verdict, judge, seal FROM verdicts WHERE trial = ?1";
        let row = self.reader.conn().query_row(sql, [id], |row| {
            let (score_key, outcome): (String, String) = (row.get(0)?, row.get(1)?);
            let (verdict, judge, seal): (String, String, String) = (row.get(2)?, row.get(3)?, row.get(4)?);
            Ok((score_key, outcome, verdict, judge, seal))
        });
        let Some((score_key, outcome, verdict, judge, seal)) = row.optional()? else { return Ok(()) };
        if pack::seal_verdict(&key.to_string(), &verdict, &judge) != seal {
            self.broken("I6", Some(key), "the verdict does not match its seal");
        }
        if let Err(why) = pack::read::<Spend>("judge's spend", judge.as_bytes()) {
            self.broken("I6", Some(key), why);
        }
        let verdict: Verdict = match pack::read("verdict", verdict.as_bytes()) {
            Ok(verdict) => verdict,
            Err(why) => {
                self.broken("I6", Some(key), why);
                return Ok(());
            }
        };
        let says = verdict.outcome().as_str();
        if says != outcome {
            self.broken("I4", Some(key), format!("the trial counts as {outcome}, its findings say {says}"));
        }
        if verdict.score_key.0.to_string() != score_key {
            self.broken("I1", Some(key), "the verdict was made under another score key");
        }
        let Some(transcript) = transcript else {
            self.broken("I5", Some(key), "there is a verdict and no usable transcript");
            return Ok(());
        };
        let known = transcript.events.len() as u32;
        let cited = verdict.findings.iter().flat_map(|finding| &finding.evidence);
        if let Some(seq) = cited.copied().find(|seq| *seq >= known) {
            self.broken("I5", Some(key), format!("a finding rests on event {seq}, which does not exist"));
        }
        Ok(())
    }

    /// Verdicts and transcripts of trials that nobody planned.
    fn orphans(&mut self) -> rusqlite::Result<()> {
        let sql = "SELECT trial FROM verdicts WHERE trial NOT IN (SELECT trial FROM transcripts)
                   AND trial NOT IN (SELECT id FROM trials)";
        for id in self.ids(sql)? {
            self.broken("I5", None, format!("verdict {id} has no transcript"));
        }
        for id in self.ids("SELECT trial FROM transcripts WHERE trial NOT IN (SELECT id FROM trials)")? {
            self.broken("I1", None, format!("transcript {id} has no identity"));
        }
        Ok(())
    }

    fn ids(&self, sql: &str) -> rusqlite::Result<Vec<i64>> {
        self.reader.conn().prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    }

    /// Everything that is not compressed: the bytes of the file and of its log, in overlapping pieces.
    fn bytes(&mut self, path: &Path) -> Result<(), StoreError> {
        if self.secrets.is_empty() {
            return Ok(());
        }
        const PIECE: usize = 1 << 20;
        const OVERLAP: usize = 1 << 14;
        for file in std::iter::once(path.to_owned()).chain(layout::companions(path)) {
            let Ok(mut file) = std::fs::File::open(&file) else { continue };
            let mut piece = Vec::new();
            loop {
                let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece);
                let read =
                    read.map_err(|error| StoreError::Read { path: path.to_owned(), why: error.to_string() })?;
                if read == 0 {
                    break;
                }
                if holds_secret(self.secrets, &String::from_utf8_lossy(&piece)) {
                    self.broken("I9", None, SECRET);
                    break;
                }
                piece.drain(..piece.len().saturating_sub(OVERLAP));
            }
        }
        Ok(())
    }
}

const SECRET: &str = "a known secret is stored";

fn holds_secret(secrets: &Secrets, text: &str) -> bool {
    matches!(secrets.redact(text), Cow::Owned(_))
}

/// Sums of the same amounts, whatever the last digit of their decimal form became.
fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0),
        (a, b) => a.is_none() && b.is_none(),
    }
}
