//! SARIF 2.1.0 for code scanning: what is wrong with access, authorization and the surface of the server.
//!
//! Each finding stands at the line of the suite that asks for it, with a fingerprint that has no line numbers in it, so
//! that a scanner follows it through edits. What the suite knows already is suppressed, with its reason.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use std::io::Write;

use serde_json::{Value, json};

use super::alerts::{Alert, AlertRule, Alerts, Level};
use super::summary::{Place, Summary};
use super::{ReportError, figures, json::document};

/// Most results; GitHub shows 5,000 of a run.
const RESULTS: usize = 5000;

/// One log with one run.
pub fn render(summary: &Summary, out: &mut dyn Write) -> Result<(), ReportError> {
    document("sarif", &log(summary), out)
}

fn log(summary: &Summary) -> Value {
    let alerts = Alerts::of(summary);
    let ids: Vec<&str> = alerts.rules.keys().map(String::as_str).collect();
    let results: Vec<Value> = alerts.all.iter().take(RESULTS).map(|alert| result(alert, &ids)).collect();
    let mut invocation = json!({
        "executionSuccessful": matches!(summary.exit_code, 0 | 1 | 6),
        "exitCode": summary.exit_code,
        "exitCodeDescription": summary.exit,
    });
    if summary.started.parse::<jiff::Timestamp>().is_ok() {
        invocation["startTimeUtc"] = json!(summary.started);
    }
    if let Some(more) = alerts.all.len().checked_sub(RESULTS).filter(|more| *more > 0) {
        let text =
            format!("{} left out: scanners show {RESULTS} of a run", figures::count(more as u64, "finding"));
        invocation["toolExecutionNotifications"] = json!([{"level": "warning", "message": {"text": text}}]);
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "rehearsal",
                "version": summary.version,
                "rules": alerts.rules.values().map(rule).collect::<Vec<_>>(),
            }},
            "automationDetails": {"id": format!("rehearsal/{}/", slug(&summary.suite))},
            "invocations": [invocation],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(rule: &AlertRule) -> Value {
    let AlertRule { id, title, help, severity, level } = rule;
    json!({
        "id": id,
        "name": id.split(['/', '_', '.', '-']).map(capitalised).collect::<String>(),
        "shortDescription": {"text": message(title)},
        "fullDescription": {"text": message(&format!("{title}. {help}"))},
        "help": {"text": message(help)},
        "defaultConfiguration": {"level": word(*level)},
        "properties": {"security-severity": severity, "tags": ["security", "mcp"]},
    })
}

fn result(alert: &Alert<'_>, ids: &[&str]) -> Value {
    let Alert { rule, level, text, place, fingerprint, who, known } = alert;
    let mut result = json!({
        "ruleId": rule,
        "level": word(*level),
        "message": {"text": message(text)},
        "locations": [{
            "physicalLocation": location(place),
            "logicalLocations": [{"fullyQualifiedName": who}],
        }],
        "partialFingerprints": {"rehearsal/v1": fingerprint},
    });
    if let Ok(index) = ids.binary_search(&rule.as_str()) {
        result["ruleIndex"] = json!(index);
    }
    if let Some(why) = known {
        result["suppressions"] = json!([{"kind": "inSource", "justification": message(why)}]);
    }
    result
}

fn location(place: &Place) -> Value {
    let mut artifact = json!({"uri": uri(&place.file)});
    if !place.file.starts_with('/') {
        artifact["uriBaseId"] = json!("%SRCROOT%");
    }
    let region = json!({"startLine": place.line.max(1), "startColumn": place.column.max(1)});
    json!({"artifactLocation": artifact, "region": region})
}

/// A path as a URI: relative to the root of the sources, or a `file` URI.
fn uri(path: &str) -> String {
    let mut out = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte.into());
            }
            b'\\' => out.push('/'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A text in which nothing is a link or a placeholder.
fn message(text: &str) -> String {
    let text = text.replace("](", "] (");
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '{' && chars.peek().is_some_and(char::is_ascii_digit) {
            out.push(' ');
        }
    }
    out
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    }
}

fn capitalised(part: &str) -> String {
    let mut chars = part.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn slug(text: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    text.chars().take(80).map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("suites/my shop.yaml"), "suites/my%20shop.yaml");
        assert_eq!(uri("/a/b"), "file:///a/b");
        assert_eq!(uri("javascript:alert(1)"), "javascript%3Aalert%281%29");
    }

    #[test]
    fn messages_hold_no_links_and_no_placeholders() {
        assert_eq!(message("[x](http://e) {0} {\"id\": 1}"), "[x] (http://e) { 0} {\"id\": 1}");
    }
}
