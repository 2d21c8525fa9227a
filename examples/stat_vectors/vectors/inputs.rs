//! The inputs of a vector by name and type.

use rehearsal::stats::paired::Discordant;
use rehearsal::stats::{Interval, Pair, Tally};
use serde_json::{Value, json};

/// The inputs of one vector.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a>(pub(crate) &'a Value);

type Read<T> = Result<T, String>;

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

fn count(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().filter(|f| *f >= 0.0 && f.fract() == 0.0).map(|f| f as u64))
}

fn flag(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| count(value).filter(|flag| *flag < 2).map(|flag| flag == 1))
}

fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

/// [passed, trials].
fn tally(value: &Value) -> Option<Tally> {
    let [passed, trials] = value.as_array()?.as_slice() else { return None };
    Some(Tally { trials: count(trials)?, passed: count(passed)? })
}

/// A list of outcomes.
fn trials(value: &Value) -> Option<Tally> {
    let flags: Option<Vec<bool>> = value.as_array()?.iter().map(flag).collect();
    let flags = flags?;
    Some(Tally { trials: flags.len() as u64, passed: flags.iter().filter(|flag| **flag).count() as u64 })
}

impl<'a> Inputs<'a> {
    fn read<T>(self, key: &str, what: &str, read: impl Fn(&'a Value) -> Option<T>) -> Read<T> {
        self.0.get(key).and_then(read).ok_or_else(|| format!("input `{key}` is not {what}"))
    }

    fn all<T>(self, key: &str, what: &str, read: impl Fn(&'a Value) -> Option<T>) -> Read<Vec<T>> {
        self.read(key, what, |value| value.as_array()?.iter().map(&read).collect())
    }

    pub(crate) fn f(self, key: &str) -> Read<f64> {
        self.read(key, "a number", number)
    }

    pub(crate) fn f_or(self, key: &str, otherwise: f64) -> Read<f64> {
        if self.0.get(key).is_some() { self.f(key) } else { Ok(otherwise) }
    }

    pub(crate) fn n(self, key: &str) -> Read<u64> {
        self.read(key, "a count", count)
    }

    pub(crate) fn n_or(self, key: &str, otherwise: u64) -> Read<u64> {
        if self.0.get(key).is_some() { self.n(key) } else { Ok(otherwise) }
    }

    pub(crate) fn flag(self, key: &str) -> Read<bool> {
        self.read(key, "true or false", flag)
    }

    pub(crate) fn value(self, key: &str) -> Read<&'a Value> {
        self.read(key, "there", Some)
    }

    pub(crate) fn list(self, key: &str) -> Read<Vec<f64>> {
        self.all(key, "a list of numbers", number)
    }

    pub(crate) fn flags(self, key: &str) -> Read<Vec<bool>> {
        self.all(key, "a list of 0 and 1", flag)
    }

    pub(crate) fn counts(self, key: &str) -> Read<Vec<u64>> {
        self.all(key, "a list of counts", count)
    }

    pub(crate) fn texts(self, key: &str) -> Read<Vec<&'a str>> {
        self.all(key, "a list of names", text)
    }

    pub(crate) fn items(self, key: &str) -> Read<Vec<&'a Value>> {
        self.all(key, "a list", Some)
    }

    /// Two-sided confidence; with `sides` 1 it is per bound.
    pub(crate) fn conf(self) -> Read<f64> {
        let conf = self.f("conf")?;
        Ok(if self.n_or("sides", 2)? == 1 { 2.0 * conf - 1.0 } else { conf })
    }

    /// Lists of outcomes, one per case.
    pub(crate) fn cases(self) -> Read<Vec<Tally>> {
        self.all("trials", "lists of 0 and 1", trials)
    }

    /// [trials, passed] per case.
    pub(crate) fn tallies(self) -> Read<Vec<Tally>> {
        let swapped = self.all("cases_n_c", "pairs of counts", tally)?;
        Ok(swapped.into_iter().map(|pair| Tally { trials: pair.passed, passed: pair.trials }).collect())
    }

    /// `n` trials of which `c` passed.
    pub(crate) fn tally(self) -> Read<Tally> {
        Ok(Tally { trials: self.n("n")?, passed: self.n("c")? })
    }

    /// [passed, trials] per case and side.
    pub(crate) fn pairs(self) -> Read<Vec<Pair>> {
        let sides = ["baseline", "candidate"].map(|key| self.all(key, "pairs of counts", tally));
        let [baseline, candidate] = sides;
        let (baseline, candidate) = (baseline?, candidate?);
        if baseline.len() != candidate.len() {
            return Err("baseline and candidate differ in length".to_owned());
        }
        let pairs = baseline.into_iter().zip(candidate);
        Ok(pairs.map(|(baseline, candidate)| Pair { baseline, candidate }).collect())
    }

    /// `sb` of `kb` before, `sc` of `kc` now.
    pub(crate) fn pair(self) -> Read<Pair> {
        let tally =
            |passed, trials| Ok::<_, String>(Tally { trials: self.n(trials)?, passed: self.n(passed)? });
        Ok(Pair { baseline: tally("sb", "kb")?, candidate: tally("sc", "kc")? })
    }

    pub(crate) fn changed(self) -> Read<Discordant> {
        Ok(Discordant { worse: self.n("b")?, better: self.n("c")? })
    }

    /// Values with the numbers of their clusters, in ascending order of the keys.
    pub(crate) fn clustered(self) -> Read<Vec<(usize, f64)>> {
        let (values, keys) = (self.list("values")?, self.items("clusters")?);
        let mut order = keys.clone();
        order.sort_by(|a, b| match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a.to_string().cmp(&b.to_string()),
        });
        order.dedup();
        if keys.len() != values.len() {
            return Err("values and clusters differ in length".to_owned());
        }
        let place = |key: &&Value| order.iter().position(|other| other == key).unwrap_or(0);
        Ok(keys.iter().map(place).zip(values).collect())
    }
}

/// An interval as a list of its ends.
pub(crate) fn ends(interval: Option<Interval>) -> Value {
    json!(interval.map(|interval| [interval.low, interval.high]))
}
