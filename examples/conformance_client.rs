//! The client that the official conformance suite drives: `tests/interop/conformance.sh` runs it, one process for each
//! scenario, with the URL of the scenario's server as last argument.
//!
//! It does what any case does, through the library alone: open a session, look at everything the server offers, call
//! its tools side by side with arguments made from their schemas. The name of a scenario is looked at only where the
//! scenario asks for something else to be done ([`Deed`]); how it is done is always the same.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use futures::future::join_all;
use rehearsal::auth::client::{Consenting, Grant, Means, Memory, OAuth, Registered, Settings};
use rehearsal::mcp::connect::{Keeper, target};
use rehearsal::mcp::host::accepting::Accepting;
use rehearsal::mcp::profile::Protocol;
use rehearsal::mcp::{
    ClientProfile, Endpoint, Host, Identity, Isolation, Opening, Session, ToolOutcome, example,
};
use rehearsal::net;
use rehearsal::transcript::{Clock, Recorder, Secrets, ToolFact};
use rehearsal::units::Period;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

/// The client id metadata document that the suite expects; nobody fetches it.
const DOCUMENT: &str = "https://conformance-test.local/client-metadata.json";

/// How long any answer may take.
const PATIENCE: Period = Period::secs(40);

/// What is done in a session.
enum Deed {
    /// Everything the server offers is listed, read and called.
    Everything,
    /// Only the tools are listed: the scenario's server knows nothing else.
    List,
    /// The schema of one tool, as it was received, is handed back as an argument of another.
    Echo,
    /// These calls are made.
    Calls(Vec<Value>),
}

/// What the suite says about a scenario.
struct Scenario {
    name: String,
    url: url::Url,
    protocol: Protocol,
    context: Value,
}

impl Scenario {
    fn read() -> Result<Self, String> {
        let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
        let url = std::env::args().next_back().unwrap_or_default();
        let context = variable("MCP_CONFORMANCE_CONTEXT").unwrap_or_else(|_| "{}".to_owned());
        Ok(Self {
            name: variable("MCP_CONFORMANCE_SCENARIO")?,
            url: url.parse().map_err(|error| format!("the last argument `{url}` is no URL: {error}"))?,
            protocol: serde_json::from_value(json!(variable("MCP_CONFORMANCE_PROTOCOL_VERSION")?))
                .map_err(|error| format!("MCP_CONFORMANCE_PROTOCOL_VERSION: {error}"))?,
            context: serde_json::from_str(&context)
                .map_err(|error| format!("MCP_CONFORMANCE_CONTEXT: {error}"))?,
        })
    }

    fn deed(&self) -> Deed {
        if let Some(calls) = self.context.get("toolCalls").and_then(Value::as_array) {
            return Deed::Calls(calls.clone());
        }
        match self.name.as_str() {
            "json-schema-ref-no-deref" => Deed::List,
            "json-schema-2020-12-preservation" => Deed::Echo,
            _ => Deed::Everything,
        }
    }

    /// An ordinary client: it authorizes itself where the server demands it, and otherwise sends nothing.
    fn identity(&self, secrets: &Secrets) -> Result<Identity, String> {
        let mut settings = Settings::new(self.url.clone(), self.grant()?);
        settings.patience = PATIENCE.0;
        settings.old_servers = self.protocol == Protocol::V20250326;
        let means =
            Means { wallet: Arc::new(Memory::default()), secrets: secrets.clone(), clock: Clock::system() };
        Ok(Arc::new(OAuth::new(settings, means)))
    }

    fn grant(&self) -> Result<Grant, String> {
        let given = |key: &str| self.context.get(key).and_then(Value::as_str);
        let secret = given("client_secret").map(SecretString::from);
        let registered = given("client_id").map(|id| Registered::new(id, secret));
        Ok(Grant::Code {
            visitor: Arc::new(Consenting::new().map_err(|fault| fault.message)?),
            registered,
            document: DOCUMENT.parse().ok(),
        })
    }
}

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
    // The suite runs all scenarios at once, and its servers share one thread.
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
