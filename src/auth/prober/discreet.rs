//! Requests to an authorization server, whose answers bring secrets: none of them gets into the record.

use serde_json::Value;
use url::Url;

use super::{Ask, Credentials, Prober, sending};
use crate::transcript::HttpSide;

/// Members of an answer that are secrets.
const SECRET: [&str; 5] =
    ["access_token", "refresh_token", "id_token", "client_secret", "registration_access_token"];

impl Prober {
    /// Sends one request. What its answer grants is taken out of the record before it is written; the returned answer
    /// has it.
    pub async fn send_discreetly(&self, ask: Ask<'_>) -> Result<HttpSide, String> {
        let label = ask.label;
        let written = self.write(ask, &Credentials::none());
        let sent = || async {
            let answer = match self.may_ask(&written.url) {
                true => self.exchange(&written).await,
                false => Err(sending::not_asked(&written.url)),
            };
            if let Ok(side) = &answer {
                self.learn(&written.url, side);
            }
            answer
        };
        self.recorded(label, written.side(), sent).await
    }

    /// Keeps a value of ours out of every record.
    pub fn keep_secret(&self, name: &str, value: &str) {
        self.log.secrets().register(name, value);
    }

    /// What time it is, in seconds since 1970.
    pub fn now(&self) -> i64 {
        self.log.clock().wall().as_second()
    }

    fn learn(&self, asked: &Url, side: &HttpSide) {
        let body = side.body.json().unwrap_or_default();
        for name in SECRET {
            if let Some(value) = body.get(name).and_then(Value::as_str) {
                self.log.secrets().register_jwt(name, value);
            }
        }
        let Some(to) = side.header("location").and_then(|to| asked.join(to).ok()) else { return };
        for (name, value) in to.query_pairs() {
            if name == "code" {
                self.keep_secret("authorization-code", &value);
            }
        }
    }
}
