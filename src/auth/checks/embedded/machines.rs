//! J12: a machine proves itself with an assertion that is its own, for this server, in time and once.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::clerk::{Clerk, meet, stop};
use super::desk::{exchange, stopped};
use super::outcome::{refused, tokens};
use crate::auth::checks::Seen;
use crate::auth::checks::reading::labelled;
use crate::auth::keys::{b64, broken, random_text};
use crate::auth::prober::Prober;
use crate::transcript::{Fault, HttpSide, Transcript};

const ALGORITHM: &str = "ES256";

/// What is wrong with an assertion.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Audience,
    Expired,
    Unsigned,
}

const WRONG: [(&str, Wrong); 3] = [
    ("for another server", Wrong::Audience),
    ("that expired an hour ago", Wrong::Expired),
    ("with the algorithm `none`", Wrong::Unsigned),
];

/// A client with a key of its own.
struct Machine<'a> {
    clerk: Clerk<'a>,
    client: String,
    server: String,
    key: EcdsaKeyPair,
}

pub(super) fn probe(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(clerk) = meet(prober).await else { return Ok(()) };
        let server = match open_to_machines(&clerk.metadata) {
            Ok(server) => server.to_owned(),
            Err(why) => {
                stop(prober, why);
                return Ok(());
            }
        };
        let key =
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| broken("an EC key"))?;
        let Some(client) = clerk.register("register", &described(&key)).await else { return Ok(()) };
        let machine = Machine { clerk, client, server, key };
        let used = machine.assertion(Wrong::Nothing)?;
        if machine.show("control before: token", &used).await.is_none() {
            return Ok(());
        }
        for (what, wrong) in WRONG {
            let _ = machine.show(&format!("attempt: {what}"), &machine.assertion(wrong)?).await;
        }
        let _ = machine.show("attempt: that was used before", &used).await;
        let _ = machine.show("control after: token", &machine.assertion(Wrong::Nothing)?).await;
        Ok(())
    })
}

/// The issuer of a server that lets machines in by assertion, or why the question does not arise.
fn open_to_machines(metadata: &Value) -> Result<&str, &'static str> {
    let lists = |list: &str, wanted: &str| {
        metadata.get(list).and_then(Value::as_array).map(|all| all.iter().any(|one| one == wanted))
    };
    // RFC 8414 section 2: a list that is not there stands for a default, which has neither.
    if lists("grant_types_supported", "client_credentials") != Some(true) {
        return Err("its metadata does not announce the grant `client_credentials`");
    }
    if lists("token_endpoint_auth_methods_supported", "private_key_jwt") != Some(true) {
        return Err("its metadata does not announce `private_key_jwt`");
    }
    if lists("token_endpoint_auth_signing_alg_values_supported", ALGORITHM) == Some(false) {
        return Err("it takes no assertions signed with ES256");
    }
    metadata.get("issuer").and_then(Value::as_str).ok_or("its metadata names no issuer")
}

/// What a machine says of itself.
fn described(key: &EcdsaKeyPair) -> Value {
    let point = key.public_key().as_ref();
    // An uncompressed point: 0x04, then 32 bytes each of x and y.
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..65]), "kid": KEY, "use": "sig",
        "alg": ALGORITHM,
    });
    json!({
        "client_name": "rehearsal (test)", "redirect_uris": [], "response_types": [],
        "grant_types": ["client_credentials"], "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": ALGORITHM, "jwks": {"keys": [jwk]},
    })
}

/// The id of the key in the set.
const KEY: &str = "rehearsal-test-machine";

impl Machine<'_> {
    /// An assertion of this client (RFC 7523 section 3), good but for what is wrong.
    fn assertion(&self, wrong: Wrong) -> Result<String, Fault> {
        let now = self.clerk.prober.now() - if wrong == Wrong::Expired { 3660 } else { 0 };
        let audience = match wrong {
            Wrong::Audience => "https://other.rehearsal.example",
            _ => &self.server,
        };
        let alg = if wrong == Wrong::Unsigned { "none" } else { ALGORITHM };
        let header = json!({"alg": alg, "typ": "JWT", "kid": KEY});
        let claims = json!({
            "iss": self.client, "sub": self.client, "aud": audience, "jti": random_text()?,
            "iat": now, "exp": now + 60,
        });
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let signature = match wrong {
            Wrong::Unsigned => String::new(),
            _ => {
                let signed = self.key.sign(&SystemRandom::new(), message.as_bytes());
                b64(signed.map_err(|_| broken("a signature"))?)
            }
        };
        let assertion = format!("{message}.{signature}");
        self.clerk.prober.keep_secret("client-assertion", &assertion);
        Ok(assertion)
    }

    /// Asks for a token with it.
    async fn show(&self, label: &str, assertion: &str) -> Option<Value> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.client),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
            ("resource", &self.clerk.resource),
        ];
        self.clerk.post(label, &form, &[]).await
    }
}

pub(super) fn judge(transcript: &Transcript) -> Seen {
    if let Some(seen) = stopped(transcript) {
        return seen;
    }
    for label in ["control before: token", "control after: token"] {
        match exchange(transcript, label) {
            Some(one) if tokens(one.response).is_some() => {}
            Some(one) => {
                let got = one.side().map_or("no answer", |side| side.start.as_str());
                return Seen::Inconclusive(format!("a good assertion itself got {got} ({label})"));
            }
            None => {
                return Seen::Inconclusive("a client with a key of its own was not registered".to_owned());
            }
        }
    }
    let all: Vec<_> = labelled(transcript, "attempt: ").collect();
    let what = |label: &str| format!("an assertion {}", label.trim_start_matches("attempt: "));
    // A token is worse than a refusal in other words.
    if let Some(one) = all.iter().find(|one| tokens(one.response).is_some()) {
        return Seen::Broken(format!("{} got a token", what(one.label)), vec![one.seq]);
    }
    for one in &all {
        match one.side().filter(|_| refused(one.response) == Some(true)) {
            None => return Seen::Inconclusive(format!("{} got no answer that decides", what(one.label))),
            Some(side) if is_invalid_client(side) => {}
            Some(side) => {
                let said = side.body.json().and_then(|body| body.get("error")?.as_str().map(str::to_owned));
                let said = said.map_or_else(String::new, |said| crate::display::excerpt(&said, 60));
                let got = format!("{} `{said}`", side.status().unwrap_or_default());
                let text = format!("{} got {got}, not 400 or 401 `invalid_client`", what(one.label));
                return Seen::Broken(text, vec![one.seq]);
            }
        }
    }
    let seqs = all.iter().map(|one| one.seq).collect();
    Seen::Holds(format!("{} bad assertions were refused", all.len()), seqs)
}

/// RFC 6749 section 5.2.
fn is_invalid_client(side: &HttpSide) -> bool {
    let named =
        side.body.json().is_some_and(|body| body.get("error").is_some_and(|it| it == "invalid_client"));
    named && matches!(side.status(), Some(400 | 401))
}
