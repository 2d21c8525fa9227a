//! Records that tests imagine, to see what examinations make of them.

use super::Seen;
use crate::ids::{CaseKey, CaseName, ClientName, Digest, PersonaName, SuiteName};
use crate::transcript::{
    Body, CaseHeader, CaseKind, Clock, End, HttpSide, Recorder, Secrets, Transcript, What,
};

/// A result that lists no tool.
pub(super) const LISTED: &str = r#"{"result":{"tools":[]}}"#;

/// One exchange: its label, the body that was sent, the status (empty: no answer), one header, the body that came.
#[derive(Clone, Copy, Default)]
pub(super) struct Step<'a> {
    pub(super) label: &'a str,
    pub(super) sent: &'a str,
    pub(super) status: &'a str,
    pub(super) header: Option<(&'a str, &'a str)>,
    pub(super) body: &'a str,
}

/// An exchange with an answer.
pub(super) fn step<'a>(label: &'a str, status: &'a str, body: &'a str) -> Step<'a> {
    Step { label, status, body, ..Step::default() }
}

impl<'a> Step<'a> {
    /// The same with a header in the answer.
    pub(super) fn with(self, name: &'a str, value: &'a str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// The same after this was sent.
    pub(super) fn after(self, sent: &'a str) -> Self {
        Self { sent, ..self }
    }
}

/// The record of these exchanges.
pub(super) fn record(steps: &[Step<'_>]) -> Transcript {
    let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, || std::time::Duration::ZERO);
    let log = Recorder::new(clock, Secrets::default());
    for step in steps {
        let side = |start: &str, headers, body: &str| HttpSide {
            start: start.to_owned(),
            headers,
            body: Body::Text(body.to_owned()),
        };
        let headers = step.header.map(|(name, value)| (name.to_owned(), value.to_owned()));
        log.note(What::Exchanged {
            label: step.label.to_owned(),
            request: side("POST http://127.0.0.1:1/mcp", vec![], step.sent),
            response: match step.status {
                "" => Err(step.body.to_owned()),
                status => Ok(side(status, headers.into_iter().collect(), step.body)),
            },
            took_ms: 1,
        });
    }
    finished(&log)
}

/// The record of a case that ended well.
pub(crate) fn finished(log: &Recorder) -> Transcript {
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
        origin: crate::diag::Origin { file: "s.yaml".into(), line: 1, column: 1 },
    };
    log.finish(header, End::Done)
}

/// What an examination makes of these exchanges between two uses of the good token, in a word and its reason.
pub(super) fn between(examine: fn(&Transcript) -> Seen, steps: &[Step<'_>]) -> String {
    let control = |label| step(label, "200", LISTED);
    let all =
        [&[control("control before: tools/list")], steps, &[control("control after: tools/list")]].concat();
    told(&examine(&record(&all)))
}

/// What was seen, in a word and its reason.
pub(super) fn told(seen: &Seen) -> String {
    match seen {
        Seen::Holds(why, _) => format!("holds: {why}"),
        Seen::Broken(why, _) => format!("broken: {why}"),
        Seen::DoesNotApply(why) => format!("does not apply: {why}"),
        Seen::Inconclusive(why) => format!("inconclusive: {why}"),
    }
}
