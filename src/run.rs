//! The whole pipeline on one screen: drive, keep, score, judge, keep.
//!
//! One loop owns the order: trials and grading tasks send, only [`run`] receives, so the store, the progress display
//! and any other listener see the same sequence. Nothing finished is ever paid for twice: a transcript is on disk
//! before it is scored, and a run that is resumed subtracts what is there.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::drive::{DriveEvent, Stopping, World, schedule};
use crate::ids::CaseKey;
use crate::plan::Case;
use crate::score::judge::{Judge, Judged};
use crate::score::{self, Outcome, Verdict};
use crate::store::Store;
use crate::store::record::{JudgeSpend, Stop};
use crate::transcript::{CaseHeader, End, Fault, Recorder, Side, Transcript};

/// What a run needs.
pub struct Job {
    /// Trials to drive, in order.
    pub cases: Vec<Arc<Case>>,
    /// Trials that have a transcript and need a score only.
    pub unscored: Vec<(Arc<Case>, Arc<Transcript>)>,
    /// The outside.
    pub world: Arc<World>,
    /// Who judges criteria.
    pub judge: Option<Arc<Judge>>,
    /// Where everything is kept.
    pub store: Store,
    /// Stop starting trials when this many US dollars are spent, the judge's included.
    pub max_cost: Option<f64>,
    /// What was spent before, when a run is resumed.
    pub spent: f64,
    /// What is not spent, because its answers are from a tape.
    pub free: Free,
}

/// Work whose answers are from a tape: its costs are those of the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Free {
    /// The trials.
    pub trials: bool,
    /// Judging.
    pub judging: bool,
}

/// What a listener hears, in order.
#[derive(Debug)]
pub enum Step<'a> {
    /// A trial began.
    Started(&'a CaseHeader),
    /// A trial was driven, kept, scored and kept again.
    Scored(&'a Scored),
    /// The run was told to stop.
    Stopping(&'a Stop),
}

/// A trial that is done.
#[derive(Debug)]
pub struct Scored {
    /// What it is about.
    pub header: CaseHeader,
    /// Pass, fail or invalid; `None` for a trial that was interrupted and will run again.
    pub outcome: Option<Outcome>,
    /// Set when it has nothing to say, because its question does not arise.
    pub skipped: bool,
    /// Why it did not pass, or was skipped: the first finding that says so.
    pub why: Option<String>,
    /// Set when it is known to fail.
    pub expected_failure: bool,
    /// US dollars, the judge's included; zero for what has no price.
    pub cost: f64,
    /// Set when a call of it, or of the judge about it, has no price.
    pub unpriced: bool,
    /// Milliseconds of the trial.
    pub took_ms: u64,
    /// The judge's part of it.
    judge_cost: f64,
    /// A fault that stops the whole run: nothing can be kept, or a credential is refused.
    fatal: Option<Fault>,
}

/// Runs a job to its end and returns why it stopped early, if it did. Every reason is in the store as well.
pub async fn run(job: Job, mut on: impl FnMut(Step<'_>)) -> Vec<Stop> {
    let Job { cases, unscored, world, judge, store, max_cost, spent, free } = job;
    let by_key: HashMap<CaseKey, Arc<Case>> =
        cases.iter().map(|case| (case.header.key, Arc::clone(case))).collect();
    let grader = Arc::new(Grader {
        judge,
        store: store.clone(),
        world: Arc::clone(&world),
        permits: Semaphore::new(world.width),
    });
    let planned = cases.len();
    let mut brake = Brake { stopping: world.stop.clone(), max_cost, spent, stops: Vec::new() };
    // A run that is resumed may have spent everything before it begins.
    if planned > 0 {
        brake.check_budget(&mut on);
    }
    let (events, mut driven) = mpsc::channel(world.width.max(1));
    let mut grading: JoinSet<Scored> = JoinSet::new();
    for (case, transcript) in unscored {
        grading.spawn(Arc::clone(&grader).regrade(case, transcript));
    }
    let mut finished = 0;
    let driver = tokio::spawn(schedule::drive(Arc::clone(&world), cases, events));
    let mut driving = true;
    while driving || !grading.is_empty() {
        tokio::select! {
            // Finished gradings first: they free memory, and a full grading stage must hold back the driver.
            biased;
            Some(done) = grading.join_next() => {
                let scored = done.unwrap_or_else(|error| Scored::broken(&error.to_string()));
                brake.spent += if free.judging { 0.0 } else { scored.judge_cost };
                on(Step::Scored(&scored));
                if let Some(fault) = &scored.fatal {
                    brake.stop(Stop { code: fault.code.clone(), message: fault.message.clone() }, &mut on);
                } else if finished < planned {
                    brake.check_budget(&mut on);
                }
            }
            event = driven.recv(), if driving && grading.len() < 4 * world.width.max(1) => match event {
                Some(DriveEvent::Started(header)) => on(Step::Started(&header)),
                Some(DriveEvent::Finished(transcript)) => {
                    finished += 1;
                    brake.spent += if free.trials { 0.0 } else { cost_of(&transcript) };
                    if finished < planned {
                        brake.check_budget(&mut on);
                    }
                    if let Some(case) = by_key.get(&transcript.header.key) {
                        grading.spawn(Arc::clone(&grader).grade(Arc::clone(case), transcript));
                    }
                }
                None => driving = false,
            },
        }
    }
    // The driver ends when its channel does; a panic inside has already been turned into a fault of its trial.
    let _ = driver.await;
    let mut stops = brake.stops;
    if finished == planned {
        // The last trials were under way when the money ran out: nothing was left out.
        stops.retain(|stop| stop.code != BUDGET);
    }
    for stop in &stops {
        let _ = store.stopped(stop).await;
    }
    stops
}

const BUDGET: &str = "run.budget";

/// Decides when no more trials are started, and remembers why.
struct Brake {
    stopping: Stopping,
    max_cost: Option<f64>,
    /// US dollars so far.
    spent: f64,
    stops: Vec<Stop>,
}

impl Brake {
    /// Drains the run. Each reason counts once.
    fn stop(&mut self, stop: Stop, on: &mut impl FnMut(Step<'_>)) {
        self.stopping.drain.cancel();
        if self.stops.iter().all(|known| known.code != stop.code) {
            on(Step::Stopping(&stop));
            self.stops.push(stop);
        }
    }

    /// What costs nothing is never over budget, not even over one of nothing.
    fn check_budget(&mut self, on: &mut impl FnMut(Step<'_>)) {
        if let Some(most) = self.max_cost.filter(|most| self.spent >= *most && self.spent > 0.0) {
            let spent = self.spent;
            let message = format!("${spent:.4} of ${most:.4} are spent; no more trials were started");
            self.stop(Stop { code: BUDGET.to_owned(), message }, on);
        }
    }
}

/// US dollars of a trial, a played user included.
fn cost_of(transcript: &Transcript) -> f64 {
    let aside = transcript.events.iter().filter_map(|event| event.what.paid_aside()?.1).sum::<f64>();
    crate::transcript::View::of(transcript).cost().unwrap_or(0.0) + aside
}

fn is_unpriced(transcript: &Transcript) -> bool {
    transcript.events.iter().any(|event| matches!(event.what.paid(), Some((_, None))))
}

/// What grading needs.
struct Grader {
    judge: Option<Arc<Judge>>,
    store: Store,
    world: Arc<World>,
    permits: Semaphore,
}

impl Grader {
    /// Keeps a transcript, then scores it.
    async fn grade(self: Arc<Self>, case: Arc<Case>, transcript: Arc<Transcript>) -> Scored {
        if transcript.end == End::Interrupted {
            return Scored::of(&case, &transcript);
        }
        match self.store.finished(Arc::clone(&transcript)).await {
            Ok(_) => self.regrade(case, transcript).await,
            Err(error) => Scored::of(&case, &transcript).stopped_by(error.into()),
        }
    }

    /// Scores a transcript that is kept already: code first, the judge only where code has not failed it.
    async fn regrade(self: Arc<Self>, case: Arc<Case>, transcript: Arc<Transcript>) -> Scored {
        let mut findings = score::by_code(&transcript, &case.checks);
        let mut judged = Judged::default();
        if !case.criteria.is_empty() && score::needs_judge(&findings) {
            match self.judge(&case, &transcript).await {
                Ok(decided) => judged = decided,
                Err(undecided) => return undecided,
            }
            findings.append(&mut judged.findings);
        }
        let verdict = Verdict { score_key: case.score_key, findings };
        let spend = JudgeSpend { calls: judged.calls, usage: judged.usage, cost: judged.cost };
        let mut scored = Scored::of(&case, &transcript);
        scored.outcome = Some(verdict.outcome());
        scored.skipped = verdict.skipped().is_some();
        scored.why = verdict.skipped().map(str::to_owned).or_else(|| first_trouble(&verdict));
        scored.unpriced |= judged.calls > 0 && judged.cost.is_none();
        scored.judge_cost = judged.cost.unwrap_or(0.0);
        scored.cost += scored.judge_cost;
        match self.store.scored(transcript.header.key, &verdict, spend).await {
            Ok(()) => scored,
            Err(error) => scored.stopped_by(error.into()),
        }
    }
}

impl Grader {
    /// Asks the judge. Not when what it says could not be kept, and not once the run is aborted: the transcript is kept
    /// and is scored on resume.
    async fn judge(&self, case: &Case, transcript: &Transcript) -> Result<Judged, Scored> {
        let scored = || Scored::of(case, transcript);
        let Some(judge) = &self.judge else {
            let why = "the case has criteria and nobody was named to judge them";
            return Err(scored().stopped_by(Fault::new(Side::Harness, "bug.no-judge", why)));
        };
        let work = async {
            let _permit = self.permits.acquire().await;
            if let Some(error) = self.store.failure() {
                return Err(scored().stopped_by(error.into()));
            }
            let log = Recorder::new(self.world.clock.clone(), self.world.secrets.clone());
            Ok(judge.decide(transcript, &case.criteria, &log).await)
        };
        tokio::select! {
            biased;
            () = self.world.stop.abort.cancelled() => Err(scored()),
            judged = work => judged,
        }
    }
}

fn first_trouble(verdict: &Verdict) -> Option<String> {
    use crate::score::{Grade, Weight};
    let weighty = verdict.findings.iter().filter(|finding| finding.weight != Weight::Info);
    let failed = weighty.clone().find(|finding| finding.grade == Grade::Fail);
    failed
        .or_else(|| weighty.clone().find(|finding| finding.grade != Grade::Pass))
        .map(|finding| finding.why.clone())
}

impl Scored {
    fn of(case: &Case, transcript: &Transcript) -> Self {
        // A refused credential or a store that cannot be written will not get better with the next trial.
        let fatal = match &transcript.end {
            End::Faulted(fault)
                if fault.code == "credentials.refused" || fault.code.starts_with("store.") =>
            {
                Some(fault.clone())
            }
            _ => None,
        };
        Self {
            header: transcript.header.clone(),
            outcome: None,
            skipped: false,
            why: None,
            expected_failure: case.expected_failure.is_some(),
            cost: cost_of(transcript),
            unpriced: is_unpriced(transcript),
            judge_cost: 0.0,
            took_ms: transcript.took_ms,
            fatal,
        }
    }

    fn stopped_by(mut self, fault: Fault) -> Self {
        self.fatal = Some(fault);
        self
    }

    fn broken(message: &str) -> Self {
        let digest = crate::ids::Digest::none();
        let header = CaseHeader {
            key: CaseKey { question: digest, model: digest, trial: 0 },
            suite: "".into(),
            case: "".into(),
            kind: crate::transcript::CaseKind::Use,
            model: None,
            persona: "".into(),
            client: "".into(),
            trial: 0,
            tags: vec![],
            origin: crate::diag::Origin { file: "".into(), line: 0, column: 0 },
        };
        let fatal = Some(Fault::new(Side::Harness, "bug.panic", format!("scoring broke: {message}")));
        Self {
            header,
            outcome: None,
            skipped: false,
            why: None,
            expected_failure: false,
            cost: 0.0,
            unpriced: false,
            judge_cost: 0.0,
            took_ms: 0,
            fatal,
        }
    }
}
