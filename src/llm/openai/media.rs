//! Images and sounds of tool results in the forms of OpenAI's APIs.

use serde_json::{Value, json};

use crate::llm::Media;
use crate::llm::media::{CHAT, RESPONSES, untold};

fn data_url(kind: &str, media: &Media) -> String {
    format!("data:{kind};base64,{}", media.data)
}

/// A part of a message of chat completions. What the API has no part for is named in its place.
pub(super) fn chat_part(media: &Media) -> Value {
    match CHAT.form(media) {
        Some(kind) if kind.starts_with("image/") => {
            json!({"type": "image_url", "image_url": {"url": data_url(kind, media)}})
        }
        Some(format) => {
            json!({"type": "input_audio", "input_audio": {"data": &*media.data, "format": format}})
        }
        None => json!({"type": "text", "text": untold(media)}),
    }
}

/// A part of a function's output in the Responses API, in the same way.
pub(super) fn output_part(media: &Media) -> Value {
    match RESPONSES.form(media) {
        Some(kind) => json!({"type": "input_image", "image_url": data_url(kind, media)}),
        None => json!({"type": "input_text", "text": untold(media)}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(mime: &str) -> Media {
        Media { mime: mime.into(), data: "QQ==".into() }
    }

    #[test]
    fn images_and_two_sorts_of_sound_have_a_form_in_chat_completions() {
        assert_eq!(
            chat_part(&media("image/png")),
            json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}})
        );
        assert_eq!(chat_part(&media("audio/mpeg"))["input_audio"]["format"], "mp3");
        for lost in ["audio/ogg", "image/svg+xml"] {
            let told = format!("[{lost} of the result: not shown]");
            assert_eq!(chat_part(&media(lost)), json!({"type": "text", "text": told}));
        }
    }

    #[test]
    fn images_alone_have_a_form_in_responses() {
        assert_eq!(
            output_part(&media("image/jpg")),
            json!({"type": "input_image", "image_url": "data:image/jpeg;base64,QQ=="})
        );
        for lost in ["audio/wav", "image/svg+xml"] {
            let told = format!("[{lost} of the result: not shown]");
            assert_eq!(output_part(&media(lost)), json!({"type": "input_text", "text": told}));
        }
    }
}
