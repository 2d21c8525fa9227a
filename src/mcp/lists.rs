//! Lists, read page by page to their end: tools, resources, resource templates, prompts.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::facts::{self, List, Page, TOOLS};
use super::line::Patience;
use super::profile::Quirk;
use super::refusal::{unauthorized, words};
use super::request::Request;
use super::revision::Era;
use super::session::{Conversation, Known, code_of};
use super::{Refusal, jsonrpc, mirror};
use crate::display;
use crate::transcript::{Fault, Side, ToolFact};

/// Most pages of one list.
const PAGES: usize = 1_000;
/// Most bytes of one whole list: 8 MiB.
const LIST_CAP: u64 = 8 * 1024 * 1024;

impl Conversation {
    /// The items of a list: of all its pages, or of the first where the client reads no more.
    pub(super) async fn pages(&self, list: List) -> Result<Vec<Value>, Fault> {
        self.pages_by(list, |result| facts::page(list, Arc::unwrap_or_clone(result))).await
    }

    /// The same with another way to read the result with a page.
    async fn pages_by<T>(
        &self,
        list: List,
        read: impl Fn(Arc<Value>) -> Result<Page<T>, String>,
    ) -> Result<Vec<T>, Fault> {
        let method = list.method;
        let (mut items, mut bytes) = (Vec::new(), 0);
        let (mut cursors, mut scopes) = (HashSet::new(), HashSet::new());
        let mut cursor: Option<String> = None;
        loop {
            let empty = self.terms.has(Quirk::EmptyListParams).then(|| json!({}));
            let params = cursor.as_ref().map(|cursor| json!({"cursor": cursor})).or(empty);
            let request = Request {
                progress: self.terms.has(Quirk::ProgressTokenOnLists),
                ..Request::new(method, params.as_ref())
            };
            let got = self.ask(&request, Patience::strict(self.patience.quiet), true).await?;
            if code_of(&got) == Some(jsonrpc::METHOD_NOT_FOUND) && cursors.is_empty() {
                let kind = method.trim_end_matches("/list").replace('/', " ");
                self.odd(format!("`{method}` is not implemented; the server counts as one without {kind}"));
                return Ok(items);
            }
            let (result, size) =
                self.shared(method, got)?.map_err(|refusal| self.line.broke(refused(method, &refusal)))?;
            bytes += size;
            if let Some(scope) = result.get("cacheScope").and_then(Value::as_str) {
                scopes.insert(scope.to_owned());
            }
            let page = read(result).map_err(|why| self.broken(why))?;
            items.extend(page.items);
            page.odd.into_iter().for_each(|message| self.odd(message));
            if bytes > LIST_CAP {
                let message = format!("the answers to `{method}` are larger than {} MiB", LIST_CAP >> 20);
                return Err(self.line.broke(Fault::new(Side::Server, "target.too-large", message)));
            }
            let Some(next) = page.next.filter(|_| !self.terms.first_page) else { break };
            if !cursors.insert(next.clone()) {
                let next = display::excerpt(&next, 80);
                self.odd(format!("`{method}` repeats the cursor `{next}`; the list ends there"));
                break;
            }
            if cursors.len() >= PAGES {
                self.odd(format!("`{method}` has more than {PAGES} pages; the list ends there"));
                break;
            }
            cursor = Some(next);
        }
        if scopes.len() > 1 && self.era() == Era::Modern {
            self.odd_once(format!("the pages of `{method}` differ in `cacheScope`"));
        }
        Ok(items)
    }

    /// The tools that may be called. Over HTTP a tool that breaks the rules of `x-mcp-header` is none (2026-07-28).
    pub(super) async fn listed_tools(&self) -> Result<Vec<ToolFact>, Fault> {
        let repeats = &self.line.hub.repeats;
        let page = |result: &Arc<Value>| {
            repeats.page(result, |result| facts::page(TOOLS, result).map(Page::of_tools))
        };
        let mut tools = self.pages_by(TOOLS, |result| page(&result).map(|page| Page::clone(&page))).await?;
        // Dates sort as texts.
        let older = self.facts.protocol.as_str() < self.terms.offered.name;
        if self.terms.has(Quirk::HidesToolsOfOlderServers) && self.era() == Era::Legacy && older {
            tools.clear();
        }
        for name in facts::duplicates(&tools) {
            self.odd(format!("`tools/list` names `{}` more than once", display::excerpt(&name, 80)));
        }
        let strict = self.era() == Era::Modern && self.terms.mirrors && self.line.carrier.exchanges();
        let mut known = std::collections::HashMap::new();
        tools.retain(|tool| {
            let schema = tool.raw.get("inputSchema").unwrap_or(&Value::Null);
            let mirrored = match if strict { mirror::annotations(schema) } else { Ok(vec![]) } {
                Ok(mirrored) => mirrored.into(),
                Err(why) => {
                    let name = display::excerpt(tool.name.as_str(), 80);
                    self.odd_once(format!("the tool `{name}` was left out: {why}"));
                    return false;
                }
            };
            known.insert(tool.name.as_str().to_owned(), of(&tool.raw, mirrored));
            true
        });
        *self.tools() = known;
        Ok(tools)
    }
}

fn of(tool: &Value, mirrored: std::sync::Arc<[mirror::Mirrored]>) -> Known {
    let annotations = tool.get("annotations");
    let hint = |name| annotations.and_then(|all| all.get(name)).and_then(Value::as_bool) == Some(true);
    let support = tool.get("execution").and_then(|execution| execution.get("taskSupport")?.as_str());
    Known {
        mirrored,
        repeatable: hint("readOnlyHint") || hint("idempotentHint"),
        needs_task: support == Some("required"),
    }
}

fn refused(method: &str, refusal: &Refusal) -> Fault {
    match refusal.status {
        Some(status @ (401 | 403)) => unauthorized(status, refusal),
        _ => {
            let message = format!("the server refused `{method}`: {}", words(refusal));
            Fault::new(Side::Server, "target.protocol", message)
        }
    }
}
