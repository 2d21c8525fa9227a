//! What access is about: a tool, a resource or a prompt.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::ToolName;

/// Something that a server offers, and that a persona may be kept away from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A tool, by name.
    Tool(ToolName),
    /// A resource, by URI. A template counts by its own text, `shop://orders/{id}`.
    Resource(String),
    /// A prompt, by name.
    Prompt(String),
}

impl Subject {
    /// A tool.
    pub fn tool(name: &str) -> Self {
        Self::Tool(ToolName::from(name))
    }

    /// Its name or URI.
    pub fn name(&self) -> &str {
        match self {
            Self::Tool(name) => name.as_str(),
            Self::Resource(name) | Self::Prompt(name) => name,
        }
    }

    /// `tool`, `resource` or `prompt`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tool(_) => "tool",
            Self::Resource(_) => "resource",
            Self::Prompt(_) => "prompt",
        }
    }

    /// What using it is called: a tool is called, a resource read, a prompt got.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Tool(_) => "call",
            Self::Resource(_) => "read",
            Self::Prompt(_) => "get",
        }
    }

    /// The list that would show it.
    pub fn list(&self) -> &'static str {
        match self {
            Self::Tool(_) => "tools/list",
            Self::Resource(_) => "resources/list",
            Self::Prompt(_) => "prompts/list",
        }
    }

    /// Whether an entry of a list shows it: the same name or, for a resource, a template that it fits.
    pub fn is_shown_by(&self, entry: &Self) -> bool {
        match (self, entry) {
            (Self::Resource(uri), Self::Resource(listed)) => uri == listed || fits(listed, uri),
            _ => self == entry,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Longer texts fit no template.
const LONGEST: usize = 4_096;

/// Whether a URI fits a URI template (RFC 6570). An expression stands for any text without `/`, one that expands
/// reserved characters or path segments (`{+path}`, `{/path}`, `{#part}`) for any text, and a query for any or none.
fn fits(template: &str, uri: &str) -> bool {
    if !template.contains('{') || template.len() > LONGEST || uri.len() > LONGEST {
        return false;
    }
    let mut pattern = "^".to_owned();
    let mut rest = template;
    while let Some((fixed, after)) = rest.split_once('{') {
        let Some((expression, next)) = after.split_once('}') else { return false };
        pattern.push_str(&regex::escape(fixed));
        pattern.push_str(match expression.chars().next() {
            Some('?' | '&') => ".*",
            Some('+' | '/' | '#') => ".+",
            _ => "[^/]+",
        });
        rest = next;
    }
    pattern.push_str(&regex::escape(rest));
    pattern.push('$');
    regex::Regex::new(&pattern).is_ok_and(|regex| regex.is_match(uri))
}

/// How a target refused what is no tool call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// JSON-RPC error code, if there was one.
    pub code: Option<i64>,
    /// HTTP status, over HTTP.
    pub status: Option<u16>,
    /// The message.
    pub message: String,
    /// The `WWW-Authenticate` header, if there was one.
    pub challenge: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_show_what_fits_them() {
        for (template, uri, shown) in [
            ("shop://orders/{id}", "shop://orders/1042", true),
            ("shop://orders/{id}", "shop://orders/1042/lines", false),
            ("shop://orders/{id}", "shop://orders/", false),
            ("shop://{+path}", "shop://orders/1042", true),
            ("shop://orders{?page}", "shop://orders", true),
            ("shop://orders{?page}", "shop://orders?page=2", true),
            ("shop://a.b/{id}", "shop://aXb/1", false),
            ("shop://orders/{id", "shop://orders/1", false),
            ("shop://orders", "shop://orders", true),
            ("shop://orders/{id}", "shop://orders/{id}", true),
        ] {
            let of = |text: &str| Subject::Resource(text.to_owned());
            assert_eq!(of(uri).is_shown_by(&of(template)), shown, "{template} {uri}");
        }
        assert!(!Subject::Prompt("x".to_owned()).is_shown_by(&Subject::tool("x")));
    }
}
