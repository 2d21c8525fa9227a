//! What a trial shows of access: for one persona and one subject, whether it is listed, whether it may be used, and
//! whether that is as it should be. The words of reports for it stand here and nowhere else.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::transcript::Subject;

/// What is known of one persona and one subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    /// The tool, resource or prompt.
    pub subject: Subject,
    /// Whether the last complete list has it; `None` when there is none.
    pub listed: Option<bool>,
    /// What became of the last use of it; `None` when it was not tried.
    pub used: Option<Used>,
    /// How it was denied, if it was.
    pub denied_as: Option<DenialShape>,
    /// Whether that is as it should be.
    pub access: Access,
}

impl Sight {
    /// Which of the four cells it is in; `None` when one of the two was not shown.
    pub fn standing(&self) -> Option<Standing> {
        Some(match (self.listed?, self.used?) {
            (true, Used::Allowed) => Standing::Open,
            (true, Used::Denied) => Standing::ListedButRefused,
            (false, Used::Denied) => Standing::Closed,
            (false, Used::Allowed) => Standing::HiddenButCallable,
            (_, Used::Unclear) => return None,
        })
    }

    /// The same persona and subject seen by another check: what either shows, and the graver verdict.
    #[must_use]
    pub fn with(self, other: &Self) -> Self {
        Self {
            subject: self.subject,
            listed: other.listed.or(self.listed),
            used: other.used.or(self.used),
            denied_as: other.denied_as.or(self.denied_as),
            access: self.access.max(other.access),
        }
    }
}

/// What became of a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Used {
    /// It was let through.
    Allowed,
    /// It was refused.
    Denied,
    /// The answer does not tell.
    Unclear,
}

/// One of the four cells of visible and callable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Listed and callable.
    Open,
    /// Listed, and refused when it is used.
    ListedButRefused,
    /// Neither listed nor callable.
    Closed,
    /// Not listed, and answered all the same: who knows the name gets in.
    HiddenButCallable,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "listed and callable",
            Self::ListedButRefused => "listed but refused",
            Self::Closed => "hidden and refused",
            Self::HiddenButCallable => "hidden but callable",
        })
    }
}

/// Whether access is as it should be. Of several findings the later in this order wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Refused or hidden, as expected.
    Denied,
    /// Seen or callable, as expected.
    Allowed,
    /// Could not be decided.
    Unknown,
    /// Not seen or not callable, but must be.
    Missing,
    /// Seen or callable, but must not be.
    Leak,
}

/// How a target denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DenialShape {
    /// HTTP 403 with a challenge that says `insufficient_scope`.
    Challenge,
    /// HTTP 403 without such a challenge.
    Forbidden,
    /// HTTP 401.
    Unauthorized,
    /// A JSON-RPC error.
    RpcError,
    /// A tool result flagged as an error.
    ToolError,
    /// The same answer as for a tool, resource or prompt that does not exist.
    AsUnknown,
}

impl DenialShape {
    /// The word that a suite uses for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::Forbidden => "forbidden",
            Self::Unauthorized => "unauthorized",
            Self::RpcError => "rpc_error",
            Self::ToolError => "tool_error",
            Self::AsUnknown => "as_unknown",
        }
    }
}

impl fmt::Display for DenialShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Challenge => "HTTP 403 with a challenge",
            Self::Forbidden => "HTTP 403",
            Self::Unauthorized => "HTTP 401",
            Self::RpcError => "a JSON-RPC error",
            Self::ToolError => "a flagged result",
            Self::AsUnknown => "the same reply as for one that does not exist",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(listed: Option<bool>, used: Option<Used>, access: Access) -> Sight {
        Sight { subject: Subject::tool("x"), listed, used, denied_as: None, access }
    }

    #[test]
    fn the_four_cells() {
        let standing = |listed, used| sight(Some(listed), Some(used), Access::Unknown).standing();
        assert_eq!(standing(true, Used::Allowed), Some(Standing::Open));
        assert_eq!(standing(true, Used::Denied), Some(Standing::ListedButRefused));
        assert_eq!(standing(false, Used::Denied), Some(Standing::Closed));
        assert_eq!(standing(false, Used::Allowed), Some(Standing::HiddenButCallable));
        assert_eq!(standing(true, Used::Unclear), None);
        assert_eq!(sight(None, Some(Used::Allowed), Access::Allowed).standing(), None);
    }

    #[test]
    fn two_sights_join_to_the_graver() {
        let seen =
            sight(Some(false), None, Access::Denied).with(&sight(None, Some(Used::Allowed), Access::Leak));
        assert_eq!((seen.standing(), seen.access), (Some(Standing::HiddenButCallable), Access::Leak));
    }
}
