//! Requests to a token endpoint: how the client proves itself, and what the answer holds.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::courier::{Courier, Form, Reply};
use super::dpop::{Covered, Nonces, ProofKey};
use super::metadata::ServerMetadata;
use super::scope;
use super::wallet::{Client, ClientAuth, Tokens};
use super::{Means, Settings, fault};
use crate::display;
use crate::transcript::Fault;

/// The fields of a form.
pub(super) type Fields = Vec<(&'static str, String)>;

/// A request for tokens: the fields of its grant and who asks.
pub(super) struct Asked<'a> {
    pub(super) fields: Fields,
    pub(super) client: &'a Client,
    pub(super) server: &'a ServerMetadata,
    /// What was asked for; what is granted where the answer names no scope.
    pub(super) scopes: &'a [String],
    /// The key that the tokens shall be bound to.
    pub(super) key: Option<&'a ProofKey>,
}

/// What requests are sent with.
#[derive(Clone, Copy)]
pub(super) struct Post<'a> {
    pub(super) courier: &'a Courier,
    pub(super) means: &'a Means,
    pub(super) nonces: &'a Nonces,
    /// How servers are reached.
    pub(super) settings: &'a Settings,
}

/// Why there are no tokens.
#[derive(Debug)]
pub(super) enum Denied {
    /// The server said no, with an error code of RFC 6749 section 5.2.
    Error { code: String, fault: Fault },
    /// Something else went wrong.
    Fault(Fault),
}

impl Denied {
    /// The fault, whatever it was.
    pub(super) fn into_fault(self) -> Fault {
        match self {
            Self::Error { fault, .. } | Self::Fault(fault) => fault,
        }
    }

    /// Whether the server refused with this error code.
    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Error { code, .. } if code == wanted)
    }
}

impl From<Fault> for Denied {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: Option<Value>,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    issued_token_type: Option<String>,
}

/// RFC 7523 section 2.2.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An identity assertion that another authorization server takes as a grant.
pub(super) const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

impl Asked<'_> {
    /// Sends the request and reads the tokens. They are registered as secrets before anybody sees them.
    pub(super) async fn send(self, post: Post<'_>) -> Result<Tokens, Denied> {
        let mut reply = self.once(post).await?;
        // RFC 9449 section 8: the nonce comes with the refusal, and one more try must do.
        if self.key.is_some() && error_of(&reply).as_deref() == Some("use_dpop_nonce") {
            reply = self.once(post).await?;
        }
        self.read(&reply, post.means)
    }

    /// Sends a token exchange and reads the identity assertion that it yields: a grant for another server, no token to
    /// be used as such.
    pub(super) async fn exchange(self, post: Post<'_>) -> Result<SecretString, Denied> {
        let reply = self.once(post).await?;
        let granted = granted(&reply)?;
        if granted.issued_token_type.as_deref() != Some(ID_JAG) {
            let text = "the identity provider exchanged the ID token for something that is no identity assertion grant";
            return Err(fault("credentials.token", text).into());
        }
        post.means.secrets.register_jwt("id-jag", &granted.access_token);
        Ok(SecretString::from(granted.access_token))
    }

    async fn once(&self, post: Post<'_>) -> Result<Reply, Fault> {
        let endpoint = self.endpoint()?;
        let (nonce, now) = (post.nonces.of(endpoint), post.means.clock.wall().as_second());
        let (fields, authorization) = self.authenticated(now)?;
        let covered = Covered { method: "POST", url: endpoint, token: None, nonce, now };
        let proof = self.key.map(|key| key.proof(&covered)).transpose()?;
        let reply = post.courier.post(endpoint, Form { fields: &fields, authorization, proof }).await?;
        if let Some(nonce) = &reply.nonce {
            post.nonces.keep(endpoint, nonce);
        }
        Ok(reply)
    }

    fn endpoint(&self) -> Result<&Url, Fault> {
        self.server
            .token_endpoint
            .as_ref()
            .ok_or_else(|| fault("credentials.metadata", "the authorization server names no token endpoint"))
    }

    /// The fields and the header with which the client proves itself.
    pub(super) fn authenticated(&self, now: i64) -> Result<(Fields, Option<SecretString>), Fault> {
        let mut fields = self.fields.clone();
        let id = || ("client_id", self.client.id.clone());
        let mut header = None;
        match (method(self.client, &self.server.auth_methods()), &self.client.secret) {
            (ClientAuth::Basic, Some(secret)) => header = Some(basic(&self.client.id, secret)),
            (ClientAuth::Post, Some(secret)) => {
                fields.extend([id(), ("client_secret", secret.expose_secret().to_owned())]);
            }
            // A workload may be known by its assertion alone.
            _ if self.client.id.is_empty() => {}
            (ClientAuth::None | ClientAuth::Basic | ClientAuth::Post, _) => fields.push(id()),
            (ClientAuth::PrivateKeyJwt, _) => {
                let missing = || {
                    fault(
                        "credentials.registration",
                        "the client authenticates with a key that it does not have",
                    )
                };
                let key = self.client.key.as_ref().ok_or_else(missing)?;
                let assertion = key.assert(&self.client.id, &self.server.issuer, now)?;
                fields.push(id());
                fields.push(("client_assertion_type", ASSERTION.to_owned()));
                fields.push(("client_assertion", assertion));
            }
        }
        Ok((fields, header))
    }

    fn read(&self, reply: &Reply, means: &Means) -> Result<Tokens, Denied> {
        let granted = granted(reply)?;
        let visible = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        // RFC 9449 section 5: a resource that wants bound tokens is not given one that anybody could use.
        let wanted = if self.key.is_some() { "DPoP" } else { "Bearer" };
        if !granted.token_type.eq_ignore_ascii_case(wanted) || !visible(&granted.access_token) {
            let text =
                format!("the authorization server granted a token that cannot be used as a {wanted} token");
            return Err(fault("credentials.token", text).into());
        }
        means.secrets.register_jwt("access-token", &granted.access_token);
        let refresh = granted.refresh_token.filter(|token| !token.is_empty()).map(|token| {
            means.secrets.register_jwt("refresh-token", &token);
            SecretString::from(token)
        });
        let life = granted.expires_in.as_ref().and_then(seconds);
        let now = means.clock.wall().as_second();
        let granted_scopes = scope::split(granted.scope.as_deref().unwrap_or_default());
        Ok(Tokens {
            access: SecretString::from(granted.access_token),
            refresh,
            expires: life.map(|life| now.saturating_add(life)),
            scopes: scope::union(self.scopes, granted_scopes.iter().map(String::as_str)),
            key: self.key.cloned(),
        })
    }
}

fn granted(reply: &Reply) -> Result<Granted, Denied> {
    let granted: Option<Granted> = reply.object().and_then(|value| serde_json::from_value(value).ok());
    granted.ok_or_else(|| {
        let text = format!("the authorization server gave no token (HTTP {}{})", reply.status, said(reply));
        let fault = fault("credentials.token", text);
        match error_of(reply) {
            // A server that is out of order says nothing about the grant.
            _ if reply.status >= 500 => Denied::Fault(fault.retryable()),
            Some(code) => Denied::Error { code, fault },
            None => Denied::Fault(fault),
        }
    })
}

/// What an answer says went wrong, as part of a sentence.
pub(super) fn said(reply: &Reply) -> String {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(|text| display::excerpt(text, 200));
    match (text("error"), text("error_description")) {
        (Some(error), Some(why)) => format!(", `{error}`: {why}"),
        (Some(error), None) => format!(", `{error}`"),
        _ => String::new(),
    }
}

fn error_of(reply: &Reply) -> Option<String> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    Some(body.get("error")?.as_str()?.to_owned())
}

/// Some servers write the number as a text.
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok()).filter(|seconds| *seconds >= 0)
}

/// How a client authenticates: as it was registered, else as the server prefers of what the client can do.
fn method(client: &Client, supported: &[&str]) -> ClientAuth {
    let able = |method: &ClientAuth| match method {
        ClientAuth::PrivateKeyJwt => client.key.is_some(),
        ClientAuth::Basic | ClientAuth::Post => client.secret.is_some(),
        ClientAuth::None => true,
    };
    let named = |method: &ClientAuth| supported.contains(&method.name());
    client
        .auth
        .or_else(|| ClientAuth::ALL.into_iter().filter(able).find(named))
        .or_else(|| ClientAuth::ALL.into_iter().find(able))
        .unwrap_or(ClientAuth::None)
}

/// RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
fn basic(id: &str, secret: &SecretString) -> SecretString {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(id), encoded(secret.expose_secret()));
    SecretString::from(format!("Basic {}", STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(secret: bool, auth: Option<ClientAuth>) -> Client {
        let secret = secret.then(|| SecretString::from("s3cret".to_owned()));
        Client { id: "id".into(), secret, key: None, auth, redirect: None, expires: None }
    }

    #[test]
    fn a_client_authenticates_as_it_is_known() {
        let both = ["none", "client_secret_post", "client_secret_basic"];
        for (secret, auth, supported, expected) in [
            (true, None, &both[..], ClientAuth::Basic),
            (true, None, &["client_secret_post"], ClientAuth::Post),
            (true, None, &["none"], ClientAuth::None),
            (true, None, &["tls_client_auth"], ClientAuth::Basic),
            (true, Some(ClientAuth::Post), &both, ClientAuth::Post),
            (false, None, &both, ClientAuth::None),
            (false, None, &["client_secret_basic"], ClientAuth::None),
        ] {
            assert_eq!(method(&client(secret, auth), supported), expected, "{secret} {auth:?} {supported:?}");
        }
    }

    #[test]
    fn basic_credentials_are_encoded_before_they_are_joined() {
        let header = basic("a:b", &SecretString::from("p%q r".to_owned()));
        assert_eq!(header.expose_secret(), format!("Basic {}", STANDARD.encode("a%3Ab:p%25q+r")));
    }

    #[test]
    fn lifetimes_are_numbers_or_texts() {
        for (text, expected) in [("3600", Some(3600)), ("\"60\"", Some(60)), ("-1", None), ("\"x\"", None)] {
            assert_eq!(seconds(&serde_json::from_str(text).unwrap()), expected, "{text}");
        }
    }
}
