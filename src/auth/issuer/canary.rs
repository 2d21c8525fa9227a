//! Addresses that nobody should ask, or that a target calls as its upstream, and a record of everything that arrives.
//!
//! A canary is planted under a name; it answers everything under its path and remembers requests as they came.
//! `…/jwks.json` is the key set of an attacker, `…/chain.pem` its certificate, `…/document/…` what a client says of itself;
//! all else gets 200 and `{}`, as a careless upstream would answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::json;

use super::state::Shared;
use super::{lock, specimens};

/// The most of a body that is kept, in bytes.
const KEPT: usize = 64 * 1024;

/// The most requests that one canary remembers; later ones are answered and forgotten.
const MOST: usize = 256;

/// How long a body may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// A request that arrived at a canary. It may hold credentials: redact it before it is shown or kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The method.
    pub method: String,
    /// Path and query as they were asked.
    pub path: String,
    /// The headers in the order of arrival, names in lower case; values that are no text are made so.
    pub headers: Vec<(String, String)>,
    /// The first 64 KiB of the body.
    pub body: String,
}

/// A name as paths carry it: letters, digits, and `-` for everything else.
pub(super) fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// The canaries of one issuer by name.
#[derive(Debug, Default)]
pub(super) struct Canaries(Mutex<BTreeMap<String, Vec<Hit>>>);

impl Canaries {
    /// Makes a name known. Requests for unknown ones are not kept.
    pub(super) fn plant(&self, name: &str) {
        lock(&self.0).entry(name.to_owned()).or_default();
    }

    /// What has arrived so far, in order.
    pub(super) fn hits(&self, name: &str) -> Vec<Hit> {
        lock(&self.0).get(name).cloned().unwrap_or_default()
    }

    fn knows(&self, name: &str) -> bool {
        lock(&self.0).contains_key(name)
    }

    fn note(&self, name: &str, hit: Hit) {
        if let Some(hits) = lock(&self.0).get_mut(name).filter(|hits| hits.len() < MOST) {
            hits.push(hit);
        }
    }
}

/// Takes any request under the path of a canary.
pub(super) async fn any(
    State(shared): State<Arc<Shared>>,
    Path(place): Path<String>,
    request: Request,
) -> Response {
    let (name, rest) = place.split_once('/').unwrap_or((&place, ""));
    if !shared.canaries.knows(name) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter();
    let hit = Hit {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: text(body).await,
    };
    shared.canaries.note(name, hit);
    // A page in a browser may knock, but learns nothing.
    if !shared.is_trusted(&parts.headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if let Some(which) = rest.strip_prefix(specimens::PLACE) {
        let own = format!("{}/{place}", shared.bait());
        return specimens::answer(which, &own);
    }
    let made = match rest {
        "jwks.json" => |shared: &Shared| shared.keys.foreign_jwks().map(|keys| Json(keys).into_response()),
        "chain.pem" => |shared: &Shared| {
            let kind = [(header::CONTENT_TYPE, "application/pem-certificate-chain")];
            shared.keys.foreign_certificate().map(|pem| (kind, pem).into_response())
        },
        _ => |_: &Shared| Ok(Json(json!({})).into_response()),
    };
    // The key may still be in the making, and that blocks.
    match tokio::task::spawn_blocking(move || made(&shared)).await {
        Ok(Ok(response)) => response,
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What of a body arrives in time.
async fn text(body: Body) -> String {
    let mut bytes = Vec::new();
    let mut stream = body.into_data_stream();
    let reading = async {
        while let Some(Ok(chunk)) = stream.next().await {
            let room = KEPT - bytes.len();
            bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if bytes.len() == KEPT {
                break;
            }
        }
    };
    // What came before the deadline is kept.
    let _ = tokio::time::timeout(DEADLINE, reading).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
