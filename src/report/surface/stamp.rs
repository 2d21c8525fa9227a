//! The surface in `summary.json`: what the suite demands of it and what was found.

use serde::Serialize;

use crate::display;
use crate::report::summary::Place;
use crate::surface::bill::{HOW, Line};
use crate::surface::drift::Change;
use crate::surface::judged::Judged;
use crate::surface::lint::{self, Finding};

/// Most findings and changes that the summary keeps.
const KEPT: usize = 500;

/// What was found about the surface of the server, safe for display.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SurfaceStamp {
    /// Where the suite asks for it.
    pub origin: Option<Place>,
    /// How tokens are counted.
    pub counted: &'static str,
    /// What the tools cost under each client of the suite.
    pub bills: Vec<BillLine>,
    /// Findings of the lint, however many of them are listed.
    pub count: usize,
    /// The findings, the gravest first.
    pub findings: Vec<LintLine>,
    /// How the tools differ from the snapshot; `None` without one.
    pub drift: Option<Vec<ChangeLine>>,
    /// Demands of the suite that are broken.
    pub broken: Vec<String>,
}

/// What one client's menu costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BillLine {
    /// The client profile.
    pub client: String,
    /// Tokens that a model reads in every request.
    pub total: u64,
    /// The tools, the dearest first.
    pub tools: Vec<Line>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LintLine {
    /// The rule.
    pub rule: String,
    /// `error`, `warning` or `note`.
    pub level: &'static str,
    /// The tools.
    pub tools: Vec<String>,
    /// Where in the tool, as a JSON pointer.
    pub at: String,
    /// What is wrong, as a sentence.
    pub about: &'static str,
    /// What it is about.
    pub detail: String,
    /// Tools, place and detail in one line.
    pub text: String,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeLine {
    /// `breaking`, `additive` or `wording`.
    pub class: &'static str,
    /// The tool.
    pub tool: String,
    /// Where in the tool, as a JSON pointer.
    pub at: String,
    /// What happened.
    pub what: String,
    /// Tool, place and values in one line.
    pub text: String,
}

impl SurfaceStamp {
    /// The stamp of what a run kept.
    pub fn of(judged: &Judged) -> Self {
        let Judged { bills, findings, drift, broken, origin } = judged;
        Self {
            origin: origin.as_ref().map(Place::from),
            counted: HOW,
            bills: bills
                .iter()
                .map(|bill| BillLine {
                    client: display::excerpt(&bill.client, 80),
                    total: bill.total,
                    tools: bill.tools.iter().take(KEPT).map(safe).collect(),
                })
                .collect(),
            count: findings.len(),
            findings: lint_lines(findings),
            drift: drift.as_deref().map(change_lines),
            broken: broken.iter().map(|broken| display::excerpt(&broken.message, 400)).collect(),
        }
    }
}

fn safe(line: &Line) -> Line {
    Line { tool: display::excerpt(&line.tool, 80), ..line.clone() }
}

/// Findings as lines.
pub fn lint_lines(findings: &[Finding]) -> Vec<LintLine> {
    let line = |finding: &Finding| LintLine {
        rule: display::excerpt(&finding.rule, 80),
        level: finding.level.as_str(),
        tools: finding.tools.iter().map(|tool| display::excerpt(tool, 80)).collect(),
        at: display::excerpt(&finding.at, 300),
        about: lint::find(&finding.rule).map_or("", |rule| rule.about),
        detail: display::excerpt(&finding.detail, 300),
        text: finding.text(),
    };
    findings.iter().take(KEPT).map(line).collect()
}

/// Changes as lines.
pub fn change_lines(changes: &[Change]) -> Vec<ChangeLine> {
    let line = |change: &Change| ChangeLine {
        class: change.class.as_str(),
        tool: display::excerpt(&change.tool, 80),
        at: display::excerpt(&change.at, 300),
        what: display::excerpt(&change.what, 200),
        text: change.text(),
    };
    changes.iter().take(KEPT).map(line).collect()
}
