//! The battery against servers that are right in another way, closed, or dead.

use rehearsal::auth::checks::{AuthCheck, Eras, Level, Seen, TABLE, find};
use rehearsal::auth::{IdentitySpec, Prober};
use rehearsal::transcript::What;

use crate::bench::{Bench, minted};
use crate::flawed::Flawed;
use crate::tables::setting;

fn customer() -> IdentitySpec {
    minted(&["mcp:read"])
}

/// Whether a check has nothing to ask: nobody has settled what the server speaks, one persona without facts is few,
/// the check is about servers of another kind, or it registers clients, which this server does not.
fn does_not_arise(check: &AuthCheck, prober: &Prober) -> bool {
    let of_another_kind = setting(check.id).iter().any(|mode| *mode != "mode.facade");
    let needs_clients = check.id.starts_with('J');
    check.lacks(prober).is_some() || check.eras == Eras::Modern || of_another_kind || needs_clients
}

fn holds_where_it_applies(check: &AuthCheck, prober: &Prober, seen: &Seen) -> bool {
    match seen {
        Seen::Holds(..) => true,
        Seen::DoesNotApply(_) => does_not_arise(check, prober),
        _ => false,
    }
}

#[tokio::test]
async fn a_slash_behind_the_issuer_is_blamed_on_the_resource_alone() {
    let bench = Bench::start().await;
    let server = Flawed::start(bench.issuer.url(), &["mode.facade", "B05"]).await;
    let prober = bench.prober(&server.url, customer());
    for check in TABLE.iter().filter(|check| check.id != "B05" && check.lacks(&prober).is_none()) {
        let seen = bench.judge(check, &prober).await;
        assert!(holds_where_it_applies(check, &prober, &seen), "{}: {seen:?}", check.id);
    }
}

#[tokio::test]
async fn every_check_holds_on_a_server_without_sessions() {
    let bench = Bench::start().await;
    let server = Flawed::start(bench.issuer.url(), &["mode.facade", "mode.modern"]).await;
    let prober = bench.prober(&server.url, customer());
    for check in TABLE.iter().filter(|check| check.eras != Eras::Legacy && check.lacks(&prober).is_none()) {
        let seen = bench.judge(check, &prober).await;
        assert!(holds_where_it_applies(check, &prober, &seen), "{}: {seen:?}", check.id);
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
        let asks = check.asks_as_somebody() && !does_not_arise(check, &prober);
        let open = matches!(seen, Seen::Inconclusive(_));
        assert!(open || !asks && !matches!(seen, Seen::Broken(..)), "{}: {seen:?}", check.id);
    }
}

#[tokio::test]
async fn without_a_persona_only_the_open_checks_run() {
    let bench = Bench::start().await;
    let server = Flawed::start(bench.issuer.url(), &["mode.facade"]).await;
    let prober = bench.prober(&server.url, IdentitySpec::Anonymous);
    for check in TABLE {
        let seen = bench.judge(check, &prober).await;
        match check.lacks(&prober) {
            Some(_) => assert!(matches!(seen, Seen::DoesNotApply(_)), "{}: {seen:?}", check.id),
            None => assert!(holds_where_it_applies(check, &prober, &seen), "{}: {seen:?}", check.id),
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
        let check = find(id).unwrap();
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
    let server = Flawed::start(issuer.as_str(), &[]).await;
    let prober = bench.prober(&server.url, customer());
    let check = find("C01").unwrap();
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
        let check = find(id).unwrap();
        let seen = other.judge(check, &prober).await;
        assert!(matches!(seen, Seen::Inconclusive(_)), "{id}: {seen:?}");
    }
}

#[tokio::test]
async fn the_plain_twin_of_an_https_endpoint_may_refuse_but_not_answer() {
    let bench = Bench::start().await;
    let check = find("B09").unwrap();
    for (flaws, holds) in [(&[][..], true), (&["B09"][..], false), (&["B09", "mode.modern"][..], false)] {
        let server = Flawed::start(bench.issuer.url(), flaws).await;
        let prober = bench.prober(&server.url.replace("http://", "https://"), customer());
        let record = bench.record(check, &prober).await;
        match check.judge(&record) {
            Seen::Holds(..) => assert!(holds, "{flaws:?}"),
            Seen::Broken(..) => assert!(!holds, "{flaws:?}"),
            other => panic!("{flaws:?}: {other:?}"),
        }
        let text = serde_json::to_string(&record).unwrap();
        assert!(!text.contains("secret:token"), "a live token went out in the clear: {text}");
    }
}

#[tokio::test]
async fn minted_tokens_stay_near() {
    let bench = Bench::start().await;
    let prober = bench.prober("https://someone.example/mcp", customer());
    assert!(prober.minted().is_none());
    for id in ["D00", "D03", "E07"] {
        assert!(find(id).unwrap().lacks(&prober).is_some(), "{id}");
    }
}

#[test]
fn force_decides_whether_a_check_gates() {
    for check in TABLE {
        assert_eq!(check.gates(), matches!(check.level, Level::Must | Level::Rfc), "{}", check.id);
    }
}
