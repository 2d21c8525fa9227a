//! The handshake, discovery, prompts, resources and completion.

use futures::FutureExt;
use serde_json::{Value, json};

use super::dispatch::Handler;
use super::state;
use super::{Answering, Call, Era, Row, RpcError};

const fn row(method: &'static str, only: Option<Era>, answer: Handler) -> Row {
    Row { method, only, answer }
}

pub(crate) const ROWS: &[Row] = &[
    row("initialize", Some(Era::Legacy), initialize),
    row("ping", Some(Era::Legacy), |_| async { Ok(json!({}).into()) }.boxed()),
    row("server/discover", Some(Era::Modern), discover),
    row("prompts/list", None, prompts),
    row("prompts/get", None, prompt),
    row("resources/list", None, resources),
    row("resources/templates/list", None, templates),
    row("resources/read", None, read),
    row("completion/complete", None, complete),
];

/// Every resource; every family has its own.
pub(crate) const RESOURCES: &[&[Resource]] = &[OWN, state::RESOURCES];

/// A resource, or all whose URI begins so.
pub(crate) struct Resource {
    /// The URI; with a slash at the end everything below it.
    pub(crate) uri: &'static str,
    /// Whether `resources/list` shows it.
    pub(crate) listed: bool,
    /// What a reader needs.
    pub(crate) scope: &'static str,
    /// Answers `resources/read` with the whole result.
    pub(crate) read: Handler,
}

const OWN: &[Resource] = &[
    Resource { uri: "note://welcome", listed: true, scope: "mcp:read", read: |call| text(call, "welcome") },
    Resource { uri: "note://ledger", listed: true, scope: "mcp:admin", read: |call| text(call, "all sums") },
];

/// A resource of plain text.
pub(crate) fn text<'a>(call: &'a Call<'a>, text: &'static str) -> Answering<'a> {
    async move { Ok(json!({"contents": [{"uri": call.text("uri"), "text": text}]}).into()) }.boxed()
}

fn capabilities() -> Value {
    json!({
        "tools": {}, "prompts": {}, "completions": {},
        "resources": {"subscribe": true},
        "extensions": {"io.modelcontextprotocol/tasks": {}},
    })
}

fn initialize<'a>(call: &'a Call<'a>) -> Answering<'a> {
    async move {
        let version = match call.text("protocolVersion") {
            _ if call.server.broken("mode.2025-03-26") => "2025-03-26",
            known @ ("2025-03-26" | "2025-06-18") => known,
            _ => "2025-11-25",
        };
        Ok(json!({
            "protocolVersion": version, "capabilities": capabilities(),
            "serverInfo": {"name": "flawed", "version": "1"},
        })
        .into())
    }
    .boxed()
}

fn discover<'a>(call: &'a Call<'a>) -> Answering<'a> {
    async move {
        let versions = match call.server.broken("mode.modern") {
            true => vec!["2026-07-28"],
            false => vec!["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"],
        };
        Ok(json!({"supportedVersions": versions, "capabilities": capabilities()}).into())
    }
    .boxed()
}

/// Prompts and what getting them needs.
const PROMPTS: &[(&str, &str)] = &[("greet", "mcp:read"), ("audit", "mcp:admin")];

/// The guard of everything that belongs to the guarded tool.
fn permit_beside(call: &Call<'_>, scope: &'static str) -> Result<(), RpcError> {
    match call.server.broken("F08") {
        true => Ok(()),
        false => call.server.permit(call.user, scope),
    }
}

fn prompts<'a>(_: &'a Call<'a>) -> Answering<'a> {
    async move {
        let list: Vec<Value> = PROMPTS
            .iter()
            .map(|(name, _)| json!({"name": name, "arguments": [{"name": "who", "required": false}]}))
            .collect();
        Ok(json!({"prompts": list}).into())
    }
    .boxed()
}

fn prompt<'a>(call: &'a Call<'a>) -> Answering<'a> {
    async move {
        let found = PROMPTS.iter().find(|(name, _)| *name == call.text("name"));
        let (name, scope) = found.ok_or_else(|| RpcError::invalid("there is no such prompt"))?;
        permit_beside(call, scope)?;
        let text = json!({"type": "text", "text": format!("Please {name}.")});
        Ok(json!({"messages": [{"role": "user", "content": text}]}).into())
    }
    .boxed()
}

fn templates<'a>(_: &'a Call<'a>) -> Answering<'a> {
    let template = json!({"uriTemplate": state::lists::TEMPLATE, "name": "note"});
    async move { Ok(json!({"resourceTemplates": [template]}).into()) }.boxed()
}

fn resources<'a>(call: &'a Call<'a>) -> Answering<'a> {
    async move {
        let list: Vec<Value> = RESOURCES
            .iter()
            .copied()
            .flatten()
            .filter(|one| one.listed)
            .map(|one| json!({"uri": one.uri, "name": one.uri, "mimeType": "text/plain"}))
            .collect();
        Ok(state::lists::resources(call, list)?.into())
    }
    .boxed()
}

fn read<'a>(call: &'a Call<'a>) -> Answering<'a> {
    async move {
        let wanted = call.text("uri");
        let fits =
            |one: &&Resource| one.uri == wanted || one.uri.ends_with('/') && wanted.starts_with(one.uri);
        let found = RESOURCES.iter().copied().flatten().find(fits);
        let Some(found) = found else {
            return Err(match call.era {
                Era::Legacy => RpcError::new(404, -32002, "there is no such resource"),
                Era::Modern => RpcError::invalid("there is no such resource"),
            });
        };
        permit_beside(call, found.scope)?;
        (found.read)(call).await
    }
    .boxed()
}

fn complete<'a>(call: &'a Call<'a>) -> Answering<'a> {
    async move {
        let reference = &call.params["ref"];
        if reference["uri"] == state::lists::TEMPLATE {
            return Ok(state::lists::complete(call).into());
        }
        let scope = PROMPTS.iter().find(|(name, _)| reference["name"] == *name).map(|(_, scope)| *scope);
        let uri = RESOURCES.iter().copied().flatten().find(|one| reference["uri"] == one.uri);
        let scope = scope.or(uri.map(|one| one.scope));
        permit_beside(call, scope.ok_or_else(|| RpcError::invalid("there is no such reference"))?)?;
        Ok(json!({"completion": {"values": ["world"], "hasMore": false}}).into())
    }
    .boxed()
}
