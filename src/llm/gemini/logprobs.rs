//! Log probabilities of tokens as Gemini sends them: a list of what was chosen, and beside it a list of what else could
//! have been. Read strictly: where anything is odd there are none.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::llm::api::loose::Head;
use crate::llm::odds::{Choice, MOST_TOKENS, MOST_TOP, Token};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Logprobs {
    chosen_candidates: Head<WireChoice, MOST_TOKENS>,
    top_candidates: Head<Top, MOST_TOKENS>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Top {
    candidates: Head<WireChoice, MOST_TOP>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireChoice {
    token: String,
    log_probability: f64,
}

impl From<WireChoice> for Choice {
    fn from(WireChoice { token, log_probability }: WireChoice) -> Self {
        Self { bytes: token.into_bytes(), logprob: log_probability }
    }
}

/// The tokens under `logprobsResult` of a candidate, or of a piece of it.
pub(super) fn of_candidate(raw: &RawValue) -> Vec<Token> {
    let Ok(Logprobs { chosen_candidates: Head(chosen), top_candidates: Head(top) }) =
        serde_json::from_str(raw.get())
    else {
        return vec![];
    };
    if !top.is_empty() && top.len() != chosen.len() {
        return vec![];
    }
    let tops = top.into_iter().map(|top| top.candidates.0).chain(std::iter::repeat_with(Vec::new));
    let one = |(chosen, top): (WireChoice, Vec<WireChoice>)| Token {
        chosen: chosen.into(),
        top: top.into_iter().map(Choice::from).collect(),
    };
    chosen.into_iter().zip(tops).map(one).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: &Value) -> Vec<Token> {
        of_candidate(&RawValue::from_string(value.to_string()).unwrap())
    }

    fn choice(text: &str, logprob: f64) -> Choice {
        Choice { bytes: text.into(), logprob }
    }

    #[test]
    fn what_was_chosen_stands_beside_what_could_have_been() {
        let found = read(&json!({
            "chosenCandidates": [{"token": "yes", "tokenId": 7, "logProbability": -0.2}, {"token": "\"", "tokenId": 9, "logProbability": 0}],
            "topCandidates": [
                {"candidates": [{"token": "yes", "tokenId": 7, "logProbability": -0.2}, {"token": "no", "logProbability": -1.7}]},
                {}],
            "logProbabilitySum": -0.2}));
        let top = vec![choice("yes", -0.2), choice("no", -1.7)];
        let expected =
            [Token { chosen: choice("yes", -0.2), top }, Token { chosen: choice("\"", 0.0), top: vec![] }];
        assert_eq!(found, expected);
        let alone = read(&json!({"chosenCandidates": [{"token": "x", "logProbability": -1}]}));
        assert_eq!(alone, [Token { chosen: choice("x", -1.0), top: vec![] }]);
    }

    #[test]
    fn lists_that_do_not_fit_together_are_none() {
        for odd in [
            json!({"chosenCandidates": [{"token": "x"}, {"token": "y"}], "topCandidates": [{}]}),
            json!({"chosenCandidates": [{"logProbability": -1}]}),
            json!({"chosenCandidates": [{"token": "x"}]}),
            json!({"chosenCandidates": [{"token": "x", "logProbability": "-1"}]}),
            json!({"chosenCandidates": {"token": "x"}}),
            json!([]),
            json!(null),
        ] {
            assert_eq!(read(&odd), [], "{odd}");
        }
    }
}
