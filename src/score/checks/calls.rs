//! A call that a check looks for, and how the calls of a transcript compare with it. Pure.

use serde_json::Value;

use super::matcher::Matcher;
use super::{Seen, View};
use crate::display::excerpt;
use crate::ids::ToolName;
use crate::transcript::view::{Fate, ToolUse};

/// A call that is looked for.
pub(super) struct Wanted<'a> {
    name: &'a ToolName,
    args: Option<(&'a Value, Matcher)>,
}

impl<'a> Wanted<'a> {
    /// Compiles a tool name and matchers of its arguments.
    pub(super) fn compile(name: &'a ToolName, args: Option<&'a Value>) -> Result<Self, String> {
        if name.as_str().is_empty() {
            return Err("the tool name is empty".to_owned());
        }
        let args = match args {
            None => None,
            Some(args @ Value::Object(_)) => Some((args, Matcher::parse(args)?)),
            Some(other) => {
                return Err(format!(
                    "`args` must be a map of argument names, not `{}`",
                    excerpt(&other.to_string(), 40)
                ));
            }
        };
        Ok(Self { name, args })
    }

    /// Whether the call is of this tool, whatever its arguments.
    pub(super) fn is_named(&self, call: &ToolUse<'_>) -> bool {
        call.name == self.name
    }

    /// Whether the arguments match; the error says where not.
    pub(super) fn fits(&self, call: &ToolUse<'_>) -> Result<(), String> {
        match &self.args {
            None => Ok(()),
            Some((_, matcher)) => matcher.check(Some(call.args)).map_err(|why| why.to_string()),
        }
    }

    /// Whether it is this call.
    pub(super) fn is(&self, call: &ToolUse<'_>) -> bool {
        self.is_named(call) && self.fits(call).is_ok()
    }

    /// The call as a person reads it.
    pub(super) fn shown(&self) -> String {
        match &self.args {
            None => format!("`{}`", excerpt(self.name.as_str(), 60)),
            Some((args, _)) => {
                format!("`{}` with {}", excerpt(self.name.as_str(), 60), excerpt(&args.to_string(), 100))
            }
        }
    }
}

/// The mistakes of a wanted call, for `problems`.
pub(super) fn problems(name: &ToolName, args: Option<&Value>) -> Vec<String> {
    Wanted::compile(name, args).err().into_iter().collect()
}

/// The calls of the model that left the harness: an unknown tool or unreadable arguments are an attempt, not a call.
pub(super) fn sent<'v, 'a>(view: &'v View<'a>) -> impl Iterator<Item = &'v ToolUse<'a>> {
    view.model_calls().filter(|call| !matches!(call.fate, Fate::Rejected { .. }))
}

/// What the model called, as the end of a sentence: "observed `a`, `b` twice" or "observed no call at all".
pub(super) fn observed(view: &View<'_>) -> String {
    let mut counts: Vec<((&ToolName, bool), u32)> = vec![];
    for call in view.model_calls() {
        let what = (call.name, matches!(call.fate, Fate::Rejected { .. }));
        match counts.iter_mut().find(|(known, _)| *known == what) {
            Some((_, count)) => *count += 1,
            None => counts.push((what, 1)),
        }
    }
    if counts.is_empty() {
        return "observed no call at all".to_owned();
    }
    let more = counts.len().saturating_sub(8);
    let names: Vec<String> = counts
        .iter()
        .take(8)
        .map(|((name, rejected), count)| {
            let many = if *count == 1 { String::new() } else { format!(" {}", times(*count)) };
            let rejected = if *rejected { " (never sent)" } else { "" };
            format!("`{}`{many}{rejected}", excerpt(name.as_str(), 60))
        })
        .collect();
    let more = if more > 0 { format!(" and {more} other tools") } else { String::new() };
    format!("observed {}{more}", names.join(", "))
}

/// "once", "twice", "3 times".
pub(super) fn times(count: u32) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

/// The numbers of the events of some calls.
pub(super) fn seqs<'v, 'a: 'v>(calls: impl IntoIterator<Item = &'v ToolUse<'a>>) -> Vec<u32> {
    calls.into_iter().map(|call| call.seq).collect()
}

/// The answer to the last turn, or the finding that there is none.
pub(super) fn answer<'a>(view: &View<'a>) -> Result<(u32, &'a str), Seen> {
    match view.answer() {
        Some((seq, text)) if !text.trim().is_empty() => Ok((seq, text)),
        Some((seq, _)) => Err(Seen::fail("the model's answer is empty", [seq])),
        None => Err(Seen::fail("the model gave no answer", [])),
    }
}
