//! What was sent and what came back, in a line for people. Pure.

use super::reading::labelled;
use crate::display::excerpt;
use crate::transcript::{Body, HttpSide, Transcript};

/// Headers that probes vary.
const TELLING: [&str; 6] = ["authorization", "cookie", "x-access-token", "origin", "host", "mcp-session-id"];

fn tells(name: &str) -> bool {
    TELLING.iter().any(|telling| name.eq_ignore_ascii_case(telling))
}

/// The last of these exchanges: `sent: …; got: …`. `None` where no exchange is among them.
pub fn exchange(transcript: &Transcript, seqs: &[u32]) -> Option<String> {
    let one = labelled(transcript, "").filter(|one| seqs.contains(&one.seq)).last()?;
    let method = one.label.rsplit(": ").next().filter(|name| name.contains('/') || *name == "initialize");
    let mut sent = one.request.start.clone();
    if let Some(method) = method {
        sent.push_str(&format!(" {method}"));
    }
    for (name, value) in one.request.headers.iter().filter(|(name, _)| tells(name)) {
        sent.push_str(&format!(", {name}: {}", excerpt(value, 60)));
    }
    let got = match one.response {
        Ok(side) => came(side),
        Err(why) => format!("no answer ({})", excerpt(why, 80)),
    };
    Some(format!("sent: {}; got: {got}", excerpt(&sent, 200)))
}

fn came(side: &HttpSide) -> String {
    let mut text = side.start.clone();
    if let Some(challenge) = side.header("www-authenticate") {
        text.push_str(&format!(", www-authenticate: {}", excerpt(challenge, 120)));
    }
    match &side.body {
        Body::Text(body) if !body.trim().is_empty() => {
            text.push_str(&format!(
                ", {}",
                excerpt(&body.split_whitespace().collect::<Vec<_>>().join(" "), 100)
            ));
        }
        Body::Text(_) => {}
        Body::Bytes(bytes) => text.push_str(&format!(", {} bytes that are no text", bytes.len())),
    }
    text
}
