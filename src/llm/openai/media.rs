//! Images and sounds of tool results in the forms of OpenAI's APIs.

use serde_json::{Value, json};

use crate::llm::Media;

/// As a `data:` URL.
pub(super) fn data_url(media: &Media) -> String {
    format!("data:{};base64,{}", media.mime, media.data)
}

/// A part of a message of chat completions; `None` for what the API has no part for.
pub(super) fn chat_part(media: &Media) -> Option<Value> {
    if media.is_image() {
        return Some(json!({"type": "image_url", "image_url": {"url": data_url(media)}}));
    }
    let format = match media.mime.as_str() {
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        "audio/mpeg" | "audio/mp3" => "mp3",
        _ => return None,
    };
    Some(json!({"type": "input_audio", "input_audio": {"data": &*media.data, "format": format}}))
}

/// What a model is told of media that its API has no form for.
pub(super) fn untold(media: &Media) -> String {
    format!("[{} of the result: not shown]", media.mime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_two_sorts_of_sound_have_a_form() {
        let media = |mime: &str| Media { mime: mime.into(), data: "QQ==".into() };
        assert_eq!(
            chat_part(&media("image/png")).unwrap(),
            json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}})
        );
        assert_eq!(chat_part(&media("audio/mpeg")).unwrap()["input_audio"]["format"], "mp3");
        assert_eq!(chat_part(&media("audio/ogg")), None);
        assert_eq!(untold(&media("audio/ogg")), "[audio/ogg of the result: not shown]");
    }
}
