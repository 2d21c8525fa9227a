//! Tokens that say nothing themselves: the issuer is asked about each (RFC 7662).

use serde_json::Value;

use super::Server;
use super::verify::Bad;

impl Server {
    /// What the issuer says of a token.
    pub(super) async fn introspect(&self, token: &str) -> Result<Value, Bad> {
        let asked = self.ask_about(token).await;
        let Some(answer) = asked else {
            let claims = super::verify::unverified(token);
            return match (self.broken("D33.introspection"), claims) {
                (true, Some(claims)) => Ok(claims),
                _ => Err(Bad::Unavailable),
            };
        };
        if answer["active"] != true && !self.broken("D31") {
            return Err(Bad::Token("not active".into()));
        }
        self.audience(&answer, "at+jwt")?;
        Ok(answer)
    }

    async fn ask_about(&self, token: &str) -> Option<Value> {
        let place = format!("{}/.well-known/oauth-authorization-server", self.issuer);
        let document: Value = self.http.get(place).send().await.ok()?.json().await.ok()?;
        let endpoint = document["introspection_endpoint"].as_str()?;
        let form = [("token", token)];
        let answer = self.http.post(endpoint).form(&form).send().await.ok()?.error_for_status().ok()?;
        answer.json().await.ok()
    }
}
