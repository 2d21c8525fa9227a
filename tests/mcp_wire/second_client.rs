//! The official SDK as an independent second implementation: its server, and both clients must see the same.

use std::sync::Arc;

use rehearsal::mcp::ToolOutcome;
use rehearsal::transcript::{Recorder, What, WireMessage};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ListToolsResult, PaginatedRequestParams,
    ProgressNotificationParam, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::{Value, json};

use crate::stage::{at, events, log, odd, open, wire};

#[derive(Clone)]
struct Books;

impl ServerHandler for Books {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let page = match request.and_then(|request| request.cursor).as_deref() {
            None => json!({"tools": [tool("search"), tool("fail")], "nextCursor": "2"}),
            Some(_) => json!({"tools": [tool("slow")]}),
        };
        serde_json::from_value(page).map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let result = match request.name.as_ref() {
            "search" => json!({
                "content": [{"type": "text", "text": json!(request.arguments).to_string()}],
                "structuredContent": {"count": 2, "titles": ["b", "a"]},
            }),
            "fail" => json!({"content": [{"type": "text", "text": "out of paper"}], "isError": true}),
            "slow" => {
                if let Some(token) = context.meta.get_progress_token() {
                    let note = ProgressNotificationParam::new(token, 1.0);
                    let _ = context.peer.notify_progress(note).await;
                }
                json!({"content": [{"type": "text", "text": "at last"}]})
            }
            other => return Err(ErrorData::invalid_params(format!("no tool `{other}`"), None)),
        };
        let result: CallToolResult = serde_json::from_value(result)
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        Ok(result.into())
    }
}

fn tool(name: &str) -> Value {
    json!({"name": name, "description": format!("about {name}"), "inputSchema": {"type": "object", "properties": {"q": {"type": "string"}}}})
}

async fn serve(config: StreamableHttpServerConfig) -> url::Url {
    let service = StreamableHttpService::new(|| Ok(Books), Arc::new(LocalSessionManager::default()), config);
    let app = axum::Router::new().nest_service("/mcp", service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url.parse().unwrap()
}

const CALLS: [(&str, &str); 4] =
    [("search", r#"{"q": "Le Guin"}"#), ("fail", "{}"), ("slow", "{}"), ("missing", "{}")];

/// What one client sees: the tools, and what becomes of each call.
type Seen = (Vec<Value>, Vec<Value>);

async fn ours(url: &url::Url) -> Seen {
    let (target, log) = (at(url.clone()), log());
    let session = open(&target, &log).await.unwrap();
    let tools = session.list_tools().await.unwrap().into_iter().map(|tool| Value::clone(&tool.raw)).collect();
    let mut outcomes = vec![];
    for (name, arguments) in CALLS {
        let arguments = serde_json::from_str(arguments).unwrap();
        outcomes.push(match session.call_tool(name, &arguments).await.unwrap() {
            ToolOutcome::Returned { content, structured, is_error, .. } => {
                json!([content, structured, is_error])
            }
            ToolOutcome::Refused(refusal) => json!([refusal.code, refusal.message]),
        });
    }
    session.close().await;
    target.close().await;
    assert!(odd(&log).is_empty(), "{:?}", odd(&log));
    let ended = wire(&log).iter().any(|line| line.ends_with("DELETE"));
    assert_eq!(ended, wire_has_session(&log), "{:?}", wire(&log));
    (tools, outcomes)
}

fn wire_has_session(log: &Recorder) -> bool {
    events(log).iter().any(|what| match what {
        What::Wire(WireMessage::Received { headers, .. }) => {
            headers.iter().any(|(name, _)| name == "mcp-session-id")
        }
        _ => false,
    })
}

async fn theirs(url: &url::Url) -> Seen {
    let client = ().serve(StreamableHttpClientTransport::from_uri(url.as_str())).await.unwrap();
    let tools = client.list_all_tools().await.unwrap().iter().map(|tool| json!(tool)).collect();
    let mut outcomes = vec![];
    for (name, arguments) in CALLS {
        let arguments = serde_json::from_str(arguments).unwrap();
        let request = CallToolRequestParams::new(name).with_arguments(arguments);
        outcomes.push(match client.call_tool(request).await {
            Ok(result) => {
                json!([result.content, result.structured_content, result.is_error.unwrap_or(false)])
            }
            Err(rmcp::ServiceError::McpError(error)) => json!([error.code.0, error.message]),
            Err(other) => panic!("{other}"),
        });
    }
    client.cancel().await.unwrap();
    (tools, outcomes)
}

#[tokio::test]
async fn both_clients_see_the_same_server() {
    for config in [
        StreamableHttpServerConfig::default(),
        StreamableHttpServerConfig::default().with_json_response(true),
        StreamableHttpServerConfig::default().with_legacy_session_mode(false),
    ] {
        let url = serve(config).await;
        let (ours, theirs) = (ours(&url).await, theirs(&url).await);
        assert_eq!(ours, theirs);
        assert_eq!(ours.0.len(), 3);
        assert_eq!(ours.1[3][0], -32602);
    }
}
