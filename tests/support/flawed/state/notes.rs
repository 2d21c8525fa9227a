//! Notes: resources with an owner, also reached by id through a tool.

use serde_json::{Value, json};

use super::{Call, RpcError, failed, missing, now, said};
use crate::flawed::Answering;

/// One note.
pub(crate) struct Note {
    pub(super) id: String,
    pub(super) owner: &'static str,
    pub(super) name: &'static str,
    pub(super) text: String,
}

impl Note {
    pub(super) fn uri(&self) -> String {
        format!("notes://{}/{}", self.owner, self.name)
    }
}

/// The notes of everybody.
pub(super) fn seed() -> Vec<Note> {
    let names = [
        ("alice", ["diary", "letters", "plans", "poems", "songs"]),
        ("bob", ["bills", "drawings", "jokes", "recipes", "trips"]),
    ];
    let notes = names.into_iter().flat_map(|(owner, names)| names.map(|name| (owner, name)));
    notes
        .enumerate()
        .map(|(at, (owner, name))| Note {
            id: format!("note-{}", 1000 + at),
            owner,
            name,
            text: format!("the {name} of {owner}"),
        })
        .collect()
}

/// `get_note`.
pub(crate) fn get<'a>(call: &'a Call<'a>) -> Answering<'a> {
    let id = call.word("note");
    let kept = call.state().kept();
    let found = kept.notes.iter().find(|note| note.id == id && call.mine(note.owner, "G09"));
    now(Ok(match found {
        Some(note) => said(&note.text),
        None => failed(&format!("there is no note {id}")),
    }))
}

/// `resources/read` of a URI that begins with `notes://`.
pub(crate) fn read<'a>(call: &'a Call<'a>) -> Answering<'a> {
    now(found(call))
}

fn found(call: &Call<'_>) -> Result<Value, RpcError> {
    let wanted = call.text("uri");
    let below = wanted.starts_with(&format!("notes://{}/", call.user.subject));
    let climbs = below && call.server.broken("G10.traversal");
    let uri = if climbs { resolved(wanted) } else { wanted.to_owned() };
    let kept = call.state().kept();
    let absent = || missing(call.era, &format!("there is no resource {wanted}"));
    let note = kept.notes.iter().find(|note| note.uri() == uri).ok_or_else(absent)?;
    if climbs || call.mine(note.owner, "G10") {
        return Ok(json!({"contents": [{"uri": wanted, "mimeType": "text/plain", "text": note.text}]}));
    }
    Err(match call.server.broken("G10.oracle") {
        true => RpcError::new(400, -32603, &format!("{wanted} is not yours")),
        false => absent(),
    })
}

/// A URI with the steps upwards taken.
fn resolved(uri: &str) -> String {
    let decoded = uri.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/").replace("%2F", "/");
    let path = decoded.strip_prefix("notes://").unwrap_or(&decoded);
    let mut parts: Vec<&str> = vec![];
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("notes://{}", parts.join("/"))
}
