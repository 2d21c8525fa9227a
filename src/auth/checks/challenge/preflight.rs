//! A13: what a browser asks before it lets a page talk to the target, and what the page may read of the answer.

use futures::future::BoxFuture;
use reqwest::Method;
use serde_json::json;

use crate::auth::checks::Seen;
use crate::auth::checks::reading::{Exchange, labelled};
use crate::auth::prober::{Ask, Credentials, Prober};
use crate::transcript::{Fault, HttpSide, Transcript};

/// What a browser is asked to send in either era.
const ALWAYS: &str = "authorization, content-type, mcp-protocol-version";

pub(super) fn ask(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let own = || prober.target().origin().ascii_serialization();
        let origin = prober.facts().browser_origin.clone().unwrap_or_else(own);
        let session = prober.sessionless();
        let more = if session.is_modern() { "mcp-method, mcp-name" } else { "mcp-session-id" };
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![
            header("origin", &origin),
            header("access-control-request-method", "POST"),
            header("access-control-request-headers", &format!("{ALWAYS}, {more}")),
        ];
        let url = prober.target().clone();
        let ask = Ask { label: "preflight", method: Method::OPTIONS, url, headers, body: None };
        let _ = prober.send(ask, &Credentials::none()).await;
        let page = Credentials::none().with("origin", &origin);
        let _ = prober.rpc("page", &session, ("tools/list", json!({})), &page).await;
        Ok(())
    })
}

pub(super) fn allowed(transcript: &Transcript) -> Seen {
    let (Some(preflight), Some(page)) =
        (labelled(transcript, "preflight").next(), labelled(transcript, "page").next())
    else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    for exchange in [&preflight, &page] {
        if exchange.answer().is_unavailable() {
            return Seen::Inconclusive(format!("the {} got {}", exchange.label, exchange.answer()));
        }
    }
    match lacking(&preflight).map(|why| (why, preflight.seq)).or_else(|| hidden(&preflight, &page)) {
        Some((why, seq)) => Seen::Broken(why, vec![seq]),
        None => {
            let text = "the preflight allows what MCP sends, and pages may read what they need";
            Seen::Holds(text.to_owned(), vec![preflight.seq, page.seq])
        }
    }
}

/// What the answer to the preflight forbids.
fn lacking(preflight: &Exchange<'_>) -> Option<String> {
    let side = preflight.side()?;
    if !side.status().is_some_and(|status| (200..300).contains(&status)) {
        return Some(format!("the preflight got {}", side.start));
    }
    if let Some(why) = foreign(preflight, side) {
        return Some(format!("the preflight {why}"));
    }
    let allowed = names(side, "access-control-allow-headers");
    let any = allowed.iter().any(|name| name == "*");
    let wanted = names(preflight.request, "access-control-request-headers");
    // A star does not cover `Authorization` (Fetch section 4.9).
    let covered = |name: &String| allowed.contains(name) || any && name != "authorization";
    let missing = wanted.iter().find(|name| !covered(name))?;
    Some(format!("the preflight does not allow the header `{missing}`"))
}

/// What a page may not read of its answer.
fn hidden(preflight: &Exchange<'_>, page: &Exchange<'_>) -> Option<(String, u32)> {
    let side = page.side()?;
    if let Some(why) = foreign(page, side) {
        return Some((format!("the answer to a page {why}"), page.seq));
    }
    let exposed = names(side, "access-control-expose-headers");
    let sessions = names(preflight.request, "access-control-request-headers")
        .iter()
        .any(|name| name == "mcp-session-id");
    let missing = [("www-authenticate", true), ("mcp-session-id", sessions)]
        .into_iter()
        .find(|(name, wanted)| *wanted && !exposed.iter().any(|known| known == name || known == "*"))?;
    Some((format!("the answer to a page does not expose `{}`", missing.0), page.seq))
}

fn foreign(exchange: &Exchange<'_>, side: &HttpSide) -> Option<String> {
    let origin = exchange.request.header("origin").unwrap_or_default();
    match side.header("access-control-allow-origin") {
        Some(allowed) if allowed == "*" || allowed == origin => None,
        Some(allowed) => Some(format!("allows the origin `{allowed}` and not `{origin}`")),
        None => Some("has no `Access-Control-Allow-Origin`".to_owned()),
    }
}

/// The names in a header, in lower case.
fn names(side: &HttpSide, header: &str) -> Vec<String> {
    let value = side.header(header).unwrap_or_default().to_ascii_lowercase();
    value.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}
