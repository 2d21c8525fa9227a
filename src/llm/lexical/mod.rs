//! The `lexical` dialect: a real model that knows no meanings, only words.
//!
//! It ranks the offered tools by BM25 of the user's newest words over tool names, titles, descriptions and parameter
//! names, fills arguments from the text by type, pattern and neighbouring words, calls the best tool, and answers with
//! what came back. It is deterministic, costs nothing and knows nothing of any particular server.
//!
//! Where the client hides tools behind one that loads them, and the names alone do not lead to one that is offered, it
//! searches once with the telling words of the message and chooses among what was found.
//!
//! It is a baseline, not a substitute for a language model. What it finds, the words of the tools alone give away; a
//! tool it misses is worth better words. Its limits: no synonyms and no world knowledge, English function words only,
//! one tool call per user message, no planning, no arithmetic, and free text is quoted, never composed.

mod answer;
mod arguments;
mod bm25;
mod choose;
mod memory;
mod model;
mod prompt;
mod schema;
mod tokenise;
mod values;

pub(super) use model::DIALECT;
pub use tokenise::terms;

/// The stem of one word.
pub fn stem_of(word: &str) -> String {
    tokenise::stem(word)
}

/// The words of a name in lower case: `getOrder` and `get-order` are two each.
pub fn words_of(name: &str) -> Vec<String> {
    tokenise::words(name).into_iter().map(|word| word.text.to_lowercase()).collect()
}

/// A part of an input schema with local references followed, as the first alternative that is not `null`.
pub fn resolved<'a>(schema: &'a serde_json::Value, root: &'a serde_json::Value) -> &'a serde_json::Value {
    schema::resolve(schema, root, 8)
}
