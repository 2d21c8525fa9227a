//! What several findings mean together. Pure.
//!
//! Missing data follows strong three-valued logic: it decides nothing, unless the other side decides alone.

use super::{Check, Grade, Seen, View, Weight};

/// Passes when all pass; fails when one fails; else missing data.
pub(super) fn all(checks: &[Check], view: &View<'_>) -> Seen {
    let seen: Vec<Seen> = checks.iter().map(|check| check.examine(view)).collect();
    let deciding = seen
        .iter()
        .position(|one| one.grade == Grade::Fail)
        .or_else(|| seen.iter().position(|one| one.grade != Grade::Pass));
    match deciding {
        Some(index) => named(&checks[index], seen[index].clone()),
        None => {
            let why = format!("all {} hold: {}", seen.len(), join(checks, &seen));
            Seen::pass(why, evidence(&seen))
        }
    }
}

/// Passes when one passes; fails when all fail; else missing data.
pub(super) fn any(checks: &[Check], view: &View<'_>) -> Seen {
    let seen: Vec<Seen> = checks.iter().map(|check| check.examine(view)).collect();
    let deciding = seen
        .iter()
        .position(|one| one.grade == Grade::Pass)
        .or_else(|| seen.iter().position(|one| one.grade != Grade::Fail));
    match deciding {
        Some(index) => named(&checks[index], seen[index].clone()),
        None => {
            let why = format!("none of {} holds: {}", seen.len(), join(checks, &seen));
            Seen::fail(why, evidence(&seen))
        }
    }
}

/// Passes when the other fails and the other way round.
pub(super) fn opposite(check: &Check, view: &View<'_>) -> Seen {
    let Seen { grade, why, evidence } = check.examine(view);
    let name = check.name();
    match grade {
        Grade::Pass => Seen::fail(format!("`{name}` holds but must not: {why}"), evidence),
        Grade::Fail => Seen::pass(format!("`{name}` does not hold, as expected: {why}"), evidence),
        Grade::Unscored(_) => named(check, Seen { grade, why, evidence }),
    }
}

/// The heaviest weight of some checks.
pub(super) fn heaviest(checks: &[Check]) -> Weight {
    let weighs = |weight| checks.iter().any(|check| check.weight() == weight);
    if weighs(Weight::Security) {
        Weight::Security
    } else if checks.is_empty() || weighs(Weight::Must) {
        Weight::Must
    } else {
        Weight::Info
    }
}

/// The mistakes of nested checks, each with its name.
pub(super) fn problems(checks: &[Check]) -> Vec<String> {
    if checks.is_empty() {
        return vec!["the list of checks is empty".to_owned()];
    }
    let inner = |check: &Check| -> Vec<String> {
        check.problems().into_iter().map(|problem| format!("in `{}`: {problem}", check.name())).collect()
    };
    checks.iter().flat_map(inner).collect()
}

fn named(check: &Check, seen: Seen) -> Seen {
    Seen { why: format!("`{}`: {}", check.name(), seen.why), ..seen }
}

fn join(checks: &[Check], seen: &[Seen]) -> String {
    let each =
        checks.iter().zip(seen).take(6).map(|(check, one)| format!("`{}` ({})", check.name(), one.why));
    each.collect::<Vec<_>>().join("; ")
}

fn evidence(seen: &[Seen]) -> Vec<u32> {
    let mut all: Vec<u32> = seen.iter().flat_map(|one| one.evidence.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    all
}
