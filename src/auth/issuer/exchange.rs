//! Grants that begin with a token: exchange (RFC 8693) and assertions (RFC 7523 section 2.1).
//!
//! The issuer plays both parts of enterprise-managed authorization: as the identity provider it turns an ID token into
//! an identity assertion (ID-JAG) for any authorization server, and as an authorization server it accepts those that it
//! made for itself.

use axum::response::Response;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::client_auth::Refused;
use super::clients::Client;
use super::grant::{Extras, Granted, json_answer, unsigned};
use super::state::Shared;
use super::token::{Kind, Sort};
use super::token_endpoint::Wanted;

const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID: &str = "urn:ietf:params:oauth:token-type:id_token";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// Exchanges an access token for one of another audience, or an ID token for an identity assertion.
pub(super) fn exchanged(shared: &Shared, client: &Client, wanted: &Wanted) -> Result<Response, Refused> {
    let token = wanted.subject_token.as_deref().ok_or(Refused("invalid_request", "no `subject_token`"))?;
    let sort = match wanted.subject_token_type.as_deref() {
        Some(ACCESS | JWT) => Sort::Access,
        Some(ID) => Sort::Id,
        _ => return Err(Refused("invalid_request", "`subject_token_type`: access_token, jwt or id_token")),
    };
    let known = shared.ledger.look(token, shared.now()).filter(|known| known.sort == sort);
    let known = known.ok_or(Refused("invalid_request", "the subject token is not in force here"))?;
    let audience = wanted.resource.as_deref().or(wanted.audience.as_deref());
    match (wanted.requested_token_type.as_deref(), sort) {
        (None | Some(ACCESS | JWT), Sort::Access) => {
            let resource = audience.ok_or(Refused("invalid_target", "name the target in `resource`"))?;
            let mut minted = known.minted;
            // Who acts for the person (section 4.1).
            minted.claims.insert("act".to_owned(), json!({"sub": client.id}));
            let granted = Granted {
                minted,
                subject: known.subject,
                client: client.id.clone(),
                resource: resource.to_owned(),
            };
            let extras = Extras { issued: Some(ACCESS), ..Extras::default() };
            granted.narrowed(wanted.scope.as_deref())?.answer(shared, extras)
        }
        (Some(ID_JAG), Sort::Id) if known.claims.get("aud") == Some(&json!(client.id)) => {
            let server = wanted.audience.as_deref();
            let server =
                server.ok_or(Refused("invalid_target", "name the authorization server in `audience`"))?;
            let granted = Granted {
                minted: known.minted,
                subject: known.subject,
                client: client.id.clone(),
                resource: wanted.resource.clone().unwrap_or_default(),
            };
            let granted = granted.narrowed(wanted.scope.as_deref())?;
            let kind = Kind::Jag { resource: wanted.resource.as_deref(), typed: true };
            let made = shared.mint(&granted.minted, (&granted.subject, &client.id), server, kind);
            Ok(json_answer(&json!({
                "access_token": made.map_err(|_| unsigned())?.expose_secret(), "token_type": "N_A",
                "issued_token_type": ID_JAG, "expires_in": 300, "scope": granted.minted.scopes.join(" "),
            })))
        }
        (Some(ID_JAG), Sort::Id) => Err(Refused("invalid_request", "the ID token is for another client")),
        _ => Err(Refused("invalid_request", "this token is not exchanged for one of that type")),
    }
}

/// Accepts an assertion of this issuer as a grant. `client` is who asks, if anybody says so.
pub(super) fn vouched(
    shared: &Shared,
    client: Option<&Client>,
    wanted: &Wanted,
) -> Result<Response, Refused> {
    let wrong =
        || Refused("invalid_grant", "the assertion is not one for this server and client, or is used up");
    let assertion = wanted.assertion.as_deref().ok_or(Refused("invalid_request", "no `assertion`"))?;
    let known = shared.ledger.look(assertion, shared.now()).ok_or_else(wrong)?;
    let says = |name: &str, value: &str| known.claims.get(name).and_then(Value::as_str) == Some(value);
    let fits = says("aud", &shared.url)
        && match known.sort {
            Sort::Jag => client.is_some_and(|client| says("client_id", &client.id)),
            Sort::Workload => client.is_none_or(|client| says("sub", &client.id) || client.id.is_empty()),
            Sort::Access | Sort::Id => false,
        };
    if !fits {
        return Err(wrong());
    }
    let bound = known.claims.get("resource").and_then(Value::as_str);
    let resource = wanted.resource.as_deref().or(bound);
    let resource = resource.ok_or(Refused("invalid_target", "name the target in `resource`"))?;
    if bound.is_some_and(|bound| bound != resource) {
        return Err(Refused("invalid_target", "the assertion is for another resource"));
    }
    // An assertion works once, whatever comes of it.
    if !shared.ledger.revoke(assertion) {
        return Err(wrong());
    }
    let granted = Granted {
        client: client.map_or_else(|| known.subject.clone(), |client| client.id.clone()),
        minted: known.minted,
        subject: known.subject,
        resource: resource.to_owned(),
    };
    granted.narrowed(wanted.scope.as_deref())?.answer(shared, Extras::default())
}
