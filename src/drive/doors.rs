//! How many sessions are opened at the same time: as many as the server opens without getting slower.
//!
//! A thousand trials that begin together all ask at once. A server that works through them one after the other answers
//! the last as late as all of them take, and all trials go on in step, one wave after the other. Where openings take a
//! multiple of what the quickest one took, so many wait for each other, and the rest of them waits here instead.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::transcript::Clock;

/// Openings at once while they hold each other up, or nothing is known yet.
const FEW: usize = 64;
/// By how much openings are longer than the quickest one when they hold each other up.
const SLOWER: f64 = 4.0;
/// The weight of the newest opening in the mean.
const NEW: f64 = 0.1;

/// The doors of the server under test. Clones are the same doors.
#[derive(Clone, Debug)]
pub struct Doors {
    hall: Arc<Mutex<Hall>>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Hall {
    inside: usize,
    waiting: VecDeque<oneshot::Sender<Door>>,
    pace: Option<Pace>,
}

/// How long openings take, in seconds.
#[derive(Clone, Copy, Debug)]
struct Pace {
    quickest: f64,
    mean: f64,
}

impl Hall {
    /// How many may be inside.
    fn room(&self) -> usize {
        match self.pace {
            Some(Pace { quickest, mean }) if mean <= quickest * SLOWER => usize::MAX,
            _ => FEW,
        }
    }

    fn learn(&mut self, took: f64) {
        self.pace = Some(match self.pace {
            None => Pace { quickest: took, mean: took },
            Some(Pace { quickest, mean }) => {
                Pace { quickest: quickest.min(took), mean: mean + NEW * (took - mean) }
            }
        });
    }

    /// Those who wait and for whom there is room, who are inside from now on.
    fn admit(&mut self) -> Vec<oneshot::Sender<Door>> {
        let mut admitted = vec![];
        while self.inside < self.room()
            && let Some(next) = self.waiting.pop_front()
        {
            if !next.is_closed() {
                self.inside += 1;
                admitted.push(next);
            }
        }
        admitted
    }
}

impl Doors {
    /// Doors through which nobody has gone.
    pub fn new(clock: Clock) -> Self {
        Self { hall: Arc::default(), clock }
    }

    /// Waits, in the order of asking, until a session may be opened.
    pub async fn enter(&self) -> Door {
        let next = {
            let mut hall = self.hall();
            if hall.inside < hall.room() {
                hall.inside += 1;
                None
            } else {
                let (give, take) = oneshot::channel();
                hall.waiting.push_back(give);
                Some(take)
            }
        };
        match next {
            None => self.door(),
            // Who waits is let in or goes on waiting.
            Some(next) => match next.await {
                Ok(door) => door,
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn door(&self) -> Door {
        Door { doors: self.clone(), since: self.clock.elapsed(), opened: false }
    }

    fn hall(&self) -> MutexGuard<'_, Hall> {
        self.hall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session is being opened, and its tools are being read, until this is dropped.
#[derive(Debug)]
pub struct Door {
    doors: Doors,
    since: Duration,
    opened: bool,
}

impl Door {
    /// The session is open and its tools are known: how long that took is learned from.
    pub fn opened(mut self) {
        self.opened = true;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let took = self.doors.clock.elapsed().saturating_sub(self.since).as_secs_f64();
        let admitted = {
            let mut hall = self.doors.hall();
            hall.inside -= 1;
            if self.opened {
                hall.learn(took);
            }
            hall.admit()
        };
        for next in admitted {
            // Who has gone just now leaves the door to the next one, by being dropped.
            drop(next.send(self.doors.door()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures::FutureExt;

    use super::*;

    /// Doors, and the milliseconds that their clock shows.
    fn doors() -> (Doors, Arc<AtomicU64>) {
        let now = Arc::new(AtomicU64::new(0));
        let hand = Arc::clone(&now);
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, move || {
            Duration::from_millis(hand.load(Ordering::Relaxed))
        });
        (Doors::new(clock), now)
    }

    fn enter(doors: &Doors) -> Option<Door> {
        doors.enter().now_or_never()
    }

    #[test]
    fn a_few_go_first_and_all_follow_where_that_is_as_quick() {
        let (doors, now) = doors();
        let first: Vec<Door> = (0..FEW).map(|_| enter(&doors).unwrap()).collect();
        assert!(enter(&doors).is_none(), "nothing is known of the server yet");
        let waiting: Vec<_> = (0..200).map(|_| Box::pin(doors.enter())).collect();
        let mut waiting: Vec<_> = waiting
            .into_iter()
            .map(|mut one| {
                assert!(one.as_mut().now_or_never().is_none());
                one
            })
            .collect();
        now.store(400, Ordering::Relaxed);
        first.into_iter().for_each(Door::opened);
        let let_in = waiting.iter_mut().filter_map(|one| one.as_mut().now_or_never()).collect::<Vec<_>>();
        assert_eq!(let_in.len(), 200);
        assert_eq!(doors.hall().inside, 200);
    }

    #[test]
    fn where_openings_hold_each_other_up_a_few_are_inside() {
        let (doors, now) = doors();
        let first: Vec<Door> = (0..FEW).map(|_| enter(&doors).unwrap()).collect();
        let mut next = Box::pin(doors.enter());
        assert!(next.as_mut().now_or_never().is_none());
        // One after the other, a millisecond each.
        for door in first {
            now.fetch_add(1, Ordering::Relaxed);
            door.opened();
        }
        let _next = next.now_or_never().unwrap();
        let more: Vec<Door> = std::iter::from_fn(|| enter(&doors)).collect();
        assert_eq!(more.len(), FEW - 1);
        // What failed says nothing of how long it takes, and leaves its place.
        drop(more);
        assert_eq!(doors.hall().inside, 1);
        // The server has become quick again.
        for _ in 0..200 {
            let door = enter(&doors).unwrap();
            now.fetch_add(2, Ordering::Relaxed);
            door.opened();
        }
        assert_eq!(std::iter::from_fn(|| enter(&doors)).take(1_000).count(), 1_000);
    }

    #[test]
    fn who_stops_waiting_holds_up_nobody() {
        let (doors, _now) = doors();
        let mut inside: Vec<Door> = (0..FEW).map(|_| enter(&doors).unwrap()).collect();
        let mut gone: Vec<_> = (0..5_000).map(|_| Box::pin(doors.enter())).collect();
        assert!(gone.iter_mut().all(|one| one.as_mut().now_or_never().is_none()));
        let mut patient = Box::pin(doors.enter());
        assert!(patient.as_mut().now_or_never().is_none());
        drop(gone);
        inside.pop();
        assert!(patient.now_or_never().is_some());
        drop(inside);
        assert_eq!(doors.hall().inside, 0);
    }
}
