//! What the writer thread does for each request, as SQL inside the transaction of its batch.
//!
//! A job's first writing statement is the one that can be refused, so a refused job leaves nothing behind and the rest
//! of its batch goes on. An error of SQLite itself fails the whole batch.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Params, params};

use super::StoreError;
use super::pack::{self, Packed, PackedVerdict};
use super::paid::{RAN_AGAIN, SCORED_AGAIN, Waste};
use super::record::{Ending, Facts, Manifest, Spend, Stop, is_settled};
use super::sqlite::Kept;
use crate::ids::CaseKey;
use crate::plan::Planned;

/// A request to the writer.
pub(super) enum Job {
    /// A model response arrived.
    Replied { key: CaseKey, seq: u32, event: String },
    /// A trial ended and is kept, with its score if that is known already. Both are stored, or neither is.
    Finished(Box<Packed>, Option<Box<PackedVerdict>>),
    /// A trial was interrupted; what it cost stays on record.
    GivenUp(CaseKey),
    /// A trial was scored.
    Scored(Box<PackedVerdict>),
    /// Something was paid in vain elsewhere.
    Wasted(Waste),
    /// The session stopped before its end.
    Stopped(Stop),
    /// The session ended.
    Ended(Ending),
    /// The plan changed.
    Planned(Vec<PlanRow>),
    /// What the comparison with a baseline rests on changed.
    Gate(String),
    /// Nothing more will come.
    Close,
}

impl Job {
    /// About how many bytes it stores.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Replied { event, .. } => event.len() as u64,
            Self::Finished(packed, scored) => {
                (packed.body.len() + packed.facts_json.len()) as u64 + scored.as_deref().map_or(0, score_size)
            }
            Self::Scored(scored) => score_size(scored),
            Self::Gate(body) => body.len() as u64,
            Self::Planned(rows) => rows.iter().map(|row| row.json.len() as u64).sum(),
            Self::Wasted(_) | Self::Stopped(_) | Self::Ended(_) | Self::GivenUp(_) | Self::Close => 0,
        }
    }
}

fn score_size(scored: &PackedVerdict) -> u64 {
    (scored.verdict.len() + scored.judge.len()) as u64
}

/// A planned trial ready to be stored.
pub(super) struct PlanRow {
    planned: Planned,
    json: String,
}

impl PlanRow {
    pub(super) fn of(planned: &Planned) -> Result<Self, StoreError> {
        let json = pack::json(planned.header.key, planned)?;
        Ok(Self { planned: planned.clone(), json })
    }
}

/// Fails the N-th statement; only tests set it.
pub type FaultPoint = Arc<dyn Fn(u64) -> bool + Send + Sync>;

/// Runs the statements of one transaction.
pub(super) struct Pen<'a> {
    pub(super) conn: &'a Connection,
    pub(super) faults: &'a Faults,
    pub(super) session: i64,
}

/// Counts statements and asks the fault point about each.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) point: Option<FaultPoint>,
    pub(super) count: std::sync::atomic::AtomicU64,
}

impl Faults {
    /// One more step towards the disk.
    pub(super) fn step(&self) -> rusqlite::Result<()> {
        let number = self.count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        match &self.point {
            Some(point) if point(number) => Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_WRITE),
                Some(format!("injected fault at step {number}")),
            )),
            _ => Ok(()),
        }
    }
}

/// What the thread remembers of trials under way.
#[derive(Default)]
pub(super) struct Attempts {
    /// The attempt that a trial's model responses belong to, and the last of them. A process that was killed, or a trial
    /// that began anew, leaves responses of earlier attempts behind; they stay as paid for.
    current: HashMap<i64, (i64, u32)>,
    /// The rows of the plan, which never lose their numbers.
    rows: HashMap<CaseKey, i64>,
    /// Trials that may have a transcript, a verdict or responses of an earlier attempt in the file. Nothing is looked up
    /// for the others, which in most runs are all.
    seen: HashSet<i64>,
}

impl Attempts {
    /// What earlier sessions have left in the file.
    pub(super) fn of(conn: &Connection) -> rusqlite::Result<Self> {
        let mut seen = conn.prepare("SELECT trial FROM transcripts UNION SELECT trial FROM replies")?;
        let seen = seen.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(Self { seen, ..Self::default() })
    }
}

/// Refusals inside, failures of SQLite outside.
type Answer = rusqlite::Result<Result<Kept, StoreError>>;

impl Pen<'_> {
    pub(super) fn apply(&self, job: &Job, attempts: &mut Attempts) -> Answer {
        match job {
            Job::Replied { key, seq, event } => self.replied(*key, (*seq, event), attempts),
            Job::Finished(packed, scored) => self.finished(packed, scored.as_deref(), attempts),
            Job::GivenUp(key) => {
                if let Some(id) = self.find(*key, attempts)? {
                    attempts.current.remove(&id);
                    attempts.seen.insert(id);
                }
                Ok(Ok(Kept::SetAside))
            }
            Job::Scored(scored) => self.scored(scored, attempts),
            Job::Wasted(waste) => {
                let Some(id) = self.find(waste.key, attempts)? else {
                    return Ok(Err(StoreError::Unplanned { key: waste.key }));
                };
                self.waste(id, waste.why(), &waste.spend)?;
                Ok(Ok(Kept::Stored))
            }
            Job::Stopped(stop) => {
                let sql = "INSERT INTO stops (session, code, message) VALUES (?1, ?2, ?3)";
                self.run(sql, params![self.session, stop.code, stop.message])?;
                Ok(Ok(Kept::Stored))
            }
            Job::Ended(ending) => {
                let sql = "UPDATE sessions SET ended = ?2, exit = ?3 WHERE id = ?1";
                self.run(sql, params![self.session, ending.at, ending.exit])?;
                Ok(Ok(Kept::Stored))
            }
            Job::Planned(rows) => {
                self.plan(rows)?;
                Ok(Ok(Kept::Stored))
            }
            Job::Gate(body) => {
                self.gate(body)?;
                Ok(Ok(Kept::Stored))
            }
            Job::Close => Ok(Ok(Kept::Stored)),
        }
    }

    /// Writes what a run is about. Only for a new file.
    pub(super) fn begin(&self, manifest: &Manifest, rows: &[PlanRow]) -> rusqlite::Result<()> {
        for (path, body) in &manifest.inputs {
            self.run("INSERT INTO inputs (path, body) VALUES (?1, ?2)", params![path, body])?;
        }
        let mut bare = manifest.clone();
        bare.inputs.clear();
        let text = serde_json::to_string(&bare)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        let sql = "INSERT INTO run (one, manifest, wanted, seal) VALUES (1, ?1, 0, '')";
        self.run(sql, params![text])?;
        self.plan(rows)
    }

    /// Makes this the plan: known trials keep their results, new ones are added, the others are no longer wanted.
    fn plan(&self, rows: &[PlanRow]) -> rusqlite::Result<()> {
        let wanted: HashSet<String> = rows.iter().map(|row| row.planned.header.key.to_string()).collect();
        let mut dropped = Vec::new();
        {
            let mut known = self.conn.prepare("SELECT id, key, planned FROM trials WHERE wanted = 1")?;
            let mut known = known.query([])?;
            while let Some(row) = known.next()? {
                let key: String = row.get(1)?;
                if !wanted.contains(&key) {
                    dropped.push((row.get::<_, i64>(0)?, key, row.get::<_, String>(2)?));
                }
            }
        }
        for (id, key, planned) in dropped {
            let seal = pack::seal_trial(&key, 0, &planned);
            self.run("UPDATE trials SET wanted = 0, seal = ?2 WHERE id = ?1", params![id, seal])?;
        }
        for PlanRow { planned, json } in rows {
            let (header, key) = (&planned.header, planned.header.key.to_string());
            let seal = pack::seal_trial(&key, 1, json);
            self.run(
                "INSERT INTO trials (key, case_id, kind, model, persona, client, trial, wanted, planned, seal)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9)
                 ON CONFLICT (key) DO UPDATE SET wanted = 1, planned = excluded.planned, seal = excluded.seal",
                params![
                    key,
                    header.case.as_str(),
                    header.kind.as_str(),
                    header.model.as_ref().map(crate::ids::ModelName::as_str),
                    header.persona.as_str(),
                    header.client.as_str(),
                    header.trial,
                    json,
                    seal
                ],
            )?;
        }
        let manifest: String = self.conn.query_row("SELECT manifest FROM run", [], |row| row.get(0))?;
        let count = wanted.len() as i64;
        let seal = pack::seal_run(&manifest, count);
        self.run("UPDATE run SET wanted = ?1, seal = ?2", params![count, seal])
    }

    fn replied(&self, key: CaseKey, (seq, event): (u32, &str), attempts: &mut Attempts) -> Answer {
        let Some(id) = self.find(key, attempts)? else { return Ok(Err(StoreError::Unplanned { key })) };
        // Numbers only grow within an attempt; one that does not belongs to a trial that began anew.
        let attempt = match attempts.current.get(&id) {
            Some((attempt, last)) if *last < seq => *attempt,
            None if !attempts.seen.contains(&id) => 1,
            _ => {
                // In two plain queries: SQLite plans a single one with `max` anew for every trial.
                let said = "SELECT attempt FROM replies WHERE trial = ?1 ORDER BY attempt DESC LIMIT 1";
                let kept = "SELECT attempt FROM transcripts WHERE trial = ?1";
                1 + self.number(said, id)?.max(self.number(kept, id)?).unwrap_or(0)
            }
        };
        let sql = "INSERT INTO replies (trial, attempt, seq, event) VALUES (?1, ?2, ?3, ?4)";
        self.run(sql, params![id, attempt, seq, event])?;
        attempts.current.insert(id, (attempt, seq));
        Ok(Ok(Kept::Stored))
    }

    fn finished(&self, packed: &Packed, scored: Option<&PackedVerdict>, attempts: &mut Attempts) -> Answer {
        let key = packed.key;
        let Some(id) = self.find(key, attempts)? else { return Ok(Err(StoreError::Unplanned { key })) };
        if !attempts.seen.insert(id) {
            if self.is_settled(id, key)? {
                return Ok(Err(StoreError::Duplicate { key }));
            }
            self.replace(id)?;
        }
        let spend = &packed.facts.spend;
        let attempt = attempts.current.remove(&id).map_or(0, |(attempt, _)| attempt);
        self.run(
            "INSERT INTO transcripts (trial, attempt, facts, model_calls, tokens_in, tokens_out, cost, took_ms, bytes, digest,
             seal, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                id,
                attempt,
                packed.facts_json,
                spend.calls,
                spend.usage.input as i64,
                spend.usage.output as i64,
                spend.cost,
                packed.facts.took_ms as i64,
                packed.bytes as i64,
                packed.digest.to_string(),
                packed.seal,
                packed.body
            ],
        )?;
        // The transcript carries these responses now; those it does not carry stay as paid for.
        for seq in packed.replies.iter().filter(|_| attempt > 0) {
            let sql = "DELETE FROM replies WHERE trial = ?1 AND attempt = ?2 AND seq = ?3";
            self.run(sql, params![id, attempt, seq])?;
        }
        if let Some(scored) = scored {
            self.score(id, scored, attempts)?;
        }
        Ok(Ok(Kept::Stored))
    }

    /// Whether there is an intact transcript that must not be replaced.
    fn is_settled(&self, id: i64, key: CaseKey) -> rusqlite::Result<bool> {
        let mut old =
            self.conn.prepare_cached("SELECT facts, digest, seal, body FROM transcripts WHERE trial = ?1")?;
        let settled = old.query_row([id], |row| {
            let (facts, digest, seal): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let body = row.get_ref(3)?.as_blob()?;
            let intact = pack::seal_transcript(&key.to_string(), &facts, &digest, body) == seal;
            let facts = pack::read::<Facts>("facts", facts.as_bytes());
            Ok(intact && facts.is_ok_and(|facts| is_settled(&facts.end)))
        });
        Ok(settled.optional()?.unwrap_or(false))
    }

    /// Takes a trial's former result away; what it cost stays on record.
    fn replace(&self, id: i64) -> rusqlite::Result<()> {
        let facts: Option<String> = self
            .conn
            .prepare_cached("SELECT facts FROM transcripts WHERE trial = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        let Some(facts) = facts else { return Ok(()) };
        self.replace_verdict(id)?;
        if let Ok(facts) = pack::read::<Facts>("facts", facts.as_bytes()) {
            // Apart, so that the price of one is known where the other has none.
            for spend in [&facts.spend, &facts.user] {
                self.waste(id, RAN_AGAIN, spend)?;
            }
        }
        self.run("DELETE FROM transcripts WHERE trial = ?1", [id])
    }

    fn replace_verdict(&self, id: i64) -> rusqlite::Result<()> {
        let judge: Option<String> = self
            .conn
            .prepare_cached("SELECT judge FROM verdicts WHERE trial = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        let Some(judge) = judge else { return Ok(()) };
        if let Ok(judge) = pack::read::<Spend>("judge's spend", judge.as_bytes()) {
            self.waste(id, SCORED_AGAIN, &judge)?;
        }
        self.run("DELETE FROM verdicts WHERE trial = ?1", [id])
    }

    fn waste(&self, id: i64, why: &str, spend: &Spend) -> rusqlite::Result<()> {
        if spend.calls == 0 {
            return Ok(());
        }
        let spend = serde_json::to_string(spend)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        self.run("INSERT INTO wasted (trial, why, spend) VALUES (?1, ?2, ?3)", params![id, why, spend])
    }

    fn scored(&self, scored: &PackedVerdict, attempts: &mut Attempts) -> Answer {
        let key = scored.key;
        let Some(id) = self.find(key, attempts)? else { return Ok(Err(StoreError::Unplanned { key })) };
        let known = self.conn.prepare_cached("SELECT 1 FROM transcripts WHERE trial = ?1")?.exists([id])?;
        if !known {
            return Ok(Err(StoreError::Unfinished { key }));
        }
        self.replace_verdict(id)?;
        self.score(id, scored, attempts)?;
        Ok(Ok(Kept::Stored))
    }

    /// Writes the verdict of a trial that has none.
    fn score(&self, id: i64, scored: &PackedVerdict, attempts: &mut Attempts) -> rusqlite::Result<()> {
        let key = scored.key;
        let seal = pack::seal_verdict(&key.to_string(), &scored.verdict, &scored.judge);
        self.run(
            "INSERT INTO verdicts (trial, score_key, outcome, verdict, judge, seal) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                id,
                scored.score_key.0.to_string(),
                scored.outcome.as_str(),
                scored.verdict,
                scored.judge,
                seal
            ],
        )?;
        // Nothing more is expected of this trial.
        attempts.rows.remove(&key);
        Ok(())
    }

    fn number(&self, sql: &str, id: i64) -> rusqlite::Result<Option<i64>> {
        self.conn.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()
    }

    fn find(&self, key: CaseKey, attempts: &mut Attempts) -> rusqlite::Result<Option<i64>> {
        if let Some(id) = attempts.rows.get(&key) {
            return Ok(Some(*id));
        }
        let mut find = self.conn.prepare_cached("SELECT id FROM trials WHERE key = ?1")?;
        let found: Option<i64> = find.query_row([key.to_string()], |row| row.get(0)).optional()?;
        attempts.rows.extend(found.map(|id| (key, id)));
        Ok(found)
    }

    pub(super) fn run<P: Params>(&self, sql: &str, params: P) -> rusqlite::Result<()> {
        self.faults.step()?;
        self.conn.prepare_cached(sql)?.execute(params).map(drop)
    }
}
