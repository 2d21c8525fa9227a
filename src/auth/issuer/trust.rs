//! What a target has to be told so that it trusts the issuer: variables of a suite's templates.

use secrecy::{ExposeSecret, SecretString};

use super::Issuer;

/// A value for the target, under the name that templates use.
pub struct Told {
    /// E.g. `issuer.url`.
    pub name: &'static str,
    /// The value.
    pub value: SecretString,
}

impl Issuer {
    /// Every variable that templates of a suite may use. The secret among them is registered as one.
    pub fn told(&self) -> Vec<Told> {
        let (client, secret) = self.introspection_client();
        let open = |value: String| SecretString::from(value);
        [
            ("issuer.url", open(self.url().to_owned())),
            ("issuer.jwks", open(self.jwks_url())),
            ("issuer.introspection", open(self.introspection_url())),
            ("issuer.introspection_client", open(client.to_owned())),
            ("issuer.introspection_secret", SecretString::from(secret.expose_secret())),
            ("issuer.upstream", open(self.canary("upstream").to_string())),
        ]
        .into_iter()
        .map(|(name, value)| Told { name, value })
        .collect()
    }
}
