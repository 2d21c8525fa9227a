//! J11: a person is let in on the word of the identity provider, if it is about this client, for this server, in time
//! and once (ID-JAG). The embedded issuer plays the provider.

use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::assertions::{self, Wanted};
use super::clerk::{Clerk, meet, stop};
use super::desk::{exchange, stopped};
use super::outcome::refused;
use super::proof::{self, Proof, Wrong};
use crate::auth::Flaw;
use crate::auth::checks::Seen;
use crate::auth::prober::{Prober, Voucher};
use crate::transcript::{Fault, Transcript};

/// The grant of RFC 7523 section 2.1.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The profile of that grant which takes identity assertions.
const PROFILE: &str = "urn:ietf:params:oauth:grant-profile:id-jag";

/// A client of the server that brings assertions.
struct Bearer<'a> {
    clerk: Clerk<'a>,
    client: String,
    proof: Proof,
    server: String,
}

pub(super) fn probe(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(clerk) = meet(prober).await else { return Ok(()) };
        let server = match open_to_assertions(&clerk.metadata) {
            Ok(server) => server.to_owned(),
            Err(why) => {
                stop(prober, why);
                return Ok(());
            }
        };
        let (client, proof) = match proof::enrol(&clerk, GRANT).await? {
            Ok(Some(enrolled)) => enrolled,
            Ok(None) => return Ok(()),
            Err(why) => {
                stop(prober, why);
                return Ok(());
            }
        };
        let bearer = Bearer { clerk, client, proof, server };
        let used = bearer.assertion(|_| {}).await?;
        if bearer.show("control before: token", &used).await?.is_none() {
            return Ok(());
        }
        type Change = fn(&mut Voucher);
        let wrong: [(&str, Change); 5] = [
            ("with the `typ` of any other JWT", |it| it.typed = false),
            ("for another server", |it| "https://other.rehearsal.example".clone_into(&mut it.server)),
            ("for another client", |it| it.client.push_str("-another")),
            ("that expired an hour ago", |it| it.flaw = Some(Flaw::Expired)),
            ("of an unknown issuer", |it| it.flaw = Some(Flaw::WrongIssuer)),
        ];
        for (what, change) in wrong {
            let assertion = bearer.assertion(change).await?;
            let _ = bearer.show(&format!("attempt: {what}"), &assertion).await?;
        }
        let _ = bearer.show("attempt: that was used before", &used).await?;
        let _ = bearer.show("control after: token", &bearer.assertion(|_| {}).await?).await?;
        Ok(())
    })
}

/// The issuer of a server that takes identity assertions, or why the question does not arise.
fn open_to_assertions(metadata: &Value) -> Result<&str, &'static str> {
    if proof::lists(metadata, "grant_types_supported", GRANT) != Some(true) {
        return Err("its metadata does not announce the grant `jwt-bearer`");
    }
    if proof::lists(metadata, "authorization_grant_profiles_supported", PROFILE) == Some(false) {
        return Err("its grant profiles do not include identity assertions (ID-JAG)");
    }
    metadata.get("issuer").and_then(Value::as_str).ok_or("its metadata names no issuer")
}

impl Bearer<'_> {
    /// An assertion of the embedded issuer about the good persona, with one change.
    async fn assertion(&self, change: fn(&mut Voucher)) -> Result<String, Fault> {
        let (client, server) = (self.client.clone(), self.server.clone());
        let resource = self.clerk.resource.clone();
        let mut voucher = Voucher { client, server, resource, typed: true, flaw: None };
        change(&mut voucher);
        Ok(self.clerk.prober.vouch(voucher).await?.expose_secret().to_owned())
    }

    /// Asks for a token with it.
    async fn show(&self, label: &str, assertion: &str) -> Result<Option<Value>, Fault> {
        let mut form = vec![("grant_type", GRANT.to_owned()), ("assertion", assertion.to_owned())];
        form.push(("resource", self.clerk.resource.clone()));
        let mut authorization = None;
        match &self.proof {
            Proof::Basic(header) => authorization = Some(header.clone()),
            Proof::Public => form.push(("client_id", self.client.clone())),
            Proof::Post(secret) => {
                form.push(("client_id", self.client.clone()));
                form.push(("client_secret", secret.clone()));
            }
            Proof::Key(key) => {
                let about = (self.client.as_str(), self.server.as_str());
                form.push(("client_id", self.client.clone()));
                form.push(("client_assertion_type", proof::ASSERTION_TYPE.to_owned()));
                form.push(("client_assertion", key.assertion(self.clerk.prober, about, Wrong::Nothing)?));
            }
        }
        let form: Vec<_> = form.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(self.clerk.submit(label, &form, authorization).await)
    }
}

/// RFC 7521 section 4.1.1, RFC 6749 section 5.2.
const WANTED: Wanted = Wanted {
    kind: "identity assertion",
    error: "invalid_grant",
    statuses: &[400],
    unasked: "no client for the grant was registered",
};

pub(super) fn judge(transcript: &Transcript) -> Seen {
    if let Some(seen) = stopped(transcript) {
        return seen;
    }
    // Whom a server trusts as an identity provider is its own affair.
    let first = exchange(transcript, "control before: token");
    match first.filter(|one| refused(one.response) == Some(true)).and_then(|one| one.side()) {
        Some(side) => Seen::DoesNotApply(format!(
            "the authorization server does not take the embedded issuer for an identity provider: {} `{}`",
            side.status().unwrap_or_default(),
            assertions::said(side)
        )),
        None => assertions::judge(transcript, &WANTED),
    }
}
