//! The events of a transcript as lines of JSON for the judge, within a budget. Pure.
//!
//! Too large a transcript loses whole events from its middle and the middle of long texts, and says so; a line is
//! always whole JSON. The final answer is always there; errors and what the user said go last.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::criterion::Role;
use super::reasoning;
use crate::ids::CallId;
use crate::transcript::event::Caller;
use crate::transcript::view::text_of;
use crate::transcript::{Event, Transcript, View, What};

/// Most bytes of all lines together, marks of gaps included.
pub const BUDGET: usize = 60_000;

/// The version of this rendering; raised when a change makes the same transcript read otherwise.
pub const RENDERER: u32 = 3;

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
    /// The last thing that the candidate told the user.
    Answer,
    Error,
    User,
    /// Answers to earlier turns.
    Earlier,
    Rest,
}

struct Line {
    seq: u32,
    rank: Rank,
    role: Role,
    text: String,
}

pub(super) fn of(transcript: &Transcript) -> Lines {
    let mut all = all(transcript, &Room::AMPLE);
    if size(&all) > BUDGET {
        let room = Room::shared(&all);
        all = self::all(transcript, &room);
    }
    let kept = keep(&all);
    let mut lines = vec![];
    let mut shown = vec![];
    let mut gap: Option<Gap> = None;
    for (line, kept) in all.iter().zip(kept) {
        if kept {
            lines.extend(gap.take().map(Gap::line));
            lines.push(line.text.clone());
            shown.push(Shown { seq: line.seq, role: line.role });
        } else {
            gap.get_or_insert(Gap { from: line.seq, to: line.seq, events: 0, errors: 0 }).takes(line);
        }
    }
    lines.extend(gap.take().map(Gap::line));
    Lines { lines, shown }
}

fn size(all: &[Line]) -> usize {
    all.iter().map(|line| line.text.len() + 1).sum()
}

/// Neighbouring events that are left out.
struct Gap {
    from: u32,
    to: u32,
    events: u32,
    errors: u32,
}

impl Gap {
    /// Most bytes of its line, the line feed included.
    const SIZE: usize = 140;

    fn takes(&mut self, line: &Line) {
        self.to = line.seq;
        self.events += 1;
        self.errors += u32::from(line.rank == Rank::Error);
    }

    fn line(self) -> String {
        let Self { from, to, events, errors } = self;
        let mut told =
            json!({"events": events, "from": from, "to": to, "because": "the transcript is too long"});
        if errors > 0 {
            told["errors"] = errors.into();
        }
        json!({"left_out": told}).to_string()
    }
}

/// Which lines fit: by rank, then from both ends towards the middle. A line that stands alone among dropped ones costs
/// the mark of one more gap, and one that closes a gap saves it.
fn keep(all: &[Line]) -> Vec<bool> {
    if size(all) <= BUDGET {
        return vec![true; all.len()];
    }
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|&index| (all[index].rank, index.min(all.len() - 1 - index)));
    let mut kept = vec![false; all.len()];
    let mut used = Gap::SIZE;
    for index in order {
        let dropped = |neighbour: Option<&bool>| usize::from(neighbour == Some(&false));
        let before = index.checked_sub(1).and_then(|before| kept.get(before));
        let gaps = dropped(before) + dropped(kept.get(index + 1));
        let with = used + all[index].text.len() + 1 + gaps * Gap::SIZE - Gap::SIZE;
        if with <= BUDGET {
            used = with;
            kept[index] = true;
        }
    }
    kept
}

/// Most bytes of one text as it stands in its line, by the rank of the line.
struct Room {
    answer: usize,
    error: usize,
    user: usize,
    earlier: usize,
    rest: usize,
}

impl Room {
    const AMPLE: Self = Self { answer: 20_000, error: 1_500, user: 6_000, earlier: 20_000, rest: 6_000 };
    /// What a line has besides its text and the mark of a gap before it, about.
    const AROUND: usize = 110 + Gap::SIZE;

    /// Room in a transcript that is too long: a third of the budget is the last answer's; errors, the user's words and
    /// earlier answers share another third and more, so that many short texts stay rather than a few long ones.
    fn shared(all: &[Line]) -> Self {
        let share = |rank: Rank, of_all: usize, most: usize| {
            let number = all.iter().filter(|line| line.rank == rank).count().max(1);
            (of_all / number).saturating_sub(Self::AROUND).clamp(60, most)
        };
        Self {
            error: share(Rank::Error, 22_000, Self::AMPLE.error),
            user: share(Rank::User, 8_000, Self::AMPLE.user),
            earlier: share(Rank::Earlier, 6_000, Self::AMPLE.earlier),
            ..Self::AMPLE
        }
    }

    fn of(&self, rank: Rank) -> usize {
        match rank {
            Rank::Answer => self.answer,
            Rank::Error => self.error,
            Rank::User => self.user,
            Rank::Earlier => self.earlier,
            Rank::Rest => self.rest,
        }
    }
}

fn all(transcript: &Transcript, room: &Room) -> Vec<Line> {
    let answers = View::of(transcript).answers();
    let answers = Answers {
        last: answers.last().map(|(seq, _)| *seq),
        all: answers.iter().map(|(seq, _)| *seq).collect(),
    };
    let mut harness: HashSet<&CallId> = HashSet::new();
    let mut lines = vec![];
    for event in &transcript.events {
        if let What::ToolCalled { call, by: Caller::Harness, .. } = &event.what {
            harness.insert(call);
        }
        if let Some(said) = said(event, &answers, &harness) {
            let (seq, rank, role) = (event.seq, said.rank, said.role);
            lines.push(Line { seq, rank, role, text: said.line(seq, room.of(rank)) });
        }
    }
    lines
}

/// What the candidate told the user, by the numbers of events.
struct Answers {
    last: Option<u32>,
    all: HashSet<u32>,
}

/// Who said something, in what capacity, and what.
struct Said<'a> {
    rank: Rank,
    role: Role,
    kind: &'static str,
    /// One more key with a name.
    named: Option<(&'static str, &'a str)>,
    text: Cow<'a, str>,
    /// What a result holds besides its text, for programs to read.
    structured: Option<String>,
}

/// What the judge sees of an event, if anything. What the harness did, the wire and private reasoning stay out.
fn said<'a>(event: &'a Event, answers: &Answers, harness: &HashSet<&CallId>) -> Option<Said<'a>> {
    let make = |rank: Rank, role: Role, kind: &'static str, text: Cow<'a, str>| Said {
        rank,
        role,
        kind,
        named: None,
        text,
        structured: None,
    };
    Some(match &event.what {
        What::UserSaid { text, .. } => make(Rank::User, Role::User, "prompt", text.into()),
        What::ModelSaid { text, .. } => {
            let text = reasoning::without(text.as_deref()?);
            if text.trim().is_empty() {
                return None;
            }
            let (rank, kind) = match answers.all.contains(&event.seq) {
                true if answers.last == Some(event.seq) => (Rank::Answer, "answer"),
                true => (Rank::Earlier, "answer"),
                false => (Rank::Rest, "remark"),
            };
            make(rank, Role::Assistant, kind, text)
        }
        What::ToolCalled { name, args, by: Caller::Model, .. } => Said {
            named: Some(("tool", name.as_str())),
            ..make(Rank::Rest, Role::ToolCall, "call", args.to_string().into())
        },
        What::ToolReturned { call, content, structured, is_error, .. } if !harness.contains(call) => {
            let (rank, kind) = if *is_error { (Rank::Error, "error") } else { (Rank::Rest, "result") };
            let text = text_of(content);
            match structured {
                Some(value) if text.trim().is_empty() => {
                    make(rank, Role::ToolResult, kind, value.to_string().into())
                }
                Some(value) if !says_the_same(&text, value) => Said {
                    structured: Some(value.to_string()),
                    ..make(rank, Role::ToolResult, kind, text.into())
                },
                _ => make(rank, Role::ToolResult, kind, text.into()),
            }
        }
        What::ToolRefused { call, message, .. } if !harness.contains(call) => {
            make(Rank::Error, Role::ToolResult, "refused", message.into())
        }
        What::ToolRejected { name, message, .. } => Said {
            named: Some(("tool", name.as_str())),
            ..make(Rank::Error, Role::ToolResult, "rejected", message.into())
        },
        What::ServerAsked { method, params, answered } => Said {
            named: Some(("method", method)),
            ..make(
                Rank::Rest,
                Role::Server,
                "asked",
                json!({"params": params, "answered": answered}).to_string().into(),
            )
        },
        _ => return None,
    })
}

/// Whether a text is this value as JSON: then the value beside it tells nothing more.
fn says_the_same(text: &str, value: &Value) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|said| said == *value)
}

impl Said<'_> {
    /// The event as a line, its texts together of no more than so many bytes.
    fn line(self, seq: u32, room: usize) -> String {
        let room = if self.structured.is_some() { room / 2 } else { room };
        let (text, mut dropped) = cut(&self.text, room);
        let mut map = Map::new();
        map.insert("event".into(), seq.into());
        map.insert("role".into(), self.role.as_str().into());
        map.insert("kind".into(), self.kind.into());
        if let Some((key, name)) = self.named {
            map.insert(key.into(), cut(name, NAME).0.into());
        }
        map.insert("text".into(), text.into());
        if let Some(value) = &self.structured {
            let (value, more) = cut(value, room);
            map.insert("structured".into(), value.into());
            dropped += more;
        }
        if dropped > 0 {
            map.insert("left_out_characters".into(), dropped.into());
        }
        json_line(&Value::Object(map))
    }
}

/// Most bytes of a name.
const NAME: usize = 200;

/// The head and the tail of a text, so that it takes no more than `room` bytes in its line, and how many characters
/// between them were left out.
fn cut(text: &str, room: usize) -> (String, usize) {
    if text.len() <= room && text.chars().map(width).sum::<usize>() <= room {
        return (text.to_owned(), 0);
    }
    let head = fitting(text.chars(), room / 2);
    let tail = text.len() - fitting(text[head..].chars().rev(), room / 2);
    let dropped = text[head..tail].chars().count();
    (format!("{} … {}", &text[..head], &text[tail..]), dropped)
}

/// The length of those characters from the start on that take no more than `room` bytes in a line.
fn fitting(chars: impl Iterator<Item = char>, room: usize) -> usize {
    let mut used = 0;
    let fits = |c: &char| {
        used += width(*c);
        used <= room
    };
    chars.take_while(fits).map(char::len_utf8).sum()
}

/// How many bytes a character takes in [`json_line`].
fn width(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if acts(c) => 6 * c.len_utf16(),
        c => c.len_utf8(),
    }
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
