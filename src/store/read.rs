//! The reading side of a run file. Results come without their transcripts, so ten thousand trials fit in little memory;
//! transcripts come one at a time.
//!
//! Damage stays confined: a trial whose bytes do not match their seal counts as missing and is reported, the others
//! stay usable. A verdict is never taken from damaged bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction};
use serde::Deserialize;

use super::record::{CaseResult, Facts, Manifest, RunRecord, Spend, Stop, Wasted, is_settled, place};
use super::{StoreError, pack, schema};
use crate::ids::{CaseKey, CaseName, Pool, ScoreKey};
use crate::plan::Planned;
use crate::score::{Outcome, Verdict};
use crate::transcript::{CaseHeader, Event, Transcript};

/// A run file open for reading; also while another process writes it.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    conn: Connection,
}

/// A trial that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", key.map_or_else(|| "a trial".to_owned(), |key| format!("trial {key}")))]
pub struct Damaged {
    /// The trial, if its key can be read.
    pub key: Option<CaseKey>,
    /// What does not fit.
    pub why: String,
}

/// A row of the plan.
struct Row {
    id: i64,
    planned: Planned,
}

/// A row of the plan, of which only the name of its case is read.
#[derive(Deserialize)]
struct Named {
    header: NamedHeader,
}

#[derive(Deserialize)]
struct NamedHeader {
    case: CaseName,
}

/// A stored result without its header.
struct Stored {
    facts: Facts,
    verdict: Option<(Verdict, Spend)>,
}

impl Reader {
    /// Opens a run file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { path: path.to_owned(), conn: schema::open_to_read(path)? })
    }

    /// The run file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn conn(&self) -> &Connection {
        &self.conn
    }

    /// What the run is about, with the texts it read.
    pub fn manifest(&self) -> Result<Manifest, StoreError> {
        let mut manifest = self.bare_manifest()?.0;
        let inputs = || {
            let mut all = self.conn.prepare("SELECT path, body FROM inputs")?;
            all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()
        };
        manifest.inputs = inputs().map_err(|error| self.unreadable(&error))?;
        Ok(manifest)
    }

    /// What the run is about without the texts, and how many trials are planned.
    pub(super) fn bare_manifest(&self) -> Result<(Manifest, u64), StoreError> {
        let (text, wanted, seal): (String, i64, String) = self
            .conn
            .query_row("SELECT manifest, wanted, seal FROM run", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .map_err(|error| self.unreadable(&error))?;
        let damaged = |why: String| StoreError::Read { path: self.path.clone(), why };
        if pack::seal_run(&text, wanted) != seal {
            return Err(damaged("what it says about the run does not match its seal".to_owned()));
        }
        let manifest = pack::read("manifest", text.as_bytes()).map_err(damaged)?;
        Ok((manifest, wanted as u64))
    }

    /// The run as reports and the gate see it. Damaged trials are missing, and a stop with the code `store.damaged` says
    /// how many there are.
    pub fn record(&self) -> Result<RunRecord, StoreError> {
        let _view = self.view()?;
        let (_, planned) = self.bare_manifest()?;
        let manifest = self.manifest()?;
        let ids = self.wanted()?;
        // Ten thousand results that grow into their place would need it twice.
        let mut results: Vec<CaseResult> = Vec::with_capacity(ids.len());
        let (mut missing, mut unconfirmed) = (Vec::new(), Vec::new());
        let mut pool = Pool::default();
        let mut damaged = Vec::new();
        let mut seen = 0;
        for id in ids {
            let mut planned = match self.row(id) {
                Ok(row) => row.planned,
                Err(error) => {
                    damaged.push(error);
                    continue;
                }
            };
            seen += 1;
            planned.header.share(&mut pool);
            match self.stored(id, planned.header.key) {
                Ok(Some(Stored { facts, verdict })) => {
                    let result = facts.into_result(planned);
                    let mut result = match verdict {
                        Some((verdict, judge)) => result.scored(verdict, judge),
                        None => result,
                    };
                    result.compact(&mut pool);
                    results.push(result);
                }
                Ok(None) if planned.confirms => unconfirmed.push(planned.header),
                Ok(None) => missing.push(planned.header),
                Err(error) => {
                    damaged.push(error);
                    if planned.confirms { &mut unconfirmed } else { &mut missing }.push(planned.header);
                }
            }
        }
        results.sort_by(|a, b| a.order().cmp(&b.order()));
        missing.sort_by(|a, b| place(a).cmp(&place(b)));
        unconfirmed.sort_by(|a, b| place(a).cmp(&place(b)));
        let complete = missing.is_empty() && unconfirmed.is_empty();
        let mut stops = self.stops(complete).map_err(|error| self.unreadable(&error))?;
        if !damaged.is_empty() || seen != planned {
            let count = damaged.len().max(planned.abs_diff(seen) as usize);
            let first = damaged.first().map_or_else(String::new, |first| format!("; {first}"));
            let message = format!("{count} of {planned} trials are damaged and count as missing{first}");
            stops.push(Stop { code: "store.damaged".to_owned(), message });
        }
        let gate = match self.gate() {
            Ok(gate) => gate,
            Err(why) => {
                let message = format!("what the comparison with a baseline rests on cannot be read: {why}");
                stops.push(Stop { code: "store.damaged".to_owned(), message });
                None
            }
        };
        let wasted = self.wasted().unwrap_or_else(|error| {
            let message = format!("what replaced trials cost cannot be read, and is in no sum: {error}");
            stops.push(Stop { code: "store.damaged".to_owned(), message });
            Wasted::default()
        });
        Ok(RunRecord { manifest, results, missing, unconfirmed, wasted, gate, stops })
    }

    /// A trial's transcript; `None` when it has none. Damage is [`StoreError::Read`].
    pub fn transcript(&self, key: CaseKey) -> Result<Option<Transcript>, StoreError> {
        let id = self
            .conn
            .query_row("SELECT id FROM trials WHERE key = ?1", [key.to_string()], |row| row.get(0))
            .optional()
            .map_err(|error| self.unreadable(&error))?;
        let Some(id) = id else { return Ok(None) };
        self.unpacked(id, key)
            .map_err(|error| StoreError::Read { path: self.path.clone(), why: error.to_string() })
    }

    /// A trial's verdict; `None` when it has none, or it does not match its seal.
    pub fn verdict_of(&self, key: CaseKey) -> Option<Verdict> {
        let mut id = self.conn.prepare_cached("SELECT id FROM trials WHERE key = ?1").ok()?;
        let id = id.query_row([key.to_string()], |row| row.get(0)).optional().ok()??;
        self.verdict(id, key).ok().flatten().map(|(verdict, _)| verdict)
    }

    /// The trials that have ended, each with the outcome as it was noted, in the order of [`RunRecord::results`]: enough
    /// to find a trial by its names. Damaged rows are left out.
    pub fn ended(&self) -> Result<Vec<(CaseHeader, Option<Outcome>)>, StoreError> {
        self.ended_of(|_| true)
    }

    /// The same of the cases whose names are wanted.
    pub fn ended_of(
        &self,
        wanted: impl Fn(&CaseName) -> bool,
    ) -> Result<Vec<(CaseHeader, Option<Outcome>)>, StoreError> {
        let sql = "SELECT t.planned, v.outcome FROM trials t JOIN transcripts r ON r.trial = t.id
                   LEFT JOIN verdicts v ON v.trial = t.id WHERE t.wanted = 1 ORDER BY t.id";
        let mut pool = Pool::default();
        let mut all = || {
            let mut rows = self.conn.prepare(sql)?;
            let rows = rows.query_map([], |row| {
                // Of a large run most rows are of other cases: their names are all that is read of them.
                let text = row.get_ref(0)?.as_bytes()?;
                if !pack::read::<Named>("plan", text).is_ok_and(|named| wanted(&named.header.case)) {
                    return Ok(None);
                }
                let outcome: Option<String> = row.get(1)?;
                let known = [Outcome::Pass, Outcome::Fail, Outcome::Invalid];
                let outcome = known.into_iter().find(|known| Some(known.as_str()) == outcome.as_deref());
                let planned = pack::read::<Planned>("plan", text).ok();
                Ok(planned.map(|mut planned| {
                    planned.header.share(&mut pool);
                    (planned.header, outcome)
                }))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let mut all: Vec<_> = all().map_err(|error| self.unreadable(&error))?.into_iter().flatten().collect();
        all.sort_by(|(a, _), (b, _)| place(a).cmp(&place(b)));
        Ok(all)
    }

    /// Keys of trials that have ended, in the order of execution: so many of them from a place on. `None` for one that cannot
    /// be read.
    pub fn ended_keys(&self, from: usize, most: usize) -> Result<Vec<Option<CaseKey>>, StoreError> {
        let sql = "SELECT key FROM trials t WHERE wanted = 1 AND EXISTS (SELECT 1 FROM transcripts r WHERE r.trial = t.id)
                   ORDER BY id LIMIT ?1 OFFSET ?2";
        let keys = || {
            let mut keys = self.conn.prepare_cached(sql)?;
            let keys = keys.query_map([most as i64, from as i64], |row| row.get(0))?;
            keys.collect::<rusqlite::Result<Vec<String>>>()
        };
        let keys = keys().map_err(|error| self.unreadable(&error))?;
        Ok(keys.iter().map(|key| key.parse().ok()).collect())
    }

    /// Every transcript of the plan with what was planned, one at a time, ordered as [`RunRecord::results`].
    pub fn transcripts(
        &self,
    ) -> Result<impl Iterator<Item = Result<(Planned, Transcript), Damaged>> + '_, StoreError> {
        let mut rows = self.plan()?;
        rows.sort_by(|a, b| match (a, b) {
            (Ok(a), Ok(b)) => place(&a.planned.header).cmp(&place(&b.planned.header)),
            (a, b) => b.is_ok().cmp(&a.is_ok()),
        });
        Ok(rows.into_iter().filter_map(|row| match row {
            Ok(Row { id, planned }) => match self.unpacked(id, planned.header.key) {
                Ok(Some(transcript)) => Some(Ok((planned, transcript))),
                Ok(None) => None,
                Err(error) => Some(Err(error)),
            },
            Err(error) => Some(Err(error)),
        }))
    }

    /// What resume need not do again: the settled trials, each with the key of its score. `None`: not scored, or the
    /// score is missing data (the judge's fault), so that it is scored again from the stored transcript.
    pub fn done_keys(&self) -> Result<BTreeMap<CaseKey, Option<ScoreKey>>, StoreError> {
        let rows = self.plan()?;
        let _view = self.view()?;
        let mut done = BTreeMap::new();
        for Row { id, planned } in rows.into_iter().flatten() {
            let key = planned.header.key;
            if let Ok(Some(Stored { facts, verdict })) = self.stored(id, key)
                && is_settled(&facts.end)
            {
                let score = verdict.filter(|(verdict, _)| verdict.outcome() != Outcome::Invalid);
                done.insert(key, score.map(|(verdict, _)| verdict.score_key));
            }
        }
        Ok(done)
    }

    /// The plan as stored, in the order of execution; damaged rows are left out.
    pub fn planned(&self) -> Result<Vec<Planned>, StoreError> {
        Ok(self.plan()?.into_iter().flatten().map(|row| row.planned).collect())
    }

    /// Model responses that were paid for and are in no transcript: of trials that were interrupted or killed.
    pub fn replies(&self, key: CaseKey) -> Result<Vec<Event>, StoreError> {
        let sql = "SELECT event FROM replies r JOIN trials t ON t.id = r.trial WHERE key = ?1 ORDER BY attempt, seq";
        let texts = self.texts(sql, Some(key)).map_err(|error| self.unreadable(&error))?;
        let read = |text: &String| pack::read("model response", text.as_bytes());
        texts.iter().map(read).collect::<Result<_, _>>().map_err(|why| self.damaged(why))
    }

    /// One view of the file for many statements. Alone, each of them would lock the file, look for its log and read its
    /// first page again.
    fn view(&self) -> Result<Transaction<'_>, StoreError> {
        self.conn.unchecked_transaction().map_err(|error| self.unreadable(&error))
    }

    /// Rows of the plan that are wanted, in the order of execution.
    fn plan(&self) -> Result<Vec<Result<Row, Damaged>>, StoreError> {
        let _view = self.view()?;
        Ok(self.wanted()?.into_iter().map(|id| self.row(id)).collect())
    }

    /// The rows of the plan that are wanted.
    fn wanted(&self) -> Result<Vec<i64>, StoreError> {
        let ids = || {
            let mut ids = self.conn.prepare_cached("SELECT id FROM trials WHERE wanted = 1 ORDER BY id")?;
            ids.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()
        };
        ids().map_err(|error| self.unreadable(&error))
    }

    fn row(&self, id: i64) -> Result<Row, Damaged> {
        let damaged = |why: String| Damaged { key: None, why };
        let mut row = self
            .conn
            .prepare_cached("SELECT key, wanted, planned, seal FROM trials WHERE id = ?1")
            .map_err(|error| damaged(error.to_string()))?;
        let (key, wanted, planned, seal): (String, i64, String, String) = row
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .map_err(|error| damaged(error.to_string()))?;
        if pack::seal_trial(&key, wanted, &planned) != seal {
            return Err(damaged("the plan does not match its seal".to_owned()));
        }
        let planned: Planned = pack::read("plan", planned.as_bytes()).map_err(damaged)?;
        if planned.header.key.to_string() != key {
            return Err(damaged("the plan names another trial".to_owned()));
        }
        Ok(Row { id, planned })
    }

    fn stored(&self, id: i64, key: CaseKey) -> Result<Option<Stored>, Damaged> {
        let damaged = |why: String| Damaged { key: Some(key), why };
        let Some(facts) = self.facts(id, key).map_err(damaged)? else { return Ok(None) };
        let verdict = self.verdict(id, key).map_err(damaged)?;
        Ok(Some(Stored { facts, verdict }))
    }

    fn facts(&self, id: i64, key: CaseKey) -> Result<Option<Facts>, String> {
        let sql = "SELECT facts, digest, seal, body FROM transcripts WHERE trial = ?1";
        let facts = self.one(sql, id, |row| {
            let (facts, digest, seal): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let body = row.get_ref(3)?.as_blob()?;
            let intact = pack::seal_transcript(&key.to_string(), &facts, &digest, body) == seal;
            Ok(if intact { Ok(facts) } else { Err("the transcript does not match its seal".to_owned()) })
        })?;
        facts.map(|facts| pack::read("facts", facts?.as_bytes())).transpose()
    }

    fn verdict(&self, id: i64, key: CaseKey) -> Result<Option<(Verdict, Spend)>, String> {
        let sql = "SELECT verdict, judge, seal FROM verdicts WHERE trial = ?1";
        let row = self.one(sql, id, |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        let Some((verdict, judge, seal)) = row else { return Ok(None) };
        if pack::seal_verdict(&key.to_string(), &verdict, &judge) != seal {
            return Err("the verdict does not match its seal".to_owned());
        }
        let verdict = pack::read("verdict", verdict.as_bytes())?;
        Ok(Some((verdict, pack::read("judge's spend", judge.as_bytes())?)))
    }

    fn unpacked(&self, id: i64, key: CaseKey) -> Result<Option<Transcript>, Damaged> {
        let damaged = |why: String| Damaged { key: Some(key), why };
        let sql = "SELECT bytes, digest, body FROM transcripts WHERE trial = ?1";
        let text = self
            .one(sql, id, |row| {
                let (bytes, digest): (i64, String) = (row.get(0)?, row.get(1)?);
                Ok(pack::inflate(row.get_ref(2)?.as_blob()?, bytes as u64, &digest))
            })
            .map_err(damaged)?;
        let Some(text) = text else { return Ok(None) };
        pack::read("transcript", &text.map_err(damaged)?).map(Some).map_err(damaged)
    }

    fn one<T>(
        &self,
        sql: &str,
        id: i64,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, String> {
        let mut statement = self.conn.prepare_cached(sql).map_err(|error| error.to_string())?;
        statement.query_row([id], read).optional().map_err(|error| error.to_string())
    }

    fn texts(&self, sql: &str, key: Option<CaseKey>) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.conn.prepare(sql)?;
        let key = key.map(|key| key.to_string());
        statement.query_map(rusqlite::params_from_iter(key), |row| row.get(0))?.collect()
    }

    /// The stops of the last session; or, while trials are missing, of the last session that noted any.
    fn stops(&self, complete: bool) -> rusqlite::Result<Vec<Stop>> {
        let sql = match complete {
            true => {
                "SELECT code, message FROM stops WHERE session = (SELECT max(id) FROM sessions) ORDER BY id"
            }
            false => {
                "SELECT code, message FROM stops WHERE session = (SELECT max(session) FROM stops) ORDER BY id"
            }
        };
        let mut stops = self.conn.prepare(sql)?;
        stops.query_map([], |row| Ok(Stop { code: row.get(0)?, message: row.get(1)? }))?.collect()
    }

    pub(super) fn unreadable(&self, error: &rusqlite::Error) -> StoreError {
        schema::unreadable(&self.path, error)
    }

    pub(super) fn damaged(&self, why: String) -> StoreError {
        StoreError::Read { path: self.path.clone(), why }
    }
}
