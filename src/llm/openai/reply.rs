//! What compatible providers send, read tolerantly: odd fields are skipped, nothing beyond bounds is kept.
//!
//! Whole answers and pieces of streamed ones have the same shapes; only `message` is called `delta` there.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::transcript::Usage;

/// Most tool calls of one answer that are kept.
pub(super) const MOST_CALLS: usize = 1024;

/// An answer, or a piece of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Completion {
    pub(super) model: Text,
    pub(super) choices: Head<Choice, 1>,
    pub(super) usage: Maybe<WireUsage>,
    pub(super) error: Option<ErrorObject>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    pub(super) message: Maybe<Said>,
    pub(super) delta: Maybe<Said>,
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

/// An error object, or the bare text that some servers send.
#[derive(Debug, Default)]
pub(super) struct ErrorObject {
    pub(super) message: String,
    pub(super) kind: String,
    pub(super) code: String,
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
        Some(Usage {
            input,
            output,
            cached: cached.unwrap_or(0).min(input),
            reasoning: reasoning.min(output),
            reported: true,
        })
    }
}

/// A text; parts of a list are joined, everything else is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Text(pub(super) Option<String>);

/// A number of tokens or an index; everything else is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Count(pub(super) Option<u64>);

/// A text or a number, as text; everything else is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scalar(pub(super) String);

/// An object, or nothing when it is anything else.
#[derive(Clone, Debug)]
pub(super) struct Maybe<T>(pub(super) Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// Arguments: JSON text as the API defines it, or already an object, as some providers send it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Arguments {
    /// Text, or a piece of it.
    Text(String),
    /// An object.
    Object(Value),
}

impl Default for Arguments {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// The first `N` items of a list; the rest is read and dropped.
#[derive(Debug)]
pub(super) struct Head<T, const N: usize>(pub(super) Vec<T>);

impl<T, const N: usize> Default for Head<T, N> {
    fn default() -> Self {
        Self(vec![])
    }
}

/// Visits one loosely typed field; what a type does not understand is skipped.
struct Loose<T>(PhantomData<T>);

trait FromLoose: Default {
    fn text(_: String) -> Self {
        Self::default()
    }
    fn number(_: f64) -> Self {
        Self::default()
    }
    fn whole(number: u64) -> Self {
        Self::number(number as f64)
    }
    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
    fn map<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl<'de, T: FromLoose> Visitor<'de> for Loose<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<T, E> {
        Ok(T::text(text))
    }
    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(T::whole(number))
    }
    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(T::number(number as f64))
    }
    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(T::number(number))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::map(map)
    }
}

macro_rules! loose {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Loose(PhantomData))
            }
        }
    )*};
}

loose!(Text, Count, Scalar, Arguments, ErrorObject);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Loose(PhantomData))
    }
}

impl<T: DeserializeOwned> FromLoose for Maybe<T> {
    fn map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|object| Self(Some(object)))
    }
}

impl FromLoose for ErrorObject {
    fn text(message: String) -> Self {
        Self { message, ..Self::default() }
    }
    fn map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Fields {
            message: Text,
            r#type: Text,
            code: Scalar,
        }
        let fields = Fields::deserialize(MapAccessDeserializer::new(map))?;
        let text = |text: Text| text.0.unwrap_or_default();
        Ok(Self { message: text(fields.message), kind: text(fields.r#type), code: fields.code.0 })
    }
}

impl FromLoose for Text {
    fn text(text: String) -> Self {
        Self(Some(text))
    }
    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut whole: Option<String> = None;
        while let Some(Part { text: Text(text) }) = list.next_element()? {
            if let Some(text) = text {
                whole.get_or_insert_default().push_str(&text);
            }
        }
        Ok(Self(whole))
    }
}

/// One part of a text that is given in parts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    text: Text,
}

impl FromLoose for Count {
    fn number(number: f64) -> Self {
        // Beyond 2^53 a count is no count; it also keeps sums far from overflow.
        Self((0.0..=9e15).contains(&number).then_some(number as u64))
    }
}

impl FromLoose for Scalar {
    fn text(text: String) -> Self {
        Self(text)
    }
    fn number(number: f64) -> Self {
        Self(number.to_string())
    }
}

impl FromLoose for Arguments {
    fn text(text: String) -> Self {
        Self::Text(text)
    }
    fn map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(map)).map(Self::Object)
    }
}

impl<'de, T: DeserializeOwned, const N: usize> Deserialize<'de> for Head<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Few<T, const N: usize>(PhantomData<T>);
        impl<'de, T: DeserializeOwned, const N: usize> Visitor<'de> for Few<T, N> {
            type Value = Head<T, N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Head::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut kept = vec![];
                while kept.len() < N {
                    match list.next_element()? {
                        Some(item) => kept.push(item),
                        None => return Ok(Head(kept)),
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Head(kept))
            }
        }
        deserializer.deserialize_any(Few(PhantomData))
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
