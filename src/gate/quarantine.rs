//! What a quarantine does to a verdict: the case still runs, is still reported and still counts in the rate of its suite,
//! but raises no alarm of its own.

use super::cells::{Cell, State};
use crate::store::record::RunRecord;
use crate::suite::quarantine::Quarantined;
use crate::transcript::CaseKind;

/// The entry under which a cell stands in a run.
pub fn entry<'r>(run: &'r RunRecord, cell: &Cell<'_>) -> Option<&'r Quarantined> {
    if cell.name.kind != CaseKind::Use {
        return None;
    }
    run.manifest.gate.quarantine_of(cell.name.case, &run.manifest.started)
}

/// Whether a cell that fails, or might, raises no alarm. Leaks, forbidden tools and trials that are missing always count.
pub fn mutes(run: &RunRecord, cell: &Cell<'_>) -> bool {
    entry(run, cell).is_some()
        && matches!(cell.state(&run.manifest.gate), State::Fail | State::Undecided)
        && cell.forbidden_call().is_none()
}
