//! Which client id is used: pre-registered, then a client id metadata document, then dynamic registration.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::courier::Courier;
use super::metadata::ServerMetadata;
use super::settings::Registered;
use super::wallet::{Client, ClientAuth};
use super::{Means, fault};
use crate::display;
use crate::transcript::Fault;

/// What a client may present.
pub(super) struct Papers<'a> {
    pub(super) registered: Option<&'a Registered>,
    pub(super) document: Option<&'a Url>,
    /// Where an answer may come back to; none for a machine, which has nothing to register.
    pub(super) redirect: Option<&'a str>,
}

/// How a client gets its id at a server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It has one already.
    Registered,
    /// The URL of its metadata document is its id. Portable: nothing about it is kept per issuer.
    Document(String),
    /// It registers at this endpoint, or has done so before.
    Dynamic(Url),
}

/// Decides. `bound` is the issuer that a pre-registered client belongs to.
pub(super) fn way(papers: &Papers<'_>, bound: Option<&str>, server: &ServerMetadata) -> Result<Way, Fault> {
    if papers.registered.is_some() && bound == Some(server.issuer.as_str()) {
        return Ok(Way::Registered);
    }
    if let (Some(document), Some(true)) = (papers.document, server.client_id_metadata_document_supported) {
        return Ok(Way::Document(document.as_str().to_owned()));
    }
    match &server.registration_endpoint {
        Some(endpoint) if papers.redirect.is_some() => Ok(Way::Dynamic(endpoint.clone())),
        _ if papers.registered.is_some() => Err(fault(
            "credentials.registration",
            format!(
                "the client id belongs to the issuer `{}`, and the target now names `{}`; credentials of one issuer are never shown to another",
                display::excerpt(bound.unwrap_or_default(), 200),
                display::excerpt(&server.issuer, 200)
            ),
        )),
        _ => Err(fault(
            "credentials.registration",
            "the authorization server registers no clients by itself; obtain a client id from it and pass it",
        )),
    }
}

/// Whether a client kept from earlier still serves: same redirect address, secret not at its end.
pub(super) fn serves(client: &Client, redirect: &str, now: i64) -> bool {
    client.redirect.as_deref() == Some(redirect) && client.expires.is_none_or(|end| end > now)
}

#[derive(Deserialize)]
struct Registration {
    client_id: String,
    #[serde(default)]
    client_secret: Option<String>,
    #[serde(default)]
    client_secret_expires_at: Option<i64>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
}

/// Registers (RFC 7591).
pub(super) async fn register(
    courier: &Courier,
    endpoint: &Url,
    redirect: &str,
    server: &ServerMetadata,
    means: &Means,
) -> Result<Client, Fault> {
    let methods = server.auth_methods();
    // A program on a person's machine keeps no secret, so `none` says the truth where it is allowed.
    let method = [ClientAuth::None, ClientAuth::Basic, ClientAuth::Post]
        .into_iter()
        .find(|method| methods.contains(&method.name()))
        .unwrap_or(ClientAuth::None);
    let body = json!({
        "client_name": "rehearsal",
        "application_type": "native",
        "redirect_uris": [redirect],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method.name(),
    });
    let reply = courier.post_json(endpoint, &body).await?;
    let made: Option<Registration> = reply.object().and_then(|value| serde_json::from_value(value).ok());
    let Some(made) = made.filter(|made| !made.client_id.is_empty()) else {
        let said = super::token_endpoint::said(&reply);
        let text =
            format!("the authorization server did not register the client (HTTP {}{said})", reply.status);
        return Err(fault("credentials.registration", text));
    };
    let secret = made.client_secret.filter(|secret| !secret.is_empty()).map(|secret| {
        means.secrets.register("client-secret", &secret);
        SecretString::from(secret)
    });
    Ok(Client {
        id: made.client_id,
        secret,
        key: None,
        auth: made.token_endpoint_auth_method.as_deref().and_then(ClientAuth::named),
        redirect: Some(redirect.to_owned()),
        expires: made.client_secret_expires_at.filter(|end| *end > 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(document: Option<bool>, registers: bool) -> ServerMetadata {
        ServerMetadata {
            issuer: "https://as.example".into(),
            client_id_metadata_document_supported: document,
            registration_endpoint: registers.then(|| Url::parse("https://as.example/register").unwrap()),
            ..ServerMetadata::default()
        }
    }

    #[test]
    fn the_order_is_registered_document_dynamic() {
        let own = Registered::new("id", None);
        let url = Url::parse("https://me.example/client.json").unwrap();
        let here = Some("https://as.example");
        let elsewhere = Some("https://old.example");
        for (registered, document, bound, server, expected) in [
            (true, true, here, server(Some(true), true), "registered"),
            (false, true, None, server(Some(true), true), "document"),
            (true, true, elsewhere, server(Some(true), true), "document"),
            (false, true, None, server(Some(false), true), "dynamic"),
            (false, true, None, server(None, true), "dynamic"),
            (false, false, None, server(Some(true), true), "dynamic"),
            (true, false, elsewhere, server(None, true), "dynamic"),
            (true, false, elsewhere, server(None, false), "never shown to another"),
            (false, true, None, server(None, false), "obtain a client id"),
        ] {
            let papers = Papers {
                registered: registered.then_some(&own),
                document: document.then_some(&url),
                redirect: Some("http://127.0.0.1/"),
            };
            match way(&papers, bound, &server) {
                Ok(Way::Registered) => assert_eq!(expected, "registered"),
                Ok(Way::Document(id)) => assert_eq!((expected, id.as_str()), ("document", url.as_str())),
                Ok(Way::Dynamic(_)) => assert_eq!(expected, "dynamic"),
                Err(fault) => assert!(fault.message.contains(expected), "{expected}: {}", fault.message),
            }
        }
    }

    #[test]
    fn a_machine_has_nothing_to_register() {
        let own = Registered::new("id", None);
        let papers = Papers { registered: Some(&own), document: None, redirect: None };
        assert!(way(&papers, Some("https://as.example"), &server(None, true)).is_ok());
        assert!(way(&papers, Some("https://old.example"), &server(None, true)).is_err());
    }

    #[test]
    fn an_old_client_serves_only_where_it_was_registered_for() {
        let client = Client {
            id: "c".into(),
            secret: None,
            key: None,
            auth: None,
            redirect: Some("http://127.0.0.1:1/".into()),
            expires: Some(100),
        };
        assert!(serves(&client, "http://127.0.0.1:1/", 99));
        assert!(!serves(&client, "http://127.0.0.1:1/", 100));
        assert!(!serves(&client, "http://127.0.0.1:2/", 99));
    }
}
