//! What is answered when the server asks the client: elicitation, sampling, roots. Names are the specification's.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::diag::Located;
use crate::llm::ModelSpec;
use crate::mcp::ClientProfile;

/// The script of a case for the server's questions. What is absent is answered as the client profile does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Answers to `elicitation/create`, in order; at least one.
    pub elicitation: Option<Located<Vec<Reply>>>,
    /// Who answers `sampling/createMessage`.
    pub sampling: Option<Located<Sampling>>,
    /// The answer to `roots/list`; may be empty.
    pub roots: Option<Located<Vec<Root>>>,
}

/// An answer to an elicitation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Matchers of the request's parameters; only questions that match get this answer.
    pub when: Option<Value>,
    /// What the user does.
    pub action: Action,
    /// Fields of the form, for `accept`; the others take the form's defaults.
    pub content: Map<String, Value>,
}

/// What a user does with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Submits the form, or agrees to visit the page.
    Accept,
    /// Says no.
    Decline,
    /// Closes the dialog.
    Cancel,
}

impl Action {
    /// All of them, as the specification spells them.
    pub const ALL: [Self; 3] = [Self::Accept, Self::Decline, Self::Cancel];

    /// The word of the specification.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Decline => "decline",
            Self::Cancel => "cancel",
        }
    }
}

/// Who answers when the server wants a model's words.
#[derive(Clone, Debug, PartialEq)]
pub enum Sampling {
    /// A model of the suite.
    Model(Box<ModelSpec>),
    /// These words.
    Text(String),
    /// Nobody: the user refuses.
    Refuse,
}

/// A folder that the server may work in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// A `file:` URI.
    pub uri: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Answers {
    /// Whether nothing is scripted.
    pub fn is_empty(&self) -> bool {
        self.elicitation.is_none() && self.sampling.is_none() && self.roots.is_none()
    }

    /// The capabilities a client needs so that a server may ask what is scripted, as it declares them.
    pub fn capabilities(&self) -> Map<String, Value> {
        let mut needed = Map::new();
        let mut need = |name: &str, value: Value| needed.insert(name.to_owned(), value);
        if self.elicitation.is_some() {
            need("elicitation", serde_json::json!({"form": {}, "url": {}}));
        }
        if self.sampling.is_some() {
            need("sampling", serde_json::json!({"tools": {}}));
        }
        if self.roots.is_some() {
            need("roots", serde_json::json!({}));
        }
        needed
    }

    /// What is scripted and the client never lets a server ask, by capability. A client whose capabilities are not
    /// said declares what the case answers ([`Answers::declared_by`]).
    pub fn undeclared<'a>(&'a self, client: &ClientProfile) -> Vec<(&'static str, &'a crate::diag::Origin)> {
        let Some(declared) = &client.wire.capabilities else { return vec![] };
        let places = [
            ("elicitation", self.elicitation.as_ref().map(|block| &block.origin)),
            ("sampling", self.sampling.as_ref().map(|block| &block.origin)),
            ("roots", self.roots.as_ref().map(|block| &block.origin)),
        ];
        let missing = places.into_iter().filter(|(name, _)| !declared.contains_key(*name));
        missing.filter_map(|(name, place)| Some((name, place?))).collect()
    }

    /// The client as it runs with these answers: one whose capabilities are not said declares what is answered besides
    /// what it declares anyway.
    pub fn declared_by(&self, client: &ClientProfile) -> Option<ClientProfile> {
        if self.is_empty() || client.wire.capabilities.is_some() {
            return None;
        }
        let mut client = client.clone();
        let mut declared = client.wire.capabilities();
        declared.extend(self.capabilities());
        client.wire.capabilities = Some(declared);
        Some(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Origin;

    fn located<T>(value: T) -> Option<Located<T>> {
        Some(Located::new(value, Origin { file: "s.yaml".into(), line: 1, column: 1 }))
    }

    #[test]
    fn a_client_without_its_own_capabilities_declares_what_is_answered() {
        let answers =
            Answers { sampling: located(Sampling::Refuse), roots: located(vec![]), ..Answers::default() };
        let reference = ClientProfile::reference();
        let client = answers.declared_by(&reference).unwrap();
        let declared = client.wire.capabilities();
        assert_eq!(declared["sampling"], answers.capabilities()["sampling"]);
        assert_eq!(declared["elicitation"], reference.wire.capabilities()["elicitation"]);
        assert_eq!(answers.capabilities().keys().collect::<Vec<_>>(), ["sampling", "roots"]);
        assert!(answers.undeclared(&reference).is_empty());
        assert_eq!(Answers::default().declared_by(&reference), None);
    }

    #[test]
    fn a_client_with_its_own_capabilities_keeps_them() {
        let answers =
            Answers { sampling: located(Sampling::Refuse), roots: located(vec![]), ..Answers::default() };
        let mut client = ClientProfile::reference();
        client.wire.capabilities = Some(Map::from_iter([("roots".to_owned(), Value::Null)]));
        assert_eq!(answers.declared_by(&client), None);
        let missing: Vec<_> = answers.undeclared(&client).into_iter().map(|(name, _)| name).collect();
        assert_eq!(missing, ["sampling"]);
    }
}
