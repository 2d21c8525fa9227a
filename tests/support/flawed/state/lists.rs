//! Resources in pages, whose cursors belong to somebody, and completions of one's own names.

use serde_json::{Value, json};

use super::{Call, Era, RpcError};

/// How many resources a page holds.
const PAGE: usize = 3;

/// The template of all notes.
pub(crate) const TEMPLATE: &str = "notes://{user}/{name}";

/// A page of what everybody sees and of one's own notes.
pub(crate) fn resources(call: &Call<'_>, common: Vec<Value>) -> Result<Value, RpcError> {
    let (owner, from) = match call.params["cursor"].as_str() {
        None => (call.user.subject.clone(), 0),
        Some(cursor) => opened(call, cursor).ok_or_else(|| RpcError::invalid("unknown cursor"))?,
    };
    let mut all = common;
    let kept = call.state().kept();
    let own = kept.notes.iter().filter(|note| note.owner == owner);
    all.extend(own.map(|note| json!({"uri": note.uri(), "name": note.name, "mimeType": "text/plain"})));
    let to = (from + PAGE).min(all.len());
    let mut result = json!({"resources": all[from.min(to)..to]});
    if to < all.len() {
        result["nextCursor"] = json!(call.state().seal(&format!("{owner} {to}")));
    }
    if call.era == Era::Modern {
        result["cacheScope"] = json!(if call.server.broken("G15") { "public" } else { "private" });
    }
    Ok(result)
}

fn opened(call: &Call<'_>, cursor: &str) -> Option<(String, usize)> {
    let plain = call.state().unseal(cursor)?;
    let (owner, from) = plain.split_once(' ')?;
    call.mine(owner, "G11").then_some((owner.to_owned(), from.parse().ok()?))
}

/// The names of one's own notes that begin so.
pub(crate) fn complete(call: &Call<'_>) -> Value {
    let begun = call.params["argument"]["value"].as_str().unwrap_or_default();
    let kept = call.state().kept();
    let values: Vec<&str> = kept
        .notes
        .iter()
        .filter(|note| note.name.starts_with(begun) && call.mine(note.owner, "G14"))
        .map(|note| note.name)
        .collect();
    json!({"completion": {"values": values, "hasMore": false}})
}
