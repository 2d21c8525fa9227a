//! A row of the access matrix to what is looked at and tried.

use std::sync::Arc;

use super::{AccessCall, AccessWork, Turn};
use crate::auth::{IdentitySpec, Persona};
use crate::ids::PersonaName;
use crate::suite::{AccessSpec, Change};
use crate::transcript::Subject;

/// The work of a row; `persona` finds a definition by name.
pub(super) fn work(
    row: &AccessSpec,
    first: &Persona,
    persona: impl Fn(&PersonaName) -> Option<Arc<Persona>>,
) -> AccessWork {
    let tried = row.calls.iter().chain(&row.never);
    let mut path = first.name.to_string();
    let mut now = first.clone();
    let becomes = row.becomes.iter().filter_map(|to| {
        path = format!("{path}/{}", to.value);
        let (next, change) = match persona(&to.value) {
            Some(to) => (turned(first, &to, &path), None),
            // The rights stay what they are.
            None => (
                Persona { name: PersonaName::from(path.as_str()), ..now.clone() },
                Some(Change::named(to.value.as_str())?),
            ),
        };
        now = next.clone();
        Some(Turn { to: to.value.clone(), persona: next, change })
    });
    let becomes = becomes.collect();
    AccessWork {
        becomes,
        calls: tried
            .map(|(subject, args)| AccessCall { subject: subject.value.clone(), args: args.clone() })
            .collect(),
        features: row.others.is_some()
            || row.named().any(|subject| !matches!(subject.value, Subject::Tool(_))),
        others: row.others.as_ref().map(|_| row.named().map(|subject| subject.value.clone()).collect()),
    }
}

/// Somebody with the rights of another: scopes, claims and flaw are the other's, the subject stays.
fn turned(from: &Persona, to: &Persona, name: &str) -> Persona {
    let identity = match (&from.identity, &to.identity) {
        (IdentitySpec::Minted(from_minted), IdentitySpec::Minted(minted)) => {
            let mut minted = minted.clone();
            let own = || from.name.to_string();
            minted.subject = Some(from_minted.subject.clone().unwrap_or_else(own));
            IdentitySpec::Minted(minted)
        }
        (_, other) => other.clone(),
    };
    Persona { name: PersonaName::from(name), description: String::new(), identity }
}
