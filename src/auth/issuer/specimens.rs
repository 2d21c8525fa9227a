//! Metadata documents of clients, for authorization servers that fetch such: a good one, and some with one thing wrong.
//!
//! An address says all: which document it is, and the redirect address in it. The server keeps nothing.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::Url;

use crate::auth::keys::b64;

/// What the path of a document begins with, below its canary.
pub(super) const PLACE: &str = "document/";

/// How long the big one is, in bytes: two hundred times what the draft advises to read.
const BIG: usize = 1024 * 1024;

/// What is wrong with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specimen {
    /// Nothing.
    Good,
    /// Its `client_id` is another address.
    NamedOtherwise,
    /// It is 1 MiB long.
    Big,
    /// It is at another host, to which this address redirects.
    Moved,
}

impl Specimen {
    const ALL: [(&str, Self); 4] = [
        ("good", Self::Good),
        ("named-otherwise", Self::NamedOtherwise),
        ("big", Self::Big),
        ("moved", Self::Moved),
    ];
}

/// Completes the address of a canary.
pub(super) fn address(url: &mut Url, specimen: Specimen, redirect: &str) {
    let name = Specimen::ALL.iter().find(|(_, one)| *one == specimen).map_or("good", |(name, _)| name);
    let path = format!("{}/{PLACE}{name}/{}", url.path(), b64(redirect));
    url.set_path(&path);
}

/// The document at `own`, whose path ends with `which`.
pub(super) fn answer(which: &str, own: &str) -> Response {
    let read = || {
        let (name, redirect) = which.split_once('/')?;
        let redirect = redirect.strip_suffix(MOVED).unwrap_or(redirect);
        let (_, specimen) = Specimen::ALL.iter().find(|(known, _)| *known == name)?;
        Some((*specimen, String::from_utf8(URL_SAFE_NO_PAD.decode(redirect).ok()?).ok()?))
    };
    let Some((specimen, redirect)) = read() else { return StatusCode::NOT_FOUND.into_response() };
    match specimen {
        Specimen::Good => Json(document(own, &redirect)).into_response(),
        Specimen::NamedOtherwise => Json(document(&format!("{own}-another"), &redirect)).into_response(),
        Specimen::Big => {
            let mut document = document(own, &redirect);
            document["client_name"] = json!("x".repeat(BIG));
            Json(document).into_response()
        }
        // The document speaks of the address that it was asked for under, so that only the redirect is wrong with it.
        Specimen::Moved => match own.strip_suffix(MOVED) {
            Some(first) => Json(document(first, &redirect)).into_response(),
            None => {
                let there = format!("{}{MOVED}", own.replacen("//127.0.0.1:", "//localhost:", 1));
                (StatusCode::FOUND, [(header::LOCATION, there)]).into_response()
            }
        },
    }
}

/// What the address ends with to which another one redirects.
const MOVED: &str = "/here";

fn document(own: &str, redirect: &str) -> Value {
    json!({
        "client_id": own, "client_name": "rehearsal (test)", "application_type": "native", "redirect_uris": [redirect],
        "grant_types": ["authorization_code"], "response_types": ["code"], "token_endpoint_auth_method": "none",
    })
}
