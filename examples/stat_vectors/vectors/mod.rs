//! Reference values: each names a function, its inputs, what it should give, and how near is near enough.

mod gate;
mod inputs;
mod judges;
mod table;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use inputs::Inputs;
/// Every function that reference values may name.
pub(crate) fn rows() -> impl Iterator<Item = &'static table::Row> {
    table::TABLE.iter().chain(judges::TABLE)
}

/// How a function fared.
#[derive(Default)]
pub(crate) struct Score {
    /// Vectors of it.
    pub(crate) all: usize,
    /// Those that hold.
    pub(crate) hold: usize,
    /// The largest error, in the measure of the vector's tolerance.
    pub(crate) worst: f64,
}

/// How a file fared.
pub(crate) struct Report {
    /// Every function of the file, by name.
    pub(crate) functions: BTreeMap<String, Score>,
    /// What does not hold, a line each.
    pub(crate) broken: Vec<String>,
}

impl Report {
    /// Whether every vector holds and there was one.
    pub(crate) fn holds(&self) -> bool {
        self.broken.is_empty() && !self.functions.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, score) in &self.functions {
            writeln!(
                f,
                "{name:32} {:>3} of {:>3} hold, worst error {:.1e}",
                score.hold, score.all, score.worst
            )?;
        }
        for line in &self.broken {
            writeln!(f, "BROKEN {line}")?;
        }
        let (all, hold) = self.functions.values().fold((0, 0), |sum, s| (sum.0 + s.all, sum.1 + s.hold));
        writeln!(f, "{hold} of {all} vectors hold, {} functions", self.functions.len())
    }
}

/// Checks every vector of a file: either an object with `vectors`, or the list itself.
pub(crate) fn check(text: &str) -> Result<Report, String> {
    let file: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let vectors = file.get("vectors").unwrap_or(&file).as_array().ok_or("no list of vectors")?;
    let mut report = Report { functions: BTreeMap::new(), broken: vec![] };
    for vector in vectors {
        let function = vector["function"].as_str().unwrap_or("(no function)").to_owned();
        let (error, complaint) = match examine(&function, vector) {
            Ok(error) => (error, None),
            Err((error, complaint)) => (error, Some(complaint)),
        };
        let score = report.functions.entry(function).or_default();
        score.all += 1;
        score.worst = score.worst.max(error);
        match complaint {
            None => score.hold += 1,
            Some(complaint) => report.broken.push(format!("{}: {complaint}", vector["id"])),
        }
    }
    Ok(report)
}

/// The error of a vector that holds, or the error and a complaint.
fn examine(function: &str, vector: &Value) -> Result<f64, (f64, String)> {
    let fail = |complaint: String| (f64::INFINITY, complaint);
    let (_, compute) = rows()
        .find(|(name, _)| *name == function)
        .ok_or_else(|| fail(format!("no function is called `{function}`")))?;
    let tolerance = vector["tolerance"].as_f64().ok_or_else(|| fail("no tolerance".to_owned()))?;
    let relative = vector["tolerance_kind"] == "rel";
    let got = compute(Inputs(&vector["inputs"])).map_err(fail)?;
    let expected = &vector["expected"];
    let error = distance(&got, expected, relative);
    if error <= tolerance { Ok(error) } else { Err((error, format!("expected {expected}, got {got}"))) }
}

/// The largest difference between two values; infinite where their shapes differ. Keys that are not expected are not
/// looked at.
fn distance(got: &Value, expected: &Value, relative: bool) -> f64 {
    match (got, expected) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).map(|(a, b)| distance(a, b, relative)).fold(0.0, f64::max)
        }
        (Value::Object(a), Value::Object(b)) => b
            .iter()
            .map(|(key, b)| distance(a.get(key).unwrap_or(&Value::Null), b, relative))
            .fold(0.0, f64::max),
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) if a == b => 0.0,
            (Some(a), Some(b)) => (a - b).abs() / if relative { b.abs() } else { 1.0 },
            _ => f64::INFINITY,
        },
        (a, b) if a == b => 0.0,
        _ => f64::INFINITY,
    }
}
