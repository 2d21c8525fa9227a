//! Auth checks: each sends a few requests and records them, and decides from the record alone.
//!
//! A check is one row of a family's table: `probe` only sends, `examine` only reads. Ids and levels are those of the
//! project's checklist of resource-server duties. What a target cannot show to an outsider is not a check.

use futures::future::BoxFuture;

pub use self::needs::Needs;
use super::Prober;
use super::bench::{self, Bench};
use crate::transcript::{Fault, Transcript, What};

mod bracket;
mod challenge;
mod embedded;
pub(super) mod eras;
mod interleaving;
mod isolation_handles;
mod isolation_lists;
mod isolation_objects;
mod isolation_pages;
mod isolation_paths;
mod isolation_rounds;
mod isolation_sessions;
mod isolation_tasks;
mod isolation_watch;
mod leakage;
#[cfg(test)]
pub(crate) mod imagined;
mod needs;
mod pair;
mod placement;
mod placement_header;
mod placement_paste;
mod placement_session;
mod reading;
#[cfg(test)]
mod records;
mod resource;
mod ruling;
mod scope;
mod scope_guard;
mod scope_steps;
mod scope_terms;
mod server;
pub mod shown;
mod stdio;
mod stopping;
mod telling;
mod tokens;
mod transport;
mod transport_flood;
mod transport_mirror;
mod transport_places;
mod untrusted;
mod variety;

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

/// In which eras of the protocol a check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Eras {
    /// Once: its question has nothing to do with how MCP is spoken.
    Once,
    /// In each era that the target speaks.
    Each,
    /// In the era of sessions only, up to 2025-11-25.
    Legacy,
    /// In the era without sessions only, since 2026-07-28.
    Modern,
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
    /// The first revision whose text (or whose RFCs) ask for it.
    pub since: &'static str,
    /// In which eras it runs.
    pub eras: Eras,
    /// What it needs.
    pub needs: &'static [Needs],
    /// What to change in the server when it is broken.
    pub fix: &'static str,
    /// Sends and records; judges nothing.
    pub probe: Probe,
    /// Reads the record; sends nothing. It sees one era at a time.
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

/// A check with the usual values: asked for since 2025-03-26, in each era, and in need of nothing. Its texts are what
/// holds, the section that asks for it, and how to mend it.
const fn row(
    id: &'static str,
    level: Level,
    texts: [&'static str; 3],
    probe: Probe,
    examine: fn(&Transcript) -> Seen,
) -> AuthCheck {
    let [title, section, fix] = texts;
    let (since, eras, needs) = ("2025-03-26", Eras::Each, &[]);
    AuthCheck { id, title, level, section, since, eras, needs, fix, probe, examine }
}

impl AuthCheck {
    /// The same check, with these needs and no others.
    const fn needing(self, needs: &'static [Needs]) -> Self {
        Self { needs, ..self }
    }

    /// The same check, in these eras.
    const fn during(self, eras: Eras) -> Self {
        Self { eras, ..self }
    }

    /// The same check, asked for since a later revision.
    pub(super) const fn since(self, revision: &'static str) -> Self {
        Self { since: revision, ..self }
    }

    /// The same check, whatever the era.
    pub(super) const fn once(self) -> Self {
        self.during(Eras::Once)
    }

    /// Whether a broken check is a security failure, or only worth knowing.
    pub fn gates(&self) -> bool {
        matches!(self.level, Level::Must | Level::Rfc)
    }

    /// Whether it asks as somebody, and not only as nobody.
    pub fn asks_as_somebody(&self) -> bool {
        self.needs.iter().any(|need| need.spoof() != "-")
    }

    /// What the check needs and this prober lacks, if anything.
    pub fn lacks(&self, prober: &Prober) -> Option<Needs> {
        self.needs.iter().copied().find(|need| !need.met(prober))
    }

    /// Sends the requests of this check, in every era it is about. Where something it needs is missing it sends nothing,
    /// and [`Self::judge`] says so. A check that changes what others rely on waits until it is alone.
    pub async fn run(&self, prober: &Prober) -> Result<(), Fault> {
        if self.lacks(prober).is_some() {
            return Ok(());
        }
        let _turn = prober.turn(self.needs.contains(&Needs::Alone)).await;
        match eras::of(self.eras, prober.eras()) {
            None => (self.probe)(prober).await,
            Some(eras) => {
                let marked = eras.len() > 1;
                for era in eras {
                    (self.probe)(&prober.speaking(era, marked)).await?;
                }
                Ok(())
            }
        }
    }

    /// The same on a server over standard streams. A check that speaks HTTP says so and sends nothing.
    pub async fn run_on(&self, bench: &Bench) -> Result<(), Fault> {
        match stdio::probe_of(self.id) {
            None => bench.skip("needs a target over streamable HTTP"),
            Some(_) if !self.needs.iter().all(|need| need.met_on(bench)) => {}
            Some(probe) => probe(bench).await?,
        }
        Ok(())
    }

    /// Decides from the record: in each era alone, and then of all.
    pub fn judge(&self, transcript: &Transcript) -> Seen {
        if let Some(why) = bench::skipped(&transcript.events) {
            return Seen::DoesNotApply(why.to_owned());
        }
        let probed = transcript
            .events
            .iter()
            .any(|event| matches!(event.what, What::Exchanged { .. }) || bench::noted(event).is_some());
        match probed {
            true => eras::judge(transcript, self.examine),
            false => Seen::DoesNotApply(self.unmet()),
        }
    }

    /// Why nothing was sent, in words.
    fn unmet(&self) -> String {
        let needs: Vec<String> =
            self.needs.iter().filter(|need| **need != Needs::Alone).map(ToString::to_string).collect();
        let spoken = match self.eras {
            Eras::Modern => Some("a target that speaks 2026-07-28"),
            Eras::Legacy => Some("a target that speaks a revision with sessions"),
            Eras::Once | Eras::Each => None,
        };
        let all: Vec<&str> = needs.iter().map(String::as_str).chain(spoken).collect();
        format!("needs {}", all.join(", and "))
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
    tokens::signature::TABLE,
    tokens::audience::TABLE,
    tokens::outage::TABLE,
    tokens::shape::TABLE,
    placement::TABLE,
    scope::TABLE,
    isolation_sessions::TABLE,
    isolation_handles::TABLE,
    isolation_rounds::TABLE,
    isolation_objects::TABLE,
    isolation_paths::TABLE,
    isolation_pages::TABLE,
    isolation_tasks::TABLE,
    isolation_watch::TABLE,
    isolation_lists::TABLE,
    interleaving::TABLE,
    transport::TABLE,
    leakage::TABLE,
    embedded::TABLE,
    stdio::TABLE,
    untrusted::TABLE,
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
    fn every_check_names_a_revision_and_facts_that_exist() {
        let schema = schemars::schema_for!(crate::auth::Facts).to_value();
        for check in TABLE {
            assert!(crate::mcp::revision::find(check.since).is_some(), "{}: {}", check.id, check.since);
            for need in check.needs {
                let (Needs::Fact(key) | Needs::Without(key)) = need else { continue };
                let known = key.split('.').try_fold(&schema, |part, key| {
                    let named = part.pointer("/anyOf/0/$ref").or_else(|| part.get("$ref"));
                    let at = named.and_then(|named| named.as_str()?.strip_prefix('#'));
                    at.map_or(Some(part), |at| schema.pointer(at))?.get("properties")?.get(key)
                });
                assert!(known.is_some(), "{}: {key}", check.id);
            }
        }
    }

    #[test]
    fn two_thirds_of_the_checks_of_resource_servers_need_no_trust_in_us() {
        let of_servers =
            TABLE.iter().filter(|check| matches!(check.id.as_bytes().first(), Some(b'A'..=b'I')));
        let (mut all, mut free) = (0, 0);
        for check in of_servers {
            all += 1;
            free += usize::from(check.needs.iter().all(|need| !matches!(need.spoof(), "M1" | "M3")));
        }
        assert!(free * 3 >= all * 2, "{free} of {all}");
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
