//! Suspects: cases that used to be reliable and failed, judged by fresh trials only.

use super::look::{Look, SuspectLook};
use super::settings::Settings;
use super::{GateCase, Seen};
use crate::stats::exact::fisher_worse;
use crate::stats::{Pair, Tally};

/// How many cases a round may suspect: the share of the settings, three at least.
pub(super) fn most_suspects(settings: &Settings, cases: usize) -> usize {
    // The slack keeps a share that is whole from losing one to rounding.
    ((settings.suspect_cap * cases as f64 + 1e-9) as usize).max(3)
}

/// Whether a failure of this case is news.
pub(super) fn was_reliable(case: &GateCase, settings: &Settings) -> bool {
    let Tally { trials, passed } = case.baseline;
    !case.quarantined && (passed as f64 + 0.5) / (trials as f64 + 1.0) >= settings.reliable_at
}

/// What fresh trials say of a suspect.
pub(super) fn examined(case: &GateCase, fresh: &[Seen]) -> SuspectLook {
    let count = |wanted: Seen| fresh.iter().filter(|seen| **seen == wanted).count() as u64;
    let passed = count(Seen::Pass);
    let fresh = Tally { trials: passed + count(Seen::Fail), passed };
    let p = fisher_worse(Pair { baseline: case.baseline, candidate: fresh }).unwrap_or(1.0);
    SuspectLook { case: case.id.clone(), fresh, p }
}

impl Look {
    /// Enters the suspects so far and returns those that are worse, the clearest first.
    pub(super) fn enter_suspects(&mut self, confirmed: Vec<SuspectLook>) -> Vec<String> {
        let count = confirmed.len() as f64;
        let least = confirmed.iter().map(|suspect| suspect.p).fold(1.0, f64::min);
        self.p_case_adjusted = Some((least * count.max(1.0)).min(1.0));
        let mut fallen: Vec<&SuspectLook> =
            confirmed.iter().filter(|suspect| suspect.p * count <= self.alpha_case).collect();
        fallen.sort_by(|a, b| a.p.total_cmp(&b.p));
        let fallen = fallen.into_iter().map(|suspect| suspect.case.clone()).collect();
        self.confirmed = confirmed;
        fallen
    }
}
