//! From a run file to a decision, reports and an exit code. The same for a run that has just ended and for an old one.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Context;
use super::failure::{Failure, Outcome};
use super::shelf::Shelf;
use crate::display;
use crate::drive::fit::{Fit, Seen, misfits};
use crate::gate::{self, Compared, Decision, Exit, GateVerdict, Options};
use crate::report::causes::After;
use crate::report::changes::{self, Since};
use crate::report::losses::Lost;
use crate::report::{self, ReportError, Summary, View, terminal};
use crate::run::Free;
use crate::store::history;
use crate::store::read::Reader;
use crate::store::record::{RunRecord, SurfaceSeen};
use crate::suite::GateMode;
use crate::suite::catalog::{Catalog, Kind};
use crate::transcript::{CaseKind, What};

/// The format that is no file.
pub(super) const HUMAN: &str = "human";

/// A run with its decision.
pub(super) struct Concluded {
    pub(super) run: RunRecord,
    pub(super) decision: Decision,
    pub(super) file: PathBuf,
    /// What clients and models make of the server; looked into when a report is rendered.
    told: OnceCell<Told>,
    /// What was found out about the run after it ended, and the nights before it; read with it.
    after: OnceCell<After>,
    /// What of the run was played from a tape, and cost nothing now.
    pub(super) free: Free,
    /// US dollars of what was run beside it after it ended.
    pub(super) beside: f64,
}

/// Reads a run file and decides about it.
pub(super) fn conclude(file: &Path) -> Outcome<Concluded> {
    let reader = Reader::open(file).map_err(|error| Failure::from_fault(&error.into()))?;
    let run = reader.record().map_err(|error| Failure::from_fault(&error.into()))?;
    let decision = decided(&run, file);
    let (told, after) = (OnceCell::new(), OnceCell::new());
    Ok(Concluded { run, decision, file: file.to_owned(), told, after, free: Free::default(), beside: 0.0 })
}

fn decided(run: &RunRecord, file: &Path) -> Decision {
    let mut decision = gate::decide(run);
    if decision.verdict == GateVerdict::Pass && run.manifest.gate.mode == GateMode::Nightly {
        decision.reasons.extend(super::trend::slides(file, &run.manifest));
    }
    if decision.verdict == GateVerdict::Inconclusive && run.manifest.gate.mode == GateMode::Nightly {
        return gate::decide_with(run, Options { inconclusive_nights: 1 + nights_before(run, file) });
    }
    decision
}

/// What the transcripts tell.
#[derive(Clone, Default)]
struct Told {
    /// What each client makes of the server.
    fits: Vec<Fit>,
    /// What models' APIs did not take of the tools and of their results.
    lost: Lost,
}

/// Looks through the transcripts. One that cannot be read tells nothing; the record has said so.
fn told(file: &Path, run: &RunRecord) -> Told {
    let mut seen = Seen::default();
    let mut lost = Lost::new();
    let Ok(reader) = Reader::open(file) else { return Told::default() };
    for (_, transcript) in reader.transcripts().into_iter().flatten().flatten().take(LOOKED_THROUGH) {
        seen.absorb(&transcript.events);
        for event in &transcript.events {
            let (What::OfferLost { losses } | What::ResultLost { api: losses, .. }) = &event.what else {
                continue;
            };
            if let Some(model) = transcript.header.model.as_ref().filter(|_| !losses.is_empty()) {
                lost.entry(model.clone()).or_default().extend(losses.iter().cloned());
            }
        }
    }
    Told { fits: fits(seen, run), lost }
}

/// Holds what is known of the server against the clients of the suite and every other one.
fn fits(mut seen: Seen, run: &RunRecord) -> Vec<Fit> {
    // Clients that read one page have not asked for the rest, and reports are about the whole list.
    for tool in run.manifest.surfaces.iter().flat_map(|surface| &surface.later) {
        seen.later.insert(tool.name.clone());
        seen.list(std::slice::from_ref(tool));
    }
    if seen.tools.is_empty() {
        return vec![];
    }
    let catalog = Catalog::recorded(&run.manifest.inputs);
    let mut names: BTreeSet<String> = catalog.names(Kind::Client).map(str::to_owned).collect();
    names.extend(run.results.iter().map(|result| result.header.client.to_string()));
    let own = |name: &str| {
        let written = run.manifest.clients.iter().find(|client| client["name"] == name)?;
        serde_json::from_value(written.clone()).ok()
    };
    let profile = |name: &str| own(name).or_else(|| catalog.client(name));
    names.iter().filter_map(|name| Some(misfits(&seen, &profile(name)?))).collect()
}

/// How many runs of the suite just before this one were inconclusive in a row, as far as they lie beside it.
fn nights_before(run: &RunRecord, file: &Path) -> u32 {
    let Some(reports) = file.ancestors().nth(3) else { return 0 };
    let this = (&run.manifest.started, &run.manifest.run);
    let (runs, _) = history::list(reports, Some(&run.manifest.suite));
    let inconclusive = |path: &Path| {
        let earlier = Reader::open(path).and_then(|reader| reader.record());
        earlier.is_ok_and(|earlier| gate::decide(&earlier).verdict == GateVerdict::Inconclusive)
    };
    let before = runs.iter().filter(|other| (&other.manifest.started, &other.manifest.run) < this);
    before.take(PATIENCE).take_while(|other| inconclusive(&other.path)).count() as u32
}

/// Most transcripts that are looked through for what clients make of the server: more tell little that is new.
const LOOKED_THROUGH: usize = 500;

/// More nights than a gate is patient for need not be counted.
const PATIENCE: usize = 5;

impl Concluded {
    /// Decides again, after the comparison that the run holds was changed.
    pub(super) fn decide(&mut self) {
        self.decision = decided(&self.run, &self.file);
        self.after = OnceCell::new();
    }

    /// What formats render.
    pub(super) fn view(&self, context: &Context) -> View<'_> {
        let Told { fits, lost } = self.told.get_or_init(|| told(&self.file, &self.run)).clone();
        let looked =
            || After { surface: self.since(), ..super::trend::after(&self.file, &self.run.manifest) };
        let after = self.after.get_or_init(looked).clone();
        View { fits, lost, after, ..self.verdict(context) }
    }

    /// The same without what takes a look into the transcripts.
    pub(super) fn verdict(&self, context: &Context) -> View<'_> {
        let next = self
            .next()
            .into_iter()
            .map(|command| format!("{} {command}", context.printer.program()))
            .collect();
        View {
            run: &self.run,
            decision: &self.decision,
            run_file: display::path(&self.file),
            program: context.printer.program().to_owned(),
            next,
            fits: vec![],
            lost: Lost::new(),
            after: After::default(),
        }
    }

    /// How the server's tools differ from those of the newest accepted run, or of the run before. What cannot be read
    /// tells nothing.
    fn since(&self) -> Option<Since> {
        let reports = self.file.ancestors().nth(3)?;
        let compared = Compared::of(&self.run).ok().flatten();
        let accepted = compared.as_ref().and_then(|compared| compared.baseline.nights.first());
        let file = match accepted {
            Some((run, _)) => history::resolve(reports, run.as_str()).ok()?,
            None => history::before(reports, &self.run.manifest.suite, &self.file, 1).pop()?,
        };
        let earlier = Reader::open(&file).and_then(|reader| reader.manifest()).ok()?;
        let (before, now) = (&earlier.surfaces, &self.run.manifest.surfaces);
        let digest = |seen: &SurfaceSeen| (seen.persona.clone(), seen.digest);
        if before.iter().map(digest).eq(now.iter().map(digest)) {
            return None;
        }
        let changes = changes::between(before, now)?;
        (!changes.is_empty()).then(|| Since { run: short(earlier.run.as_str()).to_owned(), changes })
    }

    /// Where formats find transcripts and earlier runs.
    pub(super) fn shelf(&self) -> Shelf<'_> {
        Shelf::new(&self.file, &self.run.manifest)
    }

    /// Commands worth trying next, without the program's name.
    fn next(&self) -> Vec<String> {
        let manifest = &self.run.manifest;
        let run = short(manifest.run.as_str());
        let mut next = Vec::new();
        if !self.run.missing.is_empty() || !self.run.unconfirmed.is_empty() || self.is_unfinished() {
            next.push(format!("resume {run}"));
        }
        let failing = self.decision.reasons.iter().find_map(|reason| reason.case.clone());
        let used = self.run.results.iter().find(|result| result.header.kind == CaseKind::Use);
        if let Some(case) = failing.or_else(|| used.map(|result| result.header.case.to_string())) {
            next.push(format!("show {run} {case}"));
        }
        let whole = manifest.flaw.is_none() && manifest.shard.is_none() && used.is_some();
        if whole && self.decision.exit == Exit::Pass && self.decision.verdict == GateVerdict::Pass {
            next.push(format!("baseline accept {run}"));
        }
        if manifest.target.contains("demo-server") && self.decision.exit == Exit::Pass {
            next.push(format!("eval {} --flaw vague-descriptions", manifest.suite));
            if self.run.results.iter().any(|result| result.header.kind == CaseKind::Access) {
                next.push(format!("eval {} --flaw hidden-tool-callable", manifest.suite));
            }
        } else {
            next.push(format!("report {run} --format markdown"));
        }
        next
    }

    /// Whether a gate in rounds still asks for trials.
    fn is_unfinished(&self) -> bool {
        self.decision.reasons.iter().any(|reason| reason.code == "gate.unfinished")
    }

    /// Prints one format on stdout.
    pub(super) fn print(&self, format: &str, context: &Context) -> Outcome<()> {
        if format == HUMAN {
            let printer = context.printer;
            let render = if printer.is_quiet() { terminal::brief } else { terminal::render };
            return printer.data(render(&self.view(context), printer.style(), printer.width()).as_bytes());
        }
        let format = known(format)?;
        let summary = Summary::of(&self.view(context));
        let archive = self.shelf();
        let mut broken = None;
        context.printer.pieces(|out| match format.write(&summary, &archive, out) {
            Err(ReportError::Write(error)) => Err(error),
            rendered => {
                broken = rendered.err();
                Ok(())
            }
        })?;
        broken.map_or(Ok(()), |error| Err(bug(&error)))
    }

    /// One format as bytes.
    pub(super) fn rendered(&self, format: &report::Format, context: &Context) -> Outcome<Vec<u8>> {
        let mut bytes = vec![];
        let summary = Summary::of(&self.view(context));
        format.write(&summary, &self.shelf(), &mut bytes).map_err(|error| bug(&error))?;
        Ok(bytes)
    }

    /// US dollars that this session paid for the run, and for what it ran beside it.
    pub(super) fn spent(&self) -> f64 {
        spent(&self.run, self.free) + self.beside
    }

    /// What the command ends with. Anything but a pass is a failure that the report has told already.
    pub(super) fn outcome(&self) -> Outcome {
        let Decision { exit, reasons, .. } = &self.decision;
        if *exit == Exit::Pass {
            return Ok(Exit::Pass);
        }
        let mut reasons = reasons.iter();
        let (code, message, at) = reasons.next().map_or_else(
            || ("gate".to_owned(), exit.name().to_owned(), None),
            |reason| (reason.code.clone(), reason.message.clone(), reason.origin.clone().map(Box::new)),
        );
        let causes = reasons.take(20).map(|reason| reason.message.clone()).collect();
        let hint = self.next().first().map(|command| format!("`rehearsal {command}`"));
        Err(Failure { at, causes, hint, told: true, ..Failure::new(*exit, code, message) })
    }
}

/// US dollars that were paid for a run, the judge's and played users' and those of attempts that were replaced included;
/// what has no price counts as free, as does what was played.
pub(super) fn spent(run: &RunRecord, free: Free) -> f64 {
    let trials = run.results.iter().flat_map(|result| [result.cost, result.user.cost]).flatten().sum::<f64>();
    let judging = run.results.iter().filter_map(|result| result.judge_cost).sum::<f64>();
    let paid = |played: bool, sum: f64| if played { 0.0 } else { sum };
    // A sum of nothing is minus zero.
    paid(free.trials, trials + run.wasted.trials) + paid(free.judging, judging + run.wasted.judging) + 0.0
}

pub(super) fn bug(error: &ReportError) -> Failure {
    Failure::new(Exit::Bug, "bug.report", error.to_string())
}

/// The start of a run id that tells it apart: its milliseconds.
pub(super) fn short(id: &str) -> &str {
    id.get(..13).unwrap_or(id)
}

/// The format of this name.
pub(super) fn known(name: &str) -> Outcome<&'static report::Format> {
    report::format(name).ok_or_else(|| {
        let names: Vec<&str> = report::FORMATS.iter().map(|format| format.name).chain([HUMAN]).collect();
        Failure::usage("usage.format", format!("there is no format `{name}`"))
            .hint(crate::diag::suggest::hint(name, names))
    })
}
