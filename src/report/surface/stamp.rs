//! The surface in `summary.json`: what the suite demands of it and what was found.

use serde::Serialize;

use super::{classes, tallied};
use crate::display;
use crate::report::changes::Since;
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
    /// The findings in a few words.
    #[serde(skip)]
    pub lint: String,
    /// The changes against the snapshot in a few words.
    #[serde(skip)]
    pub changed: Option<String>,
    /// The findings, the gravest first.
    pub findings: Vec<LintLine>,
    /// How the tools differ from the snapshot; `None` without one.
    pub drift: Option<Vec<ChangeLine>>,
    /// Demands of the suite that are broken.
    pub broken: Vec<BrokenLine>,
}

/// A demand that is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrokenLine {
    /// A stable code that `rehearsal explain` knows.
    pub code: String,
    /// What happened.
    pub message: String,
    /// Where the suite demands it.
    pub origin: Place,
}

/// How the tools differ from those of an earlier run, safe for display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToolsChanged {
    /// The earlier run.
    pub run: String,
    /// How many changes there are, by class.
    pub count: String,
    /// The changes, tool by tool.
    pub changes: Vec<ChangeLine>,
}

impl ToolsChanged {
    /// The stamp of what was found.
    pub fn of(since: &Since) -> Self {
        let Since { run, changes } = since;
        Self { run: display::excerpt(run, 80), count: classes(changes), changes: change_lines(changes) }
    }

    /// One line.
    pub fn sentence(&self) -> String {
        let first = self.changes.first().map(|change| format!(", such as {}", change.text)).unwrap_or_default();
        format!("the tools since run {}: {}{first}", self.run, self.count)
    }
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
            broken: broken
                .iter()
                .map(|broken| BrokenLine {
                    code: display::excerpt(&broken.code, 80),
                    message: display::excerpt(&broken.message, 400),
                    origin: Place::from(&broken.origin),
                })
                .collect(),
            lint: tallied(findings),
            changed: drift.as_deref().map(classes),
        }
    }

    /// One line: tokens, findings, changes.
    pub fn sentence(&self) -> String {
        let total = |bill: &BillLine| format!("{} tokens under {}", bill.total, bill.client);
        let mut parts: Vec<String> = self.bills.iter().take(4).map(total).collect();
        if self.bills.len() > 4 {
            parts.push(format!("and {} more clients", self.bills.len() - 4));
        }
        let mut all = vec![parts.join(", "), format!("lint: {}", self.lint)];
        all.extend(self.changed.as_ref().map(|changed| format!("changes: {changed}")));
        all.join("; ")
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
