//! The client that the official conformance suite drives: `tests/interop/conformance.sh` runs it, one process for each
//! scenario, with the URL of the scenario's server as last argument.
//!
//! It does what any case does, through the library alone: open a session, look at everything the server offers, call
//! its tools side by side with arguments made from their schemas. The name of a scenario is looked at only where the
//! scenario asks for something else to be done ([`scenario::Deed`]) or gives other credentials; how it is done is
//! always the same.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program of its own: the suite speaks to it through the environment and reads what it prints"
)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use futures::future::join_all;
use rehearsal::mcp::connect::{Keeper, target};
use rehearsal::mcp::host::accepting::Accepting;
use rehearsal::mcp::{ClientProfile, Endpoint, Host, Isolation, Opening, Session, ToolOutcome, example};
use rehearsal::net;
use rehearsal::transcript::{Clock, Recorder, Secrets, ToolFact};
use rehearsal::units::Period;
use scenario::{Deed, Scenario};
use serde_json::{Map, Value, json};

mod scenario;

/// How long any answer may take. The suite runs all scenarios at once, and its servers share one thread.
const PATIENCE: Period = Period::secs(40);

#[tokio::main]
async fn main() -> ExitCode {
    match play().await {
        Ok(()) => {
            println!("done");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("stopped: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn play() -> Result<(), String> {
    let scenario = Scenario::read()?;
    let capabilities = Map::from_iter([("elicitation".to_owned(), json!({"form": {}}))]);
    let host: Arc<dyn Host> = Arc::new(Accepting { capabilities: capabilities.clone() });
    let mut profile = ClientProfile::reference();
    profile.wire.protocol = Some(scenario.protocol);
    profile.wire.capabilities = Some(capabilities);
    profile.conduct.connect_timeout = Some(PATIENCE);
    profile.conduct.call_timeout = Some(PATIENCE);
    let secrets = Secrets::default();
    let identity = scenario.identity(&secrets)?;
    let log = Recorder::new(Clock::system(), secrets);

    let endpoint = Endpoint::Http { url: scenario.url.clone(), headers: BTreeMap::new() };
    let target = target(endpoint, Isolation::Trial, Keeper::new(net::client()?));
    let opening = Opening::new(&identity, &profile).hosted(&host);
    let session = target.open(opening, log).await.map_err(|fault| fault.message)?;
    let done = perform(session.as_ref(), scenario.deed()).await;
    session.close().await;
    target.close().await;
    done
}

async fn perform(session: &dyn Session, deed: Deed) -> Result<(), String> {
    let tools = session.list_tools().await.map_err(|fault| fault.message)?;
    match deed {
        Deed::List => Ok(()),
        Deed::Echo => {
            let schema = |name: &str| tools.iter().find(|tool| tool.name.as_str() == name);
            let schema = schema("json_schema_2020_12_tool").map(ToolFact::input_schema);
            call(session, "json_schema_echo", &json!({"schema": schema.unwrap_or_default()})).await
        }
        Deed::Calls(calls) => {
            let calls = calls.iter().map(|wanted| {
                call(session, wanted["name"].as_str().unwrap_or_default(), &wanted["arguments"])
            });
            all(join_all(calls).await)
        }
        Deed::Everything => {
            let calls = tools.iter().map(|tool| async move {
                call(session, tool.name.as_str(), &example::arguments(&tool.input_schema())).await
            });
            all(join_all(calls).await)?;
            read_everything(session).await
        }
    }
}

/// Reads the resources and prompts of a server that says it has some.
async fn read_everything(session: &dyn Session) -> Result<(), String> {
    for (capability, list, items, key, get) in [
        ("resources", "resources/list", "resources", "uri", "resources/read"),
        ("prompts", "prompts/list", "prompts", "name", "prompts/get"),
    ] {
        if session.facts().capabilities.get(capability).is_none() {
            continue;
        }
        let found = ask(session, list, json!({})).await?;
        for item in found[items].as_array().into_iter().flatten() {
            ask(session, get, json!({key: item[key]})).await?;
        }
    }
    Ok(())
}

async fn ask(session: &dyn Session, method: &str, params: Value) -> Result<Value, String> {
    let answer = session.request(method, params).await.map_err(|fault| fault.message)?;
    answer.map_err(|refusal| format!("{method} was refused: {}", refusal.message))
}

async fn call(session: &dyn Session, name: &str, arguments: &Value) -> Result<(), String> {
    match session.call_tool(name, arguments).await.map_err(|fault| fault.message)? {
        ToolOutcome::Returned { .. } => Ok(()),
        ToolOutcome::Refused(refusal) => Err(format!("the call of {name} was refused: {}", refusal.message)),
    }
}

fn all(results: Vec<Result<(), String>>) -> Result<(), String> {
    results.into_iter().collect()
}
