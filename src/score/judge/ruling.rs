//! From decisions to findings: what a verdict means for a criterion. Pure.

use serde::{Deserialize, Serialize};

use super::criterion::{Asks, Criterion, Kind};
use super::examiner::Opinion;
use super::reply::{Decision, Ground};
use crate::diag::Located;
use crate::display::excerpt;
use crate::score::{Finding, Grade, Weight};
use crate::transcript::{Fault, Side};

/// What a judge ruled, kept beside the finding so that people's labels can be held against it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    /// The criterion, whole: the record is enough to ask another judge.
    pub criterion: Criterion,
    /// `true`: the statement holds, or enough claims do; `false`: not; `None`: undecided.
    pub holds: Option<bool>,
    /// Whether a judge was asked; code decided otherwise.
    pub asked: bool,
    /// Whether a second judge was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escalated: bool,
    /// What each member of a panel said of the statement, in order, as far as they were asked; `None` for unsure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Option<bool>>,
    /// What the first judge said by itself, of judges that are asked how sure they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<FirstWord>,
}

/// What the first judge said before anybody else was asked, and how sure it was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstWord {
    /// Whether the statement holds; `None` where it was unsure of that, or of one of several claims.
    pub holds: Option<bool>,
    /// The probability that it gave to this, from 0 to 1; of claims that of the least likely. `None` where its API told
    /// none, or none that covers the words it may say. It says who is asked next and is never a score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

impl Ruling {
    /// Whether the criterion is met: what must hold holds, what must not hold does not.
    pub fn met(&self) -> Option<bool> {
        self.meets(self.holds)
    }

    /// What each member of a panel said of the criterion, in order.
    pub fn votes_met(&self) -> Vec<Option<bool>> {
        self.votes.iter().map(|vote| self.meets(*vote)).collect()
    }

    /// Whether the first judge by itself found the criterion met, and how likely it found that.
    pub fn first_met(&self) -> Option<(bool, f64)> {
        let first = self.first?;
        self.meets(first.holds).zip(first.probability)
    }

    /// The ruling of a judge on this criterion.
    fn of(criterion: &Criterion, holds: Option<bool>) -> Self {
        Self {
            criterion: criterion.clone(),
            holds,
            asked: true,
            escalated: false,
            votes: vec![],
            first: None,
        }
    }

    /// What was decided without a judge.
    fn by_code(criterion: &Criterion, holds: Option<bool>) -> Self {
        Self { asked: false, ..Self::of(criterion, holds) }
    }

    fn meets(&self, holds: Option<bool>) -> Option<bool> {
        holds.map(|holds| holds != (self.criterion.kind() == Kind::MustNot))
    }
}

/// What the judges say about one criterion, all of its claims together.
pub(super) fn combined(criterion: &Criterion, opinions: &[Opinion]) -> Opinion {
    let Some(Asks::Claims(claims, coverage)) = criterion.asks() else {
        let none = || Err(Fault::new(Side::Judge, "judge.ids", "the judge left this criterion out"));
        return opinions.first().cloned().unwrap_or_else(none);
    };
    let total = claims.len();
    let says = |opinion: &Opinion| opinion.as_ref().ok().and_then(Decision::says);
    let made = opinions.iter().filter(|opinion| says(opinion) == Some(true)).count();
    let open = opinions.iter().filter(|opinion| says(opinion).is_none()).count();
    // A little below, so that 2 of 3 is enough for 66.67 %.
    let need = ((coverage * total as f64) - 0.01).ceil().max(0.0) as usize;
    let missing: Vec<&str> = claims
        .iter()
        .zip(opinions)
        .filter(|(_, opinion)| says(opinion) == Some(false))
        .map(|(claim, _)| claim.as_str())
        .collect();
    let reason = match missing.first() {
        Some(first) => format!("{made} of {total} claims, {need} needed; missing: {}", excerpt(first, 80)),
        None => format!("{made} of {total} claims, {need} needed"),
    };
    let grounds = opinions.iter().flatten().filter_map(|decision| match decision {
        Decision::Yes(ground) | Decision::No(ground) => Some(ground),
        Decision::Unsure { .. } => None,
    });
    let mut ground = Ground { reason, ..Ground::default() };
    for one in grounds {
        ground.evidence.extend(&one.evidence);
        ground.steered |= one.steered;
    }
    ground.evidence.sort_unstable();
    ground.evidence.dedup();
    if made >= need {
        return Ok(Decision::Yes(ground));
    }
    if made + open < need {
        return Ok(Decision::No(ground));
    }
    opinions.iter().find(|opinion| says(opinion).is_none()).cloned().unwrap_or(Ok(Decision::No(ground)))
}

/// What one judge said of a criterion, all of its claims together.
pub(super) fn first_word(criterion: &Criterion, opinions: &[Opinion]) -> FirstWord {
    let decisions: Option<Vec<&Decision>> =
        opinions.iter().map(|one| one.as_ref().ok().filter(|decision| decision.says().is_some())).collect();
    let Some(decisions) = decisions.filter(|decisions| !decisions.is_empty()) else {
        return FirstWord { holds: None, probability: None };
    };
    let probabilities: Option<Vec<f64>> = decisions.iter().map(|decision| decision.probability()).collect();
    FirstWord {
        holds: combined(criterion, opinions).ok().as_ref().and_then(Decision::says),
        probability: probabilities.and_then(|all| all.into_iter().reduce(f64::min)),
    }
}

/// The finding of what judges decided.
pub(super) fn finding(criterion: &Located<Criterion>, opinion: Opinion, escalated: bool) -> Finding {
    let kind = criterion.value.kind();
    let statement = quoted(&criterion.value.text());
    let holds = opinion.as_ref().ok().and_then(Decision::says);
    let (grade, why, evidence) = match opinion {
        Ok(Decision::Yes(Ground { evidence, reason, .. })) => {
            let grade = if kind == Kind::MustNot { Grade::Fail } else { Grade::Pass };
            (grade, format!("{statement}: yes; {reason}"), evidence)
        }
        Ok(Decision::No(Ground { evidence, reason, .. })) => {
            let grade = if kind == Kind::MustNot { Grade::Pass } else { Grade::Fail };
            (grade, format!("{statement}: no; {reason}"), evidence)
        }
        Ok(Decision::Unsure { code, why }) => {
            let said = format!("{statement}: {why}");
            (Grade::Unscored(Fault::new(Side::Judge, code, why)), said, vec![])
        }
        Err(fault) => {
            let said = format!("{statement}: {}", excerpt(&fault.message, 200));
            (Grade::Unscored(fault), said, vec![])
        }
    };
    let ruling = Ruling { escalated, ..Ruling::of(&criterion.value, holds) };
    Finding { grade, why, evidence, ..blank(criterion, kind, ruling) }
}

/// The finding of a criterion that code fails without a judge.
pub(super) fn settled(criterion: &Located<Criterion>, why: &str, event: Option<u32>) -> Finding {
    let kind = criterion.value.kind();
    let why = format!("{}: {why}", quoted(&criterion.value.text()));
    let holds = Some(kind == Kind::MustNot);
    let ruling = Ruling::by_code(&criterion.value, holds);
    Finding { why, evidence: event.into_iter().collect(), ..blank(criterion, kind, ruling) }
}

/// The finding of a criterion that says nothing; loading a suite refuses those.
pub(super) fn malformed(criterion: &Located<Criterion>) -> Finding {
    let why = "a criterion has exactly one of `must`, `must_not`, `info` and `claims`";
    let fault = Fault::new(Side::Harness, "suite.bad-criterion", why);
    let ruling = Ruling::by_code(&criterion.value, None);
    Finding { grade: Grade::Unscored(fault), why: why.to_owned(), ..blank(criterion, Kind::Must, ruling) }
}

fn quoted(statement: &str) -> String {
    format!("`{}`", excerpt(statement, 100))
}

fn blank(criterion: &Located<Criterion>, kind: Kind, ruling: Ruling) -> Finding {
    Finding {
        check: "criterion".to_owned(),
        grade: Grade::Fail,
        why: String::new(),
        evidence: vec![],
        origin: criterion.origin.clone(),
        weight: if kind == Kind::Info { Weight::Info } else { Weight::Must },
        sights: vec![],
        ruling: Some(Box::new(ruling)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Share;

    fn claims(coverage: f64) -> Criterion {
        let claims = ["A", "B", "C", "D"].map(str::to_owned).to_vec();
        Criterion { claims, coverage: Some(Share(coverage)), ..Criterion::default() }
    }

    fn opinions(words: &str) -> Vec<Opinion> {
        let one = |word| match word {
            'y' => Ok(Decision::Yes(Ground { evidence: vec![7], ..Ground::default() })),
            'n' => Ok(Decision::No(Ground::default())),
            'u' => Ok(Decision::unsure("judge.unsure", "?")),
            _ => Err(Fault::new(Side::Judge, "model.timeout", "no answer")),
        };
        words.chars().map(one).collect()
    }

    #[test]
    fn enough_claims_are_enough_and_too_few_are_not() {
        let says = |coverage, words| combined(&claims(coverage), &opinions(words)).map(|one| one.says());
        assert_eq!(says(1.0, "yyyy"), Ok(Some(true)));
        assert_eq!(says(1.0, "yyyn"), Ok(Some(false)));
        assert_eq!(says(0.75, "yyyn"), Ok(Some(true)));
        assert_eq!(says(0.75, "yynn"), Ok(Some(false)));
        assert_eq!(says(0.5, "yyuu"), Ok(Some(true)), "what is open cannot change it");
        assert_eq!(says(0.75, "yyun"), Ok(None), "it hangs on the open one");
        assert_eq!(says(0.75, "unnn"), Ok(Some(false)));
        assert!(says(0.75, "yy!n").is_err(), "it hangs on the one that was not answered");
    }

    #[test]
    fn a_judge_is_as_sure_of_its_claims_as_of_the_least_likely_one() {
        let weighed = |words: &str, all: &[f64]| {
            let with = |(one, p): (Opinion, &f64)| one.map(|one| one.weighed((*p > 0.0).then_some(*p)));
            let opinions: Vec<Opinion> = opinions(words).into_iter().zip(all).map(with).collect();
            let FirstWord { holds, probability } = first_word(&claims(0.5), &opinions);
            (holds, probability)
        };
        assert_eq!(weighed("yyyn", &[0.9, 0.99, 0.7, 0.95]), (Some(true), Some(0.7)));
        assert_eq!(weighed("nnny", &[0.9, 0.99, 0.7, 0.95]), (Some(false), Some(0.7)));
        assert_eq!(weighed("yyyn", &[0.9, 0.99, 0.0, 0.95]), (Some(true), None), "one is not known");
        assert_eq!(weighed("yyyu", &[0.9; 4]), (None, None), "one goes to the second judge");
        assert_eq!(weighed("yy!y", &[0.9; 4]), (None, None));
        assert_eq!(weighed("", &[]), (None, None));
    }

    #[test]
    fn the_reason_counts_and_names_what_is_missing() {
        let Ok(Decision::No(ground)) = combined(&claims(1.0), &opinions("yynn")) else { panic!("no") };
        assert_eq!(
            (ground.reason.as_str(), ground.evidence),
            ("2 of 4 claims, 4 needed; missing: C", vec![7])
        );
    }
}
