//! What of a result the client does not pass on to the model, or as no more than a mark. Pure.

use serde_json::Value;

use super::result::{Returned, field, for_model, kind};
use crate::mcp::profile::{MediaForm, Results, TextForm};

/// Something of a result that the model does not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Where in the result, as a JSON pointer.
    pub place: String,
    /// What became of it.
    pub what: String,
}

/// The place of a content block.
pub(super) fn place(index: usize) -> String {
    format!("/result/content/{index}")
}

/// What these rules leave of a result. Blocks that are annotated for others than the model are none of its.
pub(super) fn left(returned: Returned<'_>, rules: &Results) -> Vec<Left> {
    if rules.text == Some(TextForm::WholeJson) {
        return vec![];
    }
    let blocks = returned.content.iter().enumerate().filter(|(_, block)| for_model(block, rules));
    let told = blocks.filter_map(|(index, block)| {
        let what = match kind(block) {
            "text" => None,
            "image" => media(block, rules.image),
            "audio" => media(block, rules.audio),
            "resource" => resource(block, rules.embedded),
            "resource_link" => {
                hidden(rules.resource_link).then(|| "left out: the client passes no links on".to_owned())
            }
            _ => Some("shown as its type alone: MCP knows no such content".to_owned()),
        }?;
        Some(Left { place: place(index), what })
    });
    told.collect()
}

fn hidden(form: Option<MediaForm>) -> bool {
    matches!(form, Some(MediaForm::Dropped | MediaForm::Note))
}

fn media(block: &Value, form: Option<MediaForm>) -> Option<String> {
    let kind = kind(block);
    let passed = match form.unwrap_or(MediaForm::Native) {
        MediaForm::Json => return None,
        MediaForm::ImagesOnly if kind == "image" => true,
        MediaForm::Native | MediaForm::NativeAndFile => true,
        MediaForm::Line | MediaForm::Text | MediaForm::File => {
            return Some(format!("shown as a line of text: the client passes no {kind} on"));
        }
        MediaForm::Note | MediaForm::Dropped | MediaForm::ImagesOnly => false,
    };
    let missing = ["mimeType", "data"].iter().find(|name| field(block, name).is_none());
    match (passed, missing) {
        (false, _) => Some(format!("left out: the client passes no {kind} on")),
        (true, Some(name)) => Some(format!("shown as a line of text: the {kind} has no `{name}`")),
        (true, None) => None,
    }
}

fn resource(block: &Value, form: Option<MediaForm>) -> Option<String> {
    let has_text = block.get("resource").is_some_and(|resource| field(resource, "text").is_some());
    match form {
        Some(MediaForm::Json) => None,
        _ if hidden(form) => Some("left out: the client passes no resources on".to_owned()),
        _ if has_text => None,
        _ => Some(
            "shown as its address alone: the client passes on the text of resources, not their bytes"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(blocks: &[Value], rules: Value) -> Vec<String> {
        let rules: Results = serde_json::from_value(rules).unwrap();
        let returned = Returned { content: blocks, structured: None, is_error: false };
        left(returned, &rules).into_iter().map(|left| format!("{} {}", left.place, left.what)).collect()
    }

    fn blocks() -> Vec<Value> {
        vec![
            json!({"type": "text", "text": "x"}),
            json!({"type": "image", "mimeType": "image/png", "data": "AAAA"}),
            json!({"type": "audio", "mimeType": "audio/wav", "data": "AAAA"}),
            json!({"type": "resource", "resource": {"uri": "a://b", "text": "inside"}}),
            json!({"type": "resource_link", "uri": "a://c", "name": "c"}),
        ]
    }

    #[test]
    fn what_the_client_passes_on_is_no_loss() {
        assert_eq!(of(&blocks(), json!({})), Vec::<String>::new());
        let json = json!({"image": "json", "audio": "json", "embedded": "json", "resource_link": "json"});
        assert_eq!(of(&blocks(), json), Vec::<String>::new());
        assert_eq!(of(&blocks(), json!({"text": "whole_json", "image": "dropped"})), Vec::<String>::new());
    }

    #[test]
    fn what_it_leaves_out_is_one_each() {
        let rules =
            json!({"image": "line", "audio": "images_only", "embedded": "note", "resource_link": "dropped"});
        insta::assert_snapshot!(of(&blocks(), rules).join("\n"), @r"
        /result/content/1 shown as a line of text: the client passes no image on
        /result/content/2 left out: the client passes no audio on
        /result/content/3 left out: the client passes no resources on
        /result/content/4 left out: the client passes no links on
        ");
    }

    #[test]
    fn what_has_no_form_is_one_whatever_the_client_does() {
        let odd = [
            json!({"type": "image", "data": "AAAA"}),
            json!({"type": "resource", "resource": {"uri": "a://b", "mimeType": "image/png", "blob": "AAAA"}}),
            json!({"type": "video"}),
            json!({"type": "image", "annotations": {"audience": ["user"]}}),
        ];
        insta::assert_snapshot!(of(&odd, json!({"audience": true})).join("\n"), @r"
        /result/content/0 shown as a line of text: the image has no `mimeType`
        /result/content/1 shown as its address alone: the client passes on the text of resources, not their bytes
        /result/content/2 shown as its type alone: MCP knows no such content
        ");
    }
}
