//! Every auth check against a correct server, and against one that breaks exactly its duty.

#![expect(clippy::unwrap_used, reason = "a broken set-up should stop the test at once")]
#![expect(clippy::disallowed_methods, reason = "the test measures how long the table takes")]

use std::collections::BTreeMap;
use std::sync::Arc;

use rehearsal::auth::checks::{AuthCheck, Level, Seen, TABLE};
use rehearsal::auth::{
    Authority, Facts, Figure, IdentitySpec, Issuer, Minted, Persona, ProbeSetup, Prober, identity,
};
use rehearsal::diag::Origin;
use rehearsal::ids::{CaseKey, CaseName, ClientName, Digest, PersonaName, SuiteName};
use rehearsal::transcript::{CaseHeader, CaseKind, Clock, End, Recorder, Secrets, Transcript, What};

#[path = "support/flawed/mod.rs"]
mod flawed;

use flawed::Flawed;

struct Bench {
    issuer: Arc<Issuer>,
    secrets: Secrets,
}

impl Bench {
    async fn start() -> Self {
        let secrets = Secrets::default();
        let issuer = Arc::new(Issuer::start(secrets.clone(), Clock::system()).await.unwrap());
        Self { issuer, secrets }
    }

    fn prober(&self, url: &str, spec: IdentitySpec) -> Prober {
        let name = PersonaName::from("customer");
        let persona = Persona { name, description: String::new(), identity: spec };
        let authority = Authority {
            issuer: Some(Arc::clone(&self.issuer)),
            audience: url.to_owned(),
            env: Arc::new(|_| None),
            secrets: self.secrets.clone(),
            clock: Clock::system(),
            route: rehearsal::net::Route::default(),
            wallet: std::sync::Arc::new(rehearsal::auth::client::Memory::default()),
        };
        let setup = ProbeSetup {
            target: url::Url::parse(url).unwrap(),
            headers: BTreeMap::new(),
            issuer: Some(Arc::clone(&self.issuer)),
            control: Some(Figure { identity: identity(&persona, &authority).unwrap(), persona }),
            other: None,
            weaker: None,
            facts: Facts::default(),
            audience: url.to_owned(),
        };
        Prober::new(setup, Recorder::new(Clock::system(), self.secrets.clone())).unwrap()
    }

    async fn record(&self, check: &AuthCheck, prober: &Prober) -> Transcript {
        let log = Recorder::new(Clock::system(), self.secrets.clone());
        check.run(&prober.recording(log.clone())).await.unwrap();
        log.finish(header(check.id), End::Done)
    }

    async fn judge(&self, check: &AuthCheck, prober: &Prober) -> Seen {
        check.judge(&self.record(check, prober).await)
    }
}

fn customer() -> IdentitySpec {
    IdentitySpec::Minted(Minted { scopes: vec!["mcp:read".into()], ..Minted::default() })
}

fn header(case: &str) -> CaseHeader {
    CaseHeader {
        key: CaseKey { question: Digest::none(), model: Digest::none(), trial: 1 },
        suite: SuiteName::from("s"),
        case: CaseName::from(case),
        kind: CaseKind::Auth,
        model: None,
        persona: PersonaName::from("customer"),
        client: ClientName::from("reference"),
        trial: 1,
        tags: vec![],
        origin: Origin { file: "s.yaml".into(), line: 1, column: 1 },
    }
}

#[tokio::test]
async fn every_check_holds_on_a_correct_server() {
    let bench = Bench::start().await;
    let server = Flawed::start(bench.issuer.url(), &[]).await;
    let prober = bench.prober(&server.url, customer());
    let mut table = String::new();
    let begun = std::time::Instant::now();
    for check in TABLE {
        let line = match bench.judge(check, &prober).await {
            Seen::Holds(why, evidence) => {
                assert!(!evidence.is_empty(), "{}: no evidence", check.id);
                why
            }
            other => panic!("{} on the correct server: {other:?}", check.id),
        };
        table.push_str(&format!("{:13} {:7} {line}\n", check.id, check.level.as_str()));
    }
    assert!(begun.elapsed().as_secs() < 20, "the table took {:?}", begun.elapsed());
    insta::with_settings!({filters => vec![(r"127\.0\.0\.1:\d+", "[host]")]}, {
        insta::assert_snapshot!(table);
    });
}

#[tokio::test]
async fn every_check_is_broken_on_its_flaw() {
    let bench = Bench::start().await;
    let mut table = String::new();
    for check in TABLE {
        let server = Flawed::start(bench.issuer.url(), &[check.id]).await;
        let prober = bench.prober(&server.url, customer());
        let record = bench.record(check, &prober).await;
        match check.judge(&record) {
            Seen::Broken(why, evidence) => {
                let seqs: Vec<u32> = record.events.iter().map(|event| event.seq).collect();
                assert!(
                    !evidence.is_empty() && evidence.iter().all(|seq| seqs.contains(seq)),
                    "{}",
                    check.id
                );
                table.push_str(&format!("{:13} {why}\n", check.id));
            }
            other => panic!("{} on the server with its flaw: {other:?}", check.id),
        }
    }
    insta::with_settings!({filters => vec![(r"127\.0\.0\.1:\d+", "[host]")]}, {
        insta::assert_snapshot!(table);
    });
}

#[tokio::test]
async fn a_slash_behind_the_issuer_is_blamed_on_the_resource_alone() {
    let bench = Bench::start().await;
    let server = Flawed::start(bench.issuer.url(), &["B05"]).await;
    let prober = bench.prober(&server.url, customer());
    for check in TABLE.iter().filter(|check| check.id != "B05") {
        let seen = bench.judge(check, &prober).await;
        assert!(matches!(seen, Seen::Holds(..)), "{}: {seen:?}", check.id);
    }
}

#[tokio::test]
async fn every_check_holds_on_a_server_without_sessions() {
    let bench = Bench::start().await;
    let server = Flawed::start(bench.issuer.url(), &["mode.modern"]).await;
    let prober = bench.prober(&server.url, customer());
    for check in TABLE {
        let seen = bench.judge(check, &prober).await;
        assert!(matches!(seen, Seen::Holds(..)), "{}: {seen:?}", check.id);
    }
}

#[tokio::test]
async fn a_server_that_refuses_everybody_does_not_look_secure() {
    let bench = Bench::start().await;
    let server = Flawed::start(bench.issuer.url(), &["D00"]).await;
    let prober = bench.prober(&server.url, customer());
    for check in TABLE.iter().filter(|check| check.id.starts_with(['D', 'E', 'F', 'H']) && check.id != "D00")
    {
        let seen = bench.judge(check, &prober).await;
        assert!(matches!(seen, Seen::Inconclusive(_)), "{}: {seen:?}", check.id);
    }
}

#[tokio::test]
async fn without_a_persona_only_the_open_checks_run() {
    let bench = Bench::start().await;
    let server = Flawed::start(bench.issuer.url(), &[]).await;
    let prober = bench.prober(&server.url, IdentitySpec::Anonymous);
    for check in TABLE {
        let seen = bench.judge(check, &prober).await;
        match check.lacks(&prober) {
            Some(_) => assert!(matches!(seen, Seen::DoesNotApply(_)), "{}: {seen:?}", check.id),
            None => assert!(matches!(seen, Seen::Holds(..)), "{}: {seen:?}", check.id),
        }
    }
}

#[tokio::test]
async fn a_dead_target_is_inconclusive_and_never_broken() {
    let bench = Bench::start().await;
    let prober = bench.prober("http://127.0.0.1:1/mcp", customer());
    for check in TABLE {
        let seen = bench.judge(check, &prober).await;
        assert!(matches!(seen, Seen::Inconclusive(_) | Seen::DoesNotApply(_)), "{}: {seen:?}", check.id);
    }
}

#[tokio::test]
async fn records_hold_no_token() {
    let bench = Bench::start().await;
    let server = Flawed::start(bench.issuer.url(), &[]).await;
    let prober = bench.prober(&server.url, customer());
    let jwt = regex::Regex::new(r"ey[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}").unwrap();
    let mut marked = 0;
    for id in ["D03", "D11", "E01", "E02.cookie", "F01"] {
        let check = rehearsal::auth::checks::find(id).unwrap();
        let text = serde_json::to_string(&bench.record(check, &prober).await).unwrap();
        assert!(!jwt.is_match(&text), "{id}: {text}");
        marked += text.matches("[secret:token:customer]").count();
    }
    assert!(marked > 20, "{marked}");
}

#[tokio::test]
async fn other_hosts_are_never_asked() {
    let bench = Bench::start().await;
    // `localhost` is the same machine under another name, so a request would be answered.
    let issuer = bench.issuer.url().replace("127.0.0.1", "localhost");
    let server = Flawed::start(&issuer, &[]).await;
    let prober = bench.prober(&server.url, customer());
    let check = rehearsal::auth::checks::find("C01").unwrap();
    let record = bench.record(check, &prober).await;
    let asked = record.events.iter().filter_map(|event| match &event.what {
        What::Exchanged { request, response, .. } if request.start.contains("localhost") => Some(response),
        _ => None,
    });
    let answers: Vec<_> = asked.collect();
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(|why| why.starts_with("not sent"))));
    assert!(matches!(check.judge(&record), Seen::DoesNotApply(_)));
}

#[tokio::test]
async fn a_dead_authorization_server_is_inconclusive() {
    let bench = Bench::start().await;
    let server = Flawed::start(bench.issuer.url(), &[]).await;
    let other = Bench::start().await;
    bench.issuer.shutdown();
    let prober = other.prober(&server.url, customer());
    for _ in 0..50 {
        if reqwest::get(bench.issuer.url()).await.is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for id in ["B05", "C01", "C04"] {
        let check = rehearsal::auth::checks::find(id).unwrap();
        let seen = other.judge(check, &prober).await;
        assert!(matches!(seen, Seen::Inconclusive(_)), "{id}: {seen:?}");
    }
}

#[tokio::test]
async fn minted_tokens_stay_near() {
    let bench = Bench::start().await;
    let prober = bench.prober("https://someone.example/mcp", customer());
    assert!(prober.minted().is_none());
    for id in ["D00", "D03", "E07"] {
        assert!(rehearsal::auth::checks::find(id).unwrap().lacks(&prober).is_some(), "{id}");
    }
}

#[test]
fn force_decides_whether_a_check_gates() {
    for check in TABLE {
        assert_eq!(check.gates(), matches!(check.level, Level::Must | Level::Rfc), "{}", check.id);
    }
}
