//! Tools that ask before they act. The state that travels through the client is sealed, bound to who asked for what, and
//! good for one answer.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Call, Era, RpcError, failed, now, random, said};
use crate::flawed::Answering;

/// `transfer` and `close_account`.
pub(crate) fn transfer<'a>(call: &'a Call<'a>) -> Answering<'a> {
    now(answer(call))
}

/// `transfers`: how often it was done.
pub(crate) fn count<'a>(call: &'a Call<'a>) -> Answering<'a> {
    let kept = call.state().kept();
    now(Ok(said(&kept.transfers.get(&call.user.subject).copied().unwrap_or_default().to_string())))
}

fn answer(call: &Call<'_>) -> Result<Value, RpcError> {
    if call.era == Era::Legacy {
        return Ok(failed("this tool asks in the way of 2026-07-28 only"));
    }
    if !call.declares("/elicitation") {
        return Err(RpcError::new(400, -32021, "this tool has a question"));
    }
    let Some(state) = call.params["requestState"].as_str() else { return Ok(ask(call)) };
    let sure = call.params.pointer("/inputResponses/sure/content/sure") == Some(&json!(true));
    let spoiled = || RpcError::invalid("unknown request state");
    let told = read(call, state).ok_or_else(spoiled)?;
    let about = bound(call);
    let same_user = told["user"] == about["user"] || call.server.broken("G05");
    let same_call = told["call"] == about["call"] || call.server.broken("G07");
    let mut kept = call.state().kept();
    let fresh = sure && (kept.spent.insert(told["nonce"].to_string()) || call.server.broken("G08"));
    if !same_user || !same_call || !fresh {
        return Err(spoiled());
    }
    *kept.transfers.entry(call.user.subject.clone()).or_default() += 1;
    Ok(said(&format!("done for {}", call.user.subject)))
}

fn ask(call: &Call<'_>) -> Value {
    let mut told = bound(call);
    told["nonce"] = json!(random());
    let properties = json!({"sure": {"type": "boolean"}});
    let schema = json!({"type": "object", "properties": properties, "required": ["sure"]});
    let params = json!({"mode": "form", "message": "Are you sure?", "requestedSchema": schema});
    let question = json!({"method": "elicitation/create", "params": params});
    let state = call.state().seal(&told.to_string());
    json!({"resultType": "input_required", "inputRequests": {"sure": question}, "requestState": state})
}

/// What a state is good for.
fn bound(call: &Call<'_>) -> Value {
    json!({"user": call.user.subject, "call": [call.params["name"], call.params["arguments"]]})
}

fn read(call: &Call<'_>, state: &str) -> Option<Value> {
    if call.server.broken("G06") {
        // Believes what is readable, and takes the rest from the request.
        let plain = state.split_once('.').and_then(|(_, plain)| URL_SAFE_NO_PAD.decode(plain).ok());
        let told: Option<Value> = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        return Some(told.unwrap_or_else(|| {
            let mut told = bound(call);
            told["nonce"] = json!(random());
            told
        }));
    }
    serde_json::from_str(&call.state().unseal(state)?).ok()
}
