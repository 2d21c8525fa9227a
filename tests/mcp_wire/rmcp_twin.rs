//! The official SDK's client before the same servers: where it decides otherwise, the difference is known and written
//! down in `docs/differences-from-rmcp.md`.

use std::time::Duration;

use rehearsal::mcp::Isolation;
use rmcp::model::ProtocolVersion;
use rmcp::service::{ClientLifecycleMode, ClientServiceExt};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};

use crate::era::{MODES, STDIO_MODES, script, shell_speaking, speaking};
use crate::stage::{Scripted, anonymous, free, log, open_as, polite, wire};

/// How long the other client may take until it counts as waiting. Its own limit is ten seconds, and over HTTP none.
const WAIT: Duration = Duration::from_millis(1_500);

/// Modes on which the two decide differently: ours, theirs.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("-32022 listing only legacy", "initialize", "gives up"),
    ("lists only legacy", "initialize", "gives up"),
    ("-32022 without a list", "initialize", "gives up"),
    ("429", "initialize", "gives up"),
    ("text 500", "initialize", "gives up"),
    ("text 502", "initialize", "gives up"),
    ("202", "initialize", "gives up"),
    ("204", "initialize", "gives up"),
    ("HTML 200", "initialize", "gives up"),
    ("hang", "initialize", "waits on"),
    ("stream that breaks off", "initialize", "gives up"),
    ("{} result", "initialize", "gives up"),
    ("silent", "initialize", "waits on"),
    ("exits on the question", "initialize", "gives up"),
];

fn auto() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: Some(ProtocolVersion::V_2025_11_25),
    }
}

/// What a client did, from whether it connected and whether it sent `initialize`.
fn decision<T, E>(
    outcome: Result<Result<T, E>, tokio::time::error::Elapsed>,
    initialized: bool,
) -> &'static str {
    match (outcome, initialized) {
        (Err(_), _) => "waits on",
        (Ok(Err(_)), _) => "gives up",
        (Ok(Ok(_)), true) => "initialize",
        (Ok(Ok(_)), false) => "modern",
    }
}

fn compare(all: Vec<(&'static str, &'static str, &'static str)>, known: &[&str]) {
    let differing: Vec<_> = all.into_iter().filter(|(_, ours, theirs)| ours != theirs).collect();
    let wanted: Vec<_> = DIFFERENCES.iter().copied().filter(|(name, ..)| known.contains(name)).collect();
    let sorted = |mut rows: Vec<(&'static str, &'static str, &'static str)>| {
        rows.sort_unstable();
        rows
    };
    assert_eq!(sorted(differing), sorted(wanted));
}

#[tokio::test]
async fn over_http_both_clients_decide_alike_but_for_the_known_modes() {
    let mut all = Vec::new();
    for &(name, mode, _) in MODES {
        let start = || {
            Scripted::start(move |request| match request.rpc() {
                "server/discover" => mode(request),
                _ => polite(request),
            })
        };
        let initialized = |server: &Scripted| server.seen().iter().any(|seen| seen.rpc() == "initialize");
        let server = start().await;
        let mut profile = free(2_000);
        profile.conduct.connect_timeout = Some(rehearsal::units::Period(Duration::from_millis(400)));
        let (target, log) = (speaking(&server, "auto"), log());
        let outcome = tokio::time::timeout(WAIT, open_as(&target, &anonymous(), &profile, &log)).await;
        let ours = decision(outcome, initialized(&server));
        let server = start().await;
        let transport = StreamableHttpClientTransport::from_uri(server.url.as_str());
        let outcome = tokio::time::timeout(WAIT, ().serve_with_lifecycle(transport, auto())).await;
        let theirs = decision(outcome, initialized(&server));
        all.push((name, ours, theirs));
    }
    let names: Vec<&str> = MODES.iter().map(|mode| mode.0).collect();
    compare(all, &names);
}

#[tokio::test]
async fn over_stdio_both_clients_decide_alike_but_for_the_known_modes() {
    let mut all = Vec::new();
    for &(name, arm, _) in STDIO_MODES {
        let script = script(arm);
        let (target, log) = (shell_speaking(&script, Isolation::Trial, "auto"), log());
        let outcome = tokio::time::timeout(WAIT, open_as(&target, &anonymous(), &free(2_000), &log)).await;
        let initialized = wire(&log).iter().any(|line| line.contains("> stdio initialize"));
        let ours = decision(outcome, initialized);
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("seen");
        let script = format!(
            "seen='{}'\n{}",
            copy.display(),
            script.replace("case \"$line\"", "echo \"$line\" >> \"$seen\"; case \"$line\"")
        );
        let mut command = tokio::process::Command::new("sh");
        command.args(["-c", &script]).stderr(std::process::Stdio::null()).kill_on_drop(true);
        let transport =
            TokioChildProcess::builder(command).stderr(std::process::Stdio::null()).spawn().unwrap().0;
        let outcome = tokio::time::timeout(WAIT, ().serve_with_lifecycle(transport, auto())).await;
        let seen = std::fs::read_to_string(&copy).unwrap_or_default();
        let theirs = decision(outcome, seen.contains("\"initialize\""));
        all.push((name, ours, theirs));
    }
    let names: Vec<&str> = STDIO_MODES.iter().map(|mode| mode.0).collect();
    compare(all, &names);
}
