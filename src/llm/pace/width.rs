//! How many requests a provider bears at once: grows until it says that it is too much, then backs off.
//!
//! Doubles with every round of answers until the first refusal; from then on it grows by one a round and falls by a
//! third with a refusal (AIMD, as in RFC 5681). Requests that were under way at a cut do not cut again.
//!
//! An answer shows only that as many as were under way are borne: the limit grows while the seats are about full, and a cut
//! starts from the seats that were taken (as RFC 7661 has it for connections that do not use their window).

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

/// Where an unknown provider begins.
const FIRST: usize = 32;

/// As wide as it ever gets.
const MOST: usize = 20_000;

/// The seats at one provider.
#[derive(Debug)]
pub(super) struct Width {
    seats: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    fixed: bool,
    /// Seats to be taken out when their holders leave.
    owed: usize,
    doubling: bool,
    /// Answers since the last step, while it grows by one a round.
    answered: usize,
    epoch: u64,
    /// How often it was too much, requests under way at a cut included.
    refused: u64,
}

/// A seat taken; left when dropped.
#[derive(Debug)]
pub(super) struct Seat<'a> {
    width: &'a Width,
    epoch: u64,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut state = self.width.state();
        if state.owed > 0 {
            state.owed -= 1;
        } else {
            self.width.seats.add_permits(1);
        }
    }
}

impl Width {
    /// A declared number of seats, which stays; else one that finds itself.
    pub(super) fn new(declared: Option<u32>) -> Self {
        let limit = declared.map_or(FIRST, |seats| (seats as usize).clamp(1, MOST));
        let state = State {
            limit,
            fixed: declared.is_some(),
            owed: 0,
            doubling: true,
            answered: 0,
            epoch: 0,
            refused: 0,
        };
        Self { seats: Semaphore::new(limit), state: Mutex::new(state) }
    }

    /// Waits for a seat; who came first is served first.
    pub(super) async fn seat(&self) -> Seat<'_> {
        // The semaphore is never closed.
        if let Ok(permit) = self.seats.acquire().await {
            permit.forget();
        }
        Seat { width: self, epoch: self.state().epoch }
    }

    /// The provider answered.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        if state.fixed || state.limit >= MOST || !self.is_about_full(&state) {
            return;
        }
        state.answered += 1;
        if !state.doubling && state.answered < state.limit {
            return;
        }
        state.answered = 0;
        state.limit += 1;
        if state.owed > 0 {
            state.owed -= 1;
        } else {
            self.seats.add_permits(1);
        }
    }

    /// The provider said that it is too much. It is never cut below `floor`.
    pub(super) fn refused(&self, seat: &Seat<'_>, floor: usize) {
        let mut state = self.state();
        state.refused += 1;
        if state.fixed || seat.epoch != state.epoch {
            return;
        }
        state.epoch += 1;
        state.doubling = false;
        state.answered = 0;
        let used = self.taken_of(&state).min(state.limit);
        let left = (used * 2 / 3).max(floor).clamp(1, state.limit);
        let fewer = state.limit - left;
        state.limit = left;
        state.owed += fewer - self.seats.forget_permits(fewer);
    }

    /// How many it is now.
    pub(super) fn limit(&self) -> usize {
        self.state().limit
    }

    /// Seats that are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken_of(&self.state())
    }

    fn taken_of(&self, state: &State) -> usize {
        (state.limit + state.owed).saturating_sub(self.seats.available_permits())
    }

    /// Whether more seats could be of use: three of four are taken.
    fn is_about_full(&self, state: &State) -> bool {
        self.taken_of(state) * 4 >= state.limit * 3
    }

    /// How often the provider said that it is too much.
    pub(super) fn refusals(&self) -> u64 {
        self.state().refused
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn take(width: &Width) -> Option<Seat<'_>> {
        width.seat().now_or_never()
    }

    fn all(width: &Width) -> Vec<Seat<'_>> {
        std::iter::from_fn(|| take(width)).collect()
    }

    fn free(width: &Width) -> usize {
        all(width).len()
    }

    #[test]
    fn it_doubles_with_every_round_until_the_first_refusal() {
        let width = Width::new(None);
        let mut seats = all(&width);
        (0..FIRST).for_each(|_| {
            width.answered();
            seats.extend(all(&width));
        });
        assert_eq!((width.limit(), seats.len()), (2 * FIRST, 2 * FIRST));
        width.refused(&seats[0], 1);
        drop(seats);
        let left = 2 * FIRST * 2 / 3;
        assert_eq!((width.limit(), free(&width)), (left, left));
        let seats = all(&width);
        (0..left).for_each(|_| width.answered());
        drop(seats);
        assert_eq!((width.limit(), free(&width)), (left + 1, left + 1));
    }

    #[test]
    fn seats_that_nobody_needs_do_not_grow_and_a_cut_starts_from_those_taken() {
        let width = Width::new(None);
        let seats: Vec<_> = (0..12).filter_map(|_| take(&width)).collect();
        (0..10_000).for_each(|_| width.answered());
        assert_eq!(width.limit(), FIRST);
        width.refused(&seats[0], 1);
        assert_eq!((width.limit(), width.taken()), (8, 12));
        assert!(take(&width).is_none());
        drop(seats);
        assert_eq!(free(&width), 8);
        // Three of four seats are enough to grow, and the limit stays within reach of what is used.
        let width = Width::new(None);
        let seats: Vec<_> = (0..24).filter_map(|_| take(&width)).collect();
        (0..10_000).for_each(|_| width.answered());
        assert_eq!((width.limit(), seats.len()), (FIRST + 1, 24));
    }

    #[test]
    fn a_burst_of_refusals_cuts_once_and_seats_under_way_are_taken_out_later() {
        let width = Width::new(None);
        let mut seats = all(&width);
        seats.iter().for_each(|seat| width.refused(seat, 1));
        assert_eq!(width.limit(), FIRST * 2 / 3);
        seats.truncate(FIRST * 2 / 3);
        assert!(take(&width).is_none());
        seats.pop();
        assert!(take(&width).is_some());
    }

    #[test]
    fn a_floor_and_a_declared_number_hold() {
        let width = Width::new(None);
        (0..50).for_each(|_| width.refused(&take(&width).unwrap(), 7));
        assert_eq!((width.limit(), free(&width)), (7, 7));
        (0..50).for_each(|_| width.refused(&take(&width).unwrap(), 1));
        assert_eq!((width.limit(), free(&width)), (1, 1));
        let declared = Width::new(Some(3));
        declared.refused(&take(&declared).unwrap(), 1);
        (0..50).for_each(|_| declared.answered());
        assert_eq!((declared.limit(), free(&declared)), (3, 3));
    }
}
