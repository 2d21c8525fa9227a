//! Group C: the metadata of the authorization server that the target points to, read only.

use serde_json::Value;
use url::Url;

use super::challenge::is_loopback;
use super::resource::{row, server_document};
use super::{AuthCheck, Level, Needs, Seen};
use crate::auth::discover::server_candidates;
use crate::transcript::Transcript;

mod origin;

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    row("C01", Level::Must, ["the authorization server publishes metadata", "RFC 8414 section 3; OpenID Connect Discovery section 4",
        "serve `/.well-known/oauth-authorization-server` or `/.well-known/openid-configuration`"], published),
    row("C02", Level::Must, ["the metadata names its own issuer", "RFC 8414 section 3.3",
        "set `issuer` to the identifier under whose well-known path the document is served"], own_issuer).since("2026-07-28"),
    row("C03", Level::Must, ["every endpoint is https", "authorization: communication security",
        "serve every OAuth endpoint over https; only loopback may do without"], |t| on_server(t, secure)).since("2025-03-26"),
    row("C04", Level::Must, ["PKCE with S256 is announced", "authorization: authorization code protection",
        "announce `code_challenge_methods_supported: [\"S256\"]`; clients refuse to go on without"], |t| on_server(t, pkce)).since("2025-11-25"),
    row("C05", Level::Should, ["the issuer in authorization responses is announced", "RFC 9207 section 3",
        "send `iss` in every authorization response and announce it"], |t| on_server(t, response_issuer)).since("2026-07-28"),
    row("C06", Level::Should, ["client id metadata documents are supported", "client registration: client ID metadata documents",
        "accept https URLs as client ids and announce `client_id_metadata_document_supported: true`"], |t| on_server(t, metadata_clients)).since("2025-11-25"),
    AuthCheck { needs: &[Needs::Without("pre_registered")], ..row("C07", Level::Hygiene, ["a client can get an id", "client registration",
        "support client id metadata documents or registration, or say `pre_registered: true` in the suite"], |t| on_server(t, registration)) },
    row("C08", Level::Hygiene, ["no retired grant is offered, and a client can authenticate", "OAuth 2.1 section 10",
        "drop the implicit and password grants; offer `none` for public clients or a method of authentication"], |t| on_server(t, modern)),
    AuthCheck { probe: origin::probe, ..row("C09", Level::Must, ["a server of 2025-03-26 has authorization endpoints at its origin", "authorization (2025-03-26): server metadata discovery",
        "serve `/.well-known/oauth-authorization-server` at the origin, or `/authorize` and `/token` there"], origin::examine) }.since("2025-03-26"),
];

fn published(transcript: &Transcript) -> Seen {
    match server_document(transcript) {
        Ok((exchange, _)) => Seen::Holds(format!("found at {}", exchange.url()), vec![exchange.seq]),
        Err(seen) => seen,
    }
}

/// Whether the issuer is one whose metadata belongs where this document was found. What the resource calls it is B05:
/// an issuer with a slash too many leads to the same place, and that slip is the resource's alone.
fn own_issuer(transcript: &Transcript) -> Seen {
    let (exchange, document) = match server_document(transcript) {
        Ok(found) => found,
        Err(Seen::Broken(..)) => return Seen::DoesNotApply("there is no metadata (see C01)".to_owned()),
        Err(seen) => return seen,
    };
    let Some(issuer) = document.get("issuer").and_then(Value::as_str) else {
        return Seen::Broken("its metadata has no `issuer`".to_owned(), vec![exchange.seq]);
    };
    let belongs = Url::parse(issuer).is_ok_and(|issuer| {
        server_candidates(&issuer).iter().any(|(_, place)| place.as_str() == exchange.url())
    });
    match belongs {
        true => Seen::Holds(format!("`{issuer}` is at home there"), vec![exchange.seq]),
        false => {
            let text = format!("the document at {} is that of `{issuer}`", exchange.url());
            Seen::Broken(text, vec![exchange.seq])
        }
    }
}

fn on_server(transcript: &Transcript, rule: fn(&Value) -> Result<String, String>) -> Seen {
    match server_document(transcript) {
        Err(Seen::Broken(..)) => Seen::DoesNotApply("there is no metadata (see C01)".to_owned()),
        Err(seen) => seen,
        Ok((exchange, document)) => match rule(&document) {
            Ok(why) => Seen::Holds(why, vec![exchange.seq]),
            Err(why) => Seen::Broken(why, vec![exchange.seq]),
        },
    }
}

fn secure(document: &Value) -> Result<String, String> {
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "registration_endpoint",
        "revocation_endpoint",
        "jwks_uri",
    ] {
        let Some(value) = document.get(name) else { continue };
        let url = value.as_str().and_then(|text| Url::parse(text).ok());
        match url {
            Some(url) if url.scheme() == "https" || is_loopback(&url) => {}
            Some(_) => return Err(format!("`{name}` is not https")),
            None => return Err(format!("`{name}` is not an absolute URL")),
        }
    }
    Ok("every endpoint is https or loopback".to_owned())
}

fn lists(document: &Value, name: &str, value: &str) -> bool {
    document.get(name).and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == value))
}

fn pkce(document: &Value) -> Result<String, String> {
    match lists(document, "code_challenge_methods_supported", "S256") {
        true => Ok("S256 is announced".to_owned()),
        false => Err("`code_challenge_methods_supported` lacks `S256`".to_owned()),
    }
}

fn response_issuer(document: &Value) -> Result<String, String> {
    match document.get("authorization_response_iss_parameter_supported") {
        Some(Value::Bool(true)) => Ok("`iss` in responses is announced".to_owned()),
        _ => Err("`authorization_response_iss_parameter_supported` is not true".to_owned()),
    }
}

fn metadata_clients(document: &Value) -> Result<String, String> {
    match document.get("client_id_metadata_document_supported") {
        Some(Value::Bool(true)) => Ok("client id metadata documents are announced".to_owned()),
        _ => Err("`client_id_metadata_document_supported` is not true".to_owned()),
    }
}

fn registration(document: &Value) -> Result<String, String> {
    if metadata_clients(document).is_ok() {
        return Ok("any client has an id by its metadata document".to_owned());
    }
    match document.get("registration_endpoint").and_then(Value::as_str) {
        Some(_) => Ok("clients can register".to_owned()),
        None => Err("neither metadata documents nor a `registration_endpoint` are announced".to_owned()),
    }
}

/// What an MCP client may use at the token endpoint (OAuth parameters registry).
const USABLE: [&str; 7] = [
    "none",
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
];

fn modern(document: &Value) -> Result<String, String> {
    for (list, retired) in [
        ("response_types_supported", "token"),
        ("grant_types_supported", "implicit"),
        ("grant_types_supported", "password"),
    ] {
        if lists(document, list, retired) {
            return Err(format!("`{list}` offers `{retired}`"));
        }
    }
    let methods = "token_endpoint_auth_methods_supported";
    // Without the list it is `client_secret_basic` (RFC 8414 section 2).
    if document.get(methods).is_some() && !USABLE.iter().any(|usable| lists(document, methods, usable)) {
        return Err(format!("`{methods}` offers nothing that a client can use"));
    }
    Ok("no retired grant is offered".to_owned())
}
