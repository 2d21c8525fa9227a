//! `access_allowed`: the persona may use a tool, resource or prompt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{self, Of, named};
use super::denial::{self, Reply};
use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View};
use crate::score::Grade;
use crate::score::access::{Sight, Standing};

/// The harness used it as the persona, and the target let it through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AccessAllowed(pub Of);

impl Short for AccessAllowed {
    const EXPECTS: &'static str = Of::EXPECTS;
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = Of::SCALARS;

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        Of::from_brief(brief).map(Self)
    }
}

impl Examine for AccessAllowed {
    fn examine(&self, view: &View<'_>) -> Seen {
        let (subject, whom) = (&self.0.0, view.whom());
        let (named, verb) = (named(subject), subject.verb());
        match denial::examine(view, subject) {
            Err(unprobed) => unprobed,
            Ok((evidence, Reply::Allowed)) => Seen::pass(format!("`{whom}` may {verb} {named}"), evidence),
            Ok((evidence, Reply::Denied { shape, said })) => {
                let listed = view.shows(subject).is_some_and(|(_, shown)| shown);
                let cell = if listed { format!("{}: ", Standing::ListedButRefused) } else { String::new() };
                let why = format!("{cell}expected `{whom}` to be allowed to {verb} {named}, denied by {shape}: `{said}`");
                Seen::fail(why, evidence)
            }
            Ok((evidence, Reply::Broken { said })) => {
                let why = format!("expected `{whom}` to be allowed to {verb} {named}, the target broke: `{said}`");
                Seen::fail(why, evidence)
            }
            Ok((evidence, Reply::Unclear { why })) => {
                let why = format!("whether `{whom}` may {verb} {named} is not shown: {why}");
                Seen::unscored("access.inconclusive", why, evidence)
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        access::problems(&self.0.0)
    }

    fn sights(&self, view: &View<'_>, grade: &Grade) -> Vec<Sight> {
        vec![access::sight(view, &self.0.0, true, grade)]
    }
}
