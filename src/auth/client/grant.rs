//! The ways to a token, one function each (RFC 6749, and what each function names).

use secrecy::{ExposeSecret, SecretString};

use super::callback::{Expected, Request};
use super::courier::Courier;
use super::discovery::Site;
use super::dpop::ProofKey;
use super::fault;
use super::metadata::ServerMetadata;
use super::pkce::Pkce;
use super::settings::Provider;
use super::token_endpoint::{Asked, Denied, Fields, ID_JAG, Post};
use super::visitor::Visitor;
use super::wallet::{Client, Tokens};
use crate::auth::keys::random_text;

/// RFC 7523 section 8.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

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
        let answer = visitor.visit(&request.at(endpoint), self.post.courier.trace()).await?;
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

    /// The client's own credentials (RFC 6749 section 4.4).
    pub(super) async fn client_credentials(self) -> Result<Tokens, Denied> {
        self.ask(self.scoped("client_credentials")).await
    }

    /// An assertion as a grant (RFC 7523 section 2.1).
    pub(super) async fn assertion(self, assertion: &SecretString) -> Result<Tokens, Denied> {
        let mut fields = self.scoped(JWT_BEARER);
        fields.push(("assertion", assertion.expose_secret().to_owned()));
        self.ask(fields).await
    }

    /// An ID token becomes an identity assertion for the target's authorization server (RFC 8693), and that a grant.
    pub(super) async fn vouched(
        self,
        provider: &Provider,
        server: &ServerMetadata,
    ) -> Result<Tokens, Denied> {
        let mut fields = self.scoped("urn:ietf:params:oauth:grant-type:token-exchange");
        fields.extend([
            ("requested_token_type", ID_JAG.to_owned()),
            ("audience", self.site.server.issuer.clone()),
            ("subject_token", provider.id_token.expose_secret().to_owned()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token".to_owned()),
        ]);
        fields.extend(self.site.resource.clone().map(|resource| ("resource", resource)));
        let client = provider.client.client();
        // Whoever has configured the provider knows how near it is; the fence is put up around it, not the target.
        let home = server
            .token_endpoint
            .as_ref()
            .ok_or_else(|| fault("credentials.metadata", "the identity provider names no token endpoint"))?;
        let courier = Courier::new(home, &self.post.settings.route, self.post.settings.patience).await?;
        let courier = courier.tracing(self.post.courier.trace());
        let post = Post { courier: &courier, ..self.post };
        let asked = Asked { fields, client: &client, server, scopes: self.scopes, key: None };
        let assertion = asked.exchange(post).await?;
        self.assertion(&assertion).await
    }

    fn scoped(&self, grant: &str) -> Fields {
        let mut fields = vec![("grant_type", grant.to_owned())];
        if !self.scopes.is_empty() {
            fields.push(("scope", self.scopes.join(" ")));
        }
        fields
    }

    /// Sends a grant's own fields with `resource` (RFC 8707), which every token request carries.
    async fn ask(self, mut fields: Fields) -> Result<Tokens, Denied> {
        fields.extend(self.site.resource.clone().map(|resource| ("resource", resource)));
        let (client, server) = (self.client, &self.site.server);
        Asked { fields, client, server, scopes: self.scopes, key: self.key }.send(self.post).await
    }
}
