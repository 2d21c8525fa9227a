//! How a probe that cannot go on says so in the record, and how its examination reads that.

use super::Seen;
use super::reading::labelled;
use crate::auth::prober::Prober;
use crate::transcript::{Body, HttpSide, Transcript};

/// What stands in the record in place of a probe that could not go on.
pub(super) const STOPPED: &str = "does not apply: ";

/// Says in the record why a check has nothing to ask.
pub(super) fn stop(prober: &Prober, why: &str) {
    let nothing = HttpSide { start: "-".to_owned(), headers: vec![], body: Body::Text(String::new()) };
    prober.overheard(&format!("{STOPPED}{why}"), nothing);
}

/// Why the probe has nothing to ask, if the record says so.
pub(super) fn stopped(transcript: &Transcript) -> Option<Seen> {
    let one = labelled(transcript, STOPPED).next()?;
    Some(Seen::DoesNotApply(one.label.trim_start_matches(STOPPED).to_owned()))
}
