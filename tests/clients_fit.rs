//! What clients make of a server, without any model: each kind of misfit with a server that has it and one that has not.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use rehearsal::drive::fit::{Kind, Returned, Seen, misfits};
use rehearsal::ids::ToolName;
use rehearsal::mcp::ClientProfile;
use rehearsal::suite::catalog::Catalog;
use rehearsal::transcript::ToolFact;
use serde_json::{Value, json};

fn profile(name: &str) -> ClientProfile {
    Catalog::embedded().find::<ClientProfile>(name).unwrap().unwrap().definition
}

fn tool(raw: Value) -> ToolFact {
    ToolFact { name: raw["name"].as_str().unwrap().into(), raw: raw.into() }
}

fn with_tools(tools: &[Value]) -> Seen {
    let tools = tools.iter().cloned().map(tool).collect();
    Seen { server: "shop".to_owned(), tools, ..Seen::default() }
}

fn with_result(content: Value, structured: Option<Value>) -> Seen {
    let bytes = content.to_string().len() as u64;
    let content = serde_json::from_value(content).unwrap();
    let returned = Returned { content, structured, is_error: false, bytes };
    let mut seen = Seen { server: "shop".to_owned(), ..Seen::default() };
    seen.results.insert("get".into(), vec![returned]);
    seen
}

fn text(length: usize) -> Value {
    json!([{"type": "text", "text": "x".repeat(length)}])
}

/// A kind, a client, a server that has the misfit and one that has not.
fn pairs() -> Vec<(Kind, &'static str, Seen, Seen)> {
    let named = |name: &str| with_tools(&[json!({"name": name})]);
    let many =
        |count: usize| with_tools(&(0..count).map(|n| json!({"name": format!("t{n}")})).collect::<Vec<_>>());
    let described = |length: usize| with_tools(&[json!({"name": "a", "description": "d".repeat(length)})]);
    let instructed = |length: usize| Seen { instructions: Some("i".repeat(length)), ..Seen::default() };
    let paged = |later: &[&str]| {
        let later = later.iter().map(|name| ToolName::from(*name)).collect();
        Seen { later, ..with_tools(&[json!({"name": "a"}), json!({"name": "b"})]) }
    };
    let schema = |property: Value| {
        with_tools(&[json!({"name": "a", "inputSchema": {"type": "object", "properties": {"n": property}}})])
    };
    let hinted = |hint: Value| with_tools(&[json!({"name": "a", "annotations": hint})]);
    let asking = |method: &str| Seen { asked: [method.to_owned()].into(), ..Seen::default() };
    let reached = |stdio, http| Seen { reached: (stdio, http), ..Seen::default() };
    let stock = json!({"stock": 3, "title": "Dune"});
    let said = |words: &str| with_result(json!([{"type": "text", "text": words}]), Some(stock.clone()));
    let image = json!([{"type": "audio", "mimeType": "audio/wav", "data": "AAAA"}]);
    vec![
        (
            Kind::NameCollides,
            "codex-cli",
            with_tools(&[json!({"name": "get.order"}), json!({"name": "get_order"})]),
            with_tools(&[json!({"name": "get.order"}), json!({"name": "get_orders"})]),
        ),
        (Kind::NameDropped, "claude-code", named(&"n".repeat(118)), named(&"n".repeat(117))),
        (Kind::BeyondLimit, "windsurf", many(101), many(100)),
        (Kind::BeyondFirstPage, "gemini-cli", paged(&["b"]), paged(&[])),
        (Kind::ResultCut, "codex-cli", with_result(text(12_001), None), with_result(text(12_000), None)),
        (Kind::HalvesDisagree, "claude-code", said("Dune: 3 left, 2 on order"), said("Dune: 3 left")),
        (Kind::HalvesDisagree, "gemini-cli", said("Dune is in stock"), said("Dune: 3 left, 2 on order")),
        (Kind::ContentDropped, "opencode", with_result(image, None), with_result(text(3), None)),
        (Kind::Unanswered, "cline-cli", asking("roots/list"), Seen::default()),
        (Kind::DescriptionCut, "claude-code", described(4097), described(4096)),
        (Kind::InstructionsCut, "claude-code", instructed(4097), instructed(4096)),
        (Kind::InstructionsHidden, "cline-cli", instructed(1), Seen::default()),
        (Kind::NameCut, "gemini-cli", named(&"n".repeat(55)), named(&"n".repeat(54))),
        (Kind::NameReplaced, "opencode", named("get.order"), named("get_order")),
        (Kind::SchemaLost, "codex-cli", schema(json!({"minimum": 1})), schema(json!({"enum": [1]}))),
        (Kind::Deferred, "claude-code", named("a"), Seen::default()),
        (Kind::NotReached, "chatgpt", reached(true, false), reached(false, true)),
        (Kind::NotReached, "claude-desktop", reached(false, true), reached(true, false)),
        (Kind::OneByOne, "claude-code", hinted(json!({})), hinted(json!({"readOnlyHint": false}))),
    ]
}

fn has(seen: &Seen, client: &str, kind: Kind) -> bool {
    misfits(seen, &profile(client)).misfits.iter().any(|misfit| misfit.kind == kind)
}

#[test]
fn every_kind_is_found_where_it_is_and_nowhere_else() {
    let pairs = pairs();
    for kind in Kind::ALL {
        assert!(pairs.iter().any(|(known, ..)| known == kind), "no server shows {kind:?}");
    }
    for (kind, client, with, without) in &pairs {
        assert!(has(with, client, *kind), "{client} {kind:?} is not found");
        assert!(!has(without, client, *kind), "{client} {kind:?} is found where it is not");
        assert!(!has(with, "reference", *kind), "reference {kind:?}");
    }
}

#[test]
fn misfits_say_what_happens() {
    let mut lines = String::new();
    for (kind, client, with, _) in pairs() {
        let fit = misfits(&with, &profile(client));
        for misfit in fit.misfits.iter().filter(|misfit| misfit.kind == kind) {
            let item = &misfit.items[0];
            let tool = item.tool.as_ref().map_or("-", ToolName::as_str);
            lines.push_str(&format!("{client} {}: {tool:.20}: {:.100}\n", kind.as_str(), item.detail));
        }
    }
    insta::assert_snapshot!("clients_misfits", lines);
}
