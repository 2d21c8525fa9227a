//! The tables of a run file and their migrations, in one place; opens connections with the settings they need.
//!
//! Step N of [`STEPS`] brings a file from format N to N+1; published steps never change. Every row that matters carries
//! a seal, a digest over its fields, so damaged bytes are noticed and stay confined to their trial.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::StoreError;
use super::record::SCHEMA;

/// Marks a file as ours in its SQLite header: `rhrl` in ASCII.
const APPLICATION: i64 = 0x7268_726c;

/// The steps from an empty file to the newest format.
const STEPS: &[&str] = &[V1, V2];

const V1: &str = "
CREATE TABLE run (                      -- one row
    one INTEGER PRIMARY KEY CHECK (one = 1),
    manifest TEXT NOT NULL,             -- JSON, without the input texts
    wanted INTEGER NOT NULL,            -- how many trials are planned
    seal TEXT NOT NULL
) STRICT;
CREATE TABLE inputs (                   -- every text that was read
    path TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE trials (                   -- the plan, in the order of execution
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,           -- question-model-trial
    case_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    model TEXT,
    persona TEXT NOT NULL,
    client TEXT NOT NULL,
    trial INTEGER NOT NULL,
    wanted INTEGER NOT NULL CHECK (wanted IN (0, 1)),  -- 0: an earlier plan of this run asked for it
    planned TEXT NOT NULL,              -- JSON
    seal TEXT NOT NULL
) STRICT;
CREATE TABLE sessions (                 -- one row per process that worked on the run
    id INTEGER PRIMARY KEY,
    pid INTEGER NOT NULL,
    ended TEXT,                         -- NULL: still working, or killed
    exit INTEGER
) STRICT;
CREATE TABLE stops (                    -- why a session stopped before the end of the plan
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (id),
    code TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE TABLE replies (                  -- model responses of trials without a transcript: paid, in flight or given up
    trial INTEGER NOT NULL REFERENCES trials (id),
    attempt INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    event TEXT NOT NULL,                -- JSON
    PRIMARY KEY (trial, attempt, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE transcripts (
    trial INTEGER PRIMARY KEY REFERENCES trials (id),
    attempt INTEGER NOT NULL,           -- the attempt whose responses it carries; 0: none were kept before it
    facts TEXT NOT NULL,                -- JSON: what reports need of the transcript
    model_calls INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    cost REAL,                          -- US dollars; NULL: unpriced
    took_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,             -- size of the JSON
    digest TEXT NOT NULL,               -- of the JSON
    seal TEXT NOT NULL,
    body BLOB NOT NULL                  -- the JSON, raw deflate (RFC 1951)
) STRICT;
CREATE TABLE verdicts (
    trial INTEGER PRIMARY KEY REFERENCES transcripts (trial),
    score_key TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('pass', 'fail', 'invalid')),
    verdict TEXT NOT NULL,              -- JSON
    judge TEXT NOT NULL,                -- JSON: calls, tokens, cost
    seal TEXT NOT NULL
) STRICT;
CREATE TABLE wasted (                   -- paid for results that were replaced
    id INTEGER PRIMARY KEY,
    trial INTEGER NOT NULL REFERENCES trials (id),
    why TEXT NOT NULL,
    spend TEXT NOT NULL                 -- JSON: calls, tokens, cost
) STRICT;
CREATE VIEW results AS                  -- for people with an SQLite shell
    SELECT t.case_id, t.kind, t.model, t.persona, t.client, t.trial, v.outcome,
           r.model_calls, r.tokens_in, r.tokens_out, r.cost, r.took_ms, t.key
    FROM trials t LEFT JOIN transcripts r ON r.trial = t.id LEFT JOIN verdicts v ON v.trial = t.id
    WHERE t.wanted = 1;
";

const V2: &str = "
CREATE TABLE gate (                     -- one row at most
    one INTEGER PRIMARY KEY CHECK (one = 1),
    body TEXT NOT NULL,                 -- JSON: what the comparison with a baseline rests on
    seal TEXT NOT NULL
) STRICT;
";

/// Opens a run file for its only writer.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let conn = Connection::open_with_flags(path, flags)?;
        settle(&conn)?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "foreign_keys", true)?;
        Ok(conn)
    };
    open().map_err(|error| unreadable(path, &error))
}

/// Opens a run file for reading, also while another process writes it.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    if !path.is_file() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)?;
        settle(&conn)?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(conn)
    };
    let conn = open().map_err(|error| unreadable(path, &error))?;
    recognise(&conn, path)?;
    Ok(conn)
}

fn settle(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")
}

/// Switches to a write-ahead log, so that readers never wait for the writer and a commit is one sync.
pub(super) fn use_log(conn: &Connection) -> rusqlite::Result<()> {
    // Folded into the file at 16 MiB: while trials end by the hundred, the same pages change again and again.
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 4096, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)).map(drop)
}

/// Brings an empty or older file to the newest format; part of the caller's transaction.
pub(super) fn upgrade(conn: &Connection, from: u32) -> rusqlite::Result<()> {
    for step in STEPS.iter().skip(from as usize) {
        conn.execute_batch(step)?;
    }
    conn.pragma_update(None, "application_id", APPLICATION)?;
    conn.pragma_update(None, "user_version", SCHEMA)
}

/// The format of a run file; refuses other files and newer formats.
pub(super) fn recognise(conn: &Connection, path: &Path) -> Result<u32, StoreError> {
    let number = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = number("application_id").map_err(|error| unreadable(path, &error))?;
    let version = number("user_version").map_err(|error| unreadable(path, &error))?;
    if application != APPLICATION {
        let why = "it has no mark of rehearsal".to_owned();
        return Err(StoreError::NotARun { path: path.to_owned(), why });
    }
    match u32::try_from(version) {
        Ok(found @ 1..=SCHEMA) => Ok(found),
        Ok(found) if found > SCHEMA => Err(StoreError::Newer { path: path.to_owned(), found, known: SCHEMA }),
        _ => {
            let why = format!("it has format {version}");
            Err(StoreError::NotARun { path: path.to_owned(), why })
        }
    }
}

/// What SQLite's refusal to read means for a person.
pub(super) fn unreadable(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => {
            StoreError::NotARun { path, why: "it is not an SQLite file".to_owned() }
        }
        _ => StoreError::Read { path, why: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_its_step() {
        assert_eq!(STEPS.len(), SCHEMA as usize);
    }
}
