//! How keys and tokens look: one table, for values that stand alone and for running texts.

use std::sync::LazyLock;

use regex::Regex;

/// Keys or tokens that look alike.
struct Form {
    /// How one begins.
    starts: &'static [&'static str],
    /// The characters that follow, as a class of regular expressions.
    body: &'static str,
    /// How many of them stand there at least, in a running text.
    least: usize,
    /// What stands behind them in a running text, as a regular expression.
    then: &'static str,
}

const fn form(starts: &'static [&'static str], body: &'static str, least: usize) -> Form {
    Form { starts, body, least, then: "" }
}

/// Letters and digits.
const PLAIN: &str = "[A-Za-z0-9]";
/// Base64 for URLs.
const JOINED: &str = "[A-Za-z0-9_-]";

/// So many characters are enough where the value stands alone.
const ALONE: usize = 8;

/// Every known form.
const FORMS: &[Form] = &[
    // A private key in PEM: to its end, or to that of the text.
    Form {
        starts: &["-----BEGIN "],
        body: "[A-Z ]",
        least: 0,
        then: r"PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
    },
    // A JSON web token, whose header begins with `{"`.
    Form { starts: &["eyJ"], body: JOINED, least: 8, then: r"\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*" },
    // OpenAI, Anthropic, OpenRouter, Stripe, Langfuse.
    form(&["sk-", "sk_", "pk-", "pk_", "rk-", "rk_"], JOINED, 16),
    // GitHub.
    form(&["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], PLAIN, 20),
    form(&["github_pat_"], "[A-Za-z0-9_]", 20),
    // GitLab.
    form(&["glpat-"], JOINED, 16),
    // Slack.
    form(&["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-"], "[A-Za-z0-9-]", 10),
    form(&["xapp-"], "[A-Za-z0-9-]", 20),
    // Amazon.
    form(&["AKIA", "ASIA"], "[A-Z0-9]", 16),
    // Google.
    form(&["AIza"], JOINED, 30),
    form(&["ya29."], "[A-Za-z0-9._-]", 20),
    // Hugging Face, npm, PyPI, Docker.
    form(&["hf_"], PLAIN, 20),
    form(&["npm_"], PLAIN, 20),
    form(&["pypi-"], JOINED, 20),
    form(&["dckr_pat_"], JOINED, 20),
    // SendGrid.
    Form { starts: &["SG."], body: JOINED, least: 16, then: r"\.[A-Za-z0-9_-]{16,}" },
    // Groq, xAI, Perplexity, Tavily.
    form(&["gsk_", "pplx-"], PLAIN, 20),
    form(&["xai-", "tvly-"], JOINED, 20),
    // Notion, Linear, Figma, Supabase, Grafana, webhooks of Stripe.
    form(&["ntn_", "lin_api_", "sbp_"], PLAIN, 20),
    form(&["figd_", "glsa_", "whsec_"], JOINED, 20),
];

impl Form {
    /// One of them, beginning with one of its starts, with at least so many characters behind it.
    fn pattern(&self, least: usize) -> String {
        let starts: Vec<String> = self.starts.iter().map(|start| regex::escape(start)).collect();
        format!("(?:{}){}{{{least},}}", starts.join("|"), self.body)
    }
}

fn any(patterns: impl Iterator<Item = String>) -> Regex {
    Regex::new(&patterns.collect::<Vec<_>>().join("|")).expect("the table is constant")
}

/// One anywhere in a text, where no word runs into it.
pub(super) static ANYWHERE: LazyLock<Regex> = LazyLock::new(|| {
    any(FORMS.iter().map(|form| {
        let edge = if form.starts[0].starts_with(char::is_alphanumeric) { r"\b" } else { "" };
        format!("{edge}{}{}", form.pattern(form.least), form.then)
    }))
});

static BEGINS: LazyLock<Regex> =
    LazyLock::new(|| any(FORMS.iter().map(|form| format!(r"\A{}", form.pattern(form.least.min(ALONE))))));

/// Whether a value begins as a key or a token does.
pub(super) fn begins(value: &str) -> bool {
    BEGINS.is_match(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A character of the form's own.
    fn filler(form: &Form) -> &'static str {
        if form.body.contains("a-z") { "a" } else { "A" }
    }

    #[test]
    fn every_form_is_found_and_its_near_misses_are_not() {
        for form in FORMS {
            let then = match form.starts[0] {
                "-----BEGIN " => "RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
                "eyJ" | "SG." => ".abcdefghijklmnop.x",
                _ => "",
            };
            for start in form.starts {
                let of = |length: usize| format!("{start}{}{then}", filler(form).repeat(length));
                let text = format!("use {}, please", of(form.least));
                let found = ANYWHERE.find(&text).unwrap_or_else(|| panic!("{text}"));
                assert_eq!(found.as_str().trim_end_matches(".x"), of(form.least).trim_end_matches(".x"));
                assert!(begins(&of(ALONE)), "{start}");
                if form.least > 0 {
                    // A character too few, a word that runs into it, and another start.
                    for near in [
                        of(form.least - 1),
                        format!("x{}", of(form.least)),
                        format!("0{}", &of(form.least)[1..]),
                    ] {
                        assert!(!ANYWHERE.is_match(&format!("use {near}, please")), "{near}");
                    }
                    let short = format!("{start}{}", filler(form).repeat(ALONE - 1));
                    assert!(!begins(&short) && !begins(&format!("x{}", of(ALONE))), "{short}");
                }
            }
        }
    }

    #[test]
    fn certificates_are_no_secrets_in_a_text() {
        assert!(ANYWHERE.is_match("-----BEGIN PRIVATE KEY-----\nabc"));
        assert!(!ANYWHERE.is_match("-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----"));
    }
}
