//! A key that outlives the run, HTTPS, and a clock that is off.

use rehearsal::auth::Issuer;
use rehearsal::auth::issuer::{Options, StableKey};
use rehearsal::net::{self, Route, Tls};
use rehearsal::transcript::{Clock, Secrets};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::world::{AUDIENCE, accepted, clerk, keys_of, split, start};

async fn with(options: &Options) -> Issuer {
    Issuer::start_with(options, Secrets::default(), Clock::system()).await.unwrap()
}

#[tokio::test]
async fn a_stable_key_signs_the_same_in_every_run() {
    let file = StableKey::make().unwrap();
    assert!(file.expose_secret().starts_with("REHEARSAL TEST KEY. NOT FOR PRODUCTION.\n"));
    let key = StableKey::from_pem(file.expose_secret()).unwrap();
    assert!(!format!("{key:?}").contains("BEGIN"), "{key:?}");
    let options = Options { key: Some(key.clone()), ..Options::default() };
    let (one, two) = (with(&options).await, with(&options).await);
    let (ours, theirs) = (keys_of(&one).await, keys_of(&two).await);
    assert_eq!(ours, theirs);
    let token = one.mint(&clerk(), "clerk", AUDIENCE).unwrap();
    assert!(accepted(&one, &theirs, token.expose_secret()).is_ok());
    let kid = split(token.expose_secret()).0["kid"].as_str().unwrap().to_owned();
    assert_eq!(kid, format!("rehearsal-test-rs256-{}", key.tag()));
    assert!(kid.contains("-stable-"), "the id says what it is: {kid}");

    let other = StableKey::from_pem(StableKey::make().unwrap().expose_secret()).unwrap();
    assert_ne!(other, key);
    let other = with(&Options { key: Some(other), ..Options::default() }).await;
    assert!(accepted(&one, &keys_of(&other).await, token.expose_secret()).is_err());
}

#[tokio::test]
async fn one_key_of_a_file_is_enough_and_the_other_is_made() {
    let file = StableKey::make().unwrap();
    let blocks: Vec<&str> = file.expose_secret().split_inclusive("-----END PRIVATE KEY-----\n").collect();
    assert_eq!(blocks.len(), 2);
    let only = StableKey::from_pem(blocks[0]).unwrap();
    let options = Options { key: Some(only), ..Options::default() };
    let (one, two) = (keys_of(&with(&options).await).await, keys_of(&with(&options).await).await);
    assert_eq!((one.keys.len(), two.keys.len()), (2, 2));
    assert_eq!(one.keys[0], two.keys[0]);
    assert_ne!(one.keys[1], two.keys[1]);
}

#[test]
fn files_without_a_usable_key_are_refused() {
    let file = StableKey::make().unwrap();
    let twice = format!("{}{}", file.expose_secret(), file.expose_secret());
    let ed25519 = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----\n";
    for (name, text) in [
        ("nothing", String::new()),
        ("no key", "hello".to_owned()),
        ("not base64", "-----BEGIN PRIVATE KEY-----\n???\n-----END PRIVATE KEY-----\n".to_owned()),
        ("another kind", ed25519.to_owned()),
        ("two of a kind", twice),
    ] {
        let fault = StableKey::from_pem(&text).unwrap_err();
        assert_eq!(fault.code, "issuer.key", "{name}");
        assert!(!fault.message.contains("MC4C"), "{}", fault.message);
    }
}

#[tokio::test]
async fn https_is_good_for_those_who_trust_the_authority_only() {
    let issuer = with(&Options { tls: true, ..Options::default() }).await;
    assert!(issuer.url().starts_with("https://127.0.0.1:"));
    let ca = issuer.ca().unwrap();
    assert!(ca.starts_with("-----BEGIN CERTIFICATE-----") && !ca.contains("PRIVATE"));
    let trusting = |ca: &str| {
        let tls = Tls { ca: Some(ca.into()), identity: None };
        net::client_by(&Route { tls, proxy: None }).unwrap()
    };
    let http = trusting(ca);
    let metadata = format!("{}/.well-known/oauth-authorization-server", issuer.url());
    let said: Value = http.get(&metadata).send().await.unwrap().json().await.unwrap();
    assert_eq!(said["issuer"], issuer.url());
    let local = metadata.replace("127.0.0.1", "localhost");
    assert_eq!(http.get(local).send().await.unwrap().status(), 200);
    for endpoint in ["jwks_uri", "token_endpoint", "registration_endpoint"] {
        assert!(said[endpoint].as_str().unwrap().starts_with("https://"), "{endpoint}");
    }
    assert!(net::client().unwrap().get(&metadata).send().await.unwrap_err().is_connect());
    let other = with(&Options { tls: true, ..Options::default() }).await;
    assert!(trusting(other.ca().unwrap()).get(&metadata).send().await.is_err(), "each run has its own");
    let plain = metadata.replace("https:", "http:");
    assert!(net::client().unwrap().get(plain).send().await.is_err());
    assert!(start().await.0.ca().is_none());

    issuer.shutdown();
    for _ in 0..50 {
        if http.get(&metadata).send().await.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the port is still open");
}

#[tokio::test]
async fn a_clock_that_is_behind_makes_tokens_that_are_over() {
    let hours = |offset: i64| Options { offset: offset * 3600, ..Options::default() };
    for (offset, refused) in [(0, None), (-2, Some("ExpiredSignature"))] {
        let issuer = with(&hours(offset)).await;
        let token = issuer.mint(&clerk(), "clerk", AUDIENCE).unwrap();
        let seen = accepted(&issuer, &keys_of(&issuer).await, token.expose_secret());
        assert_eq!(seen.err().as_deref(), refused, "{offset} h");
    }
    let ahead = with(&hours(2)).await;
    let token = ahead.mint(&clerk(), "clerk", AUDIENCE).unwrap();
    let issued = split(token.expose_secret()).1["iat"].as_i64().unwrap();
    assert!((7190..=7210).contains(&(issued - jiff::Timestamp::now().as_second())));
}

#[tokio::test]
async fn a_port_can_be_chosen_and_may_be_taken() {
    let issuer = with(&Options::default()).await;
    let port = issuer.url().rsplit_once(':').unwrap().1.parse().unwrap();
    let taken = Options { port, ..Options::default() };
    let fault = Issuer::start_with(&taken, Secrets::default(), Clock::system()).await.err().unwrap();
    assert_eq!(fault.code, "issuer.listen");
}
