//! What model APIs over HTTP have in common: an address, a key that stays secret, one request, one answer within
//! bounds. Dialects write the bodies and read the answers; nothing here repeats an attempt, `retry` does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::pace::Pace;
use super::retry::{Failure, Policy};
use super::{ModelSpec, Outside, bad_definition, estimate};
use crate::net::asked::Asked;
use crate::transcript::{Fault, Recorder, Side};

pub(super) mod answer;
pub(super) mod attempt;
pub(super) mod calls;
pub(super) mod error;
pub(super) mod loose;
pub(super) mod names;

/// The longest silence in the middle of a stream.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// How long usage and the end mark may come after the last word.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a dialect brings along; a definition may name others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usual {
    /// The address, without a trailing slash.
    pub(super) base: &'static str,
    /// The header that carries the key. In `authorization` it follows the word `Bearer`.
    pub(super) key_header: &'static str,
    /// Headers of every request.
    pub(super) headers: &'static [(&'static str, &'static str)],
}

/// Where an API is and what goes along with every request. Nothing but the key comes from the environment.
#[derive(Clone)]
pub(super) struct Api {
    http: reqwest::Client,
    base: String,
    headers: HeaderMap,
    key: Option<(String, String)>,
    pace: Arc<Pace>,
}

impl Api {
    /// Reads a definition. The fault names the missing variable (`credentials.missing-key`) or the field that makes no
    /// sense (`model.bad-definition`).
    pub(super) fn new(spec: &ModelSpec, outside: &Outside, usual: Usual) -> Result<Self, Fault> {
        let base = address(spec, outside, usual)?;
        match url::Url::parse(&base) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.query().is_none() => {}
            _ => return Err(bad_definition(spec, "`base_url` is not an http or https URL without a query")),
        }
        let key = match &spec.key {
            None => None,
            Some(variable) => Some((variable.clone(), key(spec, variable, outside)?)),
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in usual.headers {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        for (name, value) in &spec.headers {
            let (name, value) = header(name, value).ok_or_else(|| {
                bad_definition(
                    spec,
                    &format!("`headers` holds `{name}`, which is no header, or a value that none has"),
                )
            })?;
            headers.insert(name, value);
        }
        if let Some((variable, value)) = &key {
            let (name, value) =
                carried(spec.key_header.as_deref().unwrap_or(usual.key_header), value, spec, variable)?;
            headers.insert(name, value);
        }
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { http: outside.http.clone(), base, headers, key, pace: outside.paces.of(spec) })
    }

    /// The address of a path that begins with a slash.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The address without a path.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// What goes along with every request; the value with the key is marked as sensitive.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The client that sends.
    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Before the first use of the key with this record; looking costs a read lock.
    pub(super) fn register_key(&self, log: &Recorder) {
        if let Some((name, value)) = &self.key
            && log.secrets().redact(value) == value.as_str()
        {
            log.secrets().register(name, value);
        }
    }

    /// How attempts at a request with this body are repeated.
    pub(super) fn policy<'a>(&'a self, spec: &'a ModelSpec, body: &'a RawValue) -> Policy<'a> {
        Policy {
            model: spec.name.as_str(),
            retries: spec.retries,
            body: body.get().as_bytes(),
            pace: &self.pace,
            weight: estimate::weight(spec, body.get().len()),
        }
    }

    /// Nothing more is sent until the moment that an answer has announced.
    pub(super) fn heed(&self, asked: Asked, log: &Recorder) {
        self.pace.heard(asked, log);
    }

    /// Sends a body. An answer that is no success comes back as the failure it is.
    pub(super) async fn send(
        &self,
        path: &str,
        body: &RawValue,
        log: &Recorder,
    ) -> Result<reqwest::Response, Failure> {
        let request =
            self.http.post(self.url(path)).headers(self.headers.clone()).body(body.get().to_owned());
        let response = request.send().await.map_err(|error| answer::unsent(&error))?;
        if let Some(asked) = Asked::announced(response.headers()) {
            self.heed(asked, log);
        }
        match response.status().is_success() {
            true => Ok(response),
            false => Err(answer::refused(response).await),
        }
    }
}

/// The address; `${NAME}` at its beginning is the value of an environment variable.
fn address(spec: &ModelSpec, outside: &Outside, usual: Usual) -> Result<String, Fault> {
    let written = spec.base_url.as_deref().unwrap_or(usual.base);
    let Some((variable, rest)) = written.strip_prefix("${").and_then(|tail| tail.split_once('}')) else {
        return Ok(written.to_owned());
    };
    Ok(format!("{}{rest}", key(spec, variable, outside)?.trim_end_matches('/')))
}

fn key(spec: &ModelSpec, variable: &str, outside: &Outside) -> Result<String, Fault> {
    let value =
        (outside.env)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    value.ok_or_else(|| {
        let message =
            format!("model `{}` needs the environment variable `{variable}`, which is not set", spec.name);
        Fault::new(Side::Model, "credentials.missing-key", message)
    })
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
}

/// The header with the key in it.
fn carried(
    name: &str,
    key: &str,
    spec: &ModelSpec,
    variable: &str,
) -> Result<(HeaderName, HeaderValue), Fault> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| bad_definition(spec, &format!("`key_header` is `{name}`, which is no header")))?;
    let value = if name == AUTHORIZATION { format!("Bearer {key}") } else { key.to_owned() };
    let mut value = HeaderValue::from_str(&value).map_err(|_| {
        let message =
            format!("model `{}`: the value of `{variable}` holds characters that no key has", spec.name);
        Fault::new(Side::Model, "credentials.missing-key", message)
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// A body as JSON text, written once: attempts repeat the bytes.
pub(super) fn written(body: &impl Serialize) -> Result<Box<RawValue>, Fault> {
    serde_json::value::to_raw_value(body).map_err(|error| {
        Fault::new(Side::Harness, "harness.request", format!("a model request cannot be written: {error}"))
    })
}

/// Writes the fields of a body unless the definition's `extra` overrides them; a `null` there takes a field out.
pub(super) struct Fields<'a, M> {
    map: M,
    extra: &'a BTreeMap<String, Value>,
}

impl<'a, M: SerializeMap> Fields<'a, M> {
    /// Begins a body.
    pub(super) fn new(map: M, extra: &'a BTreeMap<String, Value>) -> Self {
        Self { map, extra }
    }

    /// Writes a field.
    pub(super) fn put<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), M::Error> {
        if self.extra.contains_key(key) { Ok(()) } else { self.map.serialize_entry(key, value) }
    }

    /// Writes an object whose fields `extra` overrides one by one. An empty one is left out.
    pub(super) fn merge(&mut self, key: &str, mut fields: Map<String, Value>) -> Result<(), M::Error> {
        match self.extra.get(key) {
            None => {}
            Some(Value::Object(extra)) => {
                for (name, value) in extra {
                    match value {
                        Value::Null => fields.shift_remove(name),
                        value => fields.insert(name.clone(), value.clone()),
                    };
                }
            }
            // Anything else stands in its place, or takes it out.
            Some(Value::Null) => return Ok(()),
            Some(other) => return self.map.serialize_entry(key, other),
        }
        if fields.is_empty() { Ok(()) } else { self.map.serialize_entry(key, &fields) }
    }

    /// Ends the body with what `extra` adds; `merged` are the keys that [`Fields::merge`] has written.
    pub(super) fn end(mut self, merged: &[&str]) -> Result<M::Ok, M::Error> {
        let added =
            self.extra.iter().filter(|(key, value)| !value.is_null() && !merged.contains(&key.as_str()));
        for (key, value) in added {
            self.map.serialize_entry(key, value)?;
        }
        self.map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Usual =
        Usual { base: "https://api.example/v1", key_header: "x-api-key", headers: &[("version", "1")] };

    fn api(spec: &ModelSpec) -> Result<Api, Fault> {
        let env = |name: &str| (name == "KEY").then(|| " sk-1234567890 \n".to_owned());
        Api::new(spec, &Outside::new(crate::net::client().unwrap(), Arc::new(env)), USUAL)
    }

    fn sent(spec: &ModelSpec) -> Vec<(String, String)> {
        let headers = api(spec).unwrap().headers;
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn keys_and_headers_are_those_of_the_definition_else_of_the_dialect() {
        let mut spec = ModelSpec::new("m", "x");
        spec.key = Some("KEY".into());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert!(sent(&spec).contains(&pair("x-api-key", "sk-1234567890")));
        spec.key_header = Some("Authorization".into());
        spec.headers = BTreeMap::from([("Version".to_owned(), "2".to_owned())]);
        let headers = sent(&spec);
        assert!(headers.contains(&pair("authorization", "Bearer sk-1234567890")), "{headers:?}");
        assert!(
            headers.contains(&pair("version", "2")) && !headers.iter().any(|(name, _)| name == "x-api-key")
        );
        let shown = format!("{:?}", api(&spec).unwrap().headers);
        assert!(!shown.contains("sk-1234567890"), "{shown}");
    }

    #[test]
    fn what_no_request_can_carry_is_a_fault_before_it() {
        type Change = fn(&mut ModelSpec);
        let table: [(Change, &str, &str); 5] = [
            (|spec| spec.base_url = Some("ftp://x".into()), "model.bad-definition", "base_url"),
            (|spec| spec.base_url = Some("https://x/v1?key=1".into()), "model.bad-definition", "base_url"),
            (|spec| spec.key_header = Some("a b".into()), "model.bad-definition", "key_header"),
            (|spec| drop(spec.headers.insert("a".into(), "b\n".into())), "model.bad-definition", "headers"),
            (|spec| spec.key = Some("OTHER".into()), "credentials.missing-key", "OTHER"),
        ];
        for (change, code, word) in table {
            let mut spec = ModelSpec::new("m", "x");
            spec.key = Some("KEY".into());
            change(&mut spec);
            let fault = api(&spec).err().unwrap();
            assert_eq!(fault.code, code);
            assert!(fault.message.contains(word), "{fault}");
        }
    }
}
