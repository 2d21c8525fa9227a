//! Checks: deterministic expectations, one file each, listed once in the table below.
//!
//! A check is data read from YAML; examining it is a pure function of the transcript. Adding one is a file and a line.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::access::Sight;
use super::{Finding, Grade, Weight};
use crate::diag::Located;
use crate::transcript::{Fault, Side, View};

pub mod expected;
pub mod matcher;
pub mod short;

mod access;
mod calls;
mod combine;
mod denial;
mod json;
mod server;
mod text;

/// What examining a check gives, before its place in the suite is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// What it says.
    pub grade: Grade,
    /// Expected and observed, one sentence.
    pub why: String,
    /// Numbers of the events it rests on.
    pub evidence: Vec<u32>,
}

impl Seen {
    /// The expectation holds.
    pub fn pass(why: impl Into<String>, evidence: impl Into<Vec<u32>>) -> Self {
        Self { grade: Grade::Pass, why: why.into(), evidence: evidence.into() }
    }

    /// It does not hold.
    pub fn fail(why: impl Into<String>, evidence: impl Into<Vec<u32>>) -> Self {
        Self { grade: Grade::Fail, why: why.into(), evidence: evidence.into() }
    }

    /// It cannot be decided from this transcript. The code is stable, such as `check.unpriced`.
    pub fn unscored(code: &str, why: impl Into<String>, evidence: impl Into<Vec<u32>>) -> Self {
        let why = why.into();
        let fault = Fault::new(Side::Harness, code, why.clone());
        Self { grade: Grade::Unscored(fault), why, evidence: evidence.into() }
    }

    /// Passes or fails, with the same sentence and evidence.
    fn when(holds: bool, why: impl Into<String>, evidence: impl Into<Vec<u32>>) -> Self {
        if holds { Self::pass(why, evidence) } else { Self::fail(why, evidence) }
    }

    /// The check's own arguments cannot be read. Loading a suite refuses such a check ([`Examine::problems`]), so this
    /// is met only in records of other versions.
    fn unreadable(problems: &[String]) -> Self {
        Self::unscored("check.bad-arguments", problems.join("; "), [])
    }
}

/// A deterministic expectation.
pub trait Examine {
    /// Reads the transcript and says whether the expectation holds.
    fn examine(&self, view: &View<'_>) -> Seen;

    /// How much a failure weighs.
    fn weight(&self) -> Weight {
        Weight::Must
    }

    /// What is wrong with the check's own arguments, one sentence each: an unreadable regular expression, an unknown
    /// matcher, an empty list that could never fail.
    fn problems(&self) -> Vec<String> {
        vec![]
    }

    /// What the transcript shows of access, when the check is about that and got this grade.
    fn sights(&self, _view: &View<'_>, _grade: &Grade) -> Vec<Sight> {
        vec![]
    }
}

/// One table: the modules, the enum, the YAML keys, the dispatch.
macro_rules! checks {
    ($($(#[doc = $about:literal])* $key:literal => $module:ident::$name:ident,)*) => {
        $(pub mod $module;)*

        /// A deterministic expectation, as a suite writes it: a map with one key.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub enum Check {
            $(
                $(#[doc = $about])*
                #[serde(rename = $key)]
                $name(#[serde(deserialize_with = "short::read")] $module::$name),
            )*
        }

        // By hand, because the derive does not know the short forms.
        impl JsonSchema for Check {
            fn schema_name() -> Cow<'static, str> {
                "Check".into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let forms = [$({
                    let inner = generator.subschema_for::<short::Written<$module::$name>>();
                    json_schema!({
                        "type": "object",
                        "description": concat!($($about),*).trim(),
                        "properties": {$key: inner},
                        "required": [$key],
                        "additionalProperties": false,
                    })
                }),*];
                json_schema!({"oneOf": forms})
            }
        }

        impl Check {
            /// Every check's name, in the order of the table.
            pub const NAMES: &'static [&'static str] = &[$($key),*];

            /// Its name in YAML.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $key,)* }
            }

            fn as_examine(&self) -> &dyn Examine {
                match self { $(Self::$name(check) => check,)* }
            }
        }
    };
}

checks! {
    /// A tool was called, with matching arguments.
    "tool_called" => tool_called::ToolCalled,
    /// A tool was not called, or not with these arguments.
    "tool_not_called" => tool_not_called::ToolNotCalled,
    /// A forbidden tool was not called, or every call was denied.
    "not_reached" => not_reached::NotReached,
    /// Tools were called in this order; other calls may lie between.
    "call_order" => call_order::CallOrder,
    /// At most so many tool calls were made.
    "max_calls" => max_calls::MaxCalls,
    /// No tool call failed.
    "no_tool_errors" => no_tool_errors::NoToolErrors,
    /// After a failed call the model went on to a successful one and an answer.
    "recovered" => recovered::Recovered,
    /// The answer contains a text.
    "answer_contains" => answer_contains::AnswerContains,
    /// The answer matches a regular expression.
    "answer_matches" => answer_matches::AnswerMatches,
    /// The answer holds JSON with a shape or value.
    "answer_json" => answer_json::AnswerJson,
    /// The answer states numbers.
    "answer_numbers" => answer_numbers::AnswerNumbers,
    /// A tool's result has a shape or value.
    "result_json" => result_json::ResultJson,
    /// Tool results stay below a size.
    "result_size" => result_size::ResultSize,
    /// The trial, every tool call or every first token came in time.
    "latency" => latency::Latency,
    /// The trial used at most so many tokens.
    "tokens" => tokens::Tokens,
    /// The trial cost at most so much.
    "cost" => cost::Cost,
    /// The server asked the client something: elicitation, sampling, roots.
    "server_asked" => server_asked::ServerAsked,
    /// The server did not ask the client something.
    "server_not_asked" => server_not_asked::ServerNotAsked,
    /// The server told the client something: progress, a log message, a changed list.
    "server_noted" => server_noted::ServerNoted,
    /// Every nested check holds.
    "all_of" => all_of::AllOf,
    /// At least one nested check holds.
    "any_of" => any_of::AnyOf,
    /// The nested check does not hold.
    "not" => not::Not,
    /// The persona sees a tool, resource or prompt.
    "access_visible" => access_visible::AccessVisible,
    /// The persona does not see a tool, resource or prompt.
    "access_hidden" => access_hidden::AccessHidden,
    /// The persona may use a tool, resource or prompt.
    "access_allowed" => access_allowed::AccessAllowed,
    /// The persona may not use a tool, resource or prompt.
    "access_denied" => access_denied::AccessDenied,
    /// What is denied is denied in this shape.
    "denied_as" => denied_as::DeniedAs,
    /// The persona gets nowhere but to what is named.
    "access_others" => access_others::AccessOthers,
    /// A protocol probe of authorization found nothing wrong.
    "auth_check" => auth_check::AuthCheck,
    /// A verify step returned what it should.
    "verify" => verify::Verify,
    /// A program of the suite says so.
    "command" => command::Command,
}

impl Check {
    /// What is wrong with its own arguments, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        self.as_examine().problems()
    }

    /// How much a failure weighs.
    pub fn weight(&self) -> Weight {
        self.as_examine().weight()
    }

    /// The programs that it needs run when the trial ends, its own and those of checks inside it.
    pub fn commands(&self) -> Vec<&command::Command> {
        match self {
            Self::Command(check) => vec![check],
            Self::AllOf(all_of::AllOf { checks }) | Self::AnyOf(any_of::AnyOf { checks }) => {
                checks.iter().flat_map(Self::commands).collect()
            }
            Self::Not(check) => check.0.commands(),
            _ => vec![],
        }
    }

    /// Reads the transcript and says whether the expectation holds.
    pub fn examine(&self, view: &View<'_>) -> Seen {
        self.as_examine().examine(view)
    }
}

/// Examines every check, in order.
pub fn examine(checks: &[Located<Check>], view: &View<'_>) -> Vec<Finding> {
    checks.iter().map(|check| examine_one(check, view)).collect()
}

fn examine_one(check: &Located<Check>, view: &View<'_>) -> Finding {
    let Seen { grade, why, evidence } = check.value.examine(view);
    let (name, origin) = (check.value.name().to_owned(), check.origin.clone());
    let sights = check.value.as_examine().sights(view, &grade);
    let weight = check.value.weight();
    let mut finding = Finding { check: name, grade, why, evidence, origin, weight, sights, ruling: None };
    if finding.is_not_applicable() {
        finding.weight = Weight::Info;
    }
    finding
}
