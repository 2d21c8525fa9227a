//! What later looks at a run found, as reports of the run show it: what its failures are due to, and the nights before it.

use super::changes::Since;
use serde::Serialize;

use super::cause;
use super::trend::TrendStamp;
use crate::display::excerpt;
use crate::gate::control::{Control, Controlled};
use crate::gate::triage::{Triage, Triaged};
use crate::ids::ModelName;

/// Most characters of a name and of a sentence.
const NAME: usize = 120;
const SENTENCE: usize = 400;
/// Most cases in a report for people.
const CASES: usize = 20;

/// What is known about a run beyond its file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct After {
    /// The nights that end with it.
    pub trend: Vec<TrendStamp>,
    /// What its failures are due to.
    pub triage: Option<Triage>,
    /// The old server beside the new one.
    pub control: Option<Controlled>,
    /// How the server's tools changed since an earlier run.
    pub surface: Option<Since>,
}

/// What failures are due to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Causes {
    /// Case by case, in the order of the suite.
    pub cases: Vec<CauseLine>,
    /// Model by model, from a side-by-side run of the old and the new server.
    pub control: Vec<ControlLine>,
}

/// What a case fails by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CauseLine {
    /// The case.
    pub case: String,
    /// The model.
    pub model: Option<String>,
    /// The persona.
    pub persona: String,
    /// The client profile.
    pub client: String,
    /// `server`, `description`, `collision`, `model`, `judge`, `flake` or `unclear`.
    pub cause: &'static str,
    /// The cause as a sentence.
    pub sentence: String,
    /// What to do about it.
    pub advice: &'static str,
    /// On what it rests: what was varied, and what that gave.
    pub evidence: Vec<[String; 2]>,
}

/// What a side-by-side run found about one model's cases.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ControlLine {
    /// The model.
    pub model: String,
    /// The cause as a sentence.
    pub sentence: &'static str,
    /// Whether the server stands accused.
    pub blames_server: bool,
    /// The change of the old server against its history, as a share.
    pub drift: f64,
    /// The change from the old server to the new one, as a share.
    pub server: f64,
    /// Cases on which it rests.
    pub cases: usize,
}

impl Causes {
    /// What is known, made safe for display; `None` when nobody looked into it.
    pub fn of(after: &After) -> Option<Self> {
        let After { triage, control, .. } = after;
        if triage.is_none() && control.is_none() {
            return None;
        }
        let cases = triage.iter().flat_map(|triage| &triage.cases).map(line).collect();
        let control = control.iter().flat_map(|control| &control.models).map(side_by_side).collect();
        Some(Self { cases, control })
    }

    /// One line each, for a terminal.
    pub fn lines(&self) -> Vec<String> {
        let of_server = self.control.iter().map(|control| format!("{}: {}", control.model, control.sentence));
        let cases = self.cases.iter().map(|case| format!("{}: {}: {}", case.case, case.cause, case.sentence));
        of_server.chain(cases).take(CASES).collect()
    }
}

fn line(case: &Triaged) -> CauseLine {
    let evidence = cause::evidence(case).into_iter();
    CauseLine {
        case: excerpt(&case.case, NAME),
        model: case.model.as_ref().map(|model| excerpt(model, NAME)),
        persona: excerpt(&case.persona, NAME),
        client: excerpt(&case.client, NAME),
        cause: case.cause.as_str(),
        sentence: excerpt(&cause::sentence(case), SENTENCE),
        advice: cause::advice(&case.cause),
        evidence: evidence.map(|(what, gave)| [what.to_owned(), excerpt(&gave, SENTENCE)]).collect(),
    }
}

fn side_by_side((model, control): (&ModelName, &Control)) -> ControlLine {
    ControlLine {
        model: excerpt(model.as_str(), NAME),
        sentence: control.cause.as_sentence(),
        blames_server: control.cause.blames_server(),
        drift: control.drift,
        server: control.server,
        cases: control.cases.len(),
    }
}

/// The causes as a section of Markdown; `cell` makes a text fit into a table.
pub fn section(causes: &Causes, cell: impl Fn(&str) -> String) -> String {
    let mut out = "#### Causes\n\n".to_owned();
    for control in &causes.control {
        out.push_str(&format!("- {}: {}\n", cell(&control.model), control.sentence));
    }
    if !causes.control.is_empty() {
        out.push('\n');
    }
    if !causes.cases.is_empty() {
        out.push_str("| case | cause | what to do |\n|---|---|---|\n");
        for case in causes.cases.iter().take(CASES) {
            let CauseLine { cause, advice, .. } = case;
            let (name, sentence) = (cell(&case.case), cell(&case.sentence));
            out.push_str(&format!("| {name} | **{cause}**: {sentence} | {} |\n", cell(advice)));
        }
        out.push('\n');
    }
    out
}
