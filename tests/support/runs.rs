//! Small made-up runs: manifest, plan, transcripts, verdicts. Deterministic, without a clock.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use rehearsal::diag::Origin;
use rehearsal::ids::{CaseKey, Digest, ScoreKey};
use rehearsal::plan::{Planned, Selection};
use rehearsal::score::{Finding, Grade, Outcome, Verdict, Weight};
use rehearsal::store::record::{Manifest, SCHEMA};
use rehearsal::suite::{GatePolicy, InstrumentUse};
use rehearsal::transcript::event::Caller;
use rehearsal::transcript::{
    CaseHeader, CaseKind, End, Event, Fault, Side, ToolCall, Transcript, Usage, What,
};
use serde_json::json;

pub(crate) fn manifest(run: &str) -> Manifest {
    Manifest {
        schema: SCHEMA,
        run: run.into(),
        version: "0.1.0".to_owned(),
        suite: "bookshop".into(),
        file: "suites/bookshop.yaml".to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        seed: 7,
        selection: Selection::default(),
        shard: None,
        instruments: vec![InstrumentUse {
            kind: "model".to_owned(),
            name: "lexical".to_owned(),
            from: "embedded".to_owned(),
            digest: Digest::of(b"lexical"),
        }],
        gate: GatePolicy::default(),
        judge: Some("scripted-judge".to_owned()),
        judging: None,
        target: "rehearsal demo-server".to_owned(),
        url: None,
        surfaces: vec![],
        surface: None,
        clients: vec![],
        flaw: None,
        tapes: vec![],
        expects: BTreeMap::new(),
        weaknesses: vec![],
        inputs: BTreeMap::from([("suites/bookshop.yaml".to_owned(), "version: 1\n".to_owned())]),
    }
}

pub(crate) fn key(number: u32) -> CaseKey {
    CaseKey { question: Digest::of(&number.to_le_bytes()), model: Digest::of(b"lexical"), trial: 1 }
}

pub(crate) fn origin(line: u32) -> Origin {
    Origin { file: Arc::from("suites/bookshop.yaml"), line, column: 5 }
}

pub(crate) fn header(number: u32) -> CaseHeader {
    CaseHeader {
        key: key(number),
        suite: "bookshop".into(),
        case: format!("case-{number:05}").as_str().into(),
        kind: CaseKind::Use,
        model: Some("lexical".into()),
        persona: "customer".into(),
        client: "reference".into(),
        trial: 1,
        tags: vec!["orders".to_owned()],
        origin: origin(number + 1),
    }
}

pub(crate) fn planned(count: u32) -> Vec<Planned> {
    let plan = |number| Planned {
        header: header(number),
        score_key: ScoreKey(Digest::of(b"score")),
        expected_failure: None,
        confirms: false,
    };
    (0..count).map(plan).collect()
}

fn said(text: Option<&str>, calls: Vec<ToolCall>) -> What {
    What::ModelSaid {
        text: text.map(str::to_owned),
        reasoning: None,
        calls,
        usage: Usage { input: 100, output: 20, cached: 10, reasoning: 0, reported: true, ..Usage::default() },
        cost: Some(0.25),
        model_id: Some("lexical-1".to_owned()),
        stop: "end".to_owned(),
        refused: false,
        took_ms: 3,
        first_token_ms: None,
    }
}

/// Two model responses, two tool calls of which one never left, an answer.
pub(crate) fn transcript(number: u32, end: End) -> Transcript {
    let args = json!({"id": 1042, "ä": [1.5, null]});
    let call = |id: &str, name: &str| ToolCall { id: id.into(), name: name.into(), args: args.clone() };
    let what = vec![
        What::UserSaid { text: format!("Where is my order {number}?"), simulated: false },
        said(None, vec![call("c1", "get_order"), call("c2", "no_such_tool")]),
        What::ToolCalled {
            call: "c1".into(),
            name: "get_order".into(),
            args: args.clone(),
            by: Caller::Model,
        },
        What::ToolReturned {
            call: "c1".into(),
            content: vec![json!({"type": "text", "text": "shipped ".repeat(40)})],
            structured: None,
            is_error: false,
            bytes: 40,
            cut_by_client: None,
            took_ms: 2,
        },
        What::ToolRejected {
            call: "c2".into(),
            name: "no_such_tool".into(),
            message: "there is no such tool".to_owned(),
        },
        said(Some("It comes on 28 November."), vec![]),
    ];
    let events = (0..)
        .zip(what)
        .map(|(seq, what)| Event { seq, at_ms: u64::from(seq) * 2, what, aside: None })
        .collect();
    let started = "2026-01-01T00:00:01Z".to_owned();
    Transcript {
        schema: rehearsal::transcript::SCHEMA,
        header: header(number),
        started,
        events,
        end,
        took_ms: 12,
    }
}

pub(crate) fn verdict(outcome: Outcome) -> Verdict {
    let grade = match outcome {
        Outcome::Pass => Grade::Pass,
        Outcome::Fail => Grade::Fail,
        Outcome::Invalid => Grade::Unscored(Fault::new(Side::Judge, "judge.unreadable", "no answer")),
    };
    let finding = Finding {
        check: "tool_called".to_owned(),
        grade,
        why: "`get_order` was called once".to_owned(),
        evidence: vec![2],
        origin: origin(30),
        weight: Weight::Must,
        sights: vec![],
        ruling: None,
    };
    Verdict { score_key: ScoreKey(Digest::of(b"score")), findings: vec![finding] }
}
