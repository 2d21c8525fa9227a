//! Base64url and random text, for the issuer and the client alike.

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::transcript::{Fault, Side};

/// Base64url without padding, as JOSE wants it.
pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Random text of 256 bits, safe in URLs.
pub(crate) fn random_text() -> Result<String, Fault> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| broken("random bytes"))?;
    Ok(b64(bytes))
}

/// Compares in a time that does not depend on where two texts differ.
pub(crate) fn same(left: &str, right: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(left.as_bytes(), right.as_bytes()).is_ok()
}

/// What the cryptography library refused to make.
pub(super) fn broken(what: &str) -> Fault {
    Fault::new(Side::Harness, "issuer.crypto", format!("the embedded issuer cannot make {what}"))
}
