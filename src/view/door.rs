//! Who may come in: this machine's user, through a browser that was given the address on the terminal.
//!
//! As Jupyter does it and the MCP Inspector nearly so: a random token of 256 bits in the address, which the first visit
//! changes for a cookie, so that it does not stay in the address bar and needs no script. A second one, good for a single
//! visit, is for the command line that starts a browser, which other users can read. A cookie alone would not do: browsers
//! send it to every port of a host, so that any other server on this machine that the user visits could take it. This
//! one is bound to a path nobody can guess, and all pages are below that path.
//!
//! Before that, whatever comes: the host must be this one by a name of loopback (else: DNS rebinding), the page it comes
//! from must be ours, the method must read, the address must be short, and not too many may ask at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use url::form_urlencoded;

use crate::auth::{random_text, same};
use crate::transcript::Fault;

/// Most bytes of an address.
const LONGEST: usize = 2048;
/// Most requests at once.
const AT_ONCE: usize = 32;
/// Longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The name of the cookie.
const COOKIE: &str = "rehearsal";

/// The secrets of one viewer and the names it answers to.
pub(super) struct Door {
    /// In the address on the terminal.
    token: String,
    /// In the cookie.
    session: String,
    /// The path that all pages are below.
    mount: String,
    /// Good for one visit each.
    tickets: Mutex<Vec<String>>,
    hosts: [String; 3],
    seats: Semaphore,
}

impl Door {
    pub(super) fn new(port: u16) -> Result<Self, Fault> {
        Ok(Self {
            token: random_text()?,
            session: random_text()?,
            mount: random_text()?.chars().take(22).collect(),
            tickets: Mutex::default(),
            hosts: [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")],
            seats: Semaphore::new(AT_ONCE),
        })
    }

    /// The path that all pages are below, without slashes.
    pub(super) fn mount(&self) -> &str {
        &self.mount
    }

    /// The address for the terminal.
    pub(super) fn url(&self, run: Option<&str>) -> String {
        self.address(&self.token, run)
    }

    /// An address that is good for one visit; without randomness, one that is good for none.
    pub(super) fn ticket(&self, run: Option<&str>) -> String {
        let Ok(ticket) = random_text() else { return self.address("", run) };
        let address = self.address(&ticket, run);
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner).push(ticket);
        address
    }

    fn address(&self, token: &str, run: Option<&str>) -> String {
        let run = run.map(|run| format!("&run={run}")).unwrap_or_default();
        format!("http://{}/?token={token}{run}", self.hosts[0])
    }

    /// Whether a token opens. A ticket does so once.
    fn opens(&self, token: &str) -> bool {
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = tickets.iter().position(|known| same(known, token));
        let used = ticket.map(|at| tickets.remove(at)).is_some();
        used || same(&self.token, token)
    }

    /// Whether a request has the cookie, or the token as a bearer.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let cookie = pairs.any(|(name, value)| name == COOKIE && same(&self.session, value));
        let bearer = text(headers, header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        cookie || bearer.is_some_and(|token| same(&self.token, token))
    }

    /// Why a request is turned away before anything of it is looked at.
    fn refusal(&self, request: &Request) -> Option<(StatusCode, &'static str)> {
        let headers = request.headers();
        let place = request.uri();
        if place.path_and_query().map_or(0, |path| path.as_str().len()) > LONGEST {
            return Some((StatusCode::URI_TOO_LONG, "the address is too long"));
        }
        let known = |host: &str| self.hosts.iter().any(|own| own == host);
        let one = headers.get_all(header::HOST).iter().count() == 1;
        let host = text(headers, header::HOST).filter(|host| one && known(host));
        let absolute = place.authority().is_none_or(|authority| known(authority.as_str()));
        let Some(host) = host.filter(|_| absolute) else {
            return Some((StatusCode::MISDIRECTED_REQUEST, "this is a viewer for its own machine only"));
        };
        if headers.contains_key(header::ORIGIN)
            && text(headers, header::ORIGIN).and_then(|origin| origin.strip_prefix("http://")) != Some(host)
        {
            return Some((StatusCode::FORBIDDEN, "a page of another origin asks"));
        }
        // A link to the address on the terminal may stand anywhere; nothing else is reached from outside.
        let visit = place.path() == "/"
            && text(headers, fetch("mode")) == Some("navigate")
            && text(headers, fetch("dest")) == Some("document");
        match text(headers, fetch("site")) {
            None | Some("same-origin" | "none") => None,
            Some(_) if visit => None,
            Some(_) => Some((StatusCode::FORBIDDEN, "a page of another site asks")),
        }
    }

    /// The first page: a token becomes a cookie. The browser goes on by itself, because one that was sent here by a page
    /// of another site would not show a strict cookie when it is redirected.
    fn enter(&self, query: &str) -> Response {
        let given = |name: &str| {
            form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
        };
        if !given("token").is_some_and(|token| self.opens(&token)) {
            return unknown();
        }
        let run =
            given("run").filter(|run| run.len() == 32 && run.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let below = run.map(|run| format!("runs/{run}")).unwrap_or_default();
        let mount = &self.mount;
        let cookie = format!("{COOKIE}={}; Path=/{mount}/; HttpOnly; SameSite=Strict", self.session);
        let page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>rehearsal</title>\
             <meta http-equiv=\"refresh\" content=\"0;url=/{mount}/{below}\"></head>\
             <body><p><a href=\"/{mount}/{below}\">Runs</a></p></body></html>\n"
        );
        ([(header::SET_COOKIE, cookie), (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned())], page)
            .into_response()
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Door({})", self.hosts[0])
    }
}

fn fetch(what: &str) -> HeaderName {
    HeaderName::from_static(match what {
        "mode" => "sec-fetch-mode",
        "dest" => "sec-fetch-dest",
        _ => "sec-fetch-site",
    })
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn unknown() -> Response {
    let text = "Open the address that the terminal shows: it is good as long as the viewer runs.\n";
    (StatusCode::UNAUTHORIZED, text).into_response()
}

/// Lets a request in, or not, and sees that every answer is kept to itself.
pub(super) async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let mut response = tokio::time::timeout(PATIENCE, admit(&door, request, next))
        .await
        .unwrap_or_else(|_| (StatusCode::GATEWAY_TIMEOUT, "this took too long\n").into_response());
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(nothing);
    response
}

async fn admit(door: &Door, request: Request, next: Next) -> Response {
    let Ok(_seat) = door.seats.try_acquire() else {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "1")],
            "too many requests at once\n",
        )
            .into_response();
    };
    if let Some((status, why)) = door.refusal(&request) {
        return (status, format!("{why}\n")).into_response();
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let allowed = [(header::ALLOW, "GET, HEAD")];
        return (StatusCode::METHOD_NOT_ALLOWED, allowed, "the viewer only reads\n").into_response();
    }
    match request.uri().path() {
        "/" => door.enter(request.uri().query().unwrap_or_default()),
        // Browsers ask by themselves.
        "/favicon.ico" => StatusCode::NO_CONTENT.into_response(),
        _ if door.knows(request.headers()) => next.run(request).await,
        _ => unknown(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_once_and_the_token_always() {
        let door = Door::new(7).unwrap();
        let token = |url: &str| url.split_once("token=").unwrap().1.to_owned();
        let (always, once) = (token(&door.url(None)), token(&door.ticket(None)));
        assert_ne!(always, once);
        assert_eq!([door.opens(&once), door.opens(&once)], [true, false]);
        assert_eq!([door.opens(&always), door.opens(&always), door.opens("")], [true, true, false]);
        assert_eq!(always.len(), 43, "256 bits");
        assert!(door.url(Some("ab")).starts_with("http://127.0.0.1:7/?token="));
    }

    #[test]
    fn only_the_whole_cookie_counts() {
        let door = Door::new(7).unwrap();
        let with = |name: HeaderName, value: &str| HeaderMap::from_iter([(name, value.parse().unwrap())]);
        let session = door.session.clone();
        assert!(door.knows(&with(header::COOKIE, &format!("a=b; rehearsal={session}"))));
        assert!(!door.knows(&with(header::COOKIE, &format!("rehearsal={}", &session[1..]))));
        assert!(!door.knows(&with(header::COOKIE, &format!("other={session}"))));
        assert!(!door.knows(&with(header::COOKIE, &format!("rehearsal={}", door.token))));
        assert!(door.knows(&with(header::AUTHORIZATION, &format!("Bearer {}", door.token))));
        assert!(!door.knows(&with(header::AUTHORIZATION, &format!("Bearer {session}"))));
    }
}
