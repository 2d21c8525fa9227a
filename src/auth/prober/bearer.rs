//! Personas' own tokens, for probes that put them where they do not belong.

use secrecy::{ExposeSecret, SecretString};

use super::{Credentials, Prober};
use crate::auth::IdentitySpec;
use crate::transcript::Fault;

impl Prober {
    /// Whether the good persona is known by a bearer token, and not by a header of its own.
    pub fn has_bearer(&self) -> bool {
        let identity = self.setup.control.as_ref().map(|figure| &figure.persona.identity);
        self.has_persona() && !matches!(identity, Some(IdentitySpec::Header(_)))
    }

    /// The good persona's own token, where it is shown as a bearer token.
    pub async fn good_token(&self) -> Result<Option<SecretString>, Fault> {
        Ok(bearer_of(&self.good().await?))
    }

    /// The second persona's own token, where it is shown as a bearer token.
    pub async fn other_token(&self) -> Result<Option<SecretString>, Fault> {
        Ok(bearer_of(&self.other().await?))
    }
}

/// The token of a Bearer header.
fn bearer_of(who: &Credentials) -> Option<SecretString> {
    let (_, value) = who.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
    let (scheme, token) = value.expose_secret().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| SecretString::from(token.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_headers_hold_a_bearer_token() {
        let found = |value: &str| {
            bearer_of(&Credentials::authorization(value)).map(|token| token.expose_secret().to_owned())
        };
        assert_eq!(found("Bearer abc"), Some("abc".to_owned()));
        assert_eq!(found("bearer  abc"), Some("abc".to_owned()));
        assert_eq!(found("DPoP abc"), None);
        assert_eq!(found("abc"), None);
        assert!(bearer_of(&Credentials::none().with("x-key", "Bearer abc")).is_none());
    }
}
