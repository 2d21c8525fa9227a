//! The server as it was, to be run beside the one under test.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Suite, TargetSource, Template, Transport};

/// A server that takes the place of the target, with everything else of `target:` as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum OldServer {
    /// Started as a child process; the program name `rehearsal` means this program. Takes the variables of the target's
    /// own command.
    Command(Vec<Template>),
    /// Already running.
    Url(Template),
    /// What was said with it, on tape: a file that `--server-tape` wrote.
    ServerTape(String),
}

impl OldServer {
    /// What a person types: a URL, the file of a tape, or a command. `is_file` says whether there is such a file.
    /// `None` for a command whose quotes do not end, and for nothing.
    pub fn typed(text: &str, is_file: impl Fn(&str) -> bool) -> Option<Self> {
        let text = text.trim();
        if text.starts_with("http://") || text.starts_with("https://") {
            return Some(Self::Url(Template(text.to_owned())));
        }
        if text.ends_with(".ndjson") && is_file(text) {
            return Some(Self::ServerTape(text.to_owned()));
        }
        let words = shlex::split(text)?;
        (!words.is_empty()).then(|| Self::Command(words.into_iter().map(Template).collect()))
    }

    /// The suite with this server as its target. A tape stands before the target and changes nothing of it.
    pub fn in_place(&self, suite: &Suite) -> Suite {
        let mut old = suite.clone();
        match self {
            Self::Command(words) => old.target.source = TargetSource::Command(words.clone()),
            Self::Url(url) => {
                old.target.source = TargetSource::Url(url.clone());
                if old.target.transport == Transport::Stdio {
                    old.target.transport = Transport::Http;
                }
            }
            Self::ServerTape(_) => {}
        }
        old
    }

    /// The file of the tape, if it is one.
    pub fn tape(&self) -> Option<&str> {
        match self {
            Self::ServerTape(file) => Some(file),
            Self::Command(_) | Self::Url(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_a_url_a_tape_or_a_command() {
        let typed = |text| OldServer::typed(text, |file| file == "old.ndjson");
        let words = |words: &[&str]| {
            Some(OldServer::Command(words.iter().map(|word| Template((*word).to_owned())).collect()))
        };
        assert_eq!(
            typed("http://127.0.0.1:1/mcp"),
            Some(OldServer::Url(Template("http://127.0.0.1:1/mcp".to_owned())))
        );
        assert_eq!(typed("old.ndjson"), Some(OldServer::ServerTape("old.ndjson".to_owned())));
        assert_eq!(typed("gone.ndjson"), words(&["gone.ndjson"]));
        assert_eq!(
            typed("node 'old server.js' --port ${target.port}"),
            words(&["node", "old server.js", "--port", "${target.port}"])
        );
        assert_eq!(typed("node 'old"), None);
        assert_eq!(typed("  "), None);
    }
}
