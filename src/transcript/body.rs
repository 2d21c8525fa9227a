//! Bytes of the wire and sides of an HTTP exchange, as the record keeps them.

use base64::Engine;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// One side of an HTTP exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpSide {
    /// `METHOD url` of a request, the status number of a response.
    pub start: String,
    /// Headers in order, secrets redacted.
    pub headers: Vec<(String, String)>,
    /// The body, bounded.
    pub body: Body,
}

impl HttpSide {
    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        self.start.parse().ok()
    }

    /// The first header of a name, ignoring case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Bytes as they were on the wire: text where they are UTF-8, else base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Valid UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl Body {
    /// Bytes as text where possible.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes(bytes.to_vec()),
        }
    }

    /// The same for bytes that need not be copied.
    pub fn of(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }

    /// The text; bytes that are not UTF-8 appear as replacement characters.
    pub fn to_text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes),
        }
    }

    /// The JSON value, if it is one.
    pub fn json(&self) -> Option<Value> {
        match self {
            Self::Text(text) => serde_json::from_str(text).ok(),
            Self::Bytes(_) => None,
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64", &base64::engine::general_purpose::STANDARD.encode(bytes))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self::Text(text)),
            Value::Object(map) => {
                let text =
                    map.get("base64").and_then(Value::as_str).ok_or_else(|| D::Error::custom("no base64"))?;
                base64::engine::general_purpose::STANDARD
                    .decode(text)
                    .map(Self::Bytes)
                    .map_err(D::Error::custom)
            }
            _ => Err(D::Error::custom("a body is a text or {base64: text}")),
        }
    }
}
