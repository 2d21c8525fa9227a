//! The tools of the target as the trials show them: how often each is called, what becomes of it, what its description
//! costs every request.

use std::collections::BTreeMap;

use super::markup::Html;
use crate::display;
use crate::report::figures::{count, percent, thousands};
use crate::report::summary::Summary;
use crate::transcript::view::Fate;
use crate::transcript::{Transcript, View, What};

/// Most tools in the table.
const ROWS: usize = 200;
/// Characters of one token, roughly.
const CHARS_PER_TOKEN: usize = 4;

/// What is known of one tool.
#[derive(Debug, Default)]
struct Tool {
    /// Calls in all trials.
    calls: u64,
    /// Calls whose result was looked at.
    seen: u64,
    /// Results flagged as errors.
    errors: u64,
    /// Refused by the target.
    refused: u64,
    /// Calls that never left: no such tool, or arguments that are no JSON.
    rejected: u64,
    bytes: u64,
    took_ms: Vec<u64>,
    /// Characters of the tool as listed; 0: never listed.
    listed: usize,
}

/// The tools of a run.
#[derive(Debug, Default)]
pub(super) struct Scorecard {
    tools: BTreeMap<String, Tool>,
    /// Trials looked at.
    trials: u64,
    /// The page is served, and holds no transcripts.
    served: bool,
}

impl Scorecard {
    /// Counts the calls of all trials.
    pub(super) fn of(summary: &Summary) -> Self {
        let mut card = Self::default();
        for name in summary.cases.iter().flat_map(|row| &row.trials).flat_map(|trial| &trial.tool_calls) {
            match card.tools.get_mut(name) {
                Some(tool) => tool.calls += 1,
                None => {
                    card.tools.insert(name.clone(), Tool { calls: 1, ..Tool::default() });
                }
            }
        }
        card
    }

    /// The same for a page that is served.
    pub(super) fn served(self) -> Self {
        Self { served: true, ..self }
    }

    /// Looks at one trial.
    pub(super) fn absorb(&mut self, transcript: &Transcript) {
        self.trials += 1;
        for call in View::of(transcript).model_calls() {
            let tool = self.tool(call.name.as_str());
            tool.seen += 1;
            match call.fate {
                Fate::Returned { is_error, bytes, took_ms, .. } => {
                    tool.errors += u64::from(is_error);
                    tool.bytes += bytes;
                    tool.took_ms.push(took_ms);
                }
                Fate::Refused { .. } => tool.refused += 1,
                Fate::Rejected { .. } => tool.rejected += 1,
                _ => {}
            }
        }
        // Lists seldom differ within a run, and looking at each of ten thousand would cost more than the rest.
        if self.trials <= 50 {
            for fact in transcript.events.iter().flat_map(|event| match &event.what {
                What::ToolsListed { tools } => tools.as_slice(),
                _ => &[],
            }) {
                let size = fact.raw.to_string().chars().count();
                let tool = self.tool(fact.name.as_str());
                tool.listed = tool.listed.max(size);
            }
        }
    }

    fn tool(&mut self, name: &str) -> &mut Tool {
        self.tools.entry(display::excerpt(name, 200)).or_default()
    }

    /// The section; none where no tool is known.
    pub(super) fn section(mut self, html: &mut Html) {
        if self.tools.is_empty() {
            return;
        }
        html.section("tools", "Tools", |html| {
            let listed: usize = self.tools.values().map(|tool| tool.listed).sum();
            let of = match self.trials {
                0 => "No transcript could be read, so that errors, times and sizes are not known.".to_owned(),
                trials => format!(
                    "Calls are those of all trials; errors, times and sizes are of the {} {}.",
                    count(trials, "transcript"),
                    if self.served {
                        "that were looked at, failures first"
                    } else {
                        "in this file, which keeps failures first"
                    }
                ),
            };
            html.leaf("p", &[("class", "dim")], &of);
            if listed > 0 {
                let tokens = thousands(listed.div_ceil(CHARS_PER_TOKEN) as u64);
                let text = format!(
                    "The descriptions of all tools are about {tokens} tokens of every request that offers them \
                     (estimated, four characters a token)."
                );
                html.leaf("p", &[], &text);
            }
            let columns =
                ["tool", "calls", "errors", "refused", "never left", "median", "slowest", "bytes", "tokens"];
            html.table("Tools", &columns, |html| {
                let mut tools: Vec<_> = self.tools.iter_mut().collect();
                tools.sort_by(|(a, x), (b, y)| (y.calls, a).cmp(&(x.calls, b)));
                for (name, tool) in tools.into_iter().take(ROWS) {
                    tool.took_ms.sort_unstable();
                    let known = |number: Option<&u64>| {
                        number.map_or("-".to_owned(), |ms| format!("{} ms", thousands(*ms)))
                    };
                    let share = |part: u64| match (part, tool.seen) {
                        (_, 0) => "-".to_owned(),
                        (0, _) => "0".to_owned(),
                        (part, seen) => format!("{part} ({})", percent(part as f64 / seen as f64)),
                    };
                    let each = (tool.took_ms.len() as u64).max(1);
                    let tokens = match tool.listed {
                        0 => "-".to_owned(),
                        size => thousands(size.div_ceil(CHARS_PER_TOKEN) as u64),
                    };
                    html.row(&[
                        name,
                        &thousands(tool.calls),
                        &share(tool.errors),
                        &share(tool.refused),
                        &share(tool.rejected),
                        &known(tool.took_ms.get(tool.took_ms.len() / 2)),
                        &known(tool.took_ms.last()),
                        &if tool.seen == 0 { "-".to_owned() } else { thousands(tool.bytes / each) },
                        &tokens,
                    ]);
                }
            });
            if self.tools.len() > ROWS {
                html.leaf("p", &[("class", "dim")], &format!("and {} more", self.tools.len() - ROWS));
            }
        });
    }
}
