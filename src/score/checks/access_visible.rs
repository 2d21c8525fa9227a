//! `access_visible`: the persona sees a tool, resource or prompt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{self, Of, named, names};
use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View};
use crate::score::Grade;
use crate::score::access::Sight;

/// The last complete list has it; a resource is also visible through a template that it fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AccessVisible(pub Of);

impl Short for AccessVisible {
    const EXPECTS: &'static str = Of::EXPECTS;
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = Of::SCALARS;

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        Of::from_brief(brief).map(Self)
    }
}

impl Examine for AccessVisible {
    fn examine(&self, view: &View<'_>) -> Seen {
        let subject = &self.0.0;
        let Some((seq, entries)) = view.entries(subject) else { return access::never_listed(subject) };
        let whom = view.whom();
        if entries.iter().any(|entry| subject.is_shown_by(entry)) {
            return Seen::pass(format!("`{whom}` sees {}", named(subject)), [seq]);
        }
        let has = match entries.len() {
            0 => "nothing".to_owned(),
            count => format!("{count}: {}", names(&entries)),
        };
        let (list, subject) = (subject.list(), named(subject));
        Seen::fail(format!("expected `{whom}` to see {subject}, which {list} does not have; it has {has}"), [seq])
    }

    fn problems(&self) -> Vec<String> {
        access::problems(&self.0.0)
    }

    fn sights(&self, view: &View<'_>, grade: &Grade) -> Vec<Sight> {
        vec![access::sight(view, &self.0.0, true, grade)]
    }
}
