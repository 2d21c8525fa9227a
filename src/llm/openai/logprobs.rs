//! Log probabilities of tokens as OpenAI and those who speak its APIs send them. Read strictly: a list in which anything
//! is odd is no list, and costs no answer.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::llm::api::loose::Head;
use crate::llm::odds::{Choice, MOST_TOKENS, MOST_TOP, Token};

/// The tokens of an answer of chat completions.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Logprobs {
    content: Head<WireToken, MOST_TOKENS>,
}

#[derive(Deserialize)]
struct WireToken {
    #[serde(flatten)]
    chosen: WireChoice,
    #[serde(default)]
    top_logprobs: Head<WireChoice, MOST_TOP>,
}

#[derive(Deserialize)]
struct WireChoice {
    token: String,
    logprob: f64,
    #[serde(default)]
    bytes: Option<Vec<u8>>,
}

impl From<WireChoice> for Choice {
    fn from(WireChoice { token, logprob, bytes }: WireChoice) -> Self {
        Self { bytes: bytes.unwrap_or_else(|| token.into_bytes()), logprob }
    }
}

fn read(tokens: Head<WireToken, MOST_TOKENS>) -> Vec<Token> {
    let one = |token: WireToken| Token {
        chosen: token.chosen.into(),
        top: token.top_logprobs.0.into_iter().map(Choice::from).collect(),
    };
    tokens.0.into_iter().map(one).collect()
}

/// The tokens under `logprobs` of a choice, or of a piece of it.
pub(super) fn of_choice(raw: &RawValue) -> Vec<Token> {
    serde_json::from_str(raw.get()).map(|Logprobs { content }| read(content)).unwrap_or_default()
}

/// The tokens under `logprobs` of a part of a message, or of an event with a piece of it.
pub(super) fn of_part(list: &Value) -> Vec<Token> {
    Head::deserialize(list).map(read).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn choice(text: &[u8], logprob: f64) -> Choice {
        Choice { bytes: text.to_vec(), logprob }
    }

    #[test]
    fn tokens_are_read_by_their_bytes_where_those_are_given() {
        let list = json!([
            {"token": "\\xe2\\x82", "logprob": -0.5, "bytes": [226, 130], "top_logprobs": [
                {"token": "no", "logprob": -1, "bytes": null}, {"token": "yes", "logprob": -9999.0}]},
            {"token": "x", "logprob": 0, "top_logprobs": null},
        ]);
        let expected = vec![
            Token {
                chosen: choice(&[226, 130], -0.5),
                top: vec![choice(b"no", -1.0), choice(b"yes", -9999.0)],
            },
            Token { chosen: choice(b"x", 0.0), top: vec![] },
        ];
        assert_eq!(of_part(&list), expected);
        let raw = RawValue::from_string(json!({"content": list, "refusal": null}).to_string()).unwrap();
        assert_eq!(of_choice(&raw), expected);
    }

    #[test]
    fn a_list_in_which_anything_is_odd_is_no_list() {
        for odd in [
            json!([{"token": "x"}]),
            json!([{"token": 5, "logprob": -1}]),
            json!([{"token": "x", "logprob": "NaN"}]),
            json!([{"token": "x", "logprob": null}]),
            json!([{"token": "x", "logprob": -1, "bytes": [256]}]),
            json!([{"token": "x", "logprob": -1, "top_logprobs": {"no": -1}}]),
            json!([7]),
            json!({"tokens": ["x"]}),
            json!("x"),
            json!(null),
        ] {
            assert_eq!(of_part(&odd), [], "{odd}");
            let raw = RawValue::from_string(json!({ "content": odd }).to_string()).unwrap();
            assert_eq!(of_choice(&raw), [], "{odd}");
        }
        for odd in [r#"{"content":[{"token":"x","logprob":1e999}]}"#, r#"{"text_offset":[0]}"#, "[]", "3"] {
            assert_eq!(of_choice(&RawValue::from_string(odd.to_owned()).unwrap()), [], "{odd}");
        }
    }

    #[test]
    fn no_more_is_kept_than_is_asked_for() {
        let top: Vec<Value> =
            (0..50_000).map(|number| json!({"token": number.to_string(), "logprob": -9.0})).collect();
        let token = json!({"token": "x", "logprob": -0.1, "top_logprobs": top});
        assert_eq!(of_part(&json!([token]))[0].top.len(), MOST_TOP);
        let many = vec![json!({"token": "x", "logprob": -0.1}); MOST_TOKENS + 9];
        assert_eq!(of_part(&Value::Array(many)).len(), MOST_TOKENS);
    }
}
