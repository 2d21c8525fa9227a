//! A look at a server as everybody the suite will know: who is let in, what each sees, and what it says of authorization.

use serde_json::Value;

use crate::auth::discover;
use crate::auth::{Facts, ProbeSetup, Prober};
use crate::drive::house::House;
use crate::drive::stage::Outside;
use crate::generate::compose::Sight;
use crate::suite::{Suite, TargetSource, vars};
use crate::transcript::{Fault, Recorder, ServerFacts, ToolFact, What};

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// The tools, as whoever saw most of them.
    pub(super) tools: Vec<ToolFact>,
    /// What the server says of itself.
    pub(super) server: ServerFacts,
    /// What each persona saw.
    pub(super) sights: Vec<Sight>,
    /// Whether somebody was refused for want of credentials.
    pub(super) asks: bool,
    /// How the first persona was refused, if it was.
    pub(super) refused: Option<Fault>,
    /// What the server says of its authorization, line by line.
    pub(super) about: Vec<String>,
}

/// Looks as each persona of the suite. A server that nobody reaches is a fault.
pub(super) async fn look(suite: &Suite, outside: &Outside) -> Result<Look, Fault> {
    let house = House::enter(suite, outside).await?;
    let looked = everybody(&house, suite, outside).await;
    house.leave().await;
    let mut look = looked?;
    if look.asks {
        look.about = authorization(suite, outside).await;
    }
    Ok(look)
}

async fn everybody(house: &House, suite: &Suite, outside: &Outside) -> Result<Look, Fault> {
    let mut look = Look::default();
    let mut broken = None;
    for persona in &suite.personas {
        let log = Recorder::new(outside.clock.clone(), outside.secrets.clone());
        let name = persona.value.name.to_string();
        let seen = async {
            let session = house.session(&persona.value, outside, &log).await?;
            let tools = session.list_tools().await;
            let server = session.facts().clone();
            session.close().await;
            Ok::<_, Fault>((tools?, server))
        };
        match seen.await {
            Ok((tools, server)) => {
                let names = tools.iter().map(|tool| tool.name.to_string()).collect();
                look.sights.push(Sight { persona: name, tools: Some(names) });
                if tools.len() >= look.tools.len() {
                    (look.tools, look.server) = (tools, server);
                }
            }
            Err(fault) if fault.code == "target.unauthorized" => {
                look.asks = true;
                if look.sights.is_empty() {
                    look.refused = Some(fault);
                }
                look.sights.push(Sight { persona: name, tools: None });
            }
            Err(fault) => broken = broken.or(Some(fault)),
        }
    }
    match broken {
        Some(fault) if look.sights.iter().all(|sight| sight.tools.is_none()) => Err(fault),
        _ => Ok(look),
    }
}

/// Follows the metadata from the target to its authorization servers.
async fn authorization(suite: &Suite, outside: &Outside) -> Vec<String> {
    let TargetSource::Url(template) = &suite.target.source else { return vec![] };
    let names = vars::names(template).unwrap_or_default();
    let known = names.into_iter().filter_map(|name| Some((name.to_owned(), (outside.env)(name)?))).collect();
    let Some(url) = vars::fill(template, &known).ok().and_then(|text| url::Url::parse(&text).ok()) else {
        return vec![];
    };
    let log = Recorder::new(outside.clock.clone(), outside.secrets.clone());
    let setup = ProbeSetup {
        audience: url.to_string(),
        target: url,
        headers: std::collections::BTreeMap::new(),
        issuer: None,
        control: None,
        other: None,
        weaker: None,
        facts: Facts::default(),
    };
    let Ok(prober) = Prober::new(setup, log.clone()) else { return vec![] };
    discover::discover(&prober).await;
    told(&log)
}

/// What the documents say.
fn told(log: &Recorder) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    let documents: Vec<(String, Value)> = (0..log.len() as u32)
        .filter_map(|seq| match log.event(seq)?.what {
            What::Exchanged { label, response: Ok(side), .. } => {
                Some((label, discover::json_document(&side)?))
            }
            _ => None,
        })
        .collect();
    let of = |kind: &str| {
        documents.iter().find(|(label, _)| label.starts_with(kind)).map(|(_, document)| document)
    };
    match of(discover::RESOURCE) {
        None => lines.push(
            "it publishes no resource metadata (RFC 9728): clients cannot find where to sign in".to_owned(),
        ),
        Some(document) => {
            let servers = discover::servers(document);
            let named = if servers.is_empty() { "nobody".to_owned() } else { servers.join(", ") };
            lines.push(format!("its resource metadata names as authorization server: {named}"));
            let scopes = document.get("scopes_supported").and_then(Value::as_array);
            let scopes: Vec<&str> = scopes.into_iter().flatten().filter_map(Value::as_str).take(12).collect();
            if !scopes.is_empty() {
                lines.push(format!("scopes: {}", scopes.join(", ")));
            }
            match of(discover::SERVER) {
                None => lines.push("that server publishes no metadata (RFC 8414)".to_owned()),
                Some(server) => {
                    let has = |key: &str| server.get(key).is_some_and(serde_json::Value::is_string);
                    let registers = if has("registration_endpoint") {
                        "registers clients by itself"
                    } else {
                        "registers no clients by itself"
                    };
                    let pkce = server
                        .get("code_challenge_methods_supported")
                        .is_some_and(|all| all.to_string().contains("S256"));
                    lines.push(format!(
                        "that server {registers} and {} PKCE with S256",
                        if pkce { "lists" } else { "does not list" }
                    ));
                }
            }
        }
    }
    lines
}
