//! The file of a server tape: one JSON object per line.
//!
//! The first line says what the file is and where the target was. A line with `session` begins a session and says whose
//! it was; a line with `of` is what happened in one, in order. Every line is sealed with the digest of the line without
//! its seal. A last line that was broken off is left out and reported; any other damage makes the tape unusable.

use serde_json::{Map, Value, json};

use super::message::Said;
use super::track::{About, Item, Track};
use crate::ids::Digest;
use crate::transcript::WireMessage;

/// The number of the format of server tapes. Readers accept every number up to this one.
pub const SCHEMA: u32 = 1;

/// What the first line says the file is.
const KIND: &str = "server traffic";

/// What is on a tape.
pub(super) struct Contents {
    /// The URL of the target; none over standard streams.
    pub(super) url: Option<String>,
    pub(super) tracks: Vec<Track>,
    pub(super) torn: bool,
}

/// Writes a tape.
pub(super) fn write(url: Option<&str>, sessions: &[(About, Vec<(u32, Item)>)]) -> String {
    let by = format!("rehearsal {}", env!("CARGO_PKG_VERSION"));
    let mut text = sealed(json!({"tape": KIND, "schema": SCHEMA, "by": by, "url": url}));
    for (index, (about, items)) in sessions.iter().enumerate() {
        let session = index + 1;
        let mut head = json!({"session": session});
        extend(&mut head, serde_json::to_value(about));
        text += &sealed(head);
        let mut era = None;
        for (seq, item) in items {
            let mut line = json!({"of": session, "seq": seq});
            if let Item::Wire(message) = item {
                describe(&mut line, message, &mut era);
            }
            extend(&mut line, serde_json::to_value(item));
            text += &sealed(line);
        }
    }
    text
}

/// Direction, revision, method and digest of the parameters: what people and diffs look for.
fn describe(line: &mut Value, message: &WireMessage, era: &mut Option<String>) {
    let (direction, body) = match message {
        WireMessage::Sent { body, .. } => ("to the target", body),
        WireMessage::Received { body, .. } => ("from the target", body),
    };
    line["direction"] = direction.into();
    let text = body.to_text();
    let whole: Value = serde_json::from_str(&text).unwrap_or_default();
    let spoken = whole
        .pointer("/params/_meta/io.modelcontextprotocol~1protocolVersion")
        .or_else(|| whole.pointer("/result/protocolVersion"))
        .and_then(Value::as_str);
    if let Some(spoken) = spoken {
        *era = Some(spoken.to_owned());
    }
    if let Some(era) = era {
        line["revision"] = era.as_str().into();
    }
    if let WireMessage::Sent { via, headers, .. } = message {
        let said = Said::of(via, &text).with(headers);
        line["method"] = said.method.into();
        line["params"] = said.params.to_string().into();
    }
}

fn extend(line: &mut Value, with: serde_json::Result<Value>) {
    if let (Some(line), Ok(Value::Object(with))) = (line.as_object_mut(), with) {
        line.extend(with);
    }
}

fn sealed(mut line: Value) -> String {
    let seal = Digest::of_json(&line).to_string();
    line["seal"] = seal.into();
    format!("{line}\n")
}

/// Reads a tape.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, String> {
    let mut url = None;
    let mut torn = false;
    let mut sessions: Vec<(About, Vec<(u32, Item)>)> = vec![];
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if !line.ends_with(b"\n") {
            // Only what a process wrote last can be unfinished.
            torn = true;
            break;
        }
        let at = |why: &str| format!("is broken at line {}: {why}", index + 1);
        let mut map = unsealed(line).map_err(|why| at(&why))?;
        if index == 0 {
            url = first(&map).map_err(|why| at(&why))?;
            continue;
        }
        if let Some(number) = map.shift_remove("session").and_then(|number| number.as_u64()) {
            if number != sessions.len() as u64 + 1 {
                return Err(at("the number of this session is out of order"));
            }
            let about = serde_json::from_value(Value::Object(map));
            sessions.push((about.map_err(|error| at(&error.to_string()))?, vec![]));
            continue;
        }
        let of = map.get("of").and_then(Value::as_u64).and_then(|of| usize::try_from(of).ok());
        let Some((_, items)) = of.and_then(|of| sessions.get_mut(of.checked_sub(1)?)) else {
            return Err(at("it belongs to no session"));
        };
        let seq = map.get("seq").and_then(Value::as_u64).and_then(|seq| u32::try_from(seq).ok());
        map.retain(|key, _| matches!(key.as_str(), "wire" | "beside" | "fault"));
        let item = serde_json::from_value(Value::Object(map)).map_err(|error| at(&error.to_string()))?;
        items.push((seq.unwrap_or_default(), item));
    }
    if sessions.is_empty() {
        return Err("holds no session".to_owned());
    }
    let tracks = sessions.into_iter().map(|(about, items)| Track::new(about, items)).collect();
    Ok(Contents { url, tracks, torn })
}

fn unsealed(line: &[u8]) -> Result<Map<String, Value>, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("no JSON ({error})"))?;
    let Value::Object(mut map) = value else { return Err("no object".to_owned()) };
    let seal = map.shift_remove("seal");
    if seal.as_ref().and_then(Value::as_str) != Some(Digest::of_json(&map).to_string().as_str()) {
        return Err("its digest is another one".to_owned());
    }
    Ok(map)
}

fn first(map: &Map<String, Value>) -> Result<Option<String>, String> {
    match (map.get("tape").and_then(Value::as_str), map.get("schema").and_then(Value::as_u64)) {
        (Some(KIND), Some(schema)) if schema <= u64::from(SCHEMA) => {
            Ok(map.get("url").and_then(Value::as_str).map(str::to_owned))
        }
        (Some(KIND), Some(schema)) => {
            Err(format!("format {schema} is newer than {SCHEMA}, the newest known here"))
        }
        _ => Err(format!("it does not begin as a tape of {KIND} does")),
    }
}
