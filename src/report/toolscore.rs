//! Which tools models call against which they should: precision, recall, and who takes whose place. Diagnostic: the
//! author of a case may not know the better way, so nothing here decides.
//!
//! A trial counts when it was judged and its case says which tools it wants. `may` tools are neither right nor wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::figures::{count, percent};
use super::rates::judged;
use super::tally::name;
use crate::ids::ToolName;
use crate::score::expects::Expects;
use crate::score::trajectory::trajectory_match;
use crate::store::record::{CaseResult, RunRecord};

/// The tools of one model under test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelTools {
    /// The model.
    pub model: String,
    /// Judged trials of cases that say which tools they want.
    pub trials: u64,
    /// The mean share of a trial's calls that were wanted; this and the next three are `None` without such a trial.
    pub precision: Option<f64>,
    /// The mean share of the wanted calls that were made.
    pub recall: Option<f64>,
    /// The mean of their harmonic means.
    pub f1: Option<f64>,
    /// The share of trials whose wanted calls all came, in the order of the suite.
    pub in_order: Option<f64>,
    /// Each tool that is wanted or was called, by name.
    pub tools: Vec<ToolScore>,
    /// The confusion matrix: every pair of wanted and called that occurred, by name.
    pub confusion: Vec<Confusion>,
    /// What stood out on the way.
    pub ways: Ways,
}

/// One tool of one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolScore {
    /// The tool.
    pub tool: String,
    /// Trials that want it called.
    pub wanted: u64,
    /// Trials that called it where it was wanted or not wanted; where it is only allowed it counts for nothing.
    pub called: u64,
    /// Trials that wanted and called it.
    pub hits: u64,
    /// The share of the trials that called it that wanted it; `None` when none called it.
    pub precision: Option<f64>,
    /// The share of the trials that wanted it that called it; `None` when none wanted it.
    pub recall: Option<f64>,
    /// The tools in whose place it was called, with the number of trials, most often first.
    pub steals_from: Vec<(String, u64)>,
}

/// One pair of the confusion matrix.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confusion {
    /// The tool that was wanted; `None`: none was, or none that was still missing.
    pub wanted: Option<String>,
    /// The tool that was called; `None`: no tool was.
    pub called: Option<String>,
    /// Trials. A trial that called two others in place of one counts in both.
    pub trials: u64,
}

/// What stood out in the judged trials of one model, whatever their cases want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ways {
    /// Trials of which it is known.
    pub trials: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Of these, those after which the same tool succeeded.
    pub recovered: u64,
    /// Wasted calls.
    pub redundant: u64,
    /// Trials that called a name that no list held.
    pub unknown_tool: u64,
    /// Trials that made one call three times or more.
    pub looped: u64,
    /// Trials without a final text.
    pub no_answer: u64,
}

type Pair<'a> = (Option<&'a str>, Option<&'a str>);

/// The sums of one model.
#[derive(Default)]
struct Sum<'a> {
    trials: u64,
    shares: [f64; 4],
    wanted: BTreeMap<&'a str, u64>,
    called: BTreeMap<&'a str, u64>,
    pairs: BTreeMap<Pair<'a>, u64>,
    ways: Ways,
}

/// Every model that has a judged trial of a use case.
pub(super) fn of(run: &RunRecord) -> Vec<ModelTools> {
    let mut models: BTreeMap<&str, Sum<'_>> = BTreeMap::new();
    // Sums of fractions depend on their order; that of the record must not.
    let mut results: Vec<&CaseResult> =
        run.results.iter().filter(|result| judged(result).is_some()).collect();
    results.sort_by(|a, b| a.order().cmp(&b.order()));
    for result in results {
        let Some(model) = &result.header.model else { continue };
        let sum = models.entry(model.as_str()).or_default();
        sum.way(result);
        if let Some(expects) =
            run.manifest.expects.get(&result.header.case).filter(|said| said.says_something())
        {
            sum.trial(result, expects);
        }
    }
    models.into_iter().map(|(model, sum)| sum.done(model)).collect()
}

impl<'a> Sum<'a> {
    fn way(&mut self, result: &CaseResult) {
        let Some(way) = &result.trajectory else { return };
        self.ways.trials += 1;
        self.ways.errors += u64::from(way.errors);
        self.ways.recovered += u64::from(way.recovered);
        self.ways.redundant += u64::from(way.redundant);
        self.ways.unknown_tool += u64::from(!way.unknown.is_empty());
        self.ways.looped += u64::from(way.looped);
        self.ways.no_answer += u64::from(way.no_answer);
    }

    fn trial(&mut self, result: &'a CaseResult, expects: &'a Expects) {
        let allowed: BTreeSet<&str> = expects.may.iter().map(ToolName::as_str).collect();
        let wanted: Vec<&str> = expects.called.iter().map(ToolName::as_str).collect();
        let made: Vec<&str> =
            result.tool_calls.iter().map(String::as_str).filter(|tool| !allowed.contains(tool)).collect();
        let found = trajectory_match(&wanted, &made);
        let in_order = f64::from(u8::from(found.in_order));
        self.trials += 1;
        self.shares
            .iter_mut()
            .zip([found.precision, found.recall, found.f1, in_order])
            .for_each(|(sum, own)| *sum += own);
        let (wanted, made): (BTreeSet<&str>, BTreeSet<&str>) =
            (wanted.into_iter().collect(), made.into_iter().collect());
        wanted.iter().for_each(|tool| *self.wanted.entry(tool).or_default() += 1);
        made.iter().for_each(|tool| *self.called.entry(tool).or_default() += 1);
        let others: Vec<&str> = made.difference(&wanted).copied().collect();
        let mut pair = |wanted, called| *self.pairs.entry((wanted, called)).or_default() += 1;
        for tool in &wanted {
            match (made.contains(tool), others.is_empty()) {
                (true, _) => pair(Some(*tool), Some(*tool)),
                (false, true) => pair(Some(*tool), None),
                (false, false) => others.iter().for_each(|other| pair(Some(*tool), Some(*other))),
            }
        }
        // Where every wanted tool came, a further one takes nobody's place.
        if wanted.is_subset(&made) {
            match (wanted.is_empty(), others.is_empty()) {
                (true, true) => pair(None, None),
                _ => others.iter().for_each(|other| pair(None, Some(*other))),
            }
        }
    }

    fn done(self, model: &str) -> ModelTools {
        let mean = |sum: f64| (self.trials > 0).then(|| sum / self.trials as f64);
        let [precision, recall, f1, in_order] = self.shares.map(mean);
        let tools: BTreeSet<&str> = self.wanted.keys().chain(self.called.keys()).copied().collect();
        ModelTools {
            model: name(model),
            trials: self.trials,
            precision,
            recall,
            f1,
            in_order,
            tools: tools.into_iter().map(|tool| self.score(tool)).collect(),
            confusion: self
                .pairs
                .iter()
                .map(|((wanted, called), trials)| Confusion {
                    wanted: wanted.map(name),
                    called: called.map(name),
                    trials: *trials,
                })
                .collect(),
            ways: self.ways,
        }
    }

    fn score(&self, tool: &str) -> ToolScore {
        let get = |map: &BTreeMap<&str, u64>| map.get(tool).copied().unwrap_or(0);
        let (wanted, called) = (get(&self.wanted), get(&self.called));
        let hits = self.pairs.get(&(Some(tool), Some(tool))).copied().unwrap_or(0);
        let share = |of: u64| (of > 0).then(|| hits as f64 / of as f64);
        let stolen = self.pairs.iter().filter_map(|((wanted, called), trials)| {
            let from = wanted.filter(|wanted| *called == Some(tool) && *wanted != tool)?;
            Some((name(from), *trials))
        });
        let mut steals_from: Vec<(String, u64)> = stolen.collect();
        steals_from.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        ToolScore {
            tool: name(tool),
            wanted,
            called,
            hits,
            precision: share(called),
            recall: share(wanted),
            steals_from,
        }
    }
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "n/a".to_owned(), percent)
}

impl Ways {
    /// All of it in one line.
    pub fn sentence(&self) -> String {
        let Self { errors, recovered, redundant, unknown_tool, looped, no_answer, .. } = self;
        format!(
            "failed calls {errors}, of which recovered {recovered}; wasted calls {redundant}; trials with a made-up tool {unknown_tool}, in circles {looped}, without an answer {no_answer}"
        )
    }
}

impl ModelTools {
    /// `12 trials, precision 66.7 %, recall 66.7 %, in order 66.7 %`.
    pub fn sentence(&self) -> String {
        let [precision, recall, in_order] = [self.precision, self.recall, self.in_order].map(share);
        let trials = count(self.trials, "trial");
        format!("{trials}, precision {precision}, recall {recall}, in order {in_order}")
    }

    /// Whether every wanted tool was called, and no other.
    pub fn is_clean(&self) -> bool {
        self.tools.iter().all(|tool| tool.hits == tool.wanted && tool.hits == tool.called)
    }
}

/// The worst mix-up of each model: `lexical calls search_books in place of get_book in 3 trials`; `None` without any.
pub(super) fn sentence(models: &[ModelTools]) -> Option<String> {
    let worst = models.iter().filter_map(|model| {
        let thief = |tool: &ToolScore| {
            tool.steals_from.first().map(|(from, trials)| (*trials, tool.tool.clone(), from.clone()))
        };
        let (trials, tool, from) =
            model.tools.iter().filter_map(thief).max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(&a.1)))?;
        Some(format!("{} calls {tool} in place of {from} in {}", model.model, count(trials, "trial")))
    });
    let worst: Vec<String> = worst.take(3).collect();
    (!worst.is_empty()).then(|| worst.join("; "))
}

/// Most tools of a matrix, and most rows of a table.
const WIDE: usize = 12;
const ROWS: usize = 60;

/// The section of the Markdown report, folded. `code` makes words of others inert.
pub(super) fn section(models: &[ModelTools], code: impl Fn(&str) -> String) -> Option<String> {
    let models: Vec<&ModelTools> = models.iter().filter(|model| model.trials > 0).collect();
    if models.is_empty() {
        return None;
    }
    let mut out = "<details><summary>Tools: wanted and called</summary>\n\n".to_owned();
    for model in models {
        out.push_str(&format!(
            "{}: {}\n\n- {}\n\n",
            code(&model.model),
            model.sentence(),
            model.ways.sentence()
        ));
        out.push_str("| tool | wanted | called | both | precision | recall | called in place of |\n|---|---|---|---|---|---|---|\n");
        for tool in model.tools.iter().take(ROWS) {
            let from: Vec<String> = tool
                .steals_from
                .iter()
                .take(5)
                .map(|(from, trials)| format!("{} ({trials})", code(from)))
                .collect();
            out.push_str(&format!(
                "| {} | {} | {} | {} | {} | {} | {} |\n",
                code(&tool.tool),
                tool.wanted,
                tool.called,
                tool.hits,
                share(tool.precision),
                share(tool.recall),
                from.join(", ")
            ));
        }
        out.push('\n');
        if model.tools.len() > ROWS {
            out.push_str(&format!("{} more in `summary.json`.\n\n", model.tools.len() - ROWS));
        }
        if !model.is_clean() && model.tools.len() <= WIDE {
            out.push_str(&matrix(model, &code));
        }
    }
    out.push_str("</details>\n\n");
    Some(out)
}

/// Rows are what was wanted, columns what was called.
fn matrix(model: &ModelTools, code: &impl Fn(&str) -> String) -> String {
    let side = |pick: fn(&Confusion) -> &Option<String>| {
        let mut names: Vec<Option<&str>> = model
            .confusion
            .iter()
            .map(|pair| pick(pair).as_deref())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        // "No tool" sorts first and belongs last.
        names.sort_by_key(Option::is_none);
        names
    };
    let (rows, columns) = (side(|pair| &pair.wanted), side(|pair| &pair.called));
    let shown = |name: &Option<&str>| name.map_or_else(|| "no tool".to_owned(), code);
    let head: Vec<String> = columns.iter().map(shown).collect();
    let mut out = format!("| wanted, called | {} |\n|---|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in &rows {
        let cells = columns.iter().map(|column| {
            let pair = model
                .confusion
                .iter()
                .find(|pair| pair.wanted.as_deref() == *row && pair.called.as_deref() == *column);
            pair.map_or_else(String::new, |pair| pair.trials.to_string())
        });
        out.push_str(&format!("| {} | {} |\n", shown(row), cells.collect::<Vec<_>>().join(" | ")));
    }
    out.push('\n');
    out
}
