//! `command`: a program of the suite says whether the trial is as it must be. It was run when the trial ended, so this is a
//! question to the record like any other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::short::{Brief, Short};
use super::{Examine, Seen, View};
use crate::display::{excerpt, whole_words};
use crate::transcript::What;
use crate::units::Period;

/// The phase under which its run is recorded.
pub const PHASE: &str = "check";

/// A program reads the trial as one JSON document from its standard input, and writes one JSON object to its standard
/// output: `{"grade": "pass", "why": "…", "evidence": [3]}`, where `grade` is `pass`, `fail` or `unscored`. Needs
/// `--allow-exec`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments. No shell reads them; it starts in the folder of the project.
    pub run: Vec<String>,
    /// How long it may take. Default 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
}

impl Short for Command {
    const EXPECTS: &'static str = "a list of a program and its arguments, or a map with `run` and `timeout`";
    type Item = String;
    const SCALARS: &'static [&'static str] = &[];
    const LIST: bool = true;

    fn from_brief(brief: Brief<String>) -> Option<Self> {
        match brief {
            Brief::List(run) => Some(Self { run, timeout: None }),
            _ => None,
        }
    }
}

impl Command {
    /// What its run is recorded as: its command line, as a JSON list.
    pub fn about(&self) -> String {
        Value::from(self.run.clone()).to_string()
    }
}

impl Examine for Command {
    fn examine(&self, view: &View<'_>) -> Seen {
        let own = self.about();
        let ran = view.steps(PHASE).find_map(|event| match &event.what {
            What::StepRan { about, result, ok, .. } if *about == own => Some((event.seq, result, *ok)),
            _ => None,
        });
        let program = excerpt(self.run.first().map_or("", String::as_str), 60);
        let Some((seq, result, ok)) = ran else {
            return Seen::unscored("check.command", format!("`{program}` was not run"), []);
        };
        let text = |key: &str| result.get(key).and_then(Value::as_str).map(|text| whole_words(text, 300));
        if !ok {
            let why = result.as_str().map_or_else(|| "no reason is known".to_owned(), |text| whole_words(text, 300));
            return Seen::unscored("check.command", format!("`{program}` gave no finding: {why}"), [seq]);
        }
        let why = text("why").filter(|why| !why.trim().is_empty());
        let why = why.map_or_else(|| format!("`{program}` gave no reason"), |why| format!("`{program}`: {why}"));
        let last = view.transcript().events.last().map_or(0, |event| event.seq);
        let cited = result.get("evidence").and_then(Value::as_array).into_iter().flatten();
        let cited = cited.filter_map(|number| u32::try_from(number.as_u64()?).ok()).filter(|seq| *seq <= last);
        let mut evidence: Vec<u32> = cited.take(100).collect();
        evidence.push(seq);
        match text("grade").as_deref() {
            Some("pass") => Seen::pass(why, evidence),
            Some("fail") => Seen::fail(why, evidence),
            Some("unscored") => Seen::unscored("check.command", why, evidence),
            _ => {
                let why = format!("`{program}` gave no `grade` of `pass`, `fail` or `unscored`");
                Seen::unscored("check.command", why, [seq])
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        match self.run.first().is_none_or(|program| program.trim().is_empty()) {
            true => vec!["it names no program; write `command: [./check.sh]`".to_owned()],
            false => vec![],
        }
    }
}
