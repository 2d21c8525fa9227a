//! `access_hidden`: the persona does not see a tool, resource or prompt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{self, Of, named};
use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View, Weight};
use crate::score::Grade;
use crate::score::access::Sight;

/// The last complete list does not have it, and no template that it fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AccessHidden(pub Of);

impl Short for AccessHidden {
    const EXPECTS: &'static str = Of::EXPECTS;
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = Of::SCALARS;

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        Of::from_brief(brief).map(Self)
    }
}

impl Examine for AccessHidden {
    fn examine(&self, view: &View<'_>) -> Seen {
        let subject = &self.0.0;
        let Some((seq, entries)) = view.entries(subject) else { return access::never_listed(subject) };
        let (whom, name) = (view.whom(), named(subject));
        match entries.iter().find(|entry| subject.is_shown_by(entry)) {
            None => Seen::pass(format!("`{whom}` does not see {name}"), [seq]),
            Some(entry) if entry == subject => {
                Seen::fail(format!("`{whom}` must not see {name}, but {} has it", subject.list()), [seq])
            }
            Some(template) => {
                let template = named(template);
                Seen::fail(format!("`{whom}` must not see {name}, but it fits the listed {template}"), [seq])
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
