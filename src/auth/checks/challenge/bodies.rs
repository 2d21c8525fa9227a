//! A12: what the bodies of refusals tell of the inside.

use std::sync::LazyLock;

use futures::future::BoxFuture;
use regex::Regex;
use url::{Host, Url};

use super::{is_loopback, knock};
use crate::auth::Flaw;
use crate::auth::answer::{Answer, Denial};
use crate::auth::checks::Seen;
use crate::auth::checks::reading::{Exchange, labelled};
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Fault, Transcript};

/// A token that is none, and that is recognised where it is repeated.
const GARBAGE: &str = "rehearsal-garbage-7c1f0a9e";

/// Refusals of several kinds: libraries have their own words for each.
pub(super) fn denials(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        knock(prober, "denial of no token", &Credentials::none()).await;
        knock(prober, "denial of garbage", &Credentials::authorization(&format!("Bearer {GARBAGE}"))).await;
        if prober.minted().is_some() {
            for (label, flaw) in [
                ("denial of an expired token", Flaw::Expired),
                ("denial of a bad signature", Flaw::BadSignature),
                ("denial of another audience", Flaw::WrongAudience),
            ] {
                knock(prober, label, &prober.flawed(flaw).await?).await;
            }
        }
        Ok(())
    })
}

pub(super) fn discreet(transcript: &Transcript) -> Seen {
    let mut seqs = vec![];
    for exchange in labelled(transcript, "denial of ") {
        let denied = match exchange.answer() {
            Answer::Denied(denial) => !matches!(denial, Denial::ToolError),
            Answer::Broke(_) => true,
            _ => false,
        };
        let Some(side) = exchange.side().filter(|_| denied) else { continue };
        let label = exchange.label.trim_start_matches("denial of ");
        let kind = label.rsplit_once(": ").map_or(label, |(kind, _)| kind);
        if let Some(what) = indiscretion(&side.body.to_text(), &exchange) {
            let text = format!("the body of the {} to {kind} shows {what}", side.start);
            return Seen::Broken(text, vec![exchange.seq]);
        }
        seqs.push(exchange.seq);
    }
    match seqs.is_empty() {
        true => Seen::Inconclusive("nothing was refused".to_owned()),
        false => {
            Seen::Holds(format!("the bodies of {} refusals are JSON or empty, and plain", seqs.len()), seqs)
        }
    }
}

/// What a body should not show.
fn indiscretion(body: &str, exchange: &Exchange<'_>) -> Option<String> {
    if body.contains(GARBAGE) || body.contains("[secret:") {
        return Some("the token that was sent".to_owned());
    }
    for (what, pattern) in PATTERNS.iter() {
        if let Some(found) = pattern.find(body) {
            return Some(format!("{what}: `{}`", found.as_str().trim()));
        }
    }
    if let Some(host) = inner_host(body, exchange.url()) {
        return Some(format!("an internal host: `{host}`"));
    }
    let is_json = || exchange.side().is_some_and(|side| !crate::auth::answer::messages(side).is_empty());
    (!body.trim().is_empty() && !is_json()).then(|| "neither JSON nor nothing".to_owned())
}

static PATTERNS: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    [
        (
            "a stack trace",
            r"(?m)Traceback \(most recent call last\)|^\s*(?:\\n)?\s*at [\w.$<>\[\] ]+\(|goroutine \d+ \[|stack backtrace:|panicked at |\\n\s+at [\w.$<>]+",
        ),
        ("SQL", r"(?i)\bselect\b[^.]{1,80}\bfrom\b[^.]{1,80}\bwhere\b|\binsert into\b|\bdelete from\b|SQLSTATE|\bORA-\d{5}"),
        (
            "a file path",
            r#"(?:^|[\s"'`(=\\])(?:/(?:home|root|usr|var|srv|opt|app|etc|tmp|Users|workspace)/[\w.@-]+|[A-Za-z]:\\\\?[\w.@-]+\\)[^\s"'`)]*"#,
        ),
    ]
    .into_iter()
    .filter_map(|(what, text)| Some((what, Regex::new(text).ok()?)))
    .collect()
});

static HOSTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let text = r"(?i)\b(?:(?:\d{1,3}\.){3}\d{1,3}|localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:internal|local|lan|svc))\b";
    Regex::new(text).ok()
});

/// The first name of a host that only insiders reach, and that is not the target's own.
fn inner_host(body: &str, target: &str) -> Option<String> {
    let target = Url::parse(target).ok()?;
    let near = is_loopback(&target);
    HOSTS.as_ref()?.find_iter(body).map(|found| found.as_str().to_owned()).find(|name| {
        let own = target.host_str().is_some_and(|own| own.eq_ignore_ascii_case(name));
        let inner = match Host::parse(name) {
            Ok(Host::Ipv4(ip)) => ip.is_private() || ip.is_link_local() || ip.is_loopback() && !near,
            Ok(Host::Domain(domain)) => domain != "localhost" || !near,
            _ => false,
        };
        inner && !own
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{Body, HttpSide};

    fn shown(body: &str, target: &str) -> Option<String> {
        let side = |start: &str, body: &str| HttpSide {
            start: start.to_owned(),
            headers: vec![],
            body: Body::Text(body.to_owned()),
        };
        let (request, response) = (side(&format!("POST {target}"), ""), Ok(side("401", body)));
        indiscretion(body, &Exchange { seq: 0, label: "x", request: &request, response: &response })
    }

    #[test]
    fn what_does_not_belong_into_a_refusal_is_found() {
        for (body, what) in [
            (r#"{"error":"bad token rehearsal-garbage-7c1f0a9e"}"#, "the token"),
            (r#"{"trace":"Traceback (most recent call last):\n  File"}"#, "a stack trace"),
            (r#"{"stack":"JsonWebTokenError: jwt malformed\n    at verify (index.js:1)"}"#, "a stack trace"),
            (r#"{"file":"/srv/app/auth.py"}"#, "a file path"),
            (r#"{"file":"C:\\app\\auth.cs"}"#, "a file path"),
            (r#"{"error":"SELECT id FROM tokens WHERE value = 1"}"#, "SQL"),
            (r#"{"error":"cannot reach 10.2.3.4:8080"}"#, "an internal host: `10.2.3.4`"),
            (r#"{"error":"no route to keys.auth.svc"}"#, "an internal host"),
            (r#"{"error":"localhost refused"}"#, "an internal host"),
            ("<html>Unauthorized</html>", "neither JSON"),
        ] {
            let found = shown(body, "https://mcp.example/mcp").unwrap_or_default();
            assert!(found.contains(what), "{body}: {found}");
        }
    }

    #[test]
    fn plain_refusals_show_nothing() {
        for body in [
            "",
            r#"{"error":"invalid_token","error_description":"The token expired at 10:02"}"#,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Unauthorized: please select a tool from the list"}}"#,
            r#"{"resource_metadata":"http://127.0.0.1:9/.well-known/oauth-protected-resource/mcp"}"#,
        ] {
            assert_eq!(shown(body, "http://127.0.0.1:9/mcp"), None, "{body}");
        }
        assert_eq!(shown(r#"{"error":"10.0.0.1 says no"}"#, "http://10.0.0.1/mcp"), None);
    }
}
