//! `denied_as`: the target denies a tool, resource or prompt in the shape that the suite demands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{self, named};
use super::denial::{self, Reply};
use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View};
use crate::score::access::DenialShape;
use crate::transcript::Subject;

/// The target denied it in this shape. Whether it is denied at all, `access_denied` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeniedAs {
    /// What was tried.
    pub of: Subject,
    /// How it must be denied.
    pub shape: DenialShape,
}

impl Short for DeniedAs {
    const EXPECTS: &'static str = "a map with `of` and `shape`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &[];

    fn from_brief(_: Brief<NoItem>) -> Option<Self> {
        None
    }
}

impl Examine for DeniedAs {
    fn examine(&self, view: &View<'_>) -> Seen {
        let (named, whom, wanted) = (named(&self.of), view.whom(), self.shape);
        match denial::examine(view, &self.of) {
            Err(unprobed) => unprobed,
            Ok((evidence, Reply::Denied { shape, said })) => {
                let what = format!("`{whom}` was denied {named} by {shape}: `{said}`");
                match shape == wanted {
                    true => Seen::pass(what, evidence),
                    false => Seen::fail(format!("{what}; the suite demands {wanted}"), evidence),
                }
            }
            Ok((evidence, _)) => {
                let why = format!("`{whom}` was not denied {named}, so there is no shape to compare");
                Seen::unscored("access.inconclusive", why, evidence)
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        access::problems(&self.of)
    }
}
