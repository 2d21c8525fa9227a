//! The way to the authorization page and the answer that comes back from it. Pure.

use url::Url;

use super::fault;
use super::metadata::ServerMetadata;
use crate::display;
use crate::transcript::Fault;

/// What a request for authorization says, besides what never varies.
pub(super) struct Request<'a> {
    pub(super) client: &'a str,
    pub(super) redirect: &'a str,
    pub(super) challenge: &'a str,
    pub(super) state: &'a str,
    pub(super) scopes: &'a [String],
    pub(super) resource: Option<&'a str>,
}

impl Request<'_> {
    /// The address to visit. A query that the endpoint has already stays (RFC 6749 section 3.1).
    pub(super) fn at(&self, endpoint: &Url) -> Url {
        let mut url = endpoint.clone();
        url.set_fragment(None);
        let scope = self.scopes.join(" ");
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", self.client)
            .append_pair("redirect_uri", self.redirect)
            .append_pair("code_challenge", self.challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("state", self.state);
        if !scope.is_empty() {
            query.append_pair("scope", &scope);
        }
        if self.scopes.iter().any(|scope| scope == "offline_access") {
            // OpenID Connect Core section 11 ignores the scope without it.
            query.append_pair("prompt", "consent");
        }
        if let Some(resource) = self.resource {
            query.append_pair("resource", resource);
        }
        drop(query);
        url
    }
}

/// What an answer is held against.
pub(super) struct Expected<'a> {
    pub(super) redirect: &'a str,
    pub(super) state: &'a str,
    pub(super) server: &'a ServerMetadata,
}

impl Expected<'_> {
    /// The code of an answer, if everything about it is right. Who speaks is settled before what is said: an answer
    /// with a wrong `state` or `iss` may come from an attacker, and nothing of it is shown.
    pub(super) fn code(&self, answer: &Url) -> Result<String, Fault> {
        let wrong = |text: &str| Err(fault("credentials.callback", text));
        if bare(answer.clone()) != Url::parse(self.redirect).ok().and_then(bare) {
            return wrong("the answer of the authorization server went to another address than ours");
        }
        let get = |name: &str| -> Result<Option<String>, Fault> {
            let mut values = answer.query_pairs().filter(|(known, _)| known == name);
            let value = values.next().map(|(_, value)| value.into_owned());
            match values.next() {
                None => Ok(value),
                Some(_) => Err(fault("credentials.callback", format!("the answer names `{name}` twice"))),
            }
        };
        if get("state")?.as_deref() != Some(self.state) {
            return wrong(
                "the answer does not carry our `state`: it belongs to another request, or is forged",
            );
        }
        // RFC 9207 section 2.4: compared to the byte, and also where it was not announced.
        let announced = self.server.authorization_response_iss_parameter_supported == Some(true);
        match get("iss")? {
            Some(iss) if iss != self.server.issuer => {
                return wrong("the answer comes from another issuer (`iss`) than the one that was asked");
            }
            None if announced => {
                return wrong("the answer lacks `iss`, which the authorization server promises");
            }
            _ => {}
        }
        if let Some(error) = get("error")? {
            let why = get("error_description")?
                .map_or_else(String::new, |why| format!(": {}", display::excerpt(&why, 200)));
            let error = display::excerpt(&error, 60);
            return Err(fault(
                "credentials.consent",
                format!("authorization was refused with `{error}`{why}"),
            ));
        }
        match get("code")?.filter(|code| !code.is_empty()) {
            Some(code) => Ok(code),
            None => wrong("the answer holds neither a code nor an error"),
        }
    }
}

fn bare(mut url: Url) -> Option<Url> {
    url.set_query(None);
    url.fragment().is_none().then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACK: &str = "http://127.0.0.1:7777/callback";

    #[test]
    fn the_request_says_everything_once() {
        let request = Request {
            client: "c",
            redirect: BACK,
            challenge: "ch",
            state: "st",
            scopes: &["a".to_owned(), "b".to_owned()],
            resource: Some("https://x.example"),
        };
        let url = request.at(&Url::parse("https://as.example/authorize?tenant=1#x").unwrap());
        assert_eq!(
            url.as_str(),
            "https://as.example/authorize?tenant=1&response_type=code&client_id=c&redirect_uri=http%3A%2F%2F127.0.0.1%3A7777%2Fcallback&code_challenge=ch&code_challenge_method=S256&state=st&scope=a+b&resource=https%3A%2F%2Fx.example"
        );
        let bare = Request { scopes: &[], resource: None, ..request };
        let url = bare.at(&Url::parse("https://as.example/authorize").unwrap());
        assert!(!url.as_str().contains("scope=") && !url.as_str().contains("resource="), "{url}");
    }

    fn code(query: &str, announced: Option<bool>) -> Result<String, Fault> {
        let server = ServerMetadata {
            issuer: "https://as.example".into(),
            authorization_response_iss_parameter_supported: announced,
            ..ServerMetadata::default()
        };
        let expected = Expected { redirect: BACK, state: "st", server: &server };
        expected.code(&Url::parse(&format!("{BACK}?{query}")).unwrap())
    }

    #[test]
    fn a_right_answer_gives_its_code() {
        let own = "code=c1&state=st&iss=https%3A%2F%2Fas.example";
        for (query, announced) in [
            (own, Some(true)),
            (own, Some(false)),
            (own, None),
            ("code=c1&state=st", Some(false)),
            ("code=c1&state=st", None),
        ] {
            assert_eq!(code(query, announced).unwrap(), "c1", "{query} {announced:?}");
        }
    }

    #[test]
    fn a_wrong_answer_is_refused_and_not_quoted() {
        let iss = "iss=https%3A%2F%2Fas.example";
        for (query, announced, why) in [
            ("code=c1".to_owned(), None, "does not carry our `state`"),
            ("code=c1&state=other".to_owned(), None, "does not carry our `state`"),
            ("code=c1&state=st&state=st".to_owned(), None, "names `state` twice"),
            ("code=c1&state=st".to_owned(), Some(true), "lacks `iss`"),
            ("code=c1&state=st&iss=https%3A%2F%2Fevil.example".to_owned(), Some(true), "another issuer"),
            ("code=c1&state=st&iss=https%3A%2F%2Fevil.example".to_owned(), None, "another issuer"),
            (format!("code=c1&state=st&{iss}%2F"), Some(true), "another issuer"),
            (format!("code=c1&state=st&{iss}%3A443"), Some(true), "another issuer"),
            (format!("code=c1&state=st&{iss}&{iss}"), Some(true), "names `iss` twice"),
            ("error=evil-text&state=st".to_owned(), Some(true), "lacks `iss`"),
            ("error=evil-text&error_description=evil-text&state=st&iss=x".to_owned(), None, "another issuer"),
            ("error=evil-text&state=x".to_owned(), None, "does not carry our `state`"),
            (format!("state=st&{iss}"), Some(true), "neither a code nor an error"),
            (format!("code=&state=st&{iss}"), Some(true), "neither a code nor an error"),
        ] {
            let fault = code(&query, announced).unwrap_err();
            assert_eq!(fault.code, "credentials.callback", "{query}");
            assert!(fault.message.contains(why), "{query}: {}", fault.message);
            assert!(!fault.message.contains("evil-text"), "{}", fault.message);
        }
    }

    #[test]
    fn an_error_of_the_right_issuer_is_told_inertly() {
        let fault = code("error=access_denied&error_description=no%1b[31m&state=st", None).unwrap_err();
        assert_eq!(fault.code, "credentials.consent");
        assert!(fault.message.contains("`access_denied`") && !fault.message.contains('\u{1b}'), "{fault:?}");
    }

    #[test]
    fn an_answer_elsewhere_is_no_answer() {
        let server = ServerMetadata::default();
        let expected = Expected { redirect: BACK, state: "st", server: &server };
        for elsewhere in [
            "http://127.0.0.1:7777/callback/more?code=c&state=st",
            "http://127.0.0.1:7778/callback?code=c&state=st",
            "http://localhost:7777/callback?code=c&state=st",
            "https://127.0.0.1:7777/callback?code=c&state=st",
        ] {
            assert!(expected.code(&Url::parse(elsewhere).unwrap()).is_err(), "{elsewhere}");
        }
    }
}
