//! Fetches documents and posts forms: fenced, capped, bounded in time, and following almost no redirect.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, LOCATION, WWW_AUTHENTICATE};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::fault;
use crate::mcp::Credentials;
use crate::net::Route;
use crate::net::fence::Fence;
use crate::transcript::Fault;
use crate::{display, net};

/// Largest answer of an authorization server in bytes: 256 KiB.
const CAP: usize = 256 * 1024;

/// Most redirects of one document, all on its own origin.
const REDIRECTS: usize = 3;

/// Sends the requests of one identity.
#[derive(Clone)]
pub(super) struct Courier {
    http: reqwest::Client,
    fence: Arc<Fence>,
    patience: Duration,
    /// `MCP-Protocol-Version` of documents.
    version: Option<&'static str>,
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
        Ok(Self { http, fence, patience, version: None })
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

    /// A document, without credentials.
    pub(super) async fn get(&self, url: &Url) -> Result<Reply, Fault> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            let mut request = self.http.get(url.clone()).header(ACCEPT, "application/json");
            if let Some(version) = self.version {
                request = request.header("mcp-protocol-version", version);
            }
            let reply = self.send(&url, request).await?;
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

    /// A form. Redirects are not followed: they would carry credentials along.
    pub(super) async fn post(&self, url: &Url, form: Form<'_>) -> Result<Reply, Fault> {
        let mut request = self.http.post(url.clone()).header(ACCEPT, "application/json").form(form.fields);
        if let Some(value) = &form.authorization {
            request = request.header(AUTHORIZATION, value.expose_secret());
        }
        if let Some(proof) = form.proof {
            request = request.header("dpop", proof);
        }
        self.send(url, request).await
    }

    /// A JSON document.
    pub(super) async fn post_json(&self, url: &Url, body: &Value) -> Result<Reply, Fault> {
        let request = self.http.post(url.clone()).header(ACCEPT, "application/json");
        self.send(url, request.header(CONTENT_TYPE, "application/json").body(body.to_string())).await
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

    async fn send(&self, url: &Url, request: reqwest::RequestBuilder) -> Result<Reply, Fault> {
        self.admit(url)?;
        let exchange = async {
            let response =
                request.send().await.map_err(|error| broken(url, &net::describe(&error)).retryable())?;
            let status = response.status().as_u16();
            let text = |headers: &HeaderMap, name: &str| {
                headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
            };
            let nonce = text(response.headers(), "dpop-nonce");
            let location = text(response.headers(), LOCATION.as_str());
            let body = match net::read_bounded(response, CAP).await {
                Ok(body) => body.to_vec(),
                Err(net::BodyError::TooLarge(cap)) => {
                    return Err(broken(url, &format!("answers with more than {} KiB", cap >> 10)));
                }
                Err(net::BodyError::Broken(why)) => return Err(broken(url, &why).retryable()),
            };
            Ok(Reply { status, body, nonce, location })
        };
        match tokio::time::timeout(self.patience, exchange).await {
            Ok(reply) => reply,
            Err(_) => {
                let text = format!("gives no whole answer within {}ms", self.patience.as_millis());
                Err(broken(url, &text).retryable())
            }
        }
    }
}

fn broken(url: &Url, why: &str) -> Fault {
    let (url, why) = (display::excerpt(&net::shown(url), 200), display::excerpt(why, 300));
    fault("credentials.unreachable", format!("`{url}`: {why}"))
}
