//! Auth cases: runs the probe of one auth check; what it means is decided from the record.

use super::World;
use crate::transcript::{End, Fault, Recorder, Side};

/// What auth probes need.
pub struct Lab {}

/// Runs the probe.
pub async fn run(check: &str, _world: &World, _log: &Recorder) -> End {
    End::Faulted(Fault::new(Side::Harness, "bug.no-check", format!("no auth check `{check}`")))
}
