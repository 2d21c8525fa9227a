//! `rehearsal issuer` as people start it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rehearsal")).args(args).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ends what a test has left in the background.
struct Behind(String);

impl Drop for Behind {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(&self.0).status();
    }
}

#[tokio::test]
async fn an_issuer_stays_behind_and_says_what_a_server_needs() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["issuer", "--print-env", "--format", "json", "--tls", "--scope", "a", "--scope", "b"];
    let args = [&args[..], &["--audience", "http://127.0.0.1:9/mcp", "--lasting", "2m"]].concat();
    let output = run(folder.path(), &args);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("{name} is missing")).to_owned();
    let behind = Behind(told("REHEARSAL_ISSUER_PID"));
    assert!(said.contains("serves in the background for 2 minutes"), "{said}");
    assert!(!said.contains(&told("REHEARSAL_CLIENT_SECRET")));
    assert_eq!(told("REHEARSAL_AUDIENCE"), "http://127.0.0.1:9/mcp");

    let ca = std::fs::read_to_string(told("REHEARSAL_CA")).unwrap();
    let tls = rehearsal::net::Tls { ca: Some(ca.into()), identity: None };
    let http = rehearsal::net::client_by(&rehearsal::net::Route { tls, proxy: None }).unwrap();
    assert_eq!(http.get(told("REHEARSAL_JWKS")).send().await.unwrap().status(), 200);
    let asked = http
        .post(told("REHEARSAL_TOKEN_ENDPOINT"))
        .basic_auth(told("REHEARSAL_CLIENT"), Some(told("REHEARSAL_CLIENT_SECRET")))
        .form(&[("grant_type", "client_credentials"), ("resource", &told("REHEARSAL_AUDIENCE"))])
        .send();
    let granted: Value = asked.await.unwrap().json().await.unwrap();
    assert_eq!(granted["scope"], "a b");
    let asked = http
        .post(told("REHEARSAL_INTROSPECTION"))
        .basic_auth(told("REHEARSAL_INTROSPECTION_CLIENT"), Some(told("REHEARSAL_INTROSPECTION_SECRET")))
        .form(&[("token", granted["access_token"].as_str().unwrap())])
        .send();
    let known: Value = asked.await.unwrap().json().await.unwrap();
    assert_eq!((&known["active"], &known["aud"]), (&true.into(), &told("REHEARSAL_AUDIENCE").into()));

    drop(behind);
    for _ in 0..100 {
        if http.get(told("REHEARSAL_JWKS")).send().await.is_err()
            && !Path::new(&told("REHEARSAL_CA")).exists()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it is still there");
}

#[test]
fn a_shell_takes_the_variables_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_rehearsal");
    let script = format!(
        "eval \"$('{program}' issuer --print-env --lasting 1m)\" && echo $REHEARSAL_ISSUER && kill $REHEARSAL_ISSUER_PID"
    );
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("http://127.0.0.1:"), "{}", text(&output.stdout));
}

#[test]
fn an_issuer_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(folder.path(), &["issuer", "--print-env", "--port", &port]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(said.contains("error[issuer.background]") && said.contains("issuer.listen"), "{said}");
}

#[test]
fn an_exported_key_is_for_its_owner_and_used_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["issuer", "--export-key", "test.key"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("WARNING"), "{}", text(&output.stderr));
    let path = folder.path().join("test.key");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("REHEARSAL TEST KEY"));
    let again = run(folder.path(), &["issuer", "--export-key", "test.key"]);
    assert!(!again.status.success(), "a key is never written over");

    let start = ["issuer", "--print-env", "--format", "json", "--key", "test.key", "--lasting", "1m"];
    let output = run(folder.path(), &start);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("WARNING: tokens are signed with a stable test key"));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    drop(Behind(told["REHEARSAL_ISSUER_PID"].as_str().unwrap().to_owned()));

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(folder.path(), &start[..6]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("others can read"), "{}", text(&output.stderr));
}
