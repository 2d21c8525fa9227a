//! A client that runs by itself, as its profile says: with nobody in front of it, real clients still differ in what
//! they answer, and some keep silent.

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::{Answer, Host, elicitation, unknown_method};
use crate::mcp::ClientProfile;
use crate::mcp::profile::{self, Answers};

/// The working directory that clients name as a root: a neutral place, the same on every machine, so that transcripts
/// can be compared. A case that needs a real folder scripts `roots`.
const DIRECTORY: &str = "file:///workspace";

/// Answers as the profile's conduct says; where it says nothing, as [`super::answer`] does.
pub struct Conducted {
    capabilities: Map<String, Value>,
    answers: Answers,
}

impl Conducted {
    /// The client of a profile that declares these capabilities.
    pub fn new(profile: &ClientProfile, capabilities: Map<String, Value>) -> Self {
        Self { capabilities, answers: profile.conduct.answers.unwrap_or_default() }
    }

    /// The answer; `None` for silence.
    pub fn answer(&self, method: &str, params: &Value) -> Option<Answer> {
        let known = match method {
            "ping" => self.answers.ping,
            "roots/list" => self.answers.roots,
            "elicitation/create" => self.answers.elicitation,
            "sampling/createMessage" => self.answers.sampling,
            _ => self.answers.unknown,
        };
        let root = |root: Value| Ok(json!({"roots": [root]}));
        Some(match known {
            None => super::answer(method, &self.capabilities),
            Some(profile::Answer::Empty) => Ok(json!({})),
            Some(profile::Answer::Directory) => root(json!({"uri": DIRECTORY})),
            Some(profile::Answer::NamedDirectory) => root(json!({"uri": DIRECTORY, "name": "workspace"})),
            Some(profile::Answer::NoRoots) => Ok(json!({"roots": []})),
            Some(profile::Answer::Accept) => Ok(accepted(params)),
            Some(profile::Answer::Decline) => Ok(json!({"action": "decline"})),
            Some(profile::Answer::Cancel) => Ok(json!({"action": "cancel"})),
            Some(profile::Answer::NotFound) => Err(unknown_method()),
            Some(profile::Answer::Silence) => return None,
        })
    }
}

impl Host for Conducted {
    fn answer<'a>(&'a self, method: &'a str, params: &'a Value) -> BoxFuture<'a, Option<Answer>> {
        Box::pin(std::future::ready(Self::answer(self, method, params)))
    }
}

/// A page is agreed to; a form is submitted with its defaults, or cancelled where they do not suffice.
fn accepted(params: &Value) -> Value {
    if elicitation::mode(params) == Ok(elicitation::Mode::Url) {
        return json!({"action": "accept"});
    }
    let empty = json!({});
    let filled = elicitation::fill(params.get("requestedSchema").unwrap_or(&empty), &Map::new());
    match filled.fits() {
        true => json!({"action": "accept", "content": filled.content}),
        false => json!({"action": "cancel"}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::jsonrpc::METHOD_NOT_FOUND;
    use crate::mcp::profile::Answer as Word;

    fn client(answers: Answers) -> Conducted {
        let mut profile = ClientProfile::reference();
        profile.conduct.answers = Some(answers);
        Conducted::new(&profile, Map::from_iter([("roots".to_owned(), json!({}))]))
    }

    #[test]
    fn what_the_profile_says_comes_first() {
        let cancels = client(Answers {
            elicitation: Some(Word::Cancel),
            roots: Some(Word::NamedDirectory),
            ..Answers::default()
        });
        let asked = |method: &str| cancels.answer(method, &Value::Null);
        assert_eq!(asked("elicitation/create"), Some(Ok(json!({"action": "cancel"}))));
        let root = json!({"roots": [{"uri": "file:///workspace", "name": "workspace"}]});
        assert_eq!(asked("roots/list"), Some(Ok(root)));
        // Neither in the conduct nor declared.
        assert_eq!(asked("sampling/createMessage").unwrap().unwrap_err()["code"], METHOD_NOT_FOUND);
        assert_eq!(asked("ping"), Some(Ok(json!({}))));
    }

    #[test]
    fn silence_and_refusals_are_emulated() {
        let mute =
            client(Answers { ping: Some(Word::Silence), unknown: Some(Word::Empty), ..Answers::default() });
        assert_eq!(mute.answer("ping", &Value::Null), None);
        assert_eq!(mute.answer("surprise", &Value::Null), Some(Ok(json!({}))));
        let refuses = client(Answers { roots: Some(Word::NotFound), ..Answers::default() });
        assert!(refuses.answer("roots/list", &Value::Null).unwrap().is_err());
    }

    #[test]
    fn a_form_is_submitted_as_far_as_its_defaults_go() {
        let accepts = client(Answers { elicitation: Some(Word::Accept), ..Answers::default() });
        let asked = |params: Value| accepts.answer("elicitation/create", &params).unwrap().unwrap();
        let form = |field: Value| json!({"requestedSchema": {"required": ["a"], "properties": {"a": field}}});
        assert_eq!(asked(form(json!({"default": 1}))), json!({"action": "accept", "content": {"a": 1}}));
        assert_eq!(asked(form(json!({}))), json!({"action": "cancel"}));
        assert_eq!(asked(json!({"mode": "url", "url": "https://example.com/"})), json!({"action": "accept"}));
    }
}
