//! Finds exchanges in a record by their labels, and the sentences that every family shares. Pure.

use serde_json::Value;

use super::Seen;
use crate::auth::answer::{Answer, Denial};
use crate::auth::discover::json_document;
use crate::transcript::{HttpSide, Transcript, What};

/// A recorded exchange.
#[derive(Clone, Copy)]
pub(super) struct Exchange<'a> {
    pub(super) seq: u32,
    pub(super) label: &'a str,
    pub(super) request: &'a HttpSide,
    pub(super) response: &'a Result<HttpSide, String>,
}

impl<'a> Exchange<'a> {
    pub(super) fn answer(&self) -> Answer {
        Answer::of(self.response)
    }

    pub(super) fn side(&self) -> Option<&'a HttpSide> {
        self.response.as_ref().ok()
    }

    /// The JSON object of a 200 answer.
    pub(super) fn document(&self) -> Option<Value> {
        self.side().and_then(json_document)
    }

    /// The URL of the request.
    pub(super) fn url(&self) -> &'a str {
        self.request.start.split_once(' ').map_or("", |(_, url)| url)
    }
}

/// Every exchange whose label begins so, in order.
pub(super) fn labelled<'a>(
    transcript: &'a Transcript,
    start: &'a str,
) -> impl Iterator<Item = Exchange<'a>> + 'a {
    transcript.events.iter().filter_map(move |event| match &event.what {
        What::Exchanged { label, request, response, .. } if label.starts_with(start) => {
            Some(Exchange { seq: event.seq, label, request, response })
        }
        _ => None,
    })
}

/// The exchange that decides a conversation: the call, else the list, else the handshake that was not accepted.
pub(super) fn decisive<'a>(transcript: &'a Transcript, label: &str) -> Option<Exchange<'a>> {
    ["tools/call", "tools/list", "initialize", "request"].into_iter().find_map(|method| {
        let wanted = format!("{label}: {method}");
        transcript.events.iter().find_map(|event| match &event.what {
            What::Exchanged { label, request, response, .. } if *label == wanted => {
                Some(Exchange { seq: event.seq, label, request, response })
            }
            _ => None,
        })
    })
}

/// Every exchange of a conversation that decides: its lists and calls, else the one that [`decisive`] finds.
pub(super) fn deciding<'a>(transcript: &'a Transcript, label: &str) -> Vec<Exchange<'a>> {
    let wanted = ["tools/list", "tools/call"].map(|method| format!("{label}: {method}"));
    let found: Vec<Exchange<'a>> =
        labelled(transcript, "").filter(|one| wanted.iter().any(|label| one.label == label)).collect();
    match found.is_empty() {
        true => decisive(transcript, label).into_iter().collect(),
        false => found,
    }
}

/// Whether the good token was accepted before and after: its events, or why the record tells nothing.
pub(super) fn control(transcript: &Transcript) -> Result<Vec<u32>, Seen> {
    let mut seqs = Vec::new();
    for label in ["control before", "control after"] {
        let exchanges = deciding(transcript, label);
        if exchanges.is_empty() {
            return Err(Seen::Inconclusive(format!("the {label} the probe was not sent")));
        }
        for exchange in exchanges {
            match exchange.answer() {
                Answer::Accepted(_) => seqs.push(exchange.seq),
                other => {
                    let text =
                        format!("the good token itself got {other} ({label}), so a refusal proves nothing");
                    return Err(Seen::Inconclusive(text));
                }
            }
        }
    }
    Ok(seqs)
}

/// The control where there was one; probes that need no token also run without.
pub(super) fn control_if_any(transcript: &Transcript) -> Result<Vec<u32>, Seen> {
    match decisive(transcript, "control before") {
        Some(_) => control(transcript),
        None => Ok(vec![]),
    }
}

/// The opposite of a refusal: the attempt must be accepted.
pub(super) fn let_in(transcript: &Transcript, what: &str) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let Some(exchange) = decisive(transcript, "attempt") else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    match exchange.answer() {
        Answer::Accepted(_) => Seen::Holds(format!("{what} was accepted"), vec![exchange.seq]),
        other if other.is_unavailable() => Seen::Inconclusive(format!("{what} got {other}")),
        other => Seen::Broken(format!("{what} got {other}"), vec![exchange.seq]),
    }
}

/// Every attempt must be refused. `what` names the thing that was sent.
pub(super) fn refused(transcript: &Transcript, what: &str) -> Seen {
    refused_at(transcript, &["attempt", "attempt in session"], what)
}

/// The same of attempts under these labels.
pub(super) fn refused_at(transcript: &Transcript, labels: &[&str], what: &str) -> Seen {
    if let Err(seen) = control_if_any(transcript) {
        return seen;
    }
    let mut notes = Vec::new();
    let mut seqs = Vec::new();
    for exchange in labels.iter().flat_map(|label| deciding(transcript, label)) {
        let place = exchange.label.rsplit(": ").next().unwrap_or_default();
        match exchange.answer() {
            other if other.is_unavailable() => {
                return Seen::Inconclusive(format!("{what} got {other} at `{place}`"));
            }
            Answer::Accepted(_) => {
                return Seen::Broken(format!("{what} was accepted at `{place}`"), vec![exchange.seq]);
            }
            Answer::Broke(status) => {
                let text = format!("{what} broke the server: {status} instead of 401 at `{place}`");
                return Seen::Broken(text, vec![exchange.seq]);
            }
            Answer::Denied(Denial::Unauthorized) => {}
            Answer::Denied(denial) => notes.push(format!("with {denial} where the text wants 401")),
            Answer::Redirected(status) => notes.push(format!("with a redirect, {status}")),
            Answer::Odd(_) | Answer::Silent(_) => {
                return Seen::Inconclusive(format!("{what} got {} at `{place}`", exchange.answer()));
            }
        }
        seqs.push(exchange.seq);
    }
    if seqs.is_empty() {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    }
    notes.dedup();
    let how = if notes.is_empty() { String::new() } else { format!(", {}", notes.join(", ")) };
    Seen::Holds(format!("{what} was refused{how}"), seqs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::checks::imagined::finished;
    use crate::transcript::{Body, Clock, Recorder, Secrets};

    fn record(steps: &[(&str, &str)]) -> Transcript {
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, || std::time::Duration::ZERO);
        let log = Recorder::new(clock, Secrets::default());
        for (label, status) in steps {
            let side = |start: &str, body: &str| HttpSide {
                start: start.to_owned(),
                headers: vec![],
                body: Body::Text(body.to_owned()),
            };
            let body = if *status == "200" { "{\"result\":{\"tools\":[]}}" } else { "" };
            log.note(What::Exchanged {
                label: (*label).to_owned(),
                request: side("POST http://127.0.0.1/mcp", ""),
                response: Ok(side(status, body)),
                took_ms: 1,
            });
        }
        finished(&log)
    }

    #[test]
    fn a_refusal_counts_only_between_two_good_controls() {
        let good = "control before: tools/list";
        let after = "control after: tools/list";
        let judge = |steps: &[(&str, &str)]| refused(&record(steps), "an expired token");
        let steps = [(good, "200"), ("attempt: initialize", "401"), (after, "200")];
        assert_eq!(judge(&steps), Seen::Holds("an expired token was refused".into(), vec![1]));
        let steps = [("control before: initialize", "401"), ("attempt: initialize", "401"), (after, "200")];
        assert!(matches!(judge(&steps), Seen::Inconclusive(_)));
        let steps = [(good, "200"), ("attempt: initialize", "401"), ("control after: initialize", "503")];
        assert!(matches!(judge(&steps), Seen::Inconclusive(_)));
        assert!(matches!(judge(&[(good, "200"), (after, "200")]), Seen::Inconclusive(_)));
    }

    #[test]
    fn one_open_door_is_enough() {
        let steps = [
            ("control before: tools/list", "200"),
            ("attempt: initialize", "401"),
            ("attempt in session: tools/list", "200"),
            ("control after: tools/list", "200"),
        ];
        let expected = Seen::Broken("an expired token was accepted at `tools/list`".into(), vec![2]);
        assert_eq!(refused(&record(&steps), "an expired token"), expected);
        for unavailable in ["429", "503"] {
            let steps = [("attempt: initialize", unavailable)];
            assert!(matches!(refused(&record(&steps), "garbage"), Seen::Inconclusive(_)), "{unavailable}");
        }
        let steps = [("attempt: initialize", "500")];
        assert!(matches!(refused(&record(&steps), "garbage"), Seen::Broken(..)));
    }
}
