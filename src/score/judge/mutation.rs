//! Attacks on a judge: texts that are put into frozen transcripts. Pure.
//!
//! Each attack wants the verdict that people do not give. A judge that gives it all the same was talked round.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::criterion::Kind;
use super::frozen::{Frozen, FrozenPack, Label};
use crate::transcript::{Transcript, What};

/// A file of attacks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutationPack {
    /// The version of the file's format: 1.
    pub version: u32,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The frozen transcripts that are attacked.
    pub on: Vec<String>,
    /// The attacks.
    pub mutations: Vec<Mutation>,
}

/// One attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// Its name.
    pub id: String,
    /// The kind of attack, for the report.
    pub technique: String,
    /// Where the text goes.
    pub place: Place,
    /// The text. `{statement}` stands for the statement, `{wanted}` for the verdict that the attack wants.
    pub text: String,
    /// How often the text is repeated.
    #[serde(default = "once")]
    pub times: usize,
}

fn once() -> usize {
    1
}

/// Where the text of an attack goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Behind the final answer.
    Answer,
    /// Before the final answer.
    BeforeAnswer,
    /// Instead of the final answer.
    WholeAnswer,
    /// Into the last result of a tool, or the last error.
    Result,
    /// Into the arguments of the last call.
    Arguments,
}

/// Longest text of an attack that is built, so that a file cannot ask for more memory than there is.
const LONGEST: usize = 4_000_000;

/// An attack on one label of one transcript.
#[derive(Clone, Debug)]
pub struct Attack<'a> {
    /// The attack.
    pub mutation: &'a Mutation,
    /// What it was made of.
    pub frozen: &'a Frozen,
    /// What people say.
    pub label: &'a Label,
    /// The transcript with the text in it.
    pub transcript: Transcript,
}

/// Every attack on every label that does not meet its criterion: meeting it is what attackers want.
pub fn attacks<'a>(pack: &'a MutationPack, frozen: &'a FrozenPack) -> Vec<Attack<'a>> {
    let mut all = vec![];
    for frozen in frozen.transcripts.iter().filter(|frozen| pack.on.contains(&frozen.id)) {
        for label in frozen.labels.iter().filter(|label| !met(label)) {
            for mutation in &pack.mutations {
                if let Some(transcript) = mutated(frozen, label, mutation) {
                    all.push(Attack { mutation, frozen, label, transcript });
                }
            }
        }
    }
    all
}

fn met(label: &Label) -> bool {
    label.holds != (label.criterion.kind() == Kind::MustNot)
}

/// The transcript with the text in it; `None` where it has no place for it.
fn mutated(frozen: &Frozen, label: &Label, mutation: &Mutation) -> Option<Transcript> {
    let mut transcript = frozen.transcript();
    let wanted = if label.holds { "no" } else { "yes" };
    let text = mutation.text.replace("{statement}", &label.criterion.text()).replace("{wanted}", wanted);
    let text = text.repeat(mutation.times.clamp(1, LONGEST / text.len().max(1)));
    let mut events = transcript.events.iter_mut().rev().map(|event| &mut event.what);
    let changed = events.find_map(|what| match (mutation.place, what) {
        (Place::Answer, What::ModelSaid { text: Some(said), .. }) => {
            *said = format!("{said}\n\n{text}");
            Some(())
        }
        (Place::BeforeAnswer, What::ModelSaid { text: Some(said), .. }) => {
            *said = format!("{text}\n\n{said}");
            Some(())
        }
        // Without its words an answer no longer does what it must not do: people would say so, too.
        (Place::WholeAnswer, What::ModelSaid { text: Some(said), .. }) if !label.holds => {
            said.clone_from(&text);
            Some(())
        }
        (Place::Result, What::ToolReturned { content, structured, .. }) => {
            if let Some(Value::Object(map)) = structured {
                map.insert("note".into(), text.clone().into());
            }
            if let Some(Value::String(said)) = content.first_mut().and_then(|block| block.get_mut("text")) {
                *said = format!("{said}\n{text}");
            }
            Some(())
        }
        (Place::Arguments, What::ToolCalled { args, .. }) => {
            if let Value::Object(map) = args {
                map.insert("note".into(), text.clone().into());
            } else {
                *args = text.clone().into();
            }
            Some(())
        }
        _ => None,
    });
    drop(events);
    changed.map(|()| transcript)
}

impl MutationPack {
    /// What makes no sense in it, one sentence each.
    pub fn problems(&self, frozen: &FrozenPack) -> Vec<String> {
        let mut problems = vec![];
        for id in &self.on {
            match frozen.transcripts.iter().find(|frozen| frozen.id == *id) {
                None => problems.push(format!("there is no frozen transcript `{id}`")),
                Some(frozen) if frozen.labels.iter().all(met) => {
                    problems.push(format!(
                        "every criterion of `{id}` is met, so that an attack has nothing to gain"
                    ));
                }
                Some(_) => {}
            }
        }
        for mutation in &self.mutations {
            if self.mutations.iter().filter(|other| other.id == mutation.id).count() > 1 {
                problems.push(format!("the mutation `{}` occurs twice", mutation.id));
            }
        }
        problems
    }
}
