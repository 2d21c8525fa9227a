//! Servers and models of others: addresses and commands are kept, secrets become variables.

use serde_json::{Map, Value, json};

use super::draft::{Draft, Mapped};
use super::node::Node;
use crate::llm::providers;
use crate::suite::secret;

/// Takes the target from a description in the style of `mcpServers`: `command` with `args` and `env`, or `url` with
/// `headers`. Reports what became of it; whether it could be used.
pub(super) fn server(kind: &str, name: &str, node: &Node, draft: &mut Draft) -> bool {
    let part = Mapped::new(kind, &node.at, name);
    if draft.target.is_some() {
        draft.told(part.lost(
            "a suite has one target, and another server was taken; import the file again with `--target`",
        ));
        return false;
    }
    let mut target = Map::new();
    let url = node.text_at("url").or(node.text_at("httpUrl")).or(node.text_at("serverUrl"));
    let script = node.text_at("path").filter(|path| path.ends_with(".js") || path.ends_with(".py"));
    if let Some(command) = node.text_at("command") {
        let mut words = vec![command.to_owned()];
        words.extend(node.list_at("args").iter().filter_map(Node::words));
        target.insert("command".to_owned(), json!(arguments(&words, draft)));
    } else if let Some(url) = url {
        target.insert("url".to_owned(), json!(address(url, draft)));
    } else if let Some(script) = script {
        let program = if script.ends_with(".js") { "node" } else { "python3" };
        target.insert("command".to_owned(), json!([program, template(script, draft)]));
    } else {
        draft.told(part.lost("it has neither a command nor an address; name the server with `--target`"));
        return false;
    }
    let old = node.any(&["type", "transport"]).and_then(Node::text) == Some("sse");
    if old && url.is_some() {
        target.insert("transport".to_owned(), json!("sse"));
    }
    for (key, wanted) in [("env", "command"), ("headers", "url")] {
        let entries = node.get(key).filter(|_| target.contains_key(wanted)).map_or(&[][..], Node::entries);
        let kept: Map<String, Value> = entries
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), json!(setting(key, name, value, draft)?))))
            .collect();
        if !kept.is_empty() {
            target.insert(key.to_owned(), Value::Object(kept));
        }
    }
    draft.target = Some(Value::Object(target));
    draft.told(part.exact("target"));
    true
}

/// A variable of the environment or a header; a secret becomes a variable of the suite.
fn setting(key: &str, name: &str, node: &Node, draft: &mut Draft) -> Option<String> {
    let value = node.words()?;
    let filled = template(&value, draft);
    if filled != escaped(&value) {
        return Some(filled);
    }
    if !secret::is_secret(name, &value) {
        return Some(filled);
    }
    let variable = draft.variable(name);
    let kept = match value.split_once(' ') {
        Some((scheme @ ("Bearer" | "bearer" | "Basic" | "basic"), _)) => format!("{scheme} {variable}"),
        _ => variable.clone(),
    };
    let part = Mapped::new(key, &node.at, name);
    draft.told(part.near(
        format!("target.{key}"),
        format!("its value is not copied; export it as {}", &variable[2..variable.len() - 1]),
    ));
    Some(kept)
}

/// Words of a command line; what looks like a secret becomes a variable.
fn arguments(words: &[String], draft: &mut Draft) -> Vec<String> {
    let mut flag = "";
    words
        .iter()
        .enumerate()
        .map(|(index, word)| {
            let filled = template(word, draft);
            let plain = filled == escaped(word);
            let hidden = plain && !word.starts_with('-') && secret::is_secret(flag, word);
            flag = if word.starts_with("--") && !word.contains('=') { word } else { "" };
            match word
                .split_once('=')
                .filter(|(flag, value)| plain && flag.starts_with('-') && secret::is_secret(flag, value))
            {
                Some((flag, _)) => format!("{flag}={}", draft.variable(flag.trim_start_matches('-'))),
                None if hidden => draft.variable(&format!("MCP_ARG_{index}")),
                None => filled,
            }
        })
        .collect()
}

/// An address; one with a secret in it becomes a variable.
fn address(url: &str, draft: &mut Draft) -> String {
    let filled = template(url, draft);
    if secret::looks_secret(url) { draft.variable("MCP_URL") } else { filled }
}

/// A text with `{{env.NAME}}`, `${NAME}` and `${env:NAME}` as variables of the suite.
pub(super) fn template(text: &str, draft: &mut Draft) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{").into_iter().chain(rest.find("${")).min() {
        let (head, tail) = rest.split_at(start);
        out.push_str(head);
        let close = if tail.starts_with("{{") { "}}" } else { "}" };
        let inner = tail.get(2..).and_then(|tail| tail.split_once(close));
        let name = inner.and_then(|(inner, _)| variable_of(inner, close == "}}"));
        match (name, inner) {
            (Some(name), Some((_, after))) => {
                out.push_str(&draft.variable(name));
                rest = after;
            }
            _ => {
                out.push_str(if tail.starts_with("${") { "$${" } else { "{{" });
                rest = tail.get(2..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// The name of a variable of the environment in braces, whose default is left out.
fn variable_of(inner: &str, nunjucks: bool) -> Option<&str> {
    let inner = inner.trim();
    let name = match (inner.strip_prefix("env.").or(inner.strip_prefix("env:")), nunjucks) {
        (Some(name), _) => name,
        (None, true) => return None,
        (None, false) => inner.split(":-").next().unwrap_or(inner),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(fits)).then_some(name)
}

/// A text whose `${` stand for themselves.
fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// Prefixes of others and ours.
const PREFIXES: &[(&str, &str)] = &[
    ("openai:chat", "openai"),
    ("openai:responses", "openai_responses"),
    ("openai", "openai"),
    ("anthropic:messages", "anthropic"),
    ("anthropic", "anthropic"),
    ("google", "gemini"),
    ("gemini", "gemini"),
    ("azureopenai:chat", "azure"),
    ("azure:chat", "azure"),
    ("azure", "azure"),
    ("ollama:chat", "ollama"),
    ("ollama", "ollama"),
    ("openrouter", "openrouter"),
    ("mistral", "mistral"),
    ("groq", "groq"),
    ("deepseek", "deepseek"),
    ("together", "together"),
    ("fireworks", "fireworks"),
    ("cerebras", "cerebras"),
    ("xai", "xai"),
];

/// The model that a name of others means, as `provider:id`. Providers are divided by `:` or `/`.
pub(super) fn model(name: &str, provider: Option<&str>) -> Option<String> {
    let name = match provider {
        Some(provider) if !name.starts_with(&format!("{provider}/")) => format!("{provider}:{name}"),
        _ => name.to_owned(),
    };
    let cut = |prefix: &str| name.strip_prefix(prefix)?.strip_prefix([':', '/']);
    let mut found = PREFIXES.iter().filter_map(|(theirs, ours)| Some((*ours, cut(theirs)?)));
    let (ours, id) = found.find(|(_, id)| !id.is_empty()).or_else(|| {
        // Bare names of the great families.
        let ours = [("gpt-", "openai"), ("claude-", "anthropic"), ("gemini-", "gemini")];
        ours.into_iter().find(|(start, _)| name.starts_with(start)).map(|(_, ours)| (ours, name.as_str()))
    })?;
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.:/@".contains(c);
    (id.len() <= 100 && id.chars().all(good) && providers::known(ours, id).is_some())
        .then(|| format!("{ours}:{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_others_become_ours() {
        let mut draft = Draft::default();
        for (text, wanted) in [
            ("{{ env.TOKEN }}", "${TOKEN}"),
            ("Bearer ${env:TOKEN}", "Bearer ${TOKEN}"),
            ("${HOME:-/tmp}/x", "${HOME}/x"),
            ("{{prompt}} ${}", "{{prompt}} $${}"),
            ("plain", "plain"),
        ] {
            assert_eq!(template(text, &mut draft), wanted);
        }
        assert_eq!(draft.env, ["TOKEN", "HOME"]);
    }

    #[test]
    fn models_of_others_become_ours() {
        for (name, provider, wanted) in [
            ("openai:gpt-5-mini", None, Some("openai:gpt-5-mini")),
            ("openai:chat:gpt-4o", None, Some("openai:gpt-4o")),
            ("anthropic:messages:claude-x", None, Some("anthropic:claude-x")),
            ("anthropic/claude-haiku-4.5", None, Some("anthropic:claude-haiku-4.5")),
            ("gpt-5", Some("openai"), Some("openai:gpt-5")),
            ("claude-sonnet-4", None, Some("anthropic:claude-sonnet-4")),
            ("echo", None, None),
            ("file://provider.js", None, None),
            ("openai:", None, None),
        ] {
            assert_eq!(model(name, provider).as_deref(), wanted, "{name}");
        }
    }

    #[test]
    fn secrets_of_a_command_line_become_variables() {
        let mut draft = Draft::default();
        let words =
            ["npx", "server", "--api-key", "abc123", "--token=xyz", "--port", "80"].map(str::to_owned);
        let words = arguments(&words, &mut draft);
        assert_eq!(words, ["npx", "server", "--api-key", "${MCP_ARG_3}", "--token=${TOKEN}", "--port", "80"]);
    }
}
