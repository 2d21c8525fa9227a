//! Short forms: a check that YAML may write as a scalar or a list instead of a map.
//!
//! Written by hand because an untagged enum would lose the position of a mistake inside the map form. A type derives
//! `Deserialize` for its map form and says in [`Short::from_brief`] what a scalar or a list means.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// What stands where a map could stand.
#[derive(Clone, Debug)]
pub enum Brief<I> {
    /// A text.
    Text(String),
    /// A number.
    Number(Number),
    /// `true` or `false`.
    Flag(bool),
    /// A list.
    List(Vec<I>),
}

/// A type whose derived `Deserialize` reads its map form, and that has shorter forms.
pub trait Short: DeserializeOwned + JsonSchema {
    /// What may be written, for messages: "a tool name, or a map with `name`".
    const EXPECTS: &'static str;
    /// The items of the list form; [`NoItem`] when there is none.
    type Item: DeserializeOwned + JsonSchema;

    /// What a short form means; `None` when there is no such form.
    fn from_brief(brief: Brief<Self::Item>) -> Option<Self>;

    /// The JSON types of the scalar forms, for editors: `string`, `number`, `boolean`.
    const SCALARS: &'static [&'static str];
    /// Whether there is a list form.
    const LIST: bool = false;
}

/// The item type of a check without a list form.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct NoItem(IgnoredAny);

impl JsonSchema for NoItem {
    fn schema_name() -> Cow<'static, str> {
        "NoItem".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(false)
    }
}

/// A [`Short`] value inside a list or a map.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Written<T>(pub T);

impl<'de, T: Short> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer).map(Written)
    }
}

impl<T: Short> JsonSchema for Written<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Written{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut forms: Vec<Value> =
            T::SCALARS.iter().map(|scalar| serde_json::json!({"type": scalar})).collect();
        if T::LIST {
            let items = generator.subschema_for::<T::Item>();
            forms.push(serde_json::json!({"type": "array", "items": items}));
        }
        forms.push(generator.subschema_for::<T>().to_value());
        json_schema!({"anyOf": forms})
    }
}

/// Reads any of the forms.
pub fn read<'de, T: Short, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Forms(PhantomData))
}

/// Reads any of the forms, for a field that may be absent.
pub fn read_some<'de, T: Short, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    read(deserializer).map(Some)
}

struct Forms<T>(PhantomData<T>);

impl<T: Short> Forms<T> {
    fn brief<E: de::Error>(&self, brief: Brief<T::Item>, found: de::Unexpected<'_>) -> Result<T, E> {
        T::from_brief(brief).ok_or_else(|| E::invalid_type(found, self))
    }
}

impl<'de, T: Short> Visitor<'de> for Forms<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTS)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        self.brief(Brief::Text(text.to_owned()), de::Unexpected::Str(text))
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<T, E> {
        self.brief(Brief::Flag(flag), de::Unexpected::Bool(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.brief(Brief::Number(number.into()), de::Unexpected::Signed(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.brief(Brief::Number(number.into()), de::Unexpected::Unsigned(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        match Number::from_f64(number) {
            Some(finite) => self.brief(Brief::Number(finite), de::Unexpected::Float(number)),
            None => Err(E::invalid_value(de::Unexpected::Float(number), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        if !T::LIST {
            return Err(de::Error::invalid_type(de::Unexpected::Seq, &self));
        }
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        self.brief(Brief::List(list), de::Unexpected::Seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(de::value::MapAccessDeserializer::new(map))
    }
}

/// A text in a list of texts; a whole number may stand without quotes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Phrase(pub String);

impl<'de> Deserialize<'de> for Phrase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Phrase;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text; put quotes around numbers with a fraction and around true and false")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Phrase, E> {
                Ok(Phrase(text.to_owned()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Phrase, E> {
                Ok(Phrase(number.to_string()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Phrase, E> {
                Ok(Phrase(number.to_string()))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl JsonSchema for Phrase {
    fn schema_name() -> Cow<'static, str> {
        "Phrase".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"]})
    }
}

/// A number as the text that a person would have written, when it is whole.
pub(super) fn whole(number: &Number) -> Option<String> {
    (number.is_i64() || number.is_u64()).then(|| number.to_string())
}

/// A number that counts something.
pub(super) fn count(number: &Number) -> Option<u32> {
    number.as_u64().and_then(|count| u32::try_from(count).ok())
}
