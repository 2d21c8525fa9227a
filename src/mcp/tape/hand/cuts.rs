//! Streams that are cut off where they were, and resumed when they were.

use std::pin::pin;

use super::{Hand, LINGER, Said, Turn, Turned, resume};

impl Hand {
    /// The turn that goes on with a stream that was cut off here.
    pub(super) fn resumed(&self, said: &Said) -> Option<Turned> {
        let next = |cut: &Turned| Some(Turned { turn: self.turn(*cut).goes_on?, ..*cut });
        let mut state = self.state();
        let is_it = |cut: &Turned| next(cut).is_some_and(|next| self.turn(next).said.is(said));
        let place = state.cut.iter().position(is_it)?;
        next(&state.cut.remove(place))
    }

    /// The stream of a turn is cut off, if it was; the client will go on with it.
    pub(in super::super) fn cut_off(&self, turned: Turned) -> bool {
        let goes_on = self.turn(turned).goes_on.is_some();
        if goes_on {
            self.state().cut.push(turned);
        }
        goes_on
    }

    /// Waits until as much has happened in this trial as had before a turn that went on with a stream: how long the client
    /// was to wait is not played.
    pub(in super::super) async fn due_to_resume(&self, turned: Turned) {
        let turn = self.turn(turned);
        if turn.resumes.is_some() && Some(turned.track) == self.own {
            self.due(turn.sent).await;
        }
    }

    /// A turn is on record as sent.
    pub(in super::super) fn has_left(&self, turned: Turned) {
        if self.turn(turned).resumes.is_some() {
            self.state().left.insert(turned);
            self.moved.notify_waiters();
        }
    }

    /// Whether a turn, or the request whose stream it goes on with, is answered on the tape.
    pub(in super::super) fn is_answered(&self, turned: Turned) -> bool {
        let turns = &self.track_of(turned).turns;
        turns.get(resume::first(turns, turned.turn)).is_none_or(Turn::is_answered)
    }

    /// Waits until the streams that were cut off here are resumed, as far as they were before a place. A client that does
    /// not resume them is not waited for long.
    pub(super) async fn resumed_before(&self, turned: Turned, place: usize) {
        if Some(turned.track) != self.own {
            return;
        }
        let waiting = async {
            loop {
                let mut moved = pin!(self.moved.notified());
                moved.as_mut().enable();
                if !self.is_resumption_owed(place) {
                    return;
                }
                moved.await;
            }
        };
        let _ = tokio::time::timeout(LINGER, waiting).await;
    }

    /// Whether a stream that was cut off here was resumed before a place, and by now.
    pub(super) fn is_resumption_owed(&self, before: usize) -> bool {
        let (Some(own), Some(track)) = (self.own, self.track()) else { return false };
        let sent = {
            let state = self.state();
            if state.broken.is_some() || state.strayed {
                return false;
            }
            let at = |turn: usize| Turned { track: own, turn };
            let mut turns = track.turns.iter().enumerate();
            let owed = turns.find(|(index, turn)| {
                let was_cut = turn.resumes.is_some_and(|cut| state.used.contains(&at(cut)));
                turn.sent < before && was_cut && !state.left.contains(&at(*index))
            });
            owed.map(|(_, turn)| turn.sent)
        };
        sent.is_some_and(|sent| self.is_due(sent))
    }
}
