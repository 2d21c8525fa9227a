//! Suites that the program writes itself, for a target that has none: `rehearsal auth URL`. Pure.

use std::sync::Arc;

/// A suite that exists in no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeSuite {
    /// The path under which diagnostics and records show it.
    pub file: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
}

/// How the paths of made suites end.
const ENDING: &str = " (made)";

/// Whose auth is probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An endpoint.
    Url(String),
    /// A program over standard streams: its words.
    Command(Vec<String>),
}

/// What the command line says of the auth of a target.
#[derive(Clone, Debug)]
pub struct AuthWish {
    /// The target.
    pub subject: Subject,
    /// The packs of checks.
    pub packs: Vec<String>,
    /// Variables with bearer tokens, one for each person.
    pub bearers: Vec<String>,
    /// Whether somebody has signed in at the target.
    pub login: bool,
    /// Whether the target must refuse the test issuer; the file of the issuer's key, if it has one of its own.
    pub untrusted: Option<Option<String>>,
}

impl MadeSuite {
    /// Whether a path is that of a made suite.
    pub fn is(file: &str) -> bool {
        file.ends_with(ENDING)
    }

    /// The suite of `auth URL`. Every value is written as JSON, which is YAML and cannot break out of its place.
    pub fn auth(wish: &AuthWish) -> Self {
        let name = name(&wish.subject);
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut text = format!("version: 1\nname: {}\ndescription: The auth of one target.\n", quoted(&name));
        let target = match &wish.subject {
            Subject::Url(url) => format!("{{url: {}, transport: http}}", quoted(&literal(url))),
            Subject::Command(words) => {
                let words: Vec<String> = words.iter().map(|word| quoted(&literal(word))).collect();
                format!("{{command: [{}], transport: stdio}}", words.join(", "))
            }
        };
        text.push_str(&format!("target: {target}\n"));
        if let Some(key) = &wish.untrusted {
            let issuer = match key {
                Some(file) => format!("{{key: {}}}", quoted(file)),
                None => "embedded".to_owned(),
            };
            text.push_str(&format!("auth: {{issuer: {issuer}}}\n"));
        }
        let variables: Vec<String> = wish.bearers.iter().map(|name| quoted(name)).collect();
        text.push_str(&format!("env: [{}]\n", variables.join(", ")));
        text.push_str("personas:\n");
        if wish.login {
            text.push_str("  - {name: signed-in, identity: {login: {}}}\n");
        }
        for (index, variable) in variables.iter().enumerate() {
            let person = index + 1;
            text.push_str(&format!(
                "  - {{name: bearer-{person}, identity: {{bearer: {{env: {variable}}}}}}}\n"
            ));
        }
        text.push_str("  - {name: anonymous, identity: anonymous}\n");
        let packs: Vec<String> = wish.packs.iter().map(|pack| quoted(pack)).collect();
        let facts = if wish.untrusted.is_some() { ", facts: {untrusted: true}" } else { "" };
        text.push_str(&format!("auth_checks: {{pack: [{}]{facts}}}\n", packs.join(", ")));
        Self { file: Arc::from(format!("{name}{ENDING}")), text: Arc::from(text) }
    }
}

/// A dollar sign means itself on the command line.
fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

/// A name for the suite and the folder of its runs.
fn name(subject: &Subject) -> String {
    let about = match subject {
        Subject::Url(url) => url.split_once("://").map_or(url.as_str(), |(_, rest)| rest).to_owned(),
        Subject::Command(words) => {
            words.iter().map(|word| word.rsplit('/').next().unwrap_or(word)).collect::<Vec<_>>().join("-")
        }
    };
    // What stands before an `@` may be a password, and what stands after a `?` a token.
    let about = about.split(['?', '#']).next().unwrap_or_default();
    let about = about.rsplit('@').next().unwrap_or_default();
    let plain: String =
        about.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).take(60).collect();
    format!("auth-{}", plain.trim_matches(['-', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(subject: Subject) -> AuthWish {
        AuthWish { subject, packs: vec!["standard".into()], bearers: vec![], login: false, untrusted: None }
    }

    #[test]
    fn a_url_becomes_a_suite() {
        let url = Subject::Url("http://127.0.0.1:8000/mcp".into());
        let made =
            MadeSuite::auth(&AuthWish { bearers: vec!["A".into(), "B".into()], login: true, ..wish(url) });
        assert!(MadeSuite::is(&made.file) && !MadeSuite::is("suites/a.yaml"));
        insta::assert_snapshot!(made.text);
    }

    #[test]
    fn nothing_breaks_out_of_its_place() {
        let words = vec!["./ser\"ver".to_owned(), "${HOME}\n- x: {".to_owned()];
        let made = MadeSuite::auth(&AuthWish {
            untrusted: Some(Some("key.pem".into())),
            ..wish(Subject::Command(words))
        });
        insta::assert_snapshot!(made.text);
    }

    #[test]
    fn a_name_holds_no_secret_of_the_url() {
        let url = Subject::Url("https://user:pass@example.com:8443/a/b?key=secret#x".into());
        assert_eq!(name(&url), "auth-example.com-8443-a-b");
    }
}
