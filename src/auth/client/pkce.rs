//! Proof key for code exchange (RFC 7636), always with S256.

use aws_lc_rs::digest::{SHA256, digest};

use crate::auth::keys::{b64, random_text};
use crate::transcript::Fault;

/// A verifier, kept to ourselves until the code is exchanged, and the challenge that goes ahead of it.
pub(super) struct Pkce {
    pub(super) verifier: String,
    pub(super) challenge: String,
}

impl Pkce {
    /// A new pair; the verifier has 256 random bits.
    pub(super) fn new() -> Result<Self, Fault> {
        let verifier = random_text()?;
        let challenge = challenge(&verifier);
        Ok(Self { verifier, challenge })
    }
}

fn challenge(verifier: &str) -> String {
    b64(digest(&SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636 appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn every_pair_is_new_and_long_enough() {
        let (one, two) = (Pkce::new().unwrap(), Pkce::new().unwrap());
        assert_ne!(one.verifier, two.verifier);
        assert!((43..=128).contains(&one.verifier.len()));
    }
}
