//! The whole pipeline on one screen: drive, keep, score, judge, keep.
//!
//! One loop owns the order: trials and grading tasks send, only [`run`] receives, so the store, the progress display
//! and any other listener see the same sequence. Nothing finished is ever paid for twice: a transcript is on disk
//! before it is scored, and a run that is resumed subtracts what is there.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::drive::{DriveEvent, World, schedule};
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
    /// Why it did not pass: the first failed or unscored finding.
    pub why: Option<String>,
    /// Set when it is known to fail.
    pub expected_failure: bool,
    /// US dollars, the judge's included; zero for what has no price.
    pub cost: f64,
    /// Milliseconds of the trial.
    pub took_ms: u64,
    /// A fault that stops the whole run: nothing can be kept, or a credential is refused.
    fatal: Option<Fault>,
}

/// Runs a job to its end and returns why it stopped early, if it did. Every reason is in the store as well.
pub async fn run(job: Job, mut on: impl FnMut(Step<'_>)) -> Vec<Stop> {
    let Job { cases, unscored, world, judge, store, max_cost, mut spent } = job;
    let by_key: HashMap<CaseKey, Arc<Case>> =
        cases.iter().map(|case| (case.header.key, Arc::clone(case))).collect();
    let grader = Arc::new(Grader {
        judge,
        store: store.clone(),
        world: Arc::clone(&world),
        permits: Semaphore::new(world.width),
    });
    let (events, mut driven) = mpsc::channel(world.width.max(1));
    let mut grading: JoinSet<Scored> = JoinSet::new();
    for (case, transcript) in unscored {
        grading.spawn(Arc::clone(&grader).regrade(case, transcript));
    }
    let mut stops: Vec<Stop> = Vec::new();
    // What was spent before may have used the budget up already.
    if let Some(stop) = max_cost.is_some_and(|most| spent >= most).then(|| budget(spent, max_cost)) {
        world.stop.drain.cancel();
        on(Step::Stopping(&stop));
        stops.push(stop);
    }
    let driver = tokio::spawn(schedule::drive(Arc::clone(&world), cases, events));
    let mut driving = true;
    while driving || !grading.is_empty() {
        tokio::select! {
            // Finished gradings first: they free memory, and a full grading stage must hold back the driver.
            biased;
            Some(done) = grading.join_next() => {
                let scored = done.unwrap_or_else(|error| Scored::broken(&error.to_string()));
                spent += scored.cost;
                on(Step::Scored(&scored));
                let stop = scored.fatal.as_ref().map(|fault| Stop { code: fault.code.clone(), message: fault.message.clone() });
                let broke = || max_cost.is_some_and(|most| spent >= most).then(|| budget(spent, max_cost));
                if let Some(stop) = stop.or_else(broke).filter(|_| stops.is_empty()) {
                    world.stop.drain.cancel();
                    on(Step::Stopping(&stop));
                    stops.push(stop);
                }
            }
            event = driven.recv(), if driving && grading.len() < 4 * world.width.max(1) => match event {
                Some(DriveEvent::Started(header)) => on(Step::Started(&header)),
                Some(DriveEvent::Finished(transcript)) => {
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
    for stop in &stops {
        let _ = store.stopped(stop).await;
    }
    stops
}

fn budget(spent: f64, most: Option<f64>) -> Stop {
    let most = most.unwrap_or_default();
    Stop {
        code: "run.budget".to_owned(),
        message: format!("${spent:.4} of ${most:.4} are spent; no more trials were started"),
    }
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
        if let Some(judge) =
            self.judge.as_ref().filter(|_| !case.criteria.is_empty() && score::needs_judge(&findings))
        {
            let _permit = self.permits.acquire().await;
            let log = Recorder::new(self.world.clock.clone(), self.world.secrets.clone());
            judged = judge.decide(&transcript, &case.criteria, &log).await;
            findings.append(&mut judged.findings);
        }
        let verdict = Verdict { score_key: case.score_key, findings };
        let spend = JudgeSpend { calls: judged.calls, usage: judged.usage, cost: judged.cost };
        let mut scored = Scored::of(&case, &transcript);
        scored.outcome = Some(verdict.outcome());
        scored.why = first_trouble(&verdict);
        scored.cost += judged.cost.unwrap_or(0.0);
        match self.store.scored(transcript.header.key, &verdict, spend).await {
            Ok(()) => scored,
            Err(error) => scored.stopped_by(error.into()),
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
            why: None,
            expected_failure: case.expected_failure.is_some(),
            cost: crate::transcript::View::of(transcript).cost().unwrap_or(0.0),
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
        Self { header, outcome: None, why: None, expected_failure: false, cost: 0.0, took_ms: 0, fatal }
    }
}
