//! HTTPS for servers that accept no issuer without it: an authority made for the run, and a listener.
//!
//! The authority can vouch for this machine only, so a program that is left trusting it loses little; its key is thrown
//! away as soon as the one certificate is signed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::transcript::{Fault, Side};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connections that wait between handshake and answer.
const WAITING: usize = 64;

/// What a listener needs, and what clients have to trust.
pub(super) struct Certificates {
    /// The authority as PEM.
    pub(super) ca: Arc<str>,
    config: Arc<ServerConfig>,
}

impl Certificates {
    /// A new authority and a certificate for this machine, good from a day before `now` to two days after.
    pub(super) fn make(run: &str, now: Timestamp) -> Result<Self, Fault> {
        Self::build(run, now).map_err(|error| {
            Fault::new(Side::Harness, "issuer.crypto", format!("no certificate can be made: {error}"))
        })
    }

    fn build(run: &str, now: Timestamp) -> Result<Self, Box<dyn std::error::Error>> {
        let mut ca = dated(vec![], now)?;
        ca.distinguished_name.push(DnType::CommonName, format!("rehearsal test authority {run}"));
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        ca.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![
                GeneralSubtree::DnsName("localhost".to_owned()),
                GeneralSubtree::IpAddress(CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0])),
            ],
            excluded_subtrees: vec![],
        });
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
        let mut leaf = dated(vec!["127.0.0.1".to_owned(), "localhost".to_owned()], now)?;
        leaf.distinguished_name.push(DnType::CommonName, "rehearsal test issuer");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = leaf.signed_by(&key, &ca)?;
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )?;
        Ok(Self { ca: Arc::from(ca.pem()), config: Arc::new(config) })
    }

    /// Puts TLS in front of a listener, until `stop`.
    pub(super) fn listen(&self, listener: TcpListener, stop: CancellationToken) -> io::Result<Listener> {
        let at = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        let (done, ready) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((socket, peer)) = accepted else {
                    // Out of descriptors, most likely: a moment later there may be some.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let (acceptor, done) = (acceptor.clone(), done.clone());
                // Nobody waits for somebody else's handshake.
                tokio::spawn(async move {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(socket)).await {
                        let _ = done.send((stream, peer)).await;
                    }
                });
            }
        });
        Ok(Listener { ready, at })
    }
}

/// A certificate's beginning and end. Names are DNS names or addresses.
fn dated(names: Vec<String>, now: Timestamp) -> Result<CertificateParams, Box<dyn std::error::Error>> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let today = now.to_zoned(TimeZone::UTC).date();
    let at = |date: jiff::civil::Date| -> Result<_, std::num::TryFromIntError> {
        let (month, day) = (u8::try_from(date.month())?, u8::try_from(date.day())?);
        Ok(rcgen::date_time_ymd(i32::from(date.year()), month, day))
    };
    params.not_before = at(today.checked_sub(1.day())?)?;
    params.not_after = at(today.checked_add(3.days())?)?;
    Ok(params)
}

/// Connections whose handshake is over.
pub(super) struct Listener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    at: SocketAddr,
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The issuer has ended, and with it whoever asks here.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.at)
    }
}
