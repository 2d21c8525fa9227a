//! Group K: servers over standard streams, where the environment carries the credential and OAuth has no place.

use futures::future::BoxFuture;

use super::{AuthCheck, Level, Needs, Seen};
use crate::auth::bench::Bench;
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

mod apart;
mod flow;
mod missing;
mod part;
mod secret;

/// What a check of this family does in place of a probe over HTTP.
pub(super) type BenchProbe = for<'a> fn(&'a Bench) -> BoxFuture<'a, Result<(), Fault>>;

const fn row(
    id: &'static str,
    level: Level,
    texts: [&'static str; 3],
    (needs, examine): (&'static [Needs], fn(&Transcript) -> Seen),
) -> AuthCheck {
    super::row(id, level, texts, nowhere, examine).needing(needs).once()
}

/// Over HTTP there is nothing to send.
fn nowhere(_: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(std::future::ready(Ok(())))
}

const ENVIRONMENT: &str = "authorization: protocol requirements";
const PRACTICE: &str = "security best practices";

const STDIO: &[Needs] = &[Needs::Stdio];
const SOMEBODY: &[Needs] = &[Needs::Stdio, Needs::GoodToken];
const HANDLES: &[Needs] = &[Needs::Stdio, Needs::TwoPersonas, Needs::Fact("handle")];
const OBJECTS: &[Needs] = &[Needs::Stdio, Needs::TwoPersonas, Needs::Fact("object")];

#[rustfmt::skip]
const ROWS: [(AuthCheck, BenchProbe); 5] = [
    (row("K01", Level::Should, ["the environment is all the authorization there is", ENVIRONMENT,
        "take the credential from the environment, and start no OAuth flow over standard streams"], (STDIO, flow::none)), flow::probe),
    (row("K02", Level::Hygiene, ["a missing credential is said in a line, or not missed", PRACTICE,
        "start without it, or end with one line on stderr that names the variable to set"], (STDIO, missing::said)), missing::probe),
    (row("K03", Level::Hygiene, ["no answer, log or stderr holds the secret", PRACTICE,
        "keep the environment out of lists, results, errors and logs"], (SOMEBODY, secret::kept)), secret::probe),
    (row("K04", Level::Hygiene, ["processes of two users share no handles", PRACTICE,
        "keep what belongs to a user in a place of its own, and the user with every handle"], (HANDLES, apart::judge)), apart::handle),
    (row("K04.object", Level::Hygiene, ["processes of two users share no objects", PRACTICE,
        "look objects up with the user of the process, not by their id alone"], (OBJECTS, apart::judge)), apart::object),
];

pub(super) const TABLE: &[AuthCheck] = &[ROWS[0].0, ROWS[1].0, ROWS[2].0, ROWS[3].0, ROWS[4].0];

/// What a check does on a bench; `None`: it speaks HTTP.
pub(super) fn probe_of(id: &str) -> Option<BenchProbe> {
    ROWS.iter().find(|(check, _)| check.id == id).map(|(_, probe)| *probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_the_table_and_needs_standard_streams() {
        assert_eq!(TABLE.len(), ROWS.len());
        for check in TABLE {
            assert!(check.needs.contains(&Needs::Stdio), "{}", check.id);
            assert!(probe_of(check.id).is_some(), "{}", check.id);
        }
        assert!(probe_of("D19").is_none());
    }
}
