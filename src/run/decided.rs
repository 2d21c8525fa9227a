//! What code says of a trial, and a trial about which nothing is left to say. Pure.

use std::sync::Arc;

use super::scored::Scored;
use crate::ids::CaseKey;
use crate::plan::Case;
use crate::score::judge::Judged;
use crate::score::{self, Finding, Verdict};
use crate::store::record::JudgeSpend;
use crate::store::{PackedVerdict, StoreError};
use crate::transcript::Transcript;

/// What code says of a trial.
pub(super) enum Coded {
    /// Everything.
    Decided(Box<Decided>),
    /// So much; the rest is the judge's.
    Open(Vec<Finding>),
}

impl Coded {
    /// Runs every check of code. The judge is left out where there is nothing to judge, and where code has failed the
    /// trial.
    pub(super) fn of(case: &Case, transcript: &Arc<Transcript>) -> Self {
        let findings = score::by_code(transcript, &case.checks);
        if !case.criteria.is_empty() && score::needs_judge(&findings) {
            return Self::Open(findings);
        }
        Self::Decided(Box::new(Decided::of(case, transcript, findings, &Judged::default())))
    }
}

/// A trial with its verdict.
pub(super) struct Decided {
    pub(super) key: CaseKey,
    pub(super) verdict: Verdict,
    pub(super) spend: JudgeSpend,
    /// As listeners hear of it once it is kept.
    pub(super) scored: Scored,
}

impl Decided {
    /// All findings of a trial, and what the judge took for its part of them.
    pub(super) fn of(
        case: &Case,
        transcript: &Arc<Transcript>,
        findings: Vec<Finding>,
        judged: &Judged,
    ) -> Self {
        let verdict = Verdict { score_key: case.score_key, findings };
        let spend = JudgeSpend { calls: judged.calls, usage: judged.usage, cost: judged.cost };
        let mut scored = Scored::of(case, transcript);
        scored.enter(case, &verdict, transcript, judged.calls > 0);
        scored.unpriced |= judged.calls > 0 && judged.cost.is_none();
        scored.judge_cost = judged.cost.unwrap_or(0.0);
        scored.cost += scored.judge_cost;
        Self { key: transcript.header.key, verdict, spend, scored }
    }

    /// Ready to be stored with its transcript.
    pub(super) fn packed(&self) -> Result<PackedVerdict, StoreError> {
        PackedVerdict::of(self.key, &self.verdict, &self.spend)
    }
}
