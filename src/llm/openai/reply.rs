//! What compatible providers send, read tolerantly: odd fields are skipped, nothing beyond bounds is kept.
//!
//! Whole answers and pieces of streamed ones have the same shapes; only `message` is called `delta` there.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::llm::api::calls::MOST_CALLS;
use crate::llm::api::error::Problem;
use crate::llm::api::loose::{Arguments, Count, Head, Maybe, Text};
use crate::transcript::Usage;

/// An answer, or a piece of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Completion {
    pub(super) model: Text,
    pub(super) choices: Head<Choice, 1>,
    pub(super) usage: Maybe<WireUsage>,
    pub(super) error: Option<Problem>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    pub(super) message: Maybe<Said>,
    pub(super) delta: Maybe<Said>,
    pub(super) logprobs: Option<Box<RawValue>>,
    pub(super) finish_reason: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    pub(super) content: Text,
    pub(super) refusal: Text,
    pub(super) reasoning_content: Text,
    pub(super) reasoning: Text,
    pub(super) reasoning_details: Option<Box<RawValue>>,
    pub(super) tool_calls: Head<Call, MOST_CALLS>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Call {
    pub(super) index: Count,
    pub(super) id: Text,
    pub(super) function: Maybe<Function>,
    pub(super) extra_content: Option<Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Function {
    pub(super) name: Text,
    pub(super) arguments: Arguments,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireUsage {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    prompt_tokens_details: Maybe<Details>,
    completion_tokens_details: Maybe<Details>,
    prompt_cache_hit_tokens: Count,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Count,
    cache_write_tokens: Count,
    reasoning_tokens: Count,
}

impl WireUsage {
    /// The provider's numbers; `None` when they cannot be true, such as an answer to a prompt of no tokens.
    pub(super) fn read(&self) -> Option<Usage> {
        let input = self.prompt_tokens.0.filter(|tokens| *tokens > 0)?;
        let mut output = self.completion_tokens.0?;
        let of = |details: &Maybe<Details>, field: fn(&Details) -> Count| {
            details.0.as_ref().and_then(|details| field(details).0)
        };
        let reasoning = of(&self.completion_tokens_details, |d| d.reasoning_tokens).unwrap_or(0);
        // Some providers count reasoning beside the completion; the total tells.
        let beside = input.checked_add(output).and_then(|sum| sum.checked_add(reasoning));
        if reasoning > 0 && self.total_tokens.0.is_some() && self.total_tokens.0 == beside {
            output = output.saturating_add(reasoning);
        }
        let cached = of(&self.prompt_tokens_details, |d| d.cached_tokens).or(self.prompt_cache_hit_tokens.0);
        let cached = cached.unwrap_or(0).min(input);
        let written = of(&self.prompt_tokens_details, |d| d.cache_write_tokens).unwrap_or(0);
        Some(Usage {
            input,
            output,
            cached,
            cache_written: written.min(input - cached),
            reasoning: reasoning.min(output),
            reported: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Completion {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn odd_fields_are_skipped() {
        let answer = read(
            r#"{"model": 5, "created": null, "choices": [
                {"message": {"content": [{"type": "text", "text": "a"}, {"text": "b"}, {"image": 1}],
                 "tool_calls": null, "refusal": {"x": 1}}, "finish_reason": ""},
                {"message": {"content": "second"}}], "usage": {"prompt_tokens": -1, "completion_tokens": "x"}}"#,
        );
        assert_eq!(answer.choices.0.len(), 1);
        let said = answer.choices.0[0].message.0.as_ref().unwrap();
        assert_eq!((said.content.0.as_deref(), said.refusal.0.as_deref()), (Some("ab"), None));
        assert_eq!(answer.usage.0.unwrap().read(), None);
    }

    #[test]
    fn usage_is_read_in_its_variants() {
        let usage = |text: &str| {
            read(text).usage.0.unwrap().read().map(|u| (u.input, u.output, u.cached, u.reasoning))
        };
        assert_eq!(
            usage(
                r#"{"usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
                "prompt_tokens_details": {"cached_tokens": 64}, "completion_tokens_details": {"reasoning_tokens": 8}}}"#
            ),
            Some((100, 20, 64, 8))
        );
        assert_eq!(
            usage(
                r#"{"usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 15,
                "completion_tokens_details": {"reasoning_tokens": 3}, "prompt_cache_hit_tokens": 4}}"#
            ),
            Some((10, 5, 4, 3))
        );
        assert_eq!(usage(r#"{"usage": {"prompt_tokens": 0, "completion_tokens": 0}}"#), None);
        assert_eq!(usage(r#"{"usage": {"prompt_tokens": 7.0, "completion_tokens": 1e300}}"#), None);
    }

    #[test]
    fn arguments_may_be_an_object() {
        let function: Function = serde_json::from_str(r#"{"name": "x", "arguments": {"a": 1}}"#).unwrap();
        assert_eq!(function.arguments, Arguments::Object(serde_json::json!({"a": 1})));
    }
}
