//! The shop as an MCP server: who is calling, which tools they see, and which they may call.
//!
//! What the tools do is in `tools`; where identities come from, in `http` and `stdio`.

use std::sync::{Arc, Mutex, MutexGuard};

use http::request::Parts;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, Implementation, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ResultType, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};

use super::answers;
use super::flaws::Flaw;
use super::orders::{OrderBook, Whose};
use super::roles::Caller;
use super::surface;

/// What all sessions of a process share.
pub(super) struct House {
    router: ToolRouter<Shop>,
    /// The one thing that is wrong, if any.
    pub(super) flaw: Option<Flaw>,
    /// The caller when requests carry no identity of their own: over stdio, and when the shop is open.
    resident: Option<Caller>,
    /// Orders of requests without a session (protocol 2026-07-28).
    orders: Arc<Mutex<OrderBook>>,
}

impl House {
    /// A house; `resident` is who calls when requests carry no identity.
    pub(super) fn new(flaw: Option<Flaw>, resident: Option<Caller>) -> Arc<Self> {
        let mut router = Shop::tools();
        surface::spoil(&mut router, flaw);
        Arc::new(Self { router, flaw, resident, orders: Arc::new(Mutex::new(OrderBook::opening())) })
    }

    /// Whether this is the flaw.
    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }
}

/// One session with the shop. Each session starts with the opening order book, so sessions do not disturb each other.
pub(super) struct Shop {
    house: Arc<House>,
    orders: Arc<Mutex<OrderBook>>,
}

impl Shop {
    /// A session.
    pub(super) fn new(house: Arc<House>) -> Self {
        Self { house, orders: Arc::new(Mutex::new(OrderBook::opening())) }
    }

    /// Who is calling.
    pub(super) fn caller(&self, context: &RequestContext<RoleServer>) -> Result<Caller, ErrorData> {
        let from_http = context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Caller>());
        from_http
            .or(self.house.resident.as_ref())
            .cloned()
            .ok_or_else(|| ErrorData::internal_error("the request carries no identity", None))
    }

    /// Works on the order book of this request.
    pub(super) fn with_orders<T>(
        &self,
        context: &RequestContext<RoleServer>,
        work: impl FnOnce(&mut OrderBook) -> T,
    ) -> T {
        let stateless = context
            .extensions
            .get::<Parts>()
            .is_some_and(|parts| !parts.headers.contains_key("mcp-session-id"));
        work(&mut lock(if stateless { &self.house.orders } else { &self.orders }))
    }

    /// Whose orders a caller may see and change.
    pub(super) fn whose<'a>(&self, caller: &'a Caller) -> Whose<'a> {
        if caller.is_clerk() || self.has(Flaw::LeakyOrder) {
            Whose::Everybody
        } else {
            Whose::Of(&caller.subject)
        }
    }

    /// Whether this is the flaw.
    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.house.has(flaw)
    }
}

/// A panic in another request cannot leave the order book half changed, so a poisoned lock is still good.
fn lock(orders: &Mutex<OrderBook>) -> MutexGuard<'_, OrderBook> {
    orders.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl ServerHandler for Shop {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("bookshop", env!("CARGO_PKG_VERSION")).with_title("Bookshop");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build()).with_server_info(about).with_instructions(
            "A bookshop. Search the catalogue before ordering; look orders up by their four-digit number. \
             Prices are in euros.",
        )
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let caller = self.caller(&context)?;
        let mut tools = self.house.router.list_all();
        tools.retain(|tool| caller.may(&tool.name));
        // The list depends on who asks, so no cache may share it between callers.
        let modern =
            context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        Ok(ListToolsResult {
            result_type: Some(ResultType::COMPLETE),
            tools,
            meta: None,
            next_cursor: None,
            ttl_ms: modern.then_some(0),
            cache_scope: modern.then_some(CacheScope::Private),
        })
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.house.router.get(name).cloned()
    }

    async fn call_tool(
        &self,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = self.caller(&context)?;
        let known = self.house.router.has_route(&request.name);
        if !known || !(caller.may(&request.name) || self.has(Flaw::HiddenToolCallable)) {
            // The same answer for both, so that it tells nothing about tools the caller does not see.
            return Err(ErrorData::invalid_params(format!("unknown tool `{}`", request.name), None));
        }
        if let Err(why) = surface::translate(&mut request, self.house.flaw) {
            return Ok(answers::refused(why).into());
        }
        self.house.router.call(ToolCallContext::new(self, request, context)).await
    }
}
