//! Two personas, each in a session of their own: what every probe of isolation begins and ends with.

use serde_json::{Value, json};

use super::scope::harmless_call;
use crate::auth::answer::Answer;
use crate::auth::prober::{Credentials, Opened, Prober, Talk};
use crate::transcript::{Fault, HttpSide};

/// How many pages of a list are followed.
const PAGES: usize = 20;

/// Both, let in.
pub(super) struct Pair {
    /// The first persona's credentials.
    pub(super) first: Credentials,
    /// The second persona's credentials.
    pub(super) second: Credentials,
    /// The first persona's session.
    pub(super) hers: Opened,
    /// The second persona's session.
    pub(super) his: Opened,
    /// A call that changes nothing: the suite's, or of a tool that says so of itself.
    pub(super) harmless: Option<Value>,
}

/// Lets both in: `control before` and `other before`. `None` where one of them is not, and nothing can be learned.
pub(super) async fn meet(prober: &Prober) -> Result<Option<Pair>, Fault> {
    let (first, second) = (prober.good().await?, prober.other().await?);
    let hers = prober.converse("control before", &first).await;
    let Answer::Accepted(list) = Answer::of(&hers.last) else {
        prober.close(hers.session, &first).await;
        return Ok(None);
    };
    let his = prober.converse("other before", &second).await;
    let accepted = matches!(Answer::of(&his.last), Answer::Accepted(_));
    match (hers.session, his.session) {
        (Some(hers), Some(his)) if accepted => {
            let own = prober.facts().harmless.as_ref().map(crate::auth::ToolUse::params);
            let harmless = own.or_else(|| harmless_call(list.as_ref()?));
            Ok(Some(Pair { first, second, hers, his, harmless }))
        }
        (hers, his) => {
            prober.close(hers, &first).await;
            prober.close(his, &second).await;
            Ok(None)
        }
    }
}

/// Lets the first persona in alone, for questions of what is hers only. She also stands in for the second.
pub(super) async fn alone(prober: &Prober) -> Result<Option<Pair>, Fault> {
    let first = prober.good().await?;
    let Talk { session, last } = prober.converse("control before", &first).await;
    match (session, Answer::of(&last)) {
        (Some(hers), Answer::Accepted(_)) => {
            let harmless = prober.facts().harmless.as_ref().map(crate::auth::ToolUse::params);
            Ok(Some(Pair { second: first.clone(), his: hers.clone(), first, hers, harmless }))
        }
        (session, _) => {
            prober.close(session, &first).await;
            Ok(None)
        }
    }
}

/// The end: `control after`, and nothing stays open.
pub(super) async fn leave(prober: &Prober, pair: Pair) {
    let Talk { session, .. } = prober.converse("control after", &pair.first).await;
    prober.close(session, &pair.first).await;
    if pair.his.id() != pair.hers.id() {
        prober.close(Some(pair.his), &pair.second).await;
    }
    prober.close(Some(pair.hers), &pair.first).await;
}

impl Pair {
    /// A request of the first persona.
    pub(super) async fn she(
        &self,
        prober: &Prober,
        label: &str,
        request: (&str, Value),
    ) -> Result<HttpSide, String> {
        prober.rpc(label, &self.hers, request, &self.first).await
    }

    /// A request of the second persona.
    pub(super) async fn he(
        &self,
        prober: &Prober,
        label: &str,
        request: (&str, Value),
    ) -> Result<HttpSide, String> {
        prober.rpc(label, &self.his, request, &self.second).await
    }
}

/// Every page of a list, labelled `LABEL PAGE: METHOD`, as far as it goes; `None` where the first is refused.
pub(super) async fn pages(
    prober: &Prober,
    label: &str,
    method: &str,
    (session, who): (&Opened, &Credentials),
) -> Option<Vec<Value>> {
    let mut pages: Vec<Value> = vec![];
    let mut params = json!({});
    for number in 1..=PAGES {
        let label = format!("{label} {number}");
        let answer = Answer::of(&prober.rpc(&label, session, (method, params), who).await);
        let Answer::Accepted(Some(result)) = answer else { break };
        let cursor = result.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
        let again =
            pages.iter().any(|page| page.get("nextCursor").and_then(Value::as_str) == cursor.as_deref());
        pages.push(result);
        match cursor {
            Some(cursor) if !again => params = json!({"cursor": cursor}),
            _ => break,
        }
    }
    (!pages.is_empty()).then_some(pages)
}
