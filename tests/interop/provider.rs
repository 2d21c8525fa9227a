//! A certified authorization server that nobody here wrote, `oidc-provider`: people sign in with a code and PKCE,
//! machines with a secret or a key, tokens are for the resource that asks for them, and are renewed and taken back.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use rehearsal::mcp::launch::{Launched, pick_port};
use serde_json::Value;
use tempfile::TempDir;

use super::cli::{eval, project};
use super::surroundings::{Installed, started};

const SECRET: &str = "machine-secret-5d2c61b7e0f94a38";

/// Runs a command at a terminal of its own: nobody signs in where there is none.
const TERMINAL: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/// The authorization server, a server that trusts it, and the home of somebody who uses both.
struct Surroundings<'a> {
    installed: &'a Installed,
    servers: [Launched; 2],
    target: String,
    key: String,
    home: TempDir,
}

impl<'a> Surroundings<'a> {
    async fn start(installed: &'a Installed) -> Self {
        let (one, other) = (pick_port().unwrap().to_string(), pick_port().unwrap().to_string());
        let (issuer, target) = (format!("http://127.0.0.1:{one}"), format!("http://127.0.0.1:{other}/mcp"));
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let modules = installed.modules();
        let common = [("NOTES_MODULES", modules.to_str().unwrap()), ("NOTES_RESOURCE", target.as_str())];
        let server = |name: &str| {
            vec!["node".to_owned(), project().join("servers").join(name).to_str().unwrap().to_owned()]
        };
        let own = [("PORT", one.as_str()), ("NOTES_MACHINE_SECRET", SECRET), ("NOTES_MACHINE_KEY", &key)];
        let env = [&common[..], &own].concat();
        let authorization = started(server("oidc_provider.mjs"), &env, &issuer).await;
        let env = [&common[..], &[("PORT", other.as_str()), ("NOTES_ISSUER", issuer.as_str())]].concat();
        let resource = started(server("sdk_server.mjs"), &env, &target).await;
        let home = tempfile::tempdir().unwrap();
        Self { installed, servers: [authorization, resource], target, key, home }
    }

    async fn end(self) {
        for server in &self.servers {
            server.stop().await;
            super::gone(server.group()).await;
        }
    }

    /// Somebody signs in on the pages of the authorization server, in a browser.
    fn sign_in(&self, person: &str, flags: &[&str]) {
        let words = ["-c", TERMINAL, env!("CARGO_BIN_EXE_rehearsal"), "login", &self.target, "--browser"];
        let command = self.installed.python("python", &[&words[..], &["--as", person], flags].concat());
        let browser = project().join("browser");
        let output = Command::new(&command[0])
            .args(&command[1..])
            .env_remove("CI")
            .env("PATH", format!("{}:{}", browser.display(), self.installed.path()))
            .env("XDG_CONFIG_HOME", self.home.path())
            .env("NOTES_PERSON", person)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(&format!("as {person}")), "{output:?}");
    }

    fn sign_out(&self, person: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .args(["logout", &self.target, "--as", person])
            .env("XDG_CONFIG_HOME", self.home.path())
            .output()
            .unwrap()
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("rehearsal/credentials.json")
    }

    fn login(&self, person: &str) -> Value {
        let stored: Value = serde_json::from_slice(&std::fs::read(self.file()).unwrap()).unwrap();
        let logins = stored["logins"].as_array().unwrap();
        logins.iter().find(|login| login["account"] == person).unwrap().clone()
    }

    /// The access token has ended.
    fn age(&self, person: &str) {
        let mut stored: Value = serde_json::from_slice(&std::fs::read(self.file()).unwrap()).unwrap();
        let logins = stored["logins"].as_array_mut().unwrap();
        logins.iter_mut().find(|login| login["account"] == person).unwrap()["expires"] = 1.into();
        std::fs::write(self.file(), serde_json::to_vec(&stored).unwrap()).unwrap();
    }
}

/// What the authorization server answers to the refresh token of a login.
async fn refresh(login: &Value) -> Value {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (token, client) = (text(&login["refresh"]), text(&login["client"]["id"]));
    let form = format!("grant_type=refresh_token&refresh_token={token}&client_id={client}");
    let endpoint = format!("{}/token", text(&login["issuer"]));
    let request = rehearsal::net::client().unwrap().post(endpoint).body(form);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap()
}

/// The suite asserts what each persona may, and for whom its token is; here is what happens to the tokens.
#[tokio::test(flavor = "multi_thread")]
async fn a_certified_authorization_server() {
    let Some(installed) = Installed::find() else { return };
    let world = Surroundings::start(&installed).await;
    // Alice's client registers itself, bob's is known. Both belong to one issuer and must not be mixed up.
    world.sign_in("alice", &[]);
    world.sign_in("bob", &["--client-id", "desk"]);
    let (alice, bob) = (world.login("alice"), world.login("bob"));
    assert_ne!(alice["client"]["id"], bob["client"]["id"]);
    assert_eq!(alice["scopes"], serde_json::json!(["notes:read", "offline_access"]));
    world.age("alice");
    let home = world.home.path().to_str().unwrap();
    let env = [
        ("XDG_CONFIG_HOME", home),
        ("NOTES_URL", &world.target),
        ("NOTES_MACHINE_SECRET", SECRET),
        ("NOTES_MACHINE_KEY", &world.key),
        ("NOTES_REFRESH", bob["refresh"].as_str().unwrap()),
    ];
    let run = eval(&installed, &project(), "oidc-provider", &env);
    // What the server's SDK does with batches has nothing to do with its tokens.
    run.finds(&["H07"], &["A07", "C06"]);
    let renewed = world.login("alice");
    assert_ne!(renewed["access"], alice["access"]);
    assert_ne!(renewed["refresh"], alice["refresh"], "refresh tokens rotate");
    // The token of the file was used up by the persona that has it from its environment.
    let done = world.sign_out("alice");
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(told.contains("its tokens were revoked at the authorization server"), "{told}");
    let again = refresh(&renewed).await;
    assert_eq!(again["error"], "invalid_grant", "{again}");
    world.end().await;
}
