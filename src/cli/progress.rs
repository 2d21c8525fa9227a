//! What a person sees while a run goes on: a live block on a terminal, plain lines elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Printer;
use super::rounds::phase_words;
use crate::display;
use crate::gate::compared::Phase;
use crate::run::{Scored, Step};
use crate::score::Outcome;
use crate::transcript::Clock;

/// A CI log that stays silent for longer looks dead.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Shows the steps of a run.
pub(super) struct Progress {
    printer: Printer,
    clock: Clock,
    bar: ProgressBar,
    total: u64,
    done: u64,
    passed: u64,
    failed: u64,
    expected: u64,
    invalid: u64,
    skipped: u64,
    cost: f64,
    unpriced: u32,
    last: Duration,
    verbose: bool,
}

impl Progress {
    /// Begins a display for so many trials.
    pub(super) fn new(printer: Printer, clock: Clock, total: u64, verbose: bool) -> Self {
        let target = if printer.live() {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        // The template is a constant; if it were wrong the default style would be shown.
        if let Ok(style) =
            ProgressStyle::with_template("  {elapsed_precise} {bar:24} {pos}/{len}  {msg}  ETA {eta}")
        {
            bar.set_style(style.progress_chars("█▌░"));
        }
        let last = clock.elapsed();
        Self {
            printer,
            clock,
            bar,
            total,
            done: 0,
            passed: 0,
            failed: 0,
            expected: 0,
            invalid: 0,
            skipped: 0,
            cost: 0.0,
            unpriced: 0,
            last,
            verbose,
        }
    }

    /// Shows a step.
    pub(super) fn step(&mut self, step: &Step<'_>) {
        match step {
            Step::Started(_) => {}
            Step::Scored(scored) => self.scored(scored),
            Step::Again(scored) => self.again(scored),
            Step::Round(phases, trials) => self.round(phases, *trials),
            // That nothing can be kept any longer is an error of the command, which tells it in full.
            Step::Stopping(stop) if stop.code.starts_with("store.") => {
                self.line("stopping: the run can no longer be recorded");
            }
            Step::Stopping(stop) => self.line(&format!("stopping: {}", display::safe_line(&stop.message))),
        }
    }

    /// A trial that gave nothing costs, and does not count yet.
    fn again(&mut self, scored: &Scored) {
        self.cost += scored.cost;
        self.unpriced += u32::from(scored.unpriced);
        if self.verbose {
            let text = format!("{}; it runs again", line(scored));
            self.line(&text);
        }
    }

    fn round(&mut self, phases: &[Phase], trials: usize) {
        self.total += trials as u64;
        self.bar.set_length(self.total);
        for phase in phases {
            self.line(&phase_words(phase, phases.len() > 1));
        }
    }

    /// Clears the live block.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn scored(&mut self, scored: &Scored) {
        self.done += 1;
        self.cost += scored.cost;
        self.unpriced += u32::from(scored.unpriced);
        match scored.outcome {
            Some(Outcome::Pass) if scored.skipped => self.skipped += 1,
            Some(Outcome::Pass) => self.passed += 1,
            Some(Outcome::Fail) if scored.expected_failure => self.expected += 1,
            Some(Outcome::Fail) => self.failed += 1,
            Some(Outcome::Invalid) => self.invalid += 1,
            None => {}
        }
        let loud = match scored.outcome {
            // Why a trial was dropped, the line about stopping has said.
            Some(Outcome::Pass) | None => false,
            Some(Outcome::Fail) => !scored.expected_failure,
            Some(Outcome::Invalid) => true,
        };
        if loud || self.verbose {
            self.line(&line(scored));
        }
        let expected =
            if self.expected > 0 { format!("  {} expected", self.expected) } else { String::new() };
        let skipped = if self.skipped > 0 { format!("  – {}", self.skipped) } else { String::new() };
        let counts = format!(
            "✓ {}  ✗ {}{expected}  ! {}{skipped}  {}",
            self.passed,
            self.failed,
            self.invalid,
            spent(self.cost, self.unpriced)
        );
        self.bar.set_position(self.done);
        self.bar.set_message(counts.clone());
        let now = self.clock.elapsed();
        if !self.printer.live() && now.saturating_sub(self.last) >= HEARTBEAT {
            self.last = now;
            self.printer.talk(&format!("{}/{}  {counts}", self.done, self.total));
        }
    }

    fn line(&mut self, text: &str) {
        self.last = self.clock.elapsed();
        self.bar.suspend(|| self.printer.talk(text));
    }
}

/// What was spent so far; what has no price is not shown as free.
fn spent(cost: f64, unpriced: u32) -> String {
    match (unpriced, cost > 0.0) {
        (0, _) => format!("${cost:.2}"),
        (_, false) => "unpriced".to_owned(),
        (_, true) => format!("at least ${cost:.2}"),
    }
}

fn line(scored: &Scored) -> String {
    let header = &scored.header;
    let mark = match scored.outcome {
        Some(Outcome::Pass) if scored.skipped => "–",
        Some(Outcome::Pass) => "✓",
        Some(Outcome::Fail) => "✗",
        Some(Outcome::Invalid) => "!",
        None => "-",
    };
    let model = header.model.as_ref().map_or("-", |model| model.as_str());
    let dropped = scored.outcome.is_none().then_some("dropped; it runs again with `resume`");
    let why = scored.why.as_deref().or(dropped);
    let why = why.map(|why| format!("  {}", display::excerpt(why, 160))).unwrap_or_default();
    let name = display::excerpt(header.case.as_str(), 60);
    format!(
        "{mark} {name}  {model}  {}  trial {}  {:.1}s{why}",
        header.persona,
        header.trial,
        scored.took_ms as f64 / 1000.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_price_is_not_shown_as_free() {
        assert_eq!(spent(0.0, 0), "$0.00");
        assert_eq!(spent(1.234, 0), "$1.23");
        assert_eq!(spent(0.0, 3), "unpriced");
        assert_eq!(spent(0.5, 3), "at least $0.50");
    }
}
