//! `rehearsal login` and `logout`, as the binary does them: what is stored, who may read it, who is never waited for.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a broken set-up should stop the test at once"
)]

#[allow(dead_code, reason = "shared with the tests of the authorization client")]
#[path = "oauth/world.rs"]
mod world;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use assert_cmd::Command;
use tempfile::TempDir;
use world::{World, ok, refuse};

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("config/rehearsal/credentials.json")
    }

    /// Exit code, stdout, stderr.
    async fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::cargo_bin("rehearsal").unwrap();
        command.args(args).env_clear().env("XDG_CONFIG_HOME", self.0.path().join("config"));
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    }

    /// Stdout and stderr of a run with a persona that has signed in.
    async fn eval(&self, world: &World, login: &str) -> (String, String) {
        let suite = format!(
            "version: 1\ntarget: {{url: '{}'}}\npersonas: [{{name: alice, identity: {{login: {login}}}}}]\naccess:\n  alice: {{sees: [anything]}}\n",
            world.target()
        );
        let folder = self.0.path().join("suites");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("s.yaml"), suite).unwrap();
        let (_, out, err) = self.run(&["-C", self.0.path().to_str().unwrap(), "eval"]).await;
        (out, err)
    }

    /// The first login's token has ended.
    fn age(&self) {
        let stored = fs::read_to_string(self.file()).unwrap();
        let now = serde_json::from_str::<serde_json::Value>(&stored).unwrap()["logins"][0]["expires"].clone();
        fs::write(self.file(), stored.replacen(&now.to_string(), "1", 1)).unwrap();
    }
}

#[tokio::test]
async fn a_login_is_stored_for_its_owner_alone_and_forgotten() {
    let (world, home) = (World::polite().await, Home::new());
    let target = world.target();
    let (code, out, err) = home.run(&["login", target.as_str(), "--auto-consent", "--as", "alice"]).await;
    assert_eq!((code, out.trim_end()), (0, format!("signed in at {target} as alice").as_str()), "{err}");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.file()), 0o600);
    assert_eq!(mode(home.file().parent().unwrap()), 0o700);
    let left = fs::read_dir(home.file().parent().unwrap()).unwrap().count();
    assert_eq!(left, 2, "the file and its lock, and nothing half written");
    let stored = fs::read_to_string(home.file()).unwrap();
    assert!(stored.contains("access-token-1") && stored.contains("refresh-token-1"));

    let (code, out, _) = home.run(&["login", "--list"]).await;
    assert_eq!(code, 0);
    assert_eq!(out, format!("{target} as alice · {} · renews itself · mcp:read\n", world.base()));

    let (code, _, err) = home.run(&["logout", target.as_str()]).await;
    assert_eq!(code, 2, "that is another login: {err}");
    let (code, out, _) = home.run(&["logout", target.as_str(), "--as", "alice"]).await;
    assert_eq!((code, out), (0, format!("forgot the login at {target} as alice\n")));
    assert!(!fs::read_to_string(home.file()).unwrap().contains("access-token-1"));
}

#[tokio::test]
async fn the_tokens_of_a_forgotten_login_are_revoked_where_that_is_offered() {
    for (offered, status, words) in [
        (true, 200, "its tokens were revoked at the authorization server"),
        (
            true,
            503,
            "were not revoked and stay good until they end: the authorization server answered HTTP 503",
        ),
        (false, 200, "names no place to revoke them"),
    ] {
        let script = move |seen: &world::Seen| match seen.path.as_str() {
            "/.well-known/oauth-authorization-server" if offered => {
                let place = serde_json::json!(format!("{}/revoke", seen.base));
                Some(ok(&world::with(world::server(&seen.base), "revocation_endpoint", place)))
            }
            "/revoke" => Some(world::answer(status, &serde_json::json!({}))),
            _ => None,
        };
        let (world, home) = (World::start(script).await, Home::new());
        let target = world.target();
        home.run(&["login", target.as_str(), "--auto-consent"]).await;
        let (code, out, err) = home.run(&["logout", target.as_str()]).await;
        assert_eq!(code, 0, "{err}");
        assert!(out.contains("forgot the login"), "{out}");
        assert!(err.contains(words), "{err}");
        assert!(
            !fs::read_to_string(home.file()).unwrap().contains("access-token-1"),
            "forgotten all the same"
        );
        let asked = world.seen("POST /revoke");
        let shown: Vec<_> =
            asked.iter().map(|seen| (seen.field("token"), seen.field("token_type_hint"))).collect();
        let both = [("refresh-token-1", "refresh_token"), ("access-token-1", "access_token")];
        match (offered, status) {
            (true, 200) => assert_eq!(shown, both),
            (true, _) => assert_eq!(shown, both[..1]),
            _ => assert_eq!(shown, []),
        }
        assert!(asked.iter().all(|seen| seen.field("client_id") == "client-1"));
        assert!(!format!("{out}{err}").contains("token-1"), "{out}{err}");
    }
}

#[tokio::test]
async fn nobody_is_waited_for_without_a_terminal() {
    let (world, home) = (World::polite().await, Home::new());
    let (code, out, err) = home.run(&["login", world.target().as_str()]).await;
    assert_eq!((code, out.as_str()), (5, ""));
    assert!(err.contains("error[credentials.login]") && err.contains("client_credentials"), "{err}");
    assert_eq!(world.calls(), [] as [&str; 0]);
    assert!(!home.file().exists());
}

#[tokio::test]
async fn a_file_that_others_may_read_is_refused() {
    let (world, home) = (World::polite().await, Home::new());
    let target = world.target();
    home.run(&["login", target.as_str(), "--auto-consent"]).await;
    fs::set_permissions(home.file(), fs::Permissions::from_mode(0o644)).unwrap();
    let before = world.calls().len();
    for args in [
        vec!["login", "--list"],
        vec!["logout", target.as_str()],
        vec!["login", target.as_str(), "--auto-consent"],
    ] {
        let (code, out, err) = home.run(&args).await;
        assert_eq!((code, out.as_str()), (74, ""), "{args:?}");
        assert!(err.contains("may be read by others (mode 644)"), "{err}");
    }
    assert_eq!(world.calls().len(), before, "nothing is asked for that cannot be kept");
}

#[tokio::test]
async fn a_broken_file_is_not_overwritten() {
    let (world, home) = (World::polite().await, Home::new());
    home.run(&["login", world.target().as_str(), "--auto-consent"]).await;
    fs::write(home.file(), "{").unwrap();
    let (code, _, err) = home.run(&["login", world.target().as_str(), "--auto-consent"]).await;
    assert_eq!(code, 74);
    assert!(err.contains("not a file of logins"), "{err}");
    assert_eq!(fs::read_to_string(home.file()).unwrap(), "{");
}

#[tokio::test]
async fn a_target_without_authorization_stores_nothing() {
    let open = |seen: &world::Seen| match seen.path.as_str() {
        "/mcp" => Some(ok(&serde_json::json!({}))),
        _ => Some(world::answer(404, &serde_json::json!({}))),
    };
    let (world, home) = (World::start(open).await, Home::new());
    let (code, out, _) = home.run(&["login", world.target().as_str(), "--auto-consent"]).await;
    assert_eq!(code, 0);
    assert!(out.contains("asks for no authorization"), "{out}");
    assert!(!home.file().exists());
}

#[tokio::test]
async fn a_target_that_refuses_its_own_tokens_is_named() {
    let closed =
        |seen: &world::Seen| (seen.path == "/mcp").then(|| refuse(401, "Bearer error=\"invalid_token\""));
    let (world, home) = (World::start(closed).await, Home::new());
    let (code, out, err) = home.run(&["login", world.target().as_str(), "--auto-consent"]).await;
    assert_eq!((code, out.as_str()), (5, ""));
    assert!(err.contains("refuses the token"), "{err}");
    assert!(!home.file().exists());
}

#[tokio::test]
async fn scopes_and_client_come_from_the_command_line() {
    let (world, home) = (World::polite().await, Home::new());
    let target = world.target();
    let args =
        ["login", target.as_str(), "--auto-consent", "--scope", "a", "--scope", "b", "--client-id", "mine"];
    let (code, _, err) = home.run(&args).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(world.seen("GET /authorize")[0].field("scope"), "a b");
    assert_eq!(world.seen("GET /authorize")[0].field("client_id"), "mine");
    let (code, _, err) = home
        .run(&[
            "login",
            target.as_str(),
            "--client-id",
            "mine",
            "--client-secret-env",
            "UNSET",
            "--auto-consent",
        ])
        .await;
    assert_eq!(code, 5);
    assert!(err.contains("`UNSET` is not set"), "{err}");
}

#[tokio::test]
async fn a_run_uses_the_login_and_renews_it() {
    let (world, home) = (World::polite().await, Home::new());
    home.run(&["login", world.target().as_str(), "--auto-consent"]).await;
    // The token ends; the next one is stored where the first one was.
    home.age();
    let (out, err) = home.eval(&world, "{}").await;
    assert_eq!(world.seen("POST /token").len(), 2, "{out}{err}");
    assert_eq!(world.seen("POST /token")[1].field("refresh_token"), "refresh-token-1", "{out}{err}");
    let asked = world.seen("POST /mcp");
    assert_eq!(asked.last().unwrap().header("authorization"), "Bearer access-token-2");
    assert!(
        fs::read_to_string(home.file()).unwrap().contains("refresh-token-2"),
        "the rotated token is kept"
    );
    assert!(!format!("{out}{err}").contains("access-token"), "{out}{err}");
}

/// A refresh token belongs to the client that it was granted to (RFC 6749 section 6).
#[tokio::test]
async fn logins_of_two_clients_are_renewed_and_revoked_each_by_its_own() {
    let revocable = |seen: &world::Seen| match seen.path.as_str() {
        "/.well-known/oauth-authorization-server" => {
            let place = serde_json::json!(format!("{}/revoke", seen.base));
            Some(ok(&world::with(world::server(&seen.base), "revocation_endpoint", place)))
        }
        "/revoke" => Some(world::answer(200, &serde_json::json!({}))),
        _ => None,
    };
    let (world, home) = (World::start(revocable).await, Home::new());
    let target = world.target();
    home.run(&["login", target.as_str(), "--auto-consent", "--as", "alice"]).await;
    home.run(&["login", target.as_str(), "--auto-consent", "--as", "bob", "--client-id", "mine"]).await;
    home.age();
    let (out, err) = home.eval(&world, "{account: alice}").await;
    let asked = world.seen("POST /token");
    let who: Vec<_> = asked.iter().map(|seen| (seen.field("grant_type"), seen.field("client_id"))).collect();
    let code = "authorization_code";
    assert_eq!(who, [(code, "client-1"), (code, "mine"), ("refresh_token", "client-1")], "{out}{err}");
    for (account, client) in [("alice", "client-1"), ("bob", "mine")] {
        let before = world.seen("POST /revoke").len();
        home.run(&["logout", target.as_str(), "--as", account]).await;
        let asked = world.seen("POST /revoke");
        assert_eq!(asked.len(), before + 2);
        assert!(asked[before..].iter().all(|seen| seen.field("client_id") == client), "{account}");
    }
}
