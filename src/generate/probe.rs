//! Calls of tools that can do no harm, before any case is drafted: what they return feeds the arguments of others, and
//! becomes what answers must say.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::effect::{self, Effect};
use super::facts::{self, Fact};
use super::fill::{self, Reach};
use super::harvest::Harvest;
use crate::display;
use crate::ids::ToolName;
use crate::mcp::{Session, ToolOutcome};
use crate::suite::secret;
use crate::transcript::view::text_of;
use crate::transcript::{Secrets, ToolFact};

/// Most calls of one look, the second ones included.
const MOST_CALLS: usize = 160;
/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often values that have just been found are given to further tools.
const ROUNDS: usize = 3;

/// A call that worked twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its arguments.
    pub args: Value,
    /// What came back: JSON where it is JSON, else a text.
    pub result: Value,
    /// What stays the same in it.
    pub facts: Vec<Fact>,
    /// All that a model can read of either result: its text, and its structured part as JSON.
    pub words: [String; 2],
}

/// What the calls have shown.
#[derive(Debug, Default)]
pub struct Probed {
    /// The tools, in the server's order.
    pub tools: Vec<ToolFact>,
    /// Calls that worked, by tool.
    pub samples: BTreeMap<ToolName, Vec<Sample>>,
    /// Why a tool has none.
    pub without: BTreeMap<ToolName, String>,
    /// How many calls were made.
    pub calls: usize,
}

/// What calls are made with.
pub struct Caller<'a> {
    /// The session.
    pub session: &'a dyn Session,
    /// What must not be written down.
    pub secrets: &'a Secrets,
    /// Whether tools may be called that change something.
    pub writes: bool,
    /// Today's date, as `2026-11-28`: an answer that tells it will not tell it tomorrow.
    pub today: String,
}

impl Caller<'_> {
    /// Calls what may be called, with up to `each` different arguments a tool.
    pub async fn look(&self, tools: Vec<ToolFact>, each: usize) -> Probed {
        let mut probed = Probed { tools, ..Probed::default() };
        let mut harvest = Harvest::default();
        let callable: Vec<ToolFact> =
            probed.tools.iter().filter(|tool| self.may_call(tool)).cloned().collect();
        for tool in probed.tools.iter().filter(|tool| !self.may_call(tool)) {
            let why = match effect::of(tool) {
                Effect::Writes => "it changes something; `--allow-writes` calls it",
                _ => "nothing says that it only reads; `--allow-writes` calls it",
            };
            probed.without.insert(tool.name.clone(), why.to_owned());
        }
        let rounds =
            (0..ROUNDS).map(|_| (Reach::Known, 1)).chain([(Reach::Guessed, 1), (Reach::Guessed, each)]);
        for (reach, most) in rounds {
            for tool in &callable {
                let known = probed.samples.get(&tool.name).map_or(0, Vec::len);
                let failed = probed.without.get(&tool.name).is_some_and(|why| why.starts_with(FAILED));
                if known >= most || (failed && reach == Reach::Known) {
                    continue;
                }
                self.call(tool, (&mut harvest, reach, most), &mut probed).await;
            }
        }
        probed
    }

    /// Whether a tool is called at all.
    pub fn may_call(&self, tool: &ToolFact) -> bool {
        self.writes || effect::of(tool) == Effect::Reads
    }

    async fn call(
        &self,
        tool: &ToolFact,
        (harvest, reach, most): (&mut Harvest, Reach, usize),
        probed: &mut Probed,
    ) {
        let rows = match fill::arguments(tool, harvest, most, reach) {
            Ok(rows) => rows,
            Err(why) => {
                probed.without.entry(tool.name.clone()).or_insert(why);
                return;
            }
        };
        for args in rows {
            let known =
                probed.samples.get(&tool.name).is_some_and(|all| all.iter().any(|one| one.args == args));
            if known || self.holds_secret(&args) || probed.calls + 2 > MOST_CALLS {
                continue;
            }
            match self.sample(tool, args, &mut probed.calls).await {
                Ok(sample) => {
                    harvest.take(tool.name.as_str(), &self.clean(&sample.result));
                    probed.without.remove(&tool.name);
                    let samples = probed.samples.entry(tool.name.clone()).or_default();
                    // What says something comes before what came back empty.
                    let empty = sample.facts.is_empty();
                    let at = if empty {
                        samples.len()
                    } else {
                        samples.iter().take_while(|one| !one.facts.is_empty()).count()
                    };
                    samples.insert(at, sample);
                }
                Err(why) if !probed.samples.contains_key(&tool.name) => {
                    probed.without.insert(tool.name.clone(), why);
                }
                Err(_) => {}
            }
        }
    }

    /// One call, made twice.
    pub async fn sample(&self, tool: &ToolFact, args: Value, calls: &mut usize) -> Result<Sample, String> {
        *calls += 2;
        let (first, words) = self.once(tool, &args).await?;
        let (second, words_again) = self.once(tool, &args).await?;
        let mut facts = facts::stable(&first, &second, &args, &self.today);
        facts.retain(|fact| !self.holds_secret(&fact.check()));
        Ok(Sample { args, result: first, facts, words: [words, words_again] })
    }

    /// What a call gives, and all that can be read of it.
    async fn once(&self, tool: &ToolFact, args: &Value) -> Result<(Value, String), String> {
        let name = tool.name.as_str();
        let outcome = tokio::time::timeout(PATIENCE, self.session.call_tool(name, args)).await;
        let told = |what: &str, text: &str| format!("{FAILED} {what}: {}", display::excerpt(text, 80));
        match outcome {
            Err(_) => Err(format!("{FAILED} gave no answer within {} seconds", PATIENCE.as_secs())),
            Ok(Err(fault)) => Err(told("failed", &self.secrets.redact(&fault.message))),
            Ok(Ok(ToolOutcome::Refused(refusal))) => {
                Err(told("was refused", &self.secrets.redact(&refusal.message)))
            }
            Ok(Ok(ToolOutcome::Returned { content, is_error: true, .. })) => {
                Err(told("returned an error", &self.secrets.redact(&text_of(&content))))
            }
            Ok(Ok(ToolOutcome::Returned { content, structured, .. })) => {
                let text = text_of(&content);
                // What a model reads is the text, where there is one.
                let read = serde_json::from_str::<Value>(&text)
                    .ok()
                    .filter(|value| value.is_object() || value.is_array());
                let words = match &structured {
                    Some(structured) => format!("{text}\n{structured}"),
                    None => text.clone(),
                };
                Ok((read.or(structured).unwrap_or(Value::String(text)), words))
            }
        }
    }

    /// Whether a value holds something that must not get into a file.
    pub fn holds_secret(&self, value: &Value) -> bool {
        let text = value.to_string();
        self.secrets.redact(&text) != text || any_text(value, &secret::looks_secret)
    }

    /// The value without what must not be said.
    fn clean(&self, value: &Value) -> Value {
        let mut value = value.clone();
        self.secrets.redact_json(&mut value);
        value
    }
}

/// How reasons begin that tell of a call.
const FAILED: &str = "its call";

fn any_text(value: &Value, is: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is(text),
        Value::Array(items) => items.iter().any(|item| any_text(item, is)),
        Value::Object(map) => map.values().any(|item| any_text(item, is)),
        _ => false,
    }
}
