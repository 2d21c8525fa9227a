//! What was said in one session, and which answer belongs to which request. Pure.
//!
//! A record has the messages in the order in which they left and came. What came in an event stream says whose exchange it
//! is; for the rest, and on tapes of earlier versions, that is found out again: by the ids, and where there is none by the
//! order.

use serde::{Deserialize, Serialize};

use super::message::{Heard, Kind, Said, last_event};
use super::resume;
use crate::ids::{ClientName, PersonaName};
use crate::transcript::{Fault, Frame, What, WireMessage};

/// Whose session it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    /// The case; none for a look before the first trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) case: Option<String>,
    pub(super) persona: PersonaName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<ClientName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    #[serde(default)]
    pub(super) trial: u32,
}

/// One thing that happened in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Item {
    /// A message.
    Wire(WireMessage),
    /// What happened beside the messages: authorization, lines of stderr.
    Beside(What),
    /// How it ended, when it broke.
    Fault(Fault),
}

/// A session on a tape.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) about: About,
    pub(super) items: Vec<Item>,
    /// The number of each item in the record of its trial.
    pub(super) seqs: Vec<u32>,
    pub(super) turns: Vec<Turn>,
}

/// Something that the client sent, and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// Its place among the items.
    pub(super) sent: usize,
    pub(super) said: Said,
    /// The message as it was sent.
    pub(super) text: String,
    /// The places of what came of it.
    pub(super) received: Vec<usize>,
    /// The turn whose stream, cut off, this one goes on with.
    pub(super) resumes: Option<usize>,
    /// The turn that goes on with the stream of this one.
    pub(super) goes_on: Option<usize>,
    /// The id of the last event that the client knows of.
    pub(super) reached: Option<String>,
    /// Whether it goes on with a stream that answers a request.
    of_request: bool,
    pub(super) answered: bool,
    /// Whether the status of its response has come.
    headed: bool,
    /// Whether its response is an event stream.
    pub(super) streams: bool,
}

impl Turn {
    /// Whether its answer is on the tape, if it is one that wants an answer.
    pub(super) fn is_answered(&self) -> bool {
        self.answered || !matches!(self.said.kind, Kind::Request(_))
    }

    /// Whether it is a stream on which the server speaks for as long as it likes.
    pub(super) fn is_open_end(&self) -> bool {
        (self.said.method == "GET" && !self.of_request) || self.said.method == "subscriptions/listen"
    }

    /// Whether the client waits for what comes of it.
    pub(super) fn is_awaited(&self) -> bool {
        self.of_request || matches!(self.said.kind, Kind::Request(_))
    }
}

impl Track {
    pub(super) fn new(about: About, items: Vec<(u32, Item)>) -> Self {
        let (seqs, items): (Vec<u32>, Vec<Item>) = items.into_iter().unzip();
        let turns = turns(&items);
        Self { about, items, seqs, turns }
    }

    /// A message from the target.
    pub(super) fn received(&self, place: usize) -> Option<Received<'_>> {
        match self.items.get(place)? {
            Item::Wire(WireMessage::Received { via, status, headers, frame, body, .. }) => {
                let (frame, text) = (frame.as_ref(), body.to_text().into_owned());
                Some(Received { via, status: *status, headers, frame, text })
            }
            _ => None,
        }
    }

    /// The headers that were sent with a turn.
    pub(super) fn headers(&self, turn: &Turn) -> Vec<(String, String)> {
        match self.items.get(turn.sent) {
            Some(Item::Wire(WireMessage::Sent { headers, .. })) => headers.clone(),
            _ => vec![],
        }
    }

    /// The fault with which the session ended, if it did.
    pub(super) fn fault(&self) -> Option<&Fault> {
        self.items.iter().rev().find_map(|item| match item {
            Item::Fault(fault) => Some(fault),
            _ => None,
        })
    }

    /// What the client sent last before a place.
    pub(super) fn last_turn_before(&self, place: usize) -> Option<(usize, &Turn)> {
        self.turns.iter().enumerate().rev().find(|(_, turn)| turn.sent < place)
    }

    /// Whether it begins with a handshake, or with the question that takes its place.
    pub(super) fn opens(&self) -> bool {
        self.turns.iter().any(|turn| matches!(turn.said.method.as_str(), "initialize" | "server/discover"))
    }
}

/// A message from the target.
pub(super) struct Received<'a> {
    pub(super) via: &'a str,
    pub(super) status: Option<u16>,
    pub(super) headers: &'a [(String, String)],
    pub(super) frame: Option<&'a Frame>,
    pub(super) text: String,
}

fn turns(items: &[Item]) -> Vec<Turn> {
    let mut turns: Vec<Turn> = vec![];
    for (place, item) in items.iter().enumerate() {
        match item {
            Item::Wire(WireMessage::Sent { via, headers, body }) => {
                let text = body.to_text().into_owned();
                let said = Said::of(via, &text).with(headers);
                let index = turns.len();
                let after = last_event(headers).filter(|_| said.method == "GET");
                let resumes = after.and_then(|after| resume::cut(&turns, after));
                if let Some(cut) = resumes.and_then(|cut| turns.get_mut(cut)) {
                    cut.goes_on = Some(index);
                }
                let of_request = resumes.and_then(|cut| turns.get(cut)).is_some_and(|cut| !cut.is_open_end());
                turns.push(Turn {
                    sent: place,
                    said,
                    text,
                    received: vec![],
                    resumes,
                    goes_on: None,
                    reached: after.map(str::to_owned),
                    of_request,
                    answered: false,
                    headed: false,
                    streams: false,
                });
            }
            Item::Wire(WireMessage::Received { via, status, frame, of, body, .. }) => {
                let heard = Heard::of(&body.to_text());
                let came = Came { via, status: *status, of: *of, heard: &heard, later: &items[place + 1..] };
                let Some(index) = owner(&turns, &came) else { continue };
                if status.is_none() && via == "sse" {
                    give_head(&mut turns, index);
                }
                let Some(turn) = turns.get_mut(index) else { continue };
                // On a stream of its own an answer may overtake the receipt of its request.
                let at = if status.is_some() && !turn.headed { 0 } else { turn.received.len() };
                turn.received.insert(at, place);
                turn.headed |= status.is_some();
                turn.streams |= via == "sse" && status.is_some();
                if let Some(id) = frame.as_ref().and_then(|frame| frame.id.as_ref()) {
                    // An empty id takes the last one back.
                    turn.reached = Some(id.clone()).filter(|id| !id.is_empty());
                }
                resume::settle(&mut turns, index, &heard);
            }
            Item::Beside(_) | Item::Fault(_) => {}
        }
    }
    turns
}

struct Came<'a> {
    via: &'a str,
    status: Option<u16>,
    of: Option<u64>,
    heard: &'a Heard,
    later: &'a [Item],
}

/// The turn that something which came belongs to.
fn owner(turns: &[Turn], came: &Came<'_>) -> Option<usize> {
    if let Some(id) = came.of.map(|id| id.to_string()) {
        let asked = |turn: &Turn| matches!(&turn.said.kind, Kind::Request(own) if *own == id);
        if let Some(index) = turns.iter().rposition(asked) {
            return Some(resume::last(turns, index));
        }
    }
    let named = |turn: &Turn| {
        matches!(&turn.said.kind, Kind::Request(id)
            if came.heard.answers.contains(id) || came.heard.concerns.as_ref() == Some(id))
    };
    let by_id = turns.iter().rposition(|turn| named(turn) && !turn.answered);
    let by_id = by_id.map(|index| resume::last(turns, index));
    if came.via == "stdio" {
        return by_id.or_else(|| turns.len().checked_sub(1));
    }
    let headless = |turn: &Turn| !turn.headed;
    if let Some(status) = came.status {
        if let Some(index) = by_id.filter(|index| headless(&turns[*index])) {
            return Some(index);
        }
        let is_request = |turn: &Turn| matches!(turn.said.kind, Kind::Request(_));
        let receipt =
            turns.iter().position(|turn| headless(turn) && !is_request(turn) && turn.said.method != "GET");
        let first = turns.iter().position(|turn| headless(turn) && !own_head_comes(turn, came.later));
        let begins_stream = came.via == "sse";
        return match (status, begins_stream) {
            (202, _) => receipt.or(first),
            (_, true) => {
                let talks = |turn: &Turn| is_request(turn) || turn.said.method == "GET";
                let request = turns
                    .iter()
                    .position(|turn| headless(turn) && is_request(turn) && !own_head_comes(turn, came.later));
                let unclaimed =
                    |turn: &Turn| headless(turn) && talks(turn) && !own_head_comes(turn, came.later);
                request
                    .or_else(|| turns.iter().position(unclaimed))
                    .or_else(|| turns.iter().position(|turn| headless(turn) && talks(turn)))
            }
            _ => first.or(receipt),
        };
    }
    let open = |turn: &Turn| turn.streams && turn.goes_on.is_none();
    let streaming = |turn: &Turn| open(turn) && !turn.answered && !turn.is_open_end();
    by_id
        .or_else(|| turns.iter().rposition(streaming))
        .or_else(|| turns.iter().rposition(|turn| open(turn) && turn.is_open_end()))
        .or_else(|| turns.iter().rposition(|turn| turn.streams))
}

/// Requests that run side by side get heads that say nothing of whose they are. Once an answer names a request that has
/// none, one that another request was given has been its own.
fn give_head(turns: &mut [Turn], index: usize) {
    let is_request = |turn: &Turn| turn.is_awaited() && !turn.is_open_end();
    if turns.get(index).is_none_or(|turn| !turn.received.is_empty() || !is_request(turn)) {
        return;
    }
    let only_head =
        |turn: &Turn| turn.streams && turn.received.len() == 1 && turn.goes_on.is_none() && is_request(turn);
    let Some(giver) = turns.iter_mut().rfind(|turn| only_head(turn)) else { return };
    (giver.streams, giver.headed) = (false, false);
    let (head, reached) = (std::mem::take(&mut giver.received), giver.reached.take());
    if let Some(turn) = turns.get_mut(index) {
        turn.received = head;
        turn.reached = reached.or_else(|| turn.reached.take());
        (turn.streams, turn.headed) = (true, true);
    }
}

/// Whether a later response says by its id that it is the one to this turn.
fn own_head_comes(turn: &Turn, later: &[Item]) -> bool {
    let Kind::Request(id) = &turn.said.kind else { return false };
    later.iter().any(|item| match item {
        Item::Wire(WireMessage::Received { status: Some(_), body, .. }) => {
            Heard::of(&body.to_text()).answers.contains(id)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Body;

    fn sent(id: u32) -> Item {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"t"}}}}"#);
        Item::Wire(WireMessage::Sent { via: "POST".to_owned(), headers: vec![], body: Body::Text(body) })
    }

    fn came(status: Option<u16>, body: &str) -> Item {
        let body = Body::Text(body.to_owned());
        Item::Wire(WireMessage::Received {
            via: "sse".to_owned(),
            status,
            headers: vec![],
            frame: None,
            of: None,
            body,
        })
    }

    #[test]
    fn every_answer_side_by_side_has_one_head_before_it() {
        let (head, answer) =
            (|| came(Some(200), ""), |id| came(None, &format!(r#"{{"id":{id},"result":{{}}}}"#)));
        // The second head was the third request's.
        let items = [sent(3), sent(4), sent(5), head(), head(), answer(5), head(), answer(4), answer(3)];
        let turns = turns(&items);
        let received: Vec<&[usize]> = turns.iter().map(|turn| turn.received.as_slice()).collect();
        assert_eq!(received, [&[3, 8][..], &[6, 7], &[4, 5]]);
        assert!(turns.iter().all(|turn| turn.streams && turn.is_answered()));
    }

    fn get(after: &str) -> Item {
        let headers = vec![("last-event-id".to_owned(), after.to_owned())];
        Item::Wire(WireMessage::Sent { via: "GET".to_owned(), headers, body: Body::Text(String::new()) })
    }

    fn place(id: &str) -> Item {
        let frame = Some(Frame { id: Some(id.to_owned()), ..Frame::default() });
        let (via, headers, body) = ("sse".to_owned(), vec![], Body::Text(String::new()));
        Item::Wire(WireMessage::Received { via, status: Some(200), headers, frame, of: None, body })
    }

    #[test]
    fn a_message_that_names_its_exchange_is_believed() {
        let note = |of| {
            let Item::Wire(WireMessage::Received { via, status, headers, frame, body, .. }) =
                came(Some(200), r#"{"method":"notifications/message","params":{}}"#)
            else {
                unreachable!()
            };
            Item::Wire(WireMessage::Received { via, status, headers, frame, of, body })
        };
        let received = |first, second| {
            let turns = turns(&[sent(3), sent(4), note(first), note(second)]);
            turns.into_iter().map(|turn| turn.received).collect::<Vec<_>>()
        };
        assert_eq!(received(Some(4), Some(3)), [[3], [2]]);
        assert_eq!(received(Some(3), Some(4)), [[2], [3]]);
        // As tapes of earlier versions have it: by the order.
        assert_eq!(received(None, None), [[2], [3]]);
    }

    #[test]
    fn what_comes_after_a_cut_belongs_to_the_request() {
        let answer = |id: u32| came(Some(200), &format!(r#"{{"id":{id},"result":{{}}}}"#));
        // With the id of the event, and as tapes of earlier versions have it.
        for head in [place("a"), came(Some(200), "")] {
            let turns = turns(&[sent(3), head, get("a"), answer(3)]);
            assert_eq!((turns[0].goes_on, turns[1].resumes), (Some(1), Some(0)));
            assert_eq!((turns[0].received.as_slice(), turns[1].received.as_slice()), (&[1][..], &[3][..]));
            assert!(turns[0].is_answered() && !turns[1].is_open_end());
        }
        // One that goes on with nothing is the server's own stream.
        let turns = turns(&[sent(3), answer(3), get("a"), place("b")]);
        assert!(turns[1].is_open_end() && turns[1].resumes.is_none());
    }

    #[test]
    fn streams_side_by_side_are_told_apart_by_the_answers_that_they_bring() {
        let answer = |id: u32| came(Some(200), &format!(r#"{{"id":{id},"result":{{}}}}"#));
        // The first head was the second request's.
        let items = [sent(3), sent(4), place("b"), place("a"), get("b"), answer(4), get("a"), answer(3)];
        let turns = turns(&items);
        assert_eq!((turns[0].goes_on, turns[1].goes_on), (Some(3), Some(2)));
        assert_eq!((turns[0].received.as_slice(), turns[1].received.as_slice()), (&[3][..], &[2][..]));
        assert!(turns.iter().all(Turn::is_answered));
    }

    #[test]
    fn an_answer_that_overtakes_its_receipt_stands_behind_it() {
        let receipt = || {
            let (via, headers, body) = ("empty".to_owned(), vec![], Body::Text(String::new()));
            Item::Wire(WireMessage::Received { via, status: Some(202), headers, frame: None, of: None, body })
        };
        let answer = |id: u32| came(None, &format!(r#"{{"id":{id},"result":{{}}}}"#));
        let turns = turns(&[sent(1), answer(1), receipt(), sent(2), receipt(), answer(2)]);
        assert_eq!((turns[0].received.as_slice(), turns[1].received.as_slice()), (&[2, 1][..], &[4, 5][..]));
    }
}
