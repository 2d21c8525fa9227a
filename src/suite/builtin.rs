//! The texts of `evals/` and of the demonstration suite, embedded so that an installed binary needs no checkout. A test
//! compares this table with the folder.

use super::catalog::Kind;

macro_rules! files {
    ($($kind:ident $folder:literal: $($name:literal)*;)*) => {
        &[$($((Kind::$kind, $name, include_str!(concat!("../../evals/", $folder, "/", $name, ".yaml"))),)*)*]
    };
}

/// Kind, name and text of every embedded instrument.
pub(super) static FILES: &[(Kind, &str, &str)] = files! {
    Model "models": "claude-code-agent" "claude-haiku-5-5" "claude-opus-5-5" "claude-sonnet-5-5" "codex-agent"
        "gemini-3.1-pro" "gemini-3.8-flash" "gemini-agent" "gpt-5-mini" "gpt-5.6-luna" "gpt-5.6-terra" "gpt-6.1-sol"
        "gpt-6.1-terra" "lexical" "local" "scripted" "scripted-judge"
        "scripted-user";
    Persona "personas": "anonymous" "bad-signature" "clerk" "customer" "expired" "not-yet-valid" "short-lived" "wrong-audience";
    Client "clients": "chatgpt" "claude-ai" "claude-code" "claude-desktop" "cline-cli" "cline-vscode" "codex-cli" "copilot-cli" "cursor" "gemini-cli" "goose" "m365-copilot" "mcp-inspector" "mcp-remote" "mistral-le-chat" "n8n" "opencode" "perplexity" "reference" "slack" "vscode-copilot" "windsurf" "zed";
    Rubric "rubrics": "answers-question";
    Auth "auth": "embedded-server" "full" "isolation" "leak" "no-trust-change" "standard" "stdio" "strict" "untrusted";
};

/// The path under which the demonstration suite is shown.
pub(super) const DEMO_FILE: &str = "suites/bookshop.yaml";

/// The demonstration suite.
pub(super) static DEMO: &str = include_str!("../../suites/bookshop.yaml");
