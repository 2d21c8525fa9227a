//! From a refusal to a token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rehearsal::auth::client::{Consenting, Grant, Means, Memory, OAuth, Registered, Settings};
use rehearsal::mcp::{Identity, ToolOutcome};
use rehearsal::transcript::{Clock, Secrets};
use secrecy::SecretString;

use crate::modern::{legacy, modern};
use crate::provider::{
    AS_NONCE, Guard, Iss, RS_NONCE, Rules, any_token, authentication, authorization_server, proof,
    resource_server, token,
};
use crate::site::Site;
use crate::stage::{at, log, open_as};

/// A client id metadata document; nobody fetches it.
const DOCUMENT: &str = "https://client.example/metadata.json";

/// An ordinary client of a resource, with a client id of its own if one is given.
fn identity(resource: &Site, registered: Option<Registered>) -> Identity {
    let grant = Grant::Code {
        visitor: Arc::new(Consenting::new().unwrap()),
        registered,
        document: DOCUMENT.parse().ok(),
    };
    let settings = Settings::new(resource.at("/mcp"), grant);
    let means =
        Means { wallet: Arc::new(Memory::default()), secrets: Secrets::default(), clock: Clock::system() };
    Arc::new(OAuth::new(settings, means))
}

/// Opens a session, lists and calls; `Err` says at what it broke.
async fn play(resource: &Site, identity: &Identity) -> Result<(), String> {
    for profile in [legacy(), modern()] {
        let session = open_as(&at(resource.at("/mcp")), identity, &profile, &log())
            .await
            .map_err(|fault| fault.to_string())?;
        session.list_tools().await.map_err(|fault| fault.to_string())?;
        match session
            .call_tool("test-tool", &serde_json::json!({}))
            .await
            .map_err(|fault| fault.to_string())?
        {
            ToolOutcome::Returned { .. } => session.close().await,
            ToolOutcome::Refused(refusal) => return Err(refusal.message),
        }
    }
    Ok(())
}

/// A resource that any token opens, and its authorization server.
async fn pair(rules: Rules) -> (Site, Site) {
    let issuer = authorization_server(rules).await;
    let origin = issuer.origin.clone();
    (resource_server(move || origin.clone(), None, any_token()).await, issuer)
}

/// `auth/basic-cimd`: where the server supports it, a URL is the client id and nobody registers; where it does not, the
/// client registers as what it is. PKCE, `state` and `resource` are in order either way.
#[tokio::test]
async fn auth_basic_cimd() {
    for documents in [true, false] {
        let (resource, issuer) = pair(Rules { documents, ..Rules::default() }).await;
        play(&resource, &identity(&resource, None)).await.unwrap();

        let registrations = issuer.asked("/register");
        assert_eq!(registrations.len(), usize::from(!documents));
        for registration in registrations {
            assert_eq!(registration.json["application_type"], "native", "sep-837-application-type-present");
        }
        let authorization = &issuer.asked("/authorize")[0];
        let client = if documents { DOCUMENT } else { "registered-client" };
        assert_eq!(authorization.get("client_id"), client, "cimd-client-id-used");
        assert_eq!(authorization.get("code_challenge_method"), "S256");
        assert!(!authorization.get("state").is_empty());
        let exchange = &issuer.asked("/token")[0];
        let digest =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, exchange.get("code_verifier").as_bytes());
        let challenge = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, digest);
        assert_eq!(authorization.get("code_challenge"), challenge, "pkce-verifier-matches-challenge");
        for asked in [authorization, exchange] {
            assert_eq!(asked.get("resource"), resource.at("/mcp").as_str(), "resource-parameter");
        }
    }
}

/// `auth/token-endpoint-auth-*` and `auth/pre-registration`: the client authenticates as the server's metadata says.
#[tokio::test]
async fn auth_token_endpoint_auth() {
    let registered = ("registered-client", Some("registered-secret"), None);
    let known =
        |secret: &'static str| Some(Registered::new("known-client", Some(SecretString::from(secret))));
    for (method, (client, secret, own)) in [
        ("client_secret_basic", registered.clone()),
        ("client_secret_post", registered),
        ("none", ("registered-client", None, None)),
        ("client_secret_basic", ("known-client", Some("known-secret"), known("known-secret"))),
    ] {
        let rules = Rules { method, secret, ..Rules::default() };
        let (resource, issuer) = pair(rules).await;
        let pre_registered = own.is_some();
        play(&resource, &identity(&resource, own)).await.unwrap();
        assert_eq!(issuer.asked("/register").is_empty(), pre_registered, "{method} {client}");
        let sent = authentication(&issuer.asked("/token")[0]);
        assert_eq!(sent, (method, client.to_owned(), secret.unwrap_or_default().to_owned()));
    }
}

/// `auth/iss-*` and `auth/metadata-issuer-mismatch`: an answer of another issuer is no answer, to the byte.
#[tokio::test]
async fn auth_iss() {
    let right = Rules::default();
    for (scenario, rules, accepted) in [
        ("iss-supported", right.clone(), true),
        ("iss-not-advertised", Rules { promises_iss: None, iss: Iss::Absent, ..right.clone() }, true),
        ("iss-supported-missing", Rules { iss: Iss::Absent, ..right.clone() }, false),
        ("iss-wrong-issuer", Rules { iss: Iss::Wrong, ..right.clone() }, false),
        ("iss-unexpected", Rules { promises_iss: None, iss: Iss::Wrong, ..right.clone() }, false),
        ("iss-normalized", Rules { iss: Iss::Slashed, ..right.clone() }, false),
        (
            "metadata-issuer-mismatch",
            Rules { claims_to_be: Some("https://attacker.example.com"), ..right },
            false,
        ),
    ] {
        let mismatch = rules.claims_to_be.is_some();
        let (resource, issuer) = pair(rules).await;
        let played = play(&resource, &identity(&resource, None)).await;
        assert_eq!(played.is_ok(), accepted, "{scenario}: {played:?}");
        assert_eq!(issuer.asked("/authorize").is_empty(), mismatch, "{scenario}");
        assert_eq!(issuer.asked("/token").is_empty(), !accepted, "{scenario}");
    }
}

/// `auth/resource-mismatch`: metadata of another resource leads nowhere.
#[tokio::test]
async fn auth_resource_mismatch() {
    let issuer = authorization_server(Rules::default()).await;
    let origin = issuer.origin.clone();
    let foreign =
        resource_server(move || origin.clone(), Some("https://evil.example.com/mcp"), any_token()).await;
    let stopped = play(&foreign, &identity(&foreign, None)).await.unwrap_err();
    assert!(stopped.contains("evil.example.com"), "{stopped}");
    assert!(!foreign.asked("/.well-known/oauth-protected-resource/mcp").is_empty());
    assert!(issuer.asked("/authorize").is_empty() && issuer.asked("/register").is_empty());
}

/// A guard that wants a scope for each method; without a token 401, with too weak a token 403.
fn scoped(of: impl Fn(&str) -> &'static str + Send + Sync + 'static) -> Guard {
    Arc::new(move |asked| {
        let scope = of(asked.rpc());
        match token(asked) {
            _ if scope.is_empty() => Ok(()),
            None => Err((401, format!("Bearer scope=\"{scope}\","))),
            Some(token) if token.contains(scope) => Ok(()),
            Some(_) => Err((403, format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\","))),
        }
    })
}

/// `auth/scope-step-up`: a call that needs more gets it, and what was granted before is kept.
#[tokio::test]
async fn auth_scope_step_up() {
    let issuer = authorization_server(Rules::default()).await;
    let origin = issuer.origin.clone();
    let guard = scoped(|method| match method {
        "tools/list" => "mcp:basic",
        "tools/call" => "mcp:write",
        _ => "",
    });
    let resource = resource_server(move || origin.clone(), None, guard).await;
    play(&resource, &identity(&resource, None)).await.unwrap();
    let authorizations = issuer.asked("/authorize");
    let asked: Vec<_> = authorizations.iter().map(crate::site::Asked::scopes).collect();
    // The second session has all it needs.
    assert_eq!(asked, [vec!["mcp:basic"], vec!["mcp:basic", "mcp:write"]], "sep-2350-scope-union-on-reauth");
}

/// `auth/scope-retry-limit`: a server that is never content is left after a few tries.
#[tokio::test]
async fn auth_scope_retry_limit() {
    let issuer = authorization_server(Rules::default()).await;
    let origin = issuer.origin.clone();
    let guard: Guard = Arc::new(|asked| match token(asked) {
        None => Err((401, "Bearer scope=\"mcp:admin\",".to_owned())),
        Some(_) => Err((403, "Bearer error=\"insufficient_scope\", scope=\"mcp:admin\",".to_owned())),
    });
    let resource = resource_server(move || origin.clone(), None, guard).await;
    assert!(play(&resource, &identity(&resource, None)).await.is_err());
    let tries = issuer.asked("/authorize").len();
    assert!((1..=3).contains(&tries), "{tries}");
}

/// `auth/authorization-server-migration`: a resource that changes its authorization server gets a new client there, and
/// nothing of the old one is shown to the new one.
#[tokio::test]
async fn auth_authorization_server_migration() {
    let secret = Some("secret-of-the-first");
    let old = Rules {
        client: "client-of-the-first",
        secret,
        method: "client_secret_post",
        token: "first",
        ..Rules::default()
    };
    let new = Rules { client: "client-of-the-second", token: "second", ..Rules::default() };
    let (old, new) = (authorization_server(old).await, authorization_server(new).await);
    let migrated = Arc::new(AtomicBool::new(false));
    let (first, second, moved) = (old.origin.clone(), new.origin.clone(), Arc::clone(&migrated));
    let guard_moved = Arc::clone(&migrated);
    let guard: Guard = Arc::new(move |asked| {
        let wanted = if guard_moved.load(Ordering::Relaxed) { "second" } else { "first" };
        let good = token(asked).is_some_and(|token| token.starts_with(wanted));
        // Everything after the first list happens at the new server.
        guard_moved.fetch_or(good && asked.rpc() == "tools/list", Ordering::Relaxed);
        if good { Ok(()) } else { Err((401, "Bearer error=\"invalid_token\",".to_owned())) }
    });
    let issuer = move || if moved.load(Ordering::Relaxed) { second.clone() } else { first.clone() };
    let resource = resource_server(issuer, None, guard).await;
    play(&resource, &identity(&resource, None)).await.unwrap();

    assert_eq!(old.asked("/register").len(), 1);
    assert_eq!(new.asked("/register").len(), 1, "sep-2352-reregister-on-as-change");
    for path in ["/register", "/authorize", "/token"] {
        for asked in new.asked(path) {
            let text = format!("{asked:?}");
            assert!(!text.contains("client-of-the-first"), "sep-2352-no-reuse-on-as-change: {text}");
            assert!(!text.contains("secret-of-the-first"), "sep-2352-no-cross-as-credential-reuse: {text}");
        }
    }
    assert!(!new.asked("/token").is_empty());
}

/// `auth/dpop-nonce` (and with it `auth/dpop`): a token bound to a key is used with a fresh proof each time, and a nonce
/// that either server asks for is in the next one.
#[tokio::test]
async fn auth_dpop_nonce() {
    let issuer = authorization_server(Rules { dpop: true, ..Rules::default() }).await;
    let origin = issuer.origin.clone();
    let guard: Guard = Arc::new(|asked| match token(asked) {
        None => Err((401, "DPoP".to_owned())),
        Some(_) if proof(asked)["nonce"] != RS_NONCE => {
            Err((401, "DPoP error=\"use_dpop_nonce\",".to_owned()))
        }
        Some(_) => Ok(()),
    });
    let resource = resource_server(move || origin.clone(), None, guard).await;
    play(&resource, &identity(&resource, None)).await.unwrap();

    let exchanges = issuer.asked("/token");
    assert_eq!(proof(exchanges.last().unwrap())["nonce"], AS_NONCE, "sep-1932-client-as-nonce");
    assert_eq!(
        proof(&exchanges[0])["htu"],
        issuer.at("/token").as_str(),
        "sep-1932-client-token-request-proof"
    );
    let calls: Vec<_> = resource.asked("/mcp").into_iter().filter(|asked| token(asked).is_some()).collect();
    let mut proofs = std::collections::HashSet::new();
    for call in &calls {
        assert!(call.header("authorization").starts_with("DPoP "), "sep-1932-client-dpop-auth-scheme");
        let proof = proof(call);
        assert_eq!(
            (&proof["htm"], &proof["htu"]),
            (&call.method.as_str().into(), &resource.at("/mcp").as_str().into())
        );
        assert!(proofs.insert(proof["jti"].to_string()), "sep-1932-client-fresh-proof");
    }
    assert_eq!(proof(calls.last().unwrap())["nonce"], RS_NONCE, "sep-1932-client-rs-nonce");
}
