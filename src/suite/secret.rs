//! What looks like a secret, so that it is written into no suite and no record. Pure.
//!
//! A guess that errs on the side of caution: a harmless value that is taken for a secret costs an environment variable.

/// Words of names whose values are secrets.
const NAMES: [&str; 19] = [
    "auth",
    "authorization",
    "apikey",
    "bearer",
    "cookie",
    "credential",
    "credentials",
    "dsn",
    "jwt",
    "key",
    "pass",
    "passwd",
    "password",
    "pat",
    "private",
    "pwd",
    "secret",
    "session",
    "token",
];

/// How well-known keys and tokens begin.
const BEGINNINGS: [&str; 17] = [
    "sk-",
    "pk-",
    "rk_",
    "sk_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xox",
    "eyJ",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "npm_",
    "-----BEGIN",
];

/// Whether the value under a name is a secret: of a variable, a header, a flag or a parameter of a URL.
pub fn is_secret(name: &str, value: &str) -> bool {
    let named = crate::llm::lexical::words_of(name).iter().any(|word| NAMES.contains(&word.as_str()))
        || NAMES.iter().filter(|known| known.len() > 5).any(|known| name.to_lowercase().contains(known));
    let switch = matches!(value.to_lowercase().as_str(), "" | "true" | "false" | "0" | "1" | "none" | "null");
    (named && !switch && !is_variable(without_scheme(value))) || looks_secret(value)
}

/// Whether a value tells by itself.
pub fn looks_secret(value: &str) -> bool {
    let value = value.trim();
    let word = without_scheme(value);
    let dense = |text: &str| {
        let (mut upper, mut lower, mut digit) = (false, false, false);
        for c in text.chars() {
            upper |= c.is_ascii_uppercase();
            lower |= c.is_ascii_lowercase();
            digit |= c.is_ascii_digit();
        }
        let hex = text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let mixed = text.len() >= 20
            && upper
            && lower
            && digit
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_+=.~".contains(c));
        hex || mixed
    };
    (word.len() < value.len() && !is_variable(word))
        || (word.len() >= 12 && BEGINNINGS.iter().any(|begin| word.starts_with(begin)))
        || dense(word)
        || url::Url::parse(value).is_ok_and(|url| {
            url.password().is_some()
                || url.path_segments().into_iter().flatten().any(dense)
                || url.query_pairs().any(|(name, value)| !value.is_empty() && is_secret(&name, &value))
        })
}

/// A credential without the word before it.
pub fn without_scheme(value: &str) -> &str {
    value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("Basic ")).unwrap_or(value)
}

/// Whether a value is nothing but a variable, such as `${TOKEN}` or `${env:TOKEN}`.
fn is_variable(value: &str) -> bool {
    value.starts_with("${") && value.ends_with('}') && value.matches("${").count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_name_or_by_shape() {
        for (name, value) in [
            ("API_KEY", "hunter2"),
            ("githubToken", "x"),
            ("Authorization", "whatever"),
            ("X", "Bearer abc"),
            ("X", "sk-proj-abcdefghijkl"),
            ("X", "ghp_0123456789abcdef"),
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
            ("KEYBOARD", "qwerty"),
            ("API_KEY", "${API_KEY}"),
            ("Authorization", "Bearer ${TOKEN}"),
            ("X", "A long and harmless sentence about 3 Things."),
            ("USE_AUTH", "true"),
        ] {
            assert!(!is_secret(name, value), "{name}={value}");
        }
    }
}
