//! Client id metadata documents: the one of the harness's own client, and those of clients that come with theirs.
//!
//! A document is fetched behind the fence, without following redirects, and only from https or from this machine; what
//! it says of its own name must be its address.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use url::Url;

use super::client_auth::Refused;
use super::clients::Proof;
use super::register::Described;
use super::state::Shared;
use crate::net;
use crate::net::fence::{Fence, Reach};

/// The largest document, in bytes.
const LARGEST: usize = 64 * 1024;

/// How long a document may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where the document of the harness's client is, below the issuer's address.
pub(super) const PATH: &str = "/client.json";

/// Fetches documents. The fence stands around the issuer, which is on this machine.
#[derive(Default)]
pub(super) struct Courier(OnceLock<Option<(Arc<Fence>, reqwest::Client)>>);

/// The document of the harness's own client.
pub(super) async fn own(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({
        "client_id": format!("{}{PATH}", shared.url),
        "client_name": "rehearsal (test)",
        "application_type": "native",
        "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }))
}

/// Gets to know a client whose id is the address of its document. Other ids pass as they are.
pub(super) async fn known(shared: &Shared, id: Option<&str>) -> Result<(), Refused> {
    let Some(id) = id.filter(|id| id.starts_with("https://") || id.starts_with("http://")) else {
        return Ok(());
    };
    if shared.clients.get(id).is_some() {
        return Ok(());
    }
    let wrong = |what| Refused("invalid_client", what);
    let url = Url::parse(id).map_err(|_| wrong("the client_id is no URL"))?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.path() != "/";
    if !plain || url.as_str() != id {
        return Err(wrong("the client_id needs a path, and nothing after it, in its plain spelling"));
    }
    let described: Described = serde_json::from_slice(&shared.courier.fetch(shared, url).await?)
        .map_err(|_| wrong("the client's metadata document cannot be read"))?;
    if described.client_id.as_deref() != Some(id) {
        return Err(wrong("the client's metadata document names another client_id"));
    }
    let proof = match described.method() {
        None | Some("none") => Proof::None,
        Some("private_key_jwt") => Proof::Keys(described.keys()?),
        _ => return Err(wrong("a client with a document has no secret")),
    };
    shared.clients.admit(described.client(id.to_owned(), proof)?)
}

impl Courier {
    async fn fetch(&self, shared: &Shared, url: Url) -> Result<bytes::Bytes, Refused> {
        let wrong = || Refused("invalid_client", "the client's metadata document cannot be fetched");
        let made = self.0.get_or_init(|| {
            let fence = Fence::new(Reach::Loopback);
            // Its own document may be behind its own certificate.
            let ca = shared.certificates.as_ref().map(|made| Arc::clone(&made.ca));
            let tls = net::Tls { ca, identity: None };
            let http = fence.client(&net::Route { tls, proxy: None }).ok()?;
            Some((fence, http))
        });
        let (fence, http) = made.as_ref().ok_or_else(wrong)?;
        fence
            .admit(&url)
            .map_err(|_| Refused("invalid_client", "the client_id leads where nobody may go"))?;
        let fetching = async {
            let response = http.get(url).header("accept", "application/json").send().await.ok()?;
            let json = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
            let json = json.is_some_and(|kind| kind.starts_with("application/json"));
            let good = response.status() == 200 && json;
            if !good {
                return None;
            }
            net::read_bounded(response, LARGEST).await.ok()
        };
        tokio::time::timeout(DEADLINE, fetching).await.ok().flatten().ok_or_else(wrong)
    }
}
