//! A connection without an HTTP library: bytes over TCP, or over TLS with the same certificates as everywhere else.
//!
//! Only probes that say what libraries refuse to send have a use for it. It goes through no proxy: whoever asks looks at
//! [`super::Route::is_direct`] first.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};

use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use url::{Host, Url};

use super::{Route, Tls};

/// An open connection.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Opens connections by a route. The certificates are read once, at the first use.
#[derive(Debug, Default)]
pub struct Dialer {
    tls: Tls,
    config: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Dialer {
    /// A dialer with the certificates of a route.
    pub fn new(route: &Route) -> Self {
        Self { tls: route.tls.clone(), config: OnceLock::new() }
    }

    /// A connection to the server of a URL; `at`: to this address of it. Callers bound the wait.
    pub async fn dial(&self, url: &Url, at: Option<IpAddr>) -> Result<Box<dyn Connection>, String> {
        let host = url.host().ok_or("the address names no host")?;
        let port = url.port_or_known_default().ok_or("the address names no port")?;
        let connected = match (at, &host) {
            (Some(ip), _) => TcpStream::connect(SocketAddr::new(ip, port)).await,
            (None, Host::Domain(name)) => TcpStream::connect((*name, port)).await,
            (None, Host::Ipv4(ip)) => TcpStream::connect((*ip, port)).await,
            (None, Host::Ipv6(ip)) => TcpStream::connect((*ip, port)).await,
        };
        let stream = connected.map_err(|error| format!("cannot connect: {error}"))?;
        // Without it small requests wait for each other's receipts.
        let _ = stream.set_nodelay(true);
        if url.scheme() != "https" {
            return Ok(Box::new(stream));
        }
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?,
            Host::Ipv4(ip) => ServerName::from(IpAddr::V4(ip)),
            Host::Ipv6(ip) => ServerName::from(IpAddr::V6(ip)),
        };
        let config = self.config.get_or_init(|| config(&self.tls)).clone()?;
        let secured = TlsConnector::from(config).connect(name, stream).await;
        Ok(Box::new(secured.map_err(|error| format!("cannot connect: {error}"))?))
    }
}

/// What reqwest makes of the same certificates, for HTTP/1.1.
fn config(tls: &Tls) -> Result<Arc<ClientConfig>, String> {
    let wrong = |what: &str| format!("the {what} cannot be used");
    let certificates =
        |text: &str| CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let building = ClientConfig::builder();
    let provider = Arc::clone(building.crypto_provider());
    let roots = tls.ca.as_deref().map(certificates).transpose().map_err(|_| wrong("target's authority"))?;
    let verifier = Verifier::new_with_extra_roots(roots.unwrap_or_default(), provider)
        .map_err(|error| format!("the system's authorities cannot be used: {error}"))?;
    let building = building.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let built = match &tls.identity {
        None => building.with_no_client_auth(),
        Some(text) => {
            let chain = certificates(text).map_err(|_| wrong("client certificate"))?;
            let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| wrong("client key"))?;
            building.with_client_auth_cert(chain, key).map_err(|_| wrong("client certificate"))?
        }
    };
    Ok(Arc::new(built))
}

/// An address of this machine that others may reach, if it has one: the one from which packets would go out. Nothing is
/// sent to find it.
pub fn outward_address() -> Option<IpAddr> {
    // Addresses for documentation (RFC 5737, RFC 3849): nobody is there, and a route is all that is asked for.
    let ways = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    ways.into_iter().find_map(|(own, far)| {
        let socket = UdpSocket::bind(own).ok()?;
        socket.connect(far).ok()?;
        let ip = socket.local_addr().ok()?.ip();
        (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
    })
}
