//! The nights of a suite, model by model, as charts read them: which runs are alike, what each gave, and what changed
//! between them. Pure: outcomes in, charts out.

use std::collections::BTreeSet;

use crate::ids::{ModelName, RunId};
use crate::stats::Tally;
use crate::stats::drift::bernoulli_cusum;
use crate::store::baseline::{Against, Baseline, LaneKey, LanePrint, Part, Prints};
use crate::store::outcomes::{LaneOutcome, Outcomes};

use super::trend::{Night, Trend, trend};

/// Nights whose variance the charts are drawn with, at least; with fewer there is no chart.
pub const QUIET: usize = 5;

/// Share of the newest night's cases that a night must have, to be like it.
const ALIKE: f64 = 0.9;

/// The height of the alarm of one case's failures: three in a row of a case that hardly ever fails.
const HEIGHT: f64 = 8.0;

/// A run that can be a night.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What its trials gave.
    pub outcomes: Outcomes,
    /// The exit code it ended with; `None`: it did not end.
    pub exit: Option<u8>,
}

/// One night of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The run.
    pub run: RunId,
    /// Its start, RFC 3339 in UTC.
    pub started: String,
    /// The exit code it ended with; `None`: it did not end.
    pub exit: Option<u8>,
    /// What charts take.
    pub night: Night,
    /// What was not as in the night before.
    pub changed: Vec<Part>,
}

/// A case that has begun to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streak {
    /// The case, as gates call it.
    pub case: String,
    /// Newest nights in a row in which most of its trials failed.
    pub nights: usize,
    /// Whether its failures are more than its history explains.
    pub alarm: bool,
}

/// Against what nights are charted.
#[derive(Clone, Debug, PartialEq)]
pub enum Level {
    /// The rate of the pinned night.
    Pinned(RunId),
    /// The mean of the first nights, because none is pinned.
    First(usize),
}

/// The nights of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// The model.
    pub model: ModelName,
    /// Oldest first.
    pub nights: Vec<Seen>,
    /// Runs that are no nights of these cases: others were selected, or they were edited since.
    pub left_out: usize,
    /// Against what they are charted, and its rate; `None` with too few nights.
    pub level: Option<(Level, f64)>,
    /// The charts; `None` with too few nights.
    pub chart: Option<Trend>,
    /// Cases that fail for nights, the longest first.
    pub streaks: Vec<Streak>,
}

impl Course {
    /// Whether the newest night is part of a slide: a chart raises the alarm, and has not come back since.
    pub fn slides(&self) -> bool {
        self.chart.as_ref().is_some_and(|chart| {
            let low = |path: &[f64], limit: f64| path.last().is_some_and(|last| *last > limit);
            let average = chart.ewma.path.last().zip(chart.ewma.lower.last());
            chart.alarms() && (low(&chart.cusum.path, 0.0) || average.is_some_and(|(at, limit)| at < limit))
        })
    }
}

/// The courses of every model of the newest run. `ran` is newest first; `baseline` knows the pinned night.
pub fn courses(ran: &[Ran], baseline: Option<&Baseline>) -> Vec<Course> {
    let Some(newest) = ran.first() else { return vec![] };
    let lanes = newest.outcomes.lanes.iter().filter(|lane| lane.is_use() && !lane.expected_failure);
    let models: BTreeSet<&ModelName> = lanes.clone().filter_map(|lane| lane.key.model.as_ref()).collect();
    let course = |model: &ModelName| {
        let of: Vec<&LaneOutcome> =
            lanes.clone().filter(|lane| lane.key.model.as_ref() == Some(model)).collect();
        course(model, &of, ran, baseline)
    };
    models.into_iter().map(course).collect()
}

fn course(model: &ModelName, lanes: &[&LaneOutcome], ran: &[Ran], baseline: Option<&Baseline>) -> Course {
    let mut nights: Vec<(&Ran, Vec<Tally>)> = vec![];
    for one in ran.iter().rev() {
        let tallies: Vec<Tally> =
            lanes.iter().map(|lane| found(&one.outcomes, &lane.key, lane.print)).collect();
        let judged = tallies.iter().filter(|tally| tally.trials > 0).count();
        if judged as f64 >= ALIKE * lanes.len() as f64 && judged > 0 {
            nights.push((one, tallies));
        }
    }
    let pinned = baseline.and_then(|baseline| pinned(baseline, lanes));
    let quiet = match &pinned {
        Some((run, _)) => {
            nights.iter().position(|(one, _)| one.outcomes.manifest.run == *run).map_or(0, |at| at + 1)
        }
        None => 0,
    };
    let quiet = quiet.max(QUIET);
    let known: Vec<Tally> = (0..lanes.len())
        .map(|lane| {
            nights.iter().take(quiet).fold(Tally::default(), |sum, (_, tallies)| sum.plus(tallies[lane]))
        })
        .collect();
    let charted: Vec<Night> = nights.iter().map(|(_, tallies)| night(tallies, &known)).collect();
    let level = match pinned {
        Some((run, rate)) => Some((Level::Pinned(run), rate)),
        None => {
            let first = charted.iter().take(quiet).map(|night| night.rate);
            Some((Level::First(quiet), first.sum::<f64>() / quiet as f64))
        }
    };
    let level = level.filter(|_| charted.len() >= QUIET);
    let chart = level.as_ref().and_then(|(_, rate)| trend(&charted, quiet, *rate));
    let streaks = streaks(lanes, &nights, (&known, quiet));
    let changed = |at: usize| {
        let before = at.checked_sub(1).map(|before| &nights[before].0.outcomes.prints);
        before.map_or_else(Vec::new, |before| changed(before, &nights[at].0.outcomes.prints, model))
    };
    let seen = nights.iter().zip(&charted).enumerate().map(|(at, ((one, _), night))| {
        let manifest = &one.outcomes.manifest;
        let (run, started) = (manifest.run.clone(), manifest.started.clone());
        Seen { run, started, exit: one.exit, night: *night, changed: changed(at) }
    });
    Course {
        model: model.clone(),
        nights: seen.collect(),
        left_out: ran.len() - nights.len(),
        level,
        chart,
        streaks,
    }
}

fn found(outcomes: &Outcomes, key: &LaneKey, print: LanePrint) -> Tally {
    let lane = outcomes.lanes.iter().find(|lane| lane.key == *key && lane.print == print);
    lane.map_or_else(Tally::default, |lane| lane.tally)
}

/// The pinned night and the mean of its case means.
fn pinned(baseline: &Baseline, lanes: &[&LaneOutcome]) -> Option<(RunId, f64)> {
    let run = baseline.pinned.clone()?;
    let rates = lanes
        .iter()
        .filter_map(|lane| baseline.pool_against(&lane.key, &lane.print, Against::Pinned).tally.rate());
    let rates: Vec<f64> = rates.collect();
    (rates.len() as f64 >= ALIKE * lanes.len() as f64 && !rates.is_empty())
        .then(|| (run, rates.iter().sum::<f64>() / rates.len() as f64))
}

/// A night's rate with its noise. What one trial varies by is taken from all quiet nights, and never as nothing: a case
/// that always passed can still fail.
fn night(tallies: &[Tally], known: &[Tally]) -> Night {
    let judged = || tallies.iter().zip(known).filter(|(tally, _)| tally.trials > 0);
    let cases = judged().count() as f64;
    let noise = judged().map(|(tally, known)| {
        let rate = (known.passed as f64 + 0.5) / (known.trials as f64 + 1.0);
        rate * (1.0 - rate) / tally.trials as f64
    });
    let trials = judged().map(|(tally, _)| tally.trials).sum();
    let passed: u64 = judged().map(|(tally, _)| tally.passed).sum();
    Night {
        rate: judged().filter_map(|(tally, _)| tally.rate()).sum::<f64>() / cases,
        noise: noise.sum::<f64>() / (cases * cases),
        failed: trials - passed,
        trials,
    }
}

fn streaks(
    lanes: &[&LaneOutcome],
    nights: &[(&Ran, Vec<Tally>)],
    (known, quiet): (&[Tally], usize),
) -> Vec<Streak> {
    let names = crate::store::baseline::names(lanes.iter().map(|lane| &lane.key));
    let mut streaks: Vec<Streak> = vec![];
    for (at, lane) in lanes.iter().enumerate() {
        let of = nights.iter().map(|(_, tallies)| tallies[at]).filter(|tally| tally.trials > 0);
        let of: Vec<Tally> = of.collect();
        let fails = of.iter().rev().take_while(|tally| tally.passed * 2 < tally.trials).count();
        // Within a night nobody knows the order: failures last is the order that says least of what comes after.
        let after = nights.iter().skip(quiet).map(|(_, tallies)| tallies[at]);
        let trials: Vec<bool> =
            after.flat_map(|tally| (0..tally.trials).map(move |trial| trial >= tally.passed)).collect();
        let before = 1.0 - (known[at].passed as f64 + 0.5) / (known[at].trials as f64 + 1.0);
        let before = before.clamp(0.02, 0.9);
        let cusum = bernoulli_cusum(&trials, before, f64::midpoint(before, 1.0), HEIGHT);
        let alarm = cusum.is_some_and(|chart| chart.path.last().is_some_and(|last| *last >= HEIGHT));
        if fails >= 2 || alarm {
            let case = names.get(&lane.key).cloned().unwrap_or_else(|| lane.key.case.to_string());
            streaks.push(Streak { case, nights: fails, alarm });
        }
    }
    streaks.sort_by(|a, b| b.nights.cmp(&a.nights).then_with(|| a.case.cmp(&b.case)));
    streaks
}

/// What a night was measured with that the night before was not.
fn changed(before: &Prints, now: &Prints, model: &ModelName) -> Vec<Part> {
    let mut parts = vec![];
    let mut note = |differs: bool, part: Part| {
        if differs {
            parts.push(part);
        }
    };
    note(before.surfaces != now.surfaces, Part::Server);
    note(before.models.get(model) != now.models.get(model), Part::Model);
    note(before.judge != now.judge, Part::Judge);
    note(before.version != now.version, Part::Harness);
    note(before.suite != now.suite, Part::Suite);
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::Digest;
    use crate::plan::Selection;
    use crate::store::record::Manifest;
    use crate::transcript::CaseKind;

    /// A night of ten cases with three trials each, of which so many failed, from the first case on.
    fn ran(number: usize, failed: u64) -> Ran {
        let manifest: Manifest = serde_json::from_value(json!({
            "schema": 2, "run": format!("run-{number}"), "version": "1", "suite": "shop", "file": "shop.yaml",
            "started": format!("2026-11-{number:02}T02:00:00Z"), "seed": 1, "selection": Selection::default(),
            "shard": null, "instruments": [], "gate": {}, "judge": null, "target": "a server", "inputs": {},
        }))
        .unwrap();
        let lane = |case: u64| LaneOutcome {
            kind: CaseKind::Use,
            key: LaneKey {
                case: format!("case-{case}").as_str().into(),
                model: Some("m".into()),
                persona: "p".into(),
                client: "c".into(),
            },
            print: LanePrint { question: Digest::none(), model: Digest::none(), score: Digest::none() },
            tags: vec![],
            tally: Tally { trials: 3, passed: 3 - failed.saturating_sub(3 * case).min(3) },
            invalid: 0,
            missing: 0,
            confirms: Tally::default(),
            expected_failure: false,
        };
        let prints = Prints { version: "1".to_owned(), ..Prints::default() };
        let outcomes =
            Outcomes { manifest, prints, lanes: (0..10).map(lane).collect(), planned: 30, damaged: 0 };
        Ran { outcomes, exit: Some(0) }
    }

    /// Nights oldest first, as [`courses`] takes them.
    fn nights(failed: &[u64]) -> Vec<Ran> {
        let mut nights: Vec<Ran> =
            failed.iter().enumerate().map(|(at, failed)| ran(at + 1, *failed)).collect();
        nights.reverse();
        nights
    }

    fn course_of(nights: &[Ran]) -> Course {
        courses(nights, None).remove(0)
    }

    #[test]
    fn small_losses_add_up_even_where_everything_passed_before() {
        let quiet = course_of(&nights(&[0, 0, 0, 0, 0, 0, 1, 0]));
        assert!(quiet.chart.is_some() && !quiet.slides() && quiet.streaks.is_empty());
        let slid = course_of(&nights(&[0, 0, 0, 0, 0, 0, 4, 4]));
        assert!(slid.slides());
        assert_eq!(slid.chart.and_then(|chart| chart.began), Some(6));
        assert_eq!(slid.streaks[0], Streak { case: "case-0".to_owned(), nights: 2, alarm: true });
    }

    #[test]
    fn too_few_nights_are_no_chart() {
        let few = course_of(&nights(&[0, 0, 9, 9]));
        assert_eq!((few.level, few.chart, few.nights.len()), (None, None, 4));
        assert!(courses(&[], None).is_empty());
    }

    #[test]
    fn edited_cases_are_other_nights() {
        let mut all = nights(&[0, 0, 0, 0, 0, 0]);
        for lane in &mut all[5].outcomes.lanes[..2] {
            lane.print.question = Digest::of(b"edited");
        }
        let course = course_of(&all);
        assert_eq!((course.nights.len(), course.left_out), (5, 1));
    }

    #[test]
    fn what_changed_stands_beside_the_night() {
        let mut all = nights(&[0, 0]);
        all[0].outcomes.prints.surfaces.insert("p".into(), Some(Digest::of(b"new tools")));
        all[0].outcomes.prints.models.insert("m".into(), Digest::of(b"other parameters"));
        let course = course_of(&all);
        assert_eq!(course.nights[0].changed, []);
        assert_eq!(course.nights[1].changed, [Part::Server, Part::Model]);
    }
}
