//! What is other than in the run before: counts of trials side by side, without a test. Whether a difference means
//! anything is the gate's to say.

use std::collections::BTreeMap;

use super::markup::{Html, fragment};
use crate::display;
use crate::ids::CaseKey;
use crate::report::archive::Before;
use crate::report::figures::{count, moment};
use crate::report::summary::{Row, Summary};
use crate::score::Outcome;
use crate::transcript::CaseHeader;

/// Most cases that are listed.
const ROWS: usize = 100;

/// What names a case in two runs: id, model, persona, client.
type Name = [String; 4];

/// A case in the run before.
#[derive(Debug, Default)]
struct Then {
    passed: u32,
    failed: u32,
    trials: Vec<(CaseKey, u32, Option<Outcome>)>,
}

/// The run before, by case.
#[derive(Debug, Default)]
pub(super) struct Changes {
    run: String,
    started: String,
    then: BTreeMap<Name, Then>,
}

fn name_of(row: &Row) -> Name {
    [row.id.clone(), row.model.clone().unwrap_or_default(), row.persona.clone(), row.client.clone()]
}

fn name_then(header: &CaseHeader) -> Name {
    let model = header.model.as_ref().map(crate::ids::ModelName::as_str).unwrap_or_default();
    let names = [header.case.as_str(), model, header.persona.as_str(), header.client.as_str()];
    names.map(|name| display::excerpt(name, 200))
}

impl Changes {
    /// Groups the trials of the run before; `None` without one.
    pub(super) fn of(before: Option<Before>) -> Option<Self> {
        let Before { run, started, trials } = before?;
        let mut then: BTreeMap<Name, Then> = BTreeMap::new();
        for (header, outcome) in trials {
            let case = then.entry(name_then(&header)).or_default();
            case.passed += u32::from(outcome == Some(Outcome::Pass));
            case.failed += u32::from(outcome == Some(Outcome::Fail));
            case.trials.push((header.key, header.trial, outcome));
        }
        Some(Self {
            run: display::excerpt(&run, 200),
            started: display::excerpt(&moment(&started), 80),
            then,
        })
    }

    /// The run before.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// A trial of the run before that went another way than this one, best the one of the same number.
    pub(super) fn other_way(&self, row: &Row, trial: u32, outcome: Option<&str>) -> Option<CaseKey> {
        let then = self.then.get(&name_of(row))?;
        let other = |(_, _, was): &&(CaseKey, u32, Option<Outcome>)| {
            matches!(was, Some(Outcome::Pass | Outcome::Fail)) && was.map(Outcome::as_str) != outcome
        };
        let all = || then.trials.iter().filter(other);
        all().find(|(_, number, _)| *number == trial).or(all().next()).map(|(key, ..)| *key)
    }

    /// `3/3`: how many trials passed of those judged.
    pub(super) fn share(&self, row: &Row) -> Option<String> {
        let then = self.then.get(&name_of(row)).filter(|then| then.passed + then.failed > 0)?;
        Some(format!("{}/{}", then.passed, then.passed + then.failed))
    }

    /// How much more of a case passes now, when both runs judged it.
    fn moved(&self, row: &Row) -> Option<f64> {
        let then = self.then.get(&name_of(row))?;
        let share = |passed: u32, failed: u32| {
            (passed + failed > 0).then(|| f64::from(passed) / f64::from(passed + failed))
        };
        Some(share(row.passed, row.failed)? - share(then.passed, then.failed)?)
    }

    /// The section.
    pub(super) fn section(&self, summary: &Summary, html: &mut Html) {
        let mut moved: Vec<(f64, &Row)> =
            summary.cases.iter().filter_map(|row| self.moved(row).map(|by| (by, row))).collect();
        let both = moved.len();
        let now: std::collections::BTreeSet<Name> = summary.cases.iter().map(name_of).collect();
        let gone: Vec<&Name> = self.then.keys().filter(|name| !now.contains(*name)).collect();
        let new = now.iter().filter(|name| !self.then.contains_key(*name)).count();
        moved.retain(|(by, _)| by.abs() > f64::EPSILON);
        moved.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let worse = moved.iter().filter(|(by, _)| *by < 0.0).count();
        html.section("changes", "Against the run before", |html| {
            let better = moved.len() - worse;
            let text = format!(
                "Run {} of {}: {} in both, {worse} pass less often now, {better} more often, {new} new, {} gone. \
                 These are counts without a test.",
                self.run,
                self.started,
                count(both as u64, "case"),
                gone.len()
            );
            html.leaf("p", &[], &text);
            if !moved.is_empty() {
                html.table("Cases that changed", &["case", "then", "now", "model", "persona"], |html| {
                    for (by, row) in moved.iter().take(ROWS) {
                        let class = if *by < 0.0 { "bad" } else { "good" };
                        html.tag("tr", &[], |html| {
                            html.tag("th", &[("scope", "row")], |html| case_link(row, html));
                            html.leaf("td", &[], &self.share(row).unwrap_or_default());
                            let now = format!("{}/{}", row.passed, row.passed + row.failed);
                            html.leaf("td", &[("class", class)], &now);
                            html.leaf("td", &[], row.model.as_deref().unwrap_or("-"));
                            html.leaf("td", &[], &row.persona);
                        });
                        html.line();
                    }
                });
            }
            if moved.len() > ROWS {
                html.leaf("p", &[("class", "dim")], &format!("and {} more", moved.len() - ROWS));
            }
            if !gone.is_empty() {
                let ids: std::collections::BTreeSet<&str> =
                    gone.iter().map(|[id, ..]| id.as_str()).collect();
                let shown: Vec<&str> = ids.iter().copied().take(30).collect();
                let more = if ids.len() > 30 { format!(" and {} more", ids.len() - 30) } else { String::new() };
                html.leaf("p", &[], &format!("No longer run: {}{more}", shown.join(", ")));
            }
        });
    }
}

/// A link to the page of a case.
pub(super) fn case_link(row: &Row, html: &mut Html) {
    let parts = [&row.id, row.model.as_deref().unwrap_or_default(), &row.persona, &row.client].map(fragment);
    html.leaf("a", &[("href", &format!("#case/{}", parts.join("/")))], &row.id);
}
