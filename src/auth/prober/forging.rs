//! Tokens that nobody granted, in the name of the target's own authorization server.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::{Credentials, Prober};
use crate::auth::issuer::{Forger, Forgery};
use crate::transcript::{Fault, Side};

impl Prober {
    /// A forged token as a bearer token. With an embedded issuer near, its keys and canaries are used.
    pub async fn forged(&self, forgery: Forgery) -> Result<Credentials, Fault> {
        let (issuer, forger, now) = (self.issuer().cloned(), Arc::clone(&self.forger), self.now());
        // Signing takes milliseconds, the first key a tenth of a second: too long for an async thread.
        let made = tokio::task::spawn_blocking(move || -> Result<SecretString, Fault> {
            match issuer {
                Some(issuer) => issuer.forge(&forgery),
                None => match forger.get_or_init(|| Forger::new().ok()) {
                    Some(forger) => forger.forge(&forgery, now),
                    None => Err(Fault::new(Side::Harness, "issuer.crypto", "no keys to forge with")),
                },
            }
        });
        let made =
            made.await.map_err(|error| Fault::new(Side::Harness, "issuer.crypto", error.to_string()))??;
        self.log.secrets().register_jwt("token:forged", made.expose_secret());
        Ok(Credentials::authorization(&format!("Bearer {}", made.expose_secret())))
    }
}
