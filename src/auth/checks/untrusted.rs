//! Group U: a target that must not trust the test issuer refuses everything that the issuer signs.
//!
//! What is sent opens nothing even where the issuer is trusted: tokens live a minute, carry no scope, say that they are
//! tests, and no tool is called. A target that answers anybody has nothing to show here.

use futures::future::BoxFuture;
use secrecy::ExposeSecret;

use super::reading::{deciding, decisive};
use super::resource::{document, documents};
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::answer::{Answer, Denial};
use crate::auth::prober::{Credentials, Prober};
use crate::auth::{Flaw, Minted};
use crate::transcript::{Fault, Transcript};
use crate::units::Period;

const SECTION: &str = "authorization: token handling";
const FIX: &str = "remove the test issuer and its keys from the configuration of this server, and make the trust depend on an explicit switch for tests";

macro_rules! refused_test_token {
    ($id:literal, $what:literal, $flaw:expr) => {
        AuthCheck {
            id: $id,
            title: concat!($what, " is refused"),
            level: Level::Must,
            section: SECTION,
            since: "2025-03-26",
            eras: Eras::Once,
            needs: &[Needs::Fact("untrusted")],
            fix: FIX,
            probe: |prober| Box::pin(show(prober, $flaw)),
            examine: |transcript| turned_away(transcript, $what),
        }
    };
}

pub(super) const TABLE: &[AuthCheck] = &[
    refused_test_token!("U01", "a sound token of the test issuer", None),
    refused_test_token!("U02", "an unsigned token in the test issuer's name", Some(Flaw::AlgNone)),
    refused_test_token!(
        "U03",
        "a token signed with the test issuer's public key as an HMAC secret",
        Some(Flaw::HmacWithPublicKey)
    ),
    refused_test_token!("U04", "a token that brings the test issuer's key along", Some(Flaw::EmbeddedKey)),
    AuthCheck {
        id: "U05",
        title: "the metadata names no issuer of this machine",
        level: Level::Must,
        section: "authorization: authorization server location",
        since: "2025-06-18",
        eras: Eras::Once,
        needs: &[Needs::Fact("untrusted")],
        fix: FIX,
        probe: documents,
        examine: no_local_issuer,
    },
];

fn show(prober: &Prober, flaw: Option<Flaw>) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let nobody = Credentials::none();
        let talk = prober.open("no token", &nobody).await;
        if let Some(session) = &talk.session {
            let _ = prober.list("no token", session, &nobody).await;
        }
        prober.close(talk.session, &nobody).await;
        let lifetime = Some(Period(std::time::Duration::from_secs(60)));
        let minted =
            Minted { subject: Some("rehearsal-canary".to_owned()), lifetime, flaw, ..Minted::default() };
        let token = prober.foreign_token(minted).await?;
        let stranger = Credentials::authorization(&format!("Bearer {}", token.expose_secret()));
        let talk = prober.open("attempt", &stranger).await;
        if let Some(session) = &talk.session {
            let _ = prober.list("attempt", session, &stranger).await;
        }
        prober.close(talk.session, &stranger).await;
        Ok(())
    })
}

fn turned_away(transcript: &Transcript, what: &str) -> Seen {
    match decisive(transcript, "no token").map(|one| one.answer()) {
        Some(Answer::Denied(Denial::Unauthorized)) => {}
        Some(other) => {
            let text =
                format!("no token at all got {other} instead of 401, so what a token gets proves nothing");
            return Seen::Inconclusive(text);
        }
        None => return Seen::Inconclusive("the probe was not sent".to_owned()),
    }
    let mut seqs = vec![];
    for one in deciding(transcript, "attempt") {
        match one.answer() {
            Answer::Denied(Denial::Unauthorized) => seqs.push(one.seq),
            // Only a token that counts can lack a scope.
            Answer::Denied(Denial::Forbidden) => {
                let text = format!("{what} got 403: it was taken for a token, and only lacked a scope");
                return Seen::Broken(text, vec![one.seq]);
            }
            Answer::Accepted(_) => return Seen::Broken(format!("{what} was accepted"), vec![one.seq]),
            other => return Seen::Inconclusive(format!("{what} got {other}")),
        }
    }
    match seqs.is_empty() {
        true => Seen::Inconclusive("the probe was not sent".to_owned()),
        false => Seen::Holds(format!("{what} got 401"), seqs),
    }
}

fn no_local_issuer(transcript: &Transcript) -> Seen {
    let Some((exchange, metadata)) = document(transcript) else {
        return Seen::DoesNotApply("there is no resource metadata (see B01)".to_owned());
    };
    let at_home = decisive(transcript, "no token").and_then(|one| url::Url::parse(one.url()).ok());
    if at_home.is_some_and(|target| super::challenge::is_loopback(&target)) {
        return Seen::DoesNotApply("the target is on this machine itself".to_owned());
    }
    let listed = metadata["authorization_servers"].as_array().cloned().unwrap_or_default();
    let local = listed
        .iter()
        .filter_map(serde_json::Value::as_str)
        .find(|server| url::Url::parse(server).is_ok_and(|url| super::challenge::is_loopback(&url)));
    match local {
        Some(server) => {
            let text = format!("`authorization_servers` names `{server}`, which is whatever machine asks");
            Seen::Broken(text, vec![exchange.seq])
        }
        None => Seen::Holds("every authorization server is elsewhere".to_owned(), vec![exchange.seq]),
    }
}
