//! Group G, things with an owner: objects and resources of one persona are closed to the other.

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::pair::{leave, meet};
use super::telling::{apart, no_oracle, unknown_value};
use super::{AuthCheck, Eras, Level, Needs};
use crate::auth::answer::Answer;
use crate::auth::prober::Prober;
use crate::transcript::Fault;

const RESOURCES: &str = "server/resources: security considerations";

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "G09", level: Level::Must, title: "a tool shows an object only to its owner", section: "server/tools: security considerations",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TwoPersonas, Needs::Fact("object")], fix: "look up objects by id and user together",
        probe: object, examine: |t| apart(t, "object") },
    AuthCheck { id: "G10", level: Level::Must, title: "a resource is read only by its owner", section: RESOURCES,
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TwoPersonas, Needs::Fact("uri")], fix: "check on `resources/read` whose the URI is, not only in the list",
        probe: resource, examine: |t| apart(t, "resource") },
    AuthCheck { id: "G10.oracle", level: Level::Hygiene, title: "a refusal does not say that a resource exists", section: RESOURCES,
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TwoPersonas, Needs::Fact("uri")], fix: "answer for resources of others as for those that do not exist",
        probe: resource, examine: |t| no_oracle(t, "resource") },
];

fn object(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(fact) = &prober.facts().object else { return Ok(()) };
        each(prober, &fact.id.value(), |id| ("tools/call", fact.call.with(id))).await
    })
}

fn resource(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(uri) = &prober.facts().uri else { return Ok(()) };
        each(prober, &json!(uri), |uri| ("resources/read", json!({"uri": uri}))).await
    })
}

/// The owner, the other, the other with an unknown name, and the owner again.
async fn each(
    prober: &Prober,
    name: &Value,
    request: impl Fn(Value) -> (&'static str, Value),
) -> Result<(), Fault> {
    let Some(pair) = meet(prober).await? else { return Ok(()) };
    let before = pair.she(prober, "hers before", request(name.clone())).await;
    if matches!(Answer::of(&before), Answer::Accepted(_)) {
        let _ = pair.he(prober, "attempt", request(name.clone())).await;
        let _ = pair.he(prober, "unknown", request(unknown_value(name))).await;
        let _ = pair.she(prober, "hers after", request(name.clone())).await;
    }
    leave(prober, pair).await;
    Ok(())
}
