//! Verdicts that judges gave before, in one small file beside the runs. Opened when it is first needed.
//!
//! It is a convenience and no record: a file that cannot be read, written or opened costs a call to the judge and nothing
//! else, and deleting it is always safe.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::layout;
use crate::ids::Digest;
use crate::score::judge::reply::Decision;
use crate::score::judge::{Turns, Verdicts};

/// The file of verdicts below a folder of reports.
#[derive(Debug)]
pub struct VerdictFile {
    path: PathBuf,
    /// `None`: not opened yet. `Some(None)`: it cannot be opened.
    open: Mutex<Option<Option<Connection>>>,
    turns: Turns,
}

impl VerdictFile {
    /// The file beside the runs of this folder. Touches nothing yet.
    pub fn beside(reports: &Path) -> Self {
        Self { path: layout::verdict_file(reports), open: Mutex::default(), turns: Turns::default() }
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<Option<T>>) -> Option<T> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let conn = open.get_or_insert_with(|| opened(&self.path).ok()).as_ref()?;
        work(conn).ok().flatten()
    }
}

fn opened(path: &Path) -> rusqlite::Result<Connection> {
    if let Some(folder) = path.parent() {
        // When it cannot be made, opening says so.
        #[expect(clippy::disallowed_methods, reason = "creates the folder of run files")]
        let _ = std::fs::create_dir_all(folder);
    }
    let conn = Connection::open(path)?;
    conn.busy_timeout(Duration::from_secs(2))?;
    conn.execute_batch(
        "PRAGMA synchronous = NORMAL;
         CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, decision TEXT NOT NULL) STRICT, WITHOUT ROWID;",
    )?;
    Ok(conn)
}

impl Verdicts for VerdictFile {
    fn recall(&self, key: Digest) -> Option<Decision> {
        let text: String = self.with(|conn| {
            conn.prepare_cached("SELECT decision FROM verdicts WHERE key = ?1")?
                .query_row([key.to_string()], |row| row.get(0))
                .optional()
        })?;
        serde_json::from_str(&text).ok()
    }

    fn keep(&self, key: Digest, decision: &Decision) {
        if decision.says().is_none() {
            return;
        }
        let Ok(text) = serde_json::to_string(decision) else { return };
        self.with(|conn| {
            conn.prepare_cached("INSERT OR REPLACE INTO verdicts (key, decision) VALUES (?1, ?2)")?
                .execute(params![key.to_string(), text])
                .map(Some)
        });
    }

    fn turns(&self) -> &Turns {
        &self.turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::judge::reply::Ground;

    #[test]
    fn verdicts_survive_the_process_and_doubts_do_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (sure, open) = (Digest::of(b"sure"), Digest::of(b"open"));
        let yes = Decision::Yes(Ground {
            evidence: vec![3],
            reason: "seen".into(),
            probability: Some(0.97),
            ..Ground::default()
        });
        let file = VerdictFile::beside(folder.path());
        assert_eq!(file.recall(sure), None);
        file.keep(sure, &yes);
        file.keep(open, &Decision::unsure("judge.unsure", "?"));
        drop(file);
        let again = VerdictFile::beside(folder.path());
        assert_eq!(again.recall(sure), Some(yes));
        assert_eq!(again.recall(open), None);
    }

    #[test]
    fn a_file_that_is_none_is_no_trouble() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = layout::verdict_file(folder.path());
        #[expect(clippy::disallowed_methods, reason = "breaks the file")]
        std::fs::create_dir_all(&path).expect("a folder in its place");
        let file = VerdictFile::beside(folder.path());
        file.keep(Digest::none(), &Decision::No(Ground::default()));
        assert_eq!(file.recall(Digest::none()), None);
    }
}
