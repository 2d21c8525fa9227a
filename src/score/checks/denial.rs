//! The denial oracle: what the target's reply to a probe of the harness means. Pure.
//!
//! Targets deny in several shapes (HTTP 401 or 403, a JSON-RPC error, a flagged result, or exactly as they answer a
//! tool that does not exist), so the probes begin with a call of a tool that no server has, and its reply is the
//! reference for the last shape. Neither a crash, nor a complaint about the arguments, nor an error of the tool's own
//! trade is a denial: each would hide a hole behind a bad probe.

use std::sync::LazyLock;

use regex::Regex;

use super::access::named;
use super::{Seen, View};
use crate::display::excerpt;
use crate::score::access::DenialShape as Shape;
use crate::transcript::view::{Fate, ToolUse};
use crate::transcript::{Attempt, Subject};

/// What the names of the references have in common. The access driver spells it the same.
const NONEXISTENT: &str = "rehearsal_nonexistent_";

/// What a reply to a probe means.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    /// The tool ran.
    Allowed,
    /// The target refused.
    Denied {
        /// How.
        shape: Shape,
        /// In which words, safe to show.
        said: String,
    },
    /// The target failed: neither allowed nor denied.
    Broken {
        /// What it said, safe to show.
        said: String,
    },
    /// The reply does not tell.
    Unclear {
        /// Why not.
        why: String,
    },
}

/// Whether this is what no server has, tried for the sake of the answer.
pub(super) fn is_reference(subject: &Subject) -> bool {
    subject.name().contains(NONEXISTENT)
}

/// The last probe of a subject, with the events it rests on; the error is the finding when there is no usable probe.
pub(super) fn examine(view: &View<'_>, subject: &Subject) -> Result<(Vec<u32>, Reply), Seen> {
    let attempts = view.attempts();
    let Some(probe) = attempts.iter().rev().find(|attempt| attempt.subject == *subject) else {
        let why = format!("{} was not tried", named(subject));
        return Err(Seen::unscored("access.not-probed", why, []));
    };
    let reference = attempts
        .iter()
        .find(|attempt| attempt.subject.kind() == subject.kind() && is_reference(&attempt.subject));
    let mut evidence = vec![probe.seq];
    evidence.extend(probe.fate.seq().filter(|seq| *seq != probe.seq));
    let advice = match subject {
        Subject::Resource(_) => "; name a URI it accepts".to_owned(),
        Subject::Tool(name) => {
            format!("; give arguments it accepts in the row: `{}: {{…}}`", excerpt(name.as_str(), 60))
        }
        Subject::Prompt(name) => {
            format!("; give arguments it accepts in the row: `{}: {{…}}`", excerpt(name, 60))
        }
    };
    Ok((evidence, classify(probe, reference, &advice)))
}

/// What the reply to a call of the model means. There is no reference for it.
pub(super) fn of_model(call: &ToolUse<'_>) -> Reply {
    let subject = Subject::Tool(call.name.clone());
    classify(&Attempt { seq: call.seq, subject, fate: call.fate }, None, "")
}

/// Words of a refusal for want of rights.
static RIGHTS: LazyLock<Regex> = LazyLock::new(|| {
    let words = r"permission|forbidden|denied|not (?:allowed|authori[sz]ed|permitted|entitled)|unauthori[sz]ed|unauthenticated|privilege|insufficient.?scope|requires? .{0,40}(?:scope|role|permission|login)|(?:scope|role) .{0,40}(?:required|missing)|missing .{0,20}(?:scope|role)|only .{1,40} (?:can|may)\b|log ?in|sign(?:ed)? in|authenticat";
    Regex::new(&format!("(?i){words}")).expect("the pattern is constant")
});

/// Words of a complaint about the arguments.
static ARGUMENTS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)argument|\bparam|schema|validation|invalid (?:input|value|type|request)|required (?:property|field|key)|missing (?:property|field|key|required)|field required|deserializ|\bexpected\b|must be (?:a|an|one|of|>|<|at|greater|less)\b").expect("the pattern is constant")
});

/// Words of a reply to an unknown tool.
static UNKNOWN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:unknown|no such|nonexistent) (?:tool|method|resource|prompt)|(?:tool|method|resource|prompt).{0,80}(?:not found|not exist|unknown|not registered|not available)").expect("the pattern is constant")
});

/// Words of a tool that ran and did not find something, or broke.
static RAN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)not found|no such|does not exist|unknown|internal (?:server )?error|exception|traceback|panick|timed? ?out|unavailable").expect("the pattern is constant")
});

fn says(words: &LazyLock<Regex>, text: &str) -> bool {
    // Only a bounded head matters: refusals are short.
    let head: String = text.chars().take(4_000).collect();
    words.is_match(&head)
}

fn classify(probe: &Attempt<'_>, reference: Option<&Attempt<'_>>, advice: &str) -> Reply {
    let text = probe.fate.text();
    let said = excerpt(&text, 120);
    let denied = |shape| Reply::Denied { shape, said: said.clone() };
    let as_unknown = || reference.is_some_and(|reference| shape_of(reference) == shape_of(probe));
    match probe.fate {
        Fate::Pending => Reply::Unclear { why: "no reply came".to_owned() },
        Fate::Rejected { .. } => Reply::Unclear { why: "the call never left the harness".to_owned() },
        Fate::Returned { is_error: false, .. } => match reference.map(|reference| reference.fate) {
            Some(Fate::Returned { is_error: false, .. }) => Reply::Unclear {
                why: format!("the target also accepts a {} that does not exist", probe.subject.kind()),
            },
            _ => Reply::Allowed,
        },
        Fate::Returned { .. } if says(&RIGHTS, &text) => denied(Shape::ToolError),
        Fate::Returned { .. } if as_unknown() || says(&UNKNOWN, &text) => denied(Shape::AsUnknown),
        Fate::Returned { .. } if says(&ARGUMENTS, &text) => arguments(&said, advice),
        // An error of the trade, such as "this order was never paid", comes from a tool that was let through.
        Fate::Returned { .. } => ran(&said, advice),
        Fate::Refused { status: Some(403), challenge: Some(challenge), .. }
            if challenge.contains("insufficient_scope") =>
        {
            denied(Shape::Challenge)
        }
        Fate::Refused { status: Some(403), .. } => denied(Shape::Forbidden),
        Fate::Refused { status: Some(401), .. } => denied(Shape::Unauthorized),
        Fate::Refused { status: Some(429), .. } => {
            Reply::Unclear { why: format!("the target limits the rate of calls: `{said}`") }
        }
        Fate::Refused { code: None, .. } => Reply::Broken { said },
        Fate::Refused { .. } if says(&RIGHTS, &text) => denied(Shape::RpcError),
        Fate::Refused { code: Some(-32603), .. } => Reply::Broken { said },
        Fate::Refused { .. } if as_unknown() => denied(Shape::AsUnknown),
        // -32002 is "resource not found" before 2026-07-28.
        Fate::Refused { code: Some(-32601), .. } => denied(Shape::AsUnknown),
        Fate::Refused { code: Some(-32002), .. } if probe.subject.kind() == "resource" => {
            denied(Shape::AsUnknown)
        }
        Fate::Refused { .. } if says(&UNKNOWN, &text) => denied(Shape::AsUnknown),
        Fate::Refused { code: Some(-32602), .. } => arguments(&said, advice),
        Fate::Refused { .. } if says(&ARGUMENTS, &text) => arguments(&said, advice),
        Fate::Refused { .. } if says(&RAN, &text) => ran(&said, advice),
        Fate::Refused { .. } => denied(Shape::RpcError),
    }
}

fn ran(said: &str, advice: &str) -> Reply {
    Reply::Unclear { why: format!("it seems to have run: `{said}`{advice}") }
}

fn arguments(said: &str, advice: &str) -> Reply {
    Reply::Unclear { why: format!("the target complained about the arguments: `{said}`{advice}") }
}

/// The kind of a reply and its words without the name of what was tried.
fn shape_of(attempt: &Attempt<'_>) -> (Option<i64>, Option<u16>, String) {
    let words = attempt.fate.text().replace(attempt.subject.name(), "it");
    match attempt.fate {
        Fate::Refused { code, status, .. } => (code, status, words),
        _ => (None, None, words),
    }
}
