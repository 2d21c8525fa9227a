//! What transcripts tell of a server: its tools, their pages, what they returned, what the server asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::ids::{CallId, ToolName};
use crate::transcript::{Event, ToolFact, What, WireMessage};

/// Most results kept of one tool.
const RESULTS: usize = 20;

/// What is known of a server.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// `serverInfo.name`.
    pub server: String,
    /// Its instructions.
    pub instructions: Option<String>,
    /// Every tool that anybody saw, in the order of the lists.
    pub tools: Vec<ToolFact>,
    /// Tools that stood beyond the first page of a list.
    pub later: BTreeSet<ToolName>,
    /// What tools returned: the first results of each, and the largest.
    pub results: BTreeMap<ToolName, Vec<Returned>>,
    /// Whether it was reached over standard streams, and whether over HTTP.
    pub reached: (bool, bool),
    /// Requests that the server made, by method.
    pub asked: BTreeSet<String>,
}

/// One result.
#[derive(Clone, Debug, PartialEq)]
pub struct Returned {
    /// Content blocks.
    pub content: Vec<Value>,
    /// Structured content.
    pub structured: Option<Value>,
    /// Flagged as an error.
    pub is_error: bool,
    /// Size in bytes, as received.
    pub bytes: u64,
}

impl Seen {
    /// Takes in what the events of one transcript or one look tell.
    pub fn absorb<'a>(&mut self, events: impl IntoIterator<Item = &'a Event>) {
        let mut calls: HashMap<&CallId, &ToolName> = HashMap::new();
        let mut later_page = false;
        for event in events {
            match &event.what {
                What::ServerOpened(facts) => {
                    if self.server.is_empty() {
                        self.server.clone_from(&facts.name);
                    }
                    if self.instructions.is_none() {
                        self.instructions.clone_from(&facts.instructions);
                    }
                }
                What::ToolsListed { tools } => self.list(tools),
                What::Wire(WireMessage::Sent { via, body, .. }) => {
                    self.reached.0 |= via == "stdio";
                    self.reached.1 |= via != "stdio";
                    let text = body.to_text();
                    if text.contains("tools/list") {
                        later_page = body.json().is_some_and(|json| json["params"]["cursor"].is_string());
                    }
                }
                What::Wire(WireMessage::Received { body, .. }) if later_page => {
                    let json = body.json().unwrap_or(Value::Null);
                    if let Some(tools) = json["result"]["tools"].as_array() {
                        let names = tools.iter().filter_map(|tool| tool["name"].as_str());
                        self.later.extend(names.map(ToolName::from));
                    }
                }
                What::ToolCalled { call, name, .. } => {
                    calls.insert(call, name);
                }
                What::ToolReturned { call, content, structured, is_error, bytes, .. } => {
                    let Some(name) = calls.remove(call) else { continue };
                    let (content, structured) = (content.clone(), structured.clone());
                    self.result(name, Returned { content, structured, is_error: *is_error, bytes: *bytes });
                }
                What::ServerAsked { method, .. } => {
                    self.asked.insert(method.clone());
                }
                _ => {}
            }
        }
    }

    /// Takes in a list of tools.
    pub fn list(&mut self, tools: &[ToolFact]) {
        for tool in tools {
            if self.tools.iter().all(|known| known.name != tool.name) {
                self.tools.push(tool.clone());
            }
        }
    }

    fn result(&mut self, tool: &ToolName, returned: Returned) {
        let kept = self.results.entry(tool.clone()).or_default();
        if kept.contains(&returned) {
            return;
        }
        if kept.len() < RESULTS {
            kept.push(returned);
        } else if kept.iter().all(|known| known.bytes < returned.bytes)
            && let Some(last) = kept.last_mut()
        {
            *last = returned;
        }
    }
}
