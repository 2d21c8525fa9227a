//! HTTPS with an authority of one's own, client certificates, and what is said when they do not fit.

use std::collections::BTreeMap;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rehearsal::mcp::connect::{Keeper, target};
use rehearsal::mcp::{Endpoint, Isolation, Target};
use rehearsal::net::{self, Route, Tls};
use rehearsal::transcript::Fault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::stage::{INITIALIZED, log, open};

/// An authority and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> Arc<str> {
        Arc::from(self.0.pem())
    }

    /// Certificate and key for a name, as PEM texts.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

/// An MCP server over TLS that knows the handshake; `clients` signs the certificates it asks for.
async fn serve(authority: &Authority, name: &str, clients: Option<&Authority>) -> url::Url {
    let (certificate, key) = authority.sign(name);
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = match clients {
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(clients.pem().as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            config.with_client_cert_verifier(verifier.unwrap())
        }
        None => config.with_no_client_auth(),
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://127.0.0.1:{}/mcp", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut socket) = acceptor.accept(socket).await else { return };
                let mut request = vec![0; 16 * 1024];
                while let Ok(count @ 1..) = socket.read(&mut request).await {
                    let text = String::from_utf8_lossy(&request[..count]).into_owned();
                    let answer = match text.split_once("\r\n\r\n") {
                        Some((_, body)) if body.contains("\"initialize\"") => {
                            let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{INITIALIZED}}}"#);
                            let length = body.len();
                            format!(
                                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
                            )
                        }
                        _ => "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n".to_owned(),
                    };
                    if socket.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url.parse().unwrap()
}

fn reached(url: &url::Url, tls: Tls) -> Arc<dyn Target> {
    let client = net::client_by(&Route { tls, proxy: None }).unwrap();
    let endpoint = Endpoint::Http { url: url.clone(), headers: BTreeMap::new() };
    target(endpoint, Isolation::Run, Keeper::new(client))
}

fn trusting(ca: &Authority, identity: Option<&(String, String)>) -> Tls {
    let identity = identity.map(|(certificate, key)| Arc::from(format!("{certificate}\n{key}")));
    Tls { ca: Some(ca.pem()), identity }
}

async fn refused(url: &url::Url, tls: Tls) -> Fault {
    open(&reached(url, tls), &log()).await.err().unwrap()
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_and_no_other() {
    let (ours, other) = (Authority::new(), Authority::new());
    let url = serve(&ours, "127.0.0.1", None).await;
    let session = open(&reached(&url, trusting(&ours, None)), &log()).await.unwrap();
    assert_eq!(session.facts().name, "shell");
    for tls in [Tls::default(), trusting(&other, None)] {
        let fault = refused(&url, tls).await;
        assert_eq!(fault.code, "target.unreachable");
        assert!(fault.message.contains("invalid peer certificate"), "{}", fault.message);
        assert!(fault.message.contains("`target.tls.ca`"), "{}", fault.message);
    }
    // A certificate for somebody else is none for us, whoever signed it.
    let elsewhere = serve(&ours, "elsewhere.example", None).await;
    let fault = refused(&elsewhere, trusting(&ours, None)).await;
    assert!(fault.message.contains("not valid for name"), "{}", fault.message);
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_one_is_wanted() {
    let (ours, clients, other) = (Authority::new(), Authority::new(), Authority::new());
    let url = serve(&ours, "127.0.0.1", Some(&clients)).await;
    let good = clients.sign("tester");
    assert!(open(&reached(&url, trusting(&ours, Some(&good))), &log()).await.is_ok());
    let fault = refused(&url, trusting(&ours, None)).await;
    assert_eq!(fault.code, "target.unreachable");
    assert!(fault.message.contains("`target.tls.cert` and `target.tls.key`"), "{}", fault.message);
    let fault = refused(&url, trusting(&ours, Some(&other.sign("tester")))).await;
    assert_eq!(fault.code, "target.unreachable");
    assert!(fault.message.contains("alert"), "{}", fault.message);
}

#[test]
fn a_key_of_another_certificate_is_refused_before_anything_is_sent() {
    let authority = Authority::new();
    let (one, two) = (authority.sign("one"), authority.sign("two"));
    let mixed = Tls { ca: None, identity: Some(Arc::from(format!("{}\n{}", one.0, two.1))) };
    assert!(net::client_by(&Route { tls: mixed, proxy: None }).is_err());
    let whole = Tls { ca: None, identity: Some(Arc::from(format!("{}\n{}", one.0, one.1))) };
    assert!(net::client_by(&Route { tls: whole, proxy: None }).is_ok());
}
