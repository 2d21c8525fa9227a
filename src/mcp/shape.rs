//! The envelope of modern results: which of several things a result is, and the hints for caches.
//!
//! Hints are looked at and recorded, never obeyed: an evaluation must see the server, not a memory of it.

use serde_json::Value;

use crate::display;

/// What a result says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The answer. Also when nothing is said, as by servers of earlier revisions.
    Complete {
        /// Whether it says so.
        said: bool,
    },
    /// The server needs something first.
    InputRequired,
    /// Work goes on behind a handle (tasks extension).
    Task,
    /// Something no extension that we declare has named.
    Unknown(String),
}

/// Reads `resultType`.
pub fn kind(result: &Value) -> Kind {
    match result.get("resultType") {
        None => Kind::Complete { said: false },
        Some(Value::String(text)) => match text.as_str() {
            "complete" => Kind::Complete { said: true },
            "input_required" => Kind::InputRequired,
            "task" => Kind::Task,
            other => Kind::Unknown(display::excerpt(other, 40)),
        },
        Some(other) => Kind::Unknown(display::excerpt(&other.to_string(), 40)),
    }
}

/// Whether results of this method must carry hints for caches (2026-07-28, server/utilities/caching).
pub fn is_cacheable(method: &str) -> bool {
    matches!(
        method,
        "server/discover"
            | "tools/list"
            | "prompts/list"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
    )
}

/// What is odd about the hints of a complete result.
pub fn cache_oddities(method: &str, result: &Value) -> Vec<String> {
    if !is_cacheable(method) {
        return vec![];
    }
    let mut odd = Vec::new();
    match result.get("ttlMs") {
        None => odd.push(format!("`{method}` was answered without `ttlMs`")),
        Some(ttl) if ttl.as_f64().is_some_and(|ttl| ttl >= 0.0 && ttl.fract() == 0.0) => {}
        Some(ttl) => {
            let ttl = display::excerpt(&ttl.to_string(), 40);
            odd.push(format!("`ttlMs` of `{method}` is no whole number from 0: `{ttl}`"));
        }
    }
    match result.get("cacheScope") {
        None => odd.push(format!("`{method}` was answered without `cacheScope`")),
        Some(Value::String(scope)) if scope == "public" || scope == "private" => {}
        Some(scope) => {
            let scope = display::excerpt(&scope.to_string(), 40);
            odd.push(format!("`cacheScope` of `{method}` is neither public nor private: `{scope}`"));
        }
    }
    odd
}

/// Error codes that 2026-07-28 took out of use, in words.
pub fn retired(code: Option<i64>) -> Option<String> {
    let instead = match code? {
        -32002 => "a resource that is not there is -32602",
        -32042 => "a URL to visit comes in an `input_required` result",
        _ => return None,
    };
    Some(format!("error {} must not be used since 2026-07-28; {instead}", code?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn results_say_what_they_are() {
        assert_eq!(kind(&json!({})), Kind::Complete { said: false });
        assert_eq!(kind(&json!({"resultType": "complete"})), Kind::Complete { said: true });
        assert_eq!(kind(&json!({"resultType": "input_required"})), Kind::InputRequired);
        assert_eq!(kind(&json!({"resultType": "task"})), Kind::Task);
        assert_eq!(kind(&json!({"resultType": "later"})), Kind::Unknown("later".to_owned()));
        assert_eq!(kind(&json!({"resultType": null})), Kind::Unknown("null".to_owned()));
    }

    #[test]
    fn hints_must_be_there_and_well_formed() {
        let odd = |result: Value| cache_oddities("tools/list", &result).len();
        assert_eq!(odd(json!({"ttlMs": 0, "cacheScope": "private"})), 0);
        assert_eq!(odd(json!({"ttlMs": 60000, "cacheScope": "public"})), 0);
        assert_eq!(odd(json!({})), 2);
        assert_eq!(odd(json!({"ttlMs": -1, "cacheScope": "shared"})), 2);
        assert_eq!(odd(json!({"ttlMs": "5", "cacheScope": 1})), 2);
        assert_eq!(cache_oddities("tools/call", &json!({})).len(), 0);
    }

    #[test]
    fn retired_codes_are_recognised() {
        assert!(retired(Some(-32002)).is_some() && retired(Some(-32042)).is_some());
        assert!(retired(Some(-32602)).is_none() && retired(None).is_none());
    }
}
