//! One request over HTTP: what goes out, and how much of the answer is waited for.

use reqwest::Method;
use secrecy::ExposeSecret;
use url::Url;

use super::{Ask, Credentials, DEADLINE, KEPT, LATE, Prober};
use crate::auth::answer::stream_messages;
use crate::net;
use crate::transcript::{Body, HttpSide};

/// A request with everything that goes with it.
pub(super) struct Written {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Written {
    /// The request as records show it.
    pub(super) fn side(&self) -> HttpSide {
        let start = format!("{} {}", self.method, self.url);
        HttpSide { start, headers: self.headers.clone(), body: Body::Text(self.body.clone()) }
    }
}

impl Prober {
    /// A request as it goes out.
    pub(super) fn write(&self, ask: Ask<'_>, who: &Credentials) -> Written {
        let mut url = ask.url;
        if let Some((name, value)) = &who.query {
            url.query_pairs_mut().append_pair(name, value.expose_secret());
        }
        let mut headers = ask.headers;
        if self.is_target(&url) {
            headers.extend(self.setup.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        headers
            .extend(who.headers.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())));
        Written { method: ask.method, url, headers, body: ask.body.unwrap_or_default() }
    }

    /// Sends a request and waits for its whole answer, or for as much of it as is kept.
    pub(super) async fn exchange(&self, written: &Written) -> Result<HttpSide, String> {
        let (head, mut response) = self.head_of(written).await?;
        let stream = head.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        let mut kept = Vec::new();
        // A body that breaks off or never ends is kept as far as it came.
        let _ = tokio::time::timeout(DEADLINE, async {
            while let Ok(Some(chunk)) = response.chunk().await {
                kept.extend_from_slice(&chunk[..chunk.len().min(KEPT - kept.len())]);
                if kept.len() >= KEPT || (stream && has_answer(&kept)) {
                    break;
                }
            }
        })
        .await;
        Ok(HttpSide { body: Body::from_bytes(&kept), ..head })
    }

    /// Sends a request and waits for the head of the answer.
    pub(super) async fn head_of(&self, written: &Written) -> Result<(HttpSide, reqwest::Response), String> {
        let mut request = self.http.request(written.method.clone(), written.url.clone());
        for (name, value) in &written.headers {
            request = request.header(name, value);
        }
        if !written.body.is_empty() {
            request = request.body(written.body.clone());
        }
        let response = tokio::time::timeout(self.patience, request.send())
            .await
            .map_err(|_| format!("{LATE} {}s", self.patience.as_secs()))?
            .map_err(|error| net::describe(&error))?;
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let start = response.status().as_u16().to_string();
        Ok((HttpSide { start, headers, body: Body::from_bytes(&[]) }, response))
    }
}

/// Why a request stayed here.
pub(super) fn not_asked(url: &Url) -> String {
    format!("not sent: {} is neither the target nor the issuer", net::shown(url))
}

/// Whether a stream has brought the answer; it may stay open afterwards.
pub(super) fn has_answer(kept: &[u8]) -> bool {
    stream_messages(&String::from_utf8_lossy(kept))
        .iter()
        .any(|message| message.get("result").is_some() || message.get("error").is_some())
}
