//! Where a token may be: in one `Authorization` header, under the scheme Bearer, and nowhere else.

use axum::body::Bytes;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Server;

/// What a request brought along.
pub(super) enum Found {
    /// No token where one counts.
    Nothing,
    /// A token, not looked at yet.
    Token(String),
    /// Several.
    Ambiguous,
    /// The server stumbles.
    Crash,
}

/// The text of a header.
pub(super) fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

/// A field of a query or a form.
fn field(text: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(text.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

impl Server {
    /// The token of a request.
    pub(super) fn token(&self, parts: &Parts, body: &Bytes) -> Found {
        if parts.headers.get_all("authorization").iter().count() > 1 && !self.broken("E04") {
            return Found::Ambiguous;
        }
        let in_query = || field(parts.uri.query()?, "access_token");
        let Some(value) = header(parts, "authorization") else {
            return self.elsewhere(parts, body, in_query()).map_or(Found::Nothing, Found::Token);
        };
        if self.broken("E03")
            && let Some(token) = in_query()
        {
            return Found::Token(token);
        }
        self.under_scheme(value)
    }

    fn under_scheme(&self, value: &str) -> Found {
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        let bearer = match self.broken("E05") {
            true => scheme == "Bearer",
            false => scheme.eq_ignore_ascii_case("bearer"),
        };
        let basic = scheme.eq_ignore_ascii_case("basic");
        if bearer && token.starts_with(' ') {
            return if self.broken("E06.spaces") { Found::Crash } else { Found::Token(token.to_owned()) };
        }
        if basic && self.broken("E06.basic") {
            let decoded = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = decoded.unwrap_or_else(|| token.to_owned());
            return Found::Token(pair.rsplit(':').next().unwrap_or_default().to_owned());
        }
        let other = self.broken("E06") && !basic && !scheme.eq_ignore_ascii_case("bearer");
        match (bearer || other) && !token.is_empty() {
            true => Found::Token(token.to_owned()),
            false => Found::Nothing,
        }
    }

    /// Where no token counts, except for the flaws.
    fn elsewhere(&self, parts: &Parts, body: &Bytes, in_query: Option<String>) -> Option<String> {
        if self.broken("E01") {
            return in_query;
        }
        if self.broken("E02.cookie") {
            let cookies = header(parts, "cookie")?;
            let mut pairs = cookies.split("; ").filter_map(|cookie| cookie.split_once('='));
            return pairs.find(|(name, _)| *name == "access_token").map(|(_, value)| value.to_owned());
        }
        if self.broken("E02.header") {
            return header(parts, "x-access-token").map(str::to_owned);
        }
        if self.broken("E02.form") && is_form(parts) {
            return field(std::str::from_utf8(body).ok()?, "access_token");
        }
        None
    }
}

/// Whether the body is a form.
pub(super) fn is_form(parts: &Parts) -> bool {
    header(parts, "content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}
