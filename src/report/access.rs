//! The access grid: personas by tools, from the findings of access cases.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::display;
use crate::gate::cells::Cell;
use crate::score::{Finding, Grade, Weight};
use crate::transcript::CaseKind;

/// What is known about one persona and one tool. The later of two in this order wins when several findings speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Refused or hidden, as expected.
    Denied,
    /// Seen and callable, as expected.
    Allowed,
    /// Could not be decided.
    Unknown,
    /// Not seen or not callable, but must be.
    Missing,
    /// Seen or callable, but must not be.
    Leak,
}

/// Personas by tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grid {
    /// The columns, in the order of the suite file.
    pub personas: Vec<String>,
    /// The rows, sorted by tool.
    pub tools: Vec<GridRow>,
    /// Cells that leak.
    pub leaks: u32,
    /// Cells that are missing.
    pub missing: u32,
}

/// One tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GridRow {
    /// The tool.
    pub tool: String,
    /// One per persona; `None` where nothing is expected.
    pub access: Vec<Option<Access>>,
}

impl Grid {
    /// The grid of a run; `None` when no access case said anything about a tool.
    pub fn of(cells: &[Cell<'_>], inputs: &BTreeMap<String, String>) -> Option<Self> {
        let cells = cells.iter().filter(|cell| cell.name.kind == CaseKind::Access);
        let mut known: BTreeMap<(String, &str), Access> = BTreeMap::new();
        let mut personas: Vec<&str> = vec![];
        for cell in cells {
            if !personas.contains(&cell.name.persona) {
                personas.push(cell.name.persona);
            }
            let verdicts = cell.results.iter().filter_map(|result| result.verdict.as_ref());
            for finding in verdicts.flat_map(|verdict| &verdict.findings) {
                let Some(tool) = tool(finding, cell.name.persona, inputs) else { continue };
                let access = access(finding);
                let slot = known.entry((tool, cell.name.persona)).or_insert(access);
                *slot = access.max(*slot);
            }
        }
        let tools: BTreeSet<&str> = known.keys().map(|(tool, _)| tool.as_str()).collect();
        if tools.is_empty() {
            return None;
        }
        let count = |what| known.values().filter(|access| **access == what).count() as u32;
        let row = |tool: &str| GridRow {
            tool: display::excerpt(tool, 80),
            access: personas.iter().map(|p| known.get(&(tool.to_owned(), *p)).copied()).collect(),
        };
        Some(Self {
            tools: tools.into_iter().map(row).collect(),
            personas: personas.iter().map(|persona| display::excerpt(persona, 80)).collect(),
            leaks: count(Access::Leak),
            missing: count(Access::Missing),
        })
    }
}

/// The tool a finding is about: the word its place in the suite points at when the sentence names it too, else the
/// first name in backticks that is not the persona.
fn tool(finding: &Finding, persona: &str, inputs: &BTreeMap<String, String>) -> Option<String> {
    let quoted: Vec<&str> = finding.why.split('`').skip(1).step_by(2).collect();
    let pointed = pointed_at(finding, inputs).filter(|word| quoted.contains(&word.as_str()));
    let named = || quoted.iter().find(|word| **word != persona).map(|word| (*word).to_owned());
    pointed.or_else(named).filter(|word| !word.is_empty())
}

fn pointed_at(finding: &Finding, inputs: &BTreeMap<String, String>) -> Option<String> {
    let at = &finding.origin;
    let line = inputs.get(&*at.file)?.lines().nth(at.line.checked_sub(1)? as usize)?;
    let rest = line.chars().skip(at.column.checked_sub(1)? as usize);
    let rest = rest.skip_while(|c| matches!(c, '"' | '\''));
    Some(rest.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')).collect())
}

fn access(finding: &Finding) -> Access {
    // What must be kept away weighs as security; what must be there is an ordinary must.
    match (&finding.grade, finding.weight) {
        (Grade::Unscored(_), _) => Access::Unknown,
        (Grade::Pass, Weight::Security) => Access::Denied,
        (Grade::Fail, Weight::Security) => Access::Leak,
        (Grade::Pass, Weight::Must | Weight::Info) => Access::Allowed,
        (Grade::Fail, Weight::Must | Weight::Info) => Access::Missing,
    }
}
