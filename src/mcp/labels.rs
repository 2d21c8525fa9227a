//! Ids of requests. They are numbers that count up; a client that is emulated gives some of its requests a text instead.
//!
//! Inside, every request has a number; a text stands for one on the wire.

use std::collections::HashMap;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::facts;
use super::jsonrpc::Message;

/// The numbers from here on never stand on the wire.
const HIDDEN: u64 = 1 << 62;

/// The id of a request: what it is known by, and the text that stands for it on the wire, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id {
    /// What it is known by.
    pub number: u64,
    /// What the server sees in place of the number.
    pub label: Option<String>,
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Self { number, label: None }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.label {
            Some(label) => serializer.serialize_str(label),
            None => serializer.serialize_u64(self.number),
        }
    }
}

/// The texts used on one connection.
#[derive(Debug, Default)]
pub(super) struct Labels(HashMap<String, u64>);

impl Labels {
    /// An id with this text; where it has been used on the connection, the number at its end counts up.
    pub(super) fn take(&mut self, wanted: &str) -> Id {
        let stem = wanted.trim_end_matches(|c: char| c.is_ascii_digit());
        let mut count: u64 = wanted[stem.len()..].parse().unwrap_or(0);
        let mut label = wanted.to_owned();
        while self.0.contains_key(&label) {
            count = count.wrapping_add(1);
            label = format!("{stem}{count}");
        }
        let number = HIDDEN + self.0.len() as u64;
        self.0.insert(label.clone(), number);
        Id { number, label: Some(label) }
    }

    fn number(&self, label: &str) -> Option<u64> {
        self.0.get(label).copied()
    }

    /// Gives answers to texts the numbers that they stand for. A number that never was on the wire is nobody's.
    pub(super) fn resolve(&self, messages: &mut [Message]) {
        for message in messages {
            let Message::Answer(answer) = message else { continue };
            answer.id = match answer.id {
                Some(number) => Some(number).filter(|number| *number < HIDDEN),
                None => {
                    serde_json::from_str::<String>(&answer.raw_id).ok().and_then(|text| self.number(&text))
                }
            };
        }
    }

    /// The request that opened the subscription a notification belongs to.
    pub(super) fn subscription(&self, params: &Value) -> Option<u64> {
        let number = facts::subscription(params).filter(|number| *number < HIDDEN);
        number.or_else(|| self.number(facts::subscription_label(params)?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::jsonrpc;
    use super::*;

    #[test]
    fn texts_stand_for_numbers_and_count_up_when_used_again() {
        let mut labels = Labels::default();
        let texts: Vec<_> = ["listen:0", "listen:0", "probe", "probe", "listen:0"]
            .map(|wanted| labels.take(wanted).label.unwrap())
            .into();
        assert_eq!(texts, ["listen:0", "listen:1", "probe", "probe1", "listen:2"]);
        assert_eq!(serde_json::to_string(&labels.take("a")).unwrap(), r#""a""#);
        assert_eq!(serde_json::to_string(&Id::from(7)).unwrap(), "7");
    }

    #[test]
    fn only_the_text_answers_to_a_text() {
        let mut labels = Labels::default();
        let number = labels.take("probe-1").number;
        let id = |id: &str| {
            let mut read = jsonrpc::read(&format!(r#"{{"id":{id},"result":{{}}}}"#)).unwrap();
            labels.resolve(&mut read);
            let Message::Answer(answer) = &read[0] else { panic!() };
            answer.id
        };
        assert_eq!(id(r#""probe-1""#), Some(number));
        assert_eq!(id(r#""probe-2""#), None);
        assert_eq!((id("3"), id(&number.to_string())), (Some(3), None));
        let about = |id: Value| {
            labels.subscription(&json!({"_meta": {"io.modelcontextprotocol/subscriptionId": id}}))
        };
        assert_eq!((about(json!("probe-1")), about(json!(3))), (Some(number), Some(3)));
        assert_eq!((about(json!("other")), about(json!(number))), (None, None));
    }
}
