//! What the model reads of a result or an error, as the client passes it on. Pure.
//!
//! What a client shows natively stands in the text as a short mark, and beside it as it is.

use serde_json::{Value, json};

use super::cut;
use super::left::{self, Left};
use crate::llm::Media;
use crate::mcp::profile::{ErrorForm, MediaForm, Results, StructuredUse, TextForm};

/// What a tool returned.
#[derive(Clone, Copy, Debug)]
pub struct Returned<'a> {
    /// Content blocks.
    pub content: &'a [Value],
    /// Structured content.
    pub structured: Option<&'a Value>,
    /// Flagged as an error by the server.
    pub is_error: bool,
}

/// What the model reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The text.
    pub text: String,
    /// Whether it is flagged as an error.
    pub is_error: bool,
    /// Bytes that the client cut off; `None` when it cut nothing.
    pub cut: Option<u64>,
    /// Images and sounds that the client passes on as such; the text has a mark for each.
    pub media: Vec<Beside>,
    /// What the client does not pass on.
    pub left: Vec<Left>,
}

/// An image or a sound beside the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Where in the result, as a JSON pointer.
    pub place: String,
    /// What the model gets, if its API takes it.
    pub media: Media,
}

/// The call that a text belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// Its id; files that a client would save are named after it.
    pub id: &'a str,
    /// The tool.
    pub tool: &'a str,
}

impl Called<'_> {
    fn file(&self) -> String {
        format!("results/{}.txt", self.id)
    }
}

/// A result as the model reads it.
pub fn shown(returned: Returned<'_>, rules: &Results, called: Called<'_>) -> Shown {
    let whole = body(returned, rules, called);
    let limits = rules.limits.as_deref().unwrap_or_default();
    let left = cut::exceeded(&whole, limits).map(|limit| cut::apply(&whole, limit, &called.file()));
    let is_error = returned.is_error || left.as_ref().is_some_and(|left| left.is_error);
    let cut = left.as_ref().map(|left| left.cut);
    let text = left.map_or(whole, |left| left.text);
    let text = match &rules.text {
        Some(TextForm::Wrapped { before, after }) => format!("{before}{text}{after}"),
        _ => text,
    };
    let (text, is_error) = match rules.tool_error {
        Some(form) if is_error => as_error(form, text, called),
        _ => (text, is_error),
    };
    Shown { text, is_error, cut, media: native(returned, rules), left: left::left(returned, rules) }
}

/// A JSON-RPC error or an HTTP status as the model reads it.
pub fn refused(message: &str, rules: &Results, called: Called<'_>) -> Shown {
    let (text, is_error) = match rules.protocol_error {
        None => (format!("error: {message}"), true),
        Some(form) => as_error(form, message.to_owned(), called),
    };
    Shown { text, is_error, cut: None, media: vec![], left: vec![] }
}

/// What the client gives to the model as an image or a sound.
fn native(returned: Returned<'_>, rules: &Results) -> Vec<Beside> {
    if rules.text == Some(TextForm::WholeJson) {
        return vec![];
    }
    let passed = |block: &Value| match kind(block) {
        "image" => matches!(
            rules.image.unwrap_or(MediaForm::Native),
            MediaForm::Native | MediaForm::NativeAndFile | MediaForm::ImagesOnly
        ),
        "audio" => {
            matches!(rules.audio.unwrap_or(MediaForm::Native), MediaForm::Native | MediaForm::NativeAndFile)
        }
        _ => false,
    };
    let blocks = returned.content.iter().enumerate();
    let media = blocks.filter(|(_, block)| for_model(block, rules) && passed(block));
    media
        .filter_map(|(index, block)| {
            let media =
                Media { mime: field(block, "mimeType")?.to_owned(), data: field(block, "data")?.into() };
            Some(Beside { place: left::place(index), media })
        })
        .collect()
}

fn as_error(form: ErrorForm, text: String, called: Called<'_>) -> (String, bool) {
    match form {
        ErrorForm::Flagged => (text, true),
        ErrorForm::Text => (text, false),
        ErrorForm::Sentence => {
            let sentence = format!("The call of the tool {} failed. It answered: {text}", called.tool);
            (json!({"error": sentence}).to_string(), true)
        }
        ErrorForm::Json => (json!({"error": text}).to_string(), false),
    }
}

/// The text of a result before any cut.
pub fn body(returned: Returned<'_>, rules: &Results, called: Called<'_>) -> String {
    let Returned { content, structured, is_error } = returned;
    if rules.text == Some(TextForm::WholeJson) {
        return whole_json(returned, rules);
    }
    let use_of = rules.structured.unwrap_or(StructuredUse::Fallback);
    let replacing = structured.filter(|_| use_of == StructuredUse::ReplacesText && !is_error);
    let blocks = content.iter().filter(|block| for_model(block, rules));
    let mut parts: Vec<String> = replacing.map(Value::to_string).into_iter().collect();
    parts.extend(blocks.filter_map(|block| match kind(block) {
        "text" if replacing.is_some() => None,
        "text" => Some(field(block, "text").unwrap_or_default().to_owned()),
        "image" => media(block, rules.image.unwrap_or(MediaForm::Native), called),
        "audio" => media(block, rules.audio.unwrap_or(MediaForm::Native), called),
        "resource_link" => link(block, rules.resource_link),
        "resource" => embedded(block, rules.embedded),
        other => Some(format!("[{other}]")),
    }));
    let text = parts.join("\n");
    match structured.filter(|_| use_of == StructuredUse::Fallback && text.is_empty()) {
        Some(value) => value.to_string(),
        None => text,
    }
}

fn whole_json(returned: Returned<'_>, rules: &Results) -> String {
    let mut whole = json!({"content": returned.content});
    if let Some(structured) = returned.structured.filter(|_| rules.structured != Some(StructuredUse::Ignored))
    {
        whole["structuredContent"] = structured.clone();
    }
    if returned.is_error {
        whole["isError"] = Value::Bool(true);
    }
    whole.to_string()
}

/// Whether the client gives a block to the model, or keeps it back because it is annotated for others.
pub(super) fn for_model(block: &Value, rules: &Results) -> bool {
    let audience = block.get("annotations").and_then(|annotations| annotations.get("audience"));
    !rules.audience.unwrap_or(false)
        || audience.and_then(Value::as_array).is_none_or(|list| list.iter().any(|who| who == "assistant"))
}

fn media(block: &Value, form: MediaForm, called: Called<'_>) -> Option<String> {
    let kind = kind(block);
    let bytes = field(block, "data").map_or(0, |data| data.len() / 4 * 3);
    let about = format!("{kind}: {}, {bytes} bytes", field(block, "mimeType").unwrap_or("unknown type"));
    let saved = || format!("saved to results/{}.bin", called.id);
    match form {
        MediaForm::Native | MediaForm::Line | MediaForm::Text => Some(format!("[{about}]")),
        MediaForm::ImagesOnly if kind == "image" => Some(format!("[{about}]")),
        MediaForm::NativeAndFile => Some(format!("[{about}]\n[{kind} {}]", saved())),
        MediaForm::File => Some(format!("[{about}, {}]", saved())),
        MediaForm::Note | MediaForm::ImagesOnly => Some(format!("[{kind} left out]")),
        MediaForm::Json => Some(block.to_string()),
        MediaForm::Dropped => None,
    }
}

fn link(block: &Value, form: Option<MediaForm>) -> Option<String> {
    let uri = field(block, "uri").unwrap_or("unknown");
    match form {
        None => Some(format!("[link: {uri}]")),
        Some(MediaForm::Dropped) => None,
        Some(MediaForm::Json) => Some(block.to_string()),
        Some(MediaForm::Note) => Some("[link left out]".to_owned()),
        Some(_) => {
            let words = [field(block, "name"), Some(uri), field(block, "description")];
            Some(format!("[link: {}]", words.into_iter().flatten().collect::<Vec<_>>().join(", ")))
        }
    }
}

fn embedded(block: &Value, form: Option<MediaForm>) -> Option<String> {
    let resource = block.get("resource").unwrap_or(&Value::Null);
    let uri = field(resource, "uri").unwrap_or("unknown");
    let text = field(resource, "text");
    match form {
        None | Some(MediaForm::Text | MediaForm::Native) => {
            Some(text.map_or_else(|| format!("[resource: {uri}]"), str::to_owned))
        }
        Some(MediaForm::Dropped) => None,
        Some(MediaForm::Json) => Some(block.to_string()),
        Some(MediaForm::Note) => Some("[resource left out]".to_owned()),
        Some(_) => Some(
            text.map_or_else(|| format!("[resource: {uri}]"), |text| format!("[resource: {uri}] {text}")),
        ),
    }
}

pub(super) fn kind(block: &Value) -> &str {
    field(block, "type").unwrap_or("unknown")
}

pub(super) fn field<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLED: Called<'_> = Called { id: "c1", tool: "get" };

    fn rules(value: Value) -> Results {
        serde_json::from_value(value).unwrap()
    }

    fn text(content: &[Value], structured: Option<&Value>, rules: &Results) -> String {
        shown(Returned { content, structured, is_error: false }, rules, CALLED).text
    }

    #[test]
    fn without_rules_everything_is_shown() {
        let none = Results::default();
        let content = [
            json!({"type": "image", "mimeType": "image/png", "data": "AAAA"}),
            json!({"type": "text", "text": "x", "annotations": {"audience": ["user"]}}),
            json!({"type": "resource", "resource": {"uri": "a://b", "text": "inside"}}),
            json!({"type": "resource_link", "uri": "a://c", "name": "c"}),
        ];
        let data = json!({"a": 1});
        assert_eq!(
            text(&content, Some(&data), &none),
            "[image: image/png, 3 bytes]\nx\ninside\n[link: a://c]"
        );
        assert_eq!(text(&[], Some(&data), &none), "{\"a\":1}");
        assert_eq!(refused("no such order", &none, CALLED).text, "error: no such order");
    }

    #[test]
    fn structured_content_is_used_in_four_ways() {
        let content = [json!({"type": "text", "text": "one"})];
        let data = json!({"n": 1});
        let with = |word: &str| text(&content, Some(&data), &rules(json!({"structured": word})));
        assert_eq!(with("fallback"), "one");
        assert_eq!(with("replaces_text"), "{\"n\":1}");
        assert_eq!(with("ignored"), "one");
        let inside = rules(json!({"structured": "inside_json", "text": "whole_json"}));
        let whole = text(&content, Some(&data), &inside);
        assert_eq!(whole, r#"{"content":[{"type":"text","text":"one"}],"structuredContent":{"n":1}}"#);
        assert_eq!(text(&[], Some(&data), &rules(json!({"structured": "ignored"}))), "");
    }

    #[test]
    fn media_take_the_form_that_the_client_gives_them() {
        let image = json!({"type": "image", "mimeType": "image/png", "data": "AAAA"});
        let of = |form: &str| text(std::slice::from_ref(&image), None, &rules(json!({"image": form})));
        assert_eq!(of("native_and_file"), "[image: image/png, 3 bytes]\n[image saved to results/c1.bin]");
        assert_eq!(of("note"), "[image left out]");
        assert_eq!(of("json"), image.to_string());
        assert_eq!(of("dropped"), "");
        let link = json!({"type": "resource_link", "uri": "a://c", "name": "c", "description": "d"});
        let of = |form: &str| text(std::slice::from_ref(&link), None, &rules(json!({"resource_link": form})));
        assert_eq!((of("line").as_str(), of("dropped").as_str()), ("[link: c, a://c, d]", ""));
        let user = json!({"type": "text", "text": "x", "annotations": {"audience": ["user"]}});
        assert_eq!(text(&[user], None, &rules(json!({"audience": true}))), "");
    }

    #[test]
    fn cuts_come_before_the_words_of_the_client() {
        let rules = rules(json!({
            "text": {"wrapped": {"before": "<", "after": ">"}},
            "limits": [{"over": 3, "then": "head"}],
        }));
        let content = [json!({"type": "text", "text": "abcdef"})];
        let shown = shown(Returned { content: &content, structured: None, is_error: false }, &rules, CALLED);
        assert_eq!(shown.text, "<abc\n[cut: 3 of 6 characters shown]>");
        assert_eq!(shown.cut, Some(3));
    }

    #[test]
    fn errors_take_the_form_that_the_client_gives_them() {
        let content = [json!({"type": "text", "text": "no stock"})];
        let returned = Returned { content: &content, structured: None, is_error: true };
        let of = |form: &str| {
            let shown = shown(returned, &rules(json!({"tool_error": form})), CALLED);
            (shown.text, shown.is_error)
        };
        assert_eq!(of("flagged"), ("no stock".to_owned(), true));
        assert_eq!(of("text"), ("no stock".to_owned(), false));
        assert_eq!(of("json"), (r#"{"error":"no stock"}"#.to_owned(), false));
        assert!(of("sentence").0.contains("get failed. It answered: no stock"));
        let plain = refused("gone", &rules(json!({"protocol_error": "text"})), CALLED);
        assert_eq!((plain.text.as_str(), plain.is_error), ("gone", false));
        let too_large = rules(json!({"limits": [{"over": 1, "then": "error"}]}));
        assert!(super::shown(Returned { is_error: false, ..returned }, &too_large, CALLED).is_error);
    }
}
