//! A04 to A11: the `WWW-Authenticate` header of refusals, and the scopes that it and the metadata name. Pure.

use serde_json::Value;
use url::{Host, Url};

use super::{first_challenge, is_loopback, last};
use crate::auth::answer::{Answer, Denial, challenges};
use crate::auth::challenge::Challenge;
use crate::auth::checks::Seen;
use crate::auth::checks::reading::decisive;
use crate::auth::checks::resource::document;
use crate::transcript::Transcript;

/// What a rule about one challenge finds: `Ok` why it holds, `Err` why not.
type Found = Result<String, String>;

/// Applies a rule to the Bearer challenge of the answer to no token.
pub(super) fn on_challenge(transcript: &Transcript, rule: fn(&Challenge) -> Found) -> Seen {
    let (exchange, found) = match first_challenge(transcript) {
        Ok(found) => found,
        Err(seen) => return seen,
    };
    match found.as_ref().and_then(|all| all.scheme("bearer")) {
        None => Seen::DoesNotApply("there is no Bearer challenge (see A04)".to_owned()),
        Some(challenge) => match rule(challenge) {
            Ok(why) => Seen::Holds(why, vec![exchange.seq]),
            Err(why) => Seen::Broken(why, vec![exchange.seq]),
        },
    }
}

pub(super) fn bearer(transcript: &Transcript) -> Seen {
    match first_challenge(transcript) {
        Err(seen) => seen,
        Ok((exchange, Some(found))) if found.scheme("bearer").is_some() => {
            Seen::Holds("the 401 carries a Bearer challenge".to_owned(), vec![exchange.seq])
        }
        Ok((exchange, _)) => {
            Seen::Broken("the 401 has no `WWW-Authenticate: Bearer`".to_owned(), vec![exchange.seq])
        }
    }
}

pub(super) fn metadata_named(transcript: &Transcript) -> Seen {
    let (exchange, found) = match first_challenge(transcript) {
        Ok(found) => found,
        Err(seen) => return seen,
    };
    let Some(found) = found else {
        return Seen::DoesNotApply("there is no challenge (see A04)".to_owned());
    };
    let named = found.scheme("bearer").and_then(|challenge| challenge.get("resource_metadata"));
    let Some(named) = named else {
        // Since 2025-11-25 a server may leave it out where the well-known place answers.
        return match document(transcript) {
            Some((place, _)) => {
                let text = format!("the challenge leaves it out, but it is at {}", place.url());
                Seen::Holds(text, vec![exchange.seq, place.seq])
            }
            None => {
                let text = "the challenge has no `resource_metadata`, and no well-known place has it";
                Seen::Broken(text.to_owned(), vec![exchange.seq])
            }
        };
    };
    let broken = |text: &str| Seen::Broken(format!("{text}: `{named}`"), vec![exchange.seq]);
    match (Url::parse(named), Url::parse(exchange.url())) {
        (Ok(named), Ok(target)) if !same_site(&named, &target) => {
            broken("`resource_metadata` points to another site")
        }
        (Ok(named), _) if named.scheme() != "https" && !is_loopback(&named) => {
            broken("`resource_metadata` is not https")
        }
        (Ok(_), _) => Seen::Holds("the challenge names the metadata".to_owned(), vec![exchange.seq]),
        (Err(_), _) => broken("`resource_metadata` is not an absolute URL"),
    }
}

/// The same host, or names below the same domain.
fn same_site(one: &Url, other: &Url) -> bool {
    let parent = |host: Host<&str>| match host {
        Host::Domain(name) => name.split_once('.').map(|(_, rest)| rest.to_owned()),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    };
    let (Some(one), Some(other)) = (one.host(), other.host()) else { return false };
    if one == other {
        return true;
    }
    let (one_text, other_text) = (one.to_string(), other.to_string());
    match (parent(one), parent(other)) {
        (Some(one), Some(other)) => {
            one.contains('.') && one == other || one == other_text || other == one_text
        }
        _ => false,
    }
}

pub(super) fn grammatical(transcript: &Transcript) -> Seen {
    let mut seqs = Vec::new();
    for label in ["no token", "garbage", "an expired token", "a token without scopes"] {
        let Some(exchange) = decisive(transcript, label) else { continue };
        if exchange.answer().is_unavailable() {
            return Seen::Inconclusive(format!("{label} got {}", exchange.answer()));
        }
        let Some(found) = exchange.side().and_then(challenges) else { continue };
        if let Some(problem) = found.problems.first() {
            let text = format!("the challenge on {label} has {problem}");
            return Seen::Broken(text, vec![exchange.seq]);
        }
        seqs.push(exchange.seq);
    }
    match seqs.is_empty() {
        true => Seen::DoesNotApply("there is no challenge (see A04)".to_owned()),
        false => Seen::Holds("every challenge can be read by the grammar".to_owned(), seqs),
    }
}

pub(super) fn no_error(challenge: &Challenge) -> Found {
    match challenge.get("error") {
        None => Ok("the challenge reports no error".to_owned()),
        Some(error) => Err(format!("the challenge reports `{error}` though there was no token")),
    }
}

pub(super) fn invalid_token(transcript: &Transcript) -> Seen {
    let exchange = match last(transcript, "garbage") {
        Ok(exchange) => exchange,
        Err(seen) => return seen,
    };
    let evidence = vec![exchange.seq];
    match exchange.answer() {
        Answer::Denied(Denial::Unauthorized) => {}
        other if other.is_unavailable() => return Seen::Inconclusive(format!("a bad token got {other}")),
        other => return Seen::Broken(format!("a bad token got {other} instead of 401"), evidence),
    }
    let found = exchange.side().and_then(challenges).unwrap_or_default();
    let challenge = found.scheme("bearer").cloned().unwrap_or_default();
    // What the challenge offers to somebody without a token must not vanish for a bad one.
    let offered = first_challenge(transcript).ok().and_then(|(_, found)| found);
    let offered = offered.as_ref().and_then(|found| found.scheme("bearer")?.get("resource_metadata"));
    match (challenge.get("error"), challenge.get("resource_metadata")) {
        (Some("invalid_token"), None) if offered.is_some() => {
            Seen::Broken("the challenge on a bad token lost its `resource_metadata`".to_owned(), evidence)
        }
        (Some("invalid_token"), _) => Seen::Holds("a bad token got `invalid_token`".to_owned(), evidence),
        (Some(error), _) => Seen::Broken(format!("a bad token got `error=\"{error}\"`"), evidence),
        (None, _) => {
            Seen::Broken("the challenge on a bad token has no `error=\"invalid_token\"`".to_owned(), evidence)
        }
    }
}

pub(super) fn scoped(challenge: &Challenge) -> Found {
    let scope = challenge.get("scope").ok_or("the challenge has no `scope`")?;
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
    };
    match scope.split(' ').all(token) {
        true => Ok(format!("the challenge names `{scope}`")),
        false => Err(format!("`{scope}` is not a list of scope tokens (RFC 6749 section 3.3)")),
    }
}

/// The scopes that the challenge asks for, if it names any.
pub(in crate::auth::checks) fn challenged(transcript: &Transcript) -> Option<(Vec<String>, u32)> {
    let (exchange, found) = first_challenge(transcript).ok()?;
    let scope = found?.scheme("bearer")?.get("scope")?.to_owned();
    Some((scope.split_ascii_whitespace().map(str::to_owned).collect(), exchange.seq))
}

/// The scopes that the metadata lists, if it lists any.
pub(in crate::auth::checks) fn offered(transcript: &Transcript) -> Option<(Vec<String>, u32)> {
    let (exchange, document) = document(transcript)?;
    let listed = document.get("scopes_supported")?.as_array()?;
    Some((listed.iter().filter_map(Value::as_str).map(str::to_owned).collect(), exchange.seq))
}

pub(super) fn without(transcript: &Transcript, unwanted: &[&str]) -> Seen {
    let places = [("the challenge", challenged(transcript)), ("the metadata", offered(transcript))];
    let (mut seqs, mut asked) = (vec![], vec![]);
    for (place, found) in places {
        let Some((scopes, seq)) = found else { continue };
        if let Some(scope) = scopes.iter().find(|scope| unwanted.contains(&scope.as_str())) {
            return Seen::Broken(format!("{place} names `{scope}`"), vec![seq]);
        }
        seqs.push(seq);
        asked.push(format!("{place} names `{}`", scopes.join(" ")));
    }
    match (asked.is_empty(), first_challenge(transcript)) {
        (false, _) => Seen::Holds(asked.join(", "), seqs),
        (true, Err(seen @ Seen::Inconclusive(_))) => seen,
        (true, _) => Seen::DoesNotApply("neither the challenge nor the metadata name scopes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_a_domain_and_what_is_below_it() {
        let same = |one: &str, other: &str| {
            let url = |host: &str| Url::parse(&format!("https://{host}/x")).unwrap();
            same_site(&url(one), &url(other))
        };
        for (one, other) in [
            ("mcp.acme.example", "mcp.acme.example"),
            ("mcp.acme.example", "www.acme.example"),
            ("acme.example", "mcp.acme.example"),
            ("127.0.0.1:1", "127.0.0.1:2"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in
            [("a.example", "b.example"), ("127.0.0.1", "127.0.0.2"), ("127.0.0.1", "localhost")]
        {
            assert!(!same(one, other), "{one} {other}");
        }
    }
}
