//! The state of a run as steps leave it. Pure: moments come in, lines to print come out.

use std::collections::HashMap;
use std::time::Duration;

use super::keys::{Keys, Shown};
use super::left::{self, Ahead, Costs};
use super::line::{self, Line};
use super::scene::{Counts, Money, Row, Scene};
use crate::cli::rounds::phase_words;
use crate::display;
use crate::gate::compared::Standings;
use crate::ids::{CaseKey, Digest};
use crate::llm::pace::Strain;
use crate::report::paint::Style;
use crate::run::{Scored, Step};
use crate::score::Outcome;
use crate::transcript::{CaseHeader, Glance};

/// A CI log that stays silent for longer looks dead.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Among other lines, a heartbeat comes after this share of the trials.
const STRIDE: u64 = 20;
/// Most trials under way that are shown.
const ROWS: usize = 4;
/// No terminal has more lines.
const MOST_ROWS: usize = 500;

/// What does not change while a run goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// When it began.
    pub(super) begun: Duration,
    /// Most US dollars.
    pub(super) most: Option<f64>,
    /// US dollars that were spent before.
    pub(super) before: f64,
    /// The largest share of invalid trials with which it can pass.
    pub(super) tolerated: Option<f64>,
    /// Whether every trial has a line.
    pub(super) verbose: bool,
    /// Marks and colours.
    pub(super) style: Style,
}

/// What is known of a moment beside the steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    /// How hard providers are asked.
    pub(super) strains: Vec<Strain>,
    /// Whether no more trials are started.
    pub(super) stopping: bool,
    /// Whether none are started for now.
    pub(super) paused: bool,
    /// Where keys are read: what they have changed.
    pub(super) keys: Option<Keys>,
}

/// The state of a run.
pub(super) struct Board {
    terms: Terms,
    total: u64,
    counts: Counts,
    spent: f64,
    judge: f64,
    unpriced: u32,
    tokens: [u64; 2],
    costs: Costs,
    /// When trials ended, in seconds since the run began.
    ended: Vec<f64>,
    /// Seconds of all trials together.
    worked: f64,
    running: Vec<(CaseKey, Running)>,
    /// Passed and failed trials of each case, model and persona.
    lanes: HashMap<(Digest, Digest), [bool; 2]>,
    faults: HashMap<String, u64>,
    standings: Standings,
    stopping: bool,
    /// How long nothing was under way because of a pause, and when this was last looked at.
    idle: Duration,
    looked: Duration,
    /// When the last line came, and when the last heartbeat did, with how many trials had ended.
    last: Duration,
    beat: (Duration, u64),
}

struct Running {
    names: [String; 3],
    trial: u32,
    glance: Glance,
    since: Duration,
}

impl Board {
    pub(super) fn new(terms: Terms, total: u64) -> Self {
        Self {
            total,
            counts: Counts { tolerated: terms.tolerated, ..Counts::default() },
            spent: 0.0,
            judge: 0.0,
            unpriced: 0,
            tokens: [0, 0],
            costs: Costs::default(),
            ended: vec![],
            worked: 0.0,
            running: vec![],
            lanes: HashMap::new(),
            faults: HashMap::new(),
            standings: Standings::default(),
            stopping: false,
            idle: Duration::ZERO,
            looked: terms.begun,
            last: terms.begun,
            beat: (terms.begun, 0),
            terms,
        }
    }

    /// Compares with a baseline.
    pub(super) fn compares(&mut self, standings: Standings) {
        self.standings = standings;
    }

    /// Notes whether trials are held back. Time without any trial is no pace.
    pub(super) fn looks(&mut self, now: Duration, paused: bool) {
        if paused && self.running.is_empty() {
            self.idle += now.saturating_sub(self.looked);
        }
        self.looked = now;
    }

    /// How long the run has worked, pauses left out.
    fn at_work(&self, now: Duration) -> f64 {
        now.saturating_sub(self.terms.begun + self.idle).as_secs_f64()
    }

    /// Notes a step; the lines that a person has to read.
    pub(super) fn step(&mut self, step: &Step<'_>, now: Duration) -> Vec<Line> {
        let lines = match step {
            Step::Started(header, glance) => self.started(header, glance, now),
            Step::Scored(scored) => self.scored(scored, now),
            Step::Again(scored) => self.again(scored),
            Step::Round(phases, trials) => {
                self.total += *trials as u64;
                phases.iter().map(|phase| Line::plain(phase_words(phase, phases.len() > 1))).collect()
            }
            Step::Stopping(stop) => {
                self.stopping = true;
                // That nothing can be kept any longer is an error of the command, which tells it in full.
                vec![Line::plain(match stop.code.starts_with("store.") {
                    true => "stopping: the run can no longer be recorded".to_owned(),
                    false => format!("stopping: {}", display::safe_line(&stop.message)),
                })]
            }
        };
        if !lines.is_empty() {
            self.last = now;
        }
        lines
    }

    fn started(&mut self, header: &CaseHeader, glance: &Glance, now: Duration) -> Vec<Line> {
        let model = header.model.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let names = [header.case.to_string(), model, header.persona.to_string()];
        let running = Running { names, trial: header.trial, glance: glance.clone(), since: now };
        self.running.push((header.key, running));
        vec![]
    }

    /// A trial that gave nothing costs, and does not count yet.
    fn again(&mut self, scored: &Scored) -> Vec<Line> {
        self.leaves(scored);
        self.counts.again += 1;
        let mut line = line::trial(scored, self.terms.style);
        line.text.push_str("; it runs again");
        if self.terms.verbose { vec![line] } else { vec![] }
    }

    fn leaves(&mut self, scored: &Scored) {
        self.running.retain(|(key, _)| *key != scored.header.key);
        self.spent += scored.cost;
        self.judge += scored.judge_cost;
        self.unpriced += u32::from(scored.unpriced);
        self.tokens[0] += scored.tokens[0];
        self.tokens[1] += scored.tokens[1];
    }

    fn scored(&mut self, scored: &Scored, now: Duration) -> Vec<Line> {
        self.leaves(scored);
        self.counts.done += 1;
        self.ended.push(self.at_work(now));
        self.worked += scored.took_ms as f64 / 1000.0;
        self.costs.add(scored.cost);
        if let Some(outcome) = scored.outcome {
            self.standings.note(&scored.header.key, outcome);
        }
        let lane = self.lanes.entry((scored.header.key.question, scored.header.key.model)).or_default();
        let mixed = lane[0] && lane[1];
        let counts = &mut self.counts;
        let loud = match scored.outcome {
            Some(Outcome::Pass) if scored.skipped => {
                counts.skipped += 1;
                false
            }
            Some(Outcome::Pass) => {
                counts.passed += 1;
                lane[0] = true;
                false
            }
            Some(Outcome::Fail) if scored.expected_failure => {
                counts.expected += 1;
                false
            }
            Some(Outcome::Fail) => {
                counts.failed += 1;
                lane[1] = true;
                true
            }
            Some(Outcome::Invalid) => {
                counts.invalid += 1;
                true
            }
            // Why a trial was dropped, the line about stopping has said.
            None => false,
        };
        counts.mixed += u64::from(!mixed && lane[0] && lane[1]);
        self.told(scored, loud)
    }

    /// The line about a trial, if it has one: of those without a verdict for one reason the first alone.
    fn told(&mut self, scored: &Scored, loud: bool) -> Vec<Line> {
        let style = self.terms.style;
        let fault = scored.fault.as_ref().filter(|_| scored.outcome == Some(Outcome::Invalid));
        let often = fault.map_or(1, |code| {
            let often = self.faults.entry(code.clone()).or_default();
            *often += 1;
            *often
        });
        if self.terms.verbose || (loud && often == 1) {
            return vec![line::trial(scored, style)];
        }
        let repeated = fault.filter(|_| loud).and_then(|code| line::again_and_again(code, often, style));
        repeated.into_iter().collect()
    }

    /// Whether a log without a live block has been silent for too long, or much has happened since the last heartbeat.
    pub(super) fn beats(&mut self, now: Duration) -> bool {
        let silent = now.saturating_sub(self.last) >= HEARTBEAT;
        let far = (self.counts.done - self.beat.1) * STRIDE >= self.total;
        let due = silent || (far && now.saturating_sub(self.beat.0) >= HEARTBEAT);
        if due {
            self.last = now;
            self.beat = (now, self.counts.done);
        }
        due
    }

    /// The run at this moment.
    pub(super) fn scene(&self, now: Duration, around: Around) -> Scene {
        let Around { strains, stopping, paused, keys } = around;
        let elapsed = now.saturating_sub(self.terms.begun);
        let left = self.total.saturating_sub(self.counts.done);
        let typical = self.worked / self.ended.len().max(1) as f64;
        let ahead = Ahead { trials: left, busy: self.running.len(), typical };
        let spent = self.terms.before + self.spent;
        let end = self.costs.ahead(left).filter(|_| self.unpriced == 0 && left > 0);
        let row = |(_, running): &(CaseKey, Running)| Row {
            names: running.names.clone(),
            trial: running.trial,
            moment: running.glance.now(),
            since: now.saturating_sub(running.since),
        };
        let rows = match keys.map(|keys| keys.shown).unwrap_or_default() {
            Shown::Few => ROWS,
            Shown::Fitting => MOST_ROWS,
            Shown::Nothing => 0,
        };
        let running: Vec<Row> = self.running.iter().take(rows).map(row).collect();
        Scene {
            elapsed,
            total: self.total,
            counts: self.counts,
            left: left::time(&self.ended, self.at_work(now), ahead),
            money: Money {
                spent,
                unpriced: self.unpriced,
                most: self.terms.most,
                end: end.map(|[low, high]| [spent + low, spent + high]),
                judge: self.judge,
                tokens: self.tokens,
            },
            strains,
            stopping: stopping || self.stopping,
            paused,
            below: (!self.standings.is_empty()).then(|| self.standings.below()),
            keys,
            more: self.running.len() - running.len(),
            running,
        }
    }
}
