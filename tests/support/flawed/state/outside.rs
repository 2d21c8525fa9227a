//! What leaves the server: a quote from upstream with the server's own key, and pages that anybody may see.

use futures::FutureExt;
use serde_json::{Value, json};
use url::{Host, Url};

use super::{Call, failed, said};
use crate::flawed::Answering;

/// `quote`: asks upstream.
pub(crate) fn quote<'a>(call: &'a Call<'a>) -> Answering<'a> {
    async move {
        let upstream = call.state().kept().upstream.clone();
        let Some(upstream) = upstream else { return Ok(failed("there is no upstream").into()) };
        let key = if call.server.broken("I01") { call.bearer } else { "the-key-of-the-server-itself" };
        Ok(match call.server.http.get(upstream).bearer_auth(key).send().await {
            Ok(_) => said("42"),
            Err(_) => failed("upstream did not answer"),
        }
        .into())
    }
    .boxed()
}

/// `fetch`: a page, unless it is of this machine or its neighbours.
pub(crate) fn fetch<'a>(call: &'a Call<'a>) -> Answering<'a> {
    async move {
        let refused = failed("this page is not fetched");
        let url = Url::parse(call.word("url")).ok();
        // With the flaw on, only loopback: tests stay at home.
        let loopback = url.filter(|url| matches!(url.host(), Some(Host::Ipv4(ip)) if ip.is_loopback()));
        let Some(url) = loopback.filter(|_| call.server.broken("I04")) else { return Ok(refused.into()) };
        Ok(match call.server.http.get(url).send().await {
            Ok(page) => said(&page.text().await.unwrap_or_default()),
            Err(_) => refused,
        }
        .into())
    }
    .boxed()
}

/// Careless servers put what they know of a request where the client can read it.
pub(crate) fn leak(call: &Call<'_>, result: &mut Value) {
    if call.server.broken("I03") {
        result["_meta"]["debug"] = json!({"authorization": format!("Bearer {}", call.bearer)});
    }
}
