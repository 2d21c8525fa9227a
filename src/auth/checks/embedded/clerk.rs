//! Finds the authorization server and speaks to it; it sends whatever it is told to.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::outcome::{Came, came, tokens};
pub(super) use crate::auth::checks::stopping::stop;
use crate::auth::discover::{
    RESOURCE, SERVER, first_server, json_document, resource_candidates, resource_metadata_url,
    server_candidates,
};
use crate::auth::keys::{b64, random_text};
use crate::auth::prober::{Ask, Credentials, Prober};
use crate::transcript::Fault;

/// Where codes are sent: nobody listens there, and nobody follows.
pub(super) const REDIRECT: &str = "http://127.0.0.1:43117/callback";

/// The state of our requests.
pub(super) const STATE: &str = "rehearsal";

/// The authorization server, found.
pub(super) struct Clerk<'a> {
    pub(super) prober: &'a Prober,
    /// The resource as its metadata calls it.
    pub(super) resource: String,
    pub(super) metadata: Value,
    authorize: Url,
    token: Url,
    register: Option<Url>,
}

/// A verifier and its challenge.
pub(super) struct Pair {
    pub(super) verifier: String,
    pub(super) challenge: String,
}

impl Pair {
    pub(super) fn new(prober: &Prober) -> Result<Self, Fault> {
        let verifier = random_text()?;
        prober.keep_secret("code-verifier", &verifier);
        let challenge = b64(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()));
        Ok(Self { verifier, challenge })
    }
}

/// The target's own authorization server; `None` where it has none, which the record says.
pub(super) async fn meet(prober: &Prober) -> Option<Clerk<'_>> {
    match find(prober).await {
        Ok(clerk) => Some(clerk),
        Err(why) => {
            stop(prober, &why);
            None
        }
    }
}

async fn find(prober: &Prober) -> Result<Clerk<'_>, String> {
    let nobody = Credentials::none();
    let talk = prober.converse("no token", &nobody).await;
    let named = talk.last.as_ref().ok().and_then(resource_metadata_url).and_then(|url| Url::parse(&url).ok());
    prober.close(talk.session, &nobody).await;
    let mut resource = None;
    for (how, url) in resource_candidates(prober.target(), named) {
        let document = prober.document(&format!("{RESOURCE}: {how}"), url).await;
        resource = document.ok().as_ref().and_then(json_document);
        if resource.is_some() {
            break;
        }
    }
    // A server of 2025-03-26 without metadata is its own authorization server.
    let origin = prober.target().origin().ascii_serialization();
    let server = resource.as_ref().and_then(first_server).unwrap_or(&origin);
    let issuer = Url::parse(server).map_err(|_| "its issuer is no address (see B04)".to_owned())?;
    let mut metadata = None;
    for (how, url) in server_candidates(&issuer) {
        metadata =
            prober.document(&format!("{SERVER}: {how}"), url).await.ok().as_ref().and_then(json_document);
        if metadata.is_some() {
            break;
        }
    }
    let metadata = metadata.ok_or("no metadata of an authorization server was found (see C01)")?;
    let place = |name: &str| metadata.get(name).and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
    let authorize = place("authorization_endpoint").ok_or("its metadata names no authorization endpoint")?;
    let token = place("token_endpoint").ok_or("its metadata names no token endpoint")?;
    let own = [&issuer, &authorize].iter().any(|url| url.origin() == prober.target().origin());
    if !own && !prober.facts().embedded_server {
        return Err(
            "the authorization server is elsewhere, and the suite does not say that it belongs to the \
                    target (`auth_checks.facts.embedded_server`)"
                .to_owned(),
        );
    }
    let resource = resource.as_ref().and_then(|document| document.get("resource")).and_then(Value::as_str);
    let resource = resource.unwrap_or(prober.audience()).to_owned();
    Ok(Clerk { prober, resource, register: place("registration_endpoint"), metadata, authorize, token })
}

/// What an ordinary native client says of itself.
pub(super) fn described(redirect: &str) -> Value {
    json!({
        "client_name": "rehearsal (test)", "application_type": "native", "redirect_uris": [redirect],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    })
}

impl Clerk<'_> {
    /// Registers a client: its id. `None` where it is refused, or where nobody can be registered, which the record says.
    pub(super) async fn register(&self, label: &str, described: &Value) -> Option<String> {
        let registered = self.enrol(label, described).await?;
        registered.get("client_id")?.as_str().map(str::to_owned)
    }

    /// The same: all that the server says of the client.
    pub(super) async fn enrol(&self, label: &str, described: &Value) -> Option<Value> {
        let Some(url) = self.register.clone() else {
            stop(self.prober, "its metadata names no registration endpoint");
            return None;
        };
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let body = Some(described.to_string());
        let ask = Ask { label, method: Method::POST, url, headers, body };
        let side = self.prober.send_discreetly(ask).await.ok()?;
        if let Some(status @ (401 | 403 | 404 | 405)) = side.status() {
            stop(self.prober, &format!("the registration endpoint takes no strangers, {status}"));
        }
        let created = matches!(side.status(), Some(200 | 201));
        side.body.json().filter(|_| created)
    }

    /// Asks for a code as a good client would, but for the changes: a value in place of the usual one, or none.
    pub(super) async fn authorize(
        &self,
        label: &str,
        (client, pair): (&str, &Pair),
        changes: &[(&str, Option<&str>)],
    ) -> Came {
        let usual = self.usual((client, pair));
        let mut url = self.authorize.clone();
        url.query_pairs_mut()
            .extend_pairs(changed(&usual, changes))
            .extend_pairs(&self.prober.facts().consent);
        self.visit(label, url).await
    }

    /// The same as somebody whom nobody has told how to consent by itself.
    pub(super) async fn knock(&self, label: &str, (client, pair): (&str, &Pair)) -> Came {
        let without: Vec<(&str, Option<&str>)> =
            self.prober.facts().consent.keys().map(|name| (name.as_str(), None)).collect();
        let mut url = self.authorize.clone();
        url.query_pairs_mut().extend_pairs(changed(&self.usual((client, pair)), &without));
        self.visit(label, url).await
    }

    /// Whether an address is at the authorization server.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.authorize.origin()
    }

    /// Follows an address, as a browser would.
    pub(super) async fn visit(&self, label: &str, url: Url) -> Came {
        let ask = Ask { label, method: Method::GET, url: url.clone(), headers: vec![], body: None };
        came(&url, &self.prober.send_discreetly(ask).await)
    }

    /// What a good request for a code holds.
    fn usual<'a>(&'a self, (client, pair): (&'a str, &'a Pair)) -> [(&'a str, &'a str); 7] {
        [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", REDIRECT),
            ("code_challenge", &pair.challenge),
            ("code_challenge_method", "S256"),
            ("resource", &self.resource),
            ("state", STATE),
        ]
    }

    /// Redeems a code, but for the changes.
    pub(super) async fn redeem(
        &self,
        label: &str,
        (client, pair, code): (&str, &Pair, &str),
        changes: &[(&str, Option<&str>)],
    ) -> Option<Value> {
        let usual = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", client),
            ("redirect_uri", REDIRECT),
            ("code_verifier", &pair.verifier),
            ("resource", &self.resource),
        ];
        self.post(label, &usual, changes).await
    }

    /// Renews.
    pub(super) async fn renew(&self, label: &str, client: &str, refresh: &str) -> Option<Value> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh),
            ("client_id", client),
            ("resource", &self.resource),
        ];
        self.post(label, &form, &[]).await
    }

    /// Sends a form to the token endpoint, but for the changes: the tokens, if some came.
    pub(super) async fn post(
        &self,
        label: &str,
        usual: &[(&str, &str)],
        changes: &[(&str, Option<&str>)],
    ) -> Option<Value> {
        self.submit(label, &changed(usual, changes), None).await
    }

    /// Sends a form to the token endpoint, with this `Authorization` if any: the tokens, if some came.
    pub(super) async fn submit(
        &self,
        label: &str,
        form: &[(String, String)],
        authorization: Option<String>,
    ) -> Option<Value> {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let kind = "application/x-www-form-urlencoded".to_owned();
        let mut headers =
            vec![("content-type".to_owned(), kind), ("accept".to_owned(), "application/json".to_owned())];
        headers.extend(authorization.map(|value| ("authorization".to_owned(), value)));
        let body = Some(form);
        let ask = Ask { label, method: Method::POST, url: self.token.clone(), headers, body };
        tokens(&self.prober.send_discreetly(ask).await)
    }
}

/// The usual pairs with the changes.
fn changed(usual: &[(&str, &str)], changes: &[(&str, Option<&str>)]) -> Vec<(String, String)> {
    let pairs = usual.iter().filter_map(|(name, value)| {
        let value = match changes.iter().find(|(changed, _)| changed == name) {
            None => value,
            Some((_, changed)) => changed.as_ref()?,
        };
        Some(((*name).to_owned(), (*value).to_owned()))
    });
    pairs.collect()
}
