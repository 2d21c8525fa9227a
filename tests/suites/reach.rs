//! `target.tls`, `target.proxy` and `transport: sse`: what is read, what is refused, and that no key is shown.

use super::*;

fn suite(target: &str) -> String {
    format!("version: 1\nenv: [PROXY_PASSWORD]\ntarget: {target}\n{SMALL}")
}

fn signed() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["tester".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn certificates_and_proxies_are_read() {
    let (certificate, key) = signed();
    let place = Place::new()
        .with("certs/ca.pem", &certificate)
        .with("suites/client.pem", &certificate)
        .with("suites/client.key", &key)
        .with(
            "suites/a.yaml",
            suite("{url: 'https://x.example/sse', transport: sse, proxy: 'http://u:${PROXY_PASSWORD}@p:1', tls: {ca: certs/ca.pem, cert: client.pem, key: client.key}}"),
        );
    let target = good(place.load("suites/a.yaml")).target;
    assert_eq!((target.transport, target.path.as_str()), (Transport::Sse, "/sse"));
    assert_eq!(target.tls.ca.as_deref(), Some(certificate.as_str()));
    assert_eq!(target.tls.identity.as_deref(), Some(format!("{certificate}\n{key}").as_str()));
    assert_eq!(target.proxy, Some(Template("http://u:${PROXY_PASSWORD}@p:1".to_owned())));
}

#[test]
fn a_proxy_is_an_http_address() {
    for (proxy, good) in [("socks5://p:1", false), ("p:1", false), ("http://p:1", true), ("${PROXY}", false)]
    {
        let text = suite(&format!("{{url: 'https://x.example/', proxy: '{proxy}'}}"));
        let loaded = Place::new().with("suites/a.yaml", text).load("suites/a.yaml");
        assert_eq!(loaded.diagnostics.is_empty(), good, "{proxy}: {}", shown(&loaded));
    }
}

#[test]
fn keys_stay_out_of_everything_that_is_shown() {
    let (certificate, key) = signed();
    let (_, other) = signed();
    let secret = key.lines().nth(1).unwrap();
    let place = Place::new()
        .with("client.pem", &certificate)
        .with("client.key", &key)
        .with("cut.key", key.replace("-----END PRIVATE KEY-----", ""))
        .with("other.key", other)
        .with(
            "suites/good.yaml",
            suite("{url: 'https://x.example/', tls: {cert: client.pem, key: client.key}}"),
        )
        .with("suites/cut.yaml", suite("{url: 'https://x.example/', tls: {cert: client.pem, key: cut.key}}"))
        .with("suites/swapped.yaml", suite("{url: 'https://x.example/', tls: {ca: client.key}}"))
        .with(
            "suites/mixed.yaml",
            suite("{url: 'https://x.example/', tls: {cert: client.pem, key: other.key}}"),
        );
    let loaded = place.load("suites/good.yaml");
    assert!(!format!("{loaded:?}").contains(secret));
    good(loaded);
    let all = ["cut", "swapped", "mixed"].map(|name| {
        let loaded = place.load(&format!("suites/{name}.yaml"));
        assert!(!format!("{loaded:?}").contains(secret), "{name}");
        assert_eq!(codes(&loaded), ["suite.bad-pem"], "{name}");
        shown(&loaded)
    });
    insta::assert_snapshot!(all.join("\n"));
}
