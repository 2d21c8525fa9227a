//! Instruments by kind and name: what the program embeds, overlaid by the project's own files. Texts in, definitions
//! out; a definition is read only when a suite names it. Must never read files.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::builtin;
use super::yaml::{self, At};
use crate::auth::Persona;
use crate::diag::Diagnostic;
use crate::ids::{ClientName, ModelName, PersonaName};
use crate::llm::ModelSpec;
use crate::mcp::ClientProfile;
use crate::mcp::profile::selection;
use crate::score::judge::Rubric;

/// The kinds of instruments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Models.
    Model,
    /// Personas.
    Persona,
    /// Client profiles.
    Client,
    /// Rubrics.
    Rubric,
    /// Packs of auth checks.
    Auth,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Model, Self::Persona, Self::Client, Self::Rubric, Self::Auth];

    /// The folder under `evals/`.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Persona => "personas",
            Self::Client => "clients",
            Self::Rubric => "rubrics",
            Self::Auth => "auth",
        }
    }

    /// The word in messages.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Persona => "persona",
            Self::Client => "client",
            Self::Rubric => "rubric",
            Self::Auth => "auth pack",
        }
    }

    /// The word in the record of a run.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            other => other.noun(),
        }
    }
}

/// A definition that suites name.
pub trait Instrument: DeserializeOwned + Serialize {
    /// Its kind.
    const KIND: Kind;

    /// Its name; empty when the definition gives none.
    fn name(&self) -> &str;

    /// The same under this name.
    #[must_use]
    fn named(self, name: &str) -> Self;
}

macro_rules! instruments {
    ($($kind:ident: $type:ty, $name:ident => $get:expr, $set:expr;)*) => {$(
        impl Instrument for $type {
            const KIND: Kind = Kind::$kind;

            fn name(&self) -> &str {
                let get: fn(&$type) -> &str = $get;
                get(self)
            }

            fn named(self, $name: &str) -> Self {
                Self { name: $set, ..self }
            }
        }
    )*};
}

instruments! {
    Model: ModelSpec, name => |model| model.name.as_str(), ModelName::from(name);
    Persona: Persona, name => |persona| persona.name.as_str(), PersonaName::from(name);
    Client: ClientProfile, name => |client| client.name.as_str(), ClientName::from(name);
    Rubric: Rubric, name => |rubric| &rubric.name, name.to_owned();
    Auth: AuthPack, name => |pack| &pack.name, name.to_owned();
}

/// A pack of auth checks, as a file in `evals/auth` describes it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthPack {
    /// The name suites use. Defaults to the file stem.
    #[serde(default)]
    pub name: String,
    /// What it covers.
    #[serde(default)]
    pub description: String,
    /// The ids of its checks, in the order in which they run.
    pub checks: Vec<At<String>>,
}

/// The text of an instrument, not yet read.
#[derive(Clone, Debug)]
struct Entry {
    file: Arc<str>,
    from: String,
    text: Result<Arc<str>, Diagnostic>,
}

/// A definition that was found.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The definition.
    pub definition: T,
    /// `embedded`, or the project's file.
    pub from: String,
}

/// Every instrument at hand.
#[derive(Clone, Debug)]
pub struct Catalog {
    entries: BTreeMap<(Kind, String), Entry>,
}

impl Catalog {
    /// What the program embeds.
    pub fn embedded() -> Self {
        let entries = builtin::FILES
            .iter()
            .map(|(kind, name, text)| {
                let file = Arc::from(format!("evals/{}/{name}.yaml", kind.folder()));
                let entry = Entry { file, from: "embedded".to_owned(), text: Ok(Arc::from(*text)) };
                ((*kind, (*name).to_owned()), entry)
            })
            .collect();
        Self { entries }
    }

    /// Adds a file of the project, in place of an embedded one of the same kind and name. A text that could not be
    /// read matters only when a suite names the instrument.
    pub fn overlay(&mut self, kind: Kind, name: &str, file: &Arc<str>, text: Result<Arc<str>, Diagnostic>) {
        let entry = Entry { file: file.clone(), from: file.to_string(), text };
        self.entries.insert((kind, name.to_owned()), entry);
    }

    /// What the program embeds, with the definitions among the recorded texts of a run in their place.
    pub fn recorded(inputs: &BTreeMap<String, String>) -> Self {
        let mut catalog = Self::embedded();
        for (path, text) in inputs {
            let mut parts = path.rsplit('/');
            let (file, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let kind = Kind::ALL.into_iter().find(|kind| kind.folder() == folder && path.contains("evals/"));
            let name = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml"));
            if let Some((kind, name)) = kind.zip(name) {
                catalog.overlay(kind, name, &Arc::from(path.as_str()), Ok(Arc::from(text.as_str())));
            }
        }
        catalog
    }

    /// The client profile of a name, with its layers where the name lists some; `None` when it cannot be read.
    pub fn client(&self, written: &str) -> Option<ClientProfile> {
        let (name, layers) = selection(written).ok()?;
        let profile = self.find::<ClientProfile>(name)?.ok()?.definition;
        Some(match layers {
            Some(layers) => profile.only(&layers),
            None => profile,
        })
    }

    /// The model of a name, or of `provider:id`; `None` when there is none.
    pub fn model(&self, name: &str) -> Option<Result<ModelSpec, Diagnostic>> {
        super::resolve::model(self, name)
    }

    /// The names of a kind, sorted.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &str> + Clone {
        self.entries.keys().filter(move |(known, _)| *known == kind).map(|(_, name)| name.as_str())
    }

    /// The path and text of a definition, broken or not; `None` when there is none or it could not be read.
    pub fn text(&self, kind: Kind, name: &str) -> Option<(Arc<str>, Arc<str>)> {
        let entry = self.entries.get(&(kind, name.to_owned()))?;
        Some((entry.file.clone(), entry.text.clone().ok()?))
    }

    /// Reads a definition; `None` when there is none of this name.
    pub fn find<T: Instrument>(&self, name: &str) -> Option<Result<Found<T>, Diagnostic>> {
        let entry = self.entries.get(&(T::KIND, name.to_owned()))?;
        Some(entry.text.clone().and_then(|text| {
            let definition: T = yaml::from_text(&entry.file, &text)?;
            let own = definition.name();
            if !own.is_empty() && own != name {
                let at = crate::diag::Origin { file: entry.file.clone(), line: 1, column: 1 };
                let message = format!("the file is called `{name}` but names its {} `{own}`", T::KIND.noun());
                return Err(Diagnostic::error("suite.invalid-value", at, message)
                    .hint("leave `name` out, or make it the file's name"));
            }
            let definition = definition.named(name);
            Ok(Found { definition, from: entry.from.clone() })
        }))
    }
}
