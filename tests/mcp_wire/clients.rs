//! What a server sees when the client plays a measured one: the frames in `fixtures/clients`.

use std::path::Path;

use rehearsal::suite::catalog::Catalog;
use serde_json::Value;

use crate::stage::{Scripted, anonymous, log, open_as, polite};

#[tokio::test]
async fn the_handshake_is_the_one_recorded() {
    for name in
        ["claude-code", "cline-cli", "codex-cli", "gemini-cli", "mcp-inspector", "mcp-remote", "opencode"]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/clients/{name}.yaml"));
        #[expect(clippy::disallowed_methods, reason = "a test looks at its fixture")]
        let frames: Value = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let profile = Catalog::embedded().client(name).unwrap();
        let server = Scripted::start(polite).await;
        let (target, log) = (server.target(), log());
        let session = open_as(&target, &anonymous(), &profile, &log).await.unwrap();
        session.close().await;
        target.close().await;
        let seen = server.seen();
        let initialize = seen.iter().find(|request| request.rpc() == "initialize").unwrap();
        assert!(frames["initialize"].get("clientInfo").is_some(), "{name}");
        // What a frame does not hold was not recorded.
        for (key, value) in frames["initialize"].as_object().unwrap() {
            assert_eq!(initialize.body["params"][key], *value, "{name}: {key}");
        }
    }
}
