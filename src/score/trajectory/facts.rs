//! What stands out in the calls of one trial, kept beside it so that no report has to read transcripts again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MadeCall, canonical, error_recovery, redundant_calls};
use crate::transcript::view::{Fate, ToolUse};
use crate::transcript::{End, ToolFact, View, What};

/// How a model got to its answer. Diagnostic: no outcome rests on it unless a check of the suite says so.
///
/// As JSON, what is 0, false or empty is left out, but for the turns: there is one of these for each trial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trajectory {
    /// Answers of the model, those that only call tools included.
    pub turns: u32,
    /// Calls that failed: flagged results, refusals, and calls that never left the client.
    #[serde(skip_serializing_if = "none")]
    pub errors: u32,
    /// Of these, those after which the same tool succeeded.
    #[serde(skip_serializing_if = "none")]
    pub recovered: u32,
    /// Calls that a successful read-only call had made before, with no call between that may have changed the server.
    #[serde(skip_serializing_if = "none")]
    pub redundant: u32,
    /// Names that it called and no list of the trial held, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// Whether it made one call, same tool and same arguments, three times or more.
    #[serde(skip_serializing_if = "none")]
    pub looped: bool,
    /// Whether it ended without a final text, through no fault of ours.
    #[serde(skip_serializing_if = "none")]
    pub no_answer: bool,
    /// Bytes of the longest list of tools of the trial, as JSON; 0 when none was seen.
    #[serde(skip_serializing_if = "none")]
    pub list_bytes: u64,
    /// Bytes of all results of its calls, as received.
    #[serde(skip_serializing_if = "none")]
    pub result_bytes: u64,
    /// Bytes of the largest of them.
    #[serde(skip_serializing_if = "none")]
    pub largest_result: u64,
}

fn none<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Calls alike from which a trial goes in circles.
const CIRCLE: usize = 3;
/// Most unknown names kept, and most bytes of each.
const NAMES: usize = 20;
const NAME_BYTES: usize = 200;

impl Trajectory {
    /// Reads it from a transcript.
    pub fn of(view: &View<'_>) -> Self {
        let calls: Vec<&ToolUse<'_>> = view.model_calls().collect();
        let listed = listed(view);
        let results: Vec<u64> = calls
            .iter()
            .filter_map(|call| match call.fate {
                Fate::Returned { bytes, .. } => Some(bytes),
                Fate::Refused { .. } | Fate::Rejected { .. } | Fate::Pending => None,
            })
            .collect();
        let recovery = error_recovery(
            &calls
                .iter()
                .filter(|call| !matches!(call.fate, Fate::Pending))
                .map(|call| (call.name.as_str(), !call.fate.failed()))
                .collect::<Vec<_>>(),
        );
        Self {
            turns: view.model_turns(),
            errors: small(recovery.errors),
            recovered: small(recovery.recovered),
            redundant: small(redundant(&calls, &listed)),
            unknown: unknown(&calls, &listed),
            looped: loops(&calls),
            no_answer: ended(view) && view.answer().is_none_or(|(_, text)| text.trim().is_empty()),
            list_bytes: list_bytes(view),
            result_bytes: results.iter().sum(),
            largest_result: results.into_iter().max().unwrap_or(0),
        }
    }

    /// Whether anything stands out.
    pub fn stands_out(&self) -> bool {
        self.errors > 0 || self.redundant > 0 || !self.unknown.is_empty() || self.looped || self.no_answer
    }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Whether the model came to its end or used up a limit of the case; what was cut off says nothing.
fn ended(view: &View<'_>) -> bool {
    matches!(view.end(), End::Done | End::OutOf(_)) && view.model_turns() > 0
}

/// Every tool that any list of the trial held.
fn listed<'a>(view: &View<'a>) -> BTreeMap<&'a str, &'a ToolFact> {
    let lists = view.transcript().events.iter().filter_map(|event| match &event.what {
        What::ToolsListed { tools } => Some(tools),
        _ => None,
    });
    lists.flatten().map(|tool| (tool.name.as_str(), tool)).collect()
}

fn list_bytes(view: &View<'_>) -> u64 {
    let lists = view.transcript().events.iter().filter_map(|event| match &event.what {
        What::ToolsListed { tools } => {
            Some(tools.iter().map(|tool| written_bytes(&tool.raw)).sum::<u64>())
        }
        _ => None,
    });
    lists.max().unwrap_or(0)
}

/// The length of a value's JSON text, without the text.
fn written_bytes(value: &Value) -> u64 {
    struct Length(u64);
    impl std::io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut length = Length(0);
    // Counting cannot fail, and a plain value always serialises.
    let _ = serde_json::to_writer(&mut length, value);
    length.0
}

/// Wasted calls. Trying again after a failure wastes nothing: it had told nothing yet.
fn redundant(calls: &[&ToolUse<'_>], listed: &BTreeMap<&str, &ToolFact>) -> usize {
    let made = calls.iter().filter(|call| !matches!(call.fate, Fate::Rejected { .. })).filter_map(|call| {
        let mutates = !listed.get(call.name.as_str()).is_some_and(|tool| reads_only(tool));
        (mutates || !call.fate.failed()).then(|| MadeCall {
            tool: call.name.as_str(),
            arguments: call.args,
            mutates,
        })
    });
    redundant_calls(&made.collect::<Vec<_>>())
}

fn reads_only(tool: &ToolFact) -> bool {
    tool.raw.pointer("/annotations/readOnlyHint") == Some(&serde_json::Value::Bool(true))
}

/// Names that no list held. Without any list nothing is known to be absent.
fn unknown(calls: &[&ToolUse<'_>], listed: &BTreeMap<&str, &ToolFact>) -> Vec<String> {
    if listed.is_empty() {
        return vec![];
    }
    let names: BTreeSet<&str> =
        calls.iter().map(|call| call.name.as_str()).filter(|name| !listed.contains_key(name)).collect();
    let short = |name: &str| name.chars().take(NAME_BYTES / 4).collect::<String>();
    names.into_iter().take(NAMES).map(short).collect()
}

fn loops(calls: &[&ToolUse<'_>]) -> bool {
    let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
    calls.iter().any(|call| {
        let count = counts.entry((call.name.as_str(), canonical(call.args))).or_default();
        *count += 1;
        *count >= CIRCLE
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::diag::Origin;
    use crate::ids::{CaseKey, Digest};
    use crate::transcript::event::Caller;
    use crate::transcript::{CaseHeader, CaseKind, Event, SCHEMA, Transcript, Usage};

    fn header() -> CaseHeader {
        CaseHeader {
            key: CaseKey { question: Digest::none(), model: Digest::none(), trial: 1 },
            suite: "s".into(),
            case: "c".into(),
            kind: CaseKind::Use,
            model: Some("m".into()),
            persona: "p".into(),
            client: "reference".into(),
            trial: 1,
            tags: vec![],
            origin: Origin { file: "s.yaml".into(), line: 1, column: 1 },
        }
    }

    fn listed() -> What {
        let tool = |name: &str, reads: bool| ToolFact {
            name: name.into(),
            raw: json!({"name": name, "annotations": {"readOnlyHint": reads}}).into(),
        };
        What::ToolsListed { tools: vec![tool("get", true), tool("put", false)] }
    }

    fn said(text: Option<&str>) -> What {
        What::ModelSaid {
            text: text.map(str::to_owned),
            reasoning: None,
            calls: vec![],
            usage: Usage::default(),
            cost: None,
            model_id: None,
            stop: "end".to_owned(),
            refused: false,
            took_ms: 1,
            first_token_ms: None,
        }
    }

    /// A trial of these calls (tool, argument, whether it succeeds), then an answer.
    fn trial(calls: &[(&str, u64, bool)], answer: Option<&str>, end: End) -> Trajectory {
        let mut what = vec![What::UserSaid { text: "?".to_owned(), simulated: false }, listed()];
        for (number, (name, id, succeeds)) in calls.iter().enumerate() {
            let call = format!("c{number}").as_str().into();
            let args = json!({"id": id});
            what.push(What::ToolCalled { call, name: (*name).into(), args, by: Caller::Model });
            what.push(What::ToolReturned {
                call: format!("c{number}").as_str().into(),
                content: vec![Value::Null],
                structured: None,
                is_error: !succeeds,
                bytes: 100 * (number as u64 + 1),
                cut_by_client: None,
                took_ms: 1,
            });
        }
        what.push(said(answer));
        let events = (0..).zip(what).map(|(seq, what)| Event { seq, at_ms: 0, what, aside: None }).collect();
        let started = String::new();
        let transcript = Transcript { schema: SCHEMA, header: header(), started, events, end, took_ms: 1 };
        Trajectory::of(&View::of(&transcript))
    }

    #[test]
    fn a_straight_way_stands_out_in_nothing() {
        let found = trial(&[("get", 1, true), ("put", 1, true), ("get", 1, true)], Some("done"), End::Done);
        assert!(!found.stands_out(), "reading again after a change is not wasted: {found:?}");
        assert_eq!((found.turns, found.result_bytes, found.largest_result), (1, 600, 300));
        assert!(found.list_bytes > 50);
    }

    #[test]
    fn failures_are_recovered_by_the_same_tool_or_not() {
        let found = trial(&[("get", 1, false), ("put", 2, false), ("get", 2, true)], Some("done"), End::Done);
        assert_eq!((found.errors, found.recovered, found.redundant), (2, 1, 0));
    }

    #[test]
    fn repeated_reads_are_wasted_and_three_alike_are_a_circle() {
        let twice = trial(&[("get", 1, true), ("get", 1, true)], Some("done"), End::Done);
        assert_eq!((twice.redundant, twice.looped), (1, false));
        let retried = trial(&[("get", 1, false), ("get", 1, true)], Some("done"), End::Done);
        assert_eq!((retried.redundant, retried.recovered), (0, 1));
        let circle = trial(
            &[("put", 1, false), ("get", 1, true), ("put", 1, false), ("put", 1, false)],
            None,
            End::Done,
        );
        assert!(circle.looped);
        assert!(!trial(&[("put", 1, true), ("put", 2, true), ("put", 3, true)], Some("x"), End::Done).looped);
    }

    #[test]
    fn names_that_no_list_held_are_made_up() {
        let found =
            trial(&[("get", 1, true), ("fetch", 1, false), ("fetch", 2, false)], Some("done"), End::Done);
        assert_eq!(found.unknown, ["fetch"]);
        assert_eq!(trial(&[("get", 1, true)], Some("done"), End::Done).unknown, [""; 0]);
    }

    #[test]
    fn an_end_without_a_text_is_no_answer_unless_it_was_cut_off() {
        assert!(trial(&[], None, End::Done).no_answer);
        assert!(trial(&[], Some("  "), End::Done).no_answer);
        assert!(!trial(&[], Some("done"), End::Done).no_answer);
        assert!(!trial(&[], None, End::Interrupted).no_answer);
    }

    #[test]
    fn files_of_older_versions_lack_it_and_newer_ones_may_add() {
        let old: Trajectory = serde_json::from_value(json!({"turns": 2, "later": 1})).unwrap();
        assert_eq!(old, Trajectory { turns: 2, ..Trajectory::default() });
        assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"turns":2}"#);
    }
}
