//! The judge: what it is told, how its reply is read, what a hostile transcript cannot do, and how several decide.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

mod canary;
mod confidence;
mod decide;
mod doubles;
mod frame;
mod pairwise;
mod replies;
#[path = "../support/transcripts.rs"]
mod transcripts;

use rehearsal::transcript::Transcript;
use serde_json::json;
use transcripts::Script;

fn late_order() -> Transcript {
    Script::default()
        .lists(&["get_order"])
        .probes("reset", json!({"harness": "only"}))
        .returns(json!("HARNESS RESULT"))
        .user("My order 1042 has not come. When will it arrive?")
        .calls("get_order", json!({"id": 1042}))
        .returns(json!({"id": 1042, "arrives": "2026-11-28"}))
        .says("It arrives on 28 November.")
        .done()
}
