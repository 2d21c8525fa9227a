//! What a run has cost, read from its file: the results, and what was paid without a result to show for it.

use rusqlite::Row;

use super::read::Reader;
use super::record::{Facts, Spend, Wasted};
use super::{StoreError, pack};
use crate::ids::CaseKey;
use crate::transcript::Event;

impl Reader {
    /// US dollars that were paid for the run, the judge's and played users' and those of attempts that were replaced
    /// included, and how many trials have calls without a price; reads no transcript. `None`: nothing has a price.
    pub fn money(&self) -> Result<(Option<f64>, u64), StoreError> {
        let wasted = self.wasted()?;
        let keys: Vec<String> = wasted.unpriced.iter().map(CaseKey::to_string).collect();
        let keys = serde_json::to_string(&keys).unwrap_or_default();
        // A part without calls costs nothing; one with calls and without a price has none.
        let sql = "SELECT coalesce(sum(known), 0.0), count(*) FILTER (WHERE priced), count(*) FILTER (WHERE NOT priced),
                count(*) FILTER (WHERE NOT priced AND key IN (SELECT value FROM json_each(?1)))
            FROM (SELECT t.key, coalesce(r.cost, 0.0) + coalesce(v.judge ->> '$.cost', 0.0)
                      + coalesce(r.facts ->> '$.user.cost', 0.0) AS known,
                    (r.cost IS NOT NULL OR r.model_calls = 0)
                      AND (v.judge ->> '$.cost' IS NOT NULL OR coalesce(v.judge ->> '$.calls', 0) = 0)
                      AND (r.facts ->> '$.user.cost' IS NOT NULL OR coalesce(r.facts ->> '$.user.calls', 0) = 0)
                      AS priced
                  FROM trials t JOIN transcripts r ON r.trial = t.id LEFT JOIN verdicts v ON v.trial = t.id
                  WHERE t.wanted = 1 AND json_valid(r.facts) AND (v.judge IS NULL OR json_valid(v.judge)))";
        let number = |row: &Row<'_>, place| row.get::<_, i64>(place).map(i64::unsigned_abs);
        let row = self.conn().query_row(sql, [keys], |row| {
            Ok((row.get::<_, f64>(0)?, number(row, 1)?, number(row, 2)?, number(row, 3)?))
        });
        let (known, priced, unpriced, both) = row.map_err(|error| self.unreadable(&error))?;
        let known = known + wasted.cost();
        let unpriced = unpriced + (wasted.unpriced.len() as u64).saturating_sub(both);
        let is_known = unpriced == 0 || priced > 0 || known > 0.0;
        Ok((is_known.then_some(known), unpriced))
    }

    /// What was paid for without a result to show: interrupted and killed trials, replaced results and scores. The total
    /// of a run is this and the sum over its results.
    pub fn wasted(&self) -> Result<Wasted, StoreError> {
        let mut all = Wasted::default();
        for Waste { key, judging, spend } in self.waste()? {
            all.calls = all.calls.saturating_add(spend.calls);
            match spend.cost {
                Some(cost) if judging => all.judging += cost,
                Some(cost) => all.trials += cost,
                None => drop(all.unpriced.insert(key)),
            }
        }
        Ok(all)
    }

    /// The same, one by one.
    pub fn waste(&self) -> Result<Vec<Waste>, StoreError> {
        let mut all = vec![];
        let replies = "SELECT t.key, event, '' FROM replies r JOIN trials t ON t.id = r.trial";
        self.each(replies, &mut all, |text, _| {
            let event: Event = pack::read("model response", text.as_bytes())?;
            let spends = [Spend::of([&event.what]), Spend::aside([&event.what])];
            Ok(spends.map(|spend| (false, spend)).to_vec())
        })?;
        let replaced = "SELECT t.key, spend, why FROM wasted w JOIN trials t ON t.id = w.trial";
        self.each(replaced, &mut all, |text, why| {
            Ok(vec![(why == SCORED_AGAIN, pack::read("spend", text.as_bytes())?)])
        })?;
        // What an earlier plan of this run asked for was paid, too.
        let left =
            "SELECT t.key, facts, '' FROM transcripts r JOIN trials t ON t.id = r.trial WHERE wanted = 0";
        self.each(left, &mut all, |text, _| {
            let facts: Facts = pack::read("facts", text.as_bytes())?;
            Ok([facts.spend, facts.user].map(|spend| (false, spend)).to_vec())
        })?;
        let judged =
            "SELECT t.key, judge, '' FROM verdicts r JOIN trials t ON t.id = r.trial WHERE wanted = 0";
        self.each(judged, &mut all, |text, _| {
            Ok(vec![(true, pack::read("judge's spend", text.as_bytes())?)])
        })?;
        Ok(all)
    }

    /// Adds what `read` finds in each row: the key of a trial and two texts.
    fn each(
        &self,
        sql: &str,
        all: &mut Vec<Waste>,
        read: impl Fn(&str, &str) -> Result<Vec<(bool, Spend)>, String>,
    ) -> Result<(), StoreError> {
        let rows = || {
            let mut statement = self.conn().prepare(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect::<rusqlite::Result<Vec<(String, String, String)>>>()
        };
        for (key, text, why) in rows().map_err(|error| self.unreadable(&error))? {
            let key: CaseKey = key.parse().map_err(|_| self.damaged(format!("`{key}` is no trial's key")))?;
            let found = read(&text, &why).map_err(|why| self.damaged(why))?;
            let paid = found.into_iter().filter(|(_, spend)| spend.calls > 0);
            all.extend(paid.map(|(judging, spend)| Waste { key, judging, spend }));
        }
        Ok(())
    }
}

/// One thing that was paid in vain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waste {
    /// The trial.
    pub key: CaseKey,
    /// Whether the judge took it.
    pub judging: bool,
    /// What it took.
    pub spend: Spend,
}

impl Waste {
    /// Why, in words of the file.
    pub(super) fn why(&self) -> &'static str {
        if self.judging { SCORED_AGAIN } else { RAN_AGAIN }
    }
}

/// Why a trial was paid for in vain, in the file.
pub(super) const RAN_AGAIN: &str = "the trial ran again";
/// Why a score was.
pub(super) const SCORED_AGAIN: &str = "the trial was scored again";
