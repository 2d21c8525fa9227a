//! Checks: deterministic expectations, one file each, listed once in the table below.
//!
//! A check is data read from YAML; examining it is a pure function of the transcript. Adding one is a file and a line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Finding, Grade, Weight};
use crate::diag::Located;
use crate::transcript::View;

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

/// A deterministic expectation.
pub trait Examine {
    /// Reads the transcript and says whether the expectation holds.
    fn examine(&self, view: &View<'_>) -> Seen;

    /// How much a failure weighs.
    fn weight(&self) -> Weight {
        Weight::Must
    }
}

/// One table: the modules, the enum, the YAML keys, the dispatch.
macro_rules! checks {
    ($($(#[$about:meta])* $key:literal => $module:ident::$name:ident,)*) => {
        $(pub mod $module;)*

        /// A deterministic expectation, as a suite writes it: a map with one key.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub enum Check {
            $($(#[$about])* #[serde(rename = $key)] $name($module::$name),)*
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
}

/// Examines every check, in order.
pub fn examine(checks: &[Located<Check>], view: &View<'_>) -> Vec<Finding> {
    checks.iter().map(|check| examine_one(check, view)).collect()
}

fn examine_one(check: &Located<Check>, view: &View<'_>) -> Finding {
    let examine = check.value.as_examine();
    let Seen { grade, why, evidence } = examine.examine(view);
    let (check, origin) = (check.value.name().to_owned(), check.origin.clone());
    Finding { check, grade, why, evidence, origin, weight: examine.weight() }
}
