//! The whole pipeline on one screen: drive, keep, score, judge, keep; in rounds where a gate asks for more.
//!
//! One loop owns the order: trials and grading tasks send, only [`run`] receives, so the store, the progress display
//! and any other listener see the same sequence. Nothing finished is ever paid for twice: a transcript is on disk
//! before it is scored, and a run that is resumed subtracts what is there. A trial that gave nothing by nobody's fault is
//! run again, at most twice.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::drive::{DriveEvent, World, schedule};
use crate::gate::compared::Phase;
use crate::ids::CaseKey;
use crate::plan::Case;
use crate::score::Outcome;
use crate::score::judge::Judge;
use crate::store::Store;
use crate::store::record::Stop;
use crate::transcript::{CaseHeader, Glance, Transcript};

mod brake;
mod decided;
mod grading;
mod rounds;
mod scored;

use brake::{BUDGET, Brake};
use grading::Grader;
pub use rounds::Rounds;
use scored::{Again, cost_of};
pub use scored::{Path, Scored};

/// How often a trial that gave nothing is run again.
const RETRIES: u32 = 2;

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
    /// The comparison with a baseline, which may ask for more trials.
    pub rounds: Option<Rounds>,
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
    /// A trial began, and can be looked at while it runs.
    Started(&'a CaseHeader, &'a Glance),
    /// A trial was driven, kept, scored and kept again.
    Scored(&'a Scored),
    /// The same, and it gave nothing: it will be run or judged again.
    Again(&'a Scored),
    /// The gate asks for so many trials more.
    Round(&'a [Phase], usize),
    /// The run was told to stop.
    Stopping(&'a Stop),
}

/// Runs a job to its end and returns why it stopped early, if it did. Every reason is in the store as well.
pub async fn run(job: Job, mut on: impl FnMut(Step<'_>)) -> Vec<Stop> {
    let Job { cases, unscored, world, judge, store, max_cost, spent, free, mut rounds } = job;
    let brake = Brake { stopping: world.stop.clone(), max_cost, spent, stops: Vec::new() };
    let grader = Arc::new(Grader::new(judge, store.clone(), Arc::clone(&world)));
    let mut session = Session { world, grader, brake, free, ended: HashMap::new() };
    let mut batch = Batch { cases, unscored };
    let complete = loop {
        let complete = session.work(batch, &mut on).await;
        let Some(rounds) = &mut rounds else { break complete };
        let next = match rounds.note(&mut session.ended, &store).await {
            Ok(next) if complete && !session.stopped() => next,
            // A gate that asks for more has not got it.
            Ok(next) => break complete && next.is_none(),
            Err(stop) => {
                session.brake.stop(stop, &mut on);
                break false;
            }
        };
        let Some(next) = next else { break complete };
        session.brake.check_budget(&mut on);
        if session.stopped() {
            break false;
        }
        on(Step::Round(&next.phases, next.wanted.len()));
        match rounds.plan(&next.wanted, &store).await {
            Ok(cases) => batch = Batch { cases, unscored: vec![] },
            Err(stop) => {
                session.brake.stop(stop, &mut on);
                break false;
            }
        }
    };
    let mut stops = session.brake.stops;
    if complete {
        // The last trials were under way when the money ran out: nothing was left out.
        stops.retain(|stop| stop.code != BUDGET);
    }
    for stop in &stops {
        let _ = store.stopped(stop).await;
    }
    stops
}

/// What is worked on together.
#[derive(Default)]
struct Batch {
    /// Trials to drive, in order.
    cases: Vec<Arc<Case>>,
    /// Trials to score.
    unscored: Vec<(Arc<Case>, Arc<Transcript>)>,
}

/// A run at work.
struct Session {
    world: Arc<World>,
    grader: Arc<Grader>,
    brake: Brake,
    free: Free,
    /// What trials gave in the end, since this was last looked at.
    ended: HashMap<CaseKey, Outcome>,
}

impl Session {
    fn stopped(&self) -> bool {
        let stop = &self.world.stop;
        stop.drain.is_cancelled() || stop.abort.is_cancelled()
    }

    /// Works on a batch and again on what gave nothing. Returns whether nothing was left out.
    async fn work(&mut self, mut batch: Batch, on: &mut impl FnMut(Step<'_>)) -> bool {
        for left in (0..=RETRIES).rev() {
            let (complete, again) = self.once(batch, left > 0, on).await;
            if again.cases.is_empty() && again.unscored.is_empty() {
                return complete;
            }
            if !complete || self.stopped() {
                return false;
            }
            batch = again;
        }
        true
    }

    /// Works on a batch. Returns whether every trial of it was driven, and what is worth another try if that is wanted.
    async fn once(&mut self, batch: Batch, retry: bool, on: &mut impl FnMut(Step<'_>)) -> (bool, Batch) {
        let Batch { cases, unscored } = batch;
        let by_key: HashMap<CaseKey, Arc<Case>> =
            cases.iter().chain(unscored.iter().map(|(case, _)| case)).map(by_key).collect();
        let planned = cases.len();
        // A run that is resumed may have spent everything before it begins.
        if planned > 0 {
            self.brake.check_budget(on);
        }
        let width = self.world.seats.there();
        let (events, mut driven) = mpsc::channel(width);
        let mut grading: JoinSet<Scored> = JoinSet::new();
        for (case, transcript) in unscored {
            grading.spawn(Arc::clone(&self.grader).regrade(case, transcript));
        }
        let mut again = Batch::default();
        let mut finished = 0;
        let driver = tokio::spawn(schedule::drive(Arc::clone(&self.world), cases, events));
        let mut driving = true;
        while driving || !grading.is_empty() {
            tokio::select! {
                // Finished gradings first: they free memory, and a full grading stage must hold back the driver.
                biased;
                Some(done) = grading.join_next() => {
                    let mut scored = done.unwrap_or_else(|error| Scored::broken(&error.to_string()));
                    self.brake.spent += if self.free.judging { 0.0 } else { scored.judge_cost };
                    let key = scored.header.key;
                    if let Some(outcome) = scored.outcome {
                        self.ended.insert(key, outcome);
                    }
                    let case = by_key.get(&key).filter(|_| retry && scored.fatal.is_none());
                    match (case, scored.again.take()) {
                        (Some(case), Some(what)) if !self.stopped() => {
                            on(Step::Again(&scored));
                            match what {
                                Again::Drive => again.cases.push(Arc::clone(case)),
                                Again::Judge(transcript) => again.unscored.push((Arc::clone(case), transcript)),
                            }
                        }
                        _ => on(Step::Scored(&scored)),
                    }
                    if let Some(fault) = &scored.fatal {
                        self.brake.stop(Stop { code: fault.code.clone(), message: fault.message.clone() }, on);
                    } else if finished < planned {
                        self.brake.check_budget(on);
                    }
                }
                event = driven.recv(), if driving && grading.len() < 2 * width => match event {
                    Some(DriveEvent::Started(header, glance)) => on(Step::Started(&header, &glance)),
                    Some(DriveEvent::Finished(transcript)) => {
                        finished += 1;
                        self.brake.spent += if self.free.trials { 0.0 } else { cost_of(&transcript) };
                        if finished < planned {
                            self.brake.check_budget(on);
                        }
                        if let Some(case) = by_key.get(&transcript.header.key) {
                            grading.spawn(Arc::clone(&self.grader).grade(Arc::clone(case), transcript));
                        }
                    }
                    None => driving = false,
                },
            }
        }
        // The driver ends when its channel does; a panic inside has already been turned into a fault of its trial.
        let _ = driver.await;
        (finished == planned, again)
    }
}

fn by_key(case: &Arc<Case>) -> (CaseKey, Arc<Case>) {
    (case.header.key, Arc::clone(case))
}
