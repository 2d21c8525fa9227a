//! A client that opens a session for every call and ends it afterwards, as some hosted clients do. What a server keeps by
//! session is gone with the next call.
//!
//! Everything but calls happens in the session that was opened first. Only where a revision has sessions does this differ
//! from one conversation, so the target asks for it over HTTP before 2026-07-28.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;

use super::facts::List;
use super::host::Host;
use super::remote::Door;
use super::session::Conversation;
use super::{ClientProfile, Identity, Opening, Refusal, Session, ToolOutcome, Watch};
use crate::transcript::{Fault, ServerFacts, ToolFact};

/// See the module.
pub(super) struct PerCall {
    first: Conversation,
    door: Door,
    identity: Identity,
    profile: ClientProfile,
    host: Option<Arc<dyn Host>>,
}

impl PerCall {
    /// A client that has opened its first session.
    pub(super) fn new(first: Conversation, door: Door, how: Opening<'_>) -> Self {
        let mut profile = how.profile.clone();
        // The first messages belong to the first session.
        profile.wire.connect_legacy = None;
        profile.wire.connect_modern = None;
        Self { first, door, identity: Arc::clone(how.identity), profile, host: how.host.cloned() }
    }

    async fn call(&self, name: &str, args: &Value) -> Result<ToolOutcome, Fault> {
        let how = Opening { host: self.host.as_ref(), ..Opening::new(&self.identity, &self.profile) };
        let session = self.door.converse(how, &self.first.line.log).await?;
        session.tools().clone_from(&self.first.tools());
        let outcome = session.call(name, args).await;
        if session.line.take_changed() {
            self.first.line.mark_changed();
        }
        Box::new(session).close().await;
        outcome
    }
}

impl Session for PerCall {
    fn facts(&self) -> &ServerFacts {
        self.first.facts()
    }

    fn list_tools(&self) -> BoxFuture<'_, Result<Vec<ToolFact>, Fault>> {
        self.first.list_tools()
    }

    fn changed_tools(&self) -> BoxFuture<'_, Result<Option<Vec<ToolFact>>, Fault>> {
        Session::changed_tools(&self.first)
    }

    fn list(&self, list: List) -> BoxFuture<'_, Result<Vec<Value>, Fault>> {
        self.first.list(list)
    }

    fn call_tool<'a>(&'a self, name: &'a str, args: &'a Value) -> BoxFuture<'a, Result<ToolOutcome, Fault>> {
        Box::pin(self.call(name, args))
    }

    fn read_resource<'a>(&'a self, uri: &'a str) -> BoxFuture<'a, Result<Result<Value, Refusal>, Fault>> {
        self.first.read_resource(uri)
    }

    fn get_prompt<'a>(
        &'a self,
        name: &'a str,
        args: &'a Value,
    ) -> BoxFuture<'a, Result<Result<Value, Refusal>, Fault>> {
        self.first.get_prompt(name, args)
    }

    fn set_log_level<'a>(&'a self, level: &'a str) -> BoxFuture<'a, Result<Result<(), Refusal>, Fault>> {
        self.first.set_log_level(level)
    }

    fn watch<'a>(&'a self, wanted: &'a Watch) -> BoxFuture<'a, Result<Result<(), Refusal>, Fault>> {
        self.first.watch(wanted)
    }

    fn unwatch<'a>(&'a self, wanted: &'a Watch) -> BoxFuture<'a, Result<(), Fault>> {
        self.first.unwatch(wanted)
    }

    fn notify<'a>(&'a self, method: &'a str, params: Value) -> BoxFuture<'a, Result<(), Fault>> {
        self.first.notify(method, params)
    }

    fn request<'a>(
        &'a self,
        method: &'a str,
        params: Value,
    ) -> BoxFuture<'a, Result<Result<Value, Refusal>, Fault>> {
        self.first.request(method, params)
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::new(self.first).close()
    }
}
