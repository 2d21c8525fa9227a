//! What looks like a secret, so that it is written into no suite and no record. Pure.
//!
//! A guess that errs on the side of caution: a harmless value that is taken for a secret costs an environment variable.
//! `forms` is the one table of how keys and tokens look. `mask` takes them out of running texts, where less is guessed,
//! because people read what is left.

mod forms;
mod mask;

pub use mask::{MARK, mask, masked};

/// Words of names whose values are secrets.
const WORDS: [&str; 9] = ["auth", "cred", "creds", "dsn", "keys", "pass", "pat", "pwd", "sig"];

/// The same, wherever they stand in a word.
const PARTS: [&str; 14] = [
    "apikey",
    "authoris",
    "authoriz",
    "bearer",
    "cookie",
    "credential",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "private",
    "secret",
    "session",
    "signature",
];

/// The same, at the end of a word: `authtoken`, `accesskey`.
const ENDS: [&str; 2] = ["key", "token"];

/// Words that end so and mean something else.
const ORDINARY: [&str; 6] = ["donkey", "hockey", "hotkey", "monkey", "turkey", "whiskey"];

/// Whether something under this name is a secret, whatever it looks like: a variable, a header, a flag or a parameter of a
/// URL.
pub fn is_secret_name(name: &str) -> bool {
    crate::llm::lexical::words_of(name).iter().map(String::as_str).any(|word| {
        WORDS.contains(&word)
            || PARTS.iter().any(|part| word.contains(part))
            || (ENDS.iter().any(|end| word.ends_with(end)) && !ORDINARY.contains(&word))
    })
}

/// Whether the value under a name is a secret. Switches and variables are none, whatever their name.
pub fn is_secret(name: &str, value: &str) -> bool {
    let switch = matches!(value.to_lowercase().as_str(), "" | "true" | "false" | "0" | "1" | "none" | "null");
    (is_secret_name(name) && !switch && !is_variable(without_scheme(value))) || looks_secret(value)
}

/// Whether a value tells by itself, whole or in a part of it.
pub fn looks_secret(value: &str) -> bool {
    let value = value.trim();
    let word = without_scheme(value);
    let scheme = word.len() < value.len() && !word.contains(char::is_whitespace);
    (scheme && !is_variable(word))
        || forms::begins(word)
        || is_dense(word)
        || masked(value).is_some()
        || url::Url::parse(value).is_ok_and(|url| {
            url.password().is_some()
                || url.path_segments().into_iter().flatten().any(is_dense)
                || url.query_pairs().any(|(name, value)| !value.is_empty() && is_secret(&name, &value))
        })
}

/// Whether a word has the look of random bytes: long hexadecimal, or letters of both cases and digits.
fn is_dense(text: &str) -> bool {
    let any = |kind: fn(&u8) -> bool| text.bytes().any(|byte| kind(&byte));
    let hex = text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mixed = text.len() >= 20
        && any(u8::is_ascii_uppercase)
        && any(u8::is_ascii_lowercase)
        && any(u8::is_ascii_digit)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_+=.~".contains(&byte));
    hex || mixed
}

/// A credential without the word before it.
pub fn without_scheme(value: &str) -> &str {
    match value.split_once(' ') {
        Some((scheme, rest))
            if ["bearer", "basic"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) =>
        {
            rest
        }
        _ => value,
    }
}

/// Whether a value is nothing but a variable, such as `${TOKEN}`, `${env:TOKEN}` or `{{env.TOKEN}}`.
fn is_variable(value: &str) -> bool {
    [("${", "}"), ("{{", "}}")].iter().any(|(open, close)| {
        value.starts_with(open) && value.ends_with(close) && value.matches(open).count() == 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_and_names_like_them() {
        for (secret, near) in [
            ("API_KEY", "KEYBOARD"),
            ("apiKey", "monkey"),
            ("APIKEYS", "TURKEY"),
            ("--access-key", "--keyframe"),
            ("accesskey", "hotkey"),
            ("SSH_KEYS", "KEYSPACE"),
            ("githubToken", "MAX_TOKENS"),
            ("authtoken", "tokenizer"),
            ("X-Auth", "AUTHOR"),
            ("Authorization", "AUTHORITY"),
            ("DB_PASS", "BYPASS"),
            ("dbpassword", "PASSAGE"),
            ("GITHUB_PAT", "PATH"),
            ("PG_PWD", "PWDUMP"),
            ("SIGNATURE", "SIGNAL"),
            ("sig", "SIGMA"),
            ("SENTRY_DSN", "DSNAME"),
            ("jwt", "JAVA_WT"),
            ("client_secret", "SECURE"),
            ("AWS_CREDENTIALS", "CREDITS"),
            ("gcp-creds", "SACRED"),
            ("session", "SESS"),
            ("Cookie", "COOK"),
        ] {
            assert!(is_secret_name(secret), "{secret}");
            assert!(!is_secret_name(near), "{near}");
        }
    }

    #[test]
    fn secrets_are_told_by_name_or_by_shape() {
        for (name, value) in [
            ("API_KEY", "hunter2"),
            ("githubToken", "x"),
            ("Authorization", "whatever"),
            ("X", "Bearer abc"),
            ("X", "bearer abc"),
            ("X", "sk-proj-abcdefghijkl"),
            ("X", "ghp_0123456789abcdef"),
            ("X", "--header=ghp_abcdefghijklmnopqrstuvwxyz012345"),
            ("X", "npx server --password=hunter2hunter2"),
            ("DATABASE_URL", "postgres://u:p@host/db"),
            ("X", "https://hooks.example/T0/aB3dE5fG7hI9jK1lM3nO5"),
            ("X", "https://x.example/mcp?api_key=abc"),
            ("X", "d41d8cd98f00b204e9800998ecf8427e"),
            ("dbpassword", "1234"),
        ] {
            assert!(is_secret(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("PORT", "8080"),
            ("LOG_LEVEL", "debug"),
            ("X", "https://x.example/mcp?team=7"),
            ("X", "https://x.example/mcp?api_key=${API_KEY}"),
            ("KEYBOARD", "qwerty"),
            ("API_KEY", "${API_KEY}"),
            ("API_KEY", "{{env.API_KEY}}"),
            ("Authorization", "Bearer ${TOKEN}"),
            ("X", "A long and harmless sentence about 3 Things."),
            ("X", "Basic plan with tools"),
            ("X", "d41d8cd98f00b204e98009"),
            ("USE_AUTH", "true"),
        ] {
            assert!(!is_secret(name, value), "{name}={value}");
        }
    }
}
