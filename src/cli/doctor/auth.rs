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
        join_all(urls.map(|url| async move { told(found(&url).await) })).await
    }
    .boxed()
}

/// What a GET gave.
enum Fetched {
    /// A JSON object.
    Document(Value),
    /// Another answer.
    Other,
    /// No answer in time.
    Nothing,
}

impl Fetched {
    fn document(self) -> Option<Value> {
        match self {
            Self::Document(document) => Some(document),
            Self::Other | Self::Nothing => None,
        }
    }
}

async fn fetch(http: &reqwest::Client, fence: &Fence, url: Url) -> Fetched {
    if fence.admit(&url).is_err() {
        return Fetched::Other;
    }
    let asked = http.get(url).header("accept", "application/json").send();
    let Ok(Ok(answer)) = tokio::time::timeout(ANSWER / 2, asked).await else { return Fetched::Nothing };
    if !answer.status().is_success() {
        return Fetched::Other;
    }
    let body = tokio::time::timeout(ANSWER / 2, net::read_bounded(answer, CAP)).await;
    let document = body.ok().and_then(Result::ok).and_then(|body| serde_json::from_slice(&body).ok());
    document.filter(Value::is_object).map_or(Fetched::Other, Fetched::Document)
}

/// How far the way to a token leads.
pub(super) enum Way {
    /// No client can be made.
    Unlooked,
    /// The target does not answer.
    Silent,
    /// No resource metadata.
    None,
    /// Resource metadata without an authorization server.
    Nobody,
    /// The authorization server, and why nobody asks there.
    Fenced(String, String),
    /// The authorization server, which has no metadata.
    Blank(String),
    /// The authorization server, and how it calls itself.
    Named(String, String),
    /// The authorization server, which does not list PKCE.
    Plain(String),
    /// The authorization server, with all that is needed.
    Whole(String),
}

async fn found(target: &Url) -> Way {
    // Addresses in documents are written by strangers.
    let fence = Fence::around(target).await;
    let Ok(http) = fence.client(&Route::default()) else { return Way::Unlooked };
    let fetch = |url: Url| {
        let (http, fence) = (http.clone(), fence.clone());
        async move { fetch(&http, &fence, url).await }
    };
    let (mut found, mut answers) = (None, false);
    for (_, url) in discover::resource_candidates(target, None) {
        if found.is_none() {
            let fetched = fetch(url).await;
            answers |= !matches!(fetched, Fetched::Nothing);
            found = fetched.document();
        }
    }
    let Some(resource) = found else { return if answers { Way::None } else { Way::Silent } };
    let Some(issuer) = discover::first_server(&resource).and_then(|name| Url::parse(name).ok()) else {
        return Way::Nobody;
    };
    let shown = net::shown(&issuer);
    if let Err(why) = fence.admit(&issuer) {
        return Way::Fenced(shown, why);
    }
    let mut found = None;
    for (_, url) in discover::server_candidates(&issuer) {
        if found.is_none() {
            found = fetch(url).await.document();
        }
    }
    let Some(server) = found else { return Way::Blank(shown) };
    let named = server.get("issuer").and_then(Value::as_str).unwrap_or_default();
    if named.trim_end_matches('/') != issuer.as_str().trim_end_matches('/') {
        return Way::Named(shown, named.to_owned());
    }
    let methods = server.get("code_challenge_methods_supported").and_then(Value::as_array);
    match methods.is_some_and(|methods| methods.iter().any(|method| method == "S256")) {
        true => Way::Whole(shown),
        false => Way::Plain(shown),
    }
}

pub(super) fn told(way: Way) -> Line {
    let line = |says: String| Line::new("auth", "", says);
    let hint = "what clients need stands in docs/auth.md; `rehearsal auth URL` looks at all of it";
    match way {
        Way::Unlooked => line("not looked at".to_owned()).skipped(),
        Way::Silent => line("not looked at, because the target does not answer".to_owned()).skipped(),
        Way::None => line(
            "the target publishes no resource metadata: it asks for no sign-in, or for credentials of its own"
                .to_owned(),
        ),
        Way::Nobody => line("resource metadata names no authorization server".to_owned()).warning(hint),
        Way::Fenced(issuer, why) => {
            line(format!("the authorization server {issuer} is not asked: {why}")).warning(hint)
        }
        Way::Blank(issuer) => {
            line(format!("resource metadata -> {issuer}, whose metadata cannot be had")).warning(hint)
        }
        Way::Named(issuer, named) => {
            line(format!("resource metadata -> {issuer}, which calls itself by another name: `{named}`"))
                .warning(hint)
        }
        Way::Plain(issuer) => line(format!(
            "resource metadata -> {issuer}, which does not list PKCE with S256; clients refuse to sign in"
        ))
        .warning(hint),
        Way::Whole(issuer) => line(format!("resource metadata -> {issuer} -> PKCE S256")),
    }
}
