//! `answer_contains`: the answer contains a text.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{self, Brief, Phrase, Short};
use super::{Examine, Seen, View, calls, text};
use crate::display::excerpt;

/// The answer to the last turn contains all of `all` and at least one of `any`. White space, typographic quotes and
/// dashes, bold marks and, unless `case` says otherwise, case do not matter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerContains {
    /// Texts that must all be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<Phrase>,
    /// Texts of which one must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<Phrase>,
    /// Whether case matters. Default: it does not.
    #[serde(default)]
    pub case: Case,
}

/// Whether case matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// `late` is `Late`.
    #[default]
    Ignore,
    /// `late` is not `Late`.
    Sensitive,
}

impl Short for AnswerContains {
    const EXPECTS: &'static str = "a text, a list of texts, or a map with `all`, `any` and `case`";
    type Item = Phrase;
    const SCALARS: &'static [&'static str] = &["string", "integer"];
    const LIST: bool = true;

    fn from_brief(brief: Brief<Phrase>) -> Option<Self> {
        let all = match brief {
            Brief::Text(text) => vec![Phrase(text)],
            Brief::Number(number) => vec![Phrase(short::whole(&number)?)],
            Brief::List(all) => all,
            Brief::Flag(_) => return None,
        };
        Some(Self { all, ..Self::default() })
    }
}

impl Examine for AnswerContains {
    fn examine(&self, view: &View<'_>) -> Seen {
        let (seq, answer) = match calls::answer(view) {
            Ok(answer) => answer,
            Err(none) => return none,
        };
        let fold = match self.case {
            Case::Ignore => text::folded,
            Case::Sensitive => text::plain,
        };
        let hay = fold(answer);
        let has = |phrase: &&Phrase| hay.contains(&fold(&phrase.0));
        let said = excerpt(answer, 160);
        if let Some(missing) = self.all.iter().find(|phrase| !has(phrase)) {
            let why = format!("expected the answer to contain `{}`, observed `{said}`", excerpt(&missing.0, 80));
            return Seen::fail(why, [seq]);
        }
        if !self.any.is_empty() && !self.any.iter().any(|phrase| has(&phrase)) {
            let why = format!("expected the answer to contain one of {}, observed `{said}`", list(&self.any));
            return Seen::fail(why, [seq]);
        }
        let found: Vec<Phrase> = self.all.iter().chain(self.any.iter().filter(has)).cloned().collect();
        Seen::pass(format!("the answer contains {}", list(&found)), [seq])
    }

    fn problems(&self) -> Vec<String> {
        let mut phrases = self.all.iter().chain(&self.any).peekable();
        if phrases.peek().is_none() {
            return vec!["no text is given".to_owned()];
        }
        phrases
            .filter(|phrase| text::plain(&phrase.0).is_empty())
            .map(|_| "an empty text is in every answer".to_owned())
            .take(1)
            .collect()
    }
}

fn list(phrases: &[Phrase]) -> String {
    let shown: Vec<String> = phrases.iter().take(6).map(|phrase| format!("`{}`", excerpt(&phrase.0, 60))).collect();
    shown.join(", ")
}
