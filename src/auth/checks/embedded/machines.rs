//! J12: a machine proves itself with an assertion that is its own, for this server, in time and once.

use futures::future::BoxFuture;
use serde_json::Value;

use super::assertions::{self, Wanted};
use super::clerk::{Clerk, meet, stop};
use super::proof::{self, Key, Wrong};
use crate::auth::checks::Seen;
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

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
    key: Key,
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
        let key = Key::make()?;
        let described = key.described("client_credentials");
        let Some(client) = clerk.register("register", &described).await else { return Ok(()) };
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
    // RFC 8414 section 2: a list that is not there stands for a default, which has neither.
    if proof::lists(metadata, "grant_types_supported", "client_credentials") != Some(true) {
        return Err("its metadata does not announce the grant `client_credentials`");
    }
    if proof::lists(metadata, proof::METHODS, proof::BY_KEY) != Some(true) {
        return Err("its metadata does not announce `private_key_jwt`");
    }
    if !proof::takes_our_keys(metadata) {
        return Err("it takes no assertions signed with ES256");
    }
    metadata.get("issuer").and_then(Value::as_str).ok_or("its metadata names no issuer")
}

impl Machine<'_> {
    fn assertion(&self, wrong: Wrong) -> Result<String, Fault> {
        self.key.assertion(self.clerk.prober, (&self.client, &self.server), wrong)
    }

    /// Asks for a token with it.
    async fn show(&self, label: &str, assertion: &str) -> Option<Value> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.client),
            ("client_assertion_type", proof::ASSERTION_TYPE),
            ("client_assertion", assertion),
            ("resource", &self.clerk.resource),
        ];
        self.clerk.post(label, &form, &[]).await
    }
}

/// RFC 6749 section 5.2.
const WANTED: Wanted = Wanted {
    kind: "assertion",
    error: "invalid_client",
    statuses: &[400, 401],
    unasked: "a client with a key of its own was not registered",
};

pub(super) fn judge(transcript: &Transcript) -> Seen {
    assertions::judge(transcript, &WANTED)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_servers_that_say_so_are_asked() {
        let full = json!({
            "issuer": "https://as.example", "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        });
        assert_eq!(open_to_machines(&full), Ok("https://as.example"));
        for (name, value) in [
            ("grant_types_supported", json!(["authorization_code"])),
            ("token_endpoint_auth_methods_supported", json!(["none"])),
            ("token_endpoint_auth_signing_alg_values_supported", json!(["RS256"])),
            ("issuer", json!(1)),
        ] {
            let mut less = full.clone();
            less[name] = value;
            assert!(open_to_machines(&less).is_err(), "{name}");
        }
    }
}
