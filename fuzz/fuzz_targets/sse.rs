//! Event streams: the borders of chunks change nothing, and nothing is kept of what was delivered.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../src/net/sse.rs"]
mod sse;

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<sse::SseEvent>, Vec<u8>) {
    let mut decoder = sse::Decoder::default();
    let events = chunks.into_iter().flat_map(|chunk| decoder.push(chunk).expect("inputs are small")).collect();
    (events, decoder.rest())
}

fuzz_target!(|input: (u16, Vec<u8>)| {
    let (cut, bytes) = input;
    let cut = usize::from(cut).min(bytes.len());
    let whole = decode([bytes.as_slice()]);
    assert_eq!(whole, decode([&bytes[..cut], &bytes[cut..]]));
    assert_eq!(whole, decode(bytes.chunks(1)));
    let data: usize = whole.0.iter().map(|event| event.data.len() + event.kind.len()).sum();
    assert!(data <= bytes.len() * 3, "more came out than went in");
    // What is unfinished is finished by an empty line.
    let mut decoder = sse::Decoder::default();
    let _ = decoder.push(&bytes);
    let _ = decoder.push(b"\n\n");
    assert!(decoder.rest().is_empty());
});
