//! What a panel is worth: judges err together, so three of them are fewer than three votes. Pure.

use serde::{Deserialize, Serialize};

use crate::stats::votes::{panel_effective_votes, panel_error_correlation};

/// How the errors of a panel's members go together, held against people.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PanelWorth {
    /// Its members.
    pub members: u32,
    /// Criteria on which people agree and all members decided that are asked whatever the others say.
    pub labels: u64,
    /// The mean correlation of their errors; `None` when a member never or always errs.
    pub error_correlation: Option<f64>,
    /// How many independent votes the whole panel is worth; `None` without the correlation.
    pub effective_votes: Option<f64>,
}

/// A criterion on which people agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polled {
    /// Whether people find it met.
    pub people: bool,
    /// Whether each member finds it met, in order, as far as they were asked; `None` for unsure.
    pub votes: Vec<Option<bool>>,
}

/// What a panel of so many members is worth; `None` for a single judge, and without labels.
///
/// The last members are asked only where the first ones differ, and what they say there tells nothing of the rest: only
/// the members that are always asked are compared, and the whole panel is taken to be like them.
pub fn worth(polled: &[Polled], members: u32) -> Option<PanelWorth> {
    let asked = members as usize / 2 + 1;
    let decided: Vec<Vec<bool>> = polled
        .iter()
        .filter_map(|one| {
            let votes: Option<Vec<bool>> = one.votes.get(..asked)?.iter().copied().collect();
            Some(votes?.into_iter().map(|vote| vote != one.people).collect())
        })
        .collect();
    if members < 2 || decided.is_empty() {
        return None;
    }
    let errors: Vec<Vec<bool>> =
        (0..asked).map(|member| decided.iter().map(|votes| votes[member]).collect()).collect();
    let rounded = |value: f64| (value * 10_000.0).round() / 10_000.0;
    let correlation = panel_error_correlation(&errors);
    Some(PanelWorth {
        members,
        labels: decided.len() as u64,
        error_correlation: correlation.map(rounded),
        effective_votes: correlation.and_then(|rho| panel_effective_votes(members, rho)).map(rounded),
    })
}

impl PanelWorth {
    /// In words: `worth about 1.6 independent votes of 3 (errors correlate 0.45 on 120 labels)`.
    pub fn sentence(&self) -> String {
        let Self { members, labels, .. } = self;
        match self.error_correlation.zip(self.effective_votes) {
            Some((rho, votes)) => format!(
                "worth about {votes:.1} independent votes of {members} (errors correlate {rho:.2} on {labels} labels)"
            ),
            None => format!(
                "{members} members; their errors on {labels} labels are too few to tell how they go together"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polled(people: bool, votes: [Option<bool>; 3]) -> Polled {
        Polled { people, votes: votes.to_vec() }
    }

    #[test]
    fn judges_that_err_together_are_one_vote() {
        let (yes, no) = (Some(true), Some(false));
        let twins =
            [polled(true, [yes, yes, None]), polled(true, [no, no, None]), polled(false, [no, no, yes])];
        let found = worth(&twins, 3).unwrap();
        assert_eq!((found.labels, found.error_correlation, found.effective_votes), (3, Some(1.0), Some(1.0)));
        let apart = [
            polled(true, [yes, no, yes]),
            polled(true, [no, yes, yes]),
            polled(true, [no, no, no]),
            polled(true, [yes, yes, None]),
        ];
        let found = worth(&apart, 3).unwrap();
        assert_eq!((found.error_correlation, found.effective_votes), (Some(0.0), Some(3.0)));
        assert_eq!(
            found.sentence(),
            "worth about 3.0 independent votes of 3 (errors correlate 0.00 on 4 labels)"
        );
    }

    #[test]
    fn unsure_members_and_single_judges_tell_nothing() {
        let unsure = [polled(true, [Some(true), None, Some(true)])];
        assert_eq!(worth(&unsure, 3), None);
        assert_eq!(worth(&[polled(true, [Some(true); 3])], 1), None);
        assert_eq!(worth(&[Polled { people: true, votes: vec![] }], 3), None);
        let never = worth(&[polled(true, [Some(true); 3])], 3).unwrap();
        assert_eq!((never.error_correlation, never.effective_votes), (None, None));
        assert!(never.sentence().contains("too few"));
    }
}
