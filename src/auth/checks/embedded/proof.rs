//! How a registered client proves who it is at the token endpoint, by what the server announces.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::clerk::Clerk;
use crate::auth::keys::{b64, broken, random_text};
use crate::auth::prober::Prober;
use crate::transcript::Fault;

const ALGORITHM: &str = "ES256";

/// The id of the key in the set.
const KEY: &str = "rehearsal-test-machine";

/// Where metadata lists how clients authenticate.
pub(super) const METHODS: &str = "token_endpoint_auth_methods_supported";

/// The method of clients with keys.
pub(super) const BY_KEY: &str = "private_key_jwt";

/// `client_assertion_type` (RFC 7523 section 2.2).
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Whether a list of the metadata holds this; `None` without the list.
pub(super) fn lists(metadata: &Value, list: &str, wanted: &str) -> Option<bool> {
    metadata.get(list).and_then(Value::as_array).map(|all| all.iter().any(|one| one == wanted))
}

/// Whether assertions may be signed as ours are.
pub(super) fn takes_our_keys(metadata: &Value) -> bool {
    lists(metadata, "token_endpoint_auth_signing_alg_values_supported", ALGORITHM) != Some(false)
}

/// What is wrong with an assertion.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    Nothing,
    Audience,
    Expired,
    Unsigned,
}

/// The key of a client.
pub(super) struct Key(EcdsaKeyPair);

impl Key {
    pub(super) fn make() -> Result<Self, Fault> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Self).map_err(|_| broken("an EC key"))
    }

    /// What its client says of itself.
    pub(super) fn described(&self, grant: &str) -> Value {
        let point = self.0.public_key().as_ref();
        // An uncompressed point: 0x04, then 32 bytes each of x and y.
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..65]), "kid": KEY, "use": "sig",
            "alg": ALGORITHM,
        });
        let mut described = described(grant, BY_KEY);
        described["token_endpoint_auth_signing_alg"] = json!(ALGORITHM);
        described["jwks"] = json!({"keys": [jwk]});
        described
    }

    /// An assertion of a client for a server (RFC 7523 section 3), good but for what is wrong.
    pub(super) fn assertion(
        &self,
        prober: &Prober,
        (client, server): (&str, &str),
        wrong: Wrong,
    ) -> Result<String, Fault> {
        let now = prober.now() - if wrong == Wrong::Expired { 3660 } else { 0 };
        let audience = match wrong {
            Wrong::Audience => "https://other.rehearsal.example",
            _ => server,
        };
        let alg = if wrong == Wrong::Unsigned { "none" } else { ALGORITHM };
        let header = json!({"alg": alg, "typ": "JWT", "kid": KEY});
        let claims = json!({
            "iss": client, "sub": client, "aud": audience, "jti": random_text()?, "iat": now, "exp": now + 60,
        });
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let signature = match wrong {
            Wrong::Unsigned => String::new(),
            _ => {
                let signed = self.0.sign(&SystemRandom::new(), message.as_bytes());
                b64(signed.map_err(|_| broken("a signature"))?)
            }
        };
        let assertion = format!("{message}.{signature}");
        prober.keep_secret("client-assertion", &assertion);
        Ok(assertion)
    }
}

/// What a client without people says of itself.
fn described(grant: &str, method: &str) -> Value {
    json!({
        "client_name": "rehearsal (test)", "redirect_uris": [], "response_types": [], "grant_types": [grant],
        "token_endpoint_auth_method": method,
    })
}

/// How a client proves itself.
pub(super) enum Proof {
    /// By an assertion for each request.
    Key(Key),
    /// By a secret in the header.
    Basic(String),
    /// By a secret in the form.
    Post(String),
    /// Not at all.
    Public,
}

/// The best method that the server announces and we know. RFC 8414 section 2: without a list it is `client_secret_basic`.
fn method(metadata: &Value) -> Option<&'static str> {
    if metadata.get(METHODS).is_none() {
        return Some("client_secret_basic");
    }
    let known = [BY_KEY, "client_secret_basic", "client_secret_post", "none"];
    let announced = |method: &&str| lists(metadata, METHODS, method) == Some(true);
    known.into_iter().filter(announced).find(|method| *method != BY_KEY || takes_our_keys(metadata))
}

/// Registers a client for one grant: its id, and how it proves itself. `Err` says why that cannot be asked, `None` that
/// the server did not do it, which is in the record.
pub(super) async fn enrol(
    clerk: &Clerk<'_>,
    grant: &str,
) -> Result<Result<Option<(String, Proof)>, &'static str>, Fault> {
    let Some(method) = method(&clerk.metadata) else {
        return Ok(Err("its clients prove themselves in a way that is unknown here"));
    };
    let key = if method == BY_KEY { Some(Key::make()?) } else { None };
    let asked = key.as_ref().map_or_else(|| described(grant, method), |key| key.described(grant));
    let Some(registered) = clerk.enrol("register", &asked).await else { return Ok(Ok(None)) };
    let text = |name: &str| registered.get(name).and_then(Value::as_str).map(str::to_owned);
    let Some(client) = text("client_id") else { return Ok(Ok(None)) };
    let proof = match (key, text("client_secret")) {
        (Some(key), _) => Proof::Key(key),
        (None, Some(secret)) if method == "client_secret_basic" => {
            let encoded =
                |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
            // RFC 6749 section 2.3.1.
            let pair = STANDARD.encode(format!("{}:{}", encoded(&client), encoded(&secret)));
            clerk.prober.keep_secret("client-secret", &pair);
            Proof::Basic(format!("Basic {pair}"))
        }
        (None, Some(secret)) => Proof::Post(secret),
        (None, None) => Proof::Public,
    };
    Ok(Ok(Some((client, proof))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_prove_themselves_as_the_server_wants_it() {
        let of = |methods: &[&str]| method(&json!({METHODS: methods}));
        assert_eq!(of(&["client_secret_post", "private_key_jwt"]), Some("private_key_jwt"));
        assert_eq!(of(&["none", "client_secret_post"]), Some("client_secret_post"));
        assert_eq!(of(&["tls_client_auth"]), None);
        assert_eq!(method(&json!({})), Some("client_secret_basic"));
        let foreign = json!({
            METHODS: ["private_key_jwt", "none"], "token_endpoint_auth_signing_alg_values_supported": ["PS256"],
        });
        assert_eq!(method(&foreign), Some("none"));
    }
}
