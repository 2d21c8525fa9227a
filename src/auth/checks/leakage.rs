//! Group I: the token goes nowhere else: not upstream, not back in an answer. And the server fetches nothing near.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::reading::{control, labelled, refused};
use super::telling::{one, unclear};
use super::tokens::attempt;
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::Flaw;
use crate::auth::answer::Answer;
use crate::auth::issuer::Hit;
use crate::auth::prober::{Credentials, Opened, Prober};
use crate::transcript::{Body, Fault, HttpSide, Transcript};

/// Where clouds keep the credentials of a machine.
const METADATA: &str = "http://169.254.169.254/latest/meta-data/";

/// Parts of a token shorter than this are no evidence.
const TELLING: usize = 16;

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "I01", level: Level::Must, title: "the user's token is not passed upstream", section: "authorization: access token privilege restriction",
        since: "2025-06-18", eras: Eras::Once, needs: &[Needs::TrustedIssuer, Needs::Fact("upstream")], fix: "get a token of your own for the upstream (client credentials, token exchange)",
        probe: upstream, examine: kept_back },
    AuthCheck { id: "I02", level: Level::Must, title: "a token for the upstream is refused", section: "authorization: token handling",
        since: "2025-06-18", eras: Eras::Each, needs: &[Needs::TrustedIssuer], fix: "require your own URL in `aud`, even if the same issuer serves your upstream",
        probe: for_upstream, examine: |t| refused(t, "a token for the upstream") },
    AuthCheck { id: "I03", level: Level::Hygiene, title: "no answer holds the token", section: "security best practices",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::GoodToken], fix: "leave headers out of errors, logs and `_meta`",
        probe: provoke, examine: silent },
    AuthCheck { id: "I04", level: Level::Hygiene, title: "tools that fetch do not fetch from near", section: "security best practices: server-side request forgery",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::GoodToken, Needs::Fact("fetch")], fix: "resolve the host first, and refuse loopback, private and link-local addresses",
        probe: fetch_near, examine: out_of_reach },
];

/// What must not turn up elsewhere: the whole of a token, and the parts of a signed one, with what they are.
pub(super) struct Marks(Vec<(&'static str, SecretString)>);

impl Marks {
    fn of(token: &str) -> Self {
        let mut marks = vec![("the token", token)];
        let parts: Vec<&str> = token.split('.').collect();
        let jti = match parts[..] {
            [_, claims, signature] => {
                marks.extend([("the token's claims", claims), ("the token's signature", signature)]);
                let claims = URL_SAFE_NO_PAD.decode(claims).ok();
                let claims: Option<Value> = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
                claims.and_then(|claims| claims.get("jti")?.as_str().map(str::to_owned))
            }
            _ => None,
        };
        marks.extend(jti.as_deref().map(|jti| ("the token's id", jti)));
        marks.retain(|(_, mark)| mark.len() >= TELLING);
        Self(marks.into_iter().map(|(what, mark)| (what, SecretString::from(mark))).collect())
    }

    /// The same, with the whole however short it is.
    pub(super) fn with_whole(secret: &str) -> Self {
        let mut marks = Self::of(secret);
        if secret.len() < TELLING {
            marks.0.push(("the secret", SecretString::from(secret)));
        }
        marks
    }

    /// The marks of every credential that is sent.
    fn of_all(who: &Credentials) -> Self {
        let values = who.headers.iter().map(|(_, value)| value.expose_secret());
        Self(values.flat_map(|value| Self::of(value.rsplit(' ').next().unwrap_or_default()).0).collect())
    }

    pub(super) fn found(&self, text: &str) -> Option<&'static str> {
        self.0.iter().find(|(_, mark)| text.contains(mark.expose_secret())).map(|(what, _)| *what)
    }
}

fn upstream(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let (Some(call), Some((issuer, _))) = (&prober.facts().upstream, prober.minted()) else {
            return Ok(());
        };
        let token = prober.token(|_| {}).await?;
        let own = Credentials::authorization(&format!("Bearer {}", token.expose_secret()));
        let before = prober.converse("control before", &own).await;
        let earlier = issuer.hits("upstream").len();
        if let Some(session) = &before.session {
            let _ = prober.rpc("call", session, ("tools/call", call.params()), &own).await;
        }
        let marks = Marks::of(token.expose_secret());
        for hit in issuer.hits("upstream").into_iter().skip(earlier) {
            let found = marks.found(&all_of(&hit));
            let label = found.map_or("upstream".to_owned(), |what| format!("upstream got {what}"));
            let request = HttpSide {
                start: format!("{} {}", hit.method, hit.path),
                headers: hit.headers,
                body: Body::Text(hit.body),
            };
            prober.overheard(&label, request);
        }
        let after = prober.converse("control after", &own).await;
        for session in [before.session, after.session] {
            prober.close(session, &own).await;
        }
        Ok(())
    })
}

/// A request as one text.
fn all_of(hit: &Hit) -> String {
    let headers = hit.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
    format!("{}\n{}\n{}", hit.path, headers.collect::<String>(), hit.body)
}

fn kept_back(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let mut seqs = vec![];
    for hit in labelled(transcript, "upstream") {
        if let Some(what) = hit.label.strip_prefix("upstream got ") {
            return Seen::Broken(format!("{what} was passed upstream"), vec![hit.seq]);
        }
        seqs.push(hit.seq);
    }
    match (seqs.len(), one(transcript, "call")) {
        (0, Some(call)) => Seen::Inconclusive(format!(
            "nothing arrived at `${{issuer.upstream}}`; the call got {}",
            call.answer()
        )),
        (0, None) => Seen::Inconclusive("the probe was not sent".to_owned()),
        (1, _) => Seen::Holds("one request upstream, without the user's token".to_owned(), seqs),
        (many, _) => Seen::Holds(format!("{many} requests upstream, none with the user's token"), seqs),
    }
}

fn for_upstream(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move { attempt(prober, prober.flawed(Flaw::UpstreamAudience).await?).await })
}

fn provoke(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let good = prober.good().await?;
        let marks = Marks::of_all(&good);
        let before = prober.converse("control before", &good).await;
        if let Some(session) = &before.session {
            for (method, params) in provocations(prober, session) {
                let answer = prober.rpc("answer", session, (method, params), &good).await;
                search(prober, &marks, method, &answer);
            }
        }
        search(prober, &marks, "tools/list", &before.last);
        let after = prober.converse("control after", &good).await;
        for session in [before.session, after.session] {
            prober.close(session, &good).await;
        }
        Ok(())
    })
}

/// Requests that make a server talk: ordinary ones, and mistakes, with the loudest log.
fn provocations(prober: &Prober, session: &Opened) -> Vec<(&'static str, Value)> {
    let mut all = vec![];
    if !session.is_modern() {
        all.push(("logging/setLevel", json!({"level": "debug"})));
    }
    if let Some(harmless) = &prober.facts().harmless {
        all.push(("tools/call", harmless.params()));
    }
    all.extend([
        ("tools/call", json!({"name": "rehearsal_no_such_tool", "arguments": {}})),
        ("tools/call", json!({"name": 1})),
        ("resources/list", json!({})),
        ("resources/read", json!({"uri": "rehearsal://no-such-resource"})),
        ("prompts/list", json!({})),
        ("prompts/get", json!({"name": "rehearsal_no_such_prompt"})),
        ("rehearsal/no-such-method", json!({})),
    ]);
    if session.is_modern() {
        for (_, params) in &mut all {
            params["_meta"] = json!({"io.modelcontextprotocol/logLevel": "debug"});
        }
    }
    all
}

/// Looks for the token in an answer as it came, and puts on record only that it is there.
fn search(prober: &Prober, marks: &Marks, method: &str, answer: &Result<HttpSide, String>) {
    let Ok(side) = answer else { return };
    let headers: String = side.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    for (place, text) in [("headers", headers.as_str()), ("body", &side.body.to_text())] {
        if let Some(what) = marks.found(text) {
            let nothing =
                HttpSide { start: "-".to_owned(), headers: vec![], body: Body::Text(String::new()) };
            prober.overheard(&format!("found {what} in the {place} of the answer to `{method}`"), nothing);
        }
    }
}

fn silent(transcript: &Transcript) -> Seen {
    if let Some(found) = labelled(transcript, "found ").next() {
        return Seen::Broken(found.label.trim_start_matches("found ").to_owned(), vec![found.seq]);
    }
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let seqs: Vec<u32> = labelled(transcript, "answer: ").map(|exchange| exchange.seq).collect();
    match seqs.is_empty() {
        true => Seen::Inconclusive("the probe was not sent".to_owned()),
        false => Seen::Holds(format!("{} answers, none with the token", seqs.len()), seqs),
    }
}

fn fetch_near(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(fact) = &prober.facts().fetch else { return Ok(()) };
        let good = prober.good().await?;
        let before = prober.converse("control before", &good).await;
        if let Some(session) = &before.session {
            let call = |url: &str| ("tools/call", fact.with(url));
            let _ = prober.rpc("metadata", session, call(METADATA), &good).await;
            if let Some(issuer) = prober.issuer() {
                // The place says which target was to fetch it: targets may share an issuer.
                let target = prober.target();
                let host = target.host_str().unwrap_or_default();
                let place = format!("/{host}-{}", target.port_or_known_default().unwrap_or_default());
                let canary = format!("{}{place}", issuer.canary("fetch"));
                let seen = || issuer.hits("fetch").into_iter().filter(|hit| hit.path.ends_with(&place));
                let earlier = seen().count();
                let _ = prober.rpc("loopback", session, call(&canary), &good).await;
                for hit in seen().skip(earlier) {
                    let start = format!("{} {}", hit.method, hit.path);
                    let body = Body::Text(hit.body);
                    prober.overheard("fetched", HttpSide { start, headers: hit.headers, body });
                }
            }
        }
        let after = prober.converse("control after", &good).await;
        for session in [before.session, after.session] {
            prober.close(session, &good).await;
        }
        Ok(())
    })
}

fn out_of_reach(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    if let Some(hit) = one(transcript, "fetched") {
        return Seen::Broken("the tool fetched an address of this machine".to_owned(), vec![hit.seq]);
    }
    let mut seqs = vec![];
    for exchange in ["metadata", "loopback"].into_iter().filter_map(|label| one(transcript, label)) {
        if exchange.answer().is_unavailable() {
            return unclear(&exchange);
        }
        let body = exchange.side().map(|side| side.body.to_text().into_owned()).unwrap_or_default();
        let told = ["ami-id", "instance-id"].iter().any(|key| body.contains(key));
        if told && matches!(exchange.answer(), Answer::Accepted(_)) {
            let text = "the tool fetched the metadata of the machine it runs on".to_owned();
            return Seen::Broken(text, vec![exchange.seq]);
        }
        seqs.push(exchange.seq);
    }
    match seqs.is_empty() {
        true => Seen::Inconclusive("the probe was not sent".to_owned()),
        false => Seen::Holds("the tool fetched nothing from near".to_owned(), seqs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_whole_and_in_parts() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"jti":"0123456789abcdef"}"#);
        let token = format!("eyJhbGciOiJSUzI1NiJ9.{claims}.c2lnbmF0dXJlIG9mIHRva2Vu");
        let marks = Marks::of(&token);
        assert_eq!(marks.found(&format!("x {token}")), Some("the token"));
        assert_eq!(marks.found(&format!("{{\"user\": \"{claims}\"}}")), Some("the token's claims"));
        assert_eq!(marks.found("x c2lnbmF0dXJlIG9mIHRva2Vu"), Some("the token's signature"));
        assert_eq!(marks.found("id 0123456789abcdef"), Some("the token's id"));
        assert_eq!(marks.found("eyJhbGciOiJSUzI1NiJ9"), None);
        let short = Credentials::authorization("Bearer short");
        assert!(Marks::of_all(&short).0.is_empty());
    }
}
