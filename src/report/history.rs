//! The states of cases against their history, the ones that need attention by name. Pure.

use super::figures::count;
use super::summary::{Row, Summary};
use crate::gate::case_state::CaseState;

/// States whose cases are named, the most urgent first.
const NAMED: [CaseState; 6] = [
    CaseState::Regressed,
    CaseState::Broken,
    CaseState::Flaky,
    CaseState::Fixed,
    CaseState::Changed,
    CaseState::New,
];

/// Cases of one state: the state, how many, and their names where they matter.
pub(super) struct Group<'a> {
    pub(super) state: &'static str,
    pub(super) count: usize,
    pub(super) names: Vec<&'a str>,
}

/// The cases of a run by state; nothing when it was compared with nothing.
pub(super) fn groups(summary: &Summary) -> Vec<Group<'_>> {
    let of = |state: CaseState| -> Vec<&Row> {
        summary.cases.iter().filter(|row| row.history == Some(state.as_str())).collect()
    };
    let named = NAMED.into_iter().map(|state| (state, true));
    let rest = [CaseState::Stable, CaseState::Insufficient].into_iter().map(|state| (state, false));
    named
        .chain(rest)
        .filter_map(|(state, named)| {
            let rows = of(state);
            let names = if named { rows.iter().map(|row| row.id.as_str()).collect() } else { vec![] };
            (!rows.is_empty()).then(|| Group { state: state.as_str(), count: rows.len(), names })
        })
        .collect()
}

/// Most names of one state.
const MOST: usize = 10;

/// `History: 1 regressed (late-order), 2 flaky (a, b), 12 stable`; names go through `mark`.
pub(super) fn line(summary: &Summary, mark: impl Fn(&str) -> String) -> Option<String> {
    let groups = groups(summary);
    let group = |group: &Group<'_>| {
        // A case that several models or personas have is named once.
        let mut often: Vec<(&str, usize)> = vec![];
        for name in &group.names {
            match often.iter_mut().find(|(known, _)| known == name) {
                Some((_, times)) => *times += 1,
                None => often.push((name, 1)),
            }
        }
        let named = |(name, times): &(&str, usize)| match times {
            1 => mark(name),
            times => format!("{} ×{times}", mark(name)),
        };
        let mut names: Vec<String> = often.iter().take(MOST).map(named).collect();
        if often.len() > MOST {
            names.push(format!("{} more", often.len() - MOST));
        }
        let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        format!("{} {}{names}", group.count, group.state)
    };
    let total: usize = groups.iter().map(|group| group.count).sum();
    (total > 0).then(|| {
        let all = groups.iter().map(group).collect::<Vec<_>>().join(", ");
        format!("History of {}: {all}", count(total as u64, "cell"))
    })
}
