//! Requests sent byte by byte, over TCP and TLS, and how politely any request is sent.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a broken set-up should stop the test at once; one test measures a pace"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rehearsal::auth::checks::find;
use rehearsal::auth::prober::{Credentials, Raw};
use rehearsal::auth::{Facts, ProbeSetup, Prober};
use rehearsal::net::{self, Route, Tls};
use rehearsal::transcript::{
    CaseHeader, CaseKind, Clock, End, HttpSide, Recorder, Secrets, Transcript, What,
};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const FINE: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";

/// What a server was sent, connection by connection.
type Seen = Arc<Mutex<Vec<String>>>;

/// Keeps one request and answers it.
async fn answer(mut socket: impl AsyncRead + AsyncWrite + Unpin, seen: &Seen, answers: &[&str]) {
    let mut request = vec![0; 16 * 1024];
    let count = socket.read(&mut request).await.unwrap_or(0);
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(String::from_utf8_lossy(&request[..count]).into_owned());
        seen.len()
    };
    let text = answers.get(number - 1).or(answers.last()).unwrap();
    let _ = socket.write_all(text.as_bytes()).await;
    let _ = socket.shutdown().await;
}

/// A server that gives these answers, one a connection, and the last again and again.
async fn server(answers: &'static [&'static str]) -> (SocketAddr, Seen) {
    let (listener, seen) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Seen::default());
    let (address, kept) = (listener.local_addr().unwrap(), Arc::clone(&seen));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            answer(socket, &kept, answers).await;
        }
    });
    (address, seen)
}

fn prober(url: &str, log: &Recorder) -> Prober {
    let setup = ProbeSetup {
        target: url.parse().unwrap(),
        headers: BTreeMap::from([("x-gateway".to_owned(), "open".to_owned())]),
        issuer: None,
        control: None,
        other: None,
        weaker: None,
        facts: Facts::default(),
        audience: url.to_owned(),
    };
    Prober::new(setup, log.clone()).unwrap()
}

fn recorder(secrets: &Secrets) -> Recorder {
    Recorder::new(Clock::system(), secrets.clone())
}

fn rough<'a>(prober: &Prober, label: &'a str) -> Raw<'a> {
    prober.rough(label, &prober.sessionless(), ("tools/list", json!({})))
}

fn finished(log: &Recorder) -> Transcript {
    use rehearsal::ids::{CaseKey, Digest};
    let header = CaseHeader {
        key: CaseKey { question: Digest::none(), model: Digest::none(), trial: 1 },
        suite: "s".into(),
        case: "c".into(),
        kind: CaseKind::Auth,
        model: None,
        persona: "p".into(),
        client: "reference".into(),
        trial: 1,
        tags: vec![],
        origin: rehearsal::diag::Origin { file: "s.yaml".into(), line: 1, column: 1 },
    };
    log.clone().finish(header, End::Done)
}

/// Labels, first lines, and statuses or errors of a record.
fn exchanges(log: &Recorder) -> Vec<(String, HttpSide, Result<HttpSide, String>)> {
    let events = finished(log).events.into_iter().filter_map(|event| match event.what {
        What::Exchanged { label, request, response, .. } => Some((label, request, response)),
        _ => None,
    });
    events.collect()
}

#[tokio::test]
async fn what_libraries_refuse_to_send_arrives_byte_for_byte_and_is_recorded_without_secrets() {
    let (address, seen) = server(&[FINE]).await;
    let secrets = Secrets::default();
    secrets.register("token", "secret-token-0123456789");
    let log = recorder(&secrets);
    let prober = prober(&format!("http://{address}/mcp"), &log);
    let raw = rough(&prober, "odd")
        .line("authorization: Bearer   secret-token-0123456789")
        .line("authorization: Bearer other\r\n folded\0");
    let answer = prober.raw(raw).await.unwrap();
    assert_eq!((answer.start.as_str(), answer.body.to_text().as_ref()), ("200", "{}"));
    let arrived = seen.lock().unwrap()[0].clone();
    assert!(arrived.starts_with(&format!("POST /mcp HTTP/1.1\r\nhost: {address}\r\n")), "{arrived:?}");
    for line in [
        "x-gateway: open",
        "authorization: Bearer   secret-token-0123456789",
        "authorization: Bearer other\r\n folded\0",
    ] {
        assert!(arrived.contains(&format!("\r\n{line}\r\n")), "{line:?} in {arrived:?}");
    }
    let (label, request, _) = exchanges(&log).remove(0);
    assert_eq!((label.as_str(), request.start), ("odd", format!("POST http://{address}/mcp")));
    let values: Vec<&str> = request
        .headers
        .iter()
        .filter(|(name, _)| name == "authorization")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(values, ["Bearer   [secret:token]", "Bearer other\r\n folded\0"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_recorded_by_its_first_bytes() {
    let (address, _) =
        server(&["SSH-2.0-x\r\n", "", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"]).await;
    let log = recorder(&Secrets::default());
    let prober = prober(&format!("http://{address}/mcp"), &log);
    for _ in 0..3 {
        let _ = prober.raw(rough(&prober, "x")).await;
    }
    let answers: Vec<_> = exchanges(&log).into_iter().map(|(.., answer)| answer).collect();
    let why = "the answer is not HTTP/1.1 (invalid HTTP version); it begins `SSH-2.0-x\\r\\n`";
    assert_eq!(answers[0], Err(why.to_owned()));
    assert_eq!(answers[1], Err("the connection was closed without an answer".to_owned()));
    assert_eq!(answers[2].as_ref().unwrap().body.to_text(), "half", "what broke off is kept");
}

#[tokio::test]
async fn tls_is_that_of_the_route() {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let signed =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(signed.pem().as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
        );
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/mcp", listener.local_addr().unwrap());
    let (seen, kept) = (Seen::default(), Seen::default());
    let keeping = Arc::clone(&kept);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            if let Ok(socket) = acceptor.accept(socket).await {
                answer(socket, &keeping, &[FINE]).await;
            }
        }
    });
    let log = recorder(&Secrets::default());
    let stranger = prober(&url, &log);
    let refused = stranger.raw(rough(&stranger, "x")).await.unwrap_err();
    assert!(refused.starts_with("cannot connect"), "{refused}");
    assert!(seen.lock().unwrap().is_empty() && kept.lock().unwrap().is_empty());
    let tls = Tls { ca: Some(Arc::from(authority.pem())), identity: None };
    let route = Route { tls, proxy: None };
    let trusting = prober(&url, &log).through(net::client_by(&route).unwrap(), &route);
    assert_eq!(trusting.raw(rough(&trusting, "x")).await.unwrap().start, "200");
    assert!(kept.lock().unwrap()[0].starts_with("POST /mcp HTTP/1.1\r\n"));
}

#[tokio::test]
async fn nothing_goes_past_a_proxy() {
    let (address, seen) = server(&[FINE]).await;
    let log = recorder(&Secrets::default());
    let route = Route { proxy: "http://127.0.0.1:1".parse().ok(), ..Route::default() };
    let prober =
        prober(&format!("http://{address}/mcp"), &log).through(net::client_by(&route).unwrap(), &route);
    let refused = prober.raw(rough(&prober, "x")).await.unwrap_err();
    assert_eq!(refused, "not sent: a proxy stands before the target");
    assert!(seen.lock().unwrap().is_empty());
    let check = find("H09").unwrap();
    assert_eq!(
        check.lacks(&prober).map(|need| need.to_string()),
        Some("no proxy before the target".to_owned())
    );
    let judged = format!("{:?}", check.judge(&finished(&recorder(&Secrets::default()))));
    assert!(judged.contains("no proxy before the target"), "{judged}");
}

#[tokio::test]
async fn whoever_says_when_to_come_back_is_asked_once_more() {
    const LATER: &str = "HTTP/1.1 429 x\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const MUCH_LATER: &str =
        "HTTP/1.1 429 x\r\nretry-after: 60\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const CASES: &[(&[&str], &[&str], &str)] = &[
        (&[LATER, FINE], &["told to wait: x: tools/list", "x: tools/list"], "200"),
        (&[LATER, LATER, FINE], &["told to wait: x: tools/list", "x: tools/list"], "429"),
        (&[MUCH_LATER, FINE], &["x: tools/list"], "429"),
    ];
    for (answers, labels, last) in CASES {
        let (address, _) = server(answers).await;
        let log = recorder(&Secrets::default());
        let prober = prober(&format!("http://{address}/mcp"), &log);
        let answer = prober.list("x", &prober.sessionless(), &Credentials::none()).await.unwrap();
        assert_eq!(answer.start, *last, "{answers:?}");
        let found = exchanges(&log);
        assert_eq!(found.iter().map(|(label, ..)| label).collect::<Vec<_>>(), *labels, "{answers:?}");
    }
}

#[tokio::test]
async fn a_pace_holds_for_every_kind_of_request_and_every_record() {
    let (address, seen) = server(&[FINE]).await;
    let log = recorder(&Secrets::default());
    let paced = prober(&format!("http://{address}/mcp"), &log).paced(Some(50));
    let begun = std::time::Instant::now();
    let _ = paced.raw(rough(&paced, "x")).await;
    let _ = paced.list("x", &paced.sessionless(), &Credentials::none()).await;
    let other = paced.recording(recorder(&Secrets::default()));
    let _ = other.raw(rough(&other, "x")).await;
    assert!(begun.elapsed().as_millis() >= 40, "{:?}", begun.elapsed());
    assert_eq!(seen.lock().unwrap().len(), 3);
}
