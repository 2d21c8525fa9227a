//! An open shop with its issuer, and the ways to ask it something.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use rehearsal::demo::{DemoOptions, Flaw, Transport, serve};
use reqwest::{RequestBuilder, Response};
use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{RoleClient, ServiceExt};
use serde_json::{Value, json};

use super::issuer::{CUSTOMER, Issuer};

pub(crate) type Client = RunningService<RoleClient, ()>;

/// A shop with its issuer.
pub(crate) struct Shop {
    pub(crate) issuer: Issuer,
    pub(crate) address: SocketAddr,
    pub(crate) http: reqwest::Client,
}

pub(crate) async fn start(options: DemoOptions) -> SocketAddr {
    let (tell, told) = tokio::sync::oneshot::channel();
    tokio::spawn(serve(options, |address| tell.send(address).unwrap()));
    told.await.unwrap()
}

pub(crate) async fn shop(flaw: Option<Flaw>) -> Shop {
    let issuer = Issuer::start().await;
    let options = DemoOptions {
        transport: Transport::Http,
        issuer: Some(issuer.url.clone()),
        flaw,
        ..DemoOptions::default()
    };
    Shop { issuer, address: start(options).await, http: reqwest::Client::new() }
}

pub(crate) async fn sound() -> Shop {
    shop(None).await
}

impl Shop {
    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn token(&self, subject: &str, scope: &str) -> String {
        self.issuer.token(&self.url(), subject, scope)
    }

    pub(crate) async fn client(&self, subject: &str, scope: &str) -> Client {
        let config =
            StreamableHttpClientTransportConfig::with_uri(self.url()).auth_header(self.token(subject, scope));
        ().serve(StreamableHttpClientTransport::from_config(config)).await.unwrap()
    }

    pub(crate) async fn customer(&self) -> Client {
        self.client("customer-7", CUSTOMER).await
    }

    /// A request of protocol 2026-07-28, which needs no session.
    pub(crate) fn post(&self, token: Option<&str>, method: &str, mut params: Value) -> RequestBuilder {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        });
        let mut request = self
            .http
            .post(self.url())
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method)
            .json(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
        if let Some(name) = params["name"].as_str() {
            request = request.header("mcp-name", name);
        }
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn list(&self, token: &str) -> Response {
        self.post(Some(token), "tools/list", json!({})).send().await.unwrap()
    }

    pub(crate) async fn status(&self, claims: &Value) -> u16 {
        self.list(&self.issuer.sign(claims)).await.status().as_u16()
    }

    pub(crate) fn claims(&self) -> Value {
        self.issuer.claims(&self.url(), "customer-7", CUSTOMER)
    }

    pub(crate) fn claims_with(&self, key: &str, value: impl Into<Value>) -> Value {
        let mut claims = self.claims();
        claims[key] = value.into();
        claims
    }

    pub(crate) fn claims_without(&self, key: &str) -> Value {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(key);
        claims
    }
}

pub(crate) async fn names(client: &Client) -> BTreeSet<String> {
    client.list_all_tools().await.unwrap().into_iter().map(|tool| tool.name.into_owned()).collect()
}

pub(crate) async fn call(client: &Client, name: &'static str, args: Value) -> CallToolResult {
    client.call_tool(params(name, &args)).await.unwrap()
}

pub(crate) fn params(name: &'static str, args: &Value) -> CallToolRequestParams {
    CallToolRequestParams::new(name).with_arguments(args.as_object().unwrap().clone())
}

pub(crate) fn text(result: &CallToolResult) -> &str {
    &result.content[0].as_text().unwrap().text
}

pub(crate) fn challenge(response: &Response) -> &str {
    response.headers()["www-authenticate"].to_str().unwrap()
}

pub(crate) fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}
