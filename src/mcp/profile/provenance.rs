//! Where a value of a profile is from: sources with their kind and date, and facts that name them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ClientProfile, Layer};

/// A source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// How near it is to the client itself.
    pub kind: SourceKind,
    /// What it is.
    pub what: String,
    /// When it was current: a year, a month or a day; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
}

/// Kinds of sources, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A release of the client, run against a server that records everything.
    Measured,
    /// The client's code.
    Source,
    /// Somebody else's recording of the wire.
    Probe,
    /// The vendor's documentation.
    Docs,
    /// A report with logs.
    Issue,
    /// An official list of clients.
    Matrix,
    /// An article or a catalog.
    Third,
}

/// What is known of one value, under its `layer.key`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fact {
    /// The sources, by their names in `sources`. None: the value is unknown, or guessed where one is set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub s: Vec<String>,
    /// The standing of the value, where it is less than its sources would give.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<Standing>,
    /// What is known in words, where no layer has a value for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// What to know about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How well a value is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Seen by running the client.
    Measured,
    /// Read in code, recordings, documents or reports.
    Read,
    /// Taken from an article, or concluded.
    Guessed,
    /// Not known; the layer behaves as the reference client does.
    Unknown,
}

impl Standing {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Read => "read",
            Self::Guessed => "guessed",
            Self::Unknown => "unknown",
        }
    }
}

impl From<SourceKind> for Standing {
    fn from(kind: SourceKind) -> Self {
        match kind {
            SourceKind::Measured => Self::Measured,
            SourceKind::Source
            | SourceKind::Probe
            | SourceKind::Docs
            | SourceKind::Issue
            | SourceKind::Matrix => Self::Read,
            SourceKind::Third => Self::Guessed,
        }
    }
}

impl ClientProfile {
    /// How well the value of a fact is known: as well as its nearest source says, unless the fact says less.
    pub fn standing(&self, fact: &Fact) -> Standing {
        let nearest = self.nearest(fact).map(|source| Standing::from(source.kind));
        let otherwise = if fact.s.is_empty() { Standing::Unknown } else { Standing::Guessed };
        fact.tag.or(nearest).unwrap_or(otherwise)
    }

    /// When a fact was current: the date of its nearest source.
    pub fn dated(&self, fact: &Fact) -> Option<&str> {
        self.nearest(fact)?.date.as_deref()
    }

    fn nearest(&self, fact: &Fact) -> Option<&Source> {
        fact.s.iter().filter_map(|name| self.sources.get(name)).min_by_key(|source| source.kind)
    }

    /// Every value that a layer sets, by `layer.key` in the order of the layers; quirks one by one.
    pub fn values(&self) -> Vec<(String, Value)> {
        // Layers are made of maps, lists and texts, which always serialise.
        let written = |layer: Layer| match layer {
            Layer::Wire => serde_json::to_value(&self.wire),
            Layer::Menu => serde_json::to_value(&self.menu),
            Layer::Result => serde_json::to_value(&self.result),
            Layer::Conduct => serde_json::to_value(&self.conduct),
            Layer::Surface => serde_json::to_value(&self.surface),
        };
        let mut values = Vec::new();
        for layer in Layer::ALL {
            let Ok(Value::Object(map)) = written(layer) else { continue };
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("quirks", Value::Array(quirks)) => values.extend(quirks.iter().filter_map(|quirk| {
                        Some((format!("wire.quirks.{}", quirk.as_str()?), Value::Bool(true)))
                    })),
                    (_, value) => values.push((format!("{}.{key}", layer.as_str()), value)),
                }
            }
        }
        values
    }
}
