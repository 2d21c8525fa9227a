//! The access matrix from a suite file to the exit code, against servers that keep people out and servers that do not.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::path::Path;
use std::process::Command;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

#[path = "access/changes.rs"]
mod changes;

const CUSTOMER: &str = "key-of-a-customer-0a1b2c3d";
const CLERK: &str = "key-of-a-clerk-4e5f6a7b";

/// A shop with tools, resources and prompts, some of them for clerks; it has one flaw, or none when that is empty.
async fn shop(flaw: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let app = Router::new().fallback(serve).with_state(flaw);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

async fn serve(
    State(flaw): State<&'static str>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let message: Value = serde_json::from_slice(&body).unwrap();
    if message.get("id").is_none() {
        return StatusCode::ACCEPTED.into_response();
    }
    let clerk = headers.get("x-key").is_some_and(|key| key == CLERK);
    let (key, value) = match answer(flaw, clerk, &message) {
        Ok(result) => ("result", result),
        Err((code, message)) => ("error", json!({"code": code, "message": message})),
    };
    Json(json!({"jsonrpc": "2.0", "id": message["id"], key: value})).into_response()
}

fn answer(flaw: &str, clerk: bool, message: &Value) -> Result<Value, (i64, String)> {
    let params = &message["params"];
    let name = params["name"].as_str().unwrap_or_default();
    let tool = |name: &str, reads: bool| {
        let schema = json!({"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]});
        json!({"name": name, "inputSchema": schema, "annotations": {"readOnlyHint": reads}})
    };
    let text = json!({"content": [{"type": "text", "text": "done"}]});
    Ok(match message["method"].as_str().unwrap() {
        "initialize" => json!({
            "protocolVersion": "2025-06-18", "serverInfo": {"name": "shop", "version": "1"},
            "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
        }),
        "tools/list" => {
            let mut tools = vec![tool("search", true)];
            if clerk {
                tools.extend([tool("refund", false), tool("stock", true)]);
            }
            if flaw == "a new tool is listed" {
                tools.push(tool("export", false));
            }
            json!({ "tools": tools })
        }
        "resources/list" if clerk => json!({"resources": [{"uri": "shop://about"}, {"uri": "shop://staff"}]}),
        "resources/list" => json!({"resources": [{"uri": "shop://about"}]}),
        "resources/templates/list" => json!({"resourceTemplates": [{"uriTemplate": "shop://orders/{id}"}]}),
        "prompts/list" if clerk => {
            let shelf = json!([{"name": "shelf", "required": true}]);
            json!({"prompts": [{"name": "hello"}, {"name": "restock", "arguments": shelf}]})
        }
        "prompts/list" => json!({"prompts": [{"name": "hello"}]}),
        "tools/call" => match name {
            "search" if flaw == "listed but refused" => return Err((-32000, "permission denied".to_owned())),
            "search" => text,
            "refund" | "stock" if flaw == "arguments first" && params["arguments"]["id"] != 7 => {
                return Err((-32602, "invalid input: `id` must be 7".to_owned()));
            }
            "refund" | "stock" if clerk => text,
            "refund" if flaw == "hidden tool" => text,
            "refund" if flaw == "another shape" => return Err((-32000, "permission denied".to_owned())),
            "stock" if flaw == "hidden tool that nobody named" => text,
            "export" => panic!("a tool that may destroy was called without being named"),
            _ => return Err((-32602, format!("Unknown tool: {name}"))),
        },
        "resources/read" => match params["uri"].as_str().unwrap() {
            uri @ ("shop://about" | "shop://orders/7") => json!({"contents": [{"uri": uri, "text": "x"}]}),
            uri @ "shop://staff" if clerk || flaw == "hidden resource" => {
                json!({"contents": [{"uri": uri, "text": "x"}]})
            }
            uri => return Err((-32002, format!("Resource not found: {uri}"))),
        },
        "prompts/get" => match name {
            "hello" => json!({"messages": []}),
            "restock" if clerk || flaw == "hidden prompt" => json!({"messages": []}),
            _ => return Err((-32602, format!("Unknown prompt: {name}"))),
        },
        _ => return Err((-32601, "no such method".to_owned())),
    })
}

fn suite(url: &str) -> String {
    format!(
        r#"
version: 1
name: shop
target: {{url: "{url}", protocol: 2025-06-18}}
env: [CUSTOMER_KEY, CLERK_KEY]
personas:
  - {{name: customer, identity: {{header: {{name: x-key, env: CUSTOMER_KEY}}}}}}
  - {{name: clerk, identity: {{header: {{name: x-key, env: CLERK_KEY}}}}}}
access:
  customer:
    sees: [search]
    calls: [search]
    never: [refund]
    resources: {{sees: ["shop://about", "shop://orders/7"], reads: ["shop://about"], never: ["shop://staff"]}}
    prompts: {{sees: [hello], gets: [hello], never: [restock]}}
    others: never
    denied_as: as_unknown
  clerk:
    calls: {{refund: {{id: 7}}, stock: {{id: 7}}}}
    resources: {{reads: ["shop://staff", "shop://orders/7"]}}
    prompts: {{gets: {{restock: {{shelf: A}}}}}}
"#
    )
}

/// Runs a suite: the exit code, the summary, and what else was said.
async fn eval(text: String) -> (i32, Value, String) {
    let run = move || {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("suites")).unwrap();
        std::fs::write(dir.path().join("suites/s.yaml"), text).unwrap();
        rehearsal(dir.path(), &["eval", "s", "--format", "json"])
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn rehearsal(folder: &Path, args: &[&str]) -> (i32, Value, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(args)
        .current_dir(folder)
        .env("CUSTOMER_KEY", CUSTOMER)
        .env("CLERK_KEY", CLERK)
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap(), summary, talk)
}

/// The cell of a persona and a subject: its verdict, its standing, and how it was denied.
fn cell(summary: &Value, part: &str, name: &str, persona: &str) -> Value {
    let access = &summary["access"];
    let personas = access["personas"].as_array().unwrap();
    let column = personas.iter().position(|known| known == persona).unwrap();
    let rows = access[part].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no row {name}"));
    let cell = &row["cells"][column];
    json!([cell["access"], cell["standing"], cell["denied_as"]])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_keeps_people_out_holds() {
    let (code, summary, talk) = eval(suite(&shop("").await)).await;
    assert_eq!(code, 0, "{summary:#} {talk}");
    let customer = |part, name| cell(&summary, part, name, "customer");
    assert_eq!(customer("tools", "search"), json!(["allowed", "open", null]));
    assert_eq!(customer("tools", "refund"), json!(["denied", "closed", "as_unknown"]));
    // Nobody named it in this row: it says that it only reads, so it was tried all the same.
    assert_eq!(customer("tools", "stock"), json!(["denied", "closed", "as_unknown"]));
    assert_eq!(customer("resources", "shop://staff"), json!(["denied", "closed", "as_unknown"]));
    assert_eq!(customer("prompts", "restock"), json!(["denied", "closed", "as_unknown"]));
    assert_eq!(customer("resources", "shop://orders/7"), json!(["allowed", null, null]));
    assert_eq!(cell(&summary, "prompts", "restock", "clerk"), json!(["allowed", "open", null]));
    assert_eq!(cell(&summary, "resources", "shop://orders/7", "clerk"), json!(["allowed", "open", null]));
    assert_eq!(summary["access"]["leaks"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_hole_is_found_and_named() {
    let hole = json!(["leak", "hidden_but_callable", null]);
    for (flaw, exit, reason, (part, name), expected) in [
        ("hidden tool", 6, "gate.hidden-but-callable", ("tools", "refund"), hole.clone()),
        ("hidden tool that nobody named", 6, "gate.hidden-but-callable", ("tools", "stock"), hole.clone()),
        ("hidden resource", 6, "gate.hidden-but-callable", ("resources", "shop://staff"), hole.clone()),
        ("hidden prompt", 6, "gate.hidden-but-callable", ("prompts", "restock"), hole),
        ("a new tool is listed", 6, "gate.leak", ("tools", "export"), json!(["leak", null, null])),
        (
            "listed but refused",
            1,
            "gate.case-failed",
            ("tools", "search"),
            json!(["missing", "listed_but_refused", "rpc_error"]),
        ),
        (
            "another shape",
            1,
            "gate.case-failed",
            ("tools", "refund"),
            json!(["denied", "closed", "rpc_error"]),
        ),
        ("arguments first", 3, "gate.too-many-invalid", ("tools", "refund"), json!(["unknown", null, null])),
    ] {
        let (code, summary, talk) = eval(suite(&shop(flaw).await)).await;
        assert_eq!(code, exit, "{flaw}: {summary:#} {talk}");
        assert_eq!(summary["reasons"][0]["code"], reason, "{flaw}: {:#}", summary["reasons"]);
        assert_eq!(cell(&summary, part, name, "customer"), expected, "{flaw}");
    }
}

fn bookshop(flags: &str, access: &str) -> String {
    format!(
        r#"
version: 1
target:
  command: [rehearsal, demo-server, --transport, http{flags}]
  transport: http
  protocol: 2025-11-25
  env: {{BOOKSHOP_ISSUER: "${{issuer.url}}", BOOKSHOP_AUDIENCE: "${{target.url}}"}}
auth: {{issuer: embedded}}
personas:
  - anonymous
  - customer
  - clerk
  - expired
  - name: temp
    identity: {{minted: {{scopes: [books:read], step_up: [orders:read, refunds:write], lifetime: 1s}}}}
access:
{access}
"#
    )
}

/// A role that is granted and taken away, a token that ends and is renewed, a caller who signs out: in one session each.
const CHANGES: &str = r#"
  customer:
    becomes:
      clerk:
        sees: [refund_order]
        calls: {refund_order: {id: 1043}}
        becomes: {customer: {never: {refund_order: {id: 1043}}}}
      expired:
        never: {search_books: {query: Lem}}
        becomes: {customer: {sees: [search_books], calls: {search_books: {query: Lem}}}}
      anonymous: {never: {search_books: {query: Lem}}, denied_as: unauthorized}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn rights_change_inside_a_session() {
    let (code, summary, talk) = eval(bookshop("", CHANGES)).await;
    assert_eq!(code, 0, "{summary:#} {talk}");
    let personas = ["clerk", "clerk/customer", "expired", "expired/customer", "anonymous"];
    assert_eq!(summary["access"]["personas"], json!(personas.map(|name| format!("customer/{name}"))));
    let refund = |persona| cell(&summary, "tools", "refund_order", persona);
    assert_eq!(refund("customer/clerk"), json!(["allowed", "open", null]));
    assert_eq!(refund("customer/clerk/customer"), json!(["denied", "closed", "challenge"]));
    let search = |persona| cell(&summary, "tools", "search_books", persona);
    assert_eq!(search("customer/expired"), json!(["denied", "closed", "unauthorized"]));
    assert_eq!(search("customer/expired/customer"), json!(["allowed", "open", null]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_looks_at_a_token_once_is_found() {
    for (flaw, case) in [
        ("no-expiry-check", "access/customer/expired"),
        ("hidden-tool-callable", "access/customer/clerk/customer"),
    ] {
        let (code, summary, talk) = eval(bookshop(&format!(", --flaw, {flaw}"), CHANGES)).await;
        assert_eq!(code, 6, "{flaw}: {summary:#} {talk}");
        let reasons = summary["reasons"].as_array().unwrap();
        let cases: Vec<&Value> = reasons.iter().map(|reason| &reason["case"]).collect();
        assert_eq!(cases, [case], "{flaw}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persona_gets_the_scopes_that_it_may_get_and_no_others() {
    let rows = r#"
  temp:
    calls: {refund_order: {id: 1043}}
    never: {place_order: {book_id: B103, quantity: 1}}
    denied_as: challenge
"#;
    let (code, summary, talk) = eval(bookshop("", rows)).await;
    assert_eq!(code, 0, "{summary:#} {talk}");
    // The list is that of the scopes it has: what it may get shows only when it asks.
    let refund = cell(&summary, "tools", "refund_order", "temp");
    assert_eq!(refund, json!(["allowed", "hidden_but_callable", null]));
    assert_eq!(cell(&summary, "tools", "place_order", "temp"), json!(["denied", "closed", "challenge"]));
    let without = rows.replace("refund_order: {id: 1043}", "cancel_order: {id: 1044}");
    let (code, summary, _) = eval(bookshop("", &without)).await;
    assert_eq!(code, 1, "it may not get the scope for that: {summary:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_name_is_told_with_the_nearest_one() {
    let rows = "\n  customer: {never: {refund_ordr: {id: 1043}, refund_order: {id: 1043}}}\n  clerk: {sees: [refund_order]}\n";
    let (code, summary, talk) = eval(bookshop("", rows)).await;
    assert_eq!(code, 0, "{summary:#} {talk}");
    let expected = json!([{
        "kind": "tool", "name": "refund_ordr", "personas": ["customer"], "nearest": "refund_order",
    }]);
    assert_eq!(summary["access"]["unknown"], expected);
    let (_, summary, _) = eval(bookshop("", &rows.replace("refund_ordr: {id: 1043}, ", ""))).await;
    assert_eq!(summary["access"].get("unknown"), None);
}
