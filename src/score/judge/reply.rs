//! The judge's reply to one decision per question. Pure.
//!
//! Nothing is searched for in the reply: it is one JSON object of the agreed shape, or it says nothing. Everything
//! doubtful is unsure, never yes.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::criterion::Role;
use super::lines::Shown;
use super::prompt::Expected;
use crate::display::excerpt;
use crate::transcript::Secrets;

/// The longest reply that is read, in bytes.
const LONGEST: usize = 200_000;

/// What the judge decided about one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The statement holds.
    Yes(Ground),
    /// It does not.
    No(Ground),
    /// It is not decided, with a stable code such as `judge.unsure`.
    Unsure {
        /// Why, as a code.
        code: String,
        /// Why, for a person; safe to show.
        why: String,
    },
}

impl Decision {
    /// Not decided.
    pub fn unsure(code: &str, why: impl Into<String>) -> Self {
        Self::Unsure { code: code.to_owned(), why: why.into() }
    }

    /// The same without secrets.
    #[must_use]
    pub fn redacted(mut self, secrets: &Secrets) -> Self {
        let (Self::Yes(Ground { reason: text, .. })
        | Self::No(Ground { reason: text, .. })
        | Self::Unsure { why: text, .. }) = &mut self;
        *text = secrets.redact(text).into_owned();
        self
    }

    /// `Some(true)` for yes, `Some(false)` for no.
    pub fn says(&self) -> Option<bool> {
        match self {
            Self::Yes(_) => Some(true),
            Self::No(_) => Some(false),
            Self::Unsure { .. } => None,
        }
    }

    /// How likely the judge found its word, where it decides and that is known.
    pub fn probability(&self) -> Option<f64> {
        match self {
            Self::Yes(ground) | Self::No(ground) => ground.probability,
            Self::Unsure { .. } => None,
        }
    }

    /// The same with a probability.
    #[must_use]
    pub(super) fn weighed(mut self, probability: Option<f64>) -> Self {
        if let Self::Yes(ground) | Self::No(ground) = &mut self {
            ground.probability = probability;
        }
        self
    }
}

/// What a decision rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ground {
    /// Events that the judge cited and that were shown to it.
    pub evidence: Vec<u32>,
    /// Its reason, bounded and safe to show.
    pub reason: String,
    /// Whether the judge said that a text in the transcript tries to steer it.
    #[serde(default)]
    pub steered: bool,
    /// How likely the judge found its own word, from 0 to 1, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

/// The reply as a whole is worthless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Why, as a code.
    pub code: &'static str,
    /// Why, for a person; safe to show.
    pub why: String,
}

/// A reply with its keys in order: a key that occurs twice must be seen twice.
#[derive(Default)]
struct Reply {
    canary: Vec<String>,
    fields: Vec<(String, One)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    evidence: Vec<i64>,
    reason: String,
    doubt: Doubt,
    verdict: Word,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Yes,
    No,
    Unsure,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Doubt {
    None,
    MissingEvidence,
    AmbiguousCriterion,
    TranscriptTruncated,
    InjectionSuspected,
}

impl<'de> Deserialize<'de> for Reply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Reply;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a field for every criterion")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reply, A::Error> {
                let mut reply = Reply::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "canary" => reply.canary.push(map.next_value()?),
                        _ => reply.fields.push((key, map.next_value::<Object>()?.0)),
                    }
                }
                Ok(reply)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A verdict that is written as an object: Serde would read a struct from a list as well.
struct Object(One);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a verdict")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object, A::Error> {
                One::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Reads a reply. `cites` are the roles that a yes to each question must cite; an empty list means any but the user's
/// and the server's words.
pub fn read(
    text: &str,
    expected: &Expected,
    shown: &[Shown],
    cites: &[&[Role]],
) -> Result<Vec<Decision>, Broken> {
    let broken = |code, why: &str| Err(Broken { code, why: why.to_owned() });
    if text.len() > LONGEST {
        return broken("judge.unreadable", "the judge's reply is too long");
    }
    let reply: Reply = match serde_json::from_str(bare(text)) {
        Ok(reply) => reply,
        Err(error) => {
            let why =
                format!("the judge's reply is not the agreed JSON: {}", excerpt(&error.to_string(), 120));
            return Err(Broken { code: "judge.unreadable", why });
        }
    };
    if reply.canary != [expected.canary.as_str()] {
        return broken("judge.canary", "the judge did not echo the token it was given");
    }
    let of = |field: &str| -> Vec<&One> {
        reply.fields.iter().filter(|(name, _)| name == field).map(|(_, one)| one).collect()
    };
    if !matches!(of(&expected.decoy)[..], [One { verdict: Word::Yes, .. }])
        || !matches!(of(&expected.counter)[..], [One { verdict: Word::No | Word::Unsure, .. }])
    {
        return broken("judge.decoy", "the judge got a question wrong whose answer is known");
    }
    let known = |name: &str| {
        name == expected.decoy
            || name == expected.counter
            || expected.fields.iter().any(|field| field == name)
    };
    if let Some((stray, _)) = reply.fields.iter().find(|(name, _)| !known(name)) {
        let why = format!("the judge decided `{}`, which was not asked", excerpt(stray, 40));
        return Err(Broken { code: "judge.ids", why });
    }
    let cites = cites.iter().copied().chain(std::iter::repeat(&[][..]));
    Ok(expected.fields.iter().zip(cites).map(|(field, cites)| decide(&of(field), shown, cites)).collect())
}

fn decide(verdicts: &[&One], shown: &[Shown], cites: &[Role]) -> Decision {
    let one = match verdicts {
        [one] => one,
        [] => return Decision::unsure("judge.ids", "the judge left this criterion out"),
        more => {
            let why = format!("the judge decided this criterion {} times", more.len());
            return Decision::unsure("judge.ids", why);
        }
    };
    let reason = excerpt(one.reason.trim(), 200);
    let unsure = |code, what: &str| Decision::unsure(code, format!("{what}: {reason}"));
    let event = |number: &i64| {
        let seq = u32::try_from(*number).ok()?;
        shown.binary_search_by_key(&seq, |event| event.seq).ok().map(|index| shown[index])
    };
    let events: Vec<Shown> = one.evidence.iter().take(1_000).filter_map(event).collect();
    let ground = || Ground {
        evidence: events.iter().map(|event| event.seq).collect(),
        reason: reason.clone(),
        steered: one.doubt == Doubt::InjectionSuspected,
        probability: None,
    };
    let steered_or_sure = matches!(one.doubt, Doubt::None | Doubt::InjectionSuspected);
    match one.verdict {
        Word::Unsure => match one.doubt {
            Doubt::None => unsure("judge.unsure", "the judge is unsure"),
            Doubt::MissingEvidence => unsure("judge.missing-evidence", "the record does not settle it"),
            Doubt::AmbiguousCriterion => unsure("judge.ambiguous", "the criterion can be read in two ways"),
            Doubt::TranscriptTruncated => {
                unsure("judge.truncated", "the part that would settle it was left out")
            }
            Doubt::InjectionSuspected => {
                unsure("judge.injection", "something in the record tries to steer the judge")
            }
        },
        _ if !steered_or_sure => {
            unsure("judge.unsure", "the judge decides and names a reason to be unsure in one breath")
        }
        Word::Yes if one.evidence.is_empty() => {
            unsure("judge.evidence", "the judge says yes but cites no event")
        }
        Word::Yes if events.len() < one.evidence.len() => {
            unsure("judge.evidence", "the judge says yes but cites events it was not shown")
        }
        Word::Yes if !events.iter().any(|event| event.role.is_evidence()) => {
            unsure("judge.evidence", "the judge says yes but cites nothing that the candidate or a tool said")
        }
        Word::Yes if !cites.iter().all(|role| events.iter().any(|event| event.role == *role)) => {
            let wanted: Vec<&str> = cites.iter().map(|role| role.as_str()).collect();
            unsure(
                "judge.evidence",
                &format!("the judge says yes but does not cite {}", wanted.join(" and ")),
            )
        }
        Word::Yes => Decision::Yes(ground()),
        Word::No => Decision::No(ground()),
    }
}

/// The reply without the fence that some models put around the whole of it.
fn bare(text: &str) -> &str {
    let text = text.trim();
    let inner = || {
        let inner = text.strip_prefix("```")?.strip_suffix("```")?;
        Some(inner.strip_prefix("json").unwrap_or(inner).trim())
    };
    inner().unwrap_or(text)
}
