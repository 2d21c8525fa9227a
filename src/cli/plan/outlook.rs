//! What a comparison with the baseline can show, for `plan`: from the baseline itself, without one from the newest run,
//! and without any from an assumption that is stated.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::failure::Outcome;
use crate::cli::forecast::Forecast;
use crate::cli::gate::unusable;
use crate::cli::rounds::Base;
use crate::gate::cells;
use crate::gate::compared::settings;
use crate::gate::outlook::{self, Outlook};
use crate::ids::ModelName;
use crate::plan::{Case, Plan};
use crate::report::figures::{count, thousands};
use crate::stats::Tally;
use crate::store::baseline::{LaneKey, LanePrint, Status};
use crate::store::{Reader, history};
use crate::suite::Suite;
use crate::transcript::CaseKind;

/// The outlook of each model, and what it rests on.
pub(super) struct Outlooks {
    /// What the variances are taken from, as the end of a sentence.
    from: String,
    /// Which of the three sources that is.
    source: &'static str,
    models: BTreeMap<ModelName, Outlook>,
}

/// The outlooks of a plan; `None` when no model works in it.
pub(super) fn outlooks(
    suite: &Suite,
    plan: &Plan,
    base: Option<&Base>,
    reports: &Path,
) -> Outcome<Option<Outlooks>> {
    let first = |case: &&Case| {
        case.header.kind == CaseKind::Use && case.header.trial == 1 && case.expected_failure.is_none()
    };
    let lanes: Vec<&Case> = plan.cases.iter().filter(first).collect();
    if lanes.is_empty() {
        return Ok(None);
    }
    let settings = settings(&suite.gate, None).map_err(|error| unusable(&error))?;
    let (source, from, tallies) = match pooled(&lanes, base).or_else(|| ran(&lanes, suite, reports)) {
        Some(found) => found,
        None => {
            let from = format!(
                "assuming that {:.0} % of trials pass, half of the spread lies between cases, and {} trials of each are accepted",
                outlook::ASSUMED_RATE * 100.0,
                outlook::ASSUMED_TRIALS
            );
            ("assumption", from, by_model(&lanes, outlook::assumed))
        }
    };
    let models = tallies
        .into_iter()
        .filter_map(|(model, tallies)| Some((model, outlook::outlook(&tallies, &settings, plan.seed)?)))
        .collect();
    Ok(Some(Outlooks { from, source, models }))
}

type Found = (&'static str, String, BTreeMap<ModelName, Vec<Tally>>);

/// The baseline, as far as it fits.
fn pooled(lanes: &[&Case], base: Option<&Base>) -> Option<Found> {
    let known = base?.known();
    let mut tallies: BTreeMap<ModelName, Vec<Tally>> = BTreeMap::new();
    for case in lanes {
        let print = LanePrint {
            question: case.header.key.question,
            model: case.header.key.model,
            score: case.score_key.0,
        };
        let pooled = known.baseline.pool(&LaneKey::of(&case.header), &print);
        if let (Status::Same, Some(model)) = (pooled.status, &case.header.model) {
            tallies.entry(model.clone()).or_default().push(pooled.tally);
        }
    }
    (!tallies.is_empty()).then(|| ("baseline", format!("from the baseline {}", known.file), tallies))
}

/// The newest run, as if it were accepted.
fn ran(lanes: &[&Case], suite: &Suite, reports: &Path) -> Option<Found> {
    let newest = history::list(reports, Some(&suite.name)).0.into_iter().next()?;
    let record = Reader::open(&newest.path).and_then(|reader| reader.record()).ok()?;
    let cells = cells::cells(&record);
    let mut tallies: BTreeMap<ModelName, Vec<Tally>> = BTreeMap::new();
    for case in lanes {
        let header = &case.header;
        let Some(model) = &header.model else { continue };
        let mut same = cells.iter().filter(|cell| {
            let name = cell.name;
            name.case == header.case.as_str()
                && name.model == Some(model.as_str())
                && name.persona == header.persona.as_str()
                && name.client == header.client.as_str()
        });
        let Some(counts) = same.next().map(cells::Cell::counts).filter(|counts| counts.judged() > 0) else {
            continue;
        };
        let tally = Tally { trials: counts.judged().into(), passed: counts.passed.into() };
        tallies.entry(model.clone()).or_default().push(tally);
    }
    let from = format!("as if run {} were accepted", newest.manifest.run);
    (!tallies.is_empty()).then_some(("run", from, tallies))
}

fn by_model(lanes: &[&Case], make: impl Fn(usize) -> Vec<Tally>) -> BTreeMap<ModelName, Vec<Tally>> {
    let mut counts: BTreeMap<ModelName, usize> = BTreeMap::new();
    for model in lanes.iter().filter_map(|case| case.header.model.clone()) {
        *counts.entry(model).or_default() += 1;
    }
    counts.into_iter().map(|(model, cases)| (model, make(cases))).collect()
}

impl Outlooks {
    /// What a person reads.
    pub(super) fn text(&self, round: Option<&Forecast>) -> String {
        let mut out = format!("  compared with its baseline, {}:\n", crate::display::safe_line(&self.from));
        for (model, outlook) in &self.models {
            let points = |share: Option<f64>| {
                share.map_or_else(|| "no drop".to_owned(), |share| format!("{:.1} points", share * 100.0))
            };
            out.push_str(&format!(
                "    {}: {}; a drop of {} would likely be seen; an unchanged suite shows {} (wanted: {})\n",
                crate::display::safe_line(model.as_str()),
                count(outlook.cases, "case"),
                points(outlook.smallest_drop),
                points(outlook.shown_margin),
                points(Some(outlook.margin)),
            ));
            let needed = match outlook.trials_needed {
                Some(trials) => {
                    format!("{} per case see a drop as large as the margin", count(trials, "trial"))
                }
                None => "no number of trials sees a drop as large as the margin".to_owned(),
            };
            out.push_str(&format!(
                "      {} to {} trials; {needed}; what limits it most: {}\n",
                thousands(outlook.least_trials),
                thousands(outlook.most_trials),
                limit(outlook.floor)
            ));
            for advice in outlook.advice() {
                out.push_str(&format!("      {advice}\n"));
            }
        }
        if let Some(round) = round {
            out.push_str(&format!("    one round: {}\n", round.text()));
        }
        out
    }

    /// What a program reads.
    pub(super) fn to_json(&self, round: Option<&Forecast>) -> Value {
        let round = round.map(Forecast::to_json);
        json!({"source": self.source, "from": self.from, "models": self.models, "round": round})
    }
}

fn limit(floor: &str) -> &str {
    match floor {
        "trials" => "the trials of a run",
        "baseline" => "the accepted trials",
        other => other,
    }
}
