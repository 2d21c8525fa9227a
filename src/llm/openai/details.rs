//! The `reasoning_details` of OpenRouter: pieces of a stream become the blocks that are given back.
//!
//! A block comes in as many pieces as its text has, its signature in the last one. Providers check a signature against
//! the whole text, so blocks go back whole, or not at all.

use serde_json::{Map, Value};

/// Most bytes of all blocks of one answer. Of an answer with more, none is given back.
const MOST: usize = 1024 * 1024;
/// What a block takes besides its text.
const BLOCK: usize = 64;
/// Fields that come in pieces; of all others the last word counts.
const JOINED: [&str; 3] = ["text", "summary", "data"];

/// The blocks of one answer so far.
#[derive(Debug, Default)]
pub(super) struct Details {
    blocks: Vec<Value>,
    bytes: usize,
}

impl Details {
    /// Adds blocks of a whole answer, as they came.
    pub(super) fn add_whole(&mut self, blocks: Vec<Value>) {
        for block in blocks {
            self.push(block);
        }
    }

    /// Adds what came with one piece of a stream.
    pub(super) fn add_pieces(&mut self, pieces: Vec<Value>) {
        for piece in pieces {
            match self.blocks.last_mut().and_then(|last| join(last, &piece)) {
                Some(grown) => self.count(grown),
                None => self.push(piece),
            }
        }
    }

    /// The blocks, if there are any, and no more than can be carried.
    pub(super) fn take(&mut self) -> Option<Value> {
        let blocks = std::mem::take(&mut self.blocks);
        (!blocks.is_empty()).then_some(Value::Array(blocks))
    }

    fn push(&mut self, block: Value) {
        self.blocks.push(block);
        self.count(BLOCK + self.blocks.last().map_or(0, size));
    }

    /// What is too much stays too much, and is not kept.
    fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MOST {
            self.blocks.clear();
        }
    }
}

/// Adds a piece to its block; says how many bytes it brought. `None`: it begins another block.
fn join(block: &mut Value, piece: &Value) -> Option<usize> {
    let (block, piece) = (block.as_object_mut()?, piece.as_object()?);
    if !continues(block, piece) {
        return None;
    }
    let mut grown = 0;
    for (key, value) in piece.iter().filter(|(_, value)| !is_nothing(value)) {
        match (block.get_mut(key), value) {
            (Some(Value::String(whole)), Value::String(more)) if JOINED.contains(&key.as_str()) => {
                whole.push_str(more);
                grown += more.len();
            }
            (Some(known), later) if known == later => {}
            _ => {
                block.insert(key.clone(), value.clone());
                grown += size(value);
            }
        }
    }
    Some(grown)
}

/// Whether a piece belongs to the block before it. Streams number blocks of all kinds 0 at times, so that kind, id and
/// signature tell, too: a signature ends a text, and what has an id of its own is something else.
fn continues(block: &Map<String, Value>, piece: &Map<String, Value>) -> bool {
    let same =
        |key: &str| block.get(key).is_some_and(|known| !known.is_null() && piece.get(key) == Some(known));
    let differ = |key: &str| match (block.get(key), piece.get(key)) {
        (Some(known), Some(later)) => !is_nothing(known) && !is_nothing(later) && known != later,
        _ => false,
    };
    let has = |of: &Map<String, Value>, key: &str| of.get(key).is_some_and(|value| !is_nothing(value));
    let over = has(block, "signature") && has(piece, "text") && !same("signature");
    same("type") && same("index") && !differ("id") && !over
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

fn size(value: &Value) -> usize {
    value.to_string().len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn joined(pieces: &[Value]) -> Value {
        let mut details = Details::default();
        pieces.iter().for_each(|piece| details.add_pieces(vec![piece.clone()]));
        details.take().unwrap_or_default()
    }

    fn text(index: u32, text: &str) -> Value {
        json!({"type": "reasoning.text", "text": text, "format": "anthropic-claude-v1", "index": index})
    }

    fn signature(index: u32, signature: &str) -> Value {
        json!({"type": "reasoning.text", "signature": signature, "format": "anthropic-claude-v1", "index": index})
    }

    #[test]
    fn the_pieces_of_a_block_become_one_with_the_signature_of_the_last() {
        let mut pieces: Vec<Value> = (0..5_000).map(|_| text(0, "ab")).collect();
        pieces.push(json!({"type": "reasoning.text", "text": null, "signature": "EqQB", "index": 0}));
        pieces.push(json!({"type": "reasoning.text", "text": "", "signature": null, "id": "r1", "index": 0}));
        let block = json!([{"type": "reasoning.text", "text": "ab".repeat(5_000), "format": "anthropic-claude-v1",
            "index": 0, "signature": "EqQB", "id": "r1"}]);
        assert_eq!(joined(&pieces), block);
    }

    #[test]
    fn blocks_of_another_kind_number_or_id_and_blocks_after_a_signature_stay_apart() {
        let data =
            |id: &str, data: &str| json!({"type": "reasoning.encrypted", "data": data, "id": id, "index": 0});
        let summary = |text: &str| json!({"type": "reasoning.summary", "summary": text, "index": 0});
        let blocks = joined(&[
            text(0, "a"),
            text(1, "b"),
            signature(1, "s"),
            text(1, "c"),
            summary("d"),
            summary("e"),
            data("x", "1"),
            data("y", "2"),
            data("y", "3"),
        ]);
        let parts = |block: &Value| {
            JOINED.iter().find_map(|key| block[*key].as_str().map(str::to_owned)).unwrap_or_default()
        };
        let parts: Vec<String> = blocks.as_array().unwrap().iter().map(parts).collect();
        assert_eq!(parts, ["a", "b", "c", "de", "1", "23"]);
        assert_eq!((&blocks[1]["signature"], &blocks[2]["signature"]), (&json!("s"), &Value::Null));
    }

    #[test]
    fn what_has_no_index_and_what_is_whole_stays_as_it_came() {
        let plain = json!({"type": "reasoning.text", "text": "a"});
        assert_eq!(joined(&[plain.clone(), plain.clone(), json!(7)]), json!([plain, plain, 7]));
        let mut details = Details::default();
        details.add_whole(vec![text(0, "a"), text(0, "b")]);
        assert_eq!(details.take(), Some(json!([text(0, "a"), text(0, "b")])));
        assert_eq!(details.take(), None);
    }

    #[test]
    fn more_than_can_be_carried_is_not_carried_in_part() {
        let long = "x".repeat(1024);
        let pieces = |count: usize| vec![text(0, &long); count];
        assert!(joined(&pieces(1_000)).is_array());
        let mut more = pieces(1_100);
        more.push(signature(0, "s"));
        assert_eq!(joined(&more), Value::Null);
        assert_eq!(joined(&vec![json!({}); MOST / BLOCK]), Value::Null);
    }
}
