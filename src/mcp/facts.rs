//! Tolerant views over raw results: server facts, tool lists, tool results.
//!
//! What a server sends is moved, never rebuilt, so unknown fields and key order survive. What is missing or misshapen
//! is named in words; the caller decides whether that ends the session.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::ToolOutcome;
use super::jsonrpc::Answer;
use crate::display;
use crate::ids::ToolName;
use crate::transcript::{ServerFacts, ToolFact};

/// The result of `initialize`, and what is odd about it.
pub fn server(result: Value) -> (ServerFacts, Vec<String>) {
    let info = result.get("serverInfo").cloned();
    let protocol = result.get("protocolVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    introduced("initialize", info.as_ref(), protocol, result)
}

/// The result of `server/discover` as facts of a server that speaks this revision, and what is odd about it.
pub fn discovered(result: Value, protocol: &str) -> (ServerFacts, Vec<String>) {
    let info = result.get("_meta").and_then(|meta| meta.get("io.modelcontextprotocol/serverInfo")).cloned();
    introduced("server/discover", info.as_ref(), protocol.to_owned(), result)
}

fn introduced(
    method: &str,
    info: Option<&Value>,
    protocol: String,
    mut result: Value,
) -> (ServerFacts, Vec<String>) {
    let of = |name: &str| info.and_then(|info| info.get(name)?.as_str()).unwrap_or_default().to_owned();
    let facts = ServerFacts {
        name: of("name"),
        version: of("version"),
        protocol,
        instructions: result.get("instructions").and_then(Value::as_str).map(str::to_owned),
        capabilities: result.get_mut("capabilities").map(Value::take).unwrap_or_default(),
    };
    let mut odd = Vec::new();
    if facts.name.is_empty() || facts.version.is_empty() {
        odd.push(format!("`{method}` was answered without a `serverInfo` with name and version"));
    }
    if !facts.capabilities.is_object() {
        odd.push(format!("`{method}` was answered without a `capabilities` object"));
    }
    (facts, odd)
}

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page<T = Value> {
    /// The items that have a name.
    pub items: Vec<T>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// What is odd about this page.
    pub odd: Vec<String>,
}

impl Page<ToolFact> {
    /// A page of `tools/list` as facts.
    pub fn of_tools(page: Page) -> Self {
        let Page { items, next, odd } = page;
        Self { items: tools(items), next, odd }
    }
}

/// What a list is called on the wire and in words.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// The method.
    pub method: &'static str,
    /// The member of the result.
    pub key: &'static str,
    /// What names an item.
    pub name: &'static str,
    /// One item, with its article.
    pub item: &'static str,
}

/// `tools/list`.
pub const TOOLS: List = List { method: "tools/list", key: "tools", name: "name", item: "a tool" };
/// `resources/list`.
pub const RESOURCES: List =
    List { method: "resources/list", key: "resources", name: "uri", item: "a resource" };
/// `resources/templates/list`.
pub const TEMPLATES: List = List {
    method: "resources/templates/list",
    key: "resourceTemplates",
    name: "uriTemplate",
    item: "a resource template",
};
/// `prompts/list`.
pub const PROMPTS: List = List { method: "prompts/list", key: "prompts", name: "name", item: "a prompt" };

/// One page of a list. The error says what makes it no list at all.
pub fn page(list: List, mut result: Value) -> Result<Page, String> {
    let List { method, key, name, item } = list;
    let mut page = Page::default();
    match result.get("nextCursor") {
        Some(Value::String(cursor)) => page.next = Some(cursor.clone()),
        None | Some(Value::Null) => {}
        Some(other) => page.odd.push(format!("`nextCursor` is no text: {}", brief(other))),
    }
    let Some(Value::Array(items)) = result.get_mut(key).map(Value::take) else {
        return Err(format!("`{method}` was answered without a `{key}` array: {}", brief(&result)));
    };
    for raw in items {
        if raw.get(name).is_some_and(Value::is_string) {
            page.items.push(raw);
        } else {
            let called = if name == "name" { "name" } else { "URI" };
            page.odd.push(format!("{item} without a {called} was left out: {}", brief(&raw)));
        }
    }
    Ok(page)
}

/// The items of `tools/list` as facts.
pub fn tools(items: Vec<Value>) -> Vec<ToolFact> {
    let fact = |raw: Value| {
        let name = ToolName::new(raw.get("name").and_then(Value::as_str).unwrap_or_default());
        ToolFact { name, raw: Arc::new(raw) }
    };
    items.into_iter().map(fact).collect()
}

/// What a tool says of its app (extension `io.modelcontextprotocol/ui`). It is read, and never rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ui {
    /// The `ui://` resource that shows its results.
    pub resource: Option<String>,
    /// Whether the tool is for the model too, and not for apps alone.
    pub for_model: bool,
}

/// The app of a tool, if it has one.
pub fn ui(tool: &Value) -> Option<Ui> {
    let ui = tool.get("_meta")?.get("ui")?;
    let resource = ui.get("resourceUri").and_then(Value::as_str).map(str::to_owned);
    let visible = ui.get("visibility").and_then(Value::as_array);
    let for_model = visible.is_none_or(|visible| visible.iter().any(|to| to == "model"));
    Some(Ui { resource, for_model })
}

/// Names that occur more than once in a whole list, each once.
pub fn duplicates(tools: &[ToolFact]) -> Vec<String> {
    let (mut seen, mut told) = (HashSet::new(), HashSet::new());
    let twice = tools.iter().filter(|tool| !seen.insert(&tool.name) && told.insert(&tool.name));
    twice.map(|tool| tool.name.as_str().to_owned()).collect()
}

/// The result of `tools/call`. The error says what makes it no result at all.
pub fn outcome(mut result: Value, bytes: u64) -> Result<ToolOutcome, String> {
    let structured = result.get_mut("structuredContent").map(Value::take).filter(|value| !value.is_null());
    let content = match result.get_mut("content").map(Value::take) {
        Some(Value::Array(content)) => content,
        // Servers with structured content only are common enough to be understood.
        None | Some(Value::Null) if structured.is_some() => vec![],
        _ => return Err(format!("`tools/call` was answered without a `content` array: {}", brief(&result))),
    };
    let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
    Ok(ToolOutcome::Returned { content, structured, is_error, bytes })
}

/// The token of a `notifications/progress`, when it is a number as ours are.
pub fn progress_token(params: &Value) -> Option<u64> {
    params.get("progressToken").and_then(Value::as_u64)
}

/// The request that opened the subscription a notification belongs to (2026-07-28).
pub fn subscription(params: &Value) -> Option<u64> {
    params.get("_meta")?.get("io.modelcontextprotocol/subscriptionId")?.as_u64()
}

/// The same where its id is a text.
pub fn subscription_label(params: &Value) -> Option<&str> {
    params.get("_meta")?.get("io.modelcontextprotocol/subscriptionId")?.as_str()
}

/// An id for an answer that came without one, where the exchange it came on tells whose it is.
pub fn adopted(answer: &Answer, owner: Option<u64>) -> Option<u64> {
    answer.id.or_else(|| owner.filter(|_| answer.raw_id == "null" && answer.outcome.is_err()))
}

fn brief(value: &Value) -> String {
    format!("`{}`", display::whole_words(&value.to_string(), 120))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn server_facts_survive_missing_members() {
        let (facts, odd) = server(json!({"protocolVersion": "2025-11-25"}));
        assert_eq!((facts.protocol.as_str(), facts.name.as_str(), odd.len()), ("2025-11-25", "", 2));
    }

    #[test]
    fn tools_keep_unknown_fields_and_nameless_ones_are_reported() {
        let first = json!({"tools": [{"z": 1, "name": "a"}, {"title": "x"}], "nextCursor": "p2"});
        let read = page(TOOLS, first).unwrap();
        assert_eq!((read.items.len(), read.next.as_deref(), read.odd.len()), (1, Some("p2"), 1));
        assert_eq!(read.odd, [r#"a tool without a name was left out: `{"title":"x"}`"#]);
        assert_eq!(tools(read.items)[0].raw.to_string(), r#"{"z":1,"name":"a"}"#);
        assert!(page(TOOLS, json!({"tools": {}})).is_err());
        assert!(page(TOOLS, json!([1])).is_err());
        let resources = page(RESOURCES, json!({"resources": [{"uri": "a:b"}, {"name": "x"}]})).unwrap();
        assert_eq!((resources.items.len(), resources.odd.len()), (1, 1));
    }

    #[test]
    fn results_are_read_leniently_but_not_invented() {
        assert!(outcome(json!({}), 2).is_err());
        assert!(outcome(json!({"content": "text"}), 2).is_err());
        let structured = outcome(json!({"structuredContent": {"b": 1}}), 9).unwrap();
        let ToolOutcome::Returned { content, structured, is_error, bytes } = structured else { panic!() };
        assert_eq!((content.len(), structured, is_error, bytes), (0, Some(json!({"b": 1})), false, 9));
    }

    #[test]
    fn apps_are_read() {
        let tool = |ui: Value| json!({"name": "t", "_meta": {"ui": ui}});
        let both = ui(&tool(json!({"resourceUri": "ui://a", "visibility": ["model", "app"]}))).unwrap();
        assert_eq!(both, Ui { resource: Some("ui://a".to_owned()), for_model: true });
        assert!(ui(&tool(json!({}))).unwrap().for_model);
        assert!(!ui(&tool(json!({"visibility": ["app"]}))).unwrap().for_model);
        assert_eq!(ui(&json!({"name": "t"})), None);
    }

    #[test]
    fn duplicate_names_are_found_once() {
        let named = |name: &str| ToolFact { name: name.into(), raw: Arc::default() };
        assert_eq!(duplicates(&[named("a"), named("b"), named("a"), named("a")]), ["a"]);
    }
}
