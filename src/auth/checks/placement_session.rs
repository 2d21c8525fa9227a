//! E07 and E08: a session is no token, and outlives none.

use futures::future::BoxFuture;

use super::Seen;
use super::bracket::{begin, end};
use super::placement::badly;
use super::reading::{control, decisive, refused};
use crate::auth::answer::Answer;
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Fault, Transcript};

pub(super) fn bare_session(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let _ = prober.ask("attempt in session", &between.session, &Credentials::none()).await;
        end(prober, between).await;
        Ok(())
    })
}

/// The token is minted expired, for the same person: a session does not know that it was not the one it began with. A
/// conversation of its own tells whether expired tokens count everywhere.
pub(super) fn expired_session(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let expired = badly(prober).await?;
        let talk = prober.converse("elsewhere", &expired).await;
        prober.close(talk.session, &expired).await;
        let _ = prober.ask("attempt in session", &between.session, &expired).await;
        end(prober, between).await;
        Ok(())
    })
}

pub(super) fn refused_inside(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    match decisive(transcript, "elsewhere") {
        Some(one) if matches!(one.answer(), Answer::Accepted(_)) => {
            Seen::DoesNotApply("expired tokens are accepted outside of sessions, too (see D03)".to_owned())
        }
        _ => refused(transcript, "a token that had expired, in a session opened with a good one,"),
    }
}
