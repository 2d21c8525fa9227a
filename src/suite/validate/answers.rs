//! Answers that a client never lets a server ask for: allowed, because a matrix of clients measures just that, but said.

use crate::diag::{Diagnostic, Origin};
use crate::ids::ClientName;
use crate::suite::Suite;

/// One warning for each answer and capability, which names every client that does not declare it.
pub(super) fn advise(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    let mut found: Vec<(&'static str, &Origin, Vec<&ClientName>)> = vec![];
    for case in &suite.cases {
        let named = suite.clients.iter().map(|client| &client.value);
        for client in named.filter(|client| case.clients.contains(&client.name)) {
            for (capability, place) in case.answers.undeclared(client) {
                match found.iter_mut().find(|(known, at, _)| *known == capability && *at == place) {
                    Some((_, _, clients)) if clients.contains(&&client.name) => {}
                    Some((_, _, clients)) => clients.push(&client.name),
                    None => found.push((capability, place, vec![&client.name])),
                }
            }
        }
    }
    for (capability, place, clients) in found {
        let names = clients.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let (noun, verb) = if clients.len() == 1 { ("client", "does") } else { ("clients", "do") };
        let message = format!(
            "the {noun} {names} {verb} not declare `{capability}`, so no server may ask for it there"
        );
        diagnostics.push(Diagnostic::error("suite.undeclared", place.clone(), message).as_warning().hint(
            "name the clients of the case (`clients: […]`), or keep it to see what the server does without",
        ));
    }
}
