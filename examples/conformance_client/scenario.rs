//! What the suite says about a scenario, in the environment and as last argument.

use std::sync::Arc;

use rehearsal::auth::client::{
    ClientKey, Consenting, Grant, Means, Memory, OAuth, Provider, Registered, Settings,
};
use rehearsal::mcp::Identity;
use rehearsal::mcp::profile::Protocol;
use rehearsal::transcript::{Clock, Secrets};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::PATIENCE;

/// The client id metadata document that the suite expects; nobody fetches it.
const DOCUMENT: &str = "https://conformance-test.local/client-metadata.json";

/// What is done in a session.
pub(crate) enum Deed {
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
pub(crate) struct Scenario {
    name: String,
    pub(crate) url: url::Url,
    pub(crate) protocol: Protocol,
    context: Value,
}

impl Scenario {
    pub(crate) fn read() -> Result<Self, String> {
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

    pub(crate) fn deed(&self) -> Deed {
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
    pub(crate) fn identity(&self, secrets: &Secrets) -> Result<Identity, String> {
        let mut settings = Settings::new(self.url.clone(), self.grant()?);
        settings.patience = PATIENCE.0;
        settings.old_servers = self.protocol == Protocol::V20250326;
        let means =
            Means { wallet: Arc::new(Memory::default()), secrets: secrets.clone(), clock: Clock::system() };
        Ok(Arc::new(OAuth::new(settings, means)))
    }

    /// The way to a token: an authorization code, unless the scenario gives the credentials of a machine.
    fn grant(&self) -> Result<Grant, String> {
        let registered = self.find("client_id").map(|id| self.client(id)).transpose()?;
        Ok(match (self.name.as_str(), registered) {
            ("auth/client-credentials-jwt" | "auth/client-credentials-basic", Some(registered)) => {
                Grant::ClientCredentials(registered)
            }
            ("auth/enterprise-managed-authorization", Some(registered)) => Grant::IdJag {
                registered,
                provider: Provider {
                    issuer: self.given("idp_issuer").to_owned(),
                    token_endpoint: self.given("idp_token_endpoint").parse().ok(),
                    client: Registered::new(self.given("idp_client_id"), None),
                    id_token: self.given("idp_id_token").into(),
                },
            },
            ("auth/wif-jwt-bearer", Some(registered)) => {
                Grant::Workload { registered, assertion: self.given("valid_jwt").into() }
            }
            (_, registered) => Grant::Code {
                visitor: Arc::new(Consenting::new().map_err(|fault| fault.message)?),
                registered,
                document: DOCUMENT.parse().ok(),
            },
        })
    }

    /// The client that the scenario says is registered.
    fn client(&self, id: &str) -> Result<Registered, String> {
        let mut client = Registered::new(id, self.find("client_secret").map(SecretString::from));
        if let Some(pem) = self.find("private_key_pem") {
            let key = ClientKey::from_pem(&pem.into(), self.find("signing_algorithm"), None);
            client.key = Some(key.map_err(|fault| fault.message)?);
        }
        Ok(client)
    }

    fn find(&self, key: &str) -> Option<&str> {
        self.context.get(key).and_then(Value::as_str)
    }

    fn given(&self, key: &str) -> &str {
        self.find(key).unwrap_or_default()
    }
}
