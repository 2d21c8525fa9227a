//! Models: whether their keys are set and accepted, and whether their addresses answer. Nothing is asked that costs.

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use url::Url;

use super::ANSWER;
use super::line::Line;
use super::setting::{Setting, is_here};
use crate::gate::Exit;
use crate::llm::ModelSpec;
use crate::net;
use crate::report::figures::count;

/// Most models that are asked.
const MOST: usize = 12;

/// Looks at every model that the suites name.
pub(super) fn look<'a>(setting: &'a Setting<'a>) -> BoxFuture<'a, Vec<Line>> {
    async move {
        let models = setting.models();
        let more = models.len().saturating_sub(MOST);
        let mut lines = join_all(models.into_iter().take(MOST).map(|model| one(model, setting))).await;
        if more > 0 {
            lines.push(further(more));
        }
        lines
    }
    .boxed()
}

/// A dialect with an API over HTTP: the usual address, the header of the key, and further headers.
type Api = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const DIALECTS: &[Api] = &[
    ("openai", "https://api.openai.com/v1", "authorization", &[]),
    ("openai_responses", "https://api.openai.com/v1", "authorization", &[]),
    ("anthropic", "https://api.anthropic.com/v1", "x-api-key", &[("anthropic-version", "2023-06-01")]),
    ("gemini", "https://generativelanguage.googleapis.com/v1beta", "x-goog-api-key", &[]),
];

/// What a model is asked with.
pub(super) enum Key {
    /// No key belongs to it.
    None,
    /// A variable that is set, and how many characters it holds.
    Set(String, u64),
}

/// How a model stands.
pub(super) enum Stand {
    /// An agent that is a program.
    Agent,
    /// A part of this program.
    Own,
    /// The variable of its key is not set.
    Keyless(String),
    /// What its address needs and has not.
    Homeless(Key, String),
    /// It is elsewhere, and nobody elsewhere is asked.
    Offline(Key),
    /// There is no client.
    Unasked(Key),
    /// The host does not answer in time.
    Late(Key, String),
    /// The host, and why it cannot be reached.
    Unreachable(Key, String, String),
    /// The host, and the status of its answer.
    Answered(Key, String, u16),
}

async fn one(model: &ModelSpec, setting: &Setting<'_>) -> Line {
    told(model.name.as_str(), stand(model, setting).await)
}

async fn stand(model: &ModelSpec, setting: &Setting<'_>) -> Stand {
    let Some((_, usual, header, further)) = DIALECTS.iter().find(|(dialect, ..)| *dialect == model.dialect)
    else {
        return if model.dialect == "command" { Stand::Agent } else { Stand::Own };
    };
    let key = model.key.as_deref();
    let value = key.and_then(|key| setting.variable(key));
    let known = match (key, &value) {
        (None, _) => Key::None,
        (Some(key), Some(value)) => {
            setting.context.secrets.register(key, value.trim());
            Key::Set(key.to_owned(), value.trim().chars().count() as u64)
        }
        (Some(key), None) => return Stand::Keyless(key.to_owned()),
    };
    let base = match address(model.base_url.as_deref().unwrap_or(usual), setting) {
        Ok(base) => base,
        Err(name) => return Stand::Homeless(known, name),
    };
    if setting.args.offline && !is_here(&base) {
        return Stand::Offline(known);
    }
    let Ok(http) = net::client() else { return Stand::Unasked(known) };
    let mut request = http.get(format!("{}/models", base.as_str().trim_end_matches('/')));
    let header = model.key_header.as_deref().unwrap_or(header);
    if let Some(value) = &value {
        let value = if header.eq_ignore_ascii_case("authorization") {
            format!("Bearer {}", value.trim())
        } else {
            value.trim().to_owned()
        };
        request = request.header(header, value);
    }
    request = further.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let host = net::shown(&base);
    match tokio::time::timeout(ANSWER, request.send()).await {
        Err(_) => Stand::Late(known, host),
        Ok(Err(error)) => Stand::Unreachable(known, host, net::describe(&error)),
        Ok(Ok(answer)) => Stand::Answered(known, host, answer.status().as_u16()),
    }
}

pub(super) fn further(more: usize) -> Line {
    Line::new("models", "", format!("and {more} more, not looked at")).skipped()
}

pub(super) fn told(name: &str, stand: Stand) -> Line {
    let line = |key: Key, says: String| {
        let known = match key {
            Key::None => "sends no key".to_owned(),
            Key::Set(key, length) => format!("{key} is set ({})", count(length, "character")),
        };
        Line::new("models", name, format!("{known}; {says}"))
    };
    match stand {
        Stand::Agent => Line::new("models", name, "an agent: see the programs below"),
        Stand::Own => Line::new("models", name, "built in; needs no key"),
        Stand::Keyless(key) => Line::new("models", name, format!("{key} is not set")).wrong(
            Exit::Credentials,
            format!("export {key}, or run with another model: `rehearsal models` lists them"),
        ),
        Stand::Homeless(key, needs) => line(key, format!("its address needs {needs}, which is not set"))
            .wrong(Exit::Credentials, format!("export {needs}")),
        Stand::Offline(key) => line(key, "not asked (--offline)".to_owned()).skipped(),
        Stand::Unasked(key) => line(key, "not asked".to_owned()).skipped(),
        Stand::Late(key, host) => line(key, format!("{host} did not answer within {} s", ANSWER.as_secs()))
            .warning("look at the network and the proxy; runs will retry"),
        Stand::Unreachable(key, host, why) => line(key, format!("{host} cannot be reached: {why}"))
            .warning("look at the network and the proxy, or at `base_url` of the model"),
        Stand::Answered(key, host, status @ (401 | 403)) => {
            line(key, format!("{host} refuses the key (HTTP {status})"))
                .wrong(Exit::Credentials, "make a new key at the provider, and export it")
        }
        Stand::Answered(key, host, status @ 500..) => line(key, format!("{host} answers with HTTP {status}"))
            .warning("the provider has trouble; runs will retry"),
        Stand::Answered(key, host, _) => line(key, format!("{host} answers")),
    }
}

/// The address with its variable filled in; the error is the name of a variable that is not set.
fn address(written: &str, setting: &Setting<'_>) -> Result<Url, String> {
    let filled = match written.strip_prefix("${").and_then(|tail| tail.split_once('}')) {
        Some((name, rest)) => {
            let value = setting.variable(name).ok_or_else(|| name.to_owned())?;
            format!("{}{rest}", value.trim().trim_end_matches('/'))
        }
        None => written.to_owned(),
    };
    Url::parse(&filled).map_err(|_| "a valid `base_url`".to_owned())
}
