//! A recorded message as the bytes of an event stream. Pure.

use std::fmt::Write as _;

use bytes::Bytes;

use super::track::Received;

/// How a message stands in what is played of its stream.
#[derive(Clone, Copy)]
pub(super) struct Standing<'a> {
    /// Whether nothing more is played on this stream.
    pub(super) is_last: bool,
    /// Whether the stream was opened for what the server says unasked.
    pub(super) is_open_end: bool,
    /// The id after which the client resumed the stream, if no event that is on the tape has told it.
    pub(super) after: Option<&'a str>,
}

/// A message with the ids of now, and what has to stand beside it.
pub(super) fn event(received: &Received<'_>, text: &str, standing: Standing<'_>) -> Bytes {
    let id = standing.after.map(|id| format!("id: {id}\n\n")).unwrap_or_default();
    let Some(frame) = received.frame else {
        // What came of an event that broke off ends the stream, so the id has to come before it.
        return Bytes::from(match guessed(received, text, standing) {
            Guess::Whole(event) => event + &id,
            Guess::Torn => id + text,
        });
    };
    let mut event = String::new();
    for (name, value) in frame.fields() {
        let _ = writeln!(event, "{name}: {value}");
    }
    Bytes::from(event + &data(text) + &id)
}

fn data(text: &str) -> String {
    text.split('\n').map(|line| format!("data: {line}\n")).collect::<String>() + "\n"
}

enum Guess {
    Whole(String),
    Torn,
}

/// Whether a text that was recorded without fields is the beginning of an event that never ended: the names of fields are
/// still in it, the last one perhaps in part.
pub(super) fn is_torn(text: &str) -> bool {
    let begins = |field: &str| text.starts_with(field) || (field.starts_with(text) && !text.is_empty());
    [":", "data:", "event:", "id:", "retry:"].into_iter().any(begins)
}

/// A message without fields: of a tape of an earlier version, or the beginning of an event that never ended.
fn guessed(received: &Received<'_>, text: &str, standing: Standing<'_>) -> Guess {
    let is_message = text.trim_start().starts_with(['{', '[']);
    let is_first = received.status.is_some();
    match () {
        () if is_torn(text) => Guess::Torn,
        // One that was recorded empty had only an id; at the end of a stream it is none at all.
        () if text.is_empty() && standing.is_last => Guess::Whole(String::new()),
        () if text.is_empty() => Guess::Whole("id:\n\n".to_owned()),
        () if is_message => Guess::Whole(data(text)),
        // The first event of HTTP+SSE says where to send messages to.
        () if is_first && standing.is_open_end => Guess::Whole(format!("event: endpoint\n{}", data(text))),
        () if standing.is_last && !standing.is_open_end => Guess::Torn,
        () => Guess::Whole(data(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::sse::Decoder;
    use crate::transcript::Frame;

    const LAST: Standing<'_> = Standing { is_last: true, is_open_end: false, after: None };

    fn received(frame: Option<&Frame>, status: Option<u16>) -> Received<'_> {
        Received { via: "sse", status, headers: &[], frame, text: String::new() }
    }

    fn played(frame: Option<&Frame>, text: &str, standing: Standing<'_>) -> String {
        String::from_utf8(event(&received(frame, None), text, standing).to_vec()).unwrap()
    }

    #[test]
    fn an_event_is_played_with_its_fields() {
        let frame = Frame { kind: "other".into(), id: Some("e1".into()), retry_ms: Some(5) };
        let bytes = event(&received(Some(&frame), None), "a\nb", LAST);
        let events = Decoder::default().push(&bytes).unwrap();
        assert_eq!((events.len(), events[0].data.as_slice()), (1, b"a\nb".as_slice()));
        assert_eq!(crate::mcp::stream::frame(&events[0]), frame);
        // One that held nothing but an id is one all the same.
        let bytes = event(&received(Some(&frame), None), "", LAST);
        assert_eq!(Decoder::default().push(&bytes).unwrap().len(), 1);
    }

    #[test]
    fn an_id_that_only_the_client_has_told_is_played_last() {
        let standing = Standing { after: Some("e9"), ..LAST };
        let bytes = played(Some(&Frame::default()), "{}", standing);
        let events = Decoder::default().push(bytes.as_bytes()).unwrap();
        assert_eq!(events.iter().map(|event| event.id.as_deref()).collect::<Vec<_>>(), [None, Some("e9")]);
    }

    #[test]
    fn what_was_torn_is_torn_again() {
        let torn = "data: {\"half\": \nda";
        let bytes = played(None, torn, Standing { after: Some("e9"), ..LAST });
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(bytes.as_bytes()).unwrap().len(), 1, "the id");
        assert_eq!(decoder.rest(), torn.as_bytes());
    }

    #[test]
    fn tapes_without_fields_are_played_as_before() {
        assert_eq!(played(None, "", LAST), "");
        assert_eq!(played(None, "", Standing { is_last: false, ..LAST }), "id:\n\n");
        assert_eq!(played(None, "{}", LAST), "data: {}\n\n");
        let own = Standing { is_open_end: true, ..LAST };
        let place = event(&received(None, Some(200)), "/messages", own);
        assert_eq!(place, "event: endpoint\ndata: /messages\n\n");
        // The beginning of an event is none, wherever it came.
        assert_eq!(event(&received(None, Some(200)), "id: o", own), "id: o");
        assert!(["d", "data: {", ": ping"].into_iter().all(is_torn));
        assert!(!["", "/messages", "{}", "http://a/b"].into_iter().any(is_torn));
    }
}
