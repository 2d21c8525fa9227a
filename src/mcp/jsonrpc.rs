//! JSON-RPC envelopes: texts become messages, requests and answers become texts.
//!
//! Reading is strict about the envelope and blind to its contents: results and parameters keep every field and the
//! order of their keys. Nothing here knows MCP.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The member of a result that means something to its sender only.
pub const OPAQUE: &str = "requestState";

/// JSON-RPC's own code for a method that is not there.
pub const METHOD_NOT_FOUND: i64 = -32601;

/// One message from the other side.
#[derive(Debug, PartialEq)]
pub enum Message {
    /// An answer.
    Answer(Answer),
    /// A request that wants an answer.
    Request {
        /// Its id, to be given back as it came.
        id: Value,
        /// The method.
        method: String,
        /// Its parameters; `null` when absent.
        params: Value,
    },
    /// A notification.
    Notification {
        /// The method.
        method: String,
        /// Its parameters; `null` when absent.
        params: Value,
    },
}

/// An answer to a request.
#[derive(Debug)]
pub struct Answer {
    /// The id, when it is a number as ours are.
    pub id: Option<u64>,
    /// The id as it stood in the text; `null` when absent.
    pub raw_id: String,
    /// The result or the error. The same result may have been read before, and is shared then.
    pub outcome: Result<Arc<Value>, RpcError>,
    /// Size of the result in bytes, as received.
    pub bytes: u64,
    /// The member [`OPAQUE`] of the result as it stood in the text, to be given back byte for byte.
    pub opaque: Option<Box<RawValue>>,
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        let key = |answer: &Self| (answer.id, answer.raw_id.clone(), answer.bytes);
        key(self) == key(other) && self.outcome == other.outcome
    }
}

/// The `error` member of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RpcError {
    /// The code, if it is an integer.
    pub code: Option<i64>,
    /// The message; empty when absent.
    pub message: String,
    /// Whatever the server adds.
    pub data: Option<Value>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    method: Option<String>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// An explicit `null` is a result; servers use it for empty ones.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one message, or a batch of them (2025-03-26 allowed those). The error says what is wrong with the text.
pub fn read(text: &str) -> Result<Vec<Message>, String> {
    read_by(text, |result| serde_json::from_str(result).map(Arc::new))
}

/// The same with another way to read the text of a result, for instance by looking at what was read before.
pub fn read_by(text: &str, result: impl Fn(&str) -> ReadResult) -> Result<Vec<Message>, String> {
    if text.trim_start().starts_with('[') {
        let parts: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| plain(&error))?;
        return parts.into_iter().map(|part| read_one(part.get(), &result)).collect();
    }
    read_one(text, &result).map(|message| vec![message])
}

/// A result that was read.
pub type ReadResult = serde_json::Result<Arc<Value>>;

/// The id of an answer that [`read`] could not read whole: nested too deep, or with neither result nor error.
pub fn answer_id(text: &str) -> Option<u64> {
    let envelope: Envelope<'_> = serde_json::from_str(text).ok()?;
    envelope.id.filter(|_| envelope.method.is_none()).and_then(|id| id.get().parse().ok())
}

/// A message as text, under another id.
pub fn with_id(text: &str, id: u64) -> Option<String> {
    let mut message: serde_json::Map<String, Value> = serde_json::from_str(text).ok()?;
    message.insert("id".to_owned(), id.into());
    serde_json::to_string(&message).ok()
}

fn read_one(text: &str, read: &impl Fn(&str) -> ReadResult) -> Result<Message, String> {
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| plain(&error))?;
    if let Some(method) = envelope.method {
        let params = value(envelope.params)?;
        return Ok(match envelope.id {
            Some(id) => Message::Request { id: value(Some(id))?, method, params },
            None => Message::Notification { method, params },
        });
    }
    let raw_id = envelope.id.map_or("null", RawValue::get).to_owned();
    let id = raw_id.parse().ok();
    let (outcome, bytes) = match (envelope.result, envelope.error) {
        (_, Some(error)) => (Err(rpc_error(&value(Some(error))?)), error.get().len()),
        (Some(result), None) => {
            (Ok(read(result.get()).map_err(|error| plain(&error))?), result.get().len())
        }
        (None, None) => return Err("neither a method, nor a result, nor an error".to_owned()),
    };
    let opaque = match (&outcome, envelope.result) {
        (Ok(result), Some(raw)) if result.get(OPAQUE).is_some() => opaque(raw),
        _ => None,
    };
    Ok(Message::Answer(Answer { id, raw_id, outcome, bytes: bytes as u64, opaque }))
}

fn opaque(result: &RawValue) -> Option<Box<RawValue>> {
    let mut members: std::collections::HashMap<String, Box<RawValue>> =
        serde_json::from_str(result.get()).ok()?;
    members.remove(OPAQUE)
}

fn value(raw: Option<&RawValue>) -> Result<Value, String> {
    raw.map_or(Ok(Value::Null), |raw| serde_json::from_str(raw.get()).map_err(|error| plain(&error)))
}

fn plain(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Eof => "the JSON ends too early".to_owned(),
        _ => error.to_string(),
    }
}

/// An error object.
pub fn rpc_error(error: &Value) -> RpcError {
    RpcError {
        code: error.get("code").and_then(Value::as_i64),
        message: match error.get("message").and_then(Value::as_str) {
            Some(message) => message.to_owned(),
            None => error.as_str().unwrap_or_default().to_owned(),
        },
        data: error.get("data").cloned(),
    }
}

#[derive(Serialize)]
struct Outgoing<'a, I: Serialize, P: Serialize> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<I>,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<P>,
}

/// The text of a request.
pub fn request<P: Serialize>(id: impl Serialize, method: &str, params: Option<P>) -> String {
    text(&Outgoing { jsonrpc: "2.0", id: Some(id), method, params })
}

/// The text of a notification.
pub fn notification<P: Serialize>(method: &str, params: Option<P>) -> String {
    text(&Outgoing { jsonrpc: "2.0", id: None::<u64>, method, params })
}

/// The text of an answer to a request of the other side; `answer` is a result or an error object.
pub fn reply(id: &Value, answer: &Result<Value, Value>) -> String {
    match answer {
        Ok(result) => text(&serde_json::json!({"jsonrpc": "2.0", "id": id, "result": result})),
        Err(error) => text(&serde_json::json!({"jsonrpc": "2.0", "id": id, "error": error})),
    }
}

fn text<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("JSON values with string keys always serialise")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_keep_key_order_and_size() {
        let read = read(r#"{"jsonrpc":"2.0","id":7,"result":{"z":1,"a":{"y":2,"b":3}}}"#).unwrap();
        let [Message::Answer(answer)] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!((answer.id, answer.bytes), (Some(7), 25));
        assert_eq!(
            serde_json::to_string(answer.outcome.as_ref().unwrap()).unwrap(),
            r#"{"z":1,"a":{"y":2,"b":3}}"#
        );
    }

    #[test]
    fn opaque_members_keep_their_bytes() {
        let read = read(r#"{"id":1,"result":{"a":1,"requestState":"\u0041\/ \u00e9"}}"#).unwrap();
        let [Message::Answer(answer)] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!(answer.opaque.as_ref().map(|raw| raw.get()), Some(r#""\u0041\/ \u00e9""#));
    }

    #[test]
    fn ids_are_matched_strictly() {
        for (text, id) in [("\"7\"", None), ("7.0", None), ("7", Some(7)), ("-1", None), ("null", None)] {
            let read = read(&format!(r#"{{"id":{text},"result":{{}}}}"#)).unwrap();
            let [Message::Answer(answer)] = read.as_slice() else { panic!("{read:?}") };
            assert_eq!(answer.id, id, "{text}");
        }
    }

    #[test]
    fn batches_requests_notifications_and_errors_are_told_apart() {
        let read = read(
            r#" [{"method":"a"},{"id":"x","method":"b","params":[1]},{"id":1,"error":{"code":-32000,"message":"no","data":1}}]"#,
        )
        .unwrap();
        assert_eq!(read[0], Message::Notification { method: "a".into(), params: Value::Null });
        assert_eq!(read[1], Message::Request { id: json!("x"), method: "b".into(), params: json!([1]) });
        let Message::Answer(answer) = &read[2] else { panic!() };
        let error = RpcError { code: Some(-32000), message: "no".into(), data: Some(json!(1)) };
        assert_eq!(answer.outcome, Err(error));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "hello", "{}", "1", "null", r#"{"id":1}"#, r#"{"id":1,"result":"#, "\u{0}"] {
            assert!(read(text).is_err(), "{text:?}");
        }
        let deep = format!(r#"{{"id":1,"result":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
        assert!(read(&deep).is_err());
    }

    #[test]
    fn null_results_are_results_and_null_errors_are_none() {
        for text in [r#"{"id":1,"result":null}"#, r#"{"id":1,"result":null,"error":null}"#] {
            let read = read(text).unwrap();
            let [Message::Answer(answer)] = read.as_slice() else { panic!("{read:?}") };
            assert_eq!((&answer.outcome, answer.bytes), (&Ok(Arc::new(Value::Null)), 4), "{text}");
        }
    }

    #[test]
    fn texts_hold_no_absent_members() {
        assert_eq!(notification("n", None::<()>), r#"{"jsonrpc":"2.0","method":"n"}"#);
        assert_eq!(
            request(1, "m", Some(json!({"b": 1}))),
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"b":1}}"#
        );
        assert_eq!(reply(&json!("q"), &Ok(json!({}))), r#"{"jsonrpc":"2.0","id":"q","result":{}}"#);
    }
}
