//! Records made by hand, for tests of examinations.

use std::time::Duration;

use serde_json::{Value, json};

use crate::diag::Origin;
use crate::ids::{CaseKey, CaseName, ClientName, Digest, PersonaName, SuiteName};
use crate::transcript::{
    Body, CaseHeader, CaseKind, Clock, End, HttpSide, Recorder, Secrets, Transcript, What,
};

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
    let header = CaseHeader {
        key: CaseKey { question: Digest::none(), model: Digest::none(), trial: 1 },
        suite: SuiteName::from("s"),
        case: CaseName::from("c"),
        kind: CaseKind::Auth,
        model: None,
        persona: PersonaName::from("p"),
        client: ClientName::from("reference"),
        trial: 1,
        tags: vec![],
        origin: Origin { file: "s.yaml".into(), line: 1, column: 1 },
    };
    log.finish(header, End::Done)
}
