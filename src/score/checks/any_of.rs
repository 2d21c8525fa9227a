//! `any_of`: at least one nested check holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, Short};
use super::{Check, Examine, Seen, View, Weight, combine};

/// At least one nested check holds; missing data decides nothing unless one passes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnyOf {
    /// The nested checks; at least one.
    pub checks: Vec<Check>,
}

impl Short for AnyOf {
    const EXPECTS: &'static str = "a list of checks";
    type Item = Check;
    const SCALARS: &'static [&'static str] = &[];
    const LIST: bool = true;

    fn from_brief(brief: Brief<Check>) -> Option<Self> {
        match brief {
            Brief::List(checks) => Some(Self { checks }),
            _ => None,
        }
    }
}

impl Examine for AnyOf {
    fn examine(&self, view: &View<'_>) -> Seen {
        combine::any(&self.checks, view)
    }

    fn weight(&self) -> Weight {
        combine::heaviest(&self.checks)
    }

    fn problems(&self) -> Vec<String> {
        combine::problems(&self.checks)
    }
}
