//! The way from a target to a token: resource metadata, the authorization server, PKCE.

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use serde_json::Value;
use url::Url;

use super::ANSWER;
use super::line::Line;
use super::setting::{Setting, is_here};
use crate::auth::discover;
use crate::net::fence::Fence;
use crate::net::{self, Route};

/// Most bytes of a document.
const CAP: usize = 256 * 1024;

/// Looks at every target with an address.
pub(super) fn look<'a>(setting: &'a Setting<'a>) -> BoxFuture<'a, Vec<Line>> {
    async move {
        let (aims, _) = setting.aims();
        let urls = aims.iter().filter_map(|aim| aim.url(setting));
        let urls = urls.filter(|url| !setting.args.offline || is_here(url));
        join_all(urls.map(|url| async move { one(&url).await })).await
    }
    .boxed()
}

async fn one(target: &Url) -> Line {
    let line = |says: String| Line::new("auth", "", says);
    // Addresses in documents are written by strangers.
    let fence = Fence::around(target).await;
    let Ok(http) = fence.client(&Route::default()) else { return line("not looked at".to_owned()).skipped() };
    let fetch = |url: Url| {
        let (http, fence) = (http.clone(), fence.clone());
        async move {
            fence.admit(&url).ok()?;
            let answer =
                tokio::time::timeout(ANSWER / 2, http.get(url).header("accept", "application/json").send())
                    .await
                    .ok()?
                    .ok()?;
            if !answer.status().is_success() {
                return None;
            }
            let body = tokio::time::timeout(ANSWER / 2, net::read_bounded(answer, CAP)).await.ok()?.ok()?;
            serde_json::from_slice::<Value>(&body).ok().filter(Value::is_object)
        }
    };
    let mut found = None;
    for (_, url) in discover::resource_candidates(target, None) {
        if found.is_none() {
            found = fetch(url).await;
        }
    }
    let Some(resource) = found else {
        return line("the target publishes no resource metadata: it asks for no sign-in, or for credentials of its own".to_owned());
    };
    let hint = "what clients need stands in docs/auth.md; `rehearsal auth URL` looks at all of it";
    let Some(issuer) = discover::first_server(&resource).and_then(|name| Url::parse(name).ok()) else {
        return line("resource metadata names no authorization server".to_owned()).warning(hint);
    };
    if let Err(why) = fence.admit(&issuer) {
        return line(format!("the authorization server {} is not asked: {why}", net::shown(&issuer)))
            .warning(hint);
    }
    let mut found = None;
    for (_, url) in discover::server_candidates(&issuer) {
        if found.is_none() {
            found = fetch(url).await;
        }
    }
    let shown = net::shown(&issuer);
    let Some(server) = found else {
        return line(format!("resource metadata -> {shown}, whose metadata cannot be had")).warning(hint);
    };
    let named = server.get("issuer").and_then(Value::as_str).unwrap_or_default();
    if named.trim_end_matches('/') != issuer.as_str().trim_end_matches('/') {
        return line(format!("resource metadata -> {shown}, which calls itself by another name: `{named}`"))
            .warning(hint);
    }
    let methods = server.get("code_challenge_methods_supported").and_then(Value::as_array);
    if !methods.is_some_and(|methods| methods.iter().any(|method| method == "S256")) {
        return line(format!(
            "resource metadata -> {shown}, which does not list PKCE with S256; clients refuse to sign in"
        ))
        .warning(hint);
    }
    line(format!("resource metadata -> {shown} -> PKCE S256"))
}
