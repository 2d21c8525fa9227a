//! How sure a judge is of its own word: by the log probabilities of that word's tokens, or by asking more than once.
//! Pure.
//!
//! A probability says who is asked next and is never a score: it is sharper than the judge is right.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::examiner::Opinion;
use super::panel;
use super::prompt::Expected;
use super::reply::Decision;
use crate::llm::{ModelSpec, Odds, Weigh};
use crate::stats::votes::{COVERED, verdict_from_logprobs};

/// The probability that a judge's own word must exceed for it to be enough, unless labels have shown another one.
pub const SURE: f64 = 0.8;

/// How often a judge is asked that votes.
pub(super) const VOTES: u32 = 3;

/// How it is known how sure a judge is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// It is not.
    #[default]
    None,
    /// By the log probabilities of the tokens of its verdicts.
    Logprobs,
    /// By three votes of its own, of which the majority is its word.
    Votes,
}

impl Confidence {
    /// Log probabilities of a model that is defined to have them.
    pub fn usual(model: &ModelSpec) -> Self {
        if model.logprobs.is_some() { Self::Logprobs } else { Self::None }
    }

    /// Whether it is not known.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// What is to be weighed of a reply: the verdict of each question.
pub(super) fn weigh(expected: &Expected, top: Option<u8>) -> Option<Weigh> {
    let fields = expected.fields.iter().map(|field| pointer(field)).collect();
    let words = ["yes", "no", "unsure"].map(str::to_owned).to_vec();
    Some(Weigh { top: top?, fields, words })
}

fn pointer(field: &str) -> String {
    format!("/{field}/verdict")
}

/// The same decisions, each with the probability of its word.
pub(super) fn weighed(decisions: Vec<Decision>, expected: &Expected, odds: &Odds) -> Vec<Decision> {
    let one = |(decision, field): (Decision, &String)| {
        let words = odds.get(&pointer(field));
        let probability = decision.says().zip(words).and_then(|(says, words)| {
            let found = verdict_from_logprobs(words)?;
            // What was kept on a tape is as little to be trusted as what comes from an API.
            let sound = (COVERED..=1.001).contains(&found.covered);
            sound.then_some(if says { found.yes } else { found.no })
        });
        decision.weighed(probability.map(rounded))
    };
    decisions.into_iter().zip(&expected.fields).map(one).collect()
}

/// The word of the majority, with its share of all votes: those that are missing or unsure count as well.
pub(super) fn of_votes(votes: &[Opinion]) -> Opinion {
    let word = panel::majority(votes, VOTES as usize)?;
    let alike = votes.iter().flatten().filter(|vote| vote.says() == word.says()).count();
    Ok(word.weighed(Some(rounded(alike as f64 / f64::from(VOTES)))))
}

/// Whether a judge decides and is not surer than this. Where nothing is known of that its word is enough.
pub(super) fn is_weak(opinion: &Opinion, sure: f64) -> bool {
    opinion.as_ref().ok().and_then(Decision::probability).is_some_and(|probability| probability <= sure)
}

/// Six digits are more than a model can mean, and the same before and after a file.
fn rounded(probability: f64) -> f64 {
    (probability * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::super::reply::Ground;
    use super::*;
    use crate::transcript::{Fault, Side};

    fn expected() -> Expected {
        Expected {
            canary: "x".into(),
            fields: vec!["c2".into(), "c4".into()],
            decoy: "c1".into(),
            counter: "c3".into(),
        }
    }

    /// The probability of a yes to the first question where its words had these shares.
    fn of_yes(shares: &[(&str, f64)]) -> Option<f64> {
        let words = shares.iter().map(|(word, share)| ((*word).to_owned(), share.ln())).collect();
        let odds = Odds::from([("/c2/verdict".to_owned(), words)]);
        let decisions = vec![Decision::Yes(Ground::default()), Decision::No(Ground::default())];
        let found = weighed(decisions, &expected(), &odds);
        assert_eq!(found[1].probability(), None, "of the other question nothing is known");
        found[0].probability()
    }

    #[test]
    fn a_probability_is_that_of_the_word_and_needs_nine_tenths_of_all() {
        assert_eq!(of_yes(&[("yes", 0.95), ("no", 0.05)]), Some(0.95));
        assert_eq!(of_yes(&[("yes", 0.6), ("no", 0.3), ("unsure", 0.06)]), Some(0.625));
        assert_eq!(of_yes(&[("yes", 0.02), ("no", 0.98)]), Some(0.02), "said against its own odds");
        assert_eq!(of_yes(&[("yes", 0.89)]), None);
        assert_eq!(of_yes(&[("yes", 0.9), ("no", 0.2)]), None, "more than all");
        assert_eq!(of_yes(&[("Yes", 0.99)]), None);
        assert_eq!(of_yes(&[]), None);
        let found = weigh(&expected(), Some(5)).unwrap();
        assert_eq!(found.fields, ["/c2/verdict", "/c4/verdict"]);
        assert_eq!(weigh(&expected(), None), None);
    }

    #[test]
    fn an_unsure_judge_has_no_probability() {
        let words = [("unsure".to_owned(), -0.01)].into();
        let odds = Odds::from([("/c2/verdict".to_owned(), words)]);
        let found = weighed(vec![Decision::unsure("judge.unsure", "?")], &expected(), &odds);
        assert_eq!(found, [Decision::unsure("judge.unsure", "?")]);
    }

    fn vote(word: char) -> Opinion {
        match word {
            'y' => Ok(Decision::Yes(Ground::default())),
            'n' => Ok(Decision::No(Ground::default())),
            'u' => Ok(Decision::unsure("judge.unsure", "?")),
            _ => Err(Fault::new(Side::Judge, "model.timeout", "no answer")),
        }
    }

    #[test]
    fn a_majority_is_as_sure_as_it_is_large() {
        let says = |votes: &str| {
            let votes: Vec<Opinion> = votes.chars().map(vote).collect();
            of_votes(&votes).map(|word| (word.says(), word.probability())).map_err(|fault| fault.code)
        };
        assert_eq!(says("yyy"), Ok((Some(true), Some(1.0))));
        assert_eq!(says("nyn"), Ok((Some(false), Some(0.666_667))));
        assert_eq!(says("yyu"), Ok((Some(true), Some(0.666_667))));
        assert_eq!(says("yy!"), Ok((Some(true), Some(0.666_667))));
        assert_eq!(says("ynu"), Ok((None, None)));
        assert_eq!(says("!"), Err("model.timeout".to_owned()));
    }

    #[test]
    fn a_word_is_weak_up_to_the_threshold() {
        let word = |probability| Ok(Decision::Yes(Ground { probability, ..Ground::default() }));
        assert!(is_weak(&word(Some(SURE)), SURE));
        assert!(!is_weak(&word(Some(0.800_001)), SURE));
        assert!(!is_weak(&word(None), SURE));
        assert!(!is_weak(&vote('u'), SURE) && !is_weak(&vote('!'), SURE));
    }
}
