//! The bookshop from outside: what a good MCP server answers, and what each flaw breaks.
//!
//! The SDK's own client and plain HTTP requests against `demo::serve` on loopback. Every test of a flaw also asserts
//! the same of the sound shop, so a test that cannot see the flaw fails.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::sync::atomic::Ordering;

use rehearsal::demo::{DemoError, DemoOptions, Flaw, Transport, serve};
use reqwest::RequestBuilder;
use rmcp::ServiceExt;
use rmcp::transport::StreamableHttpClientTransport;
use serde_json::{Value, json};

#[path = "demo/issuer.rs"]
mod issuer;
#[path = "demo/opened.rs"]
mod opened;

use issuer::{CLERK, CUSTOMER, Issuer};
use opened::{Shop, call, challenge, names, now, shop, sound, start, text};

// What a sound shop does.

#[tokio::test]
async fn roles_decide_what_is_listed() {
    let shop = sound().await;
    let customer = names(&shop.customer().await).await;
    let expected = ["cancel_order", "get_book", "get_order", "list_orders", "place_order", "search_books"];
    assert_eq!(customer, expected.map(str::to_owned).into());
    let clerk = names(&shop.client("clerk", CLERK).await).await;
    assert!(
        clerk.contains("refund_order") && clerk.contains("stock_report") && !clerk.contains("place_order")
    );
    let reader = names(&shop.client("reader", "books:read").await).await;
    assert_eq!(reader, ["get_book", "search_books"].map(str::to_owned).into());
}

#[tokio::test]
async fn tools_explain_themselves() {
    let shop = sound().await;
    let tools =
        shop.client("all", &format!("{CUSTOMER} refunds:write")).await.list_all_tools().await.unwrap();
    assert_eq!(tools.len(), 9);
    for tool in &tools {
        assert!(tool.title.is_some() && tool.annotations.is_some(), "{}", tool.name);
        assert!(tool.description.as_ref().is_some_and(|text| text.len() > 30), "{}", tool.name);
        let properties = tool.input_schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            assert!(property["description"].is_string(), "{} {name}", tool.name);
        }
    }
    let order = tools.iter().find(|tool| tool.name == "get_order").unwrap();
    insta::assert_json_snapshot!(order);
}

#[tokio::test]
async fn orders_are_answered_in_words_and_as_data() {
    let client = sound().await.customer().await;
    let order = call(&client, "get_order", json!({"id": 1042})).await;
    insta::assert_snapshot!(text(&order), @"Order 1042 (1 x The Left Hand of Darkness, 10.99 EUR): it is on its way and will arrive on 28 November 2026.");
    insta::assert_snapshot!(order.structured_content.unwrap(), @r#"{"id":1042,"customer":"customer-7","book_id":"B101","title":"The Left Hand of Darkness","quantity":1,"total":10.99,"status":"shipped","placed":"2026-11-18","arrives":"2026-11-28"}"#);
}

#[tokio::test]
async fn answers_satisfy_their_output_schemas() {
    let shop = sound().await;
    let client = shop.client("all", &format!("{CUSTOMER} refunds:write")).await;
    let calls = [
        ("search_books", json!({"query": "Lem", "max_price": 12})),
        ("get_book", json!({"id": "B107"})),
        ("get_order", json!({"id": 1042})),
        ("list_orders", json!({})),
        ("place_order", json!({"book_id": "B107"})),
        ("cancel_order", json!({"id": 1044})),
        ("refund_order", json!({"id": 1043, "reason": "damaged"})),
        ("stock_report", json!({})),
    ];
    let tools = client.list_all_tools().await.unwrap();
    for (name, args) in calls {
        let tool = tools.iter().find(|tool| tool.name == name).unwrap();
        let schema = Value::Object(tool.output_schema.as_deref().unwrap().clone());
        let facts = call(&client, name, args).await.structured_content.unwrap();
        assert!(jsonschema::is_valid(&schema, &facts), "{name}: {facts}");
    }
}

#[tokio::test]
async fn sessions_do_not_share_orders() {
    let shop = sound().await;
    let (first, second) = (shop.customer().await, shop.customer().await);
    assert!(text(&call(&first, "cancel_order", json!({"id": 1044})).await).starts_with("Order cancelled."));
    assert!(text(&call(&first, "get_order", json!({"id": 1044})).await).contains("it is cancelled"));
    assert!(text(&call(&second, "get_order", json!({"id": 1044})).await).contains("being processed"));
}

#[tokio::test]
async fn stateless_requests_share_the_orders_of_the_process() {
    let shop = sound().await;
    let token = shop.token("customer-7", CUSTOMER);
    let place = json!({"name": "place_order", "arguments": {"book_id": "B101"}});
    let placed: Value =
        shop.post(Some(&token), "tools/call", place).send().await.unwrap().json().await.unwrap();
    let id = &placed["result"]["structuredContent"]["id"];
    let get = json!({"name": "get_order", "arguments": {"id": id}});
    let found: Value = shop.post(Some(&token), "tools/call", get).send().await.unwrap().json().await.unwrap();
    assert_eq!(found["result"]["structuredContent"]["book_id"], "B101", "{found}");
}

#[tokio::test]
async fn mistakes_are_tool_errors_that_help() {
    let shop = sound().await;
    let client = shop.client("all", &format!("{CUSTOMER} refunds:write")).await;
    let calls = [
        ("get_order", json!({"id": 9999})),
        ("get_book", json!({"id": "B999"})),
        ("cancel_order", json!({"id": 1042})),
        ("place_order", json!({"book_id": "B106"})),
        ("place_order", json!({"book_id": "B101", "quantity": 0})),
        ("get_order", json!({"order": 1042})),
        ("import_catalogue", json!({"supplier": "Penguin"})),
    ];
    let mut said = vec![];
    for (name, args) in calls {
        let result = call(&client, name, args).await;
        assert_eq!(result.is_error, Some(true), "{name}");
        said.push(text(&result).to_owned());
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn the_stock_report_tells_its_progress() {
    let shop = sound().await;
    let request = shop.post(Some(&shop.token("clerk", CLERK)), "tools/call", json!({"name": "stock_report"}));
    let mut request = request.build().unwrap();
    let mut body: Value = serde_json::from_slice(request.body().unwrap().as_bytes().unwrap()).unwrap();
    body["params"]["_meta"]["progressToken"] = json!("p1");
    *request.body_mut() = Some(body.to_string().into());
    request.headers_mut().remove("content-length");
    let stream = shop.http.execute(request).await.unwrap().text().await.unwrap();
    assert_eq!(stream.matches("notifications/progress").count(), 3, "{stream}");
    assert!(stream.contains("Sold out: B106."), "{stream}");
}

#[tokio::test]
async fn requests_without_a_token_are_challenged() {
    let shop = sound().await;
    for method in ["server/discover", "initialize", "tools/list", "tools/call", "resources/list", "no/such"] {
        let response = shop.post(None, method, json!({})).send().await.unwrap();
        assert_eq!(response.status(), 401, "{method}");
        let expected = format!(
            "Bearer realm=\"bookshop\", scope=\"books:read\", \
             resource_metadata=\"http://{}/.well-known/oauth-protected-resource/mcp\"",
            shop.address
        );
        assert_eq!(challenge(&response), expected);
    }
    for request in
        [shop.http.get(shop.url()).header("accept", "text/event-stream"), shop.http.delete(shop.url())]
    {
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    let query = shop.http.post(format!("{}?access_token={}", shop.url(), shop.token("customer-7", CUSTOMER)));
    assert_eq!(query.json(&json!({})).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn metadata_leads_to_the_issuer() {
    let shop = sound().await;
    let mut documents = vec![];
    for path in ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"] {
        let response = shop.http.get(format!("http://{}{path}", shop.address)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        documents.push(response.json::<Value>().await.unwrap());
    }
    assert_eq!(documents[0], documents[1]);
    assert_eq!(documents[0]["resource"], shop.url());
    assert_eq!(documents[0]["authorization_servers"], json!([shop.issuer.url]));
    assert_eq!(documents[0]["bearer_methods_supported"], json!(["header"]));
}

#[tokio::test]
async fn bad_tokens_are_refused_and_good_ones_served_before_and_after() {
    let shop = sound().await;
    let good = shop.token("customer-7", CUSTOMER);
    assert_eq!(shop.list(&good).await.status(), 200);
    let mut tampered: Vec<_> = good.split('.').map(str::to_owned).collect();
    tampered[1] = shop.issuer.token(&shop.url(), "clerk", CLERK).split('.').nth(1).unwrap().to_owned();
    let bad = [
        ("no token", "not-a-jwt".to_owned()),
        ("unsigned", Issuer::unsigned(&shop.claims())),
        ("hmac", Issuer::hmac(&shop.claims())),
        ("forged", shop.issuer.forge(&shop.claims())),
        ("unknown key", shop.issuer.sign_as("k2", &shop.claims())),
        ("tampered", tampered.join(".")),
        ("cut", good[..good.len() - 8].to_owned()),
        ("expired", shop.issuer.sign(&shop.claims_with("exp", now() - 3600))),
        ("no expiry", shop.issuer.sign(&shop.claims_without("exp"))),
        ("not yet", shop.issuer.sign(&shop.claims_with("nbf", now() + 3600))),
        ("other audience", shop.issuer.sign(&shop.claims_with("aud", "https://other.example/mcp"))),
        ("longer audience", shop.issuer.sign(&shop.claims_with("aud", format!("{}-evil", shop.url())))),
        ("no audience", shop.issuer.sign(&shop.claims_without("aud"))),
        ("other issuer", shop.issuer.sign(&shop.claims_with("iss", "https://issuer.example"))),
        ("slashed issuer", shop.issuer.sign(&shop.claims_with("iss", format!("{}/", shop.issuer.url)))),
        ("no issuer", shop.issuer.sign(&shop.claims_without("iss"))),
    ];
    for (what, token) in bad {
        let response = shop.list(&token).await;
        assert_eq!(response.status(), 401, "{what}");
        assert!(challenge(&response).contains("error=\"invalid_token\""), "{what}");
        assert!(challenge(&response).contains("resource_metadata="), "{what}");
        assert!(!response.text().await.unwrap().contains(&token), "{what}");
    }
    assert_eq!(
        shop.status(&shop.claims_with("aud", json!(["https://other.example", shop.url()]))).await,
        200
    );
    assert_eq!(shop.list(&shop.issuer.sign_with_curve(&shop.claims())).await.status(), 200);
    assert_eq!(shop.list(&good).await.status(), 200);
    assert_eq!(shop.issuer.reads.load(Ordering::SeqCst), 1, "unknown key ids must not hammer the issuer");
}

#[tokio::test]
async fn missing_scopes_are_named() {
    let shop = sound().await;
    let nobody = shop.list(&shop.token("customer-7", "")).await;
    assert_eq!(nobody.status(), 403);
    assert!(
        challenge(&nobody).contains("error=\"insufficient_scope\"")
            && challenge(&nobody).contains("scope=\"books:read\"")
    );
    let refund = json!({"name": "refund_order", "arguments": {"id": 1043}});
    let token = shop.token("customer-7", CUSTOMER);
    let response = shop.post(Some(&token), "tools/call", refund).send().await.unwrap();
    assert_eq!(response.status(), 403);
    assert!(challenge(&response).contains("scope=\"refunds:write\""), "{}", challenge(&response));
    let unknown = shop.post(Some(&token), "tools/call", json!({"name": "no_such_tool", "arguments": {}}));
    let unknown: Value = unknown.send().await.unwrap().json().await.unwrap();
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
}

#[tokio::test]
async fn sessions_belong_to_whoever_opened_them() {
    let shop = sound().await;
    let legacy = |token: &str| {
        let request = shop.http.post(shop.url()).header("accept", "application/json, text/event-stream");
        request.bearer_auth(token)
    };
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let (mine, theirs) = (shop.token("customer-7", CUSTOMER), shop.token("reader", CUSTOMER));
    let opened = legacy(&mine).json(&hello).send().await.unwrap();
    let session = opened.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    let ask = |request: RequestBuilder| {
        request
            .header("mcp-session-id", &session)
            .header("mcp-protocol-version", "2025-11-25")
            .json(&list)
            .send()
    };
    assert_eq!(ask(legacy(&theirs)).await.unwrap().status(), 404);
    assert_eq!(ask(shop.http.post(shop.url())).await.unwrap().status(), 401);
    assert_eq!(ask(legacy(&mine)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn pages_of_other_origins_and_other_hosts_are_refused() {
    let shop = sound().await;
    let token = shop.token("customer-7", CUSTOMER);
    let list = || shop.post(Some(&token), "tools/list", json!({}));
    assert_eq!(list().header("origin", "http://evil.example").send().await.unwrap().status(), 403);
    assert_eq!(list().header("host", "evil.example").send().await.unwrap().status(), 403);
    assert_eq!(list().send().await.unwrap().status(), 200);
    let flawed = opened::shop(Some(Flaw::AnyOrigin)).await;
    let token = flawed.token("customer-7", CUSTOMER);
    let request = flawed.post(Some(&token), "tools/list", json!({})).header("origin", "http://evil.example");
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_dead_issuer_closes_the_door() {
    let issuer = Issuer::start().await;
    let options = DemoOptions {
        transport: Transport::Http,
        issuer: Some("http://127.0.0.1:1".to_owned()),
        ..DemoOptions::default()
    };
    let shop = Shop { issuer, address: start(options).await, http: reqwest::Client::new() };
    assert_eq!(shop.list(&shop.token("customer-7", CUSTOMER)).await.status(), 503);
}

#[tokio::test]
async fn starting_wrong_gives_one_clear_error() {
    let http = DemoOptions { transport: Transport::Http, ..DemoOptions::default() };
    assert_eq!(serve(http.clone(), |_| ()).await, Err(DemoError::NoIssuer));
    let taken = start(DemoOptions { open: true, ..http.clone() }).await.port();
    let again = DemoOptions { open: true, port: Some(taken), ..http.clone() };
    let error = serve(again, |_| ()).await.unwrap_err();
    assert_eq!((error.code(), error.to_string()), ("demo.port-taken", format!("port {taken} is taken")));
    let silent = DemoOptions { open: true, flaw: Some(Flaw::GarbageOnStdout), ..http.clone() };
    assert_eq!(serve(silent, |_| ()).await, Err(DemoError::WrongTransport("garbage-on-stdout")));
    let dying = DemoOptions { open: true, flaw: Some(Flaw::DiesOnStart), ..http };
    assert_eq!(serve(dying, |_| ()).await, Err(DemoError::Died));
}

#[tokio::test]
async fn an_open_shop_serves_everybody_as_the_customer() {
    let address =
        start(DemoOptions { transport: Transport::Http, open: true, ..DemoOptions::default() }).await;
    let transport = StreamableHttpClientTransport::from_uri(format!("http://{address}/mcp"));
    let client = ().serve(transport).await.unwrap();
    assert_eq!(names(&client).await.len(), 6);
    assert!(text(&call(&client, "get_order", json!({"id": 1042})).await).contains("28 November 2026"));
}

// What each flaw breaks.

#[tokio::test]
async fn flaws_of_words_and_answers() {
    let vague = shop(Some(Flaw::VagueDescriptions)).await.customer().await.list_all_tools().await.unwrap();
    let order = vague.iter().find(|tool| tool.name == "get_order").unwrap();
    assert_eq!(
        (order.title.as_deref(), order.description.as_deref()),
        (None, Some("Performs an operation."))
    );
    assert!(order.input_schema["properties"]["id"].get("description").is_none());

    let renamed = shop(Some(Flaw::RenamedArgument)).await.customer().await;
    assert_eq!(call(&renamed, "get_order", json!({"id": 1042})).await.is_error, Some(true));
    assert!(text(&call(&renamed, "get_order", json!({"order_number": 1042})).await).contains("28 November"));

    let wrong = shop(Some(Flaw::WrongDate)).await.customer().await;
    let order = call(&wrong, "get_order", json!({"id": 1042})).await;
    assert!(text(&order).contains("5 December 2026"));
    assert_eq!(order.structured_content.unwrap()["arrives"], "2026-12-05");

    let size = async |flaw| {
        let client = shop(flaw).await.customer().await;
        serde_json::to_vec(&call(&client, "search_books", json!({"query": "Lem"})).await).unwrap().len()
    };
    assert!(size(None).await < 4096);
    assert!(size(Some(Flaw::FloodingResults)).await > 2_000_000);
}

#[tokio::test]
async fn flaws_of_access() {
    let strangers =
        async |flaw| call(&shop(flaw).await.customer().await, "get_order", json!({"id": 1050})).await;
    assert_eq!(strangers(None).await.is_error, Some(true));
    assert!(text(&strangers(Some(Flaw::LeakyOrder)).await).contains("Roadside Picnic"));

    let shop = opened::shop(Some(Flaw::HiddenToolCallable)).await;
    let client = shop.customer().await;
    assert!(!names(&client).await.contains("refund_order"));
    assert!(text(&call(&client, "refund_order", json!({"id": 1043})).await).contains("refunded"));
}

#[tokio::test]
async fn flaws_of_tokens_break_one_check_each() {
    // Rows: the flaw. Columns: which bad tokens it lets in.
    type Bad = fn(&Shop) -> String;
    let bad: [(&str, Bad); 5] = [
        ("other audience", |shop| shop.issuer.sign(&shop.claims_with("aud", "https://other.example"))),
        ("no audience", |shop| shop.issuer.sign(&shop.claims_without("aud"))),
        ("expired", |shop| shop.issuer.sign(&shop.claims_with("exp", now() - 3600))),
        ("forged", |shop| shop.issuer.forge(&shop.claims())),
        ("unsigned", |shop| Issuer::unsigned(&shop.claims())),
    ];
    let mut seen = String::new();
    for flaw in [None, Some(Flaw::AnyAudience), Some(Flaw::NoExpiryCheck), Some(Flaw::NoSignatureCheck)] {
        let shop = shop(flaw).await;
        let mut accepted = vec![];
        for (what, make) in &bad {
            if shop.list(&make(&shop)).await.status() == 200 {
                accepted.push(*what);
            }
        }
        assert_eq!(shop.status(&shop.claims()).await, 200);
        assert_eq!(shop.status(&shop.claims_with("iss", "https://issuer.example")).await, 401);
        seen += &format!("{}: {}\n", flaw.map_or("none", Flaw::name), accepted.join(", "));
    }
    insta::assert_snapshot!(seen, @r"
    none: 
    any-audience: other audience, no audience
    no-expiry-check: expired
    no-signature-check: forged, unsigned
    ");
}

#[tokio::test]
async fn flaws_of_discovery() {
    let shop = shop(Some(Flaw::MissingMetadata)).await;
    let response = shop.post(None, "tools/list", json!({})).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(challenge(&response), "Bearer realm=\"bookshop\", scope=\"books:read\"");
    let document = shop.http.get(format!("http://{}/.well-known/oauth-protected-resource/mcp", shop.address));
    assert_eq!(document.send().await.unwrap().status(), 404);
    assert_eq!(shop.status(&shop.claims()).await, 200);

    let shop = opened::shop(Some(Flaw::UnauthenticatedList)).await;
    let listed = shop.post(None, "tools/list", json!({})).send().await.unwrap();
    assert_eq!(listed.status(), 200);
    assert!(listed.text().await.unwrap().contains("get_order"));
    let call = json!({"name": "get_order", "arguments": {"id": 1042}});
    assert_eq!(shop.post(None, "tools/call", call).send().await.unwrap().status(), 401);
    assert_eq!(shop.list("not-a-jwt").await.status(), 401);
}

#[test]
fn every_flaw_is_documented_with_its_command() {
    let page = include_str!("../docs/demo.md");
    for flaw in Flaw::ALL {
        assert!(page.contains(&format!("--flaw {}` |", flaw.name())), "{}", flaw.name());
        assert!(!flaw.about().is_empty() && !flaw.finds().is_empty());
    }
    // Besides the rows, the page writes `--flaw NAME` and `--flaw list`.
    assert_eq!(page.matches("--flaw ").count(), Flaw::ALL.len() + 2, "a row too many");
}

#[tokio::test]
async fn a_round_trip_takes_milliseconds() {
    let shop = sound().await;
    drop(shop.customer().await);
    let clock = rehearsal::transcript::Clock::system();
    for _ in 0..20 {
        let client = shop.customer().await;
        assert_eq!(names(&client).await.len(), 6);
        call(&client, "get_order", json!({"id": 1042})).await;
        client.cancel().await.unwrap();
    }
    let each = clock.elapsed() / 20;
    println!("initialize, list, call and end: {each:?}");
    assert!(each < std::time::Duration::from_millis(250), "{each:?}");
}
