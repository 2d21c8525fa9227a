//! A transcript as the viewer shows it: cards with a heading of this program and blocks of words of others, bounded and
//! made safe.

use serde::Serialize;
use serde_json::Value;

use super::words;
use crate::display;
use crate::report::archive::Kept;
use crate::report::figures;
use crate::report::judging::decided_by;
use crate::report::summary::Place;
use crate::score::{Finding, Grade, Weight};
use crate::transcript::{End, Event};

/// Most characters of one block.
const BLOCK: usize = 16_000;
/// Most bytes of all blocks of one trial.
const TRIAL: usize = 400_000;

/// A trial in the viewer.
#[derive(Debug, Serialize)]
pub(super) struct ShownTrial {
    /// The run it is of, when it is not this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<String>,
    pub(super) started: String,
    pub(super) took: u64,
    /// How it ended, in words.
    pub(super) end: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<&'static str>,
    pub(super) findings: Vec<ShownFinding>,
    pub(super) events: Vec<Card>,
    /// The same case in the run before, where it went another way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<Box<ShownTrial>>,
}

/// What a check or the judge says.
#[derive(Debug, Serialize)]
pub(super) struct ShownFinding {
    check: String,
    grade: &'static str,
    why: String,
    weight: &'static str,
    place: String,
    /// The events it rests on.
    at: Vec<u32>,
    /// Who decided a criterion, in words; absent for checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// One event.
#[derive(Debug, Serialize)]
pub(super) struct Card {
    pub(super) n: u32,
    /// Milliseconds since the trial began.
    pub(super) at: u64,
    /// What kind of card: it decides colour, filter and lane.
    pub(super) k: &'static str,
    /// `good`, `bad`, `warn`, or nothing.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) tone: &'static str,
    pub(super) title: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) facts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parts: Vec<Part>,
    /// Milliseconds it took up to `at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) took: Option<u64>,
    /// Whether only the raw view shows it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) raw: bool,
}

/// A block of words of others.
#[derive(Debug, Serialize)]
pub(super) struct Part {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) label: &'static str,
    pub(super) text: String,
    /// Characters in all, where the text is cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<usize>,
}

impl Card {
    pub(super) fn new(event: &Event, k: &'static str, title: &str) -> Self {
        let mut title = display::excerpt(title, 300);
        if let Some(aside) = &event.aside {
            let persona = display::excerpt(aside.persona.as_str(), 80);
            title.push_str(&format!(" (session {} as {persona})", aside.session));
        }
        Self {
            n: event.seq,
            at: event.at_ms,
            k,
            tone: "",
            title,
            facts: vec![],
            parts: vec![],
            took: None,
            raw: false,
        }
    }

    pub(super) fn tone(mut self, tone: &'static str) -> Self {
        self.tone = tone;
        self
    }

    pub(super) fn took(mut self, ms: u64) -> Self {
        self.took = Some(ms);
        self
    }

    pub(super) fn fact(mut self, fact: impl AsRef<str>) -> Self {
        self.facts.push(display::excerpt(fact.as_ref(), 200));
        self
    }

    pub(super) fn raw(mut self) -> Self {
        self.raw = true;
        self
    }

    /// A block; none where there are no words.
    pub(super) fn part(mut self, label: &'static str, text: &str) -> Self {
        if !text.is_empty() {
            let head = text.char_indices().nth(BLOCK).map_or(text, |(cut, _)| &text[..cut]);
            let of = (head.len() < text.len()).then(|| text.chars().count());
            self.parts.push(Part { label, text: display::safe(head).into_owned(), of });
        }
        self
    }

    /// A block of JSON; a text in it stands as it is.
    pub(super) fn json(self, label: &'static str, value: &Value) -> Self {
        match value {
            Value::Null => self,
            Value::String(text) => self.part(label, text),
            value => self.part(label, &value.to_string()),
        }
    }
}

impl ShownTrial {
    pub(super) fn of(kept: &Kept) -> Self {
        let Kept { transcript, verdict } = kept;
        let mut events: Vec<Card> = transcript.events.iter().map(words::card).collect();
        let mut left = TRIAL;
        for part in events.iter_mut().flat_map(|card| &mut card.parts) {
            if part.text.len() > left {
                part.of = Some(part.of.unwrap_or(part.text.chars().count()));
                part.text = String::new();
            }
            left -= part.text.len();
        }
        let took = figures::duration(transcript.took_ms as f64 / 1000.0);
        let end = match &transcript.end {
            End::Done => format!("done after {took}"),
            End::OutOf(limit) => format!("limit reached after {took}: {limit:?}").to_lowercase(),
            End::Interrupted => format!("interrupted after {took}"),
            End::Faulted(fault) => {
                let (code, message) =
                    (display::excerpt(&fault.code, 80), display::excerpt(&fault.message, 600));
                format!("fault after {took}: {code} ({}): {message}", fault.side.as_str())
            }
        };
        Self {
            run: None,
            started: display::excerpt(&figures::moment(&transcript.started), 80),
            took: transcript.took_ms,
            end,
            outcome: verdict.as_ref().map(|verdict| verdict.outcome().as_str()),
            findings: verdict.iter().flat_map(|verdict| &verdict.findings).map(finding).collect(),
            events,
            before: None,
        }
    }
}

fn finding(finding: &Finding) -> ShownFinding {
    ShownFinding {
        check: display::excerpt(&finding.check, 200),
        grade: match finding.grade {
            Grade::Pass => "pass",
            Grade::Fail => "fail",
            Grade::Unscored(_) => "unscored",
        },
        why: display::excerpt(&finding.why, 2000),
        weight: match finding.weight {
            Weight::Must => "must",
            Weight::Security => "security",
            Weight::Info => "info",
        },
        place: Place::from(&finding.origin).to_string(),
        at: finding.evidence.iter().copied().take(64).collect(),
        by: finding.ruling.as_deref().map(decided_by),
    }
}
