//! Several opinions about one question to one. Pure.
//!
//! Errors of judges go together, so a panel is worth fewer votes than it has members; what it is good for is that two
//! judges of unlike families seldom fall for the same words. Disagreement is never settled in favour of a pass.

use super::examiner::Opinion;
use super::reply::{Decision, Ground};
use crate::transcript::{Fault, Side};

/// When the second judge is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Escalate {
    /// The first is unsure, or something in the transcript talks to the judge.
    Unsure,
    /// Also when the first judge's verdict fails a criterion that weighs.
    Fail,
}

/// What the second judge's opinion makes of the first one's. `suspect`: the transcript talks to the judge, so that one
/// word alone does not count.
pub(super) fn with_second(first: &Opinion, second: Opinion, suspect: bool) -> Opinion {
    match (first, second) {
        (Ok(one), Ok(other)) => match (one.says(), other.says()) {
            (Some(a), Some(b)) if a == b => first.clone(),
            (Some(_), Some(_)) => Ok(Decision::unsure("judge.disagree", differ(one, &other))),
            // Unsure and then decided: the second judge's word, unless somebody tried to get it.
            (None, Some(_)) if !suspect && !is_injection(one) => Ok(other),
            (Some(_), None) => Ok(other),
            _ => first.clone(),
        },
        // The first could not be asked at all; nobody tried to talk to it.
        (Err(_), Ok(other)) if !suspect => Ok(other),
        (Err(fault), _) => Err(fault.clone()),
        (Ok(one), Err(_)) if one.says().is_none() => first.clone(),
        (Ok(_), Err(fault)) => Err(fault),
    }
}

fn is_injection(decision: &Decision) -> bool {
    matches!(decision, Decision::Unsure { code, .. } if code == "judge.injection")
}

fn differ(one: &Decision, other: &Decision) -> String {
    let word = |decision: &Decision| match decision {
        Decision::Yes(ground) => format!("yes ({})", ground.reason),
        Decision::No(ground) => format!("no ({})", ground.reason),
        Decision::Unsure { why, .. } => format!("unsure ({why})"),
    };
    format!("two judges differ: {} against {}", word(one), word(other))
}

/// Whether a question is decided whatever the `left` judges that were not asked yet will say.
pub(super) fn is_decided(opinions: &[Opinion], left: usize) -> bool {
    let size = opinions.len() + left;
    [true, false].iter().any(|side| votes(opinions, *side) * 2 > size)
}

fn votes(opinions: &[Opinion], side: bool) -> usize {
    opinions.iter().filter(|opinion| matches!(opinion, Ok(decision) if decision.says() == Some(side))).count()
}

/// The majority of a panel of `size`: more than half of all its members, those that are unsure or silent included.
pub(super) fn majority(opinions: &[Opinion], size: usize) -> Opinion {
    for side in [true, false] {
        if votes(opinions, side) * 2 > size {
            let of_side = opinions.iter().flatten().filter(|decision| decision.says() == Some(side));
            let mut ground = Ground::default();
            for decision in of_side {
                let (Decision::Yes(one) | Decision::No(one)) = decision else { continue };
                if ground.reason.is_empty() {
                    ground.reason.clone_from(&one.reason);
                }
                ground.evidence.extend(&one.evidence);
                ground.steered |= one.steered;
            }
            ground.evidence.sort_unstable();
            ground.evidence.dedup();
            return Ok(if side { Decision::Yes(ground) } else { Decision::No(ground) });
        }
    }
    if let Some(fault) = opinions.iter().find_map(|opinion| opinion.as_ref().err())
        && opinions.iter().all(Result::is_err)
    {
        return Err(fault.clone());
    }
    let (yes, no) = (votes(opinions, true), votes(opinions, false));
    Ok(Decision::unsure("judge.disagree", format!("no majority of {size} votes: {yes} yes, {no} no")))
}

/// One judge's word where the transcript talks to it, and there is no second one.
pub(super) fn alone(first: &Opinion) -> Opinion {
    match first {
        Ok(decision) if decision.says().is_some() => Err(Fault::new(
            Side::Judge,
            "judge.suspect",
            "a text in the transcript talks to the judge, and there is no second judge to ask",
        )),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yes() -> Opinion {
        Ok(Decision::Yes(Ground { evidence: vec![2], reason: "seen".into(), ..Ground::default() }))
    }

    fn no() -> Opinion {
        Ok(Decision::No(Ground { evidence: vec![1], reason: "not seen".into(), ..Ground::default() }))
    }

    fn unsure(code: &str) -> Opinion {
        Ok(Decision::unsure(code, "?"))
    }

    fn silent() -> Opinion {
        Err(Fault::new(Side::Judge, "model.timeout", "no answer"))
    }

    fn word(opinion: &Opinion) -> String {
        match opinion {
            Ok(Decision::Yes(_)) => "yes".to_owned(),
            Ok(Decision::No(_)) => "no".to_owned(),
            Ok(Decision::Unsure { code, .. }) => code.clone(),
            Err(fault) => format!("fault {}", fault.code),
        }
    }

    #[test]
    fn two_judges() {
        let rows = [
            (yes(), yes(), "yes", "yes"),
            (no(), no(), "no", "no"),
            (yes(), no(), "judge.disagree", "judge.disagree"),
            (no(), yes(), "judge.disagree", "judge.disagree"),
            (unsure("judge.unsure"), yes(), "yes", "judge.unsure"),
            (unsure("judge.injection"), yes(), "judge.injection", "judge.injection"),
            (unsure("judge.unsure"), unsure("judge.truncated"), "judge.unsure", "judge.unsure"),
            (yes(), unsure("judge.truncated"), "judge.truncated", "judge.truncated"),
            (silent(), no(), "no", "fault model.timeout"),
            (yes(), silent(), "fault model.timeout", "fault model.timeout"),
            (unsure("judge.unsure"), silent(), "judge.unsure", "judge.unsure"),
        ];
        for (first, second, calm, suspect) in rows {
            assert_eq!(word(&with_second(&first, second.clone(), false)), calm, "{first:?} {second:?}");
            assert_eq!(word(&with_second(&first, second.clone(), true)), suspect, "{first:?} {second:?}");
        }
        assert_eq!(word(&alone(&yes())), "fault judge.suspect");
        assert_eq!(word(&alone(&unsure("judge.unsure"))), "judge.unsure");
    }

    #[test]
    fn a_panel_needs_more_than_half_of_its_members() {
        assert_eq!(word(&majority(&[yes(), yes(), no()], 3)), "yes");
        assert_eq!(word(&majority(&[no(), no()], 3)), "no");
        assert_eq!(word(&majority(&[yes(), unsure("judge.unsure"), silent()], 3)), "judge.disagree");
        assert_eq!(word(&majority(&[yes(), no()], 2)), "judge.disagree");
        assert_eq!(word(&majority(&[silent(), silent()], 2)), "fault model.timeout");
        let Ok(Decision::Yes(ground)) = majority(&[yes(), yes()], 3) else { panic!("yes") };
        assert_eq!(ground.evidence, [2]);
    }

    #[test]
    fn nobody_is_asked_once_it_is_decided() {
        assert!(is_decided(&[yes(), yes()], 1));
        assert!(!is_decided(&[yes(), no()], 1));
        assert!(!is_decided(&[yes(), silent()], 1));
        assert!(!is_decided(&[], 3));
    }
}
