//! `tools/list` and `tools/call`, and the tools without a state.

use futures::FutureExt;
use serde_json::{Value, json};

use super::dispatch::Handler;
use super::state;
use super::{Answering, Call, Row, RpcError};

pub(crate) const ROWS: &[Row] = &[
    Row { method: "tools/list", only: None, answer: list },
    Row { method: "tools/call", only: None, answer: call_tool },
];

/// Every tool; every family has its own.
pub(crate) const TABLE: &[&[Tool]] = &[OWN, state::TOOLS];

/// A tool.
pub(crate) struct Tool {
    /// Its name.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) about: &'static str,
    /// What a caller needs.
    pub(crate) scope: &'static str,
    /// Whether it only reads.
    pub(crate) reads: bool,
    /// The schema of its arguments.
    pub(crate) input: fn() -> Value,
    /// Answers `tools/call` with the whole result.
    pub(crate) call: Handler,
}

const OWN: &[Tool] = &[
    Tool {
        name: "whoami",
        about: "Says who you are",
        scope: "mcp:read",
        reads: true,
        input: || json!({"type": "object", "properties": {}}),
        call: whoami,
    },
    Tool {
        name: "forecast",
        about: "The weather of a region",
        scope: "mcp:read",
        reads: true,
        input: || {
            json!({"type": "object", "required": ["region"], "properties": {
            "region": {"type": "string", "x-mcp-header": "Region", "enum": ["north", "south"]}}})
        },
        call: forecast,
    },
    Tool {
        name: "purge",
        about: "Removes everything",
        scope: "mcp:admin",
        reads: false,
        input: || json!({"type": "object", "properties": {}}),
        call: purge,
    },
];

/// A result of one text.
pub(crate) fn text(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

pub(crate) fn find(name: &str) -> Option<&'static Tool> {
    TABLE.iter().copied().flatten().find(|tool| tool.name == name)
}

fn list<'a>(call: &'a Call<'a>) -> Answering<'a> {
    async move {
        let mut list: Vec<Value> = TABLE
            .iter()
            .copied()
            .flatten()
            .map(|tool| {
                json!({
                    "name": tool.name, "description": tool.about, "inputSchema": (tool.input)(),
                    "annotations": {"readOnlyHint": tool.reads},
                })
            })
            .collect();
        state::carts::unsettle(call, &mut list);
        Ok(json!({"tools": list}).into())
    }
    .boxed()
}

fn call_tool<'a>(call: &'a Call<'a>) -> Answering<'a> {
    async move {
        let tool = find(call.text("name")).ok_or_else(|| RpcError::invalid("there is no such tool"))?;
        if !call.server.broken("F04") {
            call.server.permit(call.user, tool.scope)?;
        }
        state::carts::counted(call);
        (tool.call)(call).await
    }
    .boxed()
}

fn whoami<'a>(call: &'a Call<'a>) -> Answering<'a> {
    async move { Ok(text(&call.user.subject).into()) }.boxed()
}

fn forecast<'a>(call: &'a Call<'a>) -> Answering<'a> {
    async move {
        match call.argument("region").as_str() {
            Some(region) => Ok(text(&format!("sun in the {region}")).into()),
            None => Err(RpcError::invalid("`region` is missing")),
        }
    }
    .boxed()
}

fn purge<'a>(_: &'a Call<'a>) -> Answering<'a> {
    async move { Ok(text("removed").into()) }.boxed()
}
