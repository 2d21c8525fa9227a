//! What came of a request for a code or a token. Pure.

use serde_json::Value;
use url::Url;

use super::super::reading::Exchange;
use crate::transcript::HttpSide;

/// What came of a request for a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// A code, at the address that was asked for.
    Code(String),
    /// An error there.
    Error(String),
    /// A redirect to another address.
    Elsewhere(Url),
    /// A page.
    Page,
    /// A refusal without a redirect.
    Refused(u16),
    /// Nothing that decides.
    Nothing(String),
}

impl std::fmt::Display for Came {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(_) => f.write_str("a code"),
            Self::Error(error) => write!(f, "the error `{}`", crate::display::excerpt(error, 60)),
            Self::Elsewhere(url) => write!(f, "a redirect to {}", url.host_str().unwrap_or("nowhere")),
            Self::Page => f.write_str("a page"),
            Self::Refused(status) => write!(f, "{status}"),
            Self::Nothing(why) => f.write_str(why),
        }
    }
}

/// What came of a request to the authorization endpoint.
pub(super) fn came(asked: &Url, response: &Result<HttpSide, String>) -> Came {
    let side = match response {
        Ok(side) => side,
        Err(why) => return Came::Nothing(format!("no answer ({})", crate::display::excerpt(why, 80))),
    };
    match side.status().unwrap_or_default() {
        301 | 302 | 303 | 307 | 308 => match side.header("location").and_then(|to| asked.join(to).ok()) {
            Some(to) => sent_back(asked, to),
            None => Came::Nothing("a redirect to nowhere".to_owned()),
        },
        200..=299 => Came::Page,
        status @ (429 | 500..) => Came::Nothing(status.to_string()),
        status => Came::Refused(status),
    }
}

fn sent_back(asked: &Url, to: Url) -> Came {
    let redirect = param(asked, "redirect_uri").and_then(|uri| Url::parse(&uri).ok());
    if redirect.as_ref().map(bare) != Some(bare(&to)) {
        return Came::Elsewhere(to);
    }
    match (param(&to, "code"), param(&to, "error")) {
        (Some(code), _) => Came::Code(code),
        (None, Some(error)) => Came::Error(error),
        (None, None) => Came::Nothing("a redirect with neither a code nor an error".to_owned()),
    }
}

/// A parameter of the query, or of the fragment.
pub(super) fn param(url: &Url, name: &str) -> Option<String> {
    let in_query = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let in_fragment = || {
        let pairs = url::form_urlencoded::parse(url.fragment()?.as_bytes());
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    in_query.or_else(in_fragment)
}

fn bare(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// The same from a record.
pub(super) fn came_of(exchange: &Exchange<'_>) -> Came {
    match Url::parse(exchange.url()) {
        Ok(asked) => came(&asked, exchange.response),
        Err(_) => Came::Nothing("an address that is none".to_owned()),
    }
}

/// Where a recorded request for a code was answered to.
pub(super) fn location(exchange: &Exchange<'_>) -> Option<Url> {
    Url::parse(exchange.url()).ok()?.join(exchange.side()?.header("location")?).ok()
}

/// The tokens in an answer of the token endpoint.
pub(super) fn tokens(response: &Result<HttpSide, String>) -> Option<Value> {
    let side = response.as_ref().ok().filter(|side| side.status() == Some(200))?;
    side.body.json().filter(|body| body.get("access_token").is_some_and(Value::is_string))
}

/// Whether an answer of the token endpoint is a refusal; `None` where it is neither that nor a grant.
pub(super) fn refused(response: &Result<HttpSide, String>) -> Option<bool> {
    if tokens(response).is_some() {
        return Some(false);
    }
    match response.as_ref().ok()?.status()? {
        429 | 500.. => None,
        _ => Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Body;

    fn answer(status: &str, location: &str) -> Result<HttpSide, String> {
        let headers = vec![("Location".to_owned(), location.to_owned())];
        Ok(HttpSide { start: status.to_owned(), headers, body: Body::Text(String::new()) })
    }

    #[test]
    fn answers_are_told_apart() {
        let asked = "https://as.example/authorize?redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb";
        let asked = Url::parse(asked).unwrap();
        let of = |status: &str, to: &str| came(&asked, &answer(status, to));
        assert_eq!(of("302", "http://127.0.0.1:1/cb?code=c&iss=i"), Came::Code("c".into()));
        assert_eq!(
            of("302", "http://127.0.0.1:1/cb#error=access_denied"),
            Came::Error("access_denied".into())
        );
        assert!(matches!(of("302", "/login"), Came::Elsewhere(_)));
        assert!(matches!(of("302", "http://127.0.0.1:1/cb/more?code=c"), Came::Elsewhere(_)));
        assert_eq!(of("200", ""), Came::Page);
        assert_eq!(of("400", ""), Came::Refused(400));
        assert!(matches!(of("503", ""), Came::Nothing(_)));
    }
}
