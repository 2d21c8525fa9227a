//! What a judge decides: atomic statements, and lists of claims with a threshold. Types and their meaning; pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Share;

/// One criterion for the judge: a statement, or a list of claims.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// A statement that must hold. Exactly one of `must`, `must_not`, `info` and `claims` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must: Option<String>,
    /// A statement that must not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_not: Option<String>,
    /// A statement that is only reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
    /// Claims, in any order, of which the final answer must make a share; each is decided on its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
    /// With `claims`: the share of them that must hold. Default 100%.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Share>,
    /// A reference answer for the judge to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Kinds of events of which a `yes` must cite one each, such as `[tool_result]`. Default: any but the user's words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cites: Vec<Role>,
    /// For the scripted judge only: the statement holds when the candidate's answer matches this regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scripted: Option<String>,
}

/// Who is behind an event, as the judge is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The user.
    User,
    /// The candidate, in words.
    Assistant,
    /// The candidate, calling a tool.
    ToolCall,
    /// What a call gave: a result, an error or a refusal.
    ToolResult,
    /// A question of the server to the user or the client.
    Server,
}

impl Role {
    /// The word in prompts and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::ToolCall => "tool_call",
            Self::ToolResult => "tool_result",
            Self::Server => "server",
        }
    }

    /// Whether an event of this role can show what the candidate did or said.
    pub fn is_evidence(self) -> bool {
        matches!(self, Self::Assistant | Self::ToolCall | Self::ToolResult)
    }
}

/// Whether a criterion must hold, must not hold, or is only reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Must hold.
    Must,
    /// Must not hold.
    MustNot,
    /// Reported only.
    Info,
}

/// What a criterion asks of the judge.
#[derive(Clone, Debug, PartialEq)]
pub enum Asks<'a> {
    /// One statement.
    Statement(Kind, &'a str),
    /// Claims, of which this share must hold.
    Claims(&'a [String], f64),
}

impl Criterion {
    /// What is asked; `None` when not exactly one of the four keys is given, or `coverage` stands without `claims`.
    pub fn asks(&self) -> Option<Asks<'_>> {
        let asks = match (&self.must, &self.must_not, &self.info, &self.claims[..]) {
            (Some(text), None, None, []) => Asks::Statement(Kind::Must, text),
            (None, Some(text), None, []) => Asks::Statement(Kind::MustNot, text),
            (None, None, Some(text), []) => Asks::Statement(Kind::Info, text),
            (None, None, None, [_, ..]) => {
                return Some(Asks::Claims(&self.claims, self.coverage.map_or(1.0, |share| share.0)));
            }
            _ => return None,
        };
        self.coverage.is_none().then_some(asks)
    }

    /// The statement and what it is for; `None` for claims and for what is not well formed.
    pub fn statement(&self) -> Option<(Kind, &str)> {
        match self.asks()? {
            Asks::Statement(kind, text) => Some((kind, text)),
            Asks::Claims(..) => None,
        }
    }

    /// What it is for; claims must hold.
    pub fn kind(&self) -> Kind {
        self.statement().map_or(Kind::Must, |(kind, _)| kind)
    }

    /// The criterion in one line, as reports and label files name it.
    pub fn text(&self) -> String {
        match self.asks() {
            Some(Asks::Statement(_, text)) => text.to_owned(),
            Some(Asks::Claims(claims, _)) => claims.join("; "),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_thing_is_asked() {
        let must = Criterion { must: Some("A.".into()), ..Criterion::default() };
        assert_eq!(must.asks(), Some(Asks::Statement(Kind::Must, "A.")));
        let both = Criterion { info: Some("B.".into()), ..must.clone() };
        assert_eq!(both.asks(), None);
        let odd = Criterion { coverage: Some(Share(0.5)), ..must };
        assert_eq!(odd.asks(), None, "a share of one statement");
        let claims = Criterion {
            claims: vec!["A.".into(), "B.".into()],
            coverage: Some(Share(0.5)),
            ..Criterion::default()
        };
        assert_eq!(claims.asks(), Some(Asks::Claims(&claims.claims, 0.5)));
        assert_eq!((claims.kind(), claims.text()), (Kind::Must, "A.; B.".to_owned()));
        assert_eq!(Criterion::default().asks(), None);
    }
}
