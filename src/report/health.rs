//! How far the suite itself can be trusted: cases that never fail or never pass, questions asked twice, tools that
//! nothing exercises. Advice to its author, never a reason of the gate.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::figures::count;
use super::rates::judged;
use super::summary::Place;
use super::tally::{name, sentence};
use crate::gate::cells::Cell;
use crate::ids::ToolName;
use crate::score::expects::Expects;
use crate::store::record::{Manifest, RunRecord};
use crate::suite::health::Kind as WeaknessKind;
use crate::transcript::CaseKind;

/// One thing to mend or to know.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HealthFinding {
    /// `always-failing`, `tool-never-called`, `duplicate-prompt`, `names-tool`, `judge-only`, `tool-without-case` or
    /// `saturated`.
    pub kind: &'static str,
    /// `warning` or `note`.
    pub level: &'static str,
    /// What, one sentence.
    pub message: String,
    /// The cases it is about.
    pub cases: Vec<String>,
    /// The tools it is about.
    pub tools: Vec<String>,
    /// The place in the suite, if it is about one case.
    pub origin: Option<Place>,
}

/// Judged trials from which a case that never passes is worth a word, and one that never fails.
const NEVER_PASSES: u32 = 3;
const NEVER_FAILS: u32 = 5;
/// Most names in a sentence; the lists hold all.
const NAMED: usize = 5;

/// What all cells of a case gave together.
#[derive(Default)]
struct Total<'a> {
    passed: u32,
    judged: u32,
    known: bool,
    origin: Option<&'a crate::diag::Origin>,
}

/// Every finding, the worst first.
pub(super) fn of(run: &RunRecord, cells: &[Cell<'_>]) -> Vec<HealthFinding> {
    let mut cases: BTreeMap<&str, Total<'_>> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.name.kind == CaseKind::Use) {
        let total = cases.entry(cell.name.case).or_default();
        total.origin.get_or_insert(cell.origin);
        total.known |= cell.expected_failure().is_some();
        for passed in cell.results.iter().filter_map(|result| judged(result)) {
            total.judged += 1;
            total.passed += u32::from(passed);
        }
    }
    let mut found = always_failing(&cases);
    found.extend(never_called(run, cells));
    found.extend(written(&run.manifest));
    found.extend(without_case(&run.manifest));
    found.extend(saturated(&cases));
    found
}

fn finding(kind: &'static str, level: &'static str, message: String) -> HealthFinding {
    HealthFinding { kind, level, message, cases: vec![], tools: vec![], origin: None }
}

/// `a, b and 3 more`.
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Cases that no model passes: the case, its expectations or the server is wrong, and no trial tells more.
fn always_failing(cases: &BTreeMap<&str, Total<'_>>) -> Vec<HealthFinding> {
    let never =
        cases.iter().filter(|(_, total)| !total.known && total.passed == 0 && total.judged >= NEVER_PASSES);
    never
        .map(|(case, total)| HealthFinding {
            cases: vec![name(case)],
            origin: total.origin.map(Place::from),
            ..finding(
                "always-failing",
                "warning",
                format!(
                    "case {} failed all of its {}: look whether its expectations can be met at all",
                    name(case),
                    count(total.judged, "trial")
                ),
            )
        })
        .collect()
}

/// Cases that never fail. Good guards against getting worse; they tell nothing of which model is better.
fn saturated(cases: &BTreeMap<&str, Total<'_>>) -> Option<HealthFinding> {
    let full = |total: &Total<'_>| total.judged >= NEVER_FAILS && total.passed == total.judged;
    let names: Vec<String> =
        cases.iter().filter(|(_, total)| full(total)).map(|(case, _)| name(case)).collect();
    let judged = cases.values().filter(|total| total.judged > 0).count() as u64;
    if names.is_empty() {
        return None;
    }
    let message = format!(
        "{} of {} never failed: they guard against a regression and tell models apart no more ({})",
        names.len(),
        count(judged, "case"),
        listed(&names)
    );
    Some(HealthFinding { cases: names, ..finding("saturated", "note", message) })
}

/// Tools that cases want and no trial of those cases ever called.
fn never_called(run: &RunRecord, cells: &[Cell<'_>]) -> Option<HealthFinding> {
    let mut wanted: BTreeMap<&str, (bool, BTreeSet<&str>)> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.name.kind == CaseKind::Use) {
        let Some(expects) = run.manifest.expects.get(cell.name.case) else { continue };
        let ran: Vec<_> = cell.results.iter().filter(|result| judged(result).is_some()).collect();
        for tool in expects.called.iter().map(ToolName::as_str).filter(|_| !ran.is_empty()) {
            let (called, cases) = wanted.entry(tool).or_default();
            *called |= ran.iter().any(|result| result.tool_calls.iter().any(|made| made == tool));
            cases.insert(cell.name.case);
        }
    }
    let never: Vec<_> = wanted.into_iter().filter(|(_, (called, _))| !called).collect();
    let tools: Vec<String> = never.iter().map(|(tool, _)| name(tool)).collect();
    let cases: BTreeSet<String> =
        never.iter().flat_map(|(_, (_, cases))| cases).map(|case| name(case)).collect();
    (!tools.is_empty()).then(|| HealthFinding {
        cases: cases.into_iter().collect(),
        ..about_tools(
            ("tool-never-called", "warning"),
            |tools| format!("never called by the cases that want it: {tools}"),
            tools,
        )
    })
}

/// Tools that some persona sees and no use case wants or allows.
fn without_case(manifest: &Manifest) -> Option<HealthFinding> {
    // An older file, or a suite without use cases, says nothing of tools.
    if manifest.expects.is_empty() {
        return None;
    }
    let exercised: BTreeSet<&str> =
        manifest.expects.values().flat_map(Expects::exercised).map(ToolName::as_str).collect();
    let seen = manifest.surfaces.iter().flat_map(|surface| &surface.tools).map(ToolName::as_str);
    let tools: BTreeSet<&str> = seen.filter(|tool| !exercised.contains(tool)).collect();
    let tools: Vec<String> = tools.into_iter().map(name).collect();
    (!tools.is_empty()).then(|| {
        about_tools(("tool-without-case", "note"), |tools| format!("wanted by no use case: {tools}"), tools)
    })
}

fn about_tools(
    (kind, level): (&'static str, &'static str),
    message: impl Fn(&str) -> String,
    tools: Vec<String>,
) -> HealthFinding {
    HealthFinding { message: message(&listed(&tools)), tools, ..finding(kind, level, String::new()) }
}

/// What the words of the suite show, as they were when the run began.
fn written(manifest: &Manifest) -> Vec<HealthFinding> {
    let word = |kind| match kind {
        WeaknessKind::DuplicatePrompt => "duplicate-prompt",
        WeaknessKind::NamesTool => "names-tool",
        WeaknessKind::JudgeOnly => "judge-only",
        WeaknessKind::Unknown => "unknown",
    };
    let mut found: Vec<(WeaknessKind, HealthFinding)> = manifest
        .weaknesses
        .iter()
        .map(|weakness| {
            let cases = weakness.other.iter().map(|(case, _)| case).chain([&weakness.case]);
            let one = HealthFinding {
                cases: cases.map(|case| name(case.as_str())).collect(),
                tools: weakness.tool.iter().map(|tool| name(tool.as_str())).collect(),
                origin: Some((&weakness.origin).into()),
                ..finding(word(weakness.kind), "warning", sentence(&weakness.sentence().replace('`', "")))
            };
            (weakness.kind, one)
        })
        .collect();
    found.sort_by_key(|(kind, _)| *kind);
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// Most warnings of the terminal and findings of Markdown.
const LINES: usize = 2;
const ROWS: usize = 50;

/// The worst warnings for the terminal; the last line says how much more there is. Notes alone are no reason to speak
/// up: a suite that passes every night would repeat them every night.
pub(super) fn lines(findings: &[HealthFinding]) -> Vec<String> {
    let warnings = findings.iter().filter(|finding| finding.level == "warning");
    let mut lines: Vec<String> = warnings.take(LINES).map(|finding| finding.message.clone()).collect();
    let more = findings.len().saturating_sub(lines.len()) as u64;
    if let Some(last) = lines.last_mut().filter(|_| more > 0) {
        last.push_str(&format!(" ({} about the suite in the report)", count(more, "more finding")));
    }
    lines
}

/// The section of the Markdown report, folded. `code` makes words of others inert.
pub(super) fn section(findings: &[HealthFinding], code: impl Fn(&str) -> String) -> Option<String> {
    if findings.is_empty() {
        return None;
    }
    let number = count(findings.len() as u64, "finding");
    let mut out = format!("<details><summary>The suite itself: {number}</summary>\n\n");
    for finding in findings.iter().take(ROWS) {
        let place = finding.origin.as_ref().map(|place| format!(" at {}", code(&place.to_string())));
        out.push_str(&format!(
            "- **{}** ({}) {}{}\n",
            finding.kind,
            finding.level,
            code(&finding.message),
            place.unwrap_or_default()
        ));
    }
    if findings.len() > ROWS {
        out.push_str(&format!("- and {} more in `summary.json`\n", findings.len() - ROWS));
    }
    out.push_str("\n</details>\n\n");
    Some(out)
}
