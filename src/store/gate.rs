//! What the comparison with a baseline rests on, in the run file: written and read as JSON that the gate understands.

use rusqlite::params;
use serde_json::Value;

use super::jobs::Pen;
use super::{Reader, pack};

impl Pen<'_> {
    /// Keeps it in the place of what was there.
    pub(super) fn gate(&self, body: &str) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO gate (one, body, seal) VALUES (1, ?1, ?2)";
        self.run(sql, params![body, pack::seal_gate(body)])
    }
}

impl Reader {
    /// What was kept; `None` when nothing was, and in files of before there was such a thing.
    pub(super) fn gate(&self) -> Result<Option<Value>, String> {
        let said = |error: rusqlite::Error| error.to_string();
        let there = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'gate'";
        if !self.conn().prepare_cached(there).and_then(|mut there| there.exists([])).map_err(said)? {
            return Ok(None);
        }
        let mut kept = self.conn().prepare("SELECT body, seal FROM gate").map_err(said)?;
        let mut kept = kept.query([]).map_err(said)?;
        let Some(row) = kept.next().map_err(said)? else { return Ok(None) };
        let (body, seal): (String, String) = (row.get(0).map_err(said)?, row.get(1).map_err(said)?);
        if pack::seal_gate(&body) != seal {
            return Err("it does not match its seal".to_owned());
        }
        pack::read("gate", body.as_bytes()).map(Some)
    }
}
