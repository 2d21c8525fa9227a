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
        // An opaque token says nothing, so whoever ignores the answer knows nobody.
        let anybody = || json!({"scope": "mcp:read", "sub": "anybody"});
        let Some(answer) = self.ask_about(token).await else {
            return if self.broken("D33.introspection") { Ok(anybody()) } else { Err(Bad::Unavailable) };
        };
        if answer["active"] != true {
            return if self.broken("D31") { Ok(anybody()) } else { Err(Bad::Token("not active".into())) };
        }
        self.audience(&answer, "at+jwt")?;
        self.state.remember(token, &answer);
        Ok(answer)
    }

    async fn ask_about(&self, token: &str) -> Option<Value> {
        let place = format!("{}/.well-known/oauth-authorization-server", self.issuer);
        let document: Value = self.http.get(place).send().await.ok()?.json().await.ok()?;
        let endpoint = document["introspection_endpoint"].as_str()?;
        let (name, secret) = &self.client;
        let asked = self.http.post(endpoint).basic_auth(name, Some(secret)).form(&[("token", token)]);
        let answer = asked.send().await.ok()?.error_for_status().ok()?;
        answer.json().await.ok()
    }
}
