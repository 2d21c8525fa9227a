//! The delivery day of a large order: the one thing the shop asks the customer back, by elicitation.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;
use rmcp::model::{
    ElicitRequestParams, ElicitationAction, ElicitationSchema, PrimitiveSchemaDefinition, StringSchema,
};
use rmcp::service::{ElicitationMode, RequestContext};
use rmcp::{Peer, RoleServer};

/// From so many copies on, an order comes in one delivery on a day of the customer's choice.
pub(super) const LARGE: u32 = 10;
/// The day orders arrive when nobody chose another.
pub(super) const USUAL: &str = "2026-12-04";
/// How long a customer may think.
const PATIENCE: Duration = Duration::from_secs(20);

/// The day the customer wants; the usual one when the client cannot ask. The error is for the customer.
pub(super) async fn day(context: &RequestContext<RoleServer>) -> Result<String, String> {
    let peer: &Peer<RoleServer> = &context.peer;
    if !peer.supported_elicitation_modes().contains(&ElicitationMode::Form) {
        return Ok(USUAL.to_owned());
    }
    let field = StringSchema::date().title("Delivery date").with_default(USUAL);
    let fields = BTreeMap::from([("date".to_owned(), PrimitiveSchemaDefinition::String(field))]);
    let form = ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: format!("{LARGE} or more copies come in one delivery. Which delivery date suits you?"),
        requested_schema: ElicitationSchema::new(fields).with_required(vec!["date".to_owned()]),
    };
    let Ok(answer) = peer.create_elicitation_with_timeout(form, Some(PATIENCE)).await else {
        return Err("The customer could not be asked for a delivery date. Nothing was ordered.".to_owned());
    };
    if answer.action != ElicitationAction::Accept {
        return Err("The customer chose no delivery date. Nothing was ordered.".to_owned());
    }
    let content = answer.content.unwrap_or_default();
    let date = content.get("date").and_then(serde_json::Value::as_str).unwrap_or_default();
    let known: Result<Date, _> = date.parse();
    // The catalogue's today is 21 November 2026; nothing is delivered before the day after.
    match known {
        Ok(day) if day > jiff::civil::date(2026, 11, 21) => Ok(date.to_owned()),
        _ => Err("The delivery date is no day to come. Nothing was ordered.".to_owned()),
    }
}
