//! What becomes of a tool's schema on its way through the client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::modern::{complete, either, legacy, modern};
use crate::stage::{Scripted, anonymous, log, open_as, result, text_result};

/// `json-schema-2020-12-preservation`: whatever a schema says reaches whoever uses the tool, in the server's order.
#[tokio::test]
async fn json_schema_2020_12_preservation() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {"street": {"type": "string"}}}},
        "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"kind": {"const": "company"}}},
        "then": {"required": ["vat"]},
        "else": {"required": ["name"]},
        "additionalProperties": false,
        "x-unknown": [1, 2.50, null],
    });
    let focal = schema.clone();
    let server = Scripted::start(move |request| match request.rpc() {
        "tools/list" => {
            let tools = json!([
                {"name": "json_schema_2020_12_tool", "inputSchema": focal},
                {"name": "json_schema_echo", "inputSchema": {"type": "object"}},
            ]);
            complete(request, &json!({"tools": tools}))
        }
        "tools/call" => complete(request, &text_result("echoed")),
        _ => either(request),
    })
    .await;
    for profile in [legacy(), modern()] {
        let session = open_as(&server.target(), &anonymous(), &profile, &log()).await.unwrap();
        let tools = session.list_tools().await.unwrap();
        let observed = tools[0].input_schema();
        session.call_tool("json_schema_echo", &json!({"schema": observed})).await.unwrap();
    }

    let seen = server.seen();
    let calls: Vec<_> = seen.iter().filter(|seen| seen.rpc() == "tools/call").collect();
    assert_eq!(calls.len(), 2);
    for call in calls {
        assert_eq!(call.body["params"]["arguments"]["schema"].to_string(), schema.to_string());
    }
}

/// `json-schema-ref-no-deref`: a `$ref` to the network is never fetched, neither when tools are listed nor when
/// arguments are made from their schemas.
#[tokio::test]
async fn json_schema_ref_no_deref() {
    let fetched = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&fetched);
    let canary = Scripted::start(move |request| {
        counter.fetch_add(1, Ordering::Relaxed);
        result(request, &json!({"type": "object"}))
    })
    .await;
    let reference = canary.url.to_string();
    let server = Scripted::start(move |request| match request.rpc() {
        "tools/list" => {
            let schema = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "$defs": {"userId": {"type": "string"}},
                "properties": {"id": {"$ref": "#/$defs/userId"}, "profile": {"$ref": reference}},
                "required": ["id", "profile"],
            });
            complete(request, &json!({"tools": [{"name": "lookup_user", "inputSchema": schema}]}))
        }
        "tools/call" => complete(request, &text_result("found")),
        _ => either(request),
    })
    .await;
    for profile in [legacy(), modern()] {
        let session = open_as(&server.target(), &anonymous(), &profile, &log()).await.unwrap();
        let tools = session.list_tools().await.unwrap();
        let schema = tools[0].input_schema();
        assert_eq!(schema["properties"]["profile"]["$ref"], Value::from(canary.url.as_str()));
        let arguments = rehearsal::mcp::example::arguments(&schema);
        session.call_tool("lookup_user", &arguments).await.unwrap();
        assert!(
            jsonschema::options().build(&schema).is_err(),
            "the validator has no way to the network either"
        );
        session.close().await;
    }
    assert_eq!(fetched.load(Ordering::Relaxed), 0, "sep-2106-no-network-ref-deref");

    // The canary can be seen when it is fetched.
    rehearsal::net::client().unwrap().get(canary.url.clone()).send().await.unwrap();
    assert_eq!(fetched.load(Ordering::Relaxed), 1);
}
