//! What a suite says of its target that no probe can guess: which call is harmless, whose order this is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::units::Period;

pub use owned::{AskFact, CompleteFact, HandleFact, ObjectFact, ObjectId, OpenCall, WatchFact};

mod owned;

/// Facts about a target, all optional. A check that needs one that is missing does not apply, and says which.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// MCP methods that anybody may call, by design, such as `tools/list`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anonymous: Vec<String>,
    /// A call that changes nothing. Token checks try it besides the list of tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harmless: Option<ToolUse>,
    /// A call that the weaker persona may not make. Where a refusal could be about its arguments, and where scopes are
    /// asked for step by step, the first persona makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guarded: Option<ToolUse>,
    /// Other requests that the weaker persona may not make, such as `resources/read` of what that call shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guarded_requests: Vec<RequestUse>,
    /// Whether tokens for the whole origin are meant to be accepted (`aud` is the origin).
    #[serde(default, skip_serializing_if = "is_false")]
    pub origin_is_resource: bool,
    /// Whether the target asks the embedded issuer about every token (RFC 7662).
    #[serde(default, skip_serializing_if = "is_false")]
    pub introspection: bool,
    /// How long after a change of the issuer's keys a token with the new key may still be refused. Default: 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Period>,
    /// Whether the target must not trust the embedded issuer; then its tokens are sent to be refused, and to no other
    /// end. For production.
    #[serde(default, skip_serializing_if = "is_false")]
    pub untrusted: bool,
    /// Whether browsers are meant to call the target, so that CORS must work.
    #[serde(default, skip_serializing_if = "is_false")]
    pub browser_clients: bool,
    /// The origin of their pages, such as `https://inspector.example`. Default: that of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser_origin: Option<String>,
    /// Whether clients get their id by arrangement, neither by registration nor by metadata documents.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pre_registered: bool,
    /// The scopes that the plainest use needs; a challenge that asks for more asks for too much.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// A scope that includes the first of `scopes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broader_scope: Option<String>,
    /// A tool that makes a handle for its caller, and one that uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<HandleFact>,
    /// An object of the first persona that a tool reads by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectFact>,
    /// A resource that only the first persona may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// A tool that answers `input_required` before it acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<AskFact>,
    /// A call that becomes a task. It is cancelled afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<ToolUse>,
    /// A resource of the first persona that can be subscribed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchFact>,
    /// A completion that offers own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<CompleteFact>,
    /// A tool that repeats a text in its result and changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<OpenCall>,
    /// A call that makes the target ask its upstream, whose base URL is set to `${issuer.upstream}` for the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<ToolUse>,
    /// Whether a server over standard streams lists its tools without a credential, by design.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lists_without_credential: bool,
    /// Whether the authorization server belongs to the target though it is at another origin.
    #[serde(default, skip_serializing_if = "is_false")]
    pub embedded_server: bool,
    /// Parameters of an authorization request that make the target's own server consent without a page, such as
    /// `login_hint`. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub consent: BTreeMap<String, String>,
    /// For how long at most a code of the target's own server may be redeemed, ten minutes at most. One check waits that
    /// long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_life: Option<Period>,
    /// Whether the target's own server fetches the metadata documents of clients from the embedded issuer, though it is
    /// on this machine.
    #[serde(default, skip_serializing_if = "is_false")]
    pub client_documents: bool,
    /// A tool that fetches a URL it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch: Option<OpenCall>,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolUse {
    /// The tool.
    pub tool: String,
    /// Its arguments. Default: none.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub args: Map<String, Value>,
}

/// A request of any method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestUse {
    /// The method.
    pub method: String,
    /// Its parameters. Default: none.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Facts {
    /// Whether a fact is given, by the name of its key: `scopes`, `ask.effect`.
    pub fn has(&self, key: &str) -> bool {
        let pointer = format!("/{}", key.replace('.', "/"));
        serde_json::to_value(self).is_ok_and(|facts| facts.pointer(&pointer).is_some())
    }
}

impl ToolUse {
    /// The parameters of `tools/call`.
    pub fn params(&self) -> Value {
        serde_json::json!({"name": self.tool, "arguments": self.args})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_there_when_it_says_something() {
        let facts: Facts = serde_json::from_str(r#"{"harmless": {"tool": "ping"}, "scopes": []}"#).unwrap();
        assert!(facts.has("harmless"));
        for absent in ["scopes", "guarded", "browser_clients", "nonsense", "harmless.args"] {
            assert!(!facts.has(absent), "{absent}");
        }
        assert!(facts.has("harmless.tool"));
        let call = serde_json::json!({"name": "ping", "arguments": {}});
        assert_eq!(facts.harmless.unwrap().params(), call);
    }
}
