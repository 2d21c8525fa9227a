//! The events of a transcript as lines of JSON for the judge, within a budget. Pure.
//!
//! Too large a transcript loses whole events from its middle and the middle of long texts, and says so; a line is
//! always whole JSON. What the user said, errors and the final answer go first.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::criterion::Role;
use super::reasoning;
use crate::ids::CallId;
use crate::transcript::event::Caller;
use crate::transcript::view::text_of;
use crate::transcript::{Event, Transcript, View, What};

/// Most bytes of all lines together.
pub const BUDGET: usize = 60_000;

/// Most characters of one text; the final answer has more room.
const TEXT: usize = 6_000;
/// Most characters of the final answer.
const ANSWER: usize = 20_000;
/// Most characters of an error, so that all of them fit.
const ERROR: usize = 1_500;

/// The version of this rendering; raised when a change makes the same transcript read otherwise.
pub const RENDERER: u32 = 2;

/// An event that the judge sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its number.
    pub seq: u32,
    /// Who is behind it.
    pub role: Role,
}

/// Lines of JSON, and the events on them.
pub(super) struct Lines {
    pub(super) lines: Vec<String>,
    pub(super) shown: Vec<Shown>,
}

/// How soon a line is dropped: the smallest stays longest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Answer,
    User,
    Error,
    Rest,
}

struct Line {
    seq: u32,
    rank: Rank,
    role: Role,
    text: String,
}

pub(super) fn of(transcript: &Transcript) -> Lines {
    let all = all(transcript);
    let kept = keep(&all);
    let mut lines = vec![];
    let mut shown = vec![];
    let mut gap: Option<(u32, u32, u32)> = None;
    for (line, kept) in all.iter().zip(kept) {
        if kept {
            lines.extend(gap.take().map(left_out));
            lines.push(line.text.clone());
            shown.push(Shown { seq: line.seq, role: line.role });
        } else {
            gap = Some(gap.map_or((line.seq, line.seq, 1), |(from, _, count)| (from, line.seq, count + 1)));
        }
    }
    lines.extend(gap.take().map(left_out));
    Lines { lines, shown }
}

fn left_out((from, to, count): (u32, u32, u32)) -> String {
    json!({"left_out": {"events": count, "from": from, "to": to, "because": "the transcript is too long"}})
        .to_string()
}

/// Which lines fit: by rank, then from both ends towards the middle.
fn keep(all: &[Line]) -> Vec<bool> {
    // Room for the marks of gaps: at most one before each kept line would be too many, so a share is set aside.
    const GAPS: usize = 4_000;
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|&index| (all[index].rank, index.min(all.len() - 1 - index)));
    let total: usize = all.iter().map(|line| line.text.len() + 1).sum();
    let mut left = if total <= BUDGET { total } else { BUDGET - GAPS };
    let mut gaps_left = GAPS / 120;
    let mut kept = vec![false; all.len()];
    for index in order {
        let size = all[index].text.len() + 1;
        if size > left {
            continue;
        }
        // A line away from other kept ones makes a new gap.
        let alone = index > 0 && !kept[index - 1] && (index + 1 >= all.len() || !kept[index + 1]);
        if total > BUDGET && alone {
            if gaps_left == 0 {
                continue;
            }
            gaps_left -= 1;
        }
        left -= size;
        kept[index] = true;
    }
    kept
}

fn all(transcript: &Transcript) -> Vec<Line> {
    let answers: HashSet<u32> = View::of(transcript).answers().into_iter().map(|(seq, _)| seq).collect();
    let mut harness: HashSet<&CallId> = HashSet::new();
    let mut lines = vec![];
    for event in &transcript.events {
        if let What::ToolCalled { call, by: Caller::Harness, .. } = &event.what {
            harness.insert(call);
        }
        lines.extend(line(event, &answers, &harness));
    }
    lines
}

/// The line of an event, if the judge sees it. What the harness did, the wire and private reasoning stay out.
fn line(event: &Event, answers: &HashSet<u32>, harness: &HashSet<&CallId>) -> Option<Line> {
    let seq = event.seq;
    let make = |rank: Rank, role: Role, kind: &str, extra: (&str, Value), text: &str| {
        let said = Said { rank, role, kind, extra };
        Some(Line { seq, rank, role, text: said.line(seq, text) })
    };
    let none = || ("", Value::Null);
    match &event.what {
        What::UserSaid { text, .. } => make(Rank::User, Role::User, "prompt", none(), text),
        What::ModelSaid { text, .. } => {
            let text = reasoning::without(text.as_deref()?);
            if text.trim().is_empty() {
                return None;
            }
            match answers.contains(&seq) {
                true => make(Rank::Answer, Role::Assistant, "answer", none(), &text),
                false => make(Rank::Rest, Role::Assistant, "remark", none(), &text),
            }
        }
        What::ToolCalled { name, args, by: Caller::Model, .. } => {
            make(Rank::Rest, Role::ToolCall, "call", ("tool", short(name.as_str())), &args.to_string())
        }
        What::ToolReturned { call, content, structured, is_error, .. } if !harness.contains(call) => {
            let text = match structured {
                Some(value) => value.to_string(),
                None => text_of(content),
            };
            let (rank, kind) = if *is_error { (Rank::Error, "error") } else { (Rank::Rest, "result") };
            make(rank, Role::ToolResult, kind, none(), &text)
        }
        What::ToolRefused { call, message, .. } if !harness.contains(call) => {
            make(Rank::Error, Role::ToolResult, "refused", none(), message)
        }
        What::ToolRejected { name, message, .. } => {
            make(Rank::Error, Role::ToolResult, "rejected", ("tool", short(name.as_str())), message)
        }
        What::ServerAsked { method, params, answered } => {
            let text = json!({"params": params, "answered": answered}).to_string();
            make(Rank::Rest, Role::Server, "asked", ("method", short(method)), &text)
        }
        _ => None,
    }
}

/// Who said something, and in what capacity.
struct Said<'a> {
    rank: Rank,
    role: Role,
    kind: &'a str,
    /// One more key, unless its value is null.
    extra: (&'a str, Value),
}

impl Said<'_> {
    fn line(self, seq: u32, text: &str) -> String {
        let limit = match self.rank {
            Rank::Answer => ANSWER,
            Rank::Error => ERROR,
            Rank::User | Rank::Rest => TEXT,
        };
        let (text, dropped) = cut(text, limit);
        let mut map = Map::new();
        map.insert("event".into(), seq.into());
        map.insert("role".into(), self.role.as_str().into());
        map.insert("kind".into(), self.kind.into());
        if !self.extra.1.is_null() {
            map.insert(self.extra.0.into(), self.extra.1);
        }
        map.insert("text".into(), text.into());
        if dropped > 0 {
            map.insert("left_out_characters".into(), dropped.into());
        }
        json_line(&Value::Object(map))
    }
}

fn short(name: &str) -> Value {
    cut(name, 200).0.into()
}

/// The head and the tail of a text, and how many characters between them were left out.
fn cut(text: &str, limit: usize) -> (String, usize) {
    let count = text.chars().count();
    if count <= limit {
        return (text.to_owned(), 0);
    }
    let half = limit / 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(count - half).collect();
    (format!("{head} … {tail}"), count - 2 * half)
}

/// A value as one line of JSON in which every character that could hide, reorder text or break a line is an escape.
/// Reading it gives the same value.
pub(super) fn json_line(value: &Value) -> String {
    let plain = value.to_string();
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        if acts(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters that act instead of showing; in JSON text they occur inside strings only.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e01ef}')
}
