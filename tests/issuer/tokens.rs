//! Tokens, good and flawed.

use std::collections::BTreeMap;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use rehearsal::auth::{Flaw, Issuer, Minted, ScopeClaim, SigningAlg, TokenFormat, TokenType};
use rehearsal::transcript::{Body, Clock, HttpSide, Recorder, Secrets, What};
use rehearsal::units::Period;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::world::{AUDIENCE, accepted, clerk, keys_of, split, start};

#[tokio::test]
async fn good_tokens_verify_with_an_independent_library() {
    let (issuer, _) = start().await;
    let keys = keys_of(&issuer).await;
    for algorithm in [SigningAlg::Rs256, SigningAlg::Es256] {
        let minted = Minted { algorithm, ..clerk() };
        let token = issuer.mint(&minted, "clerk", AUDIENCE).unwrap();
        let claims = accepted(&issuer, &keys, token.expose_secret()).unwrap();
        assert_eq!(claims["sub"], "clerk");
        assert_eq!(claims["scope"], "orders:read orders:write");
        assert_eq!(claims["roles"], json!(["clerk"]));
        assert_eq!(claims["rehearsal_run"], issuer.run());
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
        let (header, ..) = split(token.expose_secret());
        assert_eq!(header["typ"], "at+jwt");
        assert!(header["kid"].as_str().unwrap().starts_with("rehearsal-test-"));
    }
    let [one, two] = [(); 2].map(|()| issuer.mint(&clerk(), "clerk", AUDIENCE).unwrap());
    assert_ne!(split(one.expose_secret()).1["jti"], split(two.expose_secret()).1["jti"]);
}

#[tokio::test]
async fn two_issuers_share_no_key() {
    let (one, _) = start().await;
    let (two, _) = start().await;
    let token = one.mint(&clerk(), "clerk", AUDIENCE).unwrap();
    let mut keys = keys_of(&two).await;
    let kid = split(token.expose_secret()).0["kid"].as_str().unwrap().to_owned();
    keys.keys[0].common.key_id = Some(kid);
    assert_eq!(accepted(&one, &keys, token.expose_secret()).unwrap_err(), "InvalidSignature");
}

/// The parts in which a flawed token differs from a good one of the same persona at the same time, and what a careful
/// server says to it.
fn portrait(issuer: &Issuer, keys: &JwkSet, flaw: Flaw) -> (Vec<String>, String) {
    let good = issuer.mint(&clerk(), "clerk", AUDIENCE).unwrap();
    let bad = issuer.mint(&Minted { flaw: Some(flaw), ..clerk() }, "clerk", AUDIENCE).unwrap();
    assert!(accepted(issuer, keys, good.expose_secret()).is_ok());
    let (good, bad_parts) = (split(good.expose_secret()), split(bad.expose_secret()));
    let mut differ = Vec::new();
    for (part, left, right) in [("header", &good.0, &bad_parts.0), ("claims", &good.1, &bad_parts.1)] {
        let names = left.as_object().unwrap().keys().chain(right.as_object().unwrap().keys());
        let mut names: Vec<&String> =
            names.filter(|name| *name != "jti" && left.get(name) != right.get(name)).collect();
        names.sort();
        names.dedup();
        differ.extend(names.into_iter().map(|name| format!("{part}.{name}")));
    }
    let said = accepted(issuer, keys, bad.expose_secret());
    let harmless = [Flaw::AudienceAmong, Flaw::BoundToKey, Flaw::IssuedAhead, Flaw::ScopeList];
    let big = [Flaw::Big15Kb, Flaw::Big75Kb];
    let may_pass = harmless.contains(&flaw) || big.contains(&flaw);
    assert_eq!(said.is_ok(), may_pass, "{flaw:?}: {said:?}");
    (differ, said.map_or_else(|why| why, |_| "accepted".to_owned()))
}

#[tokio::test]
async fn every_flaw_is_exactly_one_flaw() {
    let clock = Clock::manual(jiff::Timestamp::now(), || Duration::ZERO);
    let issuer = Issuer::start(Secrets::default(), clock).await.unwrap();
    let keys = keys_of(&issuer).await;
    let mut lines = String::new();
    for flaw in Flaw::ALL {
        let (differ, refusal) = portrait(&issuer, &keys, flaw);
        lines.push_str(&format!("{flaw:?}: [{}] {refusal}\n", differ.join(", ")));
    }
    insta::assert_snapshot!(lines);
}

#[tokio::test]
async fn tokens_that_live_too_long_or_forge_claims_are_not_minted() {
    let (issuer, _) = start().await;
    let long = Minted { lifetime: Some(Period::secs(301)), ..clerk() };
    assert_eq!(issuer.mint(&long, "x", AUDIENCE).unwrap_err().code, "persona.lifetime");
    let forged = Minted { claims: BTreeMap::from([("aud".to_owned(), json!("*"))]), ..clerk() };
    assert_eq!(issuer.mint(&forged, "x", AUDIENCE).unwrap_err().code, "persona.reserved-claim");
}

#[tokio::test]
async fn tokens_never_reach_a_record() {
    let (issuer, secrets) = start().await;
    let log = Recorder::new(Clock::system(), secrets);
    for flaw in [None, Some(Flaw::BadSignature), Some(Flaw::AlgNone), Some(Flaw::Tampered)] {
        let token = issuer.mint(&Minted { flaw, ..clerk() }, "clerk", AUDIENCE).unwrap();
        let token = token.expose_secret();
        let side = HttpSide {
            start: format!("GET http://x/?access_token={token}"),
            headers: vec![("authorization".into(), format!("Bearer {token}"))],
            body: Body::Text(format!("access_token={token}")),
        };
        let seq = log.note(What::Exchanged {
            label: "x".into(),
            request: side,
            response: Err(format!("no {token}")),
            took_ms: 0,
        });
        let text = serde_json::to_string(&log.event(seq)).unwrap();
        assert!(!text.contains(token), "{text}");
        assert_eq!(text.matches("[secret:token:clerk]").count(), 4, "{text}");
    }
}

#[tokio::test]
async fn flaws_that_carry_text_carry_the_right_one() {
    let (issuer, _) = start().await;
    let made = |flaw| {
        let token = issuer.mint(&Minted { flaw: Some(flaw), ..clerk() }, "clerk", AUDIENCE).unwrap();
        (split(token.expose_secret()), token.expose_secret().len())
    };
    let audience = |flaw| made(flaw).0.1["aud"].clone();
    assert_eq!(audience(Flaw::AudienceOrigin), "http://127.0.0.1:9999");
    assert_eq!(audience(Flaw::AudiencePath), "http://127.0.0.1:9999/another-resource");
    assert_eq!(audience(Flaw::AudienceInQuery), format!("https://evil.example/?x={AUDIENCE}"));
    assert_eq!(audience(Flaw::AudienceSlash), format!("{AUDIENCE}/"));
    assert_eq!(audience(Flaw::UpstreamAudience), issuer.canary("upstream").as_str());
    assert_eq!(audience(Flaw::IdJag), issuer.url());
    assert_eq!(audience(Flaw::IdJagForTarget), AUDIENCE);
    assert_eq!(made(Flaw::IssuerSuffix).0.1["iss"], format!("{}.evil.example", issuer.url()));
    assert_eq!(made(Flaw::ScopeList).0.1["scope"], json!(["orders:read", "orders:write"]));
    let inside = |flaw, name: &str, canary: &str| {
        let named = made(flaw).0.0[name].as_str().unwrap().to_owned();
        assert!(named.starts_with(issuer.canary(canary).as_str()), "{named}");
    };
    inside(Flaw::KeyUrl, "jku", "jku");
    inside(Flaw::CertificateUrl, "x5u", "x5u");
    for (flaw, kilobytes) in [(Flaw::Big15Kb, 15), (Flaw::Big75Kb, 75)] {
        let (low, length) = (kilobytes * 1024 - 300, made(flaw).1);
        assert!((low..low + 600).contains(&length), "{flaw:?} is {length} bytes long");
    }
}

#[tokio::test]
async fn scopes_go_where_the_persona_says() {
    let (issuer, _) = start().await;
    let list = json!(["orders:read", "orders:write"]);
    for (scope_claim, name, value) in [
        (ScopeClaim::Scope, "scope", json!("orders:read orders:write")),
        (ScopeClaim::Scp, "scp", list.clone()),
        (ScopeClaim::ScpText, "scp", json!("orders:read orders:write")),
        (ScopeClaim::Permissions, "permissions", list.clone()),
    ] {
        let minted = Minted { scope_claim, typ: TokenType::Jwt, ..clerk() };
        let token = issuer.mint(&minted, "clerk", AUDIENCE).unwrap();
        let (header, claims, _) = split(token.expose_secret());
        assert_eq!((&header["typ"], &claims[name]), (&json!("JWT"), &value));
        assert_eq!(claims.get("scope").is_some(), name == "scope");
    }
    // The persona has roles of its own, and two claims of one name cannot be.
    let roles = Minted { scope_claim: ScopeClaim::Roles, ..clerk() };
    assert_eq!(issuer.mint(&roles, "clerk", AUDIENCE).unwrap_err().code, "persona.reserved-claim");
    let plain = Minted { claims: BTreeMap::new(), ..roles };
    let token = issuer.mint(&plain, "clerk", AUDIENCE).unwrap();
    assert_eq!(split(token.expose_secret()).1["roles"], list);
}

#[test]
fn a_persona_that_says_nothing_new_is_written_as_before() {
    let text = serde_json::to_string(&Minted::default()).unwrap();
    assert!(!text.contains("scope_claim") && !text.contains("typ") && !text.contains("format"), "{text}");
    let text = r#"{"flaw": "expired_30s", "scope_claim": "scp_text", "typ": "JWT", "format": "opaque"}"#;
    let minted: Minted = serde_json::from_str(text).unwrap();
    let wanted = Minted {
        flaw: Some(Flaw::Expired30s),
        scope_claim: ScopeClaim::ScpText,
        typ: TokenType::Jwt,
        format: TokenFormat::Opaque,
        ..Minted::default()
    };
    assert_eq!(minted, wanted);
}
