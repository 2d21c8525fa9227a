//! The nights of a suite in reports: one value per model, computed once, and its text for a terminal.

use serde::Serialize;

use super::figures::{count, moment, percent};
use super::paint::{Style, Tone};
use super::wrap::lines;
use crate::display::excerpt;
use crate::gate::nights::{Course, Level, QUIET, Seen};

/// Most nights in a report, the newest.
const NIGHTS: usize = 30;
/// Most cases with failures in a row that are listed.
const CASES: usize = 20;

/// The nights of one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrendStamp {
    /// The model.
    pub model: String,
    /// Oldest first.
    pub nights: Vec<NightLine>,
    /// Runs that are no nights of these cases.
    pub left_out: usize,
    /// The rate that nights are charted against; `None` with too few nights.
    pub level: Option<f64>,
    /// The pinned run that gave it; `None`: the first nights did.
    pub pinned: Option<String>,
    /// The standard deviation of nights beyond trial noise; `None` with too few nights.
    pub night_sd: Option<f64>,
    /// Whether the rate slides.
    pub slides: bool,
    /// The run with which the slide most likely began.
    pub began: Option<String>,
    /// Cases that fail for nights, the longest first.
    pub streaks: Vec<StreakLine>,
}

/// One night.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NightLine {
    /// The run.
    pub run: String,
    /// Its start, RFC 3339 in UTC.
    pub started: String,
    /// The mean of case means.
    pub rate: f64,
    /// Judged trials.
    pub trials: u64,
    /// The exit code; `None`: it did not end.
    pub exit_code: Option<u8>,
    /// What was not as in the night before: `server`, `model`, `judge`, `harness`, `suite`.
    pub changed: Vec<&'static str>,
}

/// A case that fails for nights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreakLine {
    /// The case.
    pub case: String,
    /// Newest nights in a row in which most of its trials failed.
    pub nights: usize,
    /// Whether its failures are more than its history explains.
    pub alarm: bool,
}

impl TrendStamp {
    /// The course of a model, made safe for display.
    pub fn of(course: &Course) -> Self {
        let beyond = course.nights.len().saturating_sub(NIGHTS);
        let began = course.chart.as_ref().filter(|_| course.slides()).and_then(|chart| chart.began);
        let night = |seen: &Seen| NightLine {
            run: excerpt(seen.run.as_str(), 60),
            started: excerpt(&seen.started, 40),
            rate: seen.night.rate,
            trials: seen.night.trials,
            exit_code: seen.exit,
            changed: seen.changed.iter().map(|part| part.as_str()).collect(),
        };
        let streak = |streak: &crate::gate::nights::Streak| StreakLine {
            case: excerpt(&streak.case, 120),
            nights: streak.nights,
            alarm: streak.alarm,
        };
        Self {
            model: excerpt(course.model.as_str(), 60),
            nights: course.nights.iter().skip(beyond).map(night).collect(),
            left_out: course.left_out,
            level: course.level.as_ref().map(|(_, rate)| *rate),
            pinned: course.level.as_ref().and_then(|(level, _)| match level {
                Level::Pinned(run) => Some(excerpt(run.as_str(), 60)),
                Level::First(_) => None,
            }),
            night_sd: course.chart.as_ref().map(|chart| chart.variance.extra.sqrt()),
            slides: course.slides(),
            began: began.and_then(|at| Some(excerpt(course.nights.get(at)?.run.as_str(), 60))),
            streaks: course.streaks.iter().map(streak).collect(),
        }
    }

    /// What the charts say, as a sentence.
    pub fn sentence(&self) -> String {
        let Some(level) = self.level else {
            let nights = count(self.nights.len() as u64, "night");
            return format!("{nights} of these cases; charts need {QUIET}");
        };
        let against = match &self.pinned {
            Some(run) => format!("{} of the pinned run {run}", percent(level)),
            None => format!("{} of the first nights (no run is pinned)", percent(level)),
        };
        match (&self.began, self.slides) {
            (Some(run), true) => {
                format!("the rate slides away from {against}; it most likely began with run {run}")
            }
            (None, true) => format!("the rate slides away from {against}"),
            (_, false) => format!("no slide away from {against}"),
        }
    }
}

/// The nights of a model for a terminal of so many cells.
pub fn terminal(stamp: &TrendStamp, style: Style, width: u16) -> String {
    let mut out = format!("{}\n", style.paint(Tone::Strong, &stamp.model));
    for night in &stamp.nights {
        let exit = night.exit_code.map_or_else(|| "not ended".to_owned(), |code| format!("exit {code}"));
        let changed = match night.changed.is_empty() {
            true => String::new(),
            false => format!("  changed: {}", night.changed.join(", ")),
        };
        let (when, rate) = (moment(&night.started), percent(night.rate));
        let trials = count(night.trials, "trial");
        out.push_str(&format!("  {when}  {rate:>7}  {trials:>11}  {exit:<9}  {}{changed}\n", night.run));
    }
    let mut fact = |name: &str, text: &str| {
        for line in lines(text, width.into(), [&format!("  {name:<10}  "), "  │           "]) {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    };
    fact("trend", &stamp.sentence());
    if let Some(sd) = stamp.night_sd {
        fact(
            "nights",
            &format!("differ by {:.1} points (standard deviation) beyond trial noise", sd * 100.0),
        );
    }
    if stamp.left_out > 0 {
        fact("left out", &format!("{}: other cases, or edited since", count(stamp.left_out as u64, "run")));
    }
    for streak in stamp.streaks.iter().take(CASES) {
        let nights = match streak.nights {
            0 => "fails more often than it did".to_owned(),
            n => format!("fails for {} in a row", count(n as u64, "night")),
        };
        let alarm = if streak.alarm { ", more than its history explains" } else { "" };
        fact("case", &format!("{}: {nights}{alarm}", streak.case));
    }
    if stamp.streaks.len() > CASES {
        fact("case", &count((stamp.streaks.len() - CASES) as u64, "more case"));
    }
    style.finish(out)
}

/// What a reader of a run should mind, a sentence per model: a slide, and cases that fail for nights.
pub fn notes(stamps: &[TrendStamp]) -> Vec<String> {
    let mut notes = vec![];
    for stamp in stamps {
        if stamp.slides {
            notes.push(format!("{}: {}", stamp.model, stamp.sentence()));
        }
        let failing: Vec<String> = stamp
            .streaks
            .iter()
            .filter(|streak| streak.nights > 1)
            .take(CASES)
            .map(|streak| format!("{} ({})", streak.case, count(streak.nights as u64, "night")))
            .collect();
        if !failing.is_empty() {
            notes.push(format!("{}: failing for nights: {}", stamp.model, failing.join(", ")));
        }
    }
    notes
}

/// The nights as a section of Markdown; `cell` makes a text fit into a table.
pub fn section(stamps: &[TrendStamp], cell: impl Fn(&str) -> String) -> Option<String> {
    let stamps: Vec<&TrendStamp> = stamps.iter().filter(|stamp| stamp.nights.len() > 1).collect();
    if stamps.is_empty() {
        return None;
    }
    let mut out = "#### Nights\n\n".to_owned();
    for stamp in stamps {
        out.push_str(&format!("{}: {}\n\n", cell(&stamp.model), cell(&stamp.sentence())));
        out.push_str("| night | pass rate | exit | changed |\n|---|---:|---:|---|\n");
        let beyond = stamp.nights.len().saturating_sub(SHOWN);
        for night in stamp.nights.iter().skip(beyond) {
            let exit = night.exit_code.map_or_else(|| "–".to_owned(), |code| code.to_string());
            let changed = night.changed.join(", ");
            out.push_str(&format!(
                "| {} | {} | {exit} | {changed} |\n",
                cell(&moment(&night.started)),
                percent(night.rate)
            ));
        }
        out.push('\n');
    }
    Some(out)
}

/// Most nights in a Markdown table.
const SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn night(at: usize, rate: f64, changed: &[&'static str]) -> NightLine {
        NightLine {
            run: format!("0193a1b{at}"),
            started: format!("2026-11-0{at}T02:00:00Z"),
            rate,
            trials: 30,
            exit_code: (at != 3).then_some(0),
            changed: changed.to_vec(),
        }
    }

    fn stamp() -> TrendStamp {
        TrendStamp {
            model: "gpt-x".to_owned(),
            nights: vec![night(1, 0.95, &[]), night(2, 0.9, &["server", "model"]), night(3, 0.8, &[])],
            left_out: 2,
            level: Some(0.95),
            pinned: Some("0193a1b1".to_owned()),
            night_sd: Some(0.012),
            slides: true,
            began: Some("0193a1b2".to_owned()),
            streaks: vec![
                StreakLine { case: "late-order".to_owned(), nights: 2, alarm: true },
                StreakLine { case: "search".to_owned(), nights: 0, alarm: true },
            ],
        }
    }

    #[test]
    fn nights_as_a_person_reads_them() {
        let text = terminal(&stamp(), Style::Plain, 120);
        for wanted in
            ["changed: server, model", "not ended", "exit 0", "late-order: fails for 2 nights in a row, more"]
        {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
        assert!(text.contains("search: fails more often than it did"), "{text}");
        let markdown = section(&[stamp()], str::to_owned).unwrap();
        assert!(markdown.contains("| server, model |"), "{markdown}");
        assert!(markdown.contains("it most likely began with run 0193a1b2"), "{markdown}");
        let notes = notes(&[stamp()]);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].starts_with("gpt-x: the rate slides away from"), "{notes:?}");
        assert_eq!(notes[1], "gpt-x: failing for nights: late-order (2 nights)");
    }

    #[test]
    fn a_suite_that_is_well_needs_no_note() {
        let quiet = TrendStamp { slides: false, streaks: vec![], ..stamp() };
        assert_eq!(notes(std::slice::from_ref(&quiet)), [] as [String; 0]);
        assert!(quiet.sentence().starts_with("no slide"));
        let young = TrendStamp { level: None, nights: vec![], ..quiet };
        assert_eq!(young.sentence(), "0 nights of these cases; charts need 5");
        assert_eq!(section(&[young], str::to_owned), None);
    }
}
