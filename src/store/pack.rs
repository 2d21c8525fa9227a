//! Values to stored bytes and back: JSON, raw deflate, digests and seals. Pure; never trusts what it unpacks.

use std::cell::RefCell;
use std::io::Read;

use flate2::read::DeflateDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::record::{Facts, JudgeSpend};
use crate::ids::{CaseKey, Digest, ScoreKey};
use crate::score::{Outcome, Verdict};
use crate::transcript::event::AuthMessage;
use crate::transcript::{HttpSide, Transcript, What, WireMessage};

/// A transcript ready to be stored. Made outside the writer thread, because it takes a while.
pub struct Packed {
    pub(super) key: CaseKey,
    pub(super) facts: Facts,
    pub(super) facts_json: String,
    /// Size and digest of the JSON.
    pub(super) bytes: u64,
    pub(super) digest: Digest,
    pub(super) body: Vec<u8>,
    pub(super) seal: String,
    /// Numbers of the model responses it holds.
    pub(super) replies: Vec<u32>,
}

/// Speed over size: the next level costs twice the time for a tenth fewer bytes.
const LEVEL: u32 = 1;

/// No transcript unpacks to more; the recorder's own bounds are far below.
const LARGEST: u64 = 1 << 30;

/// A verdict ready to be stored.
pub struct PackedVerdict {
    pub(super) key: CaseKey,
    pub(super) score_key: ScoreKey,
    pub(super) outcome: Outcome,
    pub(super) verdict: String,
    pub(super) judge: String,
}

impl PackedVerdict {
    /// Packs a verdict and what the judge took. Fails on a value that has no JSON form.
    pub fn of(key: CaseKey, verdict: &Verdict, judge: &JudgeSpend) -> Result<Self, StoreError> {
        Ok(Self {
            key,
            score_key: verdict.score_key,
            outcome: verdict.outcome(),
            verdict: json(key, verdict)?,
            judge: json(key, judge)?,
        })
    }
}

impl Packed {
    /// Packs a transcript: tens of microseconds for each ten kilobytes. Fails on a value that has no JSON form.
    pub fn of(transcript: &Transcript) -> Result<Self, StoreError> {
        let key = transcript.header.key;
        let facts = Facts::of(transcript);
        let facts_json = json(key, &facts)?;
        let mut text = Vec::with_capacity(size(transcript) * 3 / 2);
        serde_json::to_writer(&mut text, transcript).map_err(|error| unstorable(key, &error))?;
        let body = deflate(&text).map_err(|error| unstorable(key, &error))?;
        let digest = Digest::of(&text);
        let seal = seal_transcript(&key.to_string(), &facts_json, &digest.to_string(), &body);
        let said =
            transcript.events.iter().filter(|event| event.what.paid().or(event.what.paid_aside()).is_some());
        let replies = said.map(|event| event.seq).collect();
        Ok(Self { key, facts, facts_json, bytes: text.len() as u64, digest, body, seal, replies })
    }
}

/// About how many bytes a transcript has.
fn size(transcript: &Transcript) -> usize {
    let sizes = transcript.events.iter().map(|event| match &event.what {
        What::Wire(WireMessage::Sent { body, .. } | WireMessage::Received { body, .. }) => body.len(),
        What::Exchanged { request, response, .. } => {
            request.body.len() + response.as_ref().map_or(0, |response| response.body.len())
        }
        What::Auth(AuthMessage::Sent { request: HttpSide { body, .. } })
        | What::Auth(AuthMessage::Received { answer: Ok(HttpSide { body, .. }), .. }) => body.len(),
        What::ModelSaid { text, reasoning, .. } => {
            text.as_ref().map_or(0, String::len) + reasoning.as_ref().map_or(0, String::len)
        }
        // Everything else that is large was on the wire or said before.
        _ => 256,
    });
    sizes.sum()
}

/// A value as JSON text.
pub(super) fn json<T: Serialize>(key: CaseKey, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| unstorable(key, &error))
}

fn unstorable(key: CaseKey, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unstorable { key, why: error.to_string() }
}

thread_local! {
    /// The compressor's tables take a third of a megabyte; making them anew costs as much as packing a small transcript.
    static DEFLATER: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(LEVEL), false));
}

fn deflate(text: &[u8]) -> std::io::Result<Vec<u8>> {
    DEFLATER.with_borrow_mut(|deflater| {
        deflater.reset();
        let mut packed = Vec::with_capacity(text.len() / 4 + 64);
        loop {
            let done = deflater.total_in() as usize;
            let status = deflater.compress_vec(&text[done..], &mut packed, FlushCompress::Finish);
            if status.map_err(std::io::Error::other)? == Status::StreamEnd {
                return Ok(packed);
            }
            packed.reserve(packed.capacity().max(64));
        }
    })
}

/// The JSON bytes of a stored transcript; `bytes` and `digest` must match.
pub(super) fn inflate(body: &[u8], bytes: u64, digest: &str) -> Result<Vec<u8>, String> {
    if bytes > LARGEST {
        return Err(format!("the transcript claims {bytes} bytes"));
    }
    let mut text = Vec::with_capacity(bytes.min(1 << 20) as usize);
    DeflateDecoder::new(body)
        .take(bytes + 1)
        .read_to_end(&mut text)
        .map_err(|error| format!("the transcript does not unpack: {error}"))?;
    if text.len() as u64 != bytes {
        return Err(format!("the transcript has {} bytes instead of {bytes}", text.len()));
    }
    if Digest::of(&text).to_string() != digest {
        return Err("the transcript does not match its digest".to_owned());
    }
    Ok(text)
}

/// A stored value.
pub(super) fn read<T: DeserializeOwned>(what: &str, text: &[u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| format!("the {what} cannot be read: {error}"))
}

/// A digest over several fields; their lengths are part of it, so bytes cannot move from one to the next.
pub(super) fn seal(parts: &[&[u8]]) -> String {
    let mut all = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        all.extend_from_slice(&(part.len() as u64).to_le_bytes());
        all.extend_from_slice(part);
    }
    Digest::of(&all).to_string()
}

pub(super) fn seal_run(manifest: &str, wanted: i64) -> String {
    seal(&[b"run", manifest.as_bytes(), &wanted.to_le_bytes()])
}

pub(super) fn seal_trial(key: &str, wanted: i64, planned: &str) -> String {
    seal(&[b"trial", key.as_bytes(), &wanted.to_le_bytes(), planned.as_bytes()])
}

pub(super) fn seal_transcript(key: &str, facts: &str, digest: &str, body: &[u8]) -> String {
    let body = Digest::of(body).to_string();
    seal(&[b"transcript", key.as_bytes(), facts.as_bytes(), digest.as_bytes(), body.as_bytes()])
}

pub(super) fn seal_verdict(key: &str, verdict: &str, judge: &str) -> String {
    seal(&[b"verdict", key.as_bytes(), verdict.as_bytes(), judge.as_bytes()])
}

pub(super) fn seal_gate(body: &str) -> String {
    seal(&[b"gate", body.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_lies_are_noticed() {
        let text = b"{\"a\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}".repeat(50);
        let body = deflate(&text).unwrap();
        let digest = Digest::of(&text).to_string();
        assert!(body.len() < text.len() / 5);
        assert_eq!(inflate(&body, text.len() as u64, &digest).unwrap(), text);
        assert!(inflate(&body, 10, &digest).is_err(), "a bomb is cut off at the size it claims");
        assert!(inflate(&body, u64::MAX, &digest).is_err());
        assert!(inflate(&body[..body.len() / 2], text.len() as u64, &digest).is_err());
        assert!(inflate(&body, text.len() as u64, &Digest::none().to_string()).is_err());
    }

    #[test]
    fn a_seal_depends_on_where_fields_end() {
        assert_ne!(seal(&[b"ab", b"c"]), seal(&[b"a", b"bc"]));
    }
}
