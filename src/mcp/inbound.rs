//! What the client answers when the server asks: only what the client profile declares.
//!
//! Nobody sits behind an evaluation, so elicitation is declined and sampling is refused, as a person would with the
//! dialog's other button.

use serde_json::{Map, Value, json};

use super::jsonrpc::METHOD_NOT_FOUND;

/// The answer to a request of the server: a result, or an error object.
pub fn answer(method: &str, capabilities: &Map<String, Value>) -> Result<Value, Value> {
    match method {
        "ping" => Ok(json!({})),
        "roots/list" if capabilities.contains_key("roots") => Ok(json!({"roots": []})),
        "elicitation/create" if capabilities.contains_key("elicitation") => Ok(json!({"action": "decline"})),
        // -1 is the code in the specification's example of a refusal by the user (2025-11-25, client/sampling).
        "sampling/createMessage" if capabilities.contains_key("sampling") => {
            Err(json!({"code": -1, "message": "User rejected sampling request"}))
        }
        _ => Err(json!({"code": METHOD_NOT_FOUND, "message": "Method not found"})),
    }
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
