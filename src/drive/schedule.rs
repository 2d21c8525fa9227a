//! Starts trials as permits allow, and stops starting them when the run is stopped.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;

use super::{DriveEvent, World, trial};
use crate::plan::Case;
use crate::transcript::Glance;

/// Drives the cases in their order, at most [`World::width`] at a time, and returns when the last one has ended.
/// The receiver sees every trial that was started; trials that were never started leave nothing.
pub async fn drive(world: Arc<World>, cases: Vec<Arc<Case>>, events: mpsc::Sender<DriveEvent>) {
    let permits = Arc::new(Semaphore::new(world.width.max(1)));
    let tasks = TaskTracker::new();
    for case in cases {
        let permit = tokio::select! {
            biased;
            () = world.stop.drain.cancelled() => break,
            () = world.stop.abort.cancelled() => break,
            permit = Arc::clone(&permits).acquire_owned() => permit,
        };
        // The semaphore is never closed, and a receiver that is gone has lost interest in the rest.
        let Ok(permit) = permit else { break };
        let glance = Glance::default();
        if events.send(DriveEvent::Started(case.header.clone(), glance.clone())).await.is_err() {
            break;
        }
        let (world, events) = (Arc::clone(&world), events.clone());
        tasks.spawn(async move {
            let transcript = trial::watched(&case, &world, &glance).await;
            let _ = events.send(DriveEvent::Finished(Arc::new(transcript))).await;
            drop(permit);
        });
    }
    tasks.close();
    tasks.wait().await;
}
