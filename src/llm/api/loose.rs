//! Field types that read anything: what does not fit is nothing, never an error, because one odd field of a compatible
//! provider must not cost an answer. Lists are kept up to a bound.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A text; parts of a list are joined, everything else is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::llm) struct Text(pub(in crate::llm) Option<String>);

/// A number of tokens or an index; everything else is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::llm) struct Count(pub(in crate::llm) Option<u64>);

/// A text or a number, as text; everything else is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::llm) struct Scalar(pub(in crate::llm) String);

/// An object, or nothing when it is anything else.
#[derive(Clone, Debug)]
pub(in crate::llm) struct Maybe<T>(pub(in crate::llm) Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// Arguments: JSON text as the API defines it, or already an object, as some providers send it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::llm) enum Arguments {
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
pub(in crate::llm) struct Head<T, const N: usize>(pub(in crate::llm) Vec<T>);

impl<T, const N: usize> Default for Head<T, N> {
    fn default() -> Self {
        Self(vec![])
    }
}

/// Visits one loosely typed field; what a type does not understand is skipped.
pub(in crate::llm) struct Loose<T>(PhantomData<T>);

impl<T> Loose<T> {
    /// A visitor for this type.
    pub(in crate::llm) fn new() -> Self {
        Self(PhantomData)
    }
}

/// What a type makes of a JSON value; by default of everything nothing.
pub(in crate::llm) trait FromLoose: Default {
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

loose!(Text, Count, Scalar, Arguments);

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
