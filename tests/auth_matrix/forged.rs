//! Tokens in the name of the target's own authorization server, where nobody trusts us.

use rehearsal::auth::IdentitySpec;
use rehearsal::auth::checks::{Seen, find};
use serde_json::json;

use crate::bench::Bench;
use crate::flawed::Flawed;

const FORGED: [&str; 8] = ["D09", "D10", "D11", "D12", "D13", "D14.jku", "D14.x5u", "D16"];

#[tokio::test]
async fn forged_tokens_are_refused_by_a_correct_server_and_open_a_flawed_one() {
    let bench = Bench::start().await;
    for flaw in std::iter::once(None).chain(FORGED.map(Some)) {
        let server = Flawed::start(bench.issuer.url(), flaw.as_slice()).await;
        let prober = bench.prober(&server.url, IdentitySpec::Anonymous);
        for id in FORGED {
            let seen = bench.judge(find(id).unwrap(), &prober).await;
            match Some(id) == flaw {
                true => assert!(matches!(seen, Seen::Broken(..)), "{flaw:?}: {id}: {seen:?}"),
                false => assert!(matches!(seen, Seen::Holds(..)), "{flaw:?}: {id}: {seen:?}"),
            }
        }
    }
}

#[tokio::test]
async fn without_an_issuer_near_keys_are_made_for_the_purpose() {
    let bench = Bench::start().await;
    // Who looks where the token points finds nothing there, and is not seen: only acceptance shows.
    for flaw in [None, Some("D09"), Some("D10"), Some("D11"), Some("D12"), Some("D13")] {
        let server = Flawed::start(bench.issuer.url(), flaw.as_slice()).await;
        let prober = bench.stranger(&server.url);
        for id in FORGED {
            let seen = bench.judge(find(id).unwrap(), &prober).await;
            assert_eq!(matches!(seen, Seen::Broken(..)), Some(id) == flaw, "{flaw:?}: {id}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_forged_is_skipped_with_the_reason() {
    let bench = Bench::start().await;
    for (flaw, word) in [("A01", "anybody"), ("B01", "no metadata"), ("B03", "no authorization server")] {
        let server = Flawed::start(bench.issuer.url(), &[flaw]).await;
        let prober = bench.prober(&server.url, IdentitySpec::Anonymous);
        let seen = bench.judge(find("D11").unwrap(), &prober).await;
        assert!(matches!(&seen, Seen::DoesNotApply(why) if why.contains(word)), "{flaw}: {seen:?}");
    }
    // The key is at another host than the target's, which a prober without an issuer never asks.
    let server = Flawed::start("http://localhost:1", &[]).await;
    let seen = bench.judge(find("D12").unwrap(), &bench.stranger(&server.url)).await;
    assert!(matches!(&seen, Seen::DoesNotApply(why) if why.contains("another host")), "{seen:?}");
}

#[tokio::test]
async fn a_persona_with_a_token_of_its_own_is_the_control() {
    let bench = Bench::start().await;
    let server = Flawed::start(bench.issuer.url(), &[]).await;
    let spec: IdentitySpec = serde_json::from_value(json!({"bearer": {"env": "TOKEN"}})).unwrap();
    let prober = bench.prober(&server.url, spec.clone());
    let record = bench.record(find("D11").unwrap(), &prober).await;
    let seen = find("D11").unwrap().judge(&record);
    assert!(matches!(&seen, Seen::Inconclusive(_)), "a control that is refused proves nothing: {seen:?}");
}
