//! Starts trials as seats become free, and stops starting them when the run is stopped.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::{DriveEvent, World, seats, trial};
use crate::plan::Case;
use crate::transcript::Glance;

/// Drives the cases in their order, at most as many at a time as [`World::seats`] has, none in a pause, and returns when
/// the last one has ended. The receiver sees every trial that was started; trials that were never started leave nothing.
pub async fn drive(world: Arc<World>, cases: Vec<Arc<Case>>, events: mpsc::Sender<DriveEvent>) {
    let tasks = TaskTracker::new();
    for case in cases {
        let Some(seat) = seats::next(&world.seats, &world.stop).await else { break };
        let glance = Glance::default();
        // A receiver that is gone has lost interest in the rest.
        if events.send(DriveEvent::Started(case.header.clone(), glance.clone())).await.is_err() {
            break;
        }
        let (world, events) = (Arc::clone(&world), events.clone());
        tasks.spawn(async move {
            let transcript = trial::watched(&case, &world, &glance).await;
            let _ = events.send(DriveEvent::Finished(Arc::new(transcript))).await;
            drop(seat);
        });
    }
    tasks.close();
    tasks.wait().await;
}
