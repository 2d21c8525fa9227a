//! The shop over Streamable HTTP: the MCP endpoint behind its door, and the metadata that leads to the issuer.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router, middleware};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::access::{Door, guard};
use super::flaws::Flaw;
use super::roles::{Caller, SCOPES};
use super::shop::{House, Shop};
use super::verify::Verifier;
use super::{DemoError, DemoOptions};
use crate::net;

const ENDPOINT: &str = "/mcp";
const METADATA: &str = "/.well-known/oauth-protected-resource";
/// How long open requests may take to end after the shop was told to close.
const CLOSING: Duration = Duration::from_secs(2);

/// Serves until `stop` comes. `ready` is told the address once connections are accepted.
pub(super) async fn serve(
    options: DemoOptions,
    ready: impl FnOnce(SocketAddr),
    stop: CancellationToken,
) -> Result<(), DemoError> {
    if options.issuer.is_none() && !options.open {
        return Err(DemoError::NoIssuer);
    }
    let port = options.port.unwrap_or(0);
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => DemoError::PortTaken(port),
            _ => DemoError::Listen(error.to_string()),
        })?;
    let address = listener.local_addr().map_err(|error| DemoError::Listen(error.to_string()))?;
    let router = router(&options, address, &stop)?;
    ready(address);
    let closed = stop.clone();
    let serving =
        axum::serve(listener, router).with_graceful_shutdown(async move { closed.cancelled().await });
    let patience = async {
        stop.cancelled().await;
        tokio::time::sleep(CLOSING).await;
    };
    tokio::select! {
        served = serving.into_future() => served.map_err(|error| DemoError::Listen(error.to_string())),
        () = patience => Ok(()),
    }
}

fn router(options: &DemoOptions, address: SocketAddr, stop: &CancellationToken) -> Result<Router, DemoError> {
    let origin = format!("http://{address}");
    let Some(issuer) = &options.issuer else {
        let house = House::new(options.flaw, Some(Caller::walk_in()));
        return Ok(Router::new().route_service(ENDPOINT, service(house, address, stop)));
    };
    let resource = options.audience.clone().unwrap_or_else(|| format!("{origin}{ENDPOINT}"));
    let house = House::new(options.flaw, None);
    let shows_metadata = !house.has(Flaw::MissingMetadata);
    let verifier = Verifier::new(net::client().map_err(DemoError::Listen)?, issuer, &resource, options.flaw);
    let metadata = shows_metadata.then(|| format!("{origin}{METADATA}{ENDPOINT}"));
    let door = Arc::new(Door::new(Arc::clone(&house), verifier, metadata));
    let mcp = Router::new()
        .route_service(ENDPOINT, service(house, address, stop))
        .route_layer(middleware::from_fn_with_state(door, guard));
    if !shows_metadata {
        return Ok(mcp);
    }
    let document = Arc::new(document(&resource, issuer));
    let signposts = Router::new()
        .route(METADATA, get(signpost))
        .route(&format!("{METADATA}{ENDPOINT}"), get(signpost))
        .with_state(document);
    Ok(signposts.merge(mcp))
}

/// The SDK's endpoint. Only names of loopback are served, and only pages of our own origin.
fn service(
    house: Arc<House>,
    address: SocketAddr,
    stop: &CancellationToken,
) -> StreamableHttpService<Shop, LocalSessionManager> {
    let port = address.port();
    let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let origins = hosts.clone().map(|host| format!("http://{host}"));
    let mut config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(hosts)
        .with_json_response(true)
        .with_cancellation_token(stop.clone());
    if !house.has(Flaw::AnyOrigin) {
        config = config.with_allowed_origins(origins).enforce_origin_validation();
    }
    StreamableHttpService::new(move || Ok(Shop::new(Arc::clone(&house))), Arc::default(), config)
}

/// The protected resource metadata (RFC 9728 section 2).
fn document(resource: &str, issuer: &str) -> Value {
    json!({
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": SCOPES,
        "bearer_methods_supported": ["header"],
        "resource_name": "Bookshop",
    })
}

/// Metadata is public, also to pages in a browser.
async fn signpost(State(document): State<Arc<Value>>) -> impl IntoResponse {
    (
        [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (header::CACHE_CONTROL, "no-store")],
        Json(Value::clone(&document)),
    )
}
