//! The checks of the authorization server inside the target: each passes on a correct one and fails, alone, on its flaw.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a broken set-up should stop the test at once"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use rehearsal::auth::checks::{self, Seen};
use rehearsal::auth::{
    Authority, Facts, Figure, IdentitySpec, Issuer, Minted, Persona, ProbeSetup, Prober, identity,
};
use rehearsal::diag::Origin;
use rehearsal::ids::{CaseKey, CaseName, ClientName, Digest, PersonaName, SuiteName};
use rehearsal::transcript::{CaseHeader, CaseKind, Clock, End, Recorder, Secrets, Transcript};
use serde_json::{Value, json};

#[path = "support/flawed_as/mod.rs"]
mod flawed_as;

use flawed_as::Flawed;

const IDS: [&str; 19] = [
    "J01",
    "J02",
    "J03",
    "J03.life",
    "J03.redirect",
    "J03.revoke",
    "J04",
    "J05",
    "J06",
    "J07",
    "J08",
    "J08.document",
    "J08.fetch",
    "J09",
    "J09.cookies",
    "J09.state",
    "J10",
    "J11",
    "J12",
];

/// Flaws that break another check as well.
const CONSEQUENCES: [(&str, &str); 2] = [
    // A code that is good twice takes nothing back the second time.
    ("J03", "J03.revoke"),
    // One refresh token for all grants of a client cannot end with one of them.
    ("J05.same", "J03.revoke"),
];

/// Whose flaw it is: the check of that id, else the one before its last part.
fn owner(flaw: &'static str) -> &'static str {
    match IDS.contains(&flaw) {
        true => flaw,
        false => flaw.rsplit_once('.').map_or(flaw, |(start, _)| owner(start)),
    }
}

fn header(case: &str) -> CaseHeader {
    CaseHeader {
        key: CaseKey { question: Digest::none(), model: Digest::none(), trial: 1 },
        suite: SuiteName::from("s"),
        case: CaseName::from(case),
        kind: CaseKind::Auth,
        model: None,
        persona: PersonaName::from("anonymous"),
        client: ClientName::from("reference"),
        trial: 1,
        tags: vec![],
        origin: Origin { file: "s.yaml".into(), line: 1, column: 1 },
    }
}

struct Bench {
    issuer: Arc<Issuer>,
    secrets: Secrets,
}

impl Bench {
    async fn start() -> Self {
        let secrets = Secrets::default();
        Self { issuer: Arc::new(Issuer::start(secrets.clone(), Clock::system()).await.unwrap()), secrets }
    }

    fn figure(&self, url: &str) -> Figure {
        let spec = IdentitySpec::Minted(Minted::default());
        let persona =
            Persona { name: PersonaName::from("alice"), description: String::new(), identity: spec };
        let authority = Authority {
            issuer: Some(Arc::clone(&self.issuer)),
            audience: url.to_owned(),
            env: Arc::new(|_| None),
            secrets: self.secrets.clone(),
            clock: Clock::system(),
            route: rehearsal::net::Route::default(),
            wallet: Arc::new(rehearsal::auth::client::Memory::default()),
            old_servers: false,
        };
        Figure { identity: identity(&persona, &authority).unwrap(), persona }
    }

    /// A server that takes the word of the embedded issuer.
    async fn server(&self, flaws: &[&'static str]) -> Flawed {
        Flawed::trusting(Some(self.issuer.url()), flaws).await
    }

    async fn record(&self, id: &str, url: &str, facts: &Value) -> Transcript {
        let facts: Facts = serde_json::from_value(facts.clone()).unwrap();
        let setup = ProbeSetup {
            target: url::Url::parse(url).unwrap(),
            headers: BTreeMap::new(),
            issuer: Some(Arc::clone(&self.issuer)),
            control: Some(self.figure(url)),
            other: None,
            weaker: None,
            facts,
            audience: url.to_owned(),
        };
        let log = Recorder::new(Clock::system(), self.secrets.clone());
        checks::find(id).unwrap().run(&Prober::new(setup, log.clone()).unwrap()).await.unwrap();
        log.finish(header(id), End::Done)
    }

    async fn judge(&self, id: &str, url: &str, facts: &Value) -> Seen {
        checks::find(id).unwrap().judge(&self.record(id, url, facts).await)
    }
}

/// Whether a check that finds nothing wrong says so on a server that forwards nothing.
fn is_fine(id: &str, seen: &Seen) -> bool {
    match id {
        // They need a proxy, or a fact.
        "J03.life" | "J08.document" | "J08.fetch" | "J09" | "J09.cookies" | "J09.state" => {
            matches!(seen, Seen::DoesNotApply(_))
        }
        _ => matches!(seen, Seen::Holds(..)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correct_server_passes_and_no_grant_is_in_any_record() {
    let bench = Bench::start().await;
    let server = bench.server(&[]).await;
    for id in IDS {
        let record = bench.record(id, &server.url(), &json!({})).await;
        let seen = checks::find(id).unwrap().judge(&record);
        assert!(is_fine(id, &seen), "{id}: {seen:?}");
        let text = serde_json::to_string(&record.events).unwrap();
        for kind in ["code", "token", "refresh"] {
            assert!(!text.contains(&format!("{kind}-of-the-flawed-server")), "{id}: {kind}");
        }
        assert!(!text.contains("assertion=eyJ"), "{id}");
        assert_eq!(text.contains("&assertion="), id == "J11", "{id}");
        assert_eq!(text.contains("client_assertion="), matches!(id, "J11" | "J12"), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_fails_alone_on_its_flaw() {
    let bench = Bench::start().await;
    let mut lines = vec![];
    for flaw in [
        "J01",
        "J01.plain",
        "J01.verifier",
        "J01.none",
        "J02",
        "J03",
        "J03.client",
        "J03.redirect",
        "J03.revoke",
        "J04",
        "J04.audience",
        "J05",
        "J05.same",
        "J06",
        "J07",
        "J07.error",
        "J07.flag",
        "J08",
        "J08.any",
        "J10",
        "J11",
        "J11.aud",
        "J11.client",
        "J11.exp",
        "J11.iss",
        "J11.jti",
        "J11.error",
        "J12",
        "J12.aud",
        "J12.exp",
        "J12.jti",
        "J12.error",
    ] {
        let server = bench.server(&[flaw]).await;
        for id in IDS {
            match (bench.judge(id, &server.url(), &json!({})).await, owner(flaw) == id) {
                (Seen::Broken(why, _), true) => lines.push(format!("{flaw}: {why}")),
                (seen, false) if is_fine(id, &seen) => {}
                (Seen::Broken(..), false) if CONSEQUENCES.contains(&(flaw, id)) => {}
                (seen, _) => panic!("{flaw}: {id}: {seen:?}"),
            }
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_skipped_with_the_reason() {
    let bench = Bench::start().await;
    let none = json!({});
    let page = Flawed::start(&["page"]).await;
    let seen = bench.judge("J01", &page.url(), &none).await;
    assert!(matches!(&seen, Seen::DoesNotApply(why) if why.contains("facts.consent")), "{seen:?}");
    // With the parameter that makes it consent, there is no page.
    let seen = bench.judge("J01", &page.url(), &json!({"consent": {"login_hint": "alice"}})).await;
    assert!(matches!(seen, Seen::Holds(..)), "{seen:?}");
    let closed = Flawed::start(&["no-registration"]).await;
    let seen = bench.judge("J03", &closed.url(), &none).await;
    assert!(matches!(&seen, Seen::DoesNotApply(why) if why.contains("registration endpoint")), "{seen:?}");
    let plain = Flawed::start(&["no-refresh"]).await;
    assert!(matches!(bench.judge("J05", &plain.url(), &none).await, Seen::DoesNotApply(_)));
    let people = Flawed::start(&["no-machines"]).await;
    let seen = bench.judge("J12", &people.url(), &none).await;
    assert!(matches!(&seen, Seen::DoesNotApply(why) if why.contains("client_credentials")), "{seen:?}");
    let seen = bench.judge("J11", &people.url(), &none).await;
    assert!(matches!(&seen, Seen::DoesNotApply(why) if why.contains("jwt-bearer")), "{seen:?}");
    let stranger = Flawed::trusting(Some("http://127.0.0.1:9"), &[]).await;
    let seen = bench.judge("J11", &stranger.url(), &none).await;
    assert!(matches!(&seen, Seen::DoesNotApply(why) if why.contains("identity provider")), "{seen:?}");
    let seen = bench.judge("J03.revoke", &plain.url(), &none).await;
    assert!(matches!(&seen, Seen::DoesNotApply(why) if why.contains("refresh token")), "{seen:?}");
    let nobody = bench.judge("J01", "http://127.0.0.1:9/mcp", &none).await;
    assert!(!matches!(nobody, Seen::Holds(..) | Seen::Broken(..)), "{nobody:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_prove_themselves_in_each_way_and_their_secrets_stay_out() {
    let bench = Bench::start().await;
    for method in ["none", "client_secret_post", "client_secret_basic"] {
        let server = bench.server(&[method]).await;
        let record = bench.record("J11", &server.url(), &json!({})).await;
        let seen = checks::find("J11").unwrap().judge(&record);
        assert!(matches!(seen, Seen::Holds(..)), "{method}: {seen:?}");
        let text = serde_json::to_string(&record.events).unwrap();
        assert!(!text.contains("secret-of-the-flawed-server"), "{method}");
        assert_eq!(text.contains("Basic [secret:"), method == "client_secret_basic", "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_asks_first_and_keeps_what_it_forwards_to_itself() {
    let bench = Bench::start().await;
    // A proxy that consents by itself for those who say how, as one on a bench would.
    let consent = json!({"consent": {"login_hint": "alice"}});
    let mut lines = vec![];
    for flaw in
        ["none", "J09", "J09.cookies", "J09.state", "J09.state.same", "J09.state.again", "J09.state.any"]
    {
        let server = bench.server(&["proxy", flaw]).await;
        for id in ["J09", "J09.cookies", "J09.state"] {
            let seen = bench.judge(id, &server.url(), &consent).await;
            match (&seen, owner(flaw) == id) {
                (Seen::Broken(why, _), true) => lines.push(format!("{flaw}: {why}")),
                // That a page asks for this very client a person must see.
                (Seen::Inconclusive(_), false) if id == "J09" => {}
                (Seen::Holds(..), false) if id != "J09" => {}
                // Where nobody is asked, nothing is remembered.
                (Seen::DoesNotApply(_), false) if (flaw, id) == ("J09", "J09.cookies") => {}
                _ => panic!("{flaw}: {id}: {seen:?}"),
            }
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
    let shy = bench.server(&["proxy"]).await;
    let seen = bench.judge("J09.state", &shy.url(), &json!({})).await;
    assert!(matches!(&seen, Seen::DoesNotApply(why) if why.contains("facts.consent")), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_held_to_what_they_say() {
    let secrets = Secrets::default();
    let options = rehearsal::auth::issuer::Options { tls: true, ..Default::default() };
    let issuer = Issuer::start_with(&options, secrets.clone(), Clock::system()).await.unwrap();
    let bench = Bench { issuer: Arc::new(issuer), secrets };
    let facts = json!({"client_documents": true});
    let mut lines = vec![];
    for flaw in ["none", "J08.document", "J08.document.redirect", "J08.fetch", "J08.fetch.moved"] {
        let server = bench.server(&[flaw]).await;
        for id in ["J08", "J08.document", "J08.fetch"] {
            match (bench.judge(id, &server.url(), &facts).await, owner(flaw) == id) {
                (Seen::Broken(why, _), true) => lines.push(format!("{flaw}: {why}")),
                (Seen::Holds(..), false) => {}
                (seen, _) => panic!("{flaw}: {id}: {seen:?}"),
            }
        }
        // Whoever has not said that it may be fetched from learns that it was.
        let seen = bench.judge("J08", &server.url(), &json!({})).await;
        assert!(matches!(&seen, Seen::Broken(why, _) if why.contains("this machine")), "{seen:?}");
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_end_in_time() {
    let bench = Bench::start().await;
    let facts = json!({"code_life": "90ms"});
    for (flaws, ends) in [(&["short"][..], true), (&["short", "J03.life"], false)] {
        let server = bench.server(flaws).await;
        let mut seen = bench.judge("J03.life", &server.url(), &facts).await;
        // On a busy machine even a good code may be too late; then the record tells nothing.
        for _ in 0..10 {
            if !matches!(seen, Seen::Inconclusive(_)) {
                break;
            }
            seen = bench.judge("J03.life", &server.url(), &facts).await;
        }
        assert!(
            if ends { matches!(seen, Seen::Holds(..)) } else { matches!(seen, Seen::Broken(..)) },
            "{flaws:?}: {seen:?}"
        );
    }
}
