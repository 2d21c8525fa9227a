//! What a message on the wire is, and what makes two requests the same. Pure.
//!
//! Requests are the same when their method and their parameters are, without `_meta`, whatever the order of keys. Of
//! `initialize` only the revision counts: who asks is a matter of the client profile, by which sessions are told apart.

use serde_json::{Map, Value, json};

use crate::ids::Digest;

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A request with this id, as JSON text.
    Request(String),
    /// A notification.
    Notification,
    /// An answer to the request of the server with this id, as JSON text.
    Answer(String),
    /// An HTTP request without a message.
    Bare,
}

/// A message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) kind: Kind,
    /// The method; `GET` and the like without a message.
    pub(super) method: String,
    /// The digest of the parameters, or of the answer.
    pub(super) params: Digest,
    /// The tool, prompt or resource that it is about, for people.
    pub(super) about: Option<String>,
}

impl Said {
    /// Reads a message that went this way.
    pub(super) fn of(via: &str, text: &str) -> Self {
        let Ok(Value::Object(message)) = serde_json::from_str::<Value>(text) else {
            return Self::bare(via, text);
        };
        let id = message.get("id").map(ToString::to_string);
        let params = message.get("params").cloned().unwrap_or(Value::Null);
        match (message.get("method").and_then(Value::as_str), id) {
            (Some(method), id) => {
                let kind = id.map_or(Kind::Notification, Kind::Request);
                let about = ["name", "uri", "taskId"].iter().find_map(|key| params.get(key)?.as_str());
                Self {
                    kind,
                    method: method.to_owned(),
                    params: Digest::of_json(&significant(method, &params)),
                    about: about.map(str::to_owned),
                }
            }
            (None, Some(id)) => {
                let answer = message.get("result").or_else(|| message.get("error")).unwrap_or(&Value::Null);
                let params = Digest::of_json(&sorted(answer));
                Self { kind: Kind::Answer(id), method: "answer".to_owned(), params, about: None }
            }
            (None, None) => Self::bare(via, text),
        }
    }

    fn bare(via: &str, text: &str) -> Self {
        let params = Digest::of(text.as_bytes());
        Self { kind: Kind::Bare, method: via.to_owned(), params, about: None }
    }

    /// The same of a request with these headers: a stream that is resumed after an event is another one than one that
    /// begins.
    pub(super) fn with(mut self, headers: &[(String, String)]) -> Self {
        if let Some(id) = last_event(headers).filter(|_| self.kind == Kind::Bare) {
            self.params = Digest::of(id.as_bytes());
            self.about = Some(id.to_owned());
        }
        self
    }

    /// Whether both ask for the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        let kinds = match (&self.kind, &other.kind) {
            (Kind::Answer(ours), Kind::Answer(theirs)) => ours == theirs,
            (ours, theirs) => std::mem::discriminant(ours) == std::mem::discriminant(theirs),
        };
        kinds && self.method == other.method && self.params == other.params
    }

    /// Whether asking again can only give what it gave before, as far as the protocol goes.
    pub(super) fn only_looks(&self) -> bool {
        self.method.ends_with("/list")
            || matches!(
                self.method.as_str(),
                "initialize"
                    | "server/discover"
                    | "ping"
                    | "resources/read"
                    | "prompts/get"
                    | "completion/complete"
            )
    }

    /// In words: ``tools/call of `get_order` ``.
    pub(super) fn words(&self) -> String {
        let method = crate::display::excerpt(&self.method, 80);
        match &self.about {
            Some(about) => format!("`{method}` of `{}`", crate::display::excerpt(about, 80)),
            None => format!("`{method}`"),
        }
    }
}

/// The id of the event after which a stream is to go on.
pub(super) fn last_event(headers: &[(String, String)]) -> Option<&str> {
    let mut found = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("last-event-id"));
    found.next().map(|(_, id)| id.as_str())
}

/// What counts of parameters.
fn significant(method: &str, params: &Value) -> Value {
    match params {
        Value::Object(_) if method == "initialize" => {
            json!({"protocolVersion": params.get("protocolVersion")})
        }
        Value::Object(map) => {
            let mut map = map.clone();
            map.shift_remove("_meta");
            if map.is_empty() { Value::Null } else { sorted(&Value::Object(map)) }
        }
        other => other.clone(),
    }
}

/// The same value with its keys in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            Value::Object(keys.into_iter().map(|key| (key.clone(), sorted(&map[key]))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// What a message of the server is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// The requests that it answers, as JSON text.
    pub(super) answers: Vec<String>,
    /// The request whose progress it tells, or whose subscription it belongs to.
    pub(super) concerns: Option<String>,
    /// The server's own requests in it.
    pub(super) asks: Vec<String>,
}

impl Heard {
    pub(super) fn of(text: &str) -> Self {
        let mut heard = Self::default();
        let messages = match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(messages)) => messages,
            Ok(message) => vec![message],
            Err(_) => return heard,
        };
        for message in &messages {
            let id = message.get("id").filter(|id| !id.is_null()).map(ToString::to_string);
            match (message.get("method"), id) {
                (None, Some(id)) => heard.answers.push(id),
                (Some(_), Some(id)) => heard.asks.push(id),
                (_, None) => heard.concerns = place(message).map(ToString::to_string),
            }
        }
        heard
    }
}

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

fn place(message: &Value) -> Option<&Value> {
    let params = message.get("params")?;
    params.get("progressToken").or_else(|| params.get("_meta")?.get(SUBSCRIPTION))
}

/// The text with recorded ids of requests replaced by those of now; byte for byte the same where they are equal.
pub(super) fn renumbered(text: &str, now: &dyn Fn(&str) -> Option<Value>) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    let mut changed = false;
    let mut one = |message: &mut Value| {
        let asks = message.get("method").is_some();
        let mut put = |place: Option<&mut Value>| {
            let Some(place) = place else { return };
            if let Some(id) = now(&place.to_string()).filter(|id| id != place) {
                *place = id;
                changed = true;
            }
        };
        if !asks {
            put(message.get_mut("id"));
        } else if let Some(params) = message.get_mut("params") {
            put(params.get_mut("progressToken"));
            put(params.get_mut("_meta").and_then(|meta| meta.get_mut(SUBSCRIPTION)));
        }
    };
    match &mut value {
        Value::Array(messages) => messages.iter_mut().for_each(&mut one),
        message => one(message),
    }
    if changed { value.to_string() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: u32, args: &str, meta: &str) -> Said {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"t","arguments":{args}{meta}}}}}"#
        );
        Said::of("POST", &text)
    }

    #[test]
    fn requests_are_the_same_by_method_and_parameters() {
        let one = call(1, r#"{"a":1,"b":2}"#, "");
        assert!(one.is(&call(9, r#"{"b":2,"a":1}"#, r#","_meta":{"progressToken":9}"#)));
        assert!(!one.is(&call(1, r#"{"a":1,"b":3}"#, "")));
        assert_eq!(one.words(), "`tools/call` of `t`");
        let note = Said::of("POST", r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"t"}}"#);
        assert_eq!(note.kind, Kind::Notification);
        assert!(!one.is(&note));
        assert!(Said::of("GET", "").is(&Said::of("GET", "")));
        assert!(!Said::of("GET", "").is(&Said::of("DELETE", "")));
        let after = |id: &str| Said::of("GET", "").with(&[("Last-Event-ID".to_owned(), id.to_owned())]);
        assert!(after("1").is(&after("1")) && !after("1").is(&after("2")));
        assert!(!after("1").is(&Said::of("GET", "")) && one.clone().with(&[]).is(&one));
    }

    #[test]
    fn of_a_handshake_only_the_revision_counts() {
        let hello = |version: &str, name: &str| {
            let params = json!({"protocolVersion": version, "clientInfo": {"name": name}});
            Said::of("stdio", &json!({"id": 1, "method": "initialize", "params": params}).to_string())
        };
        assert!(hello("2025-11-25", "a").is(&hello("2025-11-25", "b")));
        assert!(!hello("2025-11-25", "a").is(&hello("2025-06-18", "a")));
    }

    #[test]
    fn ids_are_renumbered_and_nothing_else() {
        let now = |id: &str| (id == "3").then(|| json!(8));
        let odd = r#"{ "id": 4, "result": {"id": 3} }"#;
        assert_eq!(renumbered(odd, &now), odd);
        assert_eq!(renumbered(r#"{"id":3,"result":{"id":3}}"#, &now), r#"{"id":8,"result":{"id":3}}"#);
        let progress = r#"{"method":"notifications/progress","params":{"progressToken":3}}"#;
        assert!(renumbered(progress, &now).contains(r#""progressToken":8"#));
        let asks = r#"{"id":3,"method":"roots/list"}"#;
        assert_eq!(renumbered(asks, &now), asks);
        assert_eq!(renumbered("no json", &now), "no json");
    }
}
