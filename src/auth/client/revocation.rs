//! The end of a login: its tokens are taken back where they come from (RFC 7009).

use secrecy::ExposeSecret;
use url::Url;

use super::courier::{Courier, Form};
use super::discovery;
use super::token_endpoint::{Asked, said};
use super::wallet::{Client, Held};
use super::{Means, Settings};
use crate::transcript::Fault;

/// What became of the tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The authorization server took them back.
    Done,
    /// Its metadata names no place for that.
    Nowhere,
    /// It did not, and why.
    Not(String),
}

/// Takes back the refresh token and the access token that are held. `settings` says how servers are reached.
pub async fn revoke(held: &Held, client: Option<&Client>, settings: &Settings, means: &Means) -> Revoked {
    match attempt(held, client, settings, means).await {
        Ok(revoked) => revoked,
        Err(fault) => Revoked::Not(fault.message),
    }
}

async fn attempt(
    held: &Held,
    client: Option<&Client>,
    settings: &Settings,
    means: &Means,
) -> Result<Revoked, Fault> {
    let courier = Courier::new(&settings.target, &settings.route, settings.patience).await?;
    let server = discovery::server(&courier, &held.issuer).await?;
    let Some(endpoint) = server.revocation_endpoint.clone() else { return Ok(Revoked::Nowhere) };
    let unknown =
        Client { id: String::new(), secret: None, key: None, auth: None, redirect: None, expires: None };
    let client = client.unwrap_or(&unknown);
    let tokens = &held.tokens;
    // The refresh token first: with it the whole grant ends at most servers (section 2.1).
    let all = [("refresh_token", tokens.refresh.as_ref()), ("access_token", Some(&tokens.access))];
    for (kind, token) in all.into_iter().filter_map(|(kind, token)| Some((kind, token?))) {
        let fields = vec![("token", token.expose_secret().to_owned()), ("token_type_hint", kind.to_owned())];
        let asked = Asked { fields, client, server: &server, scopes: &[], key: None };
        if let Some(why) = send(&courier, &endpoint, &asked, means).await? {
            return Ok(Revoked::Not(why));
        }
    }
    Ok(Revoked::Done)
}

/// Sends one request; why it was refused, if it was. A kind of token that the server does not take back ends with its
/// grant (section 2.2.1).
async fn send(
    courier: &Courier,
    endpoint: &Url,
    asked: &Asked<'_>,
    means: &Means,
) -> Result<Option<String>, Fault> {
    let (fields, authorization) = asked.authenticated(means.clock.wall().as_second())?;
    let reply = courier.post(endpoint, Form { fields: &fields, authorization, proof: None }).await?;
    let said = said(&reply);
    let is_done = (200..300).contains(&reply.status) || said.starts_with(", `unsupported_token_type`");
    Ok((!is_done).then(|| format!("the authorization server answered HTTP {}{said}", reply.status)))
}
