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
            lines.push(Line::new("models", "", format!("and {more} more, not looked at")).skipped());
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

async fn one(model: &ModelSpec, setting: &Setting<'_>) -> Line {
    let name = model.name.as_str();
    let Some((_, usual, header, further)) = DIALECTS.iter().find(|(dialect, ..)| *dialect == model.dialect)
    else {
        let says = if model.dialect == "command" {
            "an agent: see the programs below"
        } else {
            "built in; needs no key"
        };
        return Line::new("models", name, says);
    };
    let key = model.key.as_deref();
    let value = key.and_then(|key| setting.variable(key));
    let known = match (key, &value) {
        (None, _) => "sends no key".to_owned(),
        (Some(key), Some(value)) => {
            setting.context.secrets.register(key, value.trim());
            format!("{key} is set ({})", count(value.trim().chars().count() as u64, "character"))
        }
        (Some(key), None) => {
            return Line::new("models", name, format!("{key} is not set")).wrong(
                Exit::Credentials,
                format!("export {key}, or run with another model: `rehearsal models` lists them"),
            );
        }
    };
    let line = |says: String| Line::new("models", name, format!("{known}; {says}"));
    let base = match address(model.base_url.as_deref().unwrap_or(usual), setting) {
        Ok(base) => base,
        Err(name) => {
            return line(format!("its address needs {name}, which is not set"))
                .wrong(Exit::Credentials, format!("export {name}"));
        }
    };
    if setting.args.offline && !is_here(&base) {
        return line("not asked (--offline)".to_owned()).skipped();
    }
    let Ok(http) = net::client() else { return line("not asked".to_owned()).skipped() };
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
        Err(_) => line(format!("{host} did not answer within {} s", ANSWER.as_secs()))
            .warning("look at the network and the proxy; runs will retry"),
        Ok(Err(error)) => line(format!("{host} cannot be reached: {}", net::describe(&error)))
            .warning("look at the network and the proxy, or at `base_url` of the model"),
        Ok(Ok(answer)) => match answer.status().as_u16() {
            401 | 403 => line(format!("{host} refuses the key (HTTP {})", answer.status().as_u16()))
                .wrong(Exit::Credentials, "make a new key at the provider, and export it"),
            status @ 500.. => line(format!("{host} answers with HTTP {status}"))
                .warning("the provider has trouble; runs will retry"),
            _ => line(format!("{host} answers")),
        },
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
