//! `access_denied`: the persona may not use a tool, resource or prompt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{self, Of, named};
use super::denial::{self, Reply};
use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View, Weight};
use crate::score::Grade;
use crate::score::access::{Sight, Standing};

/// The harness used it as the persona, and the target refused: with HTTP 401 or 403, a JSON-RPC error, a flagged
/// result, or as if it did not exist. A complaint about the arguments is no refusal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AccessDenied(pub Of);

impl Short for AccessDenied {
    const EXPECTS: &'static str = Of::EXPECTS;
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = Of::SCALARS;

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        Of::from_brief(brief).map(Self)
    }
}

impl Examine for AccessDenied {
    fn examine(&self, view: &View<'_>) -> Seen {
        let (subject, whom) = (&self.0.0, view.whom());
        let (named, verb) = (named(subject), subject.verb());
        match denial::examine(view, subject) {
            Err(unprobed) => unprobed,
            Ok((evidence, Reply::Denied { shape, said })) => {
                Seen::pass(format!("`{whom}` was denied {named} by {shape}: `{said}`"), evidence)
            }
            Ok((evidence, Reply::Allowed)) => {
                let cell = match view.shows(subject) {
                    Some((_, false)) => Standing::HiddenButCallable.to_string(),
                    Some((_, true)) => Standing::Open.to_string(),
                    None => "callable".to_owned(),
                };
                Seen::fail(format!("{named} is {cell} for `{whom}`, who must be denied"), evidence)
            }
            Ok((evidence, Reply::Broken { said })) => {
                let why = format!("the target broke instead of denying {named} to `{whom}`: `{said}`");
                Seen::unscored("access.inconclusive", why, evidence)
            }
            Ok((evidence, Reply::Unclear { why })) => {
                let why = format!("whether `{whom}` may {verb} {named} is not shown: {why}");
                Seen::unscored("access.inconclusive", why, evidence)
            }
        }
    }

    fn weight(&self) -> Weight {
        Weight::Security
    }

    fn problems(&self) -> Vec<String> {
        access::problems(&self.0.0)
    }

    fn sights(&self, view: &View<'_>, grade: &Grade) -> Vec<Sight> {
        vec![access::sight(view, &self.0.0, false, grade)]
    }
}
