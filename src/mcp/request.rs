//! Requests as they leave: parameters, `_meta`, and the headers that repeat both.
//!
//! Since 2026-07-28 every request says in which revision it speaks, who asks and what the client can do; before, only
//! `initialize` did. The same code writes both.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::jsonrpc;
use super::labels::Id;
use super::line::Letter;
use super::mirror;
use super::revision::{Era, Revision};
use super::terms::Terms;

/// What every modern request says of the client.
#[derive(Clone)]
pub(super) struct Voice {
    pub revision: &'static Revision,
    info: Box<RawValue>,
    capabilities: Box<RawValue>,
    header: Option<&'static str>,
    log_level: Option<String>,
}

impl Voice {
    /// The client of these terms, speaking a revision.
    pub(super) fn new(terms: &Terms, revision: &'static Revision) -> Self {
        Self {
            revision,
            info: raw(&terms.info),
            capabilities: raw(&terms.capabilities),
            header: terms.version_header,
            log_level: terms.log_level.clone(),
        }
    }

    /// The same, asking for log messages from a level on.
    pub(super) fn hearing(&self, level: &str) -> Self {
        Self { log_level: Some(level.to_owned()), ..self.clone() }
    }
}

fn raw<T: Serialize>(value: &T) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_default()
}

/// A request to be sent, possibly more than once, each time with a new id.
pub(super) struct Request<'a, P> {
    pub method: &'a str,
    /// An object, or nothing.
    pub params: Option<&'a P>,
    /// Parameters that are no object have no place for `_meta`; they are sent as they are.
    pub bare: bool,
    /// The caller's own `_meta`.
    pub meta: Option<&'a Map<String, Value>>,
    /// Whether progress is asked for.
    pub progress: bool,
    /// What `Mcp-Name` repeats.
    pub name: Option<&'a str>,
    /// Further headers of 2026-07-28.
    pub mirrored: &'a [(String, String)],
}

impl<'a, P: Serialize> Request<'a, P> {
    /// A request with nothing but parameters.
    pub(super) fn new(method: &'a str, params: Option<&'a P>) -> Self {
        Self { method, params, bare: false, meta: None, progress: false, name: None, mirrored: &[] }
    }

    /// The same with the value of `Mcp-Name`.
    pub(super) fn named(self, name: Option<&'a str>) -> Self {
        Self { name, ..self }
    }

    /// The message with its headers. Without a voice it is a message of the older era.
    pub(super) fn letter(&self, id: &Id, voice: Option<&Voice>) -> Letter {
        let meta = Meta { voice, own: self.meta, progress: self.progress.then_some(id) };
        let text = if self.bare || meta.is_empty() {
            jsonrpc::request(id, self.method, self.params)
        } else {
            jsonrpc::request(id, self.method, Some(Enveloped { params: self.params, meta }))
        };
        let mut headers = Vec::new();
        if let Some(voice) = voice {
            let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            headers.extend(voice.header.map(|name| header("mcp-protocol-version", name)));
            headers.push(header("mcp-method", self.method));
            headers.extend(self.name.map(|name| header("mcp-name", &mirror::encoded(name))));
            headers.extend_from_slice(self.mirrored);
        }
        Letter { id: id.number, text, headers, era: voice.map_or(Era::Legacy, |_| Era::Modern) }
    }
}

/// What `Mcp-Name` repeats of parameters, for methods that have it.
pub(super) fn name_of<'a>(method: &str, params: &'a Value) -> Option<&'a str> {
    let key = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        _ if method.starts_with("tasks/") => "taskId",
        _ => return None,
    };
    params.get(key)?.as_str()
}

#[derive(Serialize)]
struct Enveloped<'a, P: Serialize> {
    #[serde(flatten)]
    params: Option<&'a P>,
    #[serde(rename = "_meta")]
    meta: Meta<'a>,
}

struct Meta<'a> {
    voice: Option<&'a Voice>,
    own: Option<&'a Map<String, Value>>,
    progress: Option<&'a Id>,
}

impl Meta<'_> {
    fn is_empty(&self) -> bool {
        self.voice.is_none() && self.progress.is_none() && self.own.is_none_or(Map::is_empty)
    }
}

impl Serialize for Meta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const PREFIX: &str = "io.modelcontextprotocol/";
        let mut map = serializer.serialize_map(None)?;
        let own = self.own.into_iter().flatten();
        // What the protocol reserves is said by the client alone.
        let reserved = |key: &str| self.voice.is_some() && key.starts_with(PREFIX);
        for (key, value) in own.filter(|(key, _)| !reserved(key) && *key != "progressToken") {
            map.serialize_entry(key, value)?;
        }
        if let Some(voice) = self.voice {
            map.serialize_entry("io.modelcontextprotocol/protocolVersion", voice.revision.name)?;
            map.serialize_entry("io.modelcontextprotocol/clientInfo", &voice.info)?;
            map.serialize_entry("io.modelcontextprotocol/clientCapabilities", &voice.capabilities)?;
            if let Some(level) = &voice.log_level {
                map.serialize_entry("io.modelcontextprotocol/logLevel", level)?;
            }
        }
        let token = self.own.and_then(|own| own.get("progressToken"));
        match (self.progress, token) {
            (Some(id), _) => map.serialize_entry("progressToken", id)?,
            (None, Some(token)) => map.serialize_entry("progressToken", token)?,
            (None, None) => {}
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::revision::{Choice, MODERN};
    use super::super::terms::{Over, Pace};
    use super::*;
    use crate::mcp::ClientProfile;

    fn voice() -> Voice {
        let terms = Terms::of(&ClientProfile::reference(), Over::Http, (Choice::Auto, Pace::default()));
        let info = json!({"name": "c", "version": "1"});
        Voice::new(&Terms { info, capabilities: Map::new(), ..terms }, MODERN)
    }

    #[test]
    fn a_modern_request_says_who_asks() {
        let params = json!({"name": "a b ", "arguments": {"z": 1, "a": 2}});
        let request = Request { progress: true, ..Request::new("tools/call", Some(&params)) };
        let letter = request.named(name_of("tools/call", &params)).letter(&7.into(), Some(&voice()));
        assert_eq!(
            letter.text,
            concat!(
                r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a b ","arguments":{"z":1,"a":2},"#,
                r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","#,
                r#""io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"#,
                r#""io.modelcontextprotocol/clientCapabilities":{},"progressToken":7}}}"#
            )
        );
        let headers: Vec<String> =
            letter.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            headers,
            ["mcp-protocol-version: 2026-07-28", "mcp-method: tools/call", "mcp-name: =?base64?YSBiIA==?="]
        );
    }

    #[test]
    fn an_older_request_says_only_what_it_asks() {
        let letter = Request::new("tools/list", None::<&Value>).letter(&1.into(), None);
        assert_eq!(letter.text, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        assert_eq!(letter.headers, []);
        let params = json!({"name": "t"});
        let own = json!({"a": 1, "progressToken": "mine"});
        let request = Request { meta: own.as_object(), ..Request::new("tools/call", Some(&params)) };
        assert!(
            request
                .letter(&1.into(), None)
                .text
                .ends_with(r#"{"name":"t","_meta":{"a":1,"progressToken":"mine"}}}"#)
        );
    }

    #[test]
    fn requests_without_parameters_still_carry_meta() {
        for params in [None, Some(json!({}))] {
            let letter = Request::new("tools/list", params.as_ref()).letter(&1.into(), Some(&voice()));
            assert!(
                letter.text.contains(r#""params":{"_meta":{"io.modelcontextprotocol/"#),
                "{}",
                letter.text
            );
        }
    }

    #[test]
    fn nobody_else_speaks_for_the_client() {
        let own = json!({"io.modelcontextprotocol/protocolVersion": "1999", "traceparent": "00-1"});
        let request = Request { meta: own.as_object(), ..Request::new("x", None::<&Value>) };
        let text = request.letter(&1.into(), Some(&voice())).text;
        assert!(text.contains("traceparent") && !text.contains("1999"), "{text}");
    }
}
