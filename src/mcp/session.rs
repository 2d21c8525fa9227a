//! A session after its handshake: lists read to their end, calls, farewell.

use std::collections::HashSet;

use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::{Value, json};

use super::hub::Reply;
use super::line::{Line, Patience};
use super::refusal::{from_error, unauthorized, words};
use super::{ClientProfile, Refusal, Session, ToolOutcome, facts, jsonrpc};
use crate::display;
use crate::transcript::{Fault, ServerFacts, Side, ToolFact, What};

/// Most pages of one list.
pub(super) const PAGES: usize = 1_000;
/// Most bytes of one whole list: 8 MiB.
pub(super) const LIST_CAP: u64 = 8 * 1024 * 1024;
/// With progress, a call may last this many times its deadline.
pub(super) const PROGRESS_FACTOR: u32 = 5;
/// Whether the end of a session ends its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holding {
    /// It does.
    Own,
    /// Others may sit on it.
    Shared,
}

/// A session after its handshake.
pub(super) struct Conversation {
    line: Line,
    facts: ServerFacts,
    patience: Patience,
    holding: Holding,
}

impl Conversation {
    pub(super) fn new(line: Line, facts: ServerFacts, profile: &ClientProfile, holding: Holding) -> Self {
        line.log.note(What::ServerOpened(facts.clone()));
        let quiet = profile.conduct.call_timeout().0;
        Self { line, facts, patience: Patience { quiet, whole: quiet * PROGRESS_FACTOR }, holding }
    }

    async fn list(&self) -> Result<Vec<ToolFact>, Fault> {
        let mut tools = Vec::new();
        let mut bytes = 0;
        let mut cursors = HashSet::new();
        let mut cursor: Option<String> = None;
        loop {
            let params = cursor.as_ref().map(|cursor| json!({"cursor": cursor}));
            let patience = Patience::strict(self.patience.quiet);
            let page = match self.line.ask("tools/list", |_| params, patience).await? {
                Err(refusal) => return Err(self.line.broke(refused_list(&refusal))),
                Ok(Reply { outcome: Err(error), .. })
                    if error.code == Some(jsonrpc::METHOD_NOT_FOUND) && cursors.is_empty() =>
                {
                    self.odd(
                        "`tools/list` is not implemented; the server counts as one without tools".to_owned(),
                    );
                    return Ok(tools);
                }
                Ok(Reply { outcome: Err(error), status, .. }) => {
                    return Err(self.line.broke(refused_list(&from_error(error, status))));
                }
                Ok(Reply { outcome: Ok(result), bytes: size, .. }) => {
                    bytes += size;
                    facts::tools(result)
                        .map_err(|why| self.line.broke(Fault::new(Side::Server, "target.protocol", why)))?
                }
            };
            tools.extend(page.tools);
            page.odd.into_iter().for_each(|message| self.odd(message));
            if bytes > LIST_CAP {
                let message = format!("the list of tools is larger than {} MiB", LIST_CAP >> 20);
                return Err(self.line.broke(Fault::new(Side::Server, "target.too-large", message)));
            }
            let Some(next) = page.next else { break };
            if !cursors.insert(next.clone()) {
                let next = display::excerpt(&next, 80);
                self.odd(format!("`tools/list` repeats the cursor `{next}`; the list ends there"));
                break;
            }
            if cursors.len() >= PAGES {
                self.odd(format!("`tools/list` has more than {PAGES} pages; the list ends there"));
                break;
            }
            cursor = Some(next);
        }
        for name in facts::duplicates(&tools) {
            self.odd(format!("`tools/list` names `{}` more than once", display::excerpt(&name, 80)));
        }
        Ok(tools)
    }

    fn odd(&self, message: String) {
        self.line.log.note(What::ServerOdd { message });
    }
}

fn refused_list(refusal: &Refusal) -> Fault {
    match refusal.status {
        Some(status @ (401 | 403)) => unauthorized(status, refusal),
        _ => {
            let message = format!("the server refused `tools/list`: {}", words(refusal));
            Fault::new(Side::Server, "target.protocol", message)
        }
    }
}

#[derive(Serialize)]
struct CallParams<'a> {
    name: &'a str,
    arguments: &'a Value,
    #[serde(rename = "_meta")]
    meta: Meta,
}

#[derive(Serialize)]
struct Meta {
    #[serde(rename = "progressToken")]
    progress_token: u64,
}

impl Session for Conversation {
    fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    fn list_tools(&self) -> BoxFuture<'_, Result<Vec<ToolFact>, Fault>> {
        Box::pin(async {
            let tools = self.list().await?;
            self.line.log.note(What::ToolsListed { tools: tools.clone() });
            Ok(tools)
        })
    }

    fn call_tool<'a>(&'a self, name: &'a str, args: &'a Value) -> BoxFuture<'a, Result<ToolOutcome, Fault>> {
        Box::pin(async move {
            let params = |id| Some(CallParams { name, arguments: args, meta: Meta { progress_token: id } });
            match self.line.ask("tools/call", params, self.patience).await? {
                Ok(Reply { outcome: Ok(result), bytes, .. }) => facts::outcome(result, bytes)
                    .map_err(|why| self.line.broke(Fault::new(Side::Server, "target.protocol", why))),
                Ok(Reply { outcome: Err(error), status, .. }) => {
                    Ok(ToolOutcome::Refused(from_error(error, status)))
                }
                Err(refusal) => Ok(ToolOutcome::Refused(refusal)),
            }
        })
    }

    fn request<'a>(
        &'a self,
        method: &'a str,
        params: Value,
    ) -> BoxFuture<'a, Result<Result<Value, Refusal>, Fault>> {
        Box::pin(async move {
            let params = Some(params).filter(|params| !params.is_null());
            Ok(match self.line.ask(method, |_| params, self.patience).await? {
                Ok(Reply { outcome: Ok(result), .. }) => Ok(result),
                Ok(Reply { outcome: Err(error), status, .. }) => Err(from_error(error, status)),
                Err(refusal) => Err(refusal),
            })
        })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if self.holding == Holding::Own {
                self.line.carrier.close(&self.line.log).await;
            }
            self.line.note_stderr();
        })
    }
}
