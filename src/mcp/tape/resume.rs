//! Streams that were cut off and resumed with `Last-Event-ID` (2025-11-25, basic/transports): who goes on with whose. Pure.
//!
//! A server may end a stream before its answer at any time, after an event with an id; the client then asks for the rest
//! with a GET, and what comes belongs to the same request. No message says whose rest it is: the ids of events do.

use super::message::{Heard, Kind};
use super::track::Turn;

/// The turn whose stream a GET goes on with that names the last event it knows.
pub(super) fn cut(turns: &[Turn], after: &str) -> Option<usize> {
    let open = |turn: &Turn| {
        let can_be_cut = turn.streams || turn.resumes.is_some();
        can_be_cut && turn.goes_on.is_none() && !turn.answered && turn.said.method != "subscriptions/listen"
    };
    let newest = |wanted: &dyn Fn(&Turn) -> bool| turns.iter().rposition(|turn| open(turn) && wanted(turn));
    newest(&|turn| turn.reached.as_deref() == Some(after))
        // Records of earlier versions have no ids of events.
        .or_else(|| newest(&|turn| !turn.is_open_end()))
        .or_else(|| newest(&|_| true))
}

/// The newest turn of a stream: itself, or what goes on with it.
pub(super) fn last(turns: &[Turn], mut index: usize) -> usize {
    while let Some(next) = turns.get(index).and_then(|turn| turn.goes_on) {
        index = next;
    }
    index
}

/// The turn that a stream began with.
pub(super) fn first(turns: &[Turn], mut index: usize) -> usize {
    while let Some(before) = turns.get(index).and_then(|turn| turn.resumes) {
        index = before;
    }
    index
}

/// Streams of requests side by side begin with nothing that says whose they are. Once a resumed one brings the answer to
/// another request, that one's stream has been its own.
fn exchange(turns: &mut [Turn], one: usize, heard: &Heard) {
    let waits = |turn: &Turn| turn.streams && !turn.answered;
    let is_named = |turn: &Turn| matches!(&turn.said.kind, Kind::Request(id) if heard.answers.contains(id));
    let Some(other) = turns.iter().rposition(|turn| waits(turn) && is_named(turn)) else { return };
    let is_resumed = turns.get(one).is_some_and(|turn| {
        turn.goes_on.is_some() && waits(turn) && matches!(turn.said.kind, Kind::Request(_))
    });
    let (low, high) = (one.min(other), one.max(other));
    if !is_resumed || low == high {
        return;
    }
    let (head, tail) = turns.split_at_mut(high);
    let (Some(a), Some(b)) = (head.get_mut(low), tail.first_mut()) else { return };
    std::mem::swap(&mut a.received, &mut b.received);
    std::mem::swap(&mut a.goes_on, &mut b.goes_on);
    std::mem::swap(&mut a.reached, &mut b.reached);
    for (index, next) in [(low, a.goes_on), (high, b.goes_on)] {
        if let Some(next) = next.and_then(|next| turns.get_mut(next)) {
            next.resumes = Some(index);
        }
    }
}

/// Marks a whole stream as answered where what came on one of its turns answers its request.
pub(super) fn settle(turns: &mut [Turn], index: usize, heard: &Heard) {
    exchange(turns, first(turns, index), heard);
    let mut next = Some(first(turns, index));
    let asked = next.and_then(|first| turns.get(first)).map(|turn| &turn.said.kind);
    if !matches!(asked, Some(Kind::Request(id)) if heard.answers.contains(id)) {
        return;
    }
    while let Some(turn) = next.and_then(|next| turns.get_mut(next)) {
        turn.answered = true;
        next = turn.goes_on;
    }
}
