//! Records made by hand, for tests of examinations.

use std::time::Duration;

use serde_json::{Value, json};

use super::imagined::finished;
use crate::transcript::{Body, Clock, HttpSide, Recorder, Secrets, Transcript, What};

/// One exchange: its label, `params` of the request, the status, and `result` or `error` of the answer.
pub(super) type Step<'a> = (&'a str, Value, &'a str, Value);

/// A record of these exchanges, between the controls of both personas.
pub(super) fn record(steps: &[Step<'_>]) -> Transcript {
    let tools = || json!({"result": {"tools": []}});
    let control = |label| (label, json!({}), "200", tools());
    let mut all = vec![control("control before: tools/list"), control("other before: tools/list")];
    all.extend_from_slice(steps);
    all.push(control("control after: tools/list"));
    let log =
        Recorder::new(Clock::manual(jiff::Timestamp::UNIX_EPOCH, || Duration::ZERO), Secrets::default());
    for (label, params, status, answer) in all {
        let side = |start: &str, body: &Value| HttpSide {
            start: start.to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Body::Text(body.to_string()),
        };
        log.note(What::Exchanged {
            label: label.to_owned(),
            request: side("POST http://127.0.0.1/mcp", &json!({"params": params})),
            response: Ok(side(status, &answer)),
            took_ms: 1,
        });
    }
    finished(&log)
}
