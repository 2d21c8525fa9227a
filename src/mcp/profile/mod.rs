//! Which MCP client is emulated, as data: five layers, each of which can be switched off, and where every value is from.
//!
//! A profile holds values; the interpreters are elsewhere: wire and conduct in this folder's siblings, menu and result
//! in `drive`. A value that is absent is unknown or of no effect, and the layer then behaves as `reference` does; the
//! accessors say how that is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::ClientName;

mod conduct;
mod menu;
mod provenance;
mod result;
mod selection;
mod surface;
mod wire;

pub use conduct::{Answer, Answers, Conduct, Parallel};
pub use menu::{
    Charset, Deferral, Instructions, Menu, NameRule, Order, Overflow, Pages, Place, SchemaEdits, ServerPart,
    TextCut,
};
pub use provenance::{Fact, Source, SourceKind, Standing};
pub use result::{CutAction, ErrorForm, MediaForm, Results, SizeLimit, StructuredUse, TextForm, Unit};
pub use selection::{Parts, canonical, selection};
pub use surface::{ElicitationMode, ListKind, Registration, Surface};
pub use wire::{
    ClientInfo, ConnectStep, ParamHeaders, Probe, Protocol, Quirk, SessionUse, StdioWire, TransportKind,
    VersionHeader, Wire,
};

/// An emulated MCP client, as a file in `evals/clients` describes it. `reference` has no limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientProfile {
    /// The name suites use. Defaults to the file stem.
    #[serde(default = "unnamed")]
    pub name: ClientName,
    /// The client's name as people write it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What it emulates and what to know about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The version of the client that the values were taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<String>,
    /// What the server sees: revision, identity, capabilities, headers, the order of first messages.
    #[serde(default)]
    pub wire: Wire,
    /// What the model sees of the list of tools.
    #[serde(default)]
    pub menu: Menu,
    /// What the model sees of a result.
    #[serde(default)]
    pub result: Results,
    /// How calls are made and how the server's requests are answered.
    #[serde(default)]
    pub conduct: Conduct,
    /// Which features of a server the client has a use for.
    #[serde(default)]
    pub surface: Surface,
    /// The sources that `facts` name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, Source>,
    /// Where each value is from, by `layer.key`. Also says what is unknown, and what no layer emulates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, Fact>,
}

/// A part of the emulation that can be switched by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// [`Wire`].
    Wire,
    /// [`Menu`].
    Menu,
    /// [`Results`].
    Result,
    /// [`Conduct`].
    Conduct,
    /// [`Surface`].
    Surface,
}

impl Layer {
    /// All five, in the order in which they are written.
    pub const ALL: [Self; 5] = [Self::Wire, Self::Menu, Self::Result, Self::Conduct, Self::Surface];

    /// The key of the layer in a profile.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Menu => "menu",
            Self::Result => "result",
            Self::Conduct => "conduct",
            Self::Surface => "surface",
        }
    }

    /// The layer of a key.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.as_str() == name)
    }
}

impl ClientProfile {
    /// The profile without limits, under the program's own name.
    pub fn reference() -> Self {
        Self {
            label: "rehearsal".to_owned(),
            description: "The harness's own client, without limits.".to_owned(),
            ..Self::blank(ClientName::from("reference"))
        }
    }

    /// A profile that says nothing but its name, and so behaves as `reference` does.
    pub fn blank(name: ClientName) -> Self {
        Self {
            name,
            label: String::new(),
            description: String::new(),
            observed: None,
            wire: Wire::default(),
            menu: Menu::default(),
            result: Results::default(),
            conduct: Conduct::default(),
            surface: Surface::default(),
            sources: BTreeMap::new(),
            facts: BTreeMap::new(),
        }
    }

    /// The same with lists read to their end, for looks at the server itself.
    #[must_use]
    pub fn reading_all(&self) -> Self {
        Self { menu: Menu { pages: None, ..self.menu.clone() }, ..self.clone() }
    }

    /// Only what shapes a trial: without words, sources and facts. Two profiles with the same layers ask the same
    /// question.
    #[must_use]
    pub fn shaping(&self) -> Self {
        Self {
            wire: self.wire.clone(),
            menu: self.menu.clone(),
            result: self.result.clone(),
            conduct: self.conduct.clone(),
            surface: self.surface.clone(),
            ..Self::blank(self.name.clone())
        }
    }
}

fn unnamed() -> ClientName {
    ClientName::from("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict() -> ClientProfile {
        let mut profile = ClientProfile::blank(ClientName::from("strict"));
        profile.menu.limit = Some(3);
        profile.conduct.parallel = Some(Parallel::Never);
        profile
    }

    #[test]
    fn words_and_facts_shape_nothing() {
        let mut other = strict();
        other.description = "other words".to_owned();
        other.facts.insert("menu.limit".to_owned(), Fact::default());
        assert_eq!(other.shaping(), strict().shaping());
        other.menu.limit = Some(4);
        assert_ne!(other.shaping(), strict().shaping());
    }

    #[test]
    fn what_is_absent_is_not_written() {
        let json = serde_json::to_value(ClientProfile::reference().shaping()).unwrap();
        let layers = serde_json::json!({
            "name": "reference", "wire": {}, "menu": {}, "result": {}, "conduct": {}, "surface": {},
        });
        assert_eq!(json, layers);
    }
}
