//! A request or notification of the server that a check looks for, and how those of a transcript compare. Pure.

use serde_json::Value;

use super::Seen;
use super::calls::times;
use super::matcher::Matcher;
use super::tool_called::Times;
use crate::diag::suggest;
use crate::display::excerpt;
use crate::transcript::view::Asked;

/// What servers may ask of clients (2025-11-25, schema `ServerRequest`).
pub(super) const REQUESTS: &[&str] = &["elicitation/create", "sampling/createMessage", "roots/list", "ping"];

/// What servers may tell clients (2025-11-25, schema `ServerNotification`).
pub(super) const NOTES: &[&str] = &[
    "notifications/progress",
    "notifications/message",
    "notifications/cancelled",
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
    "notifications/elicitation/complete",
    "notifications/tasks/status",
];

/// What is looked for, as a check writes it.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) method: &'a str,
    pub(super) params: Option<&'a Value>,
    pub(super) answered: Option<&'a Value>,
}

/// What is looked for, compiled.
pub(super) struct Wanted<'a> {
    written: Written<'a>,
    params: Option<Matcher>,
    answered: Option<Matcher>,
}

impl<'a> Wanted<'a> {
    /// Compiles the matchers; every mistake is one sentence. A method that nobody knows is a mistake where a known one
    /// is near, or where it could be no method: a check of a misspelt method would say nothing.
    pub(super) fn compile(written: Written<'a>, known: &[&str]) -> Result<Self, Vec<String>> {
        let mut problems = vec![];
        let method = written.method;
        let near = suggest::nearest(method, known.iter().copied()).is_some();
        if !known.contains(&method) && (near || !method.contains('/')) {
            let hint = suggest::hint(method, known.iter().copied());
            problems.push(format!("`{}` is no method of a server; {hint}", excerpt(method, 60)));
        }
        let mut compile = |key: &str, value: Option<&Value>| {
            let value = value?;
            if !value.is_object() {
                problems.push(format!("`{key}` must be a map of matchers"));
                return None;
            }
            Matcher::parse(value).map_err(|problem| problems.push(problem)).ok()
        };
        let (params, answered) = (compile("params", written.params), compile("answered", written.answered));
        if problems.is_empty() { Ok(Self { written, params, answered }) } else { Err(problems) }
    }

    fn is_named(&self, asked: &Asked<'_>) -> bool {
        asked.method == self.written.method
    }

    /// Whether it matches; the error says where not.
    fn fits(&self, asked: &Asked<'_>) -> Result<(), String> {
        if let Some(params) = &self.params {
            params.check(Some(asked.params)).map_err(|why| why.to_string())?;
        }
        match &self.answered {
            None => Ok(()),
            Some(answered) => answered.check(asked.answered).map_err(|why| format!("the answer: {why}")),
        }
    }

    fn is(&self, asked: &Asked<'_>) -> bool {
        self.is_named(asked) && self.fits(asked).is_ok()
    }

    fn shown(&self) -> String {
        let part = |word: &str, value: Option<&Value>| {
            value.map(|value| format!(" {word} {}", excerpt(&value.to_string(), 100))).unwrap_or_default()
        };
        let Written { method, params, answered } = self.written;
        format!("`{}`{}{}", excerpt(method, 60), part("with", params), part("answered with", answered))
    }

    /// Whether it happened so many times, at least once when nothing is said.
    pub(super) fn happened(&self, all: &[Asked<'_>], wanted: Option<Times>) -> Seen {
        let fitting: Vec<u32> = all.iter().filter(|asked| self.is(asked)).map(|asked| asked.seq).collect();
        let (shown, count) = (self.shown(), fitting.len() as u32);
        if let Some(wanted) = wanted {
            let why = format!("expected {shown} {}, observed {count}", wanted.shown());
            return Seen::when(wanted.allow(count), why, fitting);
        }
        if count > 0 {
            return Seen::pass(format!("the server sent {shown} {}", times(count)), fitting);
        }
        let near: Vec<&Asked<'_>> = all.iter().filter(|asked| self.is_named(asked)).collect();
        let seqs: Vec<u32> = near.iter().map(|asked| asked.seq).collect();
        match near.last().and_then(|asked| self.fits(asked).err()) {
            Some(why) => {
                let many = times(near.len() as u32);
                let last = if near.len() == 1 { "" } else { ", the last" };
                Seen::fail(format!("expected {shown}; it was sent {many}{last} otherwise: {why}"), seqs)
            }
            None => Seen::fail(format!("expected {shown}, {}", observed(all)), []),
        }
    }

    /// Whether it never happened.
    pub(super) fn never(&self, all: &[Asked<'_>]) -> Seen {
        let fitting: Vec<u32> = all.iter().filter(|asked| self.is(asked)).map(|asked| asked.seq).collect();
        let shown = self.shown();
        match fitting.len() as u32 {
            0 => Seen::pass(format!("the server did not send {shown}"), []),
            count => Seen::fail(format!("expected no {shown}, observed it {}", times(count)), fitting),
        }
    }
}

/// What the server sent, as the end of a sentence.
fn observed(all: &[Asked<'_>]) -> String {
    let mut methods: Vec<&str> = all.iter().map(|asked| asked.method).collect();
    methods.sort_unstable();
    methods.dedup();
    if methods.is_empty() {
        return "observed nothing of the kind".to_owned();
    }
    let more = if methods.len() > 8 { " and more" } else { "" };
    let shown: Vec<String> =
        methods.iter().take(8).map(|method| format!("`{}`", excerpt(method, 60))).collect();
    format!("observed only {}{more}", shown.join(", "))
}
