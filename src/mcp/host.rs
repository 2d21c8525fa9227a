//! Who answers when the server asks: the host behind the client, as the specification calls it.
//!
//! A host may take its time (a model that samples, a script that waits), so answers are futures. What a profile does not
//! declare is refused before a host is asked.

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::jsonrpc::METHOD_NOT_FOUND;

pub mod accepting;
pub mod conducted;
pub mod elicitation;

/// A result, or a JSON-RPC error object.
pub type Answer = Result<Value, Value>;

/// Answers the server's requests: roots, sampling, elicitation, and whatever a revision adds.
pub trait Host: Send + Sync {
    /// The answer to a request of the server; `None` for silence.
    fn answer<'a>(&'a self, method: &'a str, params: &'a Value) -> BoxFuture<'a, Option<Answer>>;
}

/// The answer where nobody is behind the client: elicitation is declined and sampling refused, as a person would with the
/// dialog's other button, and nothing is served that was not declared.
pub fn answer(method: &str, capabilities: &Map<String, Value>) -> Answer {
    match method {
        "ping" => Ok(json!({})),
        "roots/list" if capabilities.contains_key("roots") => Ok(json!({"roots": []})),
        "elicitation/create" if capabilities.contains_key("elicitation") => Ok(json!({"action": "decline"})),
        // -1 is the code in the specification's example of a refusal by the user (2025-11-25, client/sampling).
        "sampling/createMessage" if capabilities.contains_key("sampling") => {
            Err(json!({"code": -1, "message": "User rejected sampling request"}))
        }
        _ => Err(unknown_method()),
    }
}

/// The error object for a request that is not served.
pub fn unknown_method() -> Value {
    json!({"code": METHOD_NOT_FOUND, "message": "Method not found"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_declared_capabilities_are_served() {
        let none = Map::new();
        assert_eq!(answer("ping", &none), Ok(json!({})));
        for method in ["roots/list", "elicitation/create", "sampling/createMessage", "surprise"] {
            assert_eq!(answer(method, &none).unwrap_err()["code"], METHOD_NOT_FOUND, "{method}");
        }
        let all: Map<String, Value> = ["roots", "elicitation", "sampling"]
            .map(|name| (name.to_owned(), json!({})))
            .into_iter()
            .collect();
        assert_eq!(answer("roots/list", &all), Ok(json!({"roots": []})));
        assert_eq!(answer("elicitation/create", &all), Ok(json!({"action": "decline"})));
        assert_eq!(answer("sampling/createMessage", &all).unwrap_err()["code"], -1);
        assert!(answer("surprise", &all).is_err());
    }
}
