//! How near an address is, and a client that goes no nearer than it may.
//!
//! Addresses in metadata are written by strangers. A document on the public internet must not make us ask a machine of
//! the private network or a service on this one, so a [`Fence`] is put up around each target: what the target leads to
//! may be as near as the target itself and no nearer. Names are checked when they are resolved, at connection time, so
//! an answer that changes between check and use changes nothing.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::Route;

/// How long the name of the target may take to resolve.
const LOOKUP: Duration = Duration::from_secs(5);

/// How near an address is. Later ones are nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Anywhere on the internet.
    Public,
    /// A private network (RFC 1918, RFC 4193, RFC 6598).
    Private,
    /// This machine.
    Loopback,
    /// Link-local, multicast, unspecified and reserved addresses: never a server to ask, and often one that hands out
    /// the credentials of a cloud machine.
    Nowhere,
}

impl Reach {
    /// The reach of an address. IPv4 inside IPv6 counts as what it is.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => v4(ip),
            IpAddr::V6(ip) => v6(ip),
        }
    }

    /// The reach of a URL's host as far as it can be seen without resolving a name.
    pub fn seen(url: &Url) -> Option<Self> {
        match url.host()? {
            Host::Ipv4(ip) => Some(v4(ip)),
            Host::Ipv6(ip) => Some(v6(ip)),
            Host::Domain(name) => is_localhost(name).then_some(Self::Loopback),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Public => "a public address",
            Self::Private => "a private address",
            Self::Loopback => "this machine",
            Self::Nowhere => "a link-local or reserved address",
        }
    }
}

/// How near a target at this reach may lead. One at an odd address is some neighbour of ours.
fn limit(target: Reach) -> Reach {
    if target == Reach::Nowhere { Reach::Private } else { target }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

fn v4(ip: Ipv4Addr) -> Reach {
    let [a, b, c, _] = ip.octets();
    match (a, b, c) {
        (127, _, _) => Reach::Loopback,
        (10, _, _) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => Reach::Private,
        (0 | 224.., _, _) | (169, 254, _) | (192, 0, 0 | 2) => Reach::Nowhere,
        (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => Reach::Nowhere,
        _ => Reach::Public,
    }
}

fn v6(ip: Ipv6Addr) -> Reach {
    let parts = ip.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Loopback,
        // Mapped and compatible IPv4, NAT64 (RFC 6052), 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => inner(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => inner(high, low),
        [0x2002, high, low, ..] => inner(high, low),
        [first, ..] if first & 0xfe00 == 0xfc00 => Reach::Private,
        [first, ..] if first & 0xe000 == 0x2000 => Reach::Public,
        _ => Reach::Nowhere,
    }
}

/// What a client may ask, and how near it may go.
#[derive(Debug)]
pub struct Fence {
    limit: Reach,
    /// Names that came from strangers. Others, such as a proxy's, are resolved as usual.
    watched: RwLock<HashSet<String>>,
}

impl Fence {
    /// A fence that lets pass what is no nearer than `limit`.
    pub fn new(limit: Reach) -> Arc<Self> {
        Arc::new(Self { limit, watched: RwLock::default() })
    }

    /// The fence around a target, whose name is resolved if need be. A name that does not resolve counts as public.
    pub async fn around(target: &Url) -> Arc<Self> {
        if let Some(reach) = Reach::seen(target) {
            return Self::new(limit(reach));
        }
        let host = target.host_str().unwrap_or_default().to_owned();
        let found = tokio::time::timeout(LOOKUP, tokio::net::lookup_host((host, 0))).await;
        let nearest = found.ok().and_then(Result::ok).and_then(|all| all.map(|at| Reach::of(at.ip())).max());
        Self::new(limit(nearest.unwrap_or(Reach::Public)))
    }

    /// How near it lets anybody go.
    pub fn limit(&self) -> Reach {
        self.limit
    }

    /// A client that resolves names behind this fence; otherwise like [`super::client_by`].
    pub fn client(self: &Arc<Self>, route: &Route) -> Result<reqwest::Client, String> {
        let resolver = Arc::new(Guarded(Arc::clone(self)));
        super::route::builder_by(route)?
            .dns_resolver(resolver)
            .build()
            .map_err(|error| super::describe(&error))
    }

    /// Whether a URL may be asked: https, or http on this machine; no credentials inside; not too near. A name passes
    /// here and is checked again when it is resolved.
    pub fn admit(&self, url: &Url) -> Result<(), String> {
        let reach = Reach::seen(url);
        match url.scheme() {
            "https" => {}
            "http" if reach == Some(Reach::Loopback) => {}
            "http" => return Err("it is plain http, which is only for this machine".to_owned()),
            _ => return Err("it is no https address".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds credentials".to_owned());
        }
        match reach {
            Some(reach) => self.pass(reach),
            None => {
                let name = url.host_str().unwrap_or_default().to_ascii_lowercase();
                self.watched.write().unwrap_or_else(PoisonError::into_inner).insert(name);
                Ok(())
            }
        }
    }

    fn pass(&self, reach: Reach) -> Result<(), String> {
        if reach <= self.limit && reach != Reach::Nowhere {
            return Ok(());
        }
        Err(format!("it leads to {}, which the target must not make us ask", reach.words()))
    }

    fn is_watched(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.watched.read().unwrap_or_else(PoisonError::into_inner).contains(&name)
    }

    fn checked(&self, name: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
        if is_localhost(name) {
            return Ok(found.into_iter().filter(|at| Reach::of(at.ip()) == Reach::Loopback).collect());
        }
        if self.is_watched(name) {
            // One bad address condemns the name: a mixture is how rebinding begins.
            found.iter().try_for_each(|at| self.pass(Reach::of(at.ip())))?;
        }
        Ok(found)
    }
}

struct Guarded(Arc<Fence>);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let fence = Arc::clone(&self.0);
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let passed = fence.checked(name.as_str(), found)?;
            Ok(Box::new(passed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn every_kind_of_address_has_its_reach() {
        for (text, reach) in [
            ("127.0.0.1", Reach::Loopback),
            ("127.9.9.9", Reach::Loopback),
            ("::1", Reach::Loopback),
            ("::ffff:127.0.0.1", Reach::Loopback),
            ("64:ff9b::7f00:1", Reach::Loopback),
            ("2002:7f00:1::", Reach::Loopback),
            ("10.0.0.1", Reach::Private),
            ("172.16.0.1", Reach::Private),
            ("172.31.255.255", Reach::Private),
            ("192.168.1.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("fd00::1", Reach::Private),
            ("::ffff:10.0.0.1", Reach::Private),
            ("0.0.0.0", Reach::Nowhere),
            ("169.254.169.254", Reach::Nowhere),
            ("224.0.0.1", Reach::Nowhere),
            ("255.255.255.255", Reach::Nowhere),
            ("fe80::1", Reach::Nowhere),
            ("ff02::1", Reach::Nowhere),
            ("::", Reach::Nowhere),
            ("8.8.8.8", Reach::Public),
            ("172.32.0.1", Reach::Public),
            ("100.128.0.1", Reach::Public),
            ("2606:4700::1", Reach::Public),
        ] {
            assert_eq!(Reach::of(text.parse().unwrap()), reach, "{text}");
        }
    }

    #[test]
    fn what_a_target_leads_to_is_no_nearer_than_the_target() {
        for (limit, url, passes) in [
            (Reach::Public, "https://as.example/x", true),
            (Reach::Public, "https://10.0.0.1/", false),
            (Reach::Public, "https://127.0.0.1/", false),
            (Reach::Public, "https://localhost/", false),
            (Reach::Public, "https://a.localhost/", false),
            (Reach::Public, "https://[::ffff:127.0.0.1]/", false),
            (Reach::Public, "https://0x7f.1/", false),
            (Reach::Private, "https://10.0.0.1/", true),
            (Reach::Private, "http://10.0.0.1/", false),
            (Reach::Private, "https://127.0.0.1/", false),
            (Reach::Loopback, "http://127.0.0.1:1/", true),
            (Reach::Loopback, "http://localhost:1/", true),
            (Reach::Loopback, "https://10.0.0.1/", true),
            (Reach::Loopback, "http://as.example/", false),
            (Reach::Loopback, "https://169.254.169.254/", false),
            (Reach::Loopback, "https://user:pass@as.example/", false),
            (Reach::Loopback, "file:///etc/passwd", false),
        ] {
            assert_eq!(Fence::new(limit).admit(&at(url)).is_ok(), passes, "{limit:?} {url}");
        }
    }

    #[test]
    fn a_name_is_checked_when_it_is_resolved() {
        let found = |ip: &str| vec![SocketAddr::new(ip.parse().unwrap(), 0)];
        let fence = Fence::new(Reach::Public);
        fence.admit(&at("https://as.example/x")).unwrap();
        assert!(fence.checked("AS.example", found("93.184.216.34")).is_ok());
        let error = fence.checked("as.example", found("10.0.0.1")).unwrap_err();
        assert_eq!(error, "it leads to a private address, which the target must not make us ask");
        let mixed = [found("93.184.216.34"), found("127.0.0.1")].concat();
        assert!(fence.checked("as.example", mixed).is_err());
        assert!(fence.checked("proxy.internal", found("10.0.0.1")).is_ok(), "nobody but us names the proxy");
        assert_eq!(fence.checked("localhost", found("10.0.0.1")), Ok(vec![]));
    }

    #[tokio::test]
    async fn the_fence_stands_where_the_target_is() {
        for (url, limit) in [
            ("https://8.8.8.8/mcp", Reach::Public),
            ("https://10.1.2.3/mcp", Reach::Private),
            ("http://127.0.0.1/mcp", Reach::Loopback),
            ("http://localhost/mcp", Reach::Loopback),
            ("https://never.invalid/mcp", Reach::Public),
        ] {
            assert_eq!(Fence::around(&at(url)).await.limit(), limit, "{url}");
        }
    }
}
