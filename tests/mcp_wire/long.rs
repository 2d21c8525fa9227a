//! Long work and change notifications: tasks in both forms, subscriptions in both eras.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use axum::http::{Response, StatusCode};
use rehearsal::mcp::{Session, ToolOutcome, Watch};
use rehearsal::transcript::{Recorder, What};
use serde_json::{Value, json};

use crate::era::{discovered, speaking};
use crate::modern::{list, modern, opened, text};
use crate::stage::{
    Scripted, Seen, anonymous, answer, event, events, eventually, free, log, odd, open_as, patient, polite,
    result, text_of, wire,
};

async fn tasked(server: &Scripted, log: &Recorder, deadline_ms: u64) -> Box<dyn Session> {
    let mut profile = free(deadline_ms);
    let capabilities = json!({"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}});
    profile.wire.capabilities = capabilities.as_object().cloned();
    open_as(&speaking(server, "auto"), &anonymous(), &profile, log).await.unwrap()
}

#[allow(clippy::needless_pass_by_value, reason = "a literal at every call")]
fn task(status: &str, more: Value) -> Value {
    let mut task = json!({
        "resultType": "complete", "taskId": "t-1", "status": status, "createdAt": "2026-07-28T00:00:00Z",
        "lastUpdatedAt": "2026-07-28T00:00:00Z", "ttlMs": null, "pollIntervalMs": 10,
    });
    task.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    task
}

#[tokio::test]
async fn a_task_is_polled_questioned_and_ends_as_the_call_would() {
    let polls = AtomicU32::new(0);
    let server = Scripted::start(move |request| match request.rpc() {
        "tools/call" => result(request, &task("working", json!({"resultType": "task"}))),
        "tasks/get" => {
            assert_eq!(request.header("mcp-name"), "t-1");
            let question = json!({"inputRequests": {"q": {"method": "elicitation/create", "params": {}}}});
            let state = match polls.fetch_add(1, Ordering::Relaxed) {
                0 => task("working", json!({})),
                1 | 2 => task("input_required", question),
                _ => task(
                    "completed",
                    json!({"result": {"content": [{"type": "text", "text": "baked"}], "isError": true}}),
                ),
            };
            result(request, &state)
        }
        "tasks/update" => {
            assert_eq!(request.body["params"]["inputResponses"], json!({"q": {"action": "decline"}}));
            result(request, &json!({"resultType": "complete"}))
        }
        _ => modern(request),
    })
    .await;
    let log = log();
    let session = tasked(&server, &log, 2_000).await;
    let ToolOutcome::Returned { content, is_error, .. } =
        session.call_tool("bake", &json!({})).await.unwrap()
    else {
        panic!("refused")
    };
    assert_eq!((content[0]["text"].as_str(), is_error), (Some("baked"), true));
    let methods: Vec<String> = server.seen().iter().skip(1).map(|seen| seen.rpc().to_owned()).collect();
    // The question is asked twice and answered once.
    assert_eq!(methods, ["tools/call", "tasks/get", "tasks/get", "tasks/update", "tasks/get", "tasks/get"]);
    assert_eq!(odd(&log), Vec::<String>::new());
}

#[tokio::test]
async fn tasks_end_badly_in_their_own_ways() {
    for (state, outcome) in [
        (task("failed", json!({"error": {"code": -32603, "message": "burnt"}})), "-32603 burnt"),
        (task("cancelled", json!({})), "0 the server cancelled the task"),
        (task("resting", json!({})), "target.protocol"),
    ] {
        let server = Scripted::start(move |request| match request.rpc() {
            "tools/call" => result(request, &task("working", json!({"resultType": "task"}))),
            "tasks/get" => result(request, &state),
            _ => modern(request),
        })
        .await;
        let session = tasked(&server, &log(), 2_000).await;
        let got = match session.call_tool("bake", &json!({})).await {
            Ok(ToolOutcome::Refused(refusal)) => format!("{} {}", refusal.code.unwrap_or(0), refusal.message),
            Ok(other) => panic!("{other:?}"),
            Err(fault) => fault.code,
        };
        assert_eq!(got, outcome);
    }
}

#[tokio::test]
async fn a_task_that_outlasts_its_deadline_is_cancelled() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/call" => result(request, &task("working", json!({"resultType": "task"}))),
        "tasks/get" => result(request, &task("working", json!({}))),
        "tasks/cancel" => result(request, &json!({"resultType": "complete"})),
        _ => modern(request),
    })
    .await;
    let session = tasked(&server, &log(), 100).await;
    let fault = session.call_tool("bake", &json!({})).await.unwrap_err();
    assert_eq!(fault.code, "target.timeout");
    assert_eq!(server.seen().last().unwrap().rpc(), "tasks/cancel");
}

#[tokio::test]
async fn a_task_nobody_declared_is_invalid() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/call" => result(request, &task("working", json!({"resultType": "task"}))),
        _ => modern(request),
    })
    .await;
    let mut profile = free(2_000);
    profile.wire.capabilities = Some(serde_json::Map::new());
    let session = open_as(&speaking(&server, "auto"), &anonymous(), &profile, &log()).await.unwrap();
    let fault = session.call_tool("bake", &json!({})).await.unwrap_err();
    assert!(fault.message.contains("does not declare"), "{}", fault.message);
}

#[tokio::test]
async fn in_2025_11_25_a_tool_that_needs_a_task_gets_one() {
    let server = Scripted::start(|request| match request.rpc() {
        "initialize" => result(
            request,
            &json!({
                "protocolVersion": "2025-11-25", "serverInfo": {"name": "s", "version": "1"},
                "capabilities": {"tools": {}, "tasks": {"requests": {"tools": {"call": {}}}}},
            }),
        ),
        "tools/list" => result(
            request,
            &json!({"tools": [
                {"name": "bake", "inputSchema": {}, "execution": {"taskSupport": "required"}},
                {"name": "cook", "inputSchema": {}, "execution": {"taskSupport": "optional"}},
            ]}),
        ),
        "tools/call" if request.body["params"]["task"].is_object() => {
            result(request, &json!({"task": {"taskId": "t-1", "status": "working", "pollInterval": 10}}))
        }
        "tools/call" => result(request, &text("cooked")),
        "tasks/get" => result(request, &json!({"taskId": "t-1", "status": "completed"})),
        "tasks/result" => result(request, &text("baked")),
        _ => polite(request),
    })
    .await;
    let session = open_as(&server.target(), &anonymous(), &patient(2_000), &log()).await.unwrap();
    session.list_tools().await.unwrap();
    assert_eq!(text_of(session.call_tool("bake", &json!({})).await.unwrap()), "baked");
    assert_eq!(text_of(session.call_tool("cook", &json!({})).await.unwrap()), "cooked");
}

fn subscription(request: &Seen, messages: &[Value], then: Option<Body>) -> Response<Body> {
    let id = &request.body["id"];
    let mut text = String::new();
    for message in messages {
        let mut message = message.clone();
        message["jsonrpc"] = json!("2.0");
        message["params"]["_meta"] = json!({"io.modelcontextprotocol/subscriptionId": id});
        text.push_str(&event(&message));
    }
    match then {
        Some(body) => answer(200, "text/event-stream", body),
        None => {
            let open = futures::StreamExt::chain(
                futures::stream::iter([Ok::<_, std::io::Error>(text)]),
                futures::stream::pending(),
            );
            answer(200, "text/event-stream", Body::from_stream(open))
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "a literal at every call")]
fn acknowledged(filter: Value) -> Value {
    json!({"method": "notifications/subscriptions/acknowledged", "params": {"notifications": filter}})
}

fn noted(log: &Recorder, wanted: &str) -> bool {
    events(log).iter().any(|what| matches!(what, What::ServerNoted { method, .. } if method == wanted))
}

#[tokio::test]
async fn a_subscription_is_acknowledged_and_its_notifications_recorded() {
    let server = Scripted::start(|request| match request.rpc() {
        "subscriptions/listen" => {
            assert_eq!(
                request.body["params"]["notifications"],
                json!({"toolsListChanged": true, "resourceSubscriptions": ["a:b"]})
            );
            let messages = [
                acknowledged(json!({"toolsListChanged": true})),
                json!({"method": "notifications/tools/list_changed"}),
            ];
            subscription(request, &messages, None)
        }
        "tools/list" => result(request, &list(&json!([]))),
        _ => modern(request),
    })
    .await;
    let log = log();
    let session = opened(&server, &log).await;
    let wanted = Watch { tools: true, uris: vec!["a:b".to_owned()], ..Watch::default() };
    session.watch(&wanted).await.unwrap().unwrap();
    eventually("the change is recorded", || noted(&log, "notifications/tools/list_changed")).await;
    assert_eq!(odd(&log), ["the server does not honour `resourceSubscriptions` of a subscription"]);
    // Other requests go on meanwhile.
    session.list_tools().await.unwrap();
    session.unwatch(&wanted).await.unwrap();
    session.close().await;
    assert!(!wire(&log).iter().any(|line| line.contains("cancelled")), "{:?}", wire(&log));
}

#[tokio::test]
async fn a_subscription_that_breaks_off_is_sent_again_with_a_new_id() {
    let times = AtomicU32::new(0);
    let server = Scripted::start(move |request| match request.rpc() {
        "subscriptions/listen" => {
            let first = [acknowledged(json!({"toolsListChanged": true}))];
            let later = [first[0].clone(), json!({"method": "notifications/tools/list_changed"})];
            if times.fetch_add(1, Ordering::Relaxed) == 0 {
                let mut message = first[0].clone();
                message["jsonrpc"] = json!("2.0");
                message["params"]["_meta"] =
                    json!({"io.modelcontextprotocol/subscriptionId": request.body["id"]});
                return subscription(request, &[], Some(Body::from(event(&message))));
            }
            subscription(request, &later, None)
        }
        _ => modern(request),
    })
    .await;
    let log = log();
    let session = opened(&server, &log).await;
    session.watch(&Watch { tools: true, ..Watch::default() }).await.unwrap().unwrap();
    eventually("the change is recorded", || noted(&log, "notifications/tools/list_changed")).await;
    assert_eq!(odd(&log), ["a subscription broke off; it was sent again"]);
    let ids: std::collections::HashSet<String> = server
        .seen()
        .iter()
        .filter(|seen| seen.rpc() == "subscriptions/listen")
        .map(|seen| seen.body["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 2);
    session.close().await;
}

#[tokio::test]
async fn notifications_before_the_acknowledgement_are_odd_and_refusals_are_refusals() {
    let server = Scripted::start(|request| match request.rpc() {
        "subscriptions/listen" => {
            let early = json!({"method": "notifications/tools/list_changed"});
            subscription(request, &[early, acknowledged(json!({"toolsListChanged": true}))], None)
        }
        _ => modern(request),
    })
    .await;
    let record = log();
    let session = opened(&server, &record).await;
    session.watch(&Watch { tools: true, ..Watch::default() }).await.unwrap().unwrap();
    assert!(odd(&record)[0].contains("before it was acknowledged"), "{:?}", odd(&record));

    let server = Scripted::start(modern).await;
    let session = opened(&server, &log()).await;
    let refusal = session.watch(&Watch { tools: true, ..Watch::default() }).await.unwrap().unwrap_err();
    assert_eq!((refusal.code, refusal.status), (Some(-32601), Some(404)));
}

#[tokio::test]
async fn before_2026_resources_are_subscribed_to_one_by_one() {
    let server = Scripted::start(|request| match request.rpc() {
        "resources/subscribe" | "resources/unsubscribe" | "logging/setLevel" | "ping" => {
            result(request, &json!({}))
        }
        "notifications/roots/list_changed" => crate::stage::empty(StatusCode::ACCEPTED),
        _ => polite(request),
    })
    .await;
    let session = open_as(&server.target(), &anonymous(), &patient(2_000), &log()).await.unwrap();
    let wanted = Watch { tools: true, uris: vec!["a:1".to_owned(), "a:2".to_owned()], ..Watch::default() };
    session.watch(&wanted).await.unwrap().unwrap();
    session.unwatch(&wanted).await.unwrap();
    session.set_log_level("debug").await.unwrap().unwrap();
    session.request("ping", Value::Null).await.unwrap().unwrap();
    session.notify("notifications/roots/list_changed", Value::Null).await.unwrap();
    let asked: Vec<String> = server
        .seen()
        .iter()
        .filter(|seen| seen.method == "POST")
        .skip(2)
        .map(|seen| format!("{} {}", seen.rpc(), seen.body["params"]["uri"].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(
        asked,
        [
            "resources/subscribe a:1",
            "resources/subscribe a:2",
            "resources/unsubscribe a:1",
            "resources/unsubscribe a:2",
            "logging/setLevel -",
            "ping -",
            "notifications/roots/list_changed -",
        ]
    );
}

#[tokio::test]
async fn over_stdio_a_subscription_is_told_by_its_id_and_ended_by_a_message() {
    let discover = discovered(&["2026-07-28"]);
    let script = format!(
        r#"while read -r line; do id=${{line#*\"id\":}}; id=${{id%%,*}}
        meta='"_meta":{{"io.modelcontextprotocol/subscriptionId":'$id'}}'
        case "$line" in
          *server/discover*) printf '{{"jsonrpc":"2.0","id":%s,"result":%s}}\n' "$id" '{discover}' ;;
          *subscriptions/listen*)
            printf '{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{%s,"notifications":{{"promptsListChanged":true}}}}}}\n' "$meta"
            printf '{{"jsonrpc":"2.0","method":"notifications/prompts/list_changed","params":{{%s}}}}\n' "$meta" ;;
        esac; done"#
    );
    let target = crate::era::shell_speaking(&script, rehearsal::mcp::Isolation::Trial, "auto");
    let log = log();
    let session = open_as(&target, &anonymous(), &free(2_000), &log).await.unwrap();
    let wanted = Watch { prompts: true, ..Watch::default() };
    session.watch(&wanted).await.unwrap().unwrap();
    eventually("the change is recorded", || noted(&log, "notifications/prompts/list_changed")).await;
    session.unwatch(&wanted).await.unwrap();
    eventually("the end is told", || wire(&log).iter().any(|line| line.contains("notifications/cancelled")))
        .await;
    session.close().await;
    assert_eq!(odd(&log), Vec::<String>::new());
}
