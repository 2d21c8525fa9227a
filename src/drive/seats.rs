//! How many trials may be under way, and whether more may begin: both may be changed while a run goes on.

use std::sync::Arc;

use tokio::sync::watch;

use super::Stopping;

/// Most trials at once.
const MOST: usize = 4096;

/// Whether trials wait for a person to let them begin. Clones are one pause.
#[derive(Clone, Debug, Default)]
pub struct Pause(Arc<watch::Sender<bool>>);

impl Pause {
    /// Whether no trial begins.
    pub fn is_on(&self) -> bool {
        *self.0.borrow()
    }

    /// Turns the pause on, or off again. Trials under way are let alone. Returns whether it is on now.
    pub fn turn(&self) -> bool {
        self.0.send_modify(|on| *on = !*on);
        self.is_on()
    }

    /// Waits until trials may begin.
    async fn lifted(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.subscribe().wait_for(|on| !on).await;
    }
}

/// The seats of the trials of a run. Clones are the same seats.
#[derive(Clone, Debug)]
pub struct Seats(Arc<watch::Sender<Taken>>);

#[derive(Clone, Copy, Debug)]
struct Taken {
    /// Seats there are.
    there: usize,
    /// Seats that are taken: more than there are, after some were taken away.
    taken: usize,
}

impl Seats {
    /// So many seats, at least one.
    pub fn of(there: usize) -> Self {
        Self(Arc::new(watch::Sender::new(Taken { there: there.max(1), taken: 0 })))
    }

    /// Trials at once.
    pub fn there(&self) -> usize {
        self.0.borrow().there
    }

    /// Adds seats or takes some away, within 1 and 4,096. Trials that sit stay seated. Returns how many there are now.
    pub fn change(&self, by: isize) -> usize {
        self.0.send_modify(|seats| seats.there = seats.there.saturating_add_signed(by).clamp(1, MOST));
        self.there()
    }

    /// Waits for a seat and takes it.
    async fn free(&self) -> Seat {
        let mut seats = self.0.subscribe();
        loop {
            // The sender lives as long as `self`.
            let _ = seats.wait_for(|seats| seats.taken < seats.there).await;
            let taken = self.0.send_if_modified(|seats| {
                let free = seats.taken < seats.there;
                seats.taken += usize::from(free);
                free
            });
            if taken {
                return Seat(self.clone());
            }
        }
    }
}

/// A seat that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Seat(Seats);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.0.send_modify(|seats| seats.taken -= 1);
    }
}

/// Waits until a trial may begin. `None`: none will, for the run is stopped.
pub(super) async fn next(seats: &Seats, stop: &Stopping) -> Option<Seat> {
    let seated = async {
        loop {
            stop.pause.lifted().await;
            let seat = seats.free().await;
            // Nothing begins in a pause that came while all seats were taken.
            if !stop.pause.is_on() {
                return seat;
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.drain.cancelled() => None,
        () = stop.abort.cancelled() => None,
        seat = seated => Some(seat),
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn there_are_as_many_trials_as_seats() {
        let (seats, stop) = (Seats::of(2), Stopping::default());
        let first = next(&seats, &stop).await.unwrap();
        let second = next(&seats, &stop).await.unwrap();
        assert!(next(&seats, &stop).now_or_never().is_none(), "both seats are taken");
        assert_eq!(seats.change(1), 3);
        let third = next(&seats, &stop).now_or_never().flatten().unwrap();
        assert_eq!((seats.change(-9), seats.change(9_999), seats.change(-4_095)), (1, 4096, 1));
        drop((first, second));
        assert!(next(&seats, &stop).now_or_never().is_none(), "one sits, and one seat is left");
        drop(third);
        assert!(next(&seats, &stop).now_or_never().flatten().is_some());
    }

    #[tokio::test]
    async fn a_seat_that_becomes_free_is_taken_by_who_waits() {
        let (seats, stop) = (Seats::of(1), Stopping::default());
        let first = next(&seats, &stop).await.unwrap();
        let (second, ()) = tokio::join!(next(&seats, &stop), async { drop(first) });
        assert!(second.is_some());
    }

    #[tokio::test]
    async fn in_a_pause_nothing_begins() {
        let (seats, stop) = (Seats::of(1), Stopping::default());
        let seated = next(&seats, &stop).await;
        let waiting = next(&seats, &stop);
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none(), "the seat is taken");
        assert!(stop.pause.turn());
        drop(seated);
        assert!(waiting.as_mut().now_or_never().is_none(), "the seat is free, and it is a pause");
        assert!(!stop.pause.turn());
        assert!(waiting.now_or_never().flatten().is_some(), "the pause is over");
    }

    #[tokio::test]
    async fn who_stops_in_a_pause_waits_for_nobody() {
        let (seats, stop) = (Seats::of(1), Stopping::default());
        stop.pause.turn();
        let waiting = next(&seats, &stop);
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        stop.drain.cancel();
        assert!(waiting.await.is_none());
    }
}
