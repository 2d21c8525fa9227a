//! What the server asked of the client and what it got, as a person would tell it. Pure; the words are still untrusted.

use serde_json::Value;

/// A question and its answer, each as a heading of this program and words of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What the server did, in words of this program.
    pub asks: String,
    /// What it asked, in its own words.
    pub question: String,
    /// What it got, in words of this program.
    pub answers: String,
    /// The answer itself.
    pub answer: String,
}

/// Tells a request of the server and its answer. `answered` is a result, an error object, or `null` for silence.
pub fn tell(method: &str, params: &Value, answered: &Value) -> Exchange {
    let text = |key: &str| params.get(key).and_then(Value::as_str).unwrap_or_default();
    let (asks, question) = match method {
        "elicitation/create" if text("mode") == "url" => {
            ("server asks the user to visit a page".to_owned(), lines([text("message"), text("url")]))
        }
        "elicitation/create" => {
            let fields = fields(params.get("requestedSchema"));
            ("server asks the user".to_owned(), lines([text("message"), &fields]))
        }
        "sampling/createMessage" => ("server asks for a model's words".to_owned(), conversation(params)),
        "roots/list" => ("server asks for the roots".to_owned(), String::new()),
        "ping" => ("server asks whether the client is there".to_owned(), String::new()),
        _ => (format!("server asks `{method}`"), plain(params)),
    };
    let (answers, answer) = answer(method, answered);
    Exchange { asks, question, answers, answer }
}

fn answer(method: &str, answered: &Value) -> (String, String) {
    if answered.is_null() {
        return ("was not answered".to_owned(), String::new());
    }
    if let Some((code, message)) = error(answered) {
        return (format!("refused with the error {code}"), message.to_owned());
    }
    let text = |key: &str| answered.get(key).and_then(Value::as_str).unwrap_or_default();
    match method {
        "elicitation/create" => {
            let content = answered.get("content").and_then(Value::as_object);
            let fields =
                content.into_iter().flatten().map(|(name, value)| format!("{name}: {}", plain(value)));
            (format!("answered `{}`", text("action")), fields.collect::<Vec<_>>().join("\n"))
        }
        "sampling/createMessage" => {
            (format!("answered by `{}`", text("model")), content(answered.get("content")))
        }
        "roots/list" => {
            let roots =
                answered.get("roots").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let shown = roots.iter().map(|root| {
                let part = |key: &str| root.get(key).and_then(Value::as_str);
                let name = part("name").map(|name| format!(" ({name})")).unwrap_or_default();
                format!("{}{name}", part("uri").unwrap_or_default())
            });
            let many = if roots.is_empty() { "answered with no roots" } else { "answered" };
            (many.to_owned(), shown.collect::<Vec<_>>().join("\n"))
        }
        _ => {
            let shown = if answered == &serde_json::json!({}) { String::new() } else { plain(answered) };
            ("answered".to_owned(), shown)
        }
    }
}

/// Results of the protocol have no `code`; error objects always do.
fn error(answered: &Value) -> Option<(i64, &str)> {
    let code = answered.get("code")?.as_i64()?;
    Some((code, answered.get("message")?.as_str()?))
}

/// The fields of a form, one a line: name, title, kind, default.
fn fields(schema: Option<&Value>) -> String {
    let Some(schema) = schema else { return String::new() };
    let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let fields = schema.get("properties").and_then(Value::as_object);
    let told = fields.into_iter().flatten().map(|(name, field)| {
        let text = |key: &str| field.get(key).and_then(Value::as_str);
        let title = text("title").or_else(|| text("description"));
        let title = title.map(|title| format!(" ({title})")).unwrap_or_default();
        let must = if required.iter().any(|known| known == name) { ", required" } else { "" };
        let default = field.get("default").map(|value| format!(", default {}", plain(value)));
        format!(
            "- {name}{title}: {}{must}{}",
            text("type").unwrap_or("anything"),
            default.unwrap_or_default()
        )
    });
    told.collect::<Vec<_>>().join("\n")
}

/// A conversation for a model, a line for each message.
fn conversation(params: &Value) -> String {
    let system = params.get("systemPrompt").and_then(Value::as_str).map(|text| format!("system: {text}"));
    let messages = params.get("messages").and_then(Value::as_array).into_iter().flatten().map(|message| {
        let role = message.get("role").and_then(Value::as_str).unwrap_or("unknown");
        format!("{role}: {}", content(message.get("content")))
    });
    system.into_iter().chain(messages).collect::<Vec<_>>().join("\n")
}

/// A content block or a list of them: text as it is, anything else as its kind.
fn content(value: Option<&Value>) -> String {
    let block = |block: &Value| match block.get("text").and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => format!("[{}]", block.get("type").and_then(Value::as_str).unwrap_or("unknown")),
    };
    match value {
        None => String::new(),
        Some(Value::Array(blocks)) => blocks.iter().map(block).collect::<Vec<_>>().join("\n"),
        Some(one) => block(one),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn lines<const N: usize>(parts: [&str; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[allow(clippy::needless_pass_by_value, reason = "a literal at every call")]
    fn told(method: &str, params: Value, answered: Value) -> [String; 4] {
        let Exchange { asks, question, answers, answer } = tell(method, &params, &answered);
        [asks, question, answers, answer]
    }

    #[test]
    fn a_form_reads_like_a_form() {
        let schema = json!({"required": ["date"], "properties": {
            "date": {"type": "string", "title": "Delivery date"}, "gift": {"type": "boolean", "default": false},
        }});
        let params = json!({"message": "When?", "requestedSchema": schema});
        let answered = json!({"action": "accept", "content": {"date": "2026-12-01", "gift": false}});
        let expected = [
            "server asks the user",
            "When?\n- date (Delivery date): string, required\n- gift: boolean, default false",
            "answered `accept`",
            "date: 2026-12-01\ngift: false",
        ];
        assert_eq!(told("elicitation/create", params, answered), expected);
        let page = json!({"mode": "url", "message": "Pay", "url": "https://example.com/"});
        let page = told("elicitation/create", page, json!({"action": "decline"}));
        assert_eq!(
            page[..3],
            ["server asks the user to visit a page", "Pay\nhttps://example.com/", "answered `decline`"]
        );
    }

    #[test]
    fn words_of_a_model_and_roots_are_told() {
        let params = json!({"systemPrompt": "S", "messages": [{"role": "user", "content": {"type": "text", "text": "Q"}},
                            {"role": "user", "content": [{"type": "image", "data": "x"}]}]});
        let answered = json!({"model": "m", "content": {"type": "text", "text": "A"}});
        let told = |method: &str, params, answered| told(method, params, answered);
        let sampled = told("sampling/createMessage", params, answered);
        assert_eq!(sampled[1..], ["system: S\nuser: Q\nuser: [image]", "answered by `m`", "A"]);
        let roots = told("roots/list", Value::Null, json!({"roots": [{"uri": "file:///a", "name": "A"}]}));
        assert_eq!(roots[2..], ["answered", "file:///a (A)"]);
    }

    #[test]
    fn refusals_and_silence_are_told() {
        let refused = told("roots/list", Value::Null, json!({"code": -32601, "message": "Method not found"}));
        assert_eq!(refused[2..], ["refused with the error -32601", "Method not found"]);
        assert_eq!(told("ping", Value::Null, Value::Null)[2], "was not answered");
        let other = told("x/y", json!({"a": 1}), json!({}));
        assert_eq!(other, ["server asks `x/y`", "{\"a\":1}", "answered", ""]);
    }
}
