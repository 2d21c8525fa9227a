//! How a server is reached besides its address: certificates and proxies.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Certificate, ClientBuilder, NoProxy, Proxy};
use url::Url;

use super::describe;

/// Never sent through a proxy unless a suite names one.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// How a server is reached besides its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Certificates of ours and of the server's authority.
    pub tls: Tls,
    /// A proxy for every request, loopback addresses included. Absent: the proxies of the environment.
    pub proxy: Option<Url>,
}

/// Certificates, as PEM texts. Its `Debug` form shows none of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities that are trusted besides those of the system.
    pub ca: Option<Arc<str>>,
    /// The client's certificates and its private key, one after the other.
    pub identity: Option<Arc<str>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls(ca: {}, identity: {})", self.ca.is_some(), self.identity.is_some())
    }
}

impl Route {
    /// Whether no proxy stands before a server, neither one of this route nor one of the environment.
    pub fn is_direct(&self, url: &Url) -> bool {
        self.proxy.is_none() && unproxied(url, |name| std::env::var_os(name)?.into_string().ok())
    }
}

/// Whether the proxies of [`surrounding`] leave a server alone.
fn unproxied(url: &Url, env: impl Fn(&str) -> Option<String>) -> bool {
    let Variables { http, https, direct } = Variables::read(env);
    let matcher =
        Matcher::builder().http(http.unwrap_or_default()).https(https.unwrap_or_default()).no(direct).build();
    url.as_str().parse().is_ok_and(|uri| matcher.intercept(&uri).is_none())
}

/// A client with a connect deadline of ten seconds, no redirects, and no overall deadline: callers bound each call.
/// The error says what cannot be used of `route`.
pub fn client_by(route: &Route) -> Result<reqwest::Client, String> {
    builder_by(route)?.build().map_err(|error| describe(&error))
}

/// The beginning of such a client.
pub(super) fn builder_by(route: &Route) -> Result<ClientBuilder, String> {
    let proxies = match &route.proxy {
        // Without a `no_proxy` of its own: what a suite names holds for all addresses.
        Some(url) => {
            let usable = matches!(url.scheme(), "http" | "https");
            let proxy = Proxy::all(url.as_str()).ok().filter(|_| usable);
            vec![proxy.ok_or("the proxy's address is not an http or https address")?]
        }
        None => surrounding(|name| std::env::var_os(name)?.into_string().ok()),
    };
    let mut builder = proxies.into_iter().fold(base(), ClientBuilder::proxy);
    if let Some(ca) = &route.tls.ca {
        let certificates = Certificate::from_pem_bundle(ca.as_bytes()).map_err(|error| describe(&error))?;
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(identity) = &route.tls.identity {
        let identity = reqwest::Identity::from_pem(identity.as_bytes()).map_err(|error| describe(&error))?;
        builder = builder.identity(identity);
    }
    Ok(builder)
}

fn base() -> ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .tcp_keepalive(Duration::from_secs(30))
        .tcp_nodelay(true)
        // Common servers (node, uvicorn) close a connection after five idle seconds. A request that takes it up in that
        // very moment breaks, and one that is no GET may not simply be sent again. Node's own client waits as long.
        .pool_idle_timeout(Duration::from_secs(4))
        .user_agent(super::USER_AGENT)
        .no_proxy()
}

/// What the usual variables say of proxies.
struct Variables {
    http: Option<String>,
    https: Option<String>,
    direct: String,
}

impl Variables {
    fn read(env: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&str; 2]| names.into_iter().find_map(&env).filter(|value| !value.is_empty());
        let direct = match first(["NO_PROXY", "no_proxy"]) {
            Some(others) => format!("{LOOPBACK},{others}"),
            None => LOOPBACK.to_owned(),
        };
        let all = first(["ALL_PROXY", "all_proxy"]);
        // A web server hands requests' `Proxy` headers to CGI programs under the name of that variable.
        let http = match env("REQUEST_METHOD") {
            Some(_) => env("http_proxy"),
            None => first(["HTTP_PROXY", "http_proxy"]),
        };
        let https = first(["HTTPS_PROXY", "https_proxy"]);
        Self { http: http.or_else(|| all.clone()), https: https.or(all), direct }
    }
}

/// The proxies that the usual variables name; a value that is no URL is ignored, as other programs do.
fn surrounding(env: impl Fn(&str) -> Option<String>) -> Vec<Proxy> {
    let Variables { http, https, direct } = Variables::read(env);
    let http = http.and_then(|url| Proxy::http(url).ok());
    let https = https.and_then(|url| Proxy::https(url).ok());
    http.into_iter().chain(https).map(|proxy| proxy.no_proxy(NoProxy::from_string(&direct))).collect()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Answers every connection with an empty 204 and keeps the first line it was sent.
    async fn recording() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(vec![])));
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let count = socket.read(&mut request).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..count]).into_owned();
                kept.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
                let _ = socket.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
            }
        });
        (address, seen)
    }

    async fn ask(proxies: Vec<Proxy>, url: &str) {
        let client = proxies.into_iter().fold(base(), ClientBuilder::proxy).build().unwrap();
        let _ = client.get(url).send().await;
    }

    #[tokio::test]
    async fn the_environments_proxies_are_used_but_not_for_loopback() {
        let ((proxy, through), (server, direct)) = (recording().await, recording().await);
        let env = |name: &str| match name {
            "HTTP_PROXY" => Some(format!("http://{proxy}")),
            "ALL_PROXY" => Some(format!("http://{proxy}")),
            "NO_PROXY" => Some("internal.example".to_owned()),
            _ => None,
        };
        let port = server.port();
        for host in ["127.0.0.1", "localhost"] {
            ask(surrounding(env), &format!("http://{host}:{port}/direct")).await;
        }
        ask(surrounding(env), "http://nowhere.example/far").await;
        ask(surrounding(env), "https://nowhere.example/far").await;
        ask(surrounding(env), "http://internal.example./near").await;
        ask(surrounding(env), "http://internal.example/near").await;
        assert_eq!(*direct.lock().unwrap(), ["GET /direct HTTP/1.1", "GET /direct HTTP/1.1"]);
        let through = through.lock().unwrap();
        assert_eq!(
            through[..2],
            ["GET http://nowhere.example/far HTTP/1.1", "CONNECT nowhere.example:443 HTTP/1.1"]
        );
        assert!(!through.iter().any(|line| line.contains("http://internal.example/")), "{through:?}");
    }

    #[test]
    fn it_is_known_whether_a_proxy_stands_before_a_server() {
        let env = |name: &str| match name {
            "HTTPS_PROXY" => Some("http://127.0.0.1:9".to_owned()),
            "NO_PROXY" => Some("internal.example".to_owned()),
            _ => None,
        };
        for (url, expected) in [
            ("https://127.0.0.1:4/mcp", true),
            ("https://localhost/mcp", true),
            ("https://a.internal.example/mcp", true),
            ("http://far.example/mcp", true),
            ("https://far.example/mcp", false),
        ] {
            assert_eq!(unproxied(&Url::parse(url).unwrap(), env), expected, "{url}");
        }
        let route = Route { proxy: Url::parse("http://127.0.0.1:9").ok(), ..Route::default() };
        assert!(!route.is_direct(&Url::parse("http://127.0.0.1:4/mcp").unwrap()));
    }

    #[tokio::test]
    async fn a_named_proxy_is_used_for_loopback_too() {
        let (proxy, through) = recording().await;
        let route = Route { proxy: Url::parse(&format!("http://u:p@{proxy}")).ok(), ..Route::default() };
        let answer = client_by(&route).unwrap().get("http://127.0.0.1:1/x").send().await.unwrap();
        assert_eq!(answer.status(), 204);
        assert_eq!(*through.lock().unwrap(), ["GET http://127.0.0.1:1/x HTTP/1.1"]);
    }

    #[test]
    fn what_cannot_be_used_is_an_error_without_its_content() {
        let pem = |name| Arc::from(format!("-----BEGIN {name}-----\nAAAA\n-----END {name}-----\n"));
        let tls = Tls { ca: None, identity: Some(pem("CERTIFICATE")) };
        assert!(client_by(&Route { tls: tls.clone(), proxy: None }).is_err());
        assert!(!format!("{tls:?}").contains("AAAA"));
        let tls = Tls { ca: Some(pem("CERTIFICATE")), identity: None };
        assert!(client_by(&Route { tls, proxy: None }).is_err());
        let proxy = Url::parse("ftp://127.0.0.1/").ok();
        assert!(client_by(&Route { proxy, ..Route::default() }).is_err());
    }
}
