//! Clients that come with a document. Those of the identity provider's machine are fetched, though it is this one: where
//! they are elsewhere, a test could not show anything.

use serde_json::Value;

use super::Server;

/// The most of a document that is read, in bytes.
const MOST: usize = 5 * 1024;

/// Whether a document may be fetched, as far as its place is concerned.
pub(super) fn is_near(server: &Server, client: &str) -> bool {
    let provider = server.provider.as_deref().unwrap_or_default();
    provider.starts_with("https://") && client.starts_with(&format!("{provider}/"))
}

/// The redirect addresses of a client.
pub(super) async fn fetched(server: &Server, client: &str) -> Option<Vec<String>> {
    let redirects = match server.broken("J08.fetch.moved") {
        true => reqwest::redirect::Policy::limited(3),
        false => reqwest::redirect::Policy::none(),
    };
    let made = reqwest::Client::builder().redirect(redirects).danger_accept_invalid_certs(true).build();
    let answer = made.ok()?.get(client).send().await.ok()?.error_for_status().ok()?;
    if answer.status() != 200 {
        return None;
    }
    let body = answer.bytes().await.ok()?;
    if body.len() > MOST && !server.broken("J08.fetch") {
        return None;
    }
    let document: Value = serde_json::from_slice(&body).ok()?;
    if document["client_id"] != client && !server.broken("J08.document") {
        return None;
    }
    let mut known: Vec<String> = serde_json::from_value(document["redirect_uris"].clone()).ok()?;
    if server.broken("J08.document.redirect") {
        known.push("http://127.0.0.1:43117/elsewhere".to_owned());
    }
    Some(known)
}
