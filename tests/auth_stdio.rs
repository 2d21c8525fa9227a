//! The auth checks for servers over standard streams: each passes on a correct server and fails, alone, on its flaw.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use rehearsal::auth::checks::{self, Seen};
use rehearsal::auth::{Bench, BenchSetup, Facts, Figure, HeaderFromEnv, IdentitySpec, Persona};
use rehearsal::diag::Origin;
use rehearsal::ids::{CaseKey, CaseName, ClientName, Digest, PersonaName, SuiteName};
use rehearsal::mcp::connect::{Keeper, target};
use rehearsal::mcp::{Asking, Credentials, Endpoint, Isolation, Program, TokenSource};
use rehearsal::net;
use rehearsal::transcript::{CaseHeader, CaseKind, Clock, End, Fault, Recorder, Secrets, Transcript};
use secrecy::SecretString;
use serde_json::{Value, json};

const ALICE: &str = "alice-key-0123456789";
const BOB: &str = "bob-key-9876543210";
const IDS: [&str; 5] = ["K01", "K02", "K03", "K04", "K04.object"];

/// What one flaw puts in place of the part of the server with that name.
type Flaw<'a> = &'a [(&'a str, &'a str)];

/// The parts of a correct server. A `*` before the name of a file is every user's folder.
const PARTS: [(&str, &str); 7] = [
    ("unset", "echo 'error: set SHOP_KEY to the key of your shop' >&2; exit 1"),
    ("ready", "echo 'shop is open' >&2"),
    ("folder", "$SHOP_KEY"),
    ("owner", r#"[ "$SHOP_KEY" = alice-key-0123456789 ]"#),
    ("tools", r#"answer '{"tools":[{"name":"make_cart","inputSchema":{"type":"object"}}]}'"#),
    ("level", "answer '{}'"),
    ("unknown", r#"refuse '{"code":-32601,"message":"Method not found"}'"#),
];

/// A shop that keeps carts in a folder of each user, as a shell script.
fn script(store: &Path, flaw: Flaw<'_>) -> String {
    let part = |name: &str| {
        let own = flaw.iter().find(|(known, _)| *known == name);
        own.or_else(|| PARTS.iter().find(|(known, _)| *known == name)).unwrap().1
    };
    assert!(flaw.iter().all(|(name, _)| PARTS.iter().any(|(known, _)| known == name)));
    let [unset, ready, folder, owner, tools, level, unknown] = PARTS.map(|(name, _)| part(name));
    format!(
        r#"answer() {{ printf '{{"jsonrpc":"2.0","id":%s,"result":%s}}\n' "$id" "$1"; }}
refuse() {{ printf '{{"jsonrpc":"2.0","id":%s,"error":%s}}\n' "$id" "$1"; }}
text() {{ answer "{{\"content\":[{{\"type\":\"text\",\"text\":\"$1\"}}],\"structuredContent\":{{\"cart\":\"$1\"}}}}"; }}
wrong() {{ answer '{{"content":[{{"type":"text","text":"no such thing"}}],"isError":true}}'; }}
if [ -z "$SHOP_KEY" ]; then {unset}; fi
{ready}
store="{store}/{folder}"
mkdir -p "$store"
while read -r line; do
  id=${{line#*\"id\":}}; id=${{id%%,*}}
  cart=${{line#*\"cart\":\"}}; cart=${{cart%%\"*}}
  case "$line" in
    *'"initialize"'*) answer '{{"protocolVersion":"2025-11-25","capabilities":{{"tools":{{}},"logging":{{}}}},"serverInfo":{{"name":"shop","version":"1"}}}}' ;;
    *'"notifications/'*) ;;
    *'"tools/list"'*) {tools} ;;
    *'"logging/setLevel"'*) {level} ;;
    *'"make_cart"'*) : > "$store/cart-7f3a91"; text cart-7f3a91 ;;
    *'"show_cart"'*) if [ -f "$store/$cart" ]; then text "$cart"; else wrong; fi ;;
    *'"show_order"'*'"order-17"'*) if {owner}; then text order-17; else wrong; fi ;;
    *'"tools/call"'*) wrong ;;
    *) {unknown} ;;
  esac
done
"#,
        store = store.display()
    )
}

struct Env(Vec<(String, SecretString)>);

impl TokenSource for Env {
    fn headers<'a>(&'a self, _: Asking<'a>) -> BoxFuture<'a, Result<Credentials, Fault>> {
        Box::pin(std::future::ready(Ok(vec![])))
    }

    fn env(&self) -> Credentials {
        self.0.clone()
    }
}

fn figure(name: &str, key: &str) -> Figure {
    let spec = HeaderFromEnv { name: "x-key".into(), env: "SHOP_KEY".into() };
    let identity = IdentitySpec::Header(spec);
    let persona = Persona { name: PersonaName::from(name), description: String::new(), identity };
    Figure { persona, identity: Arc::new(Env(vec![("SHOP_KEY".to_owned(), SecretString::from(key))])) }
}

fn facts(more: &Value) -> Facts {
    let mut facts = json!({
        "handle": {"create": {"tool": "make_cart"}, "at": "/structuredContent/cart",
            "use": {"tool": "show_cart", "argument": "cart"}},
        "object": {"call": {"tool": "show_order", "argument": "id"}, "id": "order-17"},
    });
    for (key, value) in more.as_object().unwrap() {
        facts[key] = value.clone();
    }
    serde_json::from_value(facts).unwrap()
}

fn header(case: &str) -> CaseHeader {
    CaseHeader {
        key: CaseKey { question: Digest::none(), model: Digest::none(), trial: 1 },
        suite: SuiteName::from("s"),
        case: CaseName::from(case),
        kind: CaseKind::Auth,
        model: None,
        persona: PersonaName::from("alice"),
        client: ClientName::from("reference"),
        trial: 1,
        tags: vec![],
        origin: Origin { file: "s.yaml".into(), line: 1, column: 1 },
    }
}

struct Shop {
    dir: tempfile::TempDir,
    setup: BenchSetup,
}

impl Shop {
    fn new(flaw: Flaw<'_>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let command = ["sh".to_owned(), "-c".to_owned(), script(dir.path(), flaw)].to_vec();
        let program = Program { command, env: BTreeMap::new(), cwd: None };
        let keeper = Keeper::new(net::client().unwrap());
        let setup = BenchSetup {
            target: target(Endpoint::Stdio(program), Isolation::Trial, keeper),
            control: Some(figure("alice", ALICE)),
            other: Some(figure("bob", BOB)),
            facts: facts(&json!({})),
        };
        Self { dir, setup }
    }

    async fn record(&self, id: &str) -> Transcript {
        let secrets = Secrets::default();
        secrets.register("SHOP_KEY", ALICE);
        secrets.register("SHOP_KEY", BOB);
        let log = Recorder::new(Clock::system(), secrets);
        // Whatever the machine is doing meanwhile, only the server that never answers waits so long.
        let bench = Bench::new(self.setup.clone(), log.clone()).patient(Duration::from_secs(3));
        checks::find(id).unwrap().run_on(&bench).await.unwrap();
        log.finish(header(id), End::Done)
    }

    async fn judge(&self, id: &str) -> Seen {
        let seen = checks::find(id).unwrap().judge(&self.record(id).await);
        assert!(self.dir.path().exists());
        seen
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correct_server_passes_and_its_secret_is_in_no_record() {
    let shop = Shop::new(&[]);
    for id in IDS {
        let record = shop.record(id).await;
        let seen = checks::find(id).unwrap().judge(&record);
        assert!(matches!(seen, Seen::Holds(..)), "{id}: {seen:?}");
        let text = serde_json::to_string(&record.events).unwrap();
        assert!(!text.contains(ALICE) && !text.contains(BOB), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_fails_alone_on_its_flaw() {
    let challenge =
        r#"refuse '{"code":-32001,"message":"sign in","data":{"WWW-Authenticate":"Bearer realm=shop"}}'"#;
    let log = r#"printf '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"debug","data":"key %s"}}\n' "$SHOP_KEY"; answer '{}'"#;
    let list = r#"answer "{\"tools\":[{\"name\":\"make_cart\",\"description\":\"for $SHOP_KEY\",\"inputSchema\":{\"type\":\"object\"}}]}""#;
    let told = r#"refuse "{\"code\":-32601,\"message\":\"unknown, asked by $SHOP_KEY\"}""#;
    let flaws: [(&str, Flaw<'_>); 12] = [
        ("K01", &[("tools", challenge)]),
        ("K01", &[("ready", "echo 'sign in: https://as.example/authorize?client_id=shop' >&2")]),
        ("K02", &[("unset", "exit 1")]),
        ("K02", &[("unset", "echo 'fatal: cannot go on' >&2; exit 1")]),
        (
            "K02",
            &[(
                "unset",
                "printf 'Error: SHOP_KEY is not set\\n    at main (/srv/shop.js:1:2)\\n' >&2; exit 1",
            )],
        ),
        ("K02", &[("unset", "exec sleep 60")]),
        ("K03", &[("tools", list)]),
        ("K03", &[("level", log)]),
        ("K03", &[("ready", "echo \"key $SHOP_KEY\" >&2")]),
        ("K03", &[("unknown", told)]),
        ("K04", &[("folder", "all")]),
        ("K04.object", &[("owner", "true")]),
    ];
    let mut lines = vec![];
    for (broken, flaw) in flaws {
        let shop = Shop::new(flaw);
        for id in IDS {
            match (shop.judge(id).await, id == broken) {
                (Seen::Broken(why, _), true) => lines.push(format!("{id}: {why}")),
                (Seen::Holds(..), false) => {}
                (seen, _) => panic!("{broken} {flaw:?}: {id}: {seen:?}"),
            }
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_start_without_a_credential() {
    let mut shop = Shop::new(&[("unset", "true")]);
    assert!(matches!(shop.judge("K02").await, Seen::Holds(why, _) if why.contains("lists 1 tools")));
    shop.setup.facts = facts(&json!({"lists_without_credential": true}));
    assert!(matches!(shop.judge("K02").await, Seen::Holds(..)));
    let mut shop = Shop::new(&[]);
    shop.setup.facts = facts(&json!({"lists_without_credential": true}));
    assert!(matches!(shop.judge("K02").await, Seen::Broken(why, _) if why.contains("must work")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_skipped_and_what_shows_nothing_is_no_pass() {
    let mut shop = Shop::new(&[]);
    assert_eq!(shop.judge("D01").await, Seen::DoesNotApply("needs a target over streamable HTTP".into()));
    let nothing = Recorder::new(Clock::system(), Secrets::default()).finish(header("K01"), End::Done);
    let over_http = checks::find("K01").unwrap().judge(&nothing);
    assert_eq!(over_http, Seen::DoesNotApply("needs a target over standard streams".into()));
    shop.setup.other = None;
    assert!(matches!(shop.judge("K04").await, Seen::DoesNotApply(why) if why.contains("two personas")));
    shop.setup.control = None;
    assert!(matches!(shop.judge("K01").await, Seen::Inconclusive(_)));
    assert!(matches!(shop.judge("K02").await, Seen::Holds(..)));
    assert!(matches!(shop.judge("K03").await, Seen::DoesNotApply(_)));
    shop.setup.control = Some(figure("alice", "short"));
    assert!(matches!(shop.judge("K03").await, Seen::DoesNotApply(why) if why.contains("eight")));
    // A server that always ends shows nothing about credentials.
    let broken = Shop::new(&[("ready", "echo 'SHOP_KEY or not' >&2; exit 1"), ("unset", "true")]);
    assert!(matches!(broken.judge("K02").await, Seen::Inconclusive(_)));
}

fn cli(dir: &Path, args: &[&str]) -> (Option<i32>, Value, String) {
    let server = dir.join("server.sh");
    let server = server.display().to_string();
    let ran = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args([&["auth", "--format", "json"], args, &["--", "sh", &server]].concat())
        .current_dir(dir)
        .env("SHOP_KEY", ALICE)
        .env("XDG_CONFIG_HOME", dir)
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&ran.stderr).into_owned();
    let summary = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{talk}"));
    (ran.status.code(), summary, talk)
}

fn grade(summary: &Value, id: &str) -> String {
    let name = format!("auth/{id}");
    let cases = summary["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["id"] == name.as_str()).unwrap_or_else(|| panic!("{name}"));
    case["trials"][0]["findings"][0]["grade"].as_str().unwrap().to_owned()
}

#[test]
fn a_command_is_probed_without_a_suite() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("server.sh"), script(dir.path(), &[])).unwrap();
    let (code, summary, talk) = cli(dir.path(), &["--bearer-env", "SHOP_KEY"]);
    for (id, expected) in [("K01", "pass"), ("K02", "pass"), ("K03", "pass"), ("K04", "unscored")] {
        assert_eq!(grade(&summary, id), expected, "{id}: {talk}");
    }
    assert_eq!(code, Some(0), "{talk}");
    // Nobody gets in, and how the server says so is what there is to see.
    let (_, summary, talk) = cli(dir.path(), &[]);
    assert_eq!(grade(&summary, "K02"), "pass", "{talk}");
    assert_eq!(grade(&summary, "K01"), "unscored", "{talk}");
}
