//! The same server before another one, which it asks in the name of a client of its own.

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Params, Server, Shared, refuse};

/// Asks a person.
pub(super) fn page(server: &Server) -> Response {
    let cookie = match server.broken("J09.cookies") {
        true => "consent=none; Path=/; HttpOnly",
        false => "__Host-consent=none; Path=/; Secure; HttpOnly; SameSite=Lax",
    };
    let headers = [(header::CONTENT_TYPE, "text/html"), (header::SET_COOKIE, cookie)];
    (headers, "<form>may it?</form>").into_response()
}

/// Asks the upstream server.
pub(super) fn forward(server: &Server, asked: &Params) -> Response {
    let of = |name: &str| asked.get(name).cloned().unwrap_or_default();
    let state = match server.broken("J09.state") {
        true => of("state"),
        false => server.kept().name("state"),
    };
    let state = if server.broken("J09.state.same") { "always".to_owned() } else { state };
    server.kept().forwarded.insert(state.clone(), of("redirect_uri"));
    let mut to =
        url::Url::parse("https://upstream.example/authorize?response_type=code&client_id=the-proxy").unwrap();
    to.query_pairs_mut()
        .append_pair("redirect_uri", &format!("{}/callback", server.origin))
        .append_pair("state", &state);
    (StatusCode::FOUND, [(header::LOCATION, to.to_string())]).into_response()
}

/// The upstream server has answered.
pub(super) async fn callback(State(server): Shared, Query(asked): Query<Params>) -> Response {
    let state = asked.get("state").cloned().unwrap_or_default();
    let mut kept = server.kept();
    let back = match server.broken("J09.state.again") {
        true => kept.forwarded.get(&state).cloned(),
        false => kept.forwarded.remove(&state),
    };
    let any = || server.broken("J09.state.any").then(|| "http://127.0.0.1:43117/callback".to_owned());
    match back.or_else(any) {
        Some(back) => {
            (StatusCode::FOUND, [(header::LOCATION, format!("{back}?error=access_denied"))]).into_response()
        }
        None => refuse("invalid_request"),
    }
}
