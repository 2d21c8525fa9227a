//! `auth.issuer` as a map: a port, HTTPS, and a key that outlives the run.

use rehearsal::auth::issuer::StableKey;
use rehearsal::suite::IssuerSpec;
use secrecy::ExposeSecret;

use super::*;

fn suite(issuer: &str) -> String {
    format!("version: 1\ntarget: {{url: 'http://127.0.0.1:9/mcp'}}\nauth: {{issuer: {issuer}}}\n{SMALL}")
}

#[test]
fn port_and_https_are_read() {
    for (written, port, tls) in
        [("embedded", 0, false), ("{tls: true}", 0, true), ("{port: 9000}", 9000, false)]
    {
        let loaded = Place::new().with("suites/a.yaml", suite(written)).load("suites/a.yaml");
        let IssuerSpec::Embedded(options) = good(loaded).issuer else { panic!("{written}") };
        assert_eq!((options.port, options.tls, options.key), (port, tls, None), "{written}");
    }
}

#[test]
fn a_key_is_read_and_warned_about_and_never_shown() {
    let file = StableKey::make().unwrap();
    let place = Place::new()
        .with("suites/test.key", file.expose_secret())
        .with("suites/a.yaml", suite("{key: test.key}"));
    let loaded = place.load("suites/a.yaml");
    insta::assert_snapshot!(shown(&loaded));
    let suite = loaded.suite.unwrap();
    let IssuerSpec::Embedded(options) = &suite.issuer else { panic!("no issuer") };
    assert_eq!(options.key, Some(StableKey::from_pem(file.expose_secret()).unwrap()));
    let part = file.expose_secret().lines().nth(6).unwrap();
    assert!(!format!("{suite:?}").contains(part));
    assert!(loaded.sources.values().all(|text| !text.contains(part)), "a key is no source");
}

#[test]
fn files_that_hold_no_key_are_named() {
    let place = Place::new().with("suites/test.key", "hello").with("suites/a.yaml", suite("{key: test.key}"));
    let loaded = place.load("suites/a.yaml");
    assert!(loaded.suite.is_none());
    assert_eq!(codes(&loaded), ["suite.bad-pem", "suite.stable-key"]);
}
