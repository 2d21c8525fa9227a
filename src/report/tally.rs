//! The view to the summary: cells counted, rates estimated, texts made safe.

use std::collections::BTreeSet;

use super::access::Grid;
use super::causes::Causes;
use super::gate::GateStamp;
use super::judging::JudgeStamp;
use super::spending::Spending;
use super::summary::{
    Failure, FaultLine, FindingLine, Place, ReasonLine, Row, Rule, SCHEMA, Spent, Summary, Tokens, Totals,
    TrialLine, word,
};
use super::surface::{SurfaceStamp, ToolsChanged};
use super::{View, figures, fit, health, losses, rates, toolscore, ways};
use crate::diag::render;
use crate::display;
use crate::gate::cells::{self, Cell, CellName, Counts, State, blame, outcome};
use crate::gate::compared::Compared;
use crate::gate::{quarantine, states};
use crate::ids::ToolName;
use crate::score::{Finding, Grade, Outcome, Weight};
use crate::store::record::{CaseResult, Manifest, RunRecord};
use crate::transcript::CaseKind;

/// Most characters of a name, and of a sentence.
const NAME: usize = 200;
const SENTENCE: usize = 2000;
/// Most different failures kept per cell.
const FAILURES: usize = 5;

impl Summary {
    /// Computes everything reports show.
    pub fn of(view: &View<'_>) -> Self {
        let run = view.run;
        let cells = cells::cells(run);
        let manifest = &run.manifest;
        Self {
            schema: SCHEMA,
            suite: name(manifest.suite.as_str()),
            run: name(manifest.run.as_str()),
            version: name(&manifest.version),
            started: name(&figures::moment(&manifest.started)),
            target: sentence(&manifest.target),
            seed: manifest.seed,
            verdict: view.decision.verdict.as_str(),
            exit_code: view.decision.exit.code(),
            exit: view.decision.exit.name(),
            reasons: view.decision.reasons.iter().map(reason).collect(),
            totals: totals(&cells),
            rates: rates::all(&cells),
            exact: rates::exact(&cells),
            cases: rows(run, &cells),
            access: Grid::of(&cells, &seen(manifest)),
            clients: fit::clients(&view.fits, &named(run)),
            losses: losses::all(&view.lost),
            surface: manifest.surface.as_ref().map(SurfaceStamp::of),
            tools_changed: view.after.surface.as_ref().map(ToolsChanged::of),
            usage: spent(run),
            spending: Spending::of(run, &cells),
            judge: JudgeStamp::of(run),
            gate: GateStamp::of(run),
            tools: toolscore::of(run),
            health: health::of(run, &cells),
            quarantine: super::quarantine::stamp(run, &cells),
            trend: view.after.trend.clone(),
            causes: Causes::of(&view.after),
            run_file: name(&view.run_file),
            program: name(&view.program),
            next: view.next.iter().map(|command| sentence(command)).collect(),
        }
    }
}

/// The tools that somebody saw before the first trial.
fn seen(manifest: &Manifest) -> BTreeSet<&str> {
    manifest.surfaces.iter().flat_map(|surface| &surface.tools).map(ToolName::as_str).collect()
}

/// The client profiles that the use cases name.
fn named(run: &RunRecord) -> BTreeSet<&str> {
    let headers = run.results.iter().map(|result| &result.header).chain(&run.missing);
    headers.filter(|header| header.kind == CaseKind::Use).map(|header| header.client.as_str()).collect()
}

/// A name, safe for display.
pub(super) fn name(text: &str) -> String {
    exact(display::excerpt(text, NAME))
}

/// A sentence, safe for display.
pub(super) fn sentence(text: &str) -> String {
    exact(display::excerpt(text, SENTENCE))
}

/// A summary holds a hundred thousand texts; room to grow would cost as much as they do.
fn exact(mut text: String) -> String {
    text.shrink_to_fit();
    text
}

fn reason(reason: &crate::gate::Reason) -> ReasonLine {
    ReasonLine {
        code: name(&reason.code),
        message: sentence(&reason.message),
        case: reason.case.as_deref().map(name),
        origin: reason.origin.as_ref().map(Place::from),
    }
}

fn totals(cells: &[Cell<'_>]) -> Totals {
    let mut all = Counts::default();
    cells.iter().for_each(|cell| all += cell.counts());
    let known = cells.iter().filter(|cell| cell.expected_failure().is_some());
    Totals {
        trials: all.ended(),
        passed: all.passed,
        failed: all.failed,
        expected: known.map(|cell| cell.counts().failed).sum(),
        invalid: all.invalid,
        skipped: all.skipped,
        missing: all.missing,
        invalid_share: (all.tried() > 0).then(|| f64::from(all.invalid) / f64::from(all.tried())),
        cases: u32::try_from(cells.len()).unwrap_or(u32::MAX),
    }
}

fn rows(run: &RunRecord, cells: &[Cell<'_>]) -> Vec<Row> {
    let compared = Compared::of(run).ok().flatten();
    let known = compared.as_ref().map(|compared| states::of_run(compared, cells)).unwrap_or_default();
    let row = |cell: &Cell<'_>| {
        let CellName { case, model, persona, client, .. } = cell.name;
        let state = model.and_then(|model| known.get(&[model, case, persona, client]));
        Row {
            history: state.map(|known| known.state.as_str()),
            quarantined: quarantine::entry(run, cell).is_some(),
            ..row(cell, &run.manifest)
        }
    };
    cells.iter().map(row).collect()
}

/// The tools that a use case wants called, as the suite said when the run began.
fn wants(cell: &Cell<'_>, manifest: &Manifest) -> Option<Vec<String>> {
    let expects = manifest.expects.get(cell.name.case).filter(|_| cell.name.kind == CaseKind::Use)?;
    expects.says_something().then(|| expects.called.iter().map(|tool| name(tool.as_str())).collect())
}

fn row(cell: &Cell<'_>, manifest: &Manifest) -> Row {
    let state = cell.state(&manifest.gate);
    let counts = cell.counts();
    let mut money = Money::default();
    for result in &cell.results {
        money.add(result);
    }
    let invalid = cell.results.iter().find(|result| outcome(result) == Some(Outcome::Invalid));
    Row {
        id: name(cell.name.case),
        kind: cell.name.kind.as_str(),
        model: cell.name.model.map(name),
        persona: name(cell.name.persona),
        client: name(cell.name.client),
        state: word(state),
        flaky: state == State::Flaky,
        passed: counts.passed,
        failed: counts.failed,
        invalid: counts.invalid,
        skipped: counts.skipped,
        missing: counts.missing,
        bar: cell.bar(&manifest.gate),
        history: None,
        wants: wants(cell, manifest),
        quarantined: false,
        expected_failure: cell.expected_failure().map(|known| sentence(&known.reason)),
        origin: cell.origin.into(),
        seconds: seconds(cell.results.iter().map(|result| result.took_ms).sum()),
        cost: money.total(),
        unpriced_trials: money.unpriced,
        failures: grouped(cell.failures().map(|(_, finding)| finding), manifest),
        advice: advice(cell, manifest),
        rule: rule(cell),
        fault: invalid.map(|result| fault(result)),
        trials: cell.results.iter().map(|result| trial(result)).collect(),
        is: state,
        kind_is: cell.name.kind,
    }
}

/// Failed findings that are only reported.
fn advice(cell: &Cell<'_>, manifest: &Manifest) -> Vec<Failure> {
    let verdicts = cell.results.iter().filter_map(|result| result.verdict.as_ref());
    let findings = verdicts.flat_map(|verdict| &verdict.findings);
    grouped(findings.filter(|f| f.grade == Grade::Fail && f.weight == Weight::Info), manifest)
}

/// What an auth check demands, from the table of checks.
fn rule(cell: &Cell<'_>) -> Option<Rule> {
    let id = cell.name.case.strip_prefix("auth/").filter(|_| cell.name.kind == CaseKind::Auth)?;
    let check = crate::auth::checks::find(id)?;
    Some(Rule { title: check.title, level: check.level.as_str(), section: check.section, fix: check.fix })
}

fn grouped<'a>(findings: impl Iterator<Item = &'a Finding>, manifest: &Manifest) -> Vec<Failure> {
    let mut kept: Vec<(&Finding, u32)> = vec![];
    for finding in findings {
        let same = |other: &Finding| other.check == finding.check && other.origin == finding.origin;
        match kept.iter_mut().find(|(other, _)| same(other)) {
            Some((_, trials)) => *trials += 1,
            None => kept.push((finding, 1)),
        }
    }
    kept.sort_by_key(|(finding, _)| finding.weight != Weight::Security);
    kept.truncate(FAILURES);
    kept.into_iter().map(|(finding, trials)| failure(finding, trials, manifest)).collect()
}

fn failure(finding: &Finding, trials: u32, manifest: &Manifest) -> Failure {
    let mut excerpt = String::new();
    // The excerpt looks its text up under the name as it was read, and shows the name made safe.
    let shown = crate::diag::Origin { file: name(&finding.origin.file).into(), ..finding.origin.clone() };
    let source = |_: &str| manifest.inputs.get(&*finding.origin.file).cloned();
    render::excerpt(&mut excerpt, "-->", &shown, &source);
    Failure {
        check: name(&finding.check),
        why: sentence(&finding.why),
        weight: weight(finding.weight),
        origin: (&finding.origin).into(),
        trials,
        excerpt: excerpt.lines().map(str::to_owned).collect(),
    }
}

fn weight(weight: Weight) -> &'static str {
    match weight {
        Weight::Must => "must",
        Weight::Security => "security",
        Weight::Info => "info",
    }
}

fn fault(result: &CaseResult) -> FaultLine {
    let (side, code, message) = blame(result);
    FaultLine { side: side.as_str(), code: name(code), message: sentence(message) }
}

fn trial(result: &CaseResult) -> TrialLine {
    let outcome = outcome(result);
    let skipped = cells::skipped(result);
    TrialLine {
        key: result.header.key,
        trial: result.header.trial,
        outcome: outcome.filter(|_| skipped.is_none()).map(Outcome::as_str),
        skipped: skipped.map(sentence),
        findings: result.verdict.iter().flat_map(|verdict| &verdict.findings).map(finding).collect(),
        fault: (outcome == Some(Outcome::Invalid)).then(|| fault(result)),
        tool_calls: result.tool_calls.iter().map(|tool| name(tool)).collect(),
        tokens: Tokens { input: result.usage.input, output: result.usage.output },
        // Without a call of the model there is nothing to price.
        cost: result.cost.or((result.model_calls == 0).then_some(0.0)).map(dollars),
        seconds: seconds(result.took_ms),
        trajectory: result.trajectory.as_ref().map(ways::safe),
    }
}

fn finding(finding: &Finding) -> FindingLine {
    FindingLine {
        check: name(&finding.check),
        grade: match finding.grade {
            Grade::Pass => "pass",
            Grade::Fail => "fail",
            Grade::Unscored(_) => "unscored",
        },
        why: sentence(&finding.why),
        weight: weight(finding.weight),
        origin: (&finding.origin).into(),
        evidence: finding.evidence.clone(),
        subject: finding.sights.first().map(|sight| {
            let subject = &sight.subject;
            name(&format!("{} {}", subject.kind(), subject.name()))
        }),
    }
}

fn spent(run: &RunRecord) -> Spent {
    let (mut spent, mut money) = (Spent::default(), Money::default());
    let mut unpriced = BTreeSet::new();
    let mut took_ms = 0;
    for result in &run.results {
        if !money.add(result) {
            unpriced.insert(result.header.key);
        }
        took_ms += result.took_ms;
        spent.tokens_in += result.usage.input;
        spent.tokens_out += result.usage.output;
        spent.model_calls += u64::from(result.model_calls);
        spent.judge_calls += u64::from(result.judge_calls);
        spent.judge_tokens_in += result.judge_usage.input;
        spent.judge_tokens_out += result.judge_usage.output;
        spent.user_calls += u64::from(result.user.calls);
        spent.user_tokens_in += result.user.usage.input;
        spent.user_tokens_out += result.user.usage.output;
        spent.tool_calls += result.tool_calls.len() as u64;
    }
    // Of the attempts that were replaced a trial's own cost knows nothing; they were paid for all the same.
    money.known += run.wasted.cost();
    money.unpriced += run.wasted.unpriced.difference(&unpriced).count() as u32;
    Spent {
        cost: money.total(),
        replaced_cost: dollars(run.wasted.cost()),
        unpriced_trials: money.unpriced,
        seconds: seconds(took_ms),
        ..spent
    }
}

/// Money that keeps what is unpriced apart from what is free.
#[derive(Default)]
struct Money {
    known: f64,
    priced: u32,
    unpriced: u32,
}

impl Money {
    /// Adds a trial; `false`: something of it has no price.
    fn add(&mut self, result: &CaseResult) -> bool {
        let part = |calls: u32, cost: Option<f64>| if calls == 0 { Some(cost.unwrap_or(0.0)) } else { cost };
        let parts = [
            part(result.model_calls, result.cost),
            part(result.judge_calls, result.judge_cost),
            part(result.user.calls, result.user.cost),
        ];
        self.known += parts.iter().flatten().sum::<f64>();
        let priced = parts.iter().all(Option::is_some);
        *(if priced { &mut self.priced } else { &mut self.unpriced }) += 1;
        priced
    }

    fn total(&self) -> Option<f64> {
        (self.unpriced == 0 || self.priced > 0 || self.known > 0.0).then(|| dollars(self.known))
    }
}

/// Rounded to a billionth, so that sums of decimal prices print as decimals.
fn dollars(amount: f64) -> f64 {
    (amount * 1e9).round() / 1e9
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
