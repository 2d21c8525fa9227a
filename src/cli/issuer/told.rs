//! What a server and its tests need to know of an issuer, as variables.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::args::{EnvFormat, IssuerArgs};
use crate::auth::issuer::Issuer;

/// Names and values, in order. Secrets are among them: that is what they are printed for.
pub(super) type Told = Vec<(&'static str, String)>;

/// Everything about a running issuer.
pub(super) fn all(
    issuer: &Issuer,
    args: &IssuerArgs,
    (client, secret): (&str, &SecretString),
    authority: Option<&Path>,
) -> Told {
    let (server, server_secret) = issuer.introspection_client();
    let mut told = vec![
        ("REHEARSAL_ISSUER", issuer.url().to_owned()),
        ("REHEARSAL_JWKS", issuer.jwks_url()),
        ("REHEARSAL_INTROSPECTION", issuer.introspection_url()),
        ("REHEARSAL_INTROSPECTION_CLIENT", server.to_owned()),
        ("REHEARSAL_INTROSPECTION_SECRET", server_secret.expose_secret().to_owned()),
        ("REHEARSAL_TOKEN_ENDPOINT", issuer.token_url()),
        ("REHEARSAL_CLIENT", client.to_owned()),
        ("REHEARSAL_CLIENT_SECRET", secret.expose_secret().to_owned()),
    ];
    told.extend(args.audience.iter().map(|audience| ("REHEARSAL_AUDIENCE", audience.clone())));
    told.extend(authority.map(|path| ("REHEARSAL_CA", path.to_string_lossy().into_owned())));
    told.push(("REHEARSAL_ISSUER_PID", std::process::id().to_string()));
    told
}

/// The text that is printed.
pub(super) fn text(told: &Told, format: EnvFormat) -> String {
    let lines = |line: fn(&str, &str) -> String| -> String {
        told.iter().map(|(name, value)| line(name, value)).collect()
    };
    match format {
        // Within single quotes a shell reads everything as it is but the quote itself.
        EnvFormat::Shell => {
            lines(|name, value| format!("export {name}='{}'\n", value.replace('\'', r"'\''")))
        }
        EnvFormat::Dotenv => lines(|name, value| {
            let value =
                value.replace('\\', r"\\").replace('"', "\\\"").replace('$', r"\$").replace('\n', r"\n");
            format!("{name}=\"{value}\"\n")
        }),
        EnvFormat::Json => {
            let pairs = told.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())));
            format!("{:#}\n", Value::Object(pairs.collect::<Map<_, _>>()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out_of_their_quotes() {
        let told = vec![("A", "it's $(id) \"x\" \\".to_owned()), ("B", "plain".to_owned())];
        insta::assert_snapshot!(text(&told, EnvFormat::Shell), @r#"
        export A='it'\''s $(id) "x" \'
        export B='plain'
        "#);
        insta::assert_snapshot!(text(&told, EnvFormat::Dotenv), @r#"
        A="it's \$(id) \"x\" \\"
        B="plain"
        "#);
        let json: Value = serde_json::from_str(&text(&told, EnvFormat::Json)).unwrap();
        assert_eq!(json["A"], "it's $(id) \"x\" \\");
    }
}
