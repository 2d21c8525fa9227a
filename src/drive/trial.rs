//! One trial from its first event to its transcript: dispatch by kind, interruption, and panics kept inside.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use super::{World, access, agent, auth, errands};
use crate::plan::{Case, Work};
use crate::transcript::{End, Fault, Glance, Recorder, Side, Transcript};

/// Runs a trial. Always returns a transcript: a panic inside is a fault of the harness, and an abort keeps the events
/// so far.
pub async fn run(case: &Case, world: &World) -> Transcript {
    watched(case, world, &Glance::default()).await
}

/// The same, and it can be looked at meanwhile.
pub async fn watched(case: &Case, world: &World, glance: &Glance) -> Transcript {
    let log = Recorder::new(world.clock.clone(), world.secrets.clone());
    glance.opens(&log);
    let work = async {
        match &case.work {
            Work::Use(work) => {
                let end = agent::run(case, work, world, &log).await;
                errands::checks(case, &end, world, &log).await;
                end
            }
            Work::Access(work) => access::run(case, work, world, &log).await,
            Work::Auth(check) => {
                world.prelude.tell(&case.persona.name, &log);
                auth::run(check, world, &log).await
            }
        }
    };
    let end = tokio::select! {
        biased;
        () = world.stop.abort.cancelled() => End::Interrupted,
        end = AssertUnwindSafe(work).catch_unwind() => end.unwrap_or_else(|panic| End::Faulted(describe(&*panic))),
    };
    glance.closes();
    log.finish(case.header.clone(), end)
}

fn describe(panic: &(dyn std::any::Any + Send)) -> Fault {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Fault::new(Side::Harness, "bug.panic", format!("rehearsal itself broke in this trial: {text}"))
}
