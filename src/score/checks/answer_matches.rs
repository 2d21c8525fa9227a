//! `answer_matches`: the answer matches a regular expression.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View, calls, text};
use crate::display::excerpt;

/// The regular expression is found in the answer to the last turn. Syntax of the `regex` crate: linear time, `(?i)`
/// for any case, `(?s)` lets `.` cross lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerMatches {
    /// The regular expression; not anchored.
    pub regex: String,
}

impl Short for AnswerMatches {
    const EXPECTS: &'static str = "a regular expression, or a map with `regex`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["string"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Text(regex) => Some(Self { regex }),
            _ => None,
        }
    }
}

impl Examine for AnswerMatches {
    fn examine(&self, view: &View<'_>) -> Seen {
        let regex = match text::regex(&self.regex) {
            Ok(regex) => regex,
            Err(problem) => return Seen::unreadable(&[problem]),
        };
        let (seq, answer) = match calls::answer(view) {
            Ok(answer) => answer,
            Err(none) => return none,
        };
        let shown = excerpt(&self.regex, 80);
        match regex.find(answer) {
            Some(found) => {
                Seen::pass(format!("the answer matches /{shown}/ with `{}`", excerpt(found.as_str(), 80)), [seq])
            }
            None => {
                let why = format!("expected the answer to match /{shown}/, observed `{}`", excerpt(answer, 160));
                Seen::fail(why, [seq])
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        match text::regex(&self.regex) {
            Err(problem) => vec![problem],
            Ok(regex) if regex.is_match("") => {
                vec![format!("/{}/ matches every answer, even an empty one", excerpt(&self.regex, 60))]
            }
            Ok(_) => vec![],
        }
    }
}
