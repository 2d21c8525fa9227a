//! The file of a tape: one JSON object per line, only ever added to.
//!
//! The first line says what the file is. A line with `part` is a piece of requests, known by the digest of its value; a
//! line with `call` is a call, with the digests of the pieces it consists of, and a seal: the digest of the line without
//! it. A last line that was broken off, as when a process is killed, is left out and reported; any other line that
//! cannot be read, or whose digest is wrong, makes the tape unusable.

#![expect(clippy::disallowed_methods, reason = "owns the files of tapes")]

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::asked::{Asked, Parts};
use crate::ids::Digest;
use crate::llm::ChatReply;
use crate::transcript::{Fault, Side};

/// The number of the format of tapes. Readers accept every number up to this one.
pub const SCHEMA: u32 = 1;

/// What the first line says the file is.
const KIND: &str = "model calls";

/// The largest tape that is read, in bytes.
const LARGEST: u64 = 1 << 30;

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Call {
    /// What it is known by.
    pub(super) call: String,
    /// The same, whoever answers.
    pub(super) loosely: String,
    pub(super) role: String,
    pub(super) model: String,
    pub(super) place: String,
    pub(super) definition: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) system: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<String>,
    pub(super) messages: Vec<String>,
    pub(super) rest: Value,
    /// Attempts that failed, as the transcript has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) attempts: Vec<Value>,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Reply(Box<ChatReply>),
    Fault(Fault),
}

/// What a file holds.
#[derive(Default)]
pub(super) struct Read {
    pub(super) calls: Vec<Call>,
    pub(super) parts: Parts,
    /// How many bytes are whole lines.
    pub(super) whole: u64,
    pub(super) torn: bool,
}

/// Reads a tape.
pub(super) fn read(path: &Path) -> Result<Read, Fault> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => missing(path),
        _ => broken(path, &format!("cannot be read: {error}")),
    };
    if fs::metadata(path).map_err(failed)?.len() > LARGEST {
        return Err(broken(path, &format!("is larger than {} MiB", LARGEST >> 20)));
    }
    parse(&fs::read(path).map_err(failed)?).map_err(|why| broken(path, &why))
}

/// Reads the text of a tape.
fn parse(bytes: &[u8]) -> Result<Read, String> {
    let mut read = Read::default();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        match one(index, line, &mut read) {
            Ok(()) if line.ends_with(b"\n") => read.whole += line.len() as u64,
            // Only what a process wrote last can be unfinished.
            _ if !line.ends_with(b"\n") => {
                read.torn = true;
                break;
            }
            Err(why) => return Err(format!("is broken at line {number}: {why}")),
            Ok(()) => {}
        }
    }
    Ok(read)
}

fn one(index: usize, line: &[u8], read: &mut Read) -> Result<(), String> {
    let line = line.strip_suffix(b"\n").ok_or("it has no end")?;
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("no JSON ({error})"))?;
    let Value::Object(mut map) = value else { return Err("no object".to_owned()) };
    if index == 0 {
        return match (map.get("tape").and_then(Value::as_str), map.get("schema").and_then(Value::as_u64)) {
            (Some(KIND), Some(schema)) if schema <= u64::from(SCHEMA) => Ok(()),
            (Some(KIND), Some(schema)) => {
                Err(format!("format {schema} is newer than {SCHEMA}, the newest known here"))
            }
            _ => Err(format!("it does not begin as a tape of {KIND} does")),
        };
    }
    if let Some(part) = map.get("part") {
        let value = map.get("value").unwrap_or(&Value::Null);
        let key = Digest::of_json(value);
        if part.as_str() != Some(key.to_string().as_str()) {
            return Err("the digest of this part is another one".to_owned());
        }
        read.parts.insert(key, value.clone());
        return Ok(());
    }
    let seal = map.shift_remove("seal");
    let value = Value::Object(map);
    if seal.as_ref().and_then(Value::as_str) != Some(Digest::of_json(&value).to_string().as_str()) {
        return Err("the digest of this call is another one".to_owned());
    }
    let call = serde_json::from_value(value).map_err(|error| format!("no call ({error})"))?;
    read.calls.push(call);
    Ok(())
}

/// Adds to a tape, under a lock.
pub(super) struct Pen {
    file: File,
}

impl Pen {
    /// Begins a tape; one that is there is replaced.
    pub(super) fn anew(path: &Path) -> Result<Self, Fault> {
        Self::after(path, 0)
    }

    /// Goes on after so many bytes; what stands behind them is cut off.
    pub(super) fn after(path: &Path, whole: u64) -> Result<Self, Fault> {
        let failed = |error: std::io::Error| unwritable(path, &error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(failed)?;
        if file.try_lock().is_err() {
            let message =
                format!("another process writes to the tape `{}`; wait for its end", path.display());
            return Err(Fault::new(Side::Harness, "tape.busy", message));
        }
        file.set_len(whole).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut pen = Self { file };
        if whole == 0 {
            let by = format!("rehearsal {}", env!("CARGO_PKG_VERSION"));
            pen.line(&json!({"tape": KIND, "schema": SCHEMA, "by": by})).map_err(failed)?;
        }
        Ok(pen)
    }

    /// Writes a call with the parts that are not there yet. It is in the file when this returns.
    pub(super) fn write(&mut self, call: &Call, asked: &Asked, known: &mut Parts) -> std::io::Result<()> {
        let order = [Some(&asked.definition), asked.system.as_ref()];
        let order = order.into_iter().flatten().chain(&asked.tools).chain(&asked.messages);
        for key in order {
            if let Some(value) = asked.parts.get(key).filter(|_| !known.contains_key(key)) {
                self.line(&json!({"part": key.to_string(), "value": value}))?;
                known.insert(*key, value.clone());
            }
        }
        let mut value = serde_json::to_value(call)?;
        let seal = Digest::of_json(&value).to_string();
        if let Some(map) = value.as_object_mut() {
            map.insert("seal".to_owned(), seal.into());
        }
        self.line(&value)
    }

    fn line(&mut self, value: &Value) -> std::io::Result<()> {
        self.file.write_all(format!("{value}\n").as_bytes())
    }
}

fn missing(path: &Path) -> Fault {
    let message = format!(
        "there is no tape `{}`; record one with `--tape-mode record`, or look whether `--tape` names the right folder",
        path.display()
    );
    Fault::new(Side::Harness, "tape.missing", message)
}

fn broken(path: &Path, why: &str) -> Fault {
    Fault::new(Side::Harness, "tape.broken", format!("the tape `{}` {why}", path.display()))
}

pub(super) fn unwritable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(
        Side::Harness,
        "store.tape",
        format!("the tape `{}` cannot be written: {error}", path.display()),
    )
}
