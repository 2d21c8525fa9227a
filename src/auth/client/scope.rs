//! Which scopes are asked for. Pure.

use super::metadata::ServerMetadata;

/// The scope that asks for a refresh token (OpenID Connect Core section 11).
const OFFLINE: &str = "offline_access";

/// The scope tokens of a space-separated list, without repetition.
pub(super) fn split(text: &str) -> Vec<String> {
    union(&[], text.split_ascii_whitespace())
}

/// Everything of both, in order, without repetition.
pub(super) fn union<'a>(one: &[String], other: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut all = one.to_vec();
    for scope in other {
        if !all.iter().any(|known| known == scope) {
            all.push(scope.to_owned());
        }
    }
    all
}

/// The selection strategy of the authorization pages: what the challenge asks for, else all that the resource lists,
/// else nothing, which leaves it to the authorization server.
pub(super) fn select(challenged: Option<&str>, listed: Option<&[String]>) -> Vec<String> {
    let challenged = split(challenged.unwrap_or_default());
    match challenged.is_empty() {
        false => challenged,
        true => union(&[], listed.unwrap_or_default().iter().map(String::as_str)),
    }
}

/// The same with `offline_access` exactly when the authorization server lists it and refreshing is of use. A request
/// without scopes stays one: adding to it would replace the server's default.
pub(super) fn with_offline(scopes: Vec<String>, server: &ServerMetadata, refreshable: bool) -> Vec<String> {
    if refreshable && server.lists(OFFLINE) && !scopes.is_empty() {
        return union(&scopes, [OFFLINE]);
    }
    scopes.into_iter().filter(|scope| scope != OFFLINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        split(text)
    }

    #[test]
    fn the_challenge_comes_before_the_list() {
        for (challenge, listed, chosen) in [
            (Some("a b"), Some("c d"), "a b"),
            (Some(" a  a "), None, "a"),
            (Some(""), Some("c d"), "c d"),
            (None, Some("c d c"), "c d"),
            (None, Some(""), ""),
            (None, None, ""),
        ] {
            let listed = listed.map(list);
            assert_eq!(select(challenge, listed.as_deref()).join(" "), chosen, "{challenge:?} {listed:?}");
        }
    }

    #[test]
    fn offline_access_is_asked_for_only_where_it_is_listed() {
        let lists =
            ServerMetadata { scopes_supported: Some(list("a offline_access")), ..ServerMetadata::default() };
        let silent = ServerMetadata::default();
        for (scopes, server, refreshable, chosen) in [
            ("a", &lists, true, "a offline_access"),
            ("a offline_access", &lists, true, "a offline_access"),
            ("a", &lists, false, "a"),
            ("", &lists, true, ""),
            ("a", &silent, true, "a"),
            ("a offline_access", &silent, true, "a"),
        ] {
            assert_eq!(with_offline(list(scopes), server, refreshable).join(" "), chosen, "{scopes}");
        }
    }

    #[test]
    fn a_union_keeps_what_was_there() {
        assert_eq!(union(&list("a b"), ["b", "c"]).join(" "), "a b c");
    }
}
