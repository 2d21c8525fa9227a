//! What the model sees through a client: the tools it is offered, the system prompt, the text of results. One interpreter
//! per part of a profile's menu and result layers. Pure.

use std::ops::Range;

use crate::ids::ToolName;
use crate::mcp;
use crate::mcp::profile::{Instructions, Menu as Rules, Parallel, Place, Wire};
use crate::transcript::ToolFact;

pub mod cut;
pub mod left;
pub mod menu;
pub mod name;
pub mod result;
pub mod schema;
pub mod search;
pub mod stock;

pub use menu::Menu;
pub use stock::{Source, Stock, Stocks};

/// The system prompt of a host with these rules: its own words, then the server's instructions.
pub fn system(rules: &Rules, server: &str, instructions: Option<&str>) -> Option<String> {
    let instructions = instructions.and_then(|text| shown(rules, server, text));
    let parts: Vec<String> = rules.system.clone().into_iter().chain(instructions).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// The server's instructions where and as far as the client shows them.
fn shown(rules: &Rules, server: &str, text: &str) -> Option<String> {
    let how = rules.instructions.clone().unwrap_or_default();
    let Instructions { shown, cut, place } = how;
    if !shown.unwrap_or(true) {
        return None;
    }
    let text = cut.and_then(|rule| cut::shortened(text, &rule)).unwrap_or_else(|| text.to_owned());
    Some(match place.unwrap_or(Place::System) {
        Place::System => text,
        Place::Block => format!("# Instructions of the MCP server {server}\n\n{text}"),
        Place::Context => format!("# Context\n\n## {server}\n\n{text}"),
        Place::Namespace => {
            let space = name::namespace(rules.name.as_ref(), server).unwrap_or_else(|| server.to_owned());
            format!("# Tools in the namespace {space}\n\n{text}")
        }
    })
}

/// The tools that a model may see. A client that renders apps keeps those from it that are for apps alone (extension
/// `io.modelcontextprotocol/ui`); any other client knows no difference.
pub fn for_model(mut facts: Vec<ToolFact>, wire: &Wire) -> Vec<ToolFact> {
    let capabilities = wire.capabilities();
    let apps = capabilities.get("extensions").and_then(|all| all.get("io.modelcontextprotocol/ui"));
    if apps.is_some() {
        facts.retain(|fact| mcp::facts::ui(&fact.raw).is_none_or(|ui| ui.for_model));
    }
    facts
}

/// The tools of these names alone, where names are given: whether a model finds its way without the others.
pub fn narrowed(mut facts: Vec<ToolFact>, only: Option<&[ToolName]>) -> Vec<ToolFact> {
    if let Some(only) = only {
        facts.retain(|fact| only.contains(&fact.name));
    }
    facts
}

/// Which calls of one answer run side by side: runs of neighbours, in order.
pub fn batches(read_only: &[bool], parallel: Parallel) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    for (index, read_only_now) in read_only.iter().enumerate() {
        let joins = match parallel {
            Parallel::Always => true,
            Parallel::Never => false,
            Parallel::ReadOnly => *read_only_now && index > 0 && read_only[index - 1],
        };
        match batches.last_mut().filter(|_| joins) {
            Some(batch) => batch.end = index + 1,
            None => batches.push(index..index + 1),
        }
    }
    batches
}

/// Whether a tool says that it changes nothing.
pub fn is_read_only(fact: &ToolFact) -> bool {
    let annotations = fact.raw.get("annotations");
    annotations.and_then(|annotations| annotations.get("readOnlyHint"))
        == Some(&serde_json::Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn rules(value: serde_json::Value) -> Rules {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn tools_for_apps_alone_are_kept_from_the_model() {
        let tool = |name: &str, raw| ToolFact { name: name.into(), raw: Arc::new(raw) };
        let app = json!({"_meta": {"ui": {"resourceUri": "ui://a", "visibility": ["app"]}}});
        let facts = vec![tool("plain", json!({})), tool("app", app)];
        let names = |wire: &Wire| -> Vec<String> {
            for_model(facts.clone(), wire).iter().map(|fact| fact.name.to_string()).collect()
        };
        let capabilities = json!({"extensions": {"io.modelcontextprotocol/ui": {}}});
        let declaring = Wire { capabilities: capabilities.as_object().cloned(), ..Wire::default() };
        assert_eq!(names(&declaring), ["plain"]);
        assert_eq!(names(&Wire::default()), ["plain", "app"]);
    }

    #[test]
    fn an_offer_is_narrowed_where_names_are_given() {
        let facts = || ["a", "b"].map(|name| ToolFact { name: name.into(), raw: Arc::default() }).to_vec();
        assert_eq!(narrowed(facts(), None), facts());
        assert_eq!(narrowed(facts(), Some(&["b".into(), "c".into()])), facts()[1..]);
    }

    #[test]
    fn instructions_stand_where_the_client_puts_them() {
        let with = |value| system(&rules(value), "shop", Some("Be kind."));
        assert_eq!(with(json!({})).as_deref(), Some("Be kind."));
        assert_eq!(with(json!({"system": "S"})).as_deref(), Some("S\n\nBe kind."));
        assert_eq!(with(json!({"instructions": {"shown": false}})), None);
        let cut = json!({"instructions": {"cut": {"max": 2, "mark": "!"}, "place": "block"}});
        assert_eq!(with(cut).as_deref(), Some("# Instructions of the MCP server shop\n\nBe!"));
        let space = json!({"instructions": {"place": "namespace"}, "name": {"namespace": "mcp__{server}"}});
        assert_eq!(with(space).as_deref(), Some("# Tools in the namespace mcp__shop\n\nBe kind."));
        assert_eq!(system(&Rules::default(), "shop", None), None);
    }

    #[test]
    fn calls_run_side_by_side_as_the_client_lets_them() {
        let calls = [true, true, false, true, false, false];
        let whole = 0..6;
        assert_eq!(batches(&calls, Parallel::Always), std::slice::from_ref(&whole));
        assert_eq!(batches(&calls, Parallel::Never).len(), 6);
        assert_eq!(batches(&calls, Parallel::ReadOnly), [0..2, 2..3, 3..4, 4..5, 5..6]);
        assert!(batches(&[], Parallel::Always).is_empty());
    }
}
