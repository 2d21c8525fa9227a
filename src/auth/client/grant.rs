//! The ways to a token, one function each (RFC 6749, and what each function names).

use secrecy::{ExposeSecret, SecretString};

use super::callback::{Expected, Request};
use super::discovery::Site;
use super::dpop::ProofKey;
use super::fault;
use super::pkce::Pkce;
use super::token_endpoint::{Asked, Denied, Post};
use super::visitor::Visitor;
use super::wallet::{Client, Tokens};
use crate::auth::keys::random_text;

/// One attempt to get a token.
#[derive(Clone, Copy)]
pub(super) struct Errand<'a> {
    pub(super) post: Post<'a>,
    pub(super) site: &'a Site,
    pub(super) client: &'a Client,
    pub(super) scopes: &'a [String],
    /// The key that the token shall be bound to.
    pub(super) key: Option<&'a ProofKey>,
}

impl<'a> Errand<'a> {
    /// An authorization code with PKCE, fetched by a visitor.
    pub(super) async fn code(self, visitor: &dyn Visitor) -> Result<Tokens, Denied> {
        let server = &self.site.server;
        if !server.has_pkce() {
            let text = "the authorization server does not say that it supports PKCE with S256 (`code_challenge_methods_supported`), and without it a stolen code would do";
            return Err(fault("credentials.pkce", text).into());
        }
        let missing =
            || fault("credentials.metadata", "the authorization server names no authorization endpoint");
        let endpoint = server.authorization_endpoint.as_ref().ok_or_else(missing)?;
        self.post.courier.admit(endpoint)?;
        let (pkce, state) = (Pkce::new()?, random_text()?);
        let secrets = &self.post.means.secrets;
        secrets.register("code-verifier", &pkce.verifier);
        secrets.register("oauth-state", &state);
        let request = Request {
            client: &self.client.id,
            redirect: visitor.redirect(),
            challenge: &pkce.challenge,
            state: &state,
            scopes: self.scopes,
            resource: self.site.resource.as_deref(),
        };
        let answer = visitor.visit(&request.at(endpoint)).await?;
        let code = Expected { redirect: visitor.redirect(), state: &state, server }.code(&answer)?;
        secrets.register("authorization-code", &code);
        let fields = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code),
            ("redirect_uri", visitor.redirect().to_owned()),
            ("code_verifier", pkce.verifier),
        ];
        self.ask(fields).await
    }

    /// A refresh token (RFC 6749 section 6). Where the answer brings no new one, the old one stays good.
    pub(super) async fn refresh(self, token: &SecretString) -> Result<Tokens, Denied> {
        let fields = vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token.expose_secret().to_owned()),
        ];
        let mut tokens = self.ask(fields).await?;
        tokens.refresh.get_or_insert_with(|| token.clone());
        Ok(tokens)
    }

    /// Sends a grant's own fields with `resource` (RFC 8707), which every token request carries.
    async fn ask(self, mut fields: Vec<(&'static str, String)>) -> Result<Tokens, Denied> {
        fields.extend(self.site.resource.clone().map(|resource| ("resource", resource)));
        let (client, server) = (self.client, &self.site.server);
        Asked { fields, client, server, scopes: self.scopes, key: self.key }.send(self.post).await
    }
}
