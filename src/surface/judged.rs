//! A look at the surface held against what a suite demands of it: what the record of a run keeps, and what the gate
//! decides by.

use serde::{Deserialize, Serialize};

use super::bill::Bill;
use super::drift::{self, Change, Class};
use super::lint::{self, Finding};
use super::policy::Policy;
use super::Listed;
use crate::diag::Origin;
use crate::display;
use crate::transcript::ToolFact;

/// Most reasons of one kind; the findings and changes themselves are all kept.
const NAMED: usize = 20;

/// What was found, and which demands are broken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// What the tools cost under each client of the suite.
    pub bills: Vec<Bill>,
    /// What the lint says, without what the suite allows.
    pub findings: Vec<Finding>,
    /// How the tools differ from the snapshot; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Vec<Change>>,
    /// Demands that are broken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Broken>,
    /// Where the suite asks for all this.
    pub origin: Option<Origin>,
}

/// A demand that is broken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Broken {
    /// `gate.surface-budget`, `gate.surface-lint` or `gate.surface-drift`.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// Where the demand stands.
    pub origin: Origin,
}

/// Holds a list against the demands; `before` is the snapshot, if the suite names one.
pub fn judge(policy: &Policy, listed: &Listed<'_>, before: Option<&[ToolFact]>) -> Judged {
    let bills = Bill::all(listed);
    let findings: Vec<Finding> =
        lint::lint(listed).into_iter().filter(|finding| !policy.allows(finding)).collect();
    let drift = before.map(|before| drift::compare(before, listed.tools));
    let mut broken = budgets(policy, &bills);
    broken.extend(denied(policy, &findings));
    if let (Some(limit), Some(changes)) = (&policy.drift, &drift) {
        let grave: Vec<&Change> = changes.iter().filter(|change| change.class <= limit.value).collect();
        broken.extend(some(&grave, |change| Broken {
            code: "gate.surface-drift".to_owned(),
            message: format!("{} change of {}", change.class.as_str(), change.text()),
            origin: limit.origin.clone(),
        }));
    }
    Judged { bills, findings, drift, broken, origin: Some(policy.origin.clone()) }
}

/// Most tokens, of the whole list and of one tool.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Of the whole list.
    pub tokens: Option<u64>,
    /// Of one tool.
    pub tool_tokens: Option<u64>,
}

/// A limit that a bill is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// The limit of one tool, not of the list.
    pub of_tool: bool,
    /// A sentence.
    pub message: String,
}

/// The limits that a bill is over.
pub fn over(bill: &Bill, limits: Limits) -> Vec<Over> {
    let client = display::excerpt(&bill.client, 80);
    let mut all = Vec::new();
    if let Some(limit) = limits.tokens.filter(|limit| bill.total > *limit) {
        let message = format!("the tools cost {} tokens under {client}, and {limit} are allowed", bill.total);
        all.push(Over { of_tool: false, message });
    }
    if let Some(limit) = limits.tool_tokens {
        let dear = bill.tools.iter().filter(|line| line.tokens > limit);
        all.extend(dear.map(|line| {
            let tool = display::excerpt(&line.tool, 80);
            let message = format!("{tool} costs {} tokens under {client}, and {limit} are allowed", line.tokens);
            Over { of_tool: true, message }
        }));
    }
    all
}

fn budgets(policy: &Policy, bills: &[Bill]) -> Vec<Broken> {
    let value = |limit: &Option<crate::diag::Located<u64>>| limit.as_ref().map(|limit| limit.value);
    let limits = Limits { tokens: value(&policy.tokens), tool_tokens: value(&policy.tool_tokens) };
    let mut broken = Vec::new();
    for bill in bills {
        let all = over(bill, limits);
        for of_tool in [false, true] {
            let limit = if of_tool { &policy.tool_tokens } else { &policy.tokens };
            let Some(origin) = limit.as_ref().map(|limit| &limit.origin) else { continue };
            let of: Vec<&Over> = all.iter().filter(|over| over.of_tool == of_tool).collect();
            broken.extend(some(&of, |over| Broken {
                code: "gate.surface-budget".to_owned(),
                message: over.message.clone(),
                origin: origin.clone(),
            }));
        }
    }
    broken
}

fn denied(policy: &Policy, findings: &[Finding]) -> Vec<Broken> {
    let denied: Vec<(&Finding, &Origin)> =
        findings.iter().filter_map(|finding| Some((finding, policy.denied(finding)?))).collect();
    some(&denied, |(finding, origin)| Broken {
        code: "gate.surface-lint".to_owned(),
        message: format!("{}: {}", finding.rule, finding.text()),
        origin: (*origin).clone(),
    })
}

/// The first of many, the last of them saying how many there are.
fn some<T>(all: &[T], broken: impl Fn(&T) -> Broken) -> Vec<Broken> {
    let mut kept: Vec<Broken> = all.iter().take(NAMED).map(broken).collect();
    if let (Some(last), Some(more)) = (kept.last_mut(), all.len().checked_sub(NAMED).filter(|more| *more > 0)) {
        last.message.push_str(&format!("; and {more} more of this kind"));
    }
    kept
}

impl Judged {
    /// The gravest class of the changes.
    pub fn gravest(&self) -> Option<Class> {
        self.drift.iter().flatten().map(|change| change.class).min()
    }
}
