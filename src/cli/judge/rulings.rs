//! What judges ruled in a stored run, trial by trial.

use std::path::Path;

use super::super::failure::Outcome;
use crate::ids::CaseKey;
use crate::score::judge::labels::{LabelRow, Word};
use crate::score::judge::{Fingerprint, Kind, Ruling};
use crate::store::Reader;

/// A ruling with its trial.
#[derive(Clone, Debug)]
pub(super) struct Ruled {
    pub(super) run: String,
    pub(super) key: CaseKey,
    pub(super) case: String,
    pub(super) judge: Option<Fingerprint>,
    pub(super) ruling: Ruling,
}

/// Every ruling of a run for which a judge was asked. What is only reported is no part.
pub(super) fn of(file: &Path) -> Outcome<Vec<Ruled>> {
    let record = Reader::open(file)?.record()?;
    let run = record.manifest.run.to_string();
    let judge = record.manifest.judging.as_ref().map(|judging| judging.fingerprint);
    let mut all = vec![];
    for result in record.results {
        let Some(verdict) = result.verdict else { continue };
        for ruling in verdict.findings.into_iter().filter_map(|finding| finding.ruling) {
            if ruling.asked && ruling.criterion.kind() != Kind::Info {
                let (key, case) = (result.header.key, result.header.case.to_string());
                all.push(Ruled { run: run.clone(), key, case, judge, ruling: *ruling });
            }
        }
    }
    Ok(all)
}

impl Ruled {
    /// Whether a label is about this.
    pub(super) fn is_of(&self, row: &LabelRow) -> bool {
        row.run == self.run
            && row.trial == self.key.to_string()
            && row.criterion == self.ruling.criterion.text()
    }

    /// A label of this by somebody, with what the judge said.
    pub(super) fn labelled(&self, rater: &str, label: Word) -> LabelRow {
        LabelRow {
            run: self.run.clone(),
            trial: self.key.to_string(),
            case: self.case.clone(),
            criterion: self.ruling.criterion.text(),
            kind: self.ruling.criterion.kind(),
            rater: rater.to_owned(),
            label,
            verdict: Some(Word::of(self.ruling.holds)),
            judge: self.judge,
        }
    }
}
