//! The bytes that came back for a raw request become an answer, or the reason why they are none. Pure.

use super::KEPT;
use super::sending::has_answer;
use crate::transcript::{Body, HttpSide};

/// How many headers an answer may have.
const HEADERS: usize = 128;

/// What the bytes so far are.
#[derive(Debug, PartialEq)]
pub(super) enum Reading {
    /// More has to come.
    Unfinished,
    /// An answer; its body as far as it is kept.
    Whole(HttpSide),
    /// No answer in HTTP/1.1: why, with how it begins.
    Unreadable(String),
}

/// Reads what came so far; `ended` says that nothing more will.
pub(super) fn read(bytes: &[u8], ended: bool) -> Reading {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) if bytes.is_empty() && ended => {
            return Reading::Unreadable("the connection was closed without an answer".to_owned());
        }
        Ok(httparse::Status::Partial) if !ended && bytes.len() < KEPT => return Reading::Unfinished,
        Ok(httparse::Status::Partial) => return unreadable("its head does not end", bytes),
        Err(error) => return unreadable(&error.to_string(), bytes),
    };
    let status = response.code.unwrap_or_default();
    // Interim answers come before the one that counts (RFC 9110 section 15.2).
    if (100..200).contains(&status) {
        return read(&bytes[head..], ended);
    }
    let headers: Vec<(String, String)> = response
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let mut side = HttpSide { start: status.to_string(), headers, body: Body::Text(String::new()) };
    let (body, whole) = match matches!(status, 204 | 304) {
        true => (vec![], true),
        false => match framed(&side, &bytes[head..]) {
            Ok(framed) => framed,
            Err(why) => return unreadable(why, bytes),
        },
    };
    let stream = side.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    let enough = body.len() >= KEPT || stream && has_answer(&body);
    if !(whole || enough || ended) {
        return Reading::Unfinished;
    }
    side.body = Body::from_bytes(&body[..body.len().min(KEPT)]);
    Reading::Whole(side)
}

/// The body so far, and whether that is all of it (RFC 9112 section 6.3). One without a length goes on until the end.
fn framed(side: &HttpSide, rest: &[u8]) -> Result<(Vec<u8>, bool), &'static str> {
    if side.header("transfer-encoding").is_some_and(|coding| coding.to_ascii_lowercase().ends_with("chunked"))
    {
        return unchunked(rest);
    }
    let Some(length) = side.header("content-length") else { return Ok((rest.to_vec(), false)) };
    let length: usize = length.trim().parse().map_err(|_| "its length is no number")?;
    Ok((rest[..rest.len().min(length)].to_vec(), rest.len() >= length))
}

fn unchunked(mut rest: &[u8]) -> Result<(Vec<u8>, bool), &'static str> {
    let mut body = Vec::new();
    loop {
        match httparse::parse_chunk_size(rest) {
            Err(_) => return Err("a chunk has no length"),
            Ok(httparse::Status::Partial) => return Ok((body, false)),
            Ok(httparse::Status::Complete((_, 0))) => return Ok((body, true)),
            Ok(httparse::Status::Complete((start, length))) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let data = &rest[start..];
                if data.len() < length.saturating_add(2) {
                    body.extend_from_slice(&data[..data.len().min(length)]);
                    return Ok((body, false));
                }
                body.extend_from_slice(&data[..length]);
                rest = &data[length + 2..];
            }
        }
    }
}

fn unreadable(why: &str, bytes: &[u8]) -> Reading {
    let begin = bytes[..bytes.len().min(120)].escape_ascii();
    Reading::Unreadable(format!("the answer is not HTTP/1.1 ({why}); it begins `{begin}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str, ended: bool) -> (String, String) {
        match read(text.as_bytes(), ended) {
            Reading::Whole(side) => (side.start, side.body.to_text().into_owned()),
            other => panic!("{text:?}: {other:?}"),
        }
    }

    fn pair(status: &str, body: &str) -> (String, String) {
        (status.to_owned(), body.to_owned())
    }

    #[test]
    fn answers_end_where_they_say() {
        let sized = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno more";
        assert_eq!(whole(sized, false), pair("401", "no"));
        let chunks =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        assert_eq!(whole(chunks, false), pair("200", "abcde"));
        assert_eq!(whole("HTTP/1.0 400 x\r\n\r\nall of it", true), pair("400", "all of it"));
        assert_eq!(whole("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\n\r\n", false), pair("204", ""));
        let stream = "HTTP/1.1 200 x\r\ncontent-type: text/event-stream\r\n\r\ndata: {\"result\":{}}\n\n";
        assert_eq!(whole(stream, false).0, "200", "a stream may stay open behind its answer");
    }

    #[test]
    fn what_is_not_there_yet_is_waited_for_and_what_broke_off_is_kept() {
        let sized = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
        assert_eq!(read(sized.as_bytes(), false), Reading::Unfinished);
        assert_eq!(whole(sized, true), pair("200", "half"));
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf";
        assert_eq!(read(chunks.as_bytes(), false), Reading::Unfinished);
        assert_eq!(whole(chunks, true), pair("200", "half"));
        assert_eq!(read(b"HTTP/1.1 200", false), Reading::Unfinished);
    }

    #[test]
    fn what_is_no_answer_is_named_and_shown_inert() {
        let why = |bytes: &[u8]| match read(bytes, true) {
            Reading::Unreadable(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(b""), "the connection was closed without an answer");
        assert_eq!(
            why(b"SSH-2.0-x\x1b\r\n"),
            "the answer is not HTTP/1.1 (invalid HTTP version); it begins `SSH-2.0-x\\x1b\\r\\n`"
        );
        assert!(why(b"HTTP/1.1 200 OK\r\nA: b").contains("its head does not end"));
        let odd = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
        assert!(why(odd).contains("a chunk has no length"));
    }

    #[test]
    fn no_more_is_kept_than_the_cap() {
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "a".repeat(KEPT + 10));
        assert_eq!(whole(&long, false).1.len(), KEPT);
        let huge = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nab";
        assert_eq!(whole(huge, true), pair("200", "ab"));
    }
}
