//! Providers that speak the chat completions API, as data: one row makes `provider:id` work without a file and tells in
//! what a provider differs, wherever its address is written.

use super::ModelSpec;
use super::schema::rules::{AZURE, COMPATIBLE, OPENAI, Rules};

/// Where OpenAI is.
pub(super) const OPENAI_BASE: &str = "https://api.openai.com/v1";

/// One provider, or one server that people run themselves.
#[derive(Debug)]
pub struct Provider {
    /// What stands before the colon in `provider:id`.
    pub prefix: &'static str,
    /// Where it is; `${NAME}` at the beginning is the value of an environment variable.
    pub base_url: &'static str,
    /// The environment variable with the key; none where servers usually want none.
    pub key: Option<&'static str>,
    /// The header of the key, where it is not `authorization`.
    pub key_header: Option<&'static str>,
    /// In what it differs.
    quirks: Quirks,
}

/// In what a provider differs from the chat completions API as most know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quirks {
    /// The name of the limit of tokens.
    pub(super) limit: &'static str,
    /// The name of the seed.
    pub(super) seed: &'static str,
    /// Whether `stream_options` is known; else usage comes unasked.
    pub(super) stream_options: bool,
    /// Whether reasoning is an object with `effort` or `max_tokens`; else `reasoning_effort`.
    pub(super) reasoning_object: bool,
    /// What it takes of input schemas.
    pub(super) schema: &'static Rules,
}

/// What most providers do.
const USUAL: Quirks = Quirks {
    limit: "max_tokens",
    seed: "seed",
    stream_options: true,
    reasoning_object: false,
    schema: &COMPATIBLE,
};

/// OpenAI itself.
const OWN: Quirks = Quirks { limit: "max_completion_tokens", schema: &OPENAI, ..USUAL };

const fn row(prefix: &'static str, base_url: &'static str, key: Option<&'static str>) -> Provider {
    Provider { prefix, base_url, key, key_header: None, quirks: USUAL }
}

/// Every provider, by name. Addresses and names of variables are those of the providers' documentation.
pub static PROVIDERS: &[Provider] = &[
    Provider {
        key_header: Some("api-key"),
        quirks: Quirks { schema: &AZURE, ..OWN },
        ..row("azure", "${AZURE_OPENAI_ENDPOINT}/openai/v1", Some("AZURE_OPENAI_API_KEY"))
    },
    row("cerebras", "https://api.cerebras.ai/v1", Some("CEREBRAS_API_KEY")),
    row("deepseek", "https://api.deepseek.com/v1", Some("DEEPSEEK_API_KEY")),
    row("fireworks", "https://api.fireworks.ai/inference/v1", Some("FIREWORKS_API_KEY")),
    row("groq", "https://api.groq.com/openai/v1", Some("GROQ_API_KEY")),
    row("litellm", "http://127.0.0.1:4000/v1", Some("LITELLM_API_KEY")),
    row("llamacpp", "http://127.0.0.1:8080/v1", None),
    row("lmstudio", "http://127.0.0.1:1234/v1", None),
    Provider {
        quirks: Quirks { seed: "random_seed", stream_options: false, ..USUAL },
        ..row("mistral", "https://api.mistral.ai/v1", Some("MISTRAL_API_KEY"))
    },
    row("ollama", "http://127.0.0.1:11434/v1", None),
    Provider {
        quirks: Quirks { reasoning_object: true, ..USUAL },
        ..row("openrouter", "https://openrouter.ai/api/v1", Some("OPENROUTER_API_KEY"))
    },
    row("together", "https://api.together.xyz/v1", Some("TOGETHER_API_KEY")),
    row("vllm", "http://127.0.0.1:8000/v1", None),
    row("xai", "https://api.x.ai/v1", Some("XAI_API_KEY")),
];

/// The endings of the hosts of Azure's resources.
const AZURE_HOSTS: &[&str] = &[".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"];

/// What `provider:id` means; `None` when no provider has this name.
pub fn inline(prefix: &str, id: &str) -> Option<ModelSpec> {
    let provider = PROVIDERS.iter().find(|provider| provider.prefix == prefix)?;
    Some(ModelSpec {
        base_url: Some(provider.base_url.to_owned()),
        key_header: provider.key_header.map(str::to_owned),
        ..ModelSpec::inline(prefix, id, "openai", provider.key)
    })
}

/// What `provider:id` means, where the provider is a dialect or one of the table.
pub fn known(prefix: &str, id: &str) -> Option<ModelSpec> {
    let dialect = super::dialect(prefix).map(|dialect| (dialect.inline)(id));
    dialect.or_else(|| inline(prefix, id))
}

/// The same definition without a key and with an address that needs no environment: enough to ask what its API takes,
/// and of no use to call it.
pub fn offline(spec: &ModelSpec) -> ModelSpec {
    let mut spec = ModelSpec { key: None, ..spec.clone() };
    if let Some(rest) =
        spec.base_url.as_deref().and_then(|base| base.strip_prefix("${AZURE_OPENAI_ENDPOINT}"))
    {
        spec.base_url = Some(format!("https://unset.openai.azure.com{rest}"));
    } else if spec.base_url.as_deref().is_some_and(|base| base.starts_with("${")) {
        spec.base_url = Some("https://unset.invalid".to_owned());
    }
    spec
}

/// In what the provider at an address differs.
pub(super) fn quirks(base: &str) -> Quirks {
    let base = base.trim_end_matches('/');
    if base == OPENAI_BASE {
        return OWN;
    }
    let host =
        url::Url::parse(base).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let azure = AZURE_HOSTS.iter().any(|ending| host.ends_with(ending));
    let known = PROVIDERS.iter().find(|provider| {
        (azure && provider.prefix == "azure")
            || url::Url::parse(provider.base_url)
                .is_ok_and(|url| url.host_str() == Some(&host) && host != "127.0.0.1")
    });
    known.map_or(USUAL, |provider| provider.quirks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_unlike_each_other_and_unlike_dialects() {
        assert!(PROVIDERS.is_sorted_by(|a, b| a.prefix < b.prefix));
        for provider in PROVIDERS {
            assert!(super::super::dialect(provider.prefix).is_none(), "{}", provider.prefix);
            assert!(!provider.base_url.ends_with('/'), "{}", provider.prefix);
            let address = provider.base_url.replace("${AZURE_OPENAI_ENDPOINT}", "https://x.openai.azure.com");
            let url = url::Url::parse(&address).unwrap();
            assert_eq!(url.scheme() == "http", url.host_str() == Some("127.0.0.1"), "{}", provider.prefix);
        }
    }

    #[test]
    fn ids_may_hold_colons_and_slashes() {
        let spec = inline("ollama", "qwen3:8b").unwrap();
        assert_eq!((spec.name.as_str(), spec.api_id()), ("ollama:qwen3:8b", "qwen3:8b"));
        assert_eq!(spec.key, None);
        let spec = inline("openrouter", "anthropic/claude-x").unwrap();
        assert_eq!(spec.base_url.as_deref(), Some("https://openrouter.ai/api/v1"));
        assert_eq!((spec.key.as_deref(), &spec.price), (Some("OPENROUTER_API_KEY"), &None));
        assert_eq!(inline("azure", "dep").unwrap().key_header.as_deref(), Some("api-key"));
        assert_eq!(inline("nobody", "x"), None);
    }

    #[test]
    fn quirks_follow_the_address() {
        assert_eq!(quirks("https://api.openai.com/v1").limit, "max_completion_tokens");
        assert_eq!(quirks("https://me.openai.azure.com/openai/v1").schema.description, Some(1024));
        assert_eq!(quirks("https://api.mistral.ai/v1/").seed, "random_seed");
        assert!(quirks("https://openrouter.ai/api/v1").reasoning_object);
        let other = quirks("http://127.0.0.1:8000/v1");
        assert_eq!((other.limit, other.stream_options, other.schema.tools), ("max_tokens", true, None));
        assert_eq!(quirks("https://evil.example/api.openai.com/v1").limit, "max_tokens");
    }
}
