//! What passes between an identity and its authorization servers is in the record of whoever caused it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::{Body, Bytes};
use axum::http::Response;
use rehearsal::mcp::{Asking, Rejection, TokenSource};
use rehearsal::transcript::event::AuthMessage;
use rehearsal::transcript::{Recorder, What};

use crate::world::{Seen, World, ok, resource, server, with};

/// The messages of a record.
fn messages(log: &Recorder) -> Vec<AuthMessage> {
    let events = (0..log.len() as u32).filter_map(|seq| log.event(seq));
    let messages = events.map(|event| match event.what {
        What::Auth(message) => message,
        other => panic!("{other:?}"),
    });
    messages.collect()
}

/// The messages in short, without the base.
fn told(world: &World, log: &Recorder) -> Vec<String> {
    let told = messages(log).into_iter().map(|message| match message {
        AuthMessage::Sent { request } => {
            let start = request.start.replace(world.base(), "");
            format!("> {}", start.split('?').next().unwrap_or_default())
        }
        AuthMessage::Received { answer: Ok(answer), .. } => format!("< {}", answer.start),
        AuthMessage::Received { answer: Err(why), .. } => format!("< {why}"),
        AuthMessage::Noted { message } => message.replace(world.base(), ""),
    });
    told.collect()
}

#[tokio::test]
async fn the_whole_way_to_a_token_is_recorded_without_a_secret() {
    let world = World::polite().await;
    let log = world.log();
    world.ask_into(&world.oauth(), Some(&log)).await.unwrap();
    assert_eq!(
        told(&world, &log),
        [
            "> GET /.well-known/oauth-protected-resource/mcp",
            "< 200",
            "> GET /.well-known/oauth-authorization-server",
            "< 200",
            "> POST /register",
            "< 201",
            "> GET /authorize",
            "< 302",
            "> POST /token",
            "< 200",
        ]
    );
    let all = messages(&log);
    let AuthMessage::Sent { request } = &all[8] else { panic!("{:?}", all[8]) };
    let body = request.body.to_text().into_owned();
    let seen = &world.seen("POST /token")[0];
    for name in [
        "grant_type=authorization_code",
        "code=",
        "code_verifier=[secret:code-verifier]",
        "client_id=client-1",
    ] {
        assert!(body.contains(name), "{body}");
    }
    assert_eq!(request.header("content-length"), Some(seen.header("content-length")));
    assert_eq!(request.header("user-agent"), Some(seen.header("user-agent")));
    assert_eq!(request.header("host"), Some(seen.header("host")));
    let AuthMessage::Received { answer: Ok(answer), .. } = &all[9] else { panic!("{:?}", all[9]) };
    let body = answer.body.to_text().into_owned();
    assert!(body.contains("[secret:access-token]") && body.contains("[secret:refresh-token]"), "{body}");
    let text = format!("{all:?}");
    for secret in ["access-token-1", "refresh-token-1", seen.field("code_verifier")] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test]
async fn a_broken_answer_is_recorded_as_far_as_it_came_and_its_token_is_not() {
    let script =
        |seen: &Seen| (seen.path == "/token").then(|| broken("{\"access_token\": \"half-of-a-token"));
    let world = World::start(script).await;
    let log = world.log();
    assert!(world.ask_into(&world.oauth(), Some(&log)).await.unwrap_err().retryable);
    assert_eq!(world.seen("POST /token").len(), 1, "a form is not sent again");
    let all = messages(&log);
    let [.., AuthMessage::Received { answer: Ok(answer), .. }, AuthMessage::Noted { message }] = &all[..]
    else {
        panic!("{all:?}")
    };
    assert_eq!(answer.body.to_text(), "{\"access_token\": \"[secret:access-token]");
    assert!(message.contains("the answer broke off"), "{message}");
}

/// An answer whose connection goes away behind these bytes.
fn broken(text: &'static str) -> Response<Body> {
    let first = futures::stream::iter([Ok(Bytes::from(text))]);
    let rest = futures::stream::once(async {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Err(std::io::Error::other("gone"))
    });
    Response::new(Body::from_stream(futures::StreamExt::chain(first, rest)))
}

#[tokio::test]
async fn a_document_is_asked_for_once_more_after_a_reset() {
    for (resets, found) in [(1, true), (2, false)] {
        let asked = AtomicU32::new(0);
        let script = move |seen: &Seen| match seen.path.as_str() {
            "/.well-known/oauth-protected-resource/mcp" => {
                let reset = asked.fetch_add(1, Ordering::Relaxed) < resets;
                Some(if reset { broken("{") } else { ok(&resource(&seen.base)) })
            }
            _ => None,
        };
        let world = World::start(script).await;
        let log = world.log();
        let asked = world.ask_into(&world.oauth(), Some(&log)).await;
        assert_eq!(asked.is_ok(), found, "{resets}: {asked:?}");
        let told = told(&world, &log);
        assert_eq!(told.iter().filter(|line| line.ends_with("asked for once more")).count(), 1, "{told:?}");
    }
}

#[tokio::test]
async fn who_only_waited_says_so() {
    let world = World::polite().await;
    let oauth = world.oauth();
    world.ask(&oauth).await.unwrap();
    let url = world.target();
    let sent = oauth.headers(Asking { method: "POST", url: &url, refused: None, log: None }).await.unwrap();
    world.revoke();
    let refused = Rejection { status: 401, attempt: 1, sent, ..Rejection::default() };
    let logs: Vec<Recorder> = (0..4).map(|_| world.log()).collect();
    let asking = |log| Asking { method: "POST", url: &url, refused: Some(&refused), log: Some(log) };
    let all = futures::future::join_all(logs.iter().map(|log| oauth.headers(asking(log)))).await;
    assert!(all.iter().all(Result::is_ok));
    let sent =
        |log: &&Recorder| messages(log).iter().any(|message| matches!(message, AuthMessage::Sent { .. }));
    assert_eq!(logs.iter().filter(sent).count(), 1, "one of them renews");
    for log in logs.iter().filter(|log| !sent(log)) {
        let told = told(&world, log);
        assert!(told.iter().any(|line| line.contains("replaced meanwhile")), "{told:?}");
        assert!(told.iter().any(|line| line.starts_with("waited while another request")), "{told:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_recorded_with_what_was_asked() {
    let script = |seen: &Seen| {
        let metadata = with(server(&seen.base), "token_endpoint", "http://127.0.0.1:1/token".into());
        (seen.path == "/.well-known/oauth-authorization-server").then(|| ok(&metadata))
    };
    let world = World::start(script).await;
    let log = world.log();
    world.ask_into(&world.oauth(), Some(&log)).await.unwrap_err();
    let told = told(&world, &log);
    assert_eq!(told[told.len() - 2], "> POST http://127.0.0.1:1/token");
    assert!(told[told.len() - 1].starts_with("< cannot connect"), "{told:?}");
}

#[tokio::test]
async fn nothing_is_said_where_nothing_was_needed() {
    let world = World::polite().await;
    let oauth = Arc::new(world.oauth());
    world.ask(&oauth).await.unwrap();
    let log = world.log();
    world.ask_into(&oauth, Some(&log)).await.unwrap();
    assert!(log.is_empty(), "{:?}", messages(&log));
}
