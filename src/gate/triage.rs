//! Why a case fails, by what becomes of it when one thing is varied: the server alone, the tools, the model, the judge,
//! or nothing. Pure.
//!
//! A cause is what a majority of a few trials point at, not a measurement: reports show the counts beside it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::score::checks::expected::Way;

/// How some trials went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// Passed.
    pub passed: u32,
    /// Failed.
    pub failed: u32,
    /// Without a verdict: missing data.
    pub invalid: u32,
    /// Why the first that failed did; else why the first invalid one has no verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Which ways the failed ones took to the expected calls.
    #[serde(default, skip_serializing_if = "Ways::is_empty")]
    pub ways: Ways,
}

impl Tries {
    /// Whether most of them passed; `None` without a majority.
    pub fn holds(&self) -> Option<bool> {
        match self.passed.cmp(&self.failed) {
            std::cmp::Ordering::Greater => Some(true),
            std::cmp::Ordering::Less => Some(false),
            std::cmp::Ordering::Equal => None,
        }
    }
}

/// How many failed trials took which way to the calls that were expected of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ways {
    /// Every expected call was made as expected, and yet the trial failed.
    pub right: u32,
    /// The right tool, other arguments.
    pub other_arguments: u32,
    /// No call where one was expected.
    pub no_call: u32,
    /// Another tool in the place of an expected one, by its name.
    pub other_tool: BTreeMap<String, u32>,
}

impl Ways {
    /// Counts one more.
    pub fn add(&mut self, way: &Way) {
        match way {
            Way::Right => self.right += 1,
            Way::OtherArguments => self.other_arguments += 1,
            Way::NoCall => self.no_call += 1,
            Way::OtherTool(tool) => *self.other_tool.entry(tool.to_string()).or_default() += 1,
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The tool that was called most often in the place of an expected one; of equals the first by name.
    fn rival(&self) -> Option<&str> {
        let most = *self.other_tool.values().max()?;
        self.other_tool.iter().find(|(_, count)| **count == most).map(|(name, _)| name.as_str())
    }

    /// Whether most took the right way and failed all the same.
    fn mostly_right(&self) -> bool {
        self.right > self.other_arguments + self.no_call + self.other_tool.values().sum::<u32>()
    }
}

/// What is known of a failed case. `None`: not tried, because it cannot be or was not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The trials of the run.
    pub run: Tries,
    /// Expected tools that the persona is not offered at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_offered: Vec<String>,
    /// The expected calls straight to the server, without a model.
    pub direct: Option<Tries>,
    /// The same again, all tools offered.
    pub again: Option<Tries>,
    /// Only the expected tools offered.
    pub alone: Option<Tries>,
    /// Another model, all tools offered.
    pub second_model: Option<Tries>,
    /// Another judge about the failed trials of the run: passed means that it lets them pass. Only where nothing but
    /// the judge failed them.
    pub second_judge: Option<Tries>,
}

/// Who or what a failure is due to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The server does not do what is expected even when it is called as expected.
    Server,
    /// The description does not lead the model to the right tool or arguments.
    Description,
    /// Another tool draws the call to itself.
    Collision {
        /// That tool.
        with: String,
    },
    /// The model makes nothing of what another one, or the tool alone, would have given it.
    Model,
    /// The judge's word: another judge lets the same trials pass.
    Judge,
    /// Chance: the same again passes.
    Flake,
    /// What was tried does not tell.
    Unclear,
}

impl Cause {
    /// The word used in reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Description => "description",
            Self::Collision { .. } => "collision",
            Self::Model => "model",
            Self::Judge => "judge",
            Self::Flake => "flake",
            Self::Unclear => "unclear",
        }
    }
}

/// The cause that the evidence points at, the surest signs first.
///
/// A judge that another one overrules says nothing about the rest. A server that fails without a model needs no further
/// search, unless the case passes each time that a model works on it otherwise: then it can live with what the server
/// says. What passes when nothing is changed was chance. Only then do the tools offered tell description and
/// collision from the model, and a second model tells the model from the words that both of them read.
pub fn decide(evidence: &Evidence) -> Cause {
    let holds = |tries: &Option<Tries>| tries.as_ref().and_then(Tries::holds);
    let Evidence { run, not_offered, direct, again, alone, second_model, second_judge } = evidence;
    if holds(second_judge) == Some(true) {
        return Cause::Judge;
    }
    let lives_with_it =
        |tries: &Option<Tries>| tries.as_ref().is_some_and(|tries| tries.passed > 0 && tries.failed == 0);
    let refused = holds(direct) == Some(false) && !lives_with_it(alone) && !lives_with_it(second_model);
    if !not_offered.is_empty() || refused {
        return Cause::Server;
    }
    if holds(again) == Some(true) {
        return Cause::Flake;
    }
    let empty = Ways::default();
    let usual = again.as_ref().map_or(&empty, |again| &again.ways);
    match (holds(alone), holds(second_model)) {
        (Some(true), _) => match usual.rival().or_else(|| run.ways.rival()) {
            Some(rival) => Cause::Collision { with: rival.to_owned() },
            None => Cause::Description,
        },
        (_, Some(true)) => Cause::Model,
        (Some(false), second) => {
            let right = alone.as_ref().is_some_and(|alone| alone.ways.mostly_right());
            match (right, second) {
                (true, Some(false)) => Cause::Unclear,
                (true, _) => Cause::Model,
                (false, _) => Cause::Description,
            }
        }
        (None, _) => Cause::Unclear,
    }
}

/// A failed case with its cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triaged {
    /// The case.
    pub case: String,
    /// The model.
    pub model: Option<String>,
    /// The persona.
    pub persona: String,
    /// The client profile.
    pub client: String,
    /// The tools that it expects to be called.
    #[serde(default)]
    pub expected: Vec<String>,
    /// What the failure is due to.
    pub cause: Cause,
    /// On what that rests.
    pub evidence: Evidence,
}

/// The triage of a run, as it is kept beside the run file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Triage {
    /// The number of this format: 1.
    pub schema: u32,
    /// The run.
    pub run: String,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// The run file with the trials of the triage, named as it lies beside this file; `None` when no trial was needed.
    pub trials: Option<String>,
    /// US dollars of it; `None` when something has no price.
    pub cost: Option<f64>,
    /// The failed cases, in the order of the suite.
    pub cases: Vec<Triaged>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(passed: u32, failed: u32) -> Option<Tries> {
        Some(Tries { passed, failed, ..Tries::default() })
    }

    fn with(tries: Option<Tries>, way: &Way) -> Option<Tries> {
        tries.map(|mut tries| {
            (0..tries.failed).for_each(|_| tries.ways.add(way));
            tries
        })
    }

    /// Fails again in the same way, with a sound server, and nothing else tried.
    fn stubborn() -> Evidence {
        Evidence { direct: tries(3, 0), again: tries(0, 3), ..Evidence::default() }
    }

    #[test]
    fn every_cause_fires_on_its_sign_and_not_on_the_opposite() {
        let rival = || with(tries(0, 3), &Way::OtherTool("list_orders".into()));
        let collision = Cause::Collision { with: "list_orders".to_owned() };
        let table: Vec<(&str, Evidence, Cause)> = vec![
            ("second judge lets pass", Evidence { second_judge: tries(2, 1), ..stubborn() }, Cause::Judge),
            ("second judge agrees", Evidence { second_judge: tries(0, 3), ..stubborn() }, Cause::Unclear),
            ("direct fails", Evidence { direct: tries(0, 3), ..stubborn() }, Cause::Server),
            ("direct holds", stubborn(), Cause::Unclear),
            ("tool is gone", Evidence { not_offered: vec!["a".to_owned()], ..stubborn() }, Cause::Server),
            ("passes again", Evidence { again: tries(2, 1), ..stubborn() }, Cause::Flake),
            ("fails again", Evidence { again: tries(1, 2), ..stubborn() }, Cause::Unclear),
            (
                "alone passes, drawn away",
                Evidence { again: rival(), alone: tries(3, 0), ..stubborn() },
                collision.clone(),
            ),
            ("alone passes, no rival", Evidence { alone: tries(3, 0), ..stubborn() }, Cause::Description),
            (
                "alone fails for want of a call",
                Evidence { alone: with(tries(0, 3), &Way::NoCall), ..stubborn() },
                Cause::Description,
            ),
            (
                "alone fails though the call is right",
                Evidence { alone: with(tries(0, 3), &Way::Right), ..stubborn() },
                Cause::Model,
            ),
            (
                "a second model passes",
                Evidence { alone: with(tries(0, 3), &Way::NoCall), second_model: tries(3, 0), ..stubborn() },
                Cause::Model,
            ),
            (
                "a second model fails for want of a call",
                Evidence {
                    alone: with(tries(0, 3), &Way::OtherArguments),
                    second_model: tries(0, 3),
                    ..stubborn()
                },
                Cause::Description,
            ),
            (
                "two models make the right call and fail",
                Evidence { alone: with(tries(0, 3), &Way::Right), second_model: tries(0, 3), ..stubborn() },
                Cause::Unclear,
            ),
            ("only a second model tells", Evidence { second_model: tries(3, 0), ..stubborn() }, Cause::Model),
            ("nothing was tried", Evidence::default(), Cause::Unclear),
            (
                "a draw tells nothing",
                Evidence { direct: tries(1, 1), again: tries(1, 1), ..Evidence::default() },
                Cause::Unclear,
            ),
        ];
        for (name, evidence, cause) in table {
            assert_eq!(decide(&evidence), cause, "{name}");
        }
    }

    #[test]
    fn the_server_is_named_before_what_its_failure_would_look_like() {
        let evidence = Evidence { direct: tries(0, 3), alone: tries(2, 1), ..stubborn() };
        assert_eq!(decide(&evidence), Cause::Server);
        let intermittent = Evidence { direct: tries(1, 2), again: tries(2, 1), ..Evidence::default() };
        assert_eq!(decide(&intermittent), Cause::Server);
        // A case about a refusal passes with the refusal.
        let wanted = Evidence { direct: tries(0, 3), alone: tries(3, 0), ..stubborn() };
        assert_eq!(decide(&wanted), Cause::Description);
        let wanted = Evidence { direct: tries(0, 3), second_model: tries(3, 0), ..stubborn() };
        assert_eq!(decide(&wanted), Cause::Model);
    }

    #[test]
    fn the_rival_is_the_tool_called_most_often_now_or_in_the_run() {
        let mut ways = Ways::default();
        for tool in ["b", "a", "a", "b"] {
            ways.add(&Way::OtherTool(tool.into()));
        }
        assert_eq!(ways.rival(), Some("a"));
        let run = Tries { failed: 1, ways, ..Tries::default() };
        let evidence = Evidence { run, alone: tries(3, 0), ..stubborn() };
        assert_eq!(decide(&evidence), Cause::Collision { with: "a".to_owned() });
    }
}
