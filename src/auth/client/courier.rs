//! Fetches documents and posts forms: fenced, capped, bounded in time, and following almost no redirect.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::fault;
use super::trace::{Came, Trace};
use crate::mcp::Credentials;
use crate::net::Route;
use crate::net::fence::Fence;
use crate::transcript::Fault;
use crate::{display, net};

/// Largest answer of an authorization server in bytes: 256 KiB.
const CAP: usize = 256 * 1024;

/// Most redirects of one document, all on its own origin.
const REDIRECTS: usize = 3;

/// Sends the requests of one identity, and records them.
#[derive(Clone)]
pub(super) struct Courier {
    http: reqwest::Client,
    fence: Arc<Fence>,
    patience: Duration,
    trace: Trace,
    /// `MCP-Protocol-Version` of documents.
    version: Option<&'static str>,
}

/// Why there is no answer.
enum Trouble {
    /// The connection went away in the middle. Whoever loses nothing by it may ask again.
    Reset(Fault),
    /// Anything else.
    Fault(Fault),
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Reset(fault) | Trouble::Fault(fault) => fault,
        }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// An answer, of whatever status.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// `DPoP-Nonce` (RFC 9449 section 8).
    pub(super) nonce: Option<String>,
    location: Option<String>,
}

impl Reply {
    /// The JSON object of a success.
    pub(super) fn object(&self) -> Option<Value> {
        let value: Value = serde_json::from_slice(&self.body).ok()?;
        ((200..300).contains(&self.status) && value.is_object()).then_some(value)
    }
}

/// What came of knocking.
pub(super) struct Knocked {
    pub(super) status: u16,
    pub(super) challenge: String,
    pub(super) nonce: Option<String>,
}

/// A form to post.
pub(super) struct Form<'a> {
    pub(super) fields: &'a [(&'static str, String)],
    /// The value of `Authorization`, if the client authenticates with it.
    pub(super) authorization: Option<SecretString>,
    /// The value of `DPoP`, if the request carries a proof.
    pub(super) proof: Option<String>,
}

impl Courier {
    /// A courier for what `target` leads to.
    pub(super) async fn new(target: &Url, route: &Route, patience: Duration) -> Result<Self, Fault> {
        let fence = Fence::around(target).await;
        let http = fence.client(route).map_err(|error| fault("credentials.client", error))?;
        Ok(Self { http, fence, patience, trace: Trace::default(), version: None })
    }

    /// The same courier with another record.
    #[must_use]
    pub(super) fn tracing(&self, trace: &Trace) -> Self {
        Self { trace: trace.clone(), ..self.clone() }
    }

    /// Where its messages are recorded.
    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The same, naming a revision when it fetches documents.
    pub(super) fn saying(&self, version: Option<&'static str>) -> Self {
        Self { version, ..self.clone() }
    }

    /// Whether an address may be asked or visited.
    pub(super) fn admit(&self, url: &Url) -> Result<(), Fault> {
        self.fence.admit(url).map_err(|why| {
            let url = display::excerpt(&net::shown(url), 200);
            fault("credentials.address", format!("`{url}` is not asked: {why}"))
        })
    }

    /// A document, without credentials. It is asked for once more when the connection is reset.
    pub(super) async fn get(&self, url: &Url) -> Result<Reply, Fault> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            let reply = self.page(&url).await?;
            let Some(to) = reply.location.as_ref().filter(|_| (300..400).contains(&reply.status)) else {
                return Ok(reply);
            };
            let to = url.join(to).map_err(|_| broken(&url, "redirects to what is no address"))?;
            if to.origin() != url.origin() {
                return Err(broken(&url, "redirects to another origin, which is not followed"));
            }
            url = to;
        }
        Err(broken(&url, "redirects without end"))
    }

    async fn page(&self, url: &Url) -> Result<Reply, Fault> {
        let asking = || {
            let request = self.http.get(url.clone()).header(ACCEPT, "application/json");
            match self.version {
                Some(version) => request.header("mcp-protocol-version", version),
                None => request,
            }
        };
        match self.send(url, asking()).await {
            Err(Trouble::Reset(fault)) => {
                self.trace.note(format!("{}; the document is asked for once more", fault.message));
                Ok(self.send(url, asking()).await?)
            }
            reply => Ok(reply?),
        }
    }

    /// A form. Redirects are not followed: they would carry credentials along. Nor is it sent again after a reset: the
    /// server may have used up what it carries.
    pub(super) async fn post(&self, url: &Url, form: Form<'_>) -> Result<Reply, Fault> {
        let mut request = self.http.post(url.clone()).header(ACCEPT, "application/json").form(form.fields);
        if let Some(value) = &form.authorization {
            request = request.header(AUTHORIZATION, value.expose_secret());
        }
        if let Some(proof) = form.proof {
            request = request.header("dpop", proof);
        }
        Ok(self.send(url, request).await?)
    }

    /// A JSON document.
    pub(super) async fn post_json(&self, url: &Url, body: &Value) -> Result<Reply, Fault> {
        let request = self.http.post(url.clone()).header(ACCEPT, "application/json");
        Ok(self.send(url, request.header(CONTENT_TYPE, "application/json").body(body.to_string())).await?)
    }

    /// The beginning of an MCP session, as somebody; what its answer says about credentials.
    pub(super) async fn knock(&self, url: &Url, headers: &Credentials) -> Result<Knocked, Fault> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "rehearsal", "version": env!("CARGO_PKG_VERSION")},
        }});
        let mut request = self.http.post(url.clone()).header(CONTENT_TYPE, "application/json");
        request = request.header(ACCEPT, "application/json, text/event-stream").body(body.to_string());
        for (name, value) in headers {
            request = request.header(name, value.expose_secret());
        }
        self.admit(url)?;
        // The body is not waited for: it may be a stream that stays open.
        let response = tokio::time::timeout(self.patience, request.send())
            .await
            .map_err(|_| broken(url, "gives no answer in time").retryable())?
            .map_err(|error| broken(url, &net::describe(&error)).retryable())?;
        let text = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenges: Vec<_> = challenges.filter_map(|value| value.to_str().ok()).collect();
        Ok(Knocked {
            status: response.status().as_u16(),
            challenge: challenges.join(", "),
            nonce: text("dpop-nonce"),
        })
    }

    async fn send(&self, url: &Url, request: reqwest::RequestBuilder) -> Result<Reply, Trouble> {
        self.admit(url)?;
        let request = request.build().map_err(|error| broken(url, &net::describe(&error)))?;
        let awaited = self.trace.leaves(&request);
        let mut came = Came::default();
        let received = tokio::time::timeout(self.patience, self.receive(request, &mut came)).await;
        let received = received.unwrap_or_else(|_| Err(Ended::late(self.patience)));
        awaited.came(&came, received.as_ref().err().map(|ended| ended.why.as_str()));
        received.map_err(|ended| ended.trouble(url))?;
        let (status, headers) = came.head.unwrap_or_default();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (nonce, location) = (text("dpop-nonce"), text(LOCATION.as_str()));
        Ok(Reply { status, body: came.body.to_vec(), nonce, location })
    }

    async fn receive(&self, request: reqwest::Request, came: &mut Came) -> Result<(), Ended> {
        let response = self.http.execute(request).await.map_err(|error| {
            let reset = !(error.is_connect() || error.is_timeout() || error.is_builder());
            Ended { why: net::describe(&error), reset, retryable: true }
        })?;
        came.head = Some((response.status().as_u16(), response.headers().clone()));
        net::read_into(response, &mut came.body, CAP).await.map_err(|error| match error {
            net::BodyError::TooLarge(cap) => {
                let why = format!("answers with more than {} KiB", cap >> 10);
                Ended { why, reset: false, retryable: false }
            }
            net::BodyError::Broken(why) => Ended { why, reset: true, retryable: true },
        })
    }
}

/// What kept an answer from coming whole.
struct Ended {
    why: String,
    reset: bool,
    retryable: bool,
}

impl Ended {
    fn late(patience: Duration) -> Self {
        let why = format!("gives no whole answer within {}ms", patience.as_millis());
        Self { why, reset: false, retryable: true }
    }

    fn trouble(self, url: &Url) -> Trouble {
        let fault = broken(url, &self.why);
        let fault = if self.retryable { fault.retryable() } else { fault };
        if self.reset { Trouble::Reset(fault) } else { Trouble::Fault(fault) }
    }
}

fn broken(url: &Url, why: &str) -> Fault {
    let (url, why) = (display::excerpt(&net::shown(url), 200), display::excerpt(why, 300));
    fault("credentials.unreachable", format!("`{url}`: {why}"))
}
