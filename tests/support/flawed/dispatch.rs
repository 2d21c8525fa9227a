//! Methods by name: one table for all families.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::{Server, User, basics, state, tools};

/// Everything that can be asked for; every family has its own rows.
pub(crate) const TABLE: &[&[Row]] = &[basics::ROWS, tools::ROWS, state::ROWS];

/// One method.
pub(crate) struct Row {
    /// Its name.
    pub(crate) method: &'static str,
    /// Where it exists; empty for both.
    pub(crate) only: Option<Era>,
    /// Answers it.
    pub(crate) answer: Handler,
}

/// Answers a request.
pub(crate) type Handler = for<'a> fn(&'a Call<'a>) -> Answering<'a>;

/// An answer to come.
pub(crate) type Answering<'a> = BoxFuture<'a, Result<Reply, RpcError>>;

/// The two ways to speak MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// 2025-11-25 and before, with a handshake and sessions.
    Legacy,
    /// 2026-07-28.
    Modern,
}

/// One request of somebody who was let in.
pub(crate) struct Call<'a> {
    /// The server.
    pub(crate) server: &'a Arc<Server>,
    /// Who asks.
    pub(crate) user: &'a User,
    /// How.
    pub(crate) era: Era,
    /// The id of the request.
    pub(crate) id: &'a Value,
    /// The method.
    pub(crate) method: &'a str,
    /// `params`, an object.
    pub(crate) params: &'a Value,
    /// The legacy session.
    pub(crate) session: Option<&'a str>,
    /// The token as it came; only the flaws that pass it on look at it.
    pub(crate) bearer: &'a str,
}

/// What comes back.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A result; the result type and the hints are added where the revision wants them.
    Result(Value),
    /// Whole JSON-RPC messages on a stream that stays open until the sender goes.
    Stream(tokio::sync::mpsc::Receiver<Value>),
}

/// A refusal.
#[derive(Debug)]
pub(crate) struct RpcError {
    /// The HTTP status of the modern revision; legacy answers with 200, except for 403.
    pub(crate) status: u16,
    /// The JSON-RPC code.
    pub(crate) code: i64,
    /// For people.
    pub(crate) message: String,
    /// For programs.
    pub(crate) data: Option<Box<Value>>,
    /// The scopes that the request needs: becomes a challenge.
    pub(crate) scopes: Vec<&'static str>,
}

impl RpcError {
    /// A refusal with this code.
    pub(crate) fn new(status: u16, code: i64, message: &str) -> Self {
        Self { status, code, message: message.to_owned(), data: None, scopes: vec![] }
    }

    /// -32602: what was asked for makes no sense, or is none of the asker's business.
    pub(crate) fn invalid(message: &str) -> Self {
        Self::new(400, -32602, message)
    }

    /// 403: the token lacks scopes; `scopes` are all that the request needs.
    pub(crate) fn scope(scopes: &[&'static str]) -> Self {
        Self { scopes: scopes.to_vec(), ..Self::new(403, -32003, "insufficient scope") }
    }
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Self::Result(value)
    }
}

impl Call<'_> {
    /// A text argument of the request.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.params[name].as_str().unwrap_or_default()
    }

    /// An argument of a tool.
    pub(crate) fn argument(&self, name: &str) -> &Value {
        &self.params["arguments"][name]
    }
}

/// Answers one request.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Reply, RpcError> {
    call.server.permit(call.user, "mcp:read")?;
    let row = TABLE
        .iter()
        .copied()
        .flatten()
        .find(|row| row.method == call.method && row.only.is_none_or(|only| only == call.era));
    let Some(row) = row else {
        return Err(RpcError::new(404, -32601, "there is no such method"));
    };
    match ((row.answer)(call).await?, call.era) {
        (Reply::Result(mut result), Era::Modern) => {
            complete(call.method, &mut result);
            state::outside::leak(call, &mut result);
            Ok(Reply::Result(result))
        }
        (Reply::Result(mut result), Era::Legacy) => {
            state::outside::leak(call, &mut result);
            Ok(Reply::Result(result))
        }
        (reply, _) => Ok(reply),
    }
}

/// What every result of the modern revision holds.
fn complete(method: &str, result: &mut Value) {
    let cacheable = [
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
    ];
    let Some(result) = result.as_object_mut() else { return };
    let completed = result.entry("resultType").or_insert(json!("complete")) == "complete";
    if completed && cacheable.contains(&method) {
        result.entry("ttlMs").or_insert(json!(0));
        result.entry("cacheScope").or_insert(json!("private"));
    }
    let meta = result.entry("_meta").or_insert(json!({}));
    meta["io.modelcontextprotocol/serverInfo"] = json!({"name": "flawed", "version": "1"});
}

impl Server {
    /// Whether a user may do what needs this scope. The admin scope includes the reader's.
    pub(crate) fn permit(&self, user: &User, scope: &'static str) -> Result<(), RpcError> {
        let has = |wanted: &str| {
            user.scopes.iter().any(|held| {
                held == wanted
                    || self.broken("F02") && held.starts_with(wanted)
                    || self.broken("F02.case") && held.eq_ignore_ascii_case(wanted)
            })
        };
        let broader = !self.broken("F06") && has("mcp:admin");
        let expected = ["mcp:read", "mcp:admin", "mcp:read mcp:admin"].contains(&user.written.as_str());
        let crowded = self.broken("F03") && !expected;
        let allowed = has(scope) || scope == "mcp:read" && broader;
        if self.broken("F01") && scope == "mcp:read" || allowed && !crowded {
            return Ok(());
        }
        Err(RpcError::scope(match scope {
            // Something else first, and only to whoever has that the truth.
            "mcp:admin" if self.broken("F05") && !has("mcp:write") => &["mcp:write"],
            "mcp:admin" => &["mcp:read", "mcp:admin"],
            _ => &["mcp:read"],
        }))
    }
}
