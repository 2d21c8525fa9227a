//! Event streams: bytes become events, as the HTML standard's section "Server-sent events" says.
//!
//! The decoder is fed chunks as they come and keeps at most one unfinished event, up to [`EVENT_CAP`].

/// Largest event in bytes: 8 MiB. A larger one ends the stream with an error.
pub const EVENT_CAP: usize = 8 * 1024 * 1024;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The event's type; empty for plain messages.
    pub kind: String,
    /// Its data as it came, lines joined by line feeds. Empty for events that only carry an id or a delay.
    pub data: Vec<u8>,
    /// The id to resume after, if it set one.
    pub id: Option<String>,
    /// The delay before reconnecting that the server asks for, in milliseconds.
    pub retry_ms: Option<u64>,
}

/// An event was larger than [`EVENT_CAP`].
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Turns chunks into events.
#[derive(Default)]
pub struct Decoder {
    /// The unfinished line.
    line: Vec<u8>,
    event: SseEvent,
    /// Whether the event has any field, and whether it has data (which may be empty).
    begun: bool,
    has_data: bool,
    /// The last chunk ended with a carriage return, so a line feed that follows belongs to it.
    after_return: bool,
    /// Whether the byte order mark has been dealt with.
    started: bool,
}

impl Decoder {
    /// Takes a chunk and returns the events it completes.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<SseEvent>, TooLarge> {
        let mut events = Vec::new();
        let mut rest = chunk;
        if self.after_return {
            self.after_return = rest.is_empty();
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (head, tail) = rest.split_at(end);
            self.append(head)?;
            let is_return = tail[0] == b'\r';
            rest = &tail[1..];
            if is_return {
                self.after_return = rest.is_empty();
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
            let line = std::mem::take(&mut self.line);
            events.extend(self.finish_line(&line));
        }
        self.append(rest)?;
        Ok(events)
    }

    /// What came of an event that is not finished, line by line; other fields than data are left out.
    pub fn rest(&self) -> Vec<u8> {
        let mut rest = Vec::new();
        if self.has_data {
            for line in self.event.data.split(|byte| *byte == b'\n') {
                rest.extend_from_slice(&[b"data: ", line, b"\n"].concat());
            }
        }
        rest.extend_from_slice(&self.line);
        rest
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        let event = &self.event;
        let fields = event.data.len() + event.kind.len() + event.id.as_ref().map_or(0, String::len);
        if self.line.len() + fields + bytes.len() > EVENT_CAP {
            return Err(TooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn finish_line(&mut self, line: &[u8]) -> Option<SseEvent> {
        let line = if self.started { line } else { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) };
        self.started = true;
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            self.has_data = false;
            return std::mem::take(&mut self.begun).then_some(event);
        }
        if line[0] == b':' {
            return None;
        }
        let split = line.iter().position(|byte| *byte == b':');
        let (field, value) = split.map_or((line, &[][..]), |at| (&line[..at], &line[at + 1..]));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let text = || String::from_utf8_lossy(value).into_owned();
        match field {
            b"event" => self.event.kind = text(),
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push(b'\n');
                }
                self.event.data.extend_from_slice(value);
            }
            b"id" if !value.contains(&0) => self.event.id = Some(text()),
            b"retry" if value.iter().all(u8::is_ascii_digit) => self.event.retry_ms = text().parse().ok(),
            _ => return None,
        }
        self.begun = true;
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(chunks: &[&[u8]]) -> Vec<SseEvent> {
        let mut decoder = Decoder::default();
        chunks.iter().flat_map(|chunk| decoder.push(chunk).unwrap()).collect()
    }

    #[test]
    fn fields_comments_and_line_ends() {
        let events = decode(&[
            b"\xef\xbb\xbfid: 1\r\nretry: 250\r\ndata:\r\n\r\n: ping\n\nevent:message\rdata: a\rdata:  b\r\r",
            b"\ndata: {}\n\n",
        ]);
        assert_eq!(
            events,
            [
                SseEvent { id: Some("1".into()), retry_ms: Some(250), ..SseEvent::default() },
                SseEvent { kind: "message".into(), data: b"a\n b".to_vec(), ..SseEvent::default() },
                SseEvent { data: b"{}".to_vec(), ..SseEvent::default() },
            ]
        );
    }

    #[test]
    fn an_unfinished_event_is_kept_but_not_delivered() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(b"id: 1\ndata: a\ndata: b\nda").unwrap(), []);
        assert_eq!(decoder.rest(), b"data: a\ndata: b\nda");
        assert_eq!(decoder.push(b"ta: c\n\n").unwrap()[0].data, b"a\nb\nc");
        assert_eq!(decoder.rest(), b"");
    }

    #[test]
    fn delays_are_whole_numbers_and_data_is_kept_as_it_came() {
        let events = decode(&[b"retry: +5\nretry: 1.5\ndata: \xff\xfe\n\n"]);
        assert_eq!(events, [SseEvent { data: vec![0xff, 0xfe], ..SseEvent::default() }]);
    }

    #[test]
    fn a_flood_without_an_end_is_cut() {
        let chunk = vec![b'x'; 1 << 20];
        let mut decoder = Decoder::default();
        let taken = (0..20).take_while(|_| decoder.push(&chunk).is_ok()).count();
        assert_eq!(taken, EVENT_CAP >> 20);
        let mut decoder = Decoder::default();
        let line = [b"data: ".as_slice(), &chunk, b"\n"].concat();
        assert!((0..20).any(|_| decoder.push(&line).is_err()));
    }

    proptest! {
        #[test]
        fn chunk_borders_do_not_matter(text in "(data: [a-zé]{0,5}(\r\n|\n|\r)|id: [0-9](\r\n|\n|\r)|:c\n|\n|\r\n){0,20}", cut in 0usize..200) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(decode(&[bytes]), decode(&[&bytes[..cut], &bytes[cut..]]));
            prop_assert_eq!(decode(&[bytes]), decode(&single));
        }
    }
}
