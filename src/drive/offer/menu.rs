//! The list of tools as the model sees it through a client, and the way back from a name offered to the tool. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::name::{self, Made};
use super::{cut, schema, search};
use crate::ids::ToolName;
use crate::llm::{Offers, ToolOffer};
use crate::mcp::profile::{self, Deferral, Order};
use crate::transcript::ToolFact;

/// The tools as a client offers them.
#[derive(Clone, Debug, Default)]
pub struct Menu {
    /// What is offered from the start, in order; with the tool that searches, where there is one.
    pub offers: Offers,
    /// What is found only by searching.
    pub deferred: Vec<ToolOffer>,
    /// What is never offered, and why.
    pub left_out: Vec<(ToolName, LeftOut)>,
    /// How each tool's name was made.
    pub names: Vec<(ToolName, Made)>,
    deferral: Option<Deferral>,
    added: BTreeMap<ToolName, Vec<String>>,
}

/// Why a tool is not offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Its name is too long.
    Name,
    /// Another tool has the name that would be offered.
    Taken {
        /// The name.
        name: String,
        /// The tool that has it.
        by: ToolName,
    },
    /// The client offers no more tools.
    Limit,
}

impl Menu {
    /// The menu of a server with this name (`serverInfo.name`).
    pub fn of(facts: &[ToolFact], server: &str, rules: &profile::Menu) -> Self {
        let mut menu = Self::default();
        let mut taken: BTreeMap<String, ToolName> = BTreeMap::new();
        let mut offers = Vec::new();
        for fact in facts {
            let made = name::make(rules.name.as_ref(), server, fact.name.as_str());
            menu.names.push((fact.name.clone(), made.clone()));
            let Some(name) = made.name else {
                menu.left_out.push((fact.name.clone(), LeftOut::Name));
                continue;
            };
            if let Some(by) = taken.get(&name) {
                let by = by.clone();
                menu.left_out.push((fact.name.clone(), LeftOut::Taken { name, by }));
                continue;
            }
            taken.insert(name.clone(), fact.name.clone());
            let input = fact.input_schema();
            let added = schema::added(&input, rules.schema.as_ref());
            if !added.is_empty() {
                menu.added.insert(fact.name.clone(), added.into_iter().map(str::to_owned).collect());
            }
            offers.push(offer(fact, &name, rules, input));
        }
        if rules.order == Some(Order::Alphabetical) {
            offers.sort_by(|a, b| a.name.cmp(&b.name));
        }
        if let Some(limit) = rules.limit.filter(|limit| offers.len() > *limit) {
            let beyond = offers.split_off(limit);
            menu.left_out
                .extend(beyond.into_iter().map(|offer| (offer.server_name().clone(), LeftOut::Limit)));
        }
        menu.defer(offers, rules.deferral.as_ref());
        menu
    }

    fn defer(&mut self, mut offers: Vec<ToolOffer>, deferral: Option<&Deferral>) {
        if let Some(deferral) = deferral.filter(|deferral| offers.len() > deferral.direct) {
            self.deferred = offers.split_off(deferral.direct);
            offers.insert(0, search::offer(deferral, &self.deferred));
            self.deferral = Some(deferral.clone());
        }
        self.offers = offers.into();
    }

    /// What a call of the searching tool loads; `None` when the name is not that of the searching tool.
    pub fn search(&self, name: &ToolName, args: &Value) -> Option<Vec<&ToolOffer>> {
        let deferral = self.deferral.as_ref().filter(|deferral| deferral.tool == name.as_str())?;
        Some(search::find(&self.deferred, deferral, args))
    }

    /// The arguments without the properties that only the client knows.
    pub fn arguments(&self, tool: &ToolName, args: &Value) -> Value {
        let mut args = args.clone();
        if let (Some(added), Value::Object(map)) = (self.added.get(tool), &mut args) {
            let added: BTreeSet<&str> = added.iter().map(String::as_str).collect();
            map.retain(|key, _| !added.contains(key.as_str()));
        }
        args
    }
}

fn offer(fact: &ToolFact, name: &str, rules: &profile::Menu, input: Value) -> ToolOffer {
    let shortened = rules.description.as_ref().and_then(|rule| cut::shortened(fact.description(), rule));
    ToolOffer {
        name: ToolName::from(name),
        tool: (name != fact.name.as_str()).then(|| fact.name.clone()),
        title: title(&fact.raw),
        description: shortened.unwrap_or_else(|| fact.description().to_owned()),
        schema: schema::edited(input, rules.schema.as_ref()),
    }
}

fn title(raw: &Value) -> Option<String> {
    let annotated = || raw.get("annotations").and_then(|annotations| annotations.get("title"));
    raw.get("title").or_else(annotated).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fact(name: &str) -> ToolFact {
        ToolFact { name: name.into(), raw: json!({"name": name, "annotations": {"title": "T"}}).into() }
    }

    fn menu(names: &[&str], rules: Value) -> Menu {
        let facts: Vec<ToolFact> = names.iter().map(|name| fact(name)).collect();
        Menu::of(&facts, "shop", &serde_json::from_value(rules).unwrap())
    }

    fn offered(menu: &Menu) -> Vec<&str> {
        menu.offers.iter().map(|offer| offer.name.as_str()).collect()
    }

    #[test]
    fn without_rules_the_list_is_the_server_s() {
        let menu = menu(&["b", "a"], json!({}));
        assert_eq!(offered(&menu), ["b", "a"]);
        assert_eq!(menu.offers[0].title.as_deref(), Some("T"));
        assert_eq!(menu.offers[0].server_name().as_str(), "b");
        assert!(menu.left_out.is_empty());
    }

    #[test]
    fn names_lead_back_to_their_tools() {
        let rules =
            json!({"name": {"template": "mcp_{server}_{tool}", "allowed": "a-z_"}, "order": "alphabetical"});
        let menu = menu(&["b.c", "a", "b_c"], rules);
        assert_eq!(offered(&menu), ["mcp_shop_a", "mcp_shop_b_c"]);
        assert_eq!(menu.offers[1].server_name().as_str(), "b.c");
        let by = LeftOut::Taken { name: "mcp_shop_b_c".to_owned(), by: "b.c".into() };
        assert_eq!(menu.left_out, [(ToolName::from("b_c"), by)]);
    }

    #[test]
    fn limits_leave_tools_out() {
        let menu =
            menu(&["a", "b", "long_name"], json!({"limit": 1, "name": {"max": 5, "overflow": "drop"}}));
        assert_eq!(offered(&menu), ["a"]);
        let out = [("long_name".into(), LeftOut::Name), ("b".into(), LeftOut::Limit)];
        assert_eq!(menu.left_out, out);
    }

    #[test]
    fn what_the_client_adds_does_not_reach_the_server() {
        let menu = menu(&["a"], json!({"schema": {"add": {"wait": {"type": "boolean"}}}}));
        assert_eq!(menu.offers[0].schema["properties"]["wait"]["type"], "boolean");
        let args = menu.arguments(&"a".into(), &json!({"wait": true, "id": 1}));
        assert_eq!(args, json!({"id": 1}));
    }

    #[test]
    fn deferred_tools_are_found_by_searching() {
        let menu = menu(
            &["get_order", "place_order", "find_books"],
            json!({"deferral": {"tool": "Find", "results": 1}}),
        );
        assert_eq!(offered(&menu), ["Find"]);
        assert!(menu.offers[0].description.contains("place_order"));
        let found = |args: Value| -> Vec<String> {
            let found = menu.search(&"Find".into(), &args).unwrap();
            found.iter().map(|offer| offer.name.to_string()).collect()
        };
        assert_eq!(found(json!({"query": "books"})), ["find_books"]);
        assert_eq!(found(json!({"query": "select:place_order"})), ["place_order"]);
        assert_eq!(found(json!({"query": "weather"})), [] as [&str; 0]);
        assert_eq!(found(json!("order")), [] as [&str; 0]);
        assert!(menu.search(&"get_order".into(), &json!({})).is_none());
    }
}
