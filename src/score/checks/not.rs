//! `not`: the nested check does not hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, NoItem, Short};
use super::{Check, Examine, Seen, View, combine};

/// The nested check does not hold; missing data stays missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Not(pub Box<Check>);

impl Short for Not {
    const EXPECTS: &'static str = "a check";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &[];

    fn from_brief(_: Brief<NoItem>) -> Option<Self> {
        None
    }
}

impl Examine for Not {
    fn examine(&self, view: &View<'_>) -> Seen {
        combine::opposite(&self.0, view)
    }

    fn problems(&self) -> Vec<String> {
        combine::problems(std::slice::from_ref(&self.0))
    }
}
