//! Tokens that say nothing themselves: the issuer is asked about each (RFC 7662).

use serde_json::{Value, json};

use super::Server;
use super::verify::Bad;

impl Server {
    /// What the issuer says of a token.
    pub(super) async fn introspect(&self, token: &str) -> Result<Value, Bad> {
        if self.broken("G18")
            && let Some(known) = self.state.remembered(token)
        {
            return Ok(known);
        }
        let Some(answer) = self.ask_about(token).await else {
            return match self.broken("D33.introspection") {
                true => Ok(json!({"scope": "mcp:read", "sub": "anybody"})),
                false => Err(Bad::Unavailable),
            };
        };
        if answer["active"] != true {
            return match self.broken("D31") {
                true => self.verify_alone(token).await,
                false => Err(Bad::Token("not active".into())),
            };
        }
        self.audience(&answer, "at+jwt")?;
        self.state.remember(token, &answer);
        Ok(answer)
    }

    async fn ask_about(&self, token: &str) -> Option<Value> {
        let document = self.issuer_metadata().await?;
        let endpoint = document["introspection_endpoint"].as_str()?;
        let (name, secret) = &self.client;
        let asked = self.http.post(endpoint).basic_auth(name, Some(secret)).form(&[("token", token)]);
        let answer = asked.send().await.ok()?.error_for_status().ok()?;
        answer.json().await.ok()
    }
}
