//! Which part of a plan a case belongs to. Depends on the case's identity alone, so every part computes the same
//! division; all trials of a case stay together.

use super::Shard;
use crate::diag::Diagnostic;
use crate::ids::{CaseKey, Digest};

/// Refuses parts that do not exist.
pub(super) fn check(shard: Shard) -> Result<(), Diagnostic> {
    if (1..=shard.of).contains(&shard.index) {
        return Ok(());
    }
    let message = format!("there is no shard {} of {}", shard.index, shard.of);
    Err(Diagnostic::global("run.bad-shard", message).hint("write I/N with I from 1 to N, like `--shard 2/4`"))
}

/// Whether the case belongs to the part.
pub(super) fn holds(shard: Shard, key: &CaseKey) -> bool {
    let place = Digest::of_json(&(key.question, key.model)).as_u64() % u64::from(shard.of.max(1));
    place + 1 == u64::from(shard.index)
}
