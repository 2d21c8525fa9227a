//! The measured clients are held by what was measured: the frames in `fixtures/clients`, each read through the same
//! interpreters that trials use.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::path::Path;

use rehearsal::drive::offer::result::{Called, Returned, refused, shown};
use rehearsal::drive::offer::{self, Menu, name};
use rehearsal::mcp::ClientProfile;
use rehearsal::mcp::profile::Pages;
use rehearsal::suite::catalog::Catalog;
use rehearsal::transcript::ToolFact;
use serde_json::{Value, json};

const MEASURED: [&str; 7] =
    ["claude-code", "cline-cli", "codex-cli", "gemini-cli", "mcp-inspector", "mcp-remote", "opencode"];

struct Client {
    name: &'static str,
    frames: Value,
    profile: ClientProfile,
}

fn all() -> Vec<Client> {
    let read = |name: &'static str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/clients/{name}.yaml"));
        let frames: Value = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let profile = Catalog::embedded().client(name).unwrap();
        Client { name, frames, profile }
    };
    MEASURED.map(read).into()
}

/// Runs a check on every client whose frames have a key; at least `least` of them must.
fn each(key: &str, least: usize, check: impl Fn(&Client, &Value)) {
    let mut seen = 0;
    for client in all() {
        if let Some(frame) = client.frames.get(key) {
            check(&client, frame);
            seen += 1;
        }
    }
    assert!(seen >= least, "only {seen} clients have frames of `{key}`");
}

fn fact(name: &str, description: usize) -> ToolFact {
    ToolFact { name: name.into(), raw: json!({"name": name, "description": "d".repeat(description)}).into() }
}

fn text(frame: &Value) -> &str {
    frame.as_str().unwrap()
}

fn number(frame: &Value) -> usize {
    usize::try_from(frame.as_u64().unwrap()).unwrap()
}

/// What the model reads of a result.
fn result_of(
    client: &Client,
    content: &[Value],
    structured: Option<&Value>,
    is_error: bool,
) -> (String, bool) {
    let called = Called { id: "c1", tool: "get_order" };
    let shown = shown(Returned { content, structured, is_error }, &client.profile.result, called);
    (shown.text, shown.is_error)
}

#[test]
fn the_identity_is_the_one_recorded() {
    each("initialize", 7, |client, frame| {
        let wire = &client.profile.wire;
        let said = json!({
            "protocolVersion": wire.offered(),
            "capabilities": wire.capabilities(),
            "clientInfo": wire.client_info(),
        });
        assert!(
            frame.get("clientInfo").is_some() && frame.get("protocolVersion").is_some(),
            "{}",
            client.name
        );
        // What a frame does not hold was not recorded.
        for (key, value) in frame.as_object().unwrap() {
            assert_eq!(said[key], *value, "{}: {key}", client.name);
        }
    });
    each("user_agent", 6, |client, frame| {
        let wire = &client.profile.wire;
        let agent = wire.user_agent.as_ref().unwrap().replace("<version>", &wire.client_info().version);
        assert_eq!(agent, text(frame), "{}", client.name);
    });
    let written = |key: &'static str, frame: &'static str, least: usize| {
        each(frame, least, |client, frame| {
            let wire = serde_json::to_value(&client.profile.wire).unwrap();
            assert_eq!(wire[key], *frame, "{} {key}", client.name);
        });
    };
    written("accept", "accept", 6);
    written("headers", "headers", 3);
    written("version_header", "version_header", 1);
    written("connect_legacy", "connect_legacy", 7);
    written("connect_modern", "connect_modern", 2);
    written("log_level", "log_level", 1);
    each("first_revision", 1, |client, _| assert_eq!(client.profile.wire.protocol().as_str(), "auto"));
    each("stdio_revision", 1, |client, frame| {
        assert_eq!(client.profile.wire.over_stdio().offered().as_str(), text(frame));
    });
    each("stdio_capabilities", 1, |client, frame| {
        assert_eq!(json!(client.profile.wire.over_stdio().capabilities()), *frame);
    });
    each("answers", 5, |client, frame| {
        assert_eq!(serde_json::to_value(client.profile.conduct.answers).unwrap(), *frame, "{}", client.name);
    });
}

#[test]
fn names_are_those_that_the_model_saw() {
    each("names", 5, |client, frames| {
        for frame in frames.as_array().unwrap() {
            let made =
                name::make(client.profile.menu.name.as_ref(), text(&frame["server"]), text(&frame["tool"]));
            assert_eq!(made.name.as_deref(), Some(text(&frame["shown"])), "{}", client.name);
        }
    });
    each("namespace", 1, |client, frame| {
        let space = name::namespace(client.profile.menu.name.as_ref(), "my-shop");
        assert_eq!(space.as_deref(), Some(text(frame)));
    });
}

#[test]
fn the_list_is_the_one_that_the_model_saw() {
    let tools = |menu: &Menu| -> Vec<String> {
        let offers = menu.offers.iter().filter(|_| menu.deferred.is_empty()).chain(&menu.deferred);
        offers.map(|offer| offer.server_name().to_string()).collect()
    };
    each("order", 5, |client, frame| {
        let listed: Vec<ToolFact> =
            frame["listed"].as_array().unwrap().iter().map(|name| fact(text(name), 0)).collect();
        let menu = Menu::of(&listed, "shop", &client.profile.menu);
        assert_eq!(json!(tools(&menu)), frame["shown"], "{}", client.name);
    });
    each("offered", 2, |client, frame| {
        let listed: Vec<ToolFact> = (0..number(&frame["tools"])).map(|n| fact(&format!("t{n}"), 0)).collect();
        let menu = Menu::of(&listed, "shop", &client.profile.menu);
        assert_eq!(tools(&menu).len(), number(&frame["shown"]), "{}", client.name);
    });
    each("deferred", 1, |client, frame| {
        let listed: Vec<ToolFact> = (0..9).map(|n| fact(&format!("find_{n}"), 0)).collect();
        let menu = Menu::of(&listed, "shop", &client.profile.menu);
        assert_eq!(menu.offers.len(), 1);
        let search = &menu.offers[0].name;
        assert_eq!(search.as_str(), text(&frame["search"]));
        let found = menu.search(search, &json!({"query": "find"})).unwrap();
        assert_eq!(found.len(), number(&frame["at_once"]));
    });
    each("pages", 5, |client, frame| {
        let pages = if text(frame) == "all" { Pages::All } else { Pages::First };
        assert_eq!(client.profile.menu.pages(), pages, "{}", client.name);
    });
    each("descriptions", 4, |client, frames| {
        for frame in frames.as_array().unwrap() {
            let menu = Menu::of(&[fact("a", number(&frame["chars"]))], "shop", &client.profile.menu);
            let offer = menu.deferred.first().unwrap_or(&menu.offers[0]);
            let kept = offer.description.chars().take_while(|c| *c == 'd').count();
            assert_eq!(kept, number(&frame["kept"]), "{}", client.name);
        }
    });
    each("instructions", 4, |client, frame| {
        let given = "§".repeat(number(&frame["chars"]));
        let system = offer::system(&client.profile.menu, "shop", Some(&given));
        let kept = system.map(|text| text.chars().filter(|c| *c == '§').count());
        assert_eq!(json!(kept), frame["kept"], "{}", client.name);
    });
    each("schema", 5, |client, frame| {
        let raw = json!({"name": "a", "inputSchema": frame["given"]});
        let menu = Menu::of(&[ToolFact { name: "a".into(), raw: raw.into() }], "shop", &client.profile.menu);
        let offer = menu.deferred.first().unwrap_or(&menu.offers[0]);
        assert_eq!(offer.schema.to_string(), text(&frame["shown"]), "{}", client.name);
    });
}

#[test]
fn results_are_cut_where_they_were() {
    each("results", 4, |client, frames| {
        for frame in frames.as_array().unwrap() {
            // The halves differ, so that what is left of each can be counted.
            let chars = number(&frame["chars"]);
            let given = format!("{}{}", "~".repeat(chars / 2), "^".repeat(chars - chars / 2));
            let (text, _) = result_of(client, &[json!({"type": "text", "text": given})], None, false);
            let left = |c: char| text.chars().filter(|known| *known == c).count();
            let (head, tail) = (number(&frame["head"]), number(&frame["tail"]));
            assert_eq!(left('~') + left('^'), head + tail, "{} {chars}", client.name);
            if tail > 0 {
                assert!(left('^') >= tail.min(chars / 2), "{} keeps the end", client.name);
            }
        }
    });
    each("whole_result", 1, |client, frame| {
        let most = number(&frame["cut_above"]);
        let given = |chars: usize| [json!({"type": "text", "text": "§".repeat(chars)})];
        let around = result_of(client, &given(0), None, false).0.chars().count();
        let fits = result_of(client, &given(most - around), None, false).0;
        assert_eq!(fits.chars().count(), most);
        let cut = result_of(client, &given(most - around + 1), None, false).0;
        assert!(cut.contains("left out"), "{}", client.name);
    });
}

#[test]
fn halves_media_and_errors_reach_the_model_as_they_did() {
    each("structured", 5, |client, frame| {
        let content = [json!({"type": "text", "text": frame["text"]})];
        let (seen, _) = result_of(client, &content, Some(&frame["value"]), false);
        says(client, frame, &seen);
        if let Some(hidden) = frame.get("hides") {
            assert!(!seen.contains(text(hidden)), "{}: {seen}", client.name);
        }
    });
    each("shown", 5, |client, frame| {
        let blocks = [
            ("image", json!({"type": "image", "mimeType": "image/png", "data": "UE5H"})),
            ("audio", json!({"type": "audio", "mimeType": "audio/wav", "data": "V0FW"})),
            ("resource_link", json!({"type": "resource_link", "uri": "shop://orders", "name": "orders"})),
        ];
        for (kind, block) in blocks.iter().filter(|(kind, _)| frame.get(*kind).is_some()) {
            let (text, _) = result_of(client, std::slice::from_ref(block), None, false);
            let is_shown =
                ["image/png", "UE5H", "audio/wav", "shop://orders"].iter().any(|word| text.contains(word));
            assert_eq!(json!(is_shown), frame[*kind], "{} {kind}: {text}", client.name);
        }
    });
    each("tool_error", 3, |client, frame| {
        let content = [json!({"type": "text", "text": frame["text"]})];
        let (seen, flagged) = result_of(client, &content, None, true);
        says(client, frame, &seen);
        assert_eq!(json!(flagged), frame["flagged"], "{}", client.name);
    });
    each("protocol_error", 4, |client, frame| {
        let called = Called { id: "c1", tool: "get_order" };
        let seen = refused(text(&frame["text"]), &client.profile.result, called);
        says(client, frame, &seen.text);
        assert_eq!(json!(seen.is_error), frame["flagged"], "{}", client.name);
    });
    each("batches", 5, |client, frame| {
        let read_only: Vec<bool> = serde_json::from_value(frame["read_only"].clone()).unwrap();
        let batches = offer::batches(&read_only, client.profile.conduct.parallel());
        let sizes: Vec<usize> = batches.iter().map(ExactSizeIterator::len).collect();
        assert_eq!(json!(sizes), frame["sizes"], "{}", client.name);
    });
}

/// The text is the frame's `shown`, or holds its `contains`.
fn says(client: &Client, frame: &Value, seen: &str) {
    match (frame.get("shown"), frame.get("contains")) {
        (Some(whole), _) => assert_eq!(seen, text(whole), "{}", client.name),
        (None, Some(part)) => assert!(seen.contains(text(part)), "{}: {seen}", client.name),
        (None, None) => panic!("{}: the frame says nothing", client.name),
    }
}

#[test]
fn no_frame_is_left_unread() {
    let known = [
        "initialize",
        "first_revision",
        "stdio_revision",
        "stdio_capabilities",
        "user_agent",
        "accept",
        "headers",
        "version_header",
        "connect_legacy",
        "connect_modern",
        // What a server sees of these is in mcp_wire/played.rs.
        "ids",
        "discovery_version",
        "relisted",
        "log_level",
        "answers",
        "names",
        "namespace",
        "order",
        "offered",
        "deferred",
        "pages",
        "descriptions",
        "instructions",
        "schema",
        "results",
        "whole_result",
        "structured",
        "shown",
        "tool_error",
        "protocol_error",
        "batches",
    ];
    for client in all() {
        for key in client.frames.as_object().unwrap().keys() {
            assert!(known.contains(&key.as_str()), "{}: nothing reads `{key}`", client.name);
        }
    }
}
