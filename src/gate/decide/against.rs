//! The part of a decision that rests on a baseline: what each model's gate says, and what limits the comparison.

use super::{about, reason};
use crate::gate::cells::{Cell, FORBIDS};
use crate::gate::compared::{Compared, Course, Excluded, LaneSeen};
use crate::gate::rounds::{Record, Why};
use crate::gate::{Exit, GateVerdict, Reason};
use crate::ids::ModelName;
use crate::score::{Outcome, Verdict, Weight};
use crate::stats::Tally;
use crate::stats::shown::{P, Points};
use crate::store::record::RunRecord;

/// Most names in one sentence.
const NAMES: usize = 8;

/// Everything that a comparison has to say; what only warns has [`Exit::Pass`].
pub(super) fn found(compared: &Compared, cells: &[Cell<'_>], run: &RunRecord) -> Vec<(Exit, Reason)> {
    let mut found = vec![];
    for (model, record) in &compared.gates {
        let page = Page { compared, model, record, cells };
        found.extend(page.ruled());
        found.extend(page.thin());
    }
    found.extend(forbidden(run));
    if compared.gates.is_empty() {
        let message = format!("no case has a history in `{}` that fits", compared.baseline.file);
        found.push((Exit::Pass, about("gate.nothing-compared", message)));
    }
    found.extend(compared.drift.iter().map(|drift| {
        let name = Some(&drift.name).filter(|name| !name.is_empty()).map(|name| format!(" `{name}`"));
        let message = format!("{}{}: {}", drift.part.as_str(), name.unwrap_or_default(), drift.message);
        (Exit::Pass, about("gate.drift", message))
    }));
    if !compared.excluded.is_empty() {
        let each = |lane: &Excluded| format!("{} ({})", lane.id, lane.why.as_words());
        let message = format!("not compared: {}", list(compared.excluded.iter().map(each)));
        found.push((Exit::Pass, about("gate.not-compared", message)));
    }
    found
}

struct Page<'a> {
    compared: &'a Compared,
    model: &'a ModelName,
    record: &'a Record,
    cells: &'a [Cell<'a>],
}

impl Page<'_> {
    fn ruled(&self) -> Vec<(Exit, Reason)> {
        let Self { compared, model, record, .. } = self;
        let Some(ruling) = &record.ruling else {
            let message = match compared.course {
                Course::Rounds => {
                    format!("model `{model}`: round {} was not finished", record.looks.len() + 1)
                }
                Course::Fixed => {
                    format!("model `{model}`: not every trial that the comparison needs was run")
                }
            };
            return vec![(Exit::Inconclusive, about("gate.unfinished", message))];
        };
        let alarm = match &ruling.why {
            Why::Suite => vec![self.suite()],
            Why::Groups(groups) => groups.iter().map(|group| self.group(group)).collect(),
            Why::Cases(cases) => cases.iter().map(|id| self.case(id)).collect(),
            Why::NotWorse => return self.unconfirmed(),
            Why::Budget => return vec![(Exit::Inconclusive, self.not_shown())],
            Why::Degraded => return vec![(Exit::Inconclusive, self.degraded())],
        };
        // An alarm that the old server raises as well, tonight, is no failure of the new one.
        let exit = match compared.verdict(model) {
            Some(GateVerdict::Fail) => Exit::Fail,
            _ => Exit::Inconclusive,
        };
        let mut found: Vec<(Exit, Reason)> = alarm.into_iter().map(|reason| (exit, reason)).collect();
        if let Some(control) = compared.control.get(*model) {
            let message =
                format!("model `{model}`, old and new server side by side: {}", control.cause.as_sentence());
            found.push((exit, about("gate.control", message)));
        }
        found
    }

    fn suite(&self) -> Reason {
        let p = self.record.looks.last().map_or(1.0, |look| look.p_suite);
        let message = format!(
            "model `{}`: the suite is worse than its baseline: {}{}",
            self.model,
            self.change().map(|change| format!("{change}, ")).unwrap_or_default(),
            P(p).words()
        );
        about("gate.regressed-suite", message)
    }

    fn group(&self, group: &str) -> Reason {
        let Self { model, record, .. } = self;
        let members = record.cases.iter().filter(|case| case.group.as_deref() == Some(group));
        let rounds = record.looks.len();
        let (before, now) = members.fold((Tally::default(), Tally::default()), |(before, now), case| {
            (before.plus(case.baseline), now.plus(case.tally(rounds)))
        });
        let look = record.looks.last();
        let p =
            look.and_then(|look| look.groups.iter().find(|one| one.group == group)).map_or(1.0, |one| one.p);
        let message = format!(
            "model `{model}`: the cases tagged `{group}` are worse than their baseline: {}, {}; {} among {} groups",
            passed(now),
            was(before),
            P(p).words(),
            look.map_or(0, |look| look.groups.len())
        );
        about("gate.regressed-group", message)
    }

    fn case(&self, id: &str) -> Reason {
        let Self { compared, model, record, .. } = self;
        let look = record.looks.last();
        let suspect = look.and_then(|look| look.confirmed.iter().find(|suspect| suspect.case == id));
        let before = record.cases.iter().find(|case| case.id == id).map(|case| case.baseline);
        let message = format!(
            "worse than its baseline: {} in fresh trials, {}; {}",
            passed(suspect.map(|suspect| suspect.fresh).unwrap_or_default()),
            was(before.unwrap_or_default()),
            P(suspect.map_or(1.0, |suspect| suspect.p)).words()
        );
        let lane = compared.lane(model, id);
        match lane.and_then(|lane| self.cells.iter().find(|cell| is(cell, lane))) {
            Some(cell) => reason(cell, CASE, &message),
            None => Reason { case: Some(id.to_owned()), ..about(CASE, message) },
        }
    }

    /// Nothing to say when the pass stands.
    fn unconfirmed(&self) -> Vec<(Exit, Reason)> {
        let suspects = self.compared.unconfirmed.get(self.model).filter(|suspects| !suspects.is_empty());
        let message = |suspects: &Vec<String>| {
            format!(
                "model `{}`: cases that used to pass failed, and a fixed plan has no fresh trials to confirm or clear them: {}; `rehearsal eval` without `--trials` runs them",
                self.model,
                list(suspects.iter().cloned())
            )
        };
        let reason = suspects.map(|suspects| about("gate.unconfirmed", message(suspects)));
        reason.into_iter().map(|reason| (Exit::Inconclusive, reason)).collect()
    }

    fn not_shown(&self) -> Reason {
        let Self { model, record, .. } = self;
        let rounds = record.looks.len();
        let message = format!(
            "model `{model}`: neither shown to be worse nor to be within {:.1} points of the baseline after {rounds} {}{}",
            record.settings.margin * 100.0,
            if rounds == 1 { "round" } else { "rounds" },
            self.change().map(|change| format!(": {change}")).unwrap_or_default(),
        );
        about("gate.not-shown", message)
    }

    fn degraded(&self) -> Reason {
        let look = self.record.looks.last();
        let (invalid, all) = look.map_or((0, 0), |look| (look.invalid, look.invalid + look.valid));
        let unseen = look.map(|look| look.unseen.as_slice()).unwrap_or_default();
        let unseen = if unseen.is_empty() {
            String::new()
        } else {
            format!("; without any valid trial: {}", list(unseen.iter().cloned()))
        };
        let message =
            format!("model `{}`: too few valid trials, {invalid} of {all} gave nothing{unseen}", self.model);
        about("gate.degraded", message)
    }

    fn thin(&self) -> Option<(Exit, Reason)> {
        let thin = self.compared.thin(self.model);
        let message = format!(
            "model `{}`: {} of {} cases have fewer than {} accepted trials, so that a single broken case is hardly seen; accept more runs",
            self.model,
            thin.len(),
            self.record.cases.len(),
            crate::store::baseline::THIN
        );
        (!thin.is_empty()).then(|| (Exit::Pass, about("gate.thin-baseline", message)))
    }

    fn change(&self) -> Option<String> {
        let change = self.record.change(SHOWN)?;
        let bare = |share: f64| Points(share).to_string().replace(" points", "");
        let (low, high) = (bare(change.lower), bare(change.upper));
        Some(format!("change {} (90 % interval {low} to {high})", Points(change.diff)))
    }
}

/// The one-sided confidence of the bounds that people are shown: together a 90 % interval.
const SHOWN: f64 = 0.95;

const CASE: &str = "gate.regressed-case";

fn passed(tally: Tally) -> String {
    format!("{} of {} passed", tally.passed, tally.trials)
}

fn was(tally: Tally) -> String {
    format!("{} of {} in the baseline", tally.passed, tally.trials)
}

fn list(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMES);
    let shown = names.take(NAMES).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

fn is(cell: &Cell<'_>, lane: &LaneSeen) -> bool {
    let key = &lane.key;
    cell.name.case == key.case.as_str()
        && cell.name.model == key.model.as_ref().map(ModelName::as_str)
        && cell.name.persona == key.persona.as_str()
        && cell.name.client == key.client.as_str()
}

/// Fresh trials that called what their case forbids: cells do not hold these trials, and no rate excuses them.
fn forbidden(run: &RunRecord) -> Vec<(Exit, Reason)> {
    let fresh = run
        .results
        .iter()
        .filter(|result| result.confirms && crate::gate::cells::outcome(result) == Some(Outcome::Fail));
    let called = fresh.filter_map(|result| {
        let mut failures = result.verdict.iter().flat_map(Verdict::failures);
        let finding = failures.find(|finding| finding.check == FORBIDS && finding.weight != Weight::Info)?;
        let reason = Reason {
            case: Some(result.header.case.to_string()),
            origin: Some(finding.origin.clone()),
            ..about("gate.forbidden-tool", format!("{} (a fresh trial)", finding.why))
        };
        Some((Exit::Fail, reason))
    });
    let mut found: Vec<(Exit, Reason)> = vec![];
    for one in called {
        if found.iter().all(|(_, known)| known.case != one.1.case) {
            found.push(one);
        }
    }
    found
}
