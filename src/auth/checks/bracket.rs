//! What stands between two uses of the good token: how such probes begin and end, and what they may call.

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::scope::harmless_call;
use crate::auth::ToolUse;
use crate::auth::answer::Answer;
use crate::auth::prober::{Ask, Credentials, Opened, Prober};
use crate::transcript::{Fault, HttpSide};

/// The good persona, let in.
pub(super) struct Between {
    /// The good persona's session.
    pub(super) session: Opened,
    /// The good persona's credentials.
    pub(super) good: Credentials,
    /// The result of the good persona's `tools/list`.
    pub(super) list: Option<Value>,
}

/// Headers and body of a request.
pub(super) type Written = (Vec<(String, String)>, String);

/// Lets the good persona in: `control before`. `None` where it is not, and nothing can be learned.
pub(super) async fn begin(prober: &Prober) -> Result<Option<Between>, Fault> {
    let good = prober.good().await?;
    let talk = prober.converse("control before", &good).await;
    match (talk.session, Answer::of(&talk.last)) {
        (Some(session), Answer::Accepted(list)) => Ok(Some(Between { session, good, list })),
        (session, _) => {
            prober.close(session, &good).await;
            Ok(None)
        }
    }
}

/// The end: `control after`, and nothing stays open.
pub(super) async fn end(prober: &Prober, between: Between) {
    let talk = prober.converse("control after", &between.good).await;
    prober.close(talk.session, &between.good).await;
    prober.close(Some(between.session), &between.good).await;
}

impl Between {
    /// A call that changes nothing: the suite's, else one of a tool that says so of itself.
    pub(super) fn harmless(&self, prober: &Prober) -> Option<Value> {
        let own = prober.facts().harmless.as_ref().map(ToolUse::params);
        own.or_else(|| harmless_call(self.list.as_ref()?))
    }

    /// The cheapest request that shows something: that call, else the list of tools. Arguments that were made up may be
    /// wrong, so such a call is made once before it is relied on: `control call`.
    pub(super) async fn showing(&self, prober: &Prober) -> (&'static str, Value) {
        let named = prober.facts().harmless.is_some();
        let works = match self.harmless(prober) {
            Some(params) if named => Some(params),
            Some(params) => {
                let answer = prober.call("control call", &self.session, &self.good, params.clone()).await;
                matches!(answer, Answer::Accepted(_)).then_some(params)
            }
            None => None,
        };
        works.map_or(("tools/list", serde_json::json!({})), |params| ("tools/call", params))
    }
}

/// A request in a session as it would be sent, its body as a text.
pub(super) fn written(prober: &Prober, session: &Opened, asked: (&str, Value)) -> Written {
    let (headers, body) = prober.written(session, asked);
    (headers, body.to_string())
}

/// Sends a request that was changed after it was written.
pub(super) async fn post(
    prober: &Prober,
    label: &str,
    (headers, body): Written,
    who: &Credentials,
) -> Result<HttpSide, String> {
    let url = prober.target().clone();
    prober.send(Ask { label, method: Method::POST, url, headers, body: Some(body) }, who).await
}

/// The same headers with another value for one of them; `None` leaves it out.
pub(super) fn changed((mut headers, body): Written, name: &str, value: Option<&str>) -> Written {
    headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    (headers, body)
}

/// A token as it should be shown.
pub(super) fn bearer(token: &SecretString) -> Credentials {
    Credentials::authorization(&format!("Bearer {}", token.expose_secret()))
}
