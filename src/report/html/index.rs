//! What the page needs of every case at once: names, states, numbers and where transcripts stand.

use serde::Serialize;

use super::changes::Changes;
use super::embed::{Embedded, Place};
use super::served::Served;
use crate::display;
use crate::report::figures;
use crate::report::summary::{FaultLine, Row, Rule, Summary, urgency};

/// The index of a report.
#[derive(Debug, Serialize)]
pub(super) struct Index<'a> {
    suite: &'a str,
    run: &'a str,
    program: &'a str,
    /// Where a served page asks for transcripts and news.
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<&'a str>,
    /// The run goes on, and the page follows it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    running: bool,
    cases: Vec<Case<'a>>,
}

/// One cell.
#[derive(Debug, Serialize)]
struct Case<'a> {
    id: &'a str,
    kind: &'static str,
    model: &'a str,
    persona: &'a str,
    client: &'a str,
    state: &'static str,
    /// How soon it deserves attention.
    urgency: u8,
    /// What its trials say, in words.
    says: String,
    place: String,
    passed: u32,
    judged: u32,
    seconds: f64,
    cost: Option<f64>,
    price: String,
    /// `3/3` in the run before.
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a FaultLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<&'a str>,
    trials: Vec<Trial>,
}

#[derive(Debug, Serialize)]
struct Failed<'a> {
    check: &'a str,
    why: String,
    weight: &'static str,
    place: String,
    trials: u32,
}

#[derive(Debug, Serialize)]
struct Trial {
    n: u32,
    /// `pass`, `fail`, `invalid`, `skipped`, or `none` before scoring.
    o: &'static str,
    /// Seconds.
    s: f64,
    /// Block and number in it, or the key of a served one.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Place>,
}

impl<'a> Index<'a> {
    pub(super) fn of(summary: &'a Summary, embedded: &Embedded, changes: Option<&Changes>) -> Self {
        let cases = summary.cases.iter().zip(&embedded.places);
        Self {
            suite: &summary.suite,
            run: &summary.run,
            program: &summary.program,
            api: None,
            running: false,
            cases: cases.map(|(row, places)| case(row, places, changes)).collect(),
        }
    }

    /// The same for a page that is served.
    pub(super) fn served(self, served: Option<&'a Served>) -> Self {
        let running = served.is_some_and(|served| served.running);
        Self { api: served.map(|served| served.api.as_str()), running, ..self }
    }
}

fn case<'a>(row: &'a Row, places: &[Option<Place>], changes: Option<&Changes>) -> Case<'a> {
    let trials = row.trials.iter().zip(places).map(|(trial, at)| Trial {
        n: trial.trial,
        o: if trial.skipped.is_some() { "skipped" } else { trial.outcome.unwrap_or("none") },
        s: trial.seconds,
        at: *at,
    });
    let failures = row.failures.iter().chain(&row.advice).map(|failure| Failed {
        check: &failure.check,
        why: display::excerpt(&failure.why, 600),
        weight: failure.weight,
        place: failure.origin.to_string(),
        trials: failure.trials,
    });
    Case {
        id: &row.id,
        kind: row.kind,
        model: row.model.as_deref().unwrap_or_default(),
        persona: &row.persona,
        client: &row.client,
        state: row.state,
        urgency: urgency(row.is),
        says: figures::cell(row),
        place: row.origin.to_string(),
        passed: row.passed,
        judged: row.counts().judged(),
        seconds: row.seconds,
        cost: row.cost,
        price: figures::price(row.cost, row.unpriced_trials),
        was: changes.and_then(|changes| changes.share(row)),
        failures: failures.collect(),
        rule: row.rule,
        fault: row.fault.as_ref(),
        known: row.expected_failure.as_deref(),
        skipped: (row.state == "skipped").then(|| row.why_skipped()),
        trials: trials.collect(),
    }
}
