//! The first suite of a server: what was seen of it, written down with comments for whoever goes on from there. Pure.

use serde_json::{Map, Value, json};

use super::Made;
use super::effect::{self, Effect};
use super::target::{Credential, Target};
use crate::suite::write::{Node, Part, document};

/// Most tools of an access row that are also tried.
const TRIED: usize = 8;

/// What one persona saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The persona.
    pub persona: String,
    /// The tools it was shown; nothing where it was refused at the door.
    pub tools: Option<Vec<String>>,
}

/// Everything that a first suite is made of.
pub struct First<'a> {
    /// Its name.
    pub name: &'a str,
    /// The server.
    pub target: &'a Target,
    /// The cases, with the calls that have worked.
    pub made: &'a Made,
    /// What each persona saw.
    pub sights: &'a [Sight],
    /// Whether the server asks for authorization.
    pub asks: bool,
}

/// The text of the suite.
pub fn suite(first: &First<'_>) -> String {
    let server = first.made.server.name.as_str();
    let about = if server.is_empty() {
        "The first suite of an MCP server.".to_owned()
    } else {
        format!("The first suite of {server}.")
    };
    let mut parts = vec![
        Part::remark("yaml-language-server: $schema=./suite.schema.json"),
        Part::remark(
            "Every key is explained in docs/suite.md of rehearsal; `rehearsal check` finds every mistake.",
        ),
    ];
    let mut head = super::target::head(first.name, &about, first.target);
    let models = head.pop();
    parts.extend(head);
    if first.asks && first.target.credential.is_none() {
        parts.push(
            Part::of("personas", json!([{"name": "user", "identity": {"login": {}}}, "anonymous"]))
                .off()
                .above("The server asks for authorization. `rehearsal login URL` signs you in; after that `rehearsal init URL --force` finds its tools, writes cases, and has these personas:"),
        );
    }
    parts.extend(models.map(|models| {
        models
            .gap()
            .above("The built-in baseline: it chooses tools by their words alone, offline and free. Put a real model beside it, with its key in the environment: `rehearsal models` lists them.")
    }));
    parts.push(
        Part::of("trials", 1).beside("3 or more with a real model: it may answer otherwise the next time"),
    );
    if !first.made.cases.is_empty() {
        let cases = first.made.cases.iter().enumerate().map(|(at, case)| {
            let part = case.part(None);
            if at == 0 { part } else { part.gap() }
        });
        parts.push(
            Part::of("cases", Node::List(cases.collect()))
                .gap()
                .above("Each of these was run and passed. Review the prompts: say them as your users would, and never name a tool. `rehearsal generate --append` adds more."),
        );
    }
    let rows: Vec<Part> = first.sights.iter().filter_map(|sight| row(sight, first)).collect();
    if !rows.is_empty() {
        parts.push(
            Part::of("access", Node::Map(rows))
                .gap()
                .above("Review: this is what the server shows and allows today, not what it should. What must not be seen or called belongs under `never`."),
        );
    }
    if first.asks {
        parts.push(
            Part::of("auth_checks", json!({"pack": "standard"}))
                .gap()
                .above("Protocol probes of the server's authorization; `rehearsal explain A01` says what one of them is about."),
        );
    }
    document(&parts)
}

/// What a persona saw as its row, with calls that do no harm.
fn row(sight: &Sight, first: &First<'_>) -> Option<Part> {
    let calls = calls(first);
    match &sight.tools {
        Some(tools) if tools.is_empty() => None,
        Some(tools) => {
            let tried: Map<String, Value> =
                calls.into_iter().filter(|(name, _)| tools.contains(name)).take(TRIED).collect();
            let sees: Vec<&String> = tools.iter().filter(|name| !tried.contains_key(*name)).collect();
            let mut parts = vec![];
            if !sees.is_empty() {
                parts.push(Part::of("sees", json!(sees)));
            }
            if !tried.is_empty() {
                parts.push(Part::of("calls", Node::block(Value::Object(tried))));
            }
            parts.push(
                Part::of("others", "never")
                    .off()
                    .above("A tool that is added later is then a leak until somebody puts it here."),
            );
            Some(Part::of(&sight.persona, Node::Map(parts)))
        }
        // Refused at the door: nothing that others may call may be called.
        None => {
            let never: Map<String, Value> = calls.into_iter().take(TRIED).collect();
            (!never.is_empty()).then(|| {
                Part::of(
                    &sight.persona,
                    Node::Map(vec![Part::of("never", Node::block(Value::Object(never)))]),
                )
            })
        }
    }
}

/// Calls that have worked, of tools that only read.
fn calls(first: &First<'_>) -> Vec<(String, Value)> {
    let mut calls: Vec<(String, Value)> = vec![];
    for case in &first.made.cases {
        let Some(called) = case.expect.first().and_then(|check| check.get("tool_called")) else { continue };
        let name = called.as_str().or(called.get("name").and_then(Value::as_str)).unwrap_or_default();
        let reads = first
            .made
            .tools
            .iter()
            .any(|tool| tool.name.as_str() == name && effect::of(tool) == Effect::Reads);
        if reads && calls.iter().all(|(known, _)| known != name) {
            calls.push((name.to_owned(), called.get("args").cloned().unwrap_or_else(|| json!({}))));
        }
    }
    calls
}

/// Who the credential belongs to, in words; none without one.
pub fn whose(target: &Target) -> Option<String> {
    Some(match target.credential.as_ref()? {
        Credential::Bearer(variable) => format!("persona `user`: the bearer token in `{variable}`"),
        Credential::Header(name, variable) => {
            format!("persona `user`: the header `{name}` from `{variable}`")
        }
        Credential::Login => "persona `user`: your login".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::configs::Server;
    use crate::generate::draft::{Draft, Kind, called};
    use crate::generate::target::target;
    use crate::transcript::{ServerFacts, ToolFact};

    fn made() -> Made {
        let tool = |name: &str, reads: bool| ToolFact {
            name: name.into(),
            raw: json!({"name": name, "annotations": {"readOnlyHint": reads}}).into(),
        };
        let case = |id: &str, expect: Vec<Value>, kind| Draft {
            id: id.to_owned(),
            prompt: format!("Say: {id}"),
            expect,
            kind,
            tool: None,
        };
        Made {
            cases: vec![
                case("get-order", vec![called(&"get_order".into(), &json!({"id": 1042}))], Kind::Positive),
                case("pay", vec![called(&"pay".into(), &json!({"id": 1}))], Kind::Positive),
                case("no-tool", vec![json!({"max_calls": 0})], Kind::Negative),
            ],
            tools: vec![tool("get_order", true), tool("pay", false)],
            server: ServerFacts { name: "shop: # x\n- y".to_owned(), ..ServerFacts::default() },
            ..Made::default()
        }
    }

    #[test]
    fn a_first_suite_has_cases_access_and_auth() {
        let mut target = target(&Server::at("https://x.example/mcp"), None);
        target.credential = Some(Credential::Bearer("TOKEN".to_owned()));
        target.env.push("TOKEN".to_owned());
        let sights = [
            Sight { persona: "user".to_owned(), tools: Some(vec!["get_order".to_owned(), "pay".to_owned()]) },
            Sight { persona: "anonymous".to_owned(), tools: None },
        ];
        let first = First { name: "shop", target: &target, made: &made(), sights: &sights, asks: true };
        insta::assert_snapshot!(suite(&first));
        assert_eq!(whose(&target).as_deref(), Some("persona `user`: the bearer token in `TOKEN`"));
    }

    #[test]
    fn a_server_that_lets_nobody_in_gets_its_auth_checks() {
        let target = target(&Server::at("https://x.example/mcp"), None);
        let sights = [Sight { persona: "anonymous".to_owned(), tools: None }];
        let first =
            First { name: "shop", target: &target, made: &Made::default(), sights: &sights, asks: true };
        insta::assert_snapshot!(suite(&first));
        let calm = First { asks: false, sights: &[], ..first };
        assert!(!suite(&calm).contains("auth_checks"));
    }
}
