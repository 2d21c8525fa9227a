//! Personas that draw their tokens from the issuer or from the environment.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rehearsal::auth::identity::TOKEN_VARIABLE;
use rehearsal::auth::{Authority, FromEnv, HeaderFromEnv, IdentitySpec, Issuer, Persona, identity};
use rehearsal::ids::PersonaName;
use rehearsal::mcp::{Asking, Rejection};
use rehearsal::transcript::{Clock, Secrets, Side};
use secrecy::ExposeSecret;

use crate::world::{AUDIENCE, clerk};

fn persona(identity: IdentitySpec) -> Persona {
    Persona { name: PersonaName::from("clerk"), description: String::new(), identity }
}

fn authority(issuer: Option<Arc<Issuer>>, clock: Clock) -> Authority {
    Authority {
        issuer,
        audience: AUDIENCE.to_owned(),
        env: Arc::new(|name| (name == "BOOKSHOP_KEY").then(|| "key-0123456789".to_owned())),
        secrets: Secrets::default(),
        clock,
        route: rehearsal::net::Route::default(),
        wallet: std::sync::Arc::new(rehearsal::auth::client::Memory::default()),
        old_servers: false,
    }
}

fn asking<'a>(url: &'a url::Url, refused: Option<&'a Rejection>) -> Asking<'a> {
    Asking { method: "POST", url, refused, log: None }
}

#[tokio::test]
async fn minted_identities_renew_their_token_in_time() {
    let hand = Arc::new(Mutex::new(Duration::ZERO));
    let seen = Arc::clone(&hand);
    let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, move || *seen.lock().unwrap());
    let issuer = Arc::new(Issuer::start(Secrets::default(), clock.clone()).await.unwrap());
    let source = identity(&persona(IdentitySpec::Minted(clerk())), &authority(Some(issuer), clock)).unwrap();
    let url = url::Url::parse(AUDIENCE).unwrap();
    let refused = Rejection { status: 401, attempt: 1, ..Rejection::default() };
    let current = async || {
        let headers = source.headers(asking(&url, None)).await.unwrap();
        assert_eq!(headers[0].0, "authorization");
        headers[0].1.expose_secret().to_owned()
    };
    let first = current().await;
    *hand.lock().unwrap() = Duration::from_secs(225);
    assert_eq!(current().await, first, "three quarters of five minutes are not over");
    *hand.lock().unwrap() = Duration::from_secs(226);
    let second = current().await;
    assert_ne!(second, first, "less than a quarter is left");
    let third = source.headers(asking(&url, Some(&refused))).await.unwrap();
    assert_ne!(third[0].1.expose_secret(), second, "a refused token is not sent again");
    assert_eq!(source.env()[0].0, TOKEN_VARIABLE);
}

#[tokio::test]
async fn missing_credentials_are_named() {
    let url = url::Url::parse(AUDIENCE).unwrap();
    let bearer = |env: &str| persona(IdentitySpec::Bearer(FromEnv { env: env.to_owned() }));
    let rights = authority(None, Clock::system());
    let fault = identity(&bearer("BOOKSHOP_TOKEN"), &rights).err().unwrap();
    assert_eq!((fault.side, fault.code.as_str()), (Side::Auth, "credentials.missing"));
    insta::assert_snapshot!(fault.message, @"persona `clerk` needs the environment variable `BOOKSHOP_TOKEN`, which is not set");
    let fault = identity(&persona(IdentitySpec::Minted(clerk())), &rights).err().unwrap();
    assert_eq!(fault.code, "credentials.missing");

    let source = identity(&bearer("BOOKSHOP_KEY"), &rights).unwrap();
    assert_eq!(
        source.headers(asking(&url, None)).await.unwrap()[0].1.expose_secret(),
        "Bearer key-0123456789"
    );
    assert_eq!(rights.secrets.redact("key-0123456789"), "[secret:BOOKSHOP_KEY]");
    let header = HeaderFromEnv { name: "x-api-key".into(), env: "BOOKSHOP_KEY".into() };
    let source = identity(&persona(IdentitySpec::Header(header)), &rights).unwrap();
    assert_eq!(source.headers(asking(&url, None)).await.unwrap()[0].0, "x-api-key");
    assert_eq!(source.env()[0].0, "BOOKSHOP_KEY");
}
