//! What the four access checks share: a subject as a suite writes it, and what a trial shows of it. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::denial::{self, Reply};
use super::short::{Brief, NoItem, Short};
use super::{Seen, View};
use crate::display::excerpt;
use crate::score::Grade;
use crate::score::access::{Access, Sight, Used};
use crate::transcript::Subject;

/// A tool by its name, or a map: `{tool: N}`, `{resource: URI}`, `{prompt: N}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Of(pub Subject);

impl Short for Of {
    const EXPECTS: &'static str = "the name of a tool, or a map with `tool`, `resource` or `prompt`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["string"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Text(name) => Some(Self(Subject::tool(&name))),
            _ => None,
        }
    }
}

/// A subject as sentences name it, bounded: a tool by its name alone, others with their kind.
pub(super) fn named(subject: &Subject) -> String {
    let name = excerpt(subject.name(), 120);
    match subject {
        Subject::Tool(_) => format!("`{name}`"),
        other => format!("{} `{name}`", other.kind()),
    }
}

/// Some subjects as a person reads them, bounded.
pub(super) fn names<'a>(subjects: impl IntoIterator<Item = &'a Subject>) -> String {
    let mut subjects = subjects.into_iter();
    let head: Vec<String> = subjects.by_ref().take(10).map(named).collect();
    match subjects.count() {
        0 => head.join(", "),
        more => format!("{} and {more} more", head.join(", ")),
    }
}

/// The finding of a list that there is none of.
pub(super) fn never_listed(subject: &Subject) -> Seen {
    let why = format!("`{}` was never answered completely", subject.list());
    Seen::unscored("check.no-list", why, [])
}

/// What is wrong with a subject: one without a name could never fail.
pub(super) fn problems(subject: &Subject) -> Vec<String> {
    match subject.name().trim().is_empty() {
        true => vec![format!("the name of the {} is empty", subject.kind())],
        false => vec![],
    }
}

/// What the trial shows of a subject, when a check says this of it. `open` is whether the persona must get there.
pub(super) fn sight(view: &View<'_>, subject: &Subject, open: bool, grade: &Grade) -> Sight {
    let listed = view.shows(subject).map(|(_, shown)| shown);
    let (used, denied_as) = match denial::examine(view, subject) {
        Err(_) => (None, None),
        Ok((_, Reply::Allowed)) => (Some(Used::Allowed), None),
        Ok((_, Reply::Denied { shape, .. })) => (Some(Used::Denied), Some(shape)),
        Ok((_, Reply::Broken { .. } | Reply::Unclear { .. })) => (Some(Used::Unclear), None),
    };
    let access = match (grade, open) {
        (Grade::Unscored(_), _) => Access::Unknown,
        (Grade::Pass, true) => Access::Allowed,
        (Grade::Fail, true) => Access::Missing,
        (Grade::Pass, false) => Access::Denied,
        (Grade::Fail, false) => Access::Leak,
    };
    Sight { subject: subject.clone(), listed, used, denied_as, access }
}
