//! Images and sounds of tool results, and which of them an API has a form for. Pure.

use std::sync::Arc;

use serde::Serialize;

/// An image or a sound of a tool's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Media {
    /// The media type, e.g. `image/png`, as the server named it.
    pub mime: String,
    /// The bytes in base64, as the server sent them.
    pub data: Arc<str>,
}

impl Media {
    /// The media type without parameters, under the one of its names that is registered.
    fn kind(&self) -> String {
        let kind = self.mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let known = ALIASES.iter().find(|(alias, _)| *alias == kind);
        known.map_or(kind, |(_, name)| (*name).to_owned())
    }
}

/// Names that servers use for registered media types.
const ALIASES: &[(&str, &str)] = &[
    ("image/jpg", "image/jpeg"),
    ("audio/mp3", "audio/mpeg"),
    ("audio/x-wav", "audio/wav"),
    ("audio/wave", "audio/wav"),
    ("audio/vnd.wave", "audio/wav"),
    ("audio/x-aiff", "audio/aiff"),
    ("audio/x-flac", "audio/flac"),
];

/// What an API takes of tool results beside text.
pub(super) struct Takes {
    /// The API, as a sentence begins with it or goes on.
    api: &'static str,
    /// Registered media types, each with the API's own word for it.
    kinds: &'static [(&'static str, &'static str)],
}

impl Takes {
    /// The API's word for what it takes; `None` for what it has no form for.
    pub(super) fn form(&self, media: &Media) -> Option<&'static str> {
        let kind = media.kind();
        self.kinds.iter().find(|(known, _)| *known == kind).map(|(_, word)| *word)
    }

    /// Why the model does not get it; `None`: it does.
    pub(super) fn refusal(&self, media: &Media) -> Option<String> {
        self.form(media).is_none().then(|| format!("left out: {} takes no {}", self.api, media.mime))
    }
}

/// What the model is told in the place of media that its API has no form for.
pub(super) fn untold(media: &Media) -> String {
    format!("[{} of the result: not shown]", media.mime)
}

/// What models that read text say of all media.
pub(super) fn text_only(media: &Media) -> String {
    format!("left out: the model reads text only, and no {}", media.mime)
}

/// Chat completions: the API's guides name four types of images and two of sounds.
pub(super) static CHAT: Takes = Takes {
    api: "the chat completions API",
    kinds: &[
        ("image/png", "image/png"),
        ("image/jpeg", "image/jpeg"),
        ("image/gif", "image/gif"),
        ("image/webp", "image/webp"),
        ("audio/wav", "wav"),
        ("audio/mpeg", "mp3"),
    ],
};

/// The Responses API: the same images; the output of a function has no form for sounds.
pub(super) static RESPONSES: Takes = Takes { api: "the Responses API", kinds: IMAGES };

/// The Messages API.
pub(super) static MESSAGES: Takes = Takes { api: "Anthropic's API", kinds: IMAGES };

const IMAGES: &[(&str, &str)] = &[
    ("image/png", "image/png"),
    ("image/jpeg", "image/jpeg"),
    ("image/gif", "image/gif"),
    ("image/webp", "image/webp"),
];

/// Gemini's `generateContent`, beside the result.
pub(super) static GEMINI: Takes = Takes {
    api: "Gemini's API",
    kinds: &[
        ("image/png", "image/png"),
        ("image/jpeg", "image/jpeg"),
        ("image/webp", "image/webp"),
        ("image/heic", "image/heic"),
        ("image/heif", "image/heif"),
        ("audio/wav", "audio/wav"),
        ("audio/mpeg", "audio/mp3"),
        ("audio/aiff", "audio/aiff"),
        ("audio/aac", "audio/aac"),
        ("audio/ogg", "audio/ogg"),
        ("audio/flac", "audio/flac"),
    ],
};

/// The same, inside a result, where Gemini 3 takes images.
pub(super) static GEMINI_INSIDE: Takes = Takes {
    api: "Gemini's API",
    kinds: &[("image/png", "image/png"), ("image/jpeg", "image/jpeg"), ("image/webp", "image/webp")],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn media(mime: &str) -> Media {
        Media { mime: mime.into(), data: "QQ==".into() }
    }

    #[test]
    fn every_api_takes_something_and_leaves_something_out() {
        // As servers name it, and what chat completions, Responses, Messages and Gemini make of it.
        let table = [
            ("image/png", [Some("image/png"); 4]),
            ("IMAGE/JPG; q=1", [Some("image/jpeg"); 4]),
            ("image/gif", [Some("image/gif"), Some("image/gif"), Some("image/gif"), None]),
            ("image/svg+xml", [None; 4]),
            ("audio/x-wav", [Some("wav"), None, None, Some("audio/wav")]),
            ("audio/mpeg", [Some("mp3"), None, None, Some("audio/mp3")]),
            ("audio/ogg", [None, None, None, Some("audio/ogg")]),
            ("video/mp4", [None; 4]),
        ];
        for (mime, forms) in table {
            let found = [&CHAT, &RESPONSES, &MESSAGES, &GEMINI].map(|takes| takes.form(&media(mime)));
            assert_eq!(found, forms, "{mime}");
        }
    }

    #[test]
    fn a_refusal_names_the_api_and_the_type() {
        assert_eq!(MESSAGES.refusal(&media("image/png")), None);
        let why = MESSAGES.refusal(&media("audio/wav")).unwrap();
        assert_eq!(why, "left out: Anthropic's API takes no audio/wav");
        assert_eq!(untold(&media("audio/ogg")), "[audio/ogg of the result: not shown]");
    }
}
