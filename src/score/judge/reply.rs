//! The judge's reply to one decision per question. Pure.
//!
//! Nothing is searched for in the reply: it is one JSON object of the agreed shape, or it says nothing. Everything
//! doubtful is unsure, never yes.

use serde::Deserialize;

use super::prompt::{COUNTER, DECOY, Frame};
use crate::display::excerpt;

/// The longest reply that is read, in bytes.
const LONGEST: usize = 200_000;

/// What the judge decided about one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The statement holds.
    Yes(Ground),
    /// It does not.
    No(Ground),
    /// It is not decided, with a stable code such as `judge.unsure`.
    Unsure {
        /// Why, as a code.
        code: &'static str,
        /// Why, for a person; safe to show.
        why: String,
    },
}

/// What a decision rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// Events that the judge cited and that were shown to it.
    pub evidence: Vec<u32>,
    /// Its reason, bounded and safe to show.
    pub reason: String,
}

/// The reply as a whole is worthless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Why, as a code.
    pub code: &'static str,
    /// Why, for a person; safe to show.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    canary: String,
    verdicts: Vec<One>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    id: String,
    verdict: Word,
    evidence: Vec<i64>,
    reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Yes,
    No,
    Unsure,
}

/// Reads a reply: one decision per id, in the order asked.
pub fn read(text: &str, ids: &[&str], frame: &Frame, shown: &[u32]) -> Result<Vec<Decision>, Broken> {
    let broken = |code, why: &str| Err(Broken { code, why: why.to_owned() });
    if text.len() > LONGEST {
        return broken("judge.unreadable", "the judge's reply is too long");
    }
    let text = bare(text);
    // Serde would read a struct from a list as well.
    if !text.starts_with('{') {
        return broken("judge.unreadable", "the judge's reply is not a JSON object");
    }
    let reply: Reply = match serde_json::from_str(text) {
        Ok(reply) => reply,
        Err(error) => {
            let why =
                format!("the judge's reply is not the agreed JSON: {}", excerpt(&error.to_string(), 120));
            return Err(Broken { code: "judge.unreadable", why });
        }
    };
    if reply.canary != frame.canary {
        return broken("judge.canary", "the judge did not echo the token it was given");
    }
    let of = |id: &str| reply.verdicts.iter().filter(|one| one.id == id).collect::<Vec<_>>();
    if !matches!(of(DECOY)[..], [One { verdict: Word::Yes, .. }])
        || !matches!(of(COUNTER)[..], [One { verdict: Word::No | Word::Unsure, .. }])
    {
        return broken("judge.decoy", "the judge got a question wrong whose answer is known");
    }
    let known = |one: &One| ids.contains(&one.id.as_str()) || one.id == DECOY || one.id == COUNTER;
    if let Some(stray) = reply.verdicts.iter().find(|one| !known(one)) {
        let why = format!("the judge decided `{}`, which was not asked", excerpt(&stray.id, 40));
        return Err(Broken { code: "judge.ids", why });
    }
    Ok(ids.iter().map(|id| decide(&of(id), shown)).collect())
}

fn decide(verdicts: &[&One], shown: &[u32]) -> Decision {
    let unsure = |code, why: String| Decision::Unsure { code, why };
    let one = match verdicts {
        [one] => one,
        [] => return unsure("judge.ids", "the judge left this criterion out".to_owned()),
        more => return unsure("judge.ids", format!("the judge decided this criterion {} times", more.len())),
    };
    let reason = excerpt(one.reason.trim(), 200);
    let resolve = |number: &i64| u32::try_from(*number).ok().filter(|seq| shown.binary_search(seq).is_ok());
    let evidence: Vec<u32> = one.evidence.iter().take(1_000).filter_map(resolve).collect();
    match one.verdict {
        Word::Unsure => unsure("judge.unsure", format!("the judge is unsure: {reason}")),
        Word::Yes if evidence.is_empty() => {
            unsure("judge.evidence", format!("the judge says yes but cites no event: {reason}"))
        }
        Word::Yes if evidence.len() < one.evidence.len() => unsure(
            "judge.evidence",
            format!("the judge says yes but cites events it was not shown: {reason}"),
        ),
        Word::Yes => Decision::Yes(Ground { evidence, reason }),
        Word::No => Decision::No(Ground { evidence, reason }),
    }
}

/// The reply without the fence that some models put around the whole of it.
fn bare(text: &str) -> &str {
    let text = text.trim();
    let inner = || {
        let inner = text.strip_prefix("```")?.strip_suffix("```")?;
        Some(inner.strip_prefix("json").unwrap_or(inner).trim())
    };
    inner().unwrap_or(text)
}
