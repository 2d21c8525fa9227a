//! A `WWW-Authenticate` header becomes its challenges: read tolerantly, reported strictly.
//!
//! Real servers put unescaped quotes inside quoted values (the official TypeScript SDK quotes claim names); a strict
//! reader would lose every parameter after them. So reading goes on, and [`Challenges::problems`] says what is wrong.

/// All challenges of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenges {
    /// The challenges in order.
    pub list: Vec<Challenge>,
    /// Where the text breaks the grammar of RFC 9110 section 11.
    pub problems: Vec<String>,
}

/// One challenge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme as written.
    pub scheme: String,
    /// Parameters in order, names in lower case, values without quotes.
    pub params: Vec<(String, String)>,
}

impl Challenge {
    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Challenges {
    /// Reads the values of all headers of that name, joined by commas.
    pub fn read(text: &str) -> Self {
        let mut read = Self::default();
        if text.chars().any(char::is_control) {
            read.problems.push("a control character".to_owned());
        }
        for item in items(text, &mut read.problems) {
            read.take(item.trim());
        }
        read
    }

    /// The first challenge of a scheme, ignoring case.
    pub fn scheme(&self, name: &str) -> Option<&Challenge> {
        self.list.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case(name))
    }

    fn take(&mut self, item: &str) {
        let name_end = item.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(item.len());
        let (head, rest) = item.split_at(name_end);
        let rest = rest.trim_start();
        match rest.strip_prefix('=') {
            // `name=value` belongs to the challenge before it.
            Some(value) => self.param(head, value.trim()),
            None if head.is_empty() => {}
            None => {
                self.list.push(Challenge { scheme: head.to_owned(), params: vec![] });
                if let Some((name, value)) = rest.split_once('=') {
                    self.param(name.trim(), value.trim());
                }
            }
        }
    }

    fn param(&mut self, name: &str, value: &str) {
        let Some(challenge) = self.list.last_mut() else {
            self.problems.push(format!("parameter `{name}` stands before any scheme"));
            return;
        };
        let inner = value.strip_prefix('"').map(|value| value.strip_suffix('"').unwrap_or(value));
        if inner.is_none() && !value.chars().all(is_token_char) {
            self.problems.push(format!("the value of `{name}` needs quotes"));
        }
        let text = inner.map_or_else(|| value.to_owned(), |inner| inner.replace("\\\"", "\""));
        challenge.params.push((name.to_ascii_lowercase(), text));
    }
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

/// Cuts at commas outside quotes. A quote ends a value only if a comma or the end follows.
fn items<'a>(text: &'a str, problems: &mut Vec<String>) -> Vec<&'a str> {
    let mut items = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if !quoted => quoted = true,
            '"' => {
                let rest = text[at + 1..].trim_start();
                if rest.is_empty() || rest.starts_with(',') {
                    quoted = false;
                } else if !problems.iter().any(|problem| problem.contains("unescaped")) {
                    problems.push("an unescaped quote inside a quoted value".to_owned());
                }
            }
            ',' if !quoted => {
                items.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted {
        problems.push("a quoted value that does not end".to_owned());
    }
    items.push(&text[start..]);
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let read = Challenges::read(
            r#"Basic realm="a, b", bearer resource_metadata="https://x/.well-known", scope="a b", error=invalid_token"#,
        );
        assert_eq!(read.problems, Vec::<String>::new());
        let bearer = read.scheme("Bearer").unwrap();
        assert_eq!(bearer.get("scope"), Some("a b"));
        assert_eq!(bearer.get("resource_metadata"), Some("https://x/.well-known"));
        assert_eq!(bearer.get("error"), Some("invalid_token"));
        assert_eq!(read.scheme("basic").unwrap().get("realm"), Some("a, b"));
        assert_eq!(Challenges::read("Bearer").list.len(), 1);
    }

    #[test]
    fn inner_quotes_are_reported_but_lose_nothing() {
        let read = Challenges::read(
            r#"Bearer error="invalid_token", error_description=""exp" claim timestamp check failed", scope="mcp:read""#,
        );
        assert_eq!(read.problems, ["an unescaped quote inside a quoted value"]);
        let bearer = read.scheme("bearer").unwrap();
        assert_eq!(bearer.get("scope"), Some("mcp:read"));
        assert_eq!(bearer.get("error_description"), Some(r#""exp" claim timestamp check failed"#));
    }

    #[test]
    fn broken_headers_are_reported() {
        for (text, problem) in [
            ("Bearer scope=\"a", "a quoted value that does not end"),
            ("Bearer scope=a b", "the value of `scope` needs quotes"),
            ("error=x", "parameter `error` stands before any scheme"),
            ("Bearer a=\"\u{7}\"", "a control character"),
        ] {
            assert_eq!(Challenges::read(text).problems, [problem], "{text}");
        }
    }
}
