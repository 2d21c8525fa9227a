//! What happens at the embedded issuer meanwhile goes into the same record: examinations know nothing else.

use super::Prober;
use crate::auth::issuer::{Fetches, Issuer};
use crate::transcript::{Body, HttpSide};

impl Prober {
    /// Records the requests that a canary has received since it had `known` of them, under `canary: hit`.
    pub fn note_hits(&self, issuer: &Issuer, canary: &str, known: usize) {
        for hit in issuer.hits(canary).into_iter().skip(known) {
            let start = format!("{} {}{}", hit.method, issuer.url(), hit.path);
            let request = HttpSide { start, headers: hit.headers, body: Body::Text(hit.body) };
            self.note("canary: hit", request, String::new());
        }
    }

    /// Records how often the issuer was asked for its keys since `before`, under `keys asked for`.
    pub fn note_fetches(&self, issuer: &Issuer, before: Fetches) {
        let count = issuer.fetches().jwks.saturating_sub(before.jwks);
        let start = format!("GET {}", issuer.jwks_url());
        let request = HttpSide { start, headers: vec![], body: Body::Text(String::new()) };
        self.note("keys asked for", request, count.to_string());
    }

    /// Records something that was met on the way under a label that says what it is.
    pub fn overheard(&self, label: &str, request: HttpSide) {
        self.note(label, request, String::new());
    }

    fn note(&self, label: &str, request: HttpSide, body: String) {
        let response = HttpSide { start: "200".to_owned(), headers: vec![], body: Body::Text(body) };
        // What it returns is what it was given.
        let _ = self.noted(label, request, Ok(response), 0);
    }
}
