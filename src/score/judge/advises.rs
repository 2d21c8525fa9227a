//! Where a judge advises and decides nothing, because people's labels show it too weak. Pure.

use std::collections::BTreeSet;

use super::criterion::{Criterion, Kind};
use crate::score::{Finding, Grade, Weight};
use crate::transcript::{Fault, Side};

/// The code of a trial that nothing decides, because its judge only advises.
pub const TOO_WEAK: &str = "judge.too-weak";

/// The criteria on which a judge only advises. The default: none, so it decides everything that it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advises {
    /// Every criterion: labels show that the judge as a whole is too weak to gate.
    pub all: bool,
    /// The texts of those on which labels show it to be too weak.
    pub criteria: BTreeSet<String>,
}

impl Advises {
    /// On every criterion.
    pub fn on_all() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// Whether the judge only advises on this criterion. One that is only reported weighs nothing anyway.
    pub fn on(&self, criterion: &Criterion) -> bool {
        criterion.kind() != Kind::Info && (self.all || self.criteria.contains(&criterion.text()))
    }
}

/// Why a trial has no outcome: criteria that should decide it only advise, and nothing else weighs. `None` where
/// something does, and where nothing was meant to.
pub fn undecided(findings: &[Finding]) -> Option<Finding> {
    if findings.iter().any(|finding| finding.weight != Weight::Info) {
        return None;
    }
    let should_weigh = |finding: &&Finding| {
        finding.ruling.as_ref().is_some_and(|ruling| ruling.criterion.kind() != Kind::Info)
    };
    let first = findings.iter().find(should_weigh)?;
    let why = "nothing decides this trial: its judge only advises, because people's labels show it too weak to gate";
    Some(Finding {
        check: "judge".to_owned(),
        grade: Grade::Unscored(Fault::new(Side::Judge, TOO_WEAK, why)),
        why: why.to_owned(),
        evidence: vec![],
        origin: first.origin.clone(),
        weight: Weight::Must,
        sights: vec![],
        ruling: None,
    })
}
