//! Auth checks: each sends a few requests and records them, and decides from the record alone.
//!
//! A check is one row of a family's table: `probe` only sends, `examine` only reads. Ids and levels are those of the
//! project's checklist of resource-server duties. What a target cannot show to an outsider is not a check.

use futures::future::BoxFuture;

use self::challenge::is_loopback;
use super::Prober;
use crate::transcript::{Fault, Transcript, What};

mod challenge;
mod placement;
mod reading;
mod resource;
mod scope;
mod server;
mod tokens;
mod transport;

/// Where a check's force comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// MUST or MUST NOT in the MCP specification.
    Must,
    /// SHOULD or SHOULD NOT in the MCP specification or an RFC.
    Should,
    /// MUST in an RFC on which the MCP specification builds.
    Rfc,
    /// Good practice without normative force.
    Hygiene,
}

impl Level {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::Rfc => "rfc",
            Self::Hygiene => "hygiene",
        }
    }
}

/// What a check needs before it can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Needs {
    /// Nothing: any HTTP target.
    Nothing,
    /// A persona that the target lets in, from any source.
    GoodToken,
    /// The same, and a target on loopback.
    LoopbackTarget,
    /// A persona with a minted token, and a target that trusts the embedded issuer.
    TrustedIssuer,
    /// The same, and scopes to leave out.
    Scopes,
}

/// One check.
#[derive(Clone, Copy)]
pub struct AuthCheck {
    /// Its id in the checklist, such as `D03`.
    pub id: &'static str,
    /// What holds when it holds.
    pub title: &'static str,
    /// Where its force comes from.
    pub level: Level,
    /// The section of the MCP specification, or the RFC.
    pub section: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// What to change in the server when it is broken.
    pub fix: &'static str,
    /// Sends and records; judges nothing.
    pub probe: Probe,
    /// Reads the record; sends nothing.
    pub examine: fn(&Transcript) -> Seen,
}

/// Sends and records.
pub type Probe = for<'a> fn(&'a Prober) -> BoxFuture<'a, Result<(), Fault>>;

/// What a record shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// As it should be: why, and the numbers of the events that show it.
    Holds(String, Vec<u32>),
    /// Not as it should be.
    Broken(String, Vec<u32>),
    /// The question does not arise: why.
    DoesNotApply(String),
    /// The record does not tell: why.
    Inconclusive(String),
}

impl AuthCheck {
    /// Whether a broken check is a security failure, or only worth knowing.
    pub fn gates(&self) -> bool {
        matches!(self.level, Level::Must | Level::Rfc)
    }

    /// What the check needs and this prober lacks, if anything.
    pub fn lacks(&self, prober: &Prober) -> Option<&'static str> {
        let met = match self.needs {
            Needs::Nothing => true,
            Needs::GoodToken => prober.has_persona(),
            Needs::LoopbackTarget => prober.has_persona() && is_loopback(prober.target()),
            Needs::TrustedIssuer => prober.minted().is_some(),
            Needs::Scopes => prober.minted().is_some_and(|(_, minted)| !minted.scopes.is_empty()),
        };
        (!met).then(|| self.needs.as_str())
    }

    /// Sends the requests of this check. Where something it needs is missing it sends nothing, and [`Self::judge`]
    /// says so.
    pub async fn run(&self, prober: &Prober) -> Result<(), Fault> {
        match self.lacks(prober) {
            None => (self.probe)(prober).await,
            Some(_) => Ok(()),
        }
    }

    /// Decides from the record.
    pub fn judge(&self, transcript: &Transcript) -> Seen {
        match transcript.events.iter().any(|event| matches!(event.what, What::Exchanged { .. })) {
            true => (self.examine)(transcript),
            false => Seen::DoesNotApply(format!("needs {}", self.needs.as_str())),
        }
    }
}

impl Needs {
    /// What is needed, in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "an HTTP target",
            Self::GoodToken => "a persona with credentials that the target accepts",
            Self::LoopbackTarget => "a loopback target and a persona with credentials that it accepts",
            Self::Scopes => {
                "a persona with a minted token that has scopes, and a target that trusts the issuer"
            }
            Self::TrustedIssuer => {
                "a persona with a minted token, and a target that trusts the embedded issuer"
            }
        }
    }
}

impl std::fmt::Debug for AuthCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuthCheck({})", self.id)
    }
}

const FAMILIES: &[&[AuthCheck]] = &[
    challenge::TABLE,
    resource::TABLE,
    server::TABLE,
    tokens::TABLE,
    placement::TABLE,
    scope::TABLE,
    transport::TABLE,
];

static ALL: [AuthCheck; count(FAMILIES)] = joined(FAMILIES);

/// Every check, in the order of the checklist.
pub static TABLE: &[AuthCheck] = &ALL;

const fn count(families: &[&[AuthCheck]]) -> usize {
    let (mut sum, mut family) = (0, 0);
    while family < families.len() {
        sum += families[family].len();
        family += 1;
    }
    sum
}

const fn joined<const N: usize>(families: &[&[AuthCheck]]) -> [AuthCheck; N] {
    let mut all = [families[0][0]; N];
    let (mut next, mut family) = (0, 0);
    while family < families.len() {
        let mut row = 0;
        while row < families[family].len() {
            all[next] = families[family][row];
            next += 1;
            row += 1;
        }
        family += 1;
    }
    all
}

/// Every check's id, in the order of the table.
pub fn ids() -> Vec<&'static str> {
    TABLE.iter().map(|check| check.id).collect()
}

/// The check with this id.
pub fn find(id: &str) -> Option<&'static AuthCheck> {
    TABLE.iter().find(|check| check.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_in_order() {
        let ids = ids();
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
        assert_eq!(find("D19").map(|check| check.id), Some("D19"));
    }

    #[test]
    fn texts_are_fragments_without_a_period() {
        for check in TABLE {
            for text in [check.title, check.fix, check.section] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{}: {text}", check.id);
            }
        }
    }
}
