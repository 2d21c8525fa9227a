//! Transcripts with every kind of event.

#![allow(dead_code, reason = "each test file uses a part of it")]

use rehearsal::diag::Origin;
use rehearsal::ids::{Digest, ScoreKey};
use rehearsal::score::{Finding, Grade, Verdict, Weight};
use rehearsal::transcript::Subject;
use rehearsal::transcript::event::{AuthMessage, Caller, Refused};
use rehearsal::transcript::{
    Body, CaseKind, End, Event, Fault, HttpSide, SCHEMA, ServerFacts, Side, ToolCall, ToolFact, Transcript,
    Usage, What, WireMessage,
};
use serde_json::{Value, json};

use crate::golden::{FILE, HOSTILE, Trial};

fn all(words: &str) -> Vec<What> {
    let side = |start: &str| HttpSide {
        start: start.to_owned(),
        headers: vec![("x-note".to_owned(), words.to_owned())],
        body: Body::Text(words.to_owned()),
    };
    let call =
        |id: &str| ToolCall { id: id.into(), name: words.into(), args: json!({"id": 1042, words: words}) };
    let said = |text: Option<&str>, calls| What::ModelSaid {
        text: text.map(str::to_owned),
        reasoning: Some(words.to_owned()),
        calls,
        usage: Usage { input: 310, output: 25, ..Usage::default() },
        cost: Some(0.0012),
        model_id: Some(words.to_owned()),
        stop: words.to_owned(),
        refused: false,
        took_ms: 120,
        first_token_ms: None,
    };
    vec![
        What::ServerOpened(ServerFacts {
            name: words.to_owned(),
            version: "1.0".to_owned(),
            protocol: "2025-11-25".to_owned(),
            capabilities: json!({}),
            instructions: Some(words.to_owned()),
        }),
        What::ToolsListed {
            tools: vec![ToolFact { name: words.into(), raw: json!({"name": words}).into() }],
        },
        What::UserSaid { text: words.to_owned(), simulated: false },
        What::ModelAsked { offered: vec![words.into()], messages: 2, request: "00".to_owned() },
        What::ModelAttemptFailed {
            attempt: 1,
            status: Some(429),
            message: words.to_owned(),
            wait_ms: Some(50),
        },
        said(None, vec![call("c1")]),
        What::ToolCalled {
            call: "c1".into(),
            name: words.into(),
            args: json!({"id": 1042}),
            by: Caller::Model,
        },
        What::Wire(WireMessage::Sent {
            via: "POST".to_owned(),
            headers: vec![],
            body: Body::Text(words.to_owned()),
        }),
        What::Wire(WireMessage::Received {
            via: "json".to_owned(),
            status: Some(200),
            headers: vec![],
            frame: None,
            of: None,
            body: Body::Text(words.to_owned()),
        }),
        What::ToolReturned {
            call: "c1".into(),
            content: vec![json!({"type": "text", "text": words})],
            structured: None,
            is_error: false,
            bytes: 210,
            cut_by_client: None,
            took_ms: 8,
        },
        What::ToolRefused {
            call: "c2".into(),
            code: Some(-32602),
            status: Some(403),
            message: words.to_owned(),
            challenge: Some(words.to_owned()),
            took_ms: 3,
        },
        What::FeaturesListed {
            resources: vec![words.to_owned()],
            templates: vec![words.to_owned()],
            prompts: vec![words.to_owned()],
        },
        What::Fetched {
            subject: Subject::Resource(words.to_owned()),
            args: Value::Null,
            refused: Some(Refused {
                code: Some(-32002),
                status: None,
                message: words.to_owned(),
                challenge: None,
            }),
            took_ms: 3,
        },
        What::IdentityChanged { to: words.into() },
        What::ToolRejected { call: "c3".into(), name: words.into(), message: words.to_owned() },
        What::ServerAsked { method: words.to_owned(), params: json!({"q": words}), answered: json!({}) },
        What::ServerNoted { method: words.to_owned(), params: json!({"n": words}) },
        What::ServerOdd { message: words.to_owned() },
        What::ServerStderr { text: words.to_owned() },
        What::Exchanged {
            label: words.to_owned(),
            request: side("GET http://127.0.0.1/mcp"),
            response: Ok(side("401")),
            took_ms: 4,
        },
        What::Exchanged {
            label: words.to_owned(),
            request: side("GET http://127.0.0.1/mcp"),
            response: Err(words.to_owned()),
            took_ms: 4,
        },
        What::StepRan {
            phase: "verify".to_owned(),
            about: words.to_owned(),
            result: json!(words),
            ok: false,
        },
        What::ServerAsked {
            method: "elicitation/create".to_owned(),
            params: json!({"message": words, "requestedSchema": {"properties": {words: {"title": words}}}}),
            answered: json!({"action": words, "content": {words: words}}),
        },
        What::SamplingAnswered {
            model: words.into(),
            text: Some(words.to_owned()),
            calls: vec![],
            usage: Usage { input: 20, output: 4, ..Usage::default() },
            cost: Some(0.0001),
            model_id: None,
            stop: words.to_owned(),
            took_ms: 90,
        },
        What::AnswerOdd { method: words.to_owned(), message: words.to_owned() },
        What::Auth(AuthMessage::Sent { request: side("POST https://as.example/token") }),
        What::Auth(AuthMessage::Received {
            to: "POST https://as.example/token".to_owned(),
            answer: Ok(side("200")),
            took_ms: 12,
        }),
        What::Auth(AuthMessage::Received {
            to: "GET https://as.example/".to_owned(),
            answer: Err(words.to_owned()),
            took_ms: 5,
        }),
        What::Auth(AuthMessage::Noted { message: words.to_owned() }),
        said(Some(words), vec![]),
    ]
}

pub(crate) fn transcript(words: &str, end: End) -> Transcript {
    let header = Trial::new(CaseKind::Use, "late-order", "customer", 1).0.header;
    let events = all(words).into_iter().zip(0..).map(|(what, seq)| Event {
        seq,
        at_ms: u64::from(seq) * 30,
        what,
        aside: None,
    });
    Transcript {
        schema: SCHEMA,
        header,
        started: "2026-11-21T09:00:00Z".to_owned(),
        events: events.collect(),
        end,
        took_ms: 412,
    }
}

/// One of each event, with harmless words, and its verdict.
pub(crate) fn golden() -> (Transcript, Verdict) {
    let transcript = transcript("Your order is on its way.", End::Done);
    let at = |line| Origin { file: FILE.into(), line, column: 9 };
    let finding = |check: &str, grade, why: &str, weight, line| Finding {
        check: check.to_owned(),
        grade,
        why: why.to_owned(),
        evidence: vec![6, 9],
        origin: at(line),
        weight,
        sights: vec![],
        ruling: None,
    };
    let unsure = Fault::new(Side::Judge, "judge.unsure", "unsure");
    let findings = vec![
        finding("tool_called", Grade::Pass, "`get_order` was called", Weight::Must, 7),
        finding("answer_contains", Grade::Fail, "expected `28 November`", Weight::Must, 8),
        finding("criterion", Grade::Unscored(unsure), "the judge is unsure", Weight::Info, 9),
    ];
    (transcript, Verdict { score_key: ScoreKey(Digest::none()), findings })
}

/// One of each event, every word hostile.
pub(crate) fn hostile() -> Transcript {
    let mut transcript = transcript(HOSTILE, End::Faulted(Fault::new(Side::Server, HOSTILE, HOSTILE)));
    transcript.started = HOSTILE.to_owned();
    transcript.header.case = HOSTILE.into();
    transcript.header.persona = HOSTILE.into();
    transcript.header.origin.file = HOSTILE.into();
    transcript
}
