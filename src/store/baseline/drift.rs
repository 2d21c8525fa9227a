//! What changed around the cases between the newest accepted night and a run. It is named in every report: a change of
//! the rate has several possible causes then.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::{Baseline, LaneKey, LanePrint, Prints, Status};
use crate::ids::Digest;

/// A part of what a run is measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What the server shows of itself.
    Server,
    /// A model or its parameters.
    Model,
    /// This program.
    Harness,
    /// A client profile.
    Profile,
    /// Who judges, or how.
    Judge,
    /// The text of the suite.
    Suite,
    /// The cases themselves: new, changed or removed.
    Cases,
}

impl Part {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Model => "model",
            Self::Harness => "harness",
            Self::Profile => "profile",
            Self::Judge => "judge",
            Self::Suite => "suite",
            Self::Cases => "cases",
        }
    }
}

/// Something that is not as it was in the baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// What kind of thing.
    pub part: Part,
    /// Which one; empty where there is only one.
    pub name: String,
    /// What happened to it, as a sentence without a final period.
    pub message: String,
}

impl Baseline {
    /// What differs between the newest night and a run; empty without a night. A persona, model or client profile that
    /// only one of them used is no drift: its lanes are new or not run.
    pub fn drift(&self, now: &Prints) -> Vec<Drift> {
        let Some(before) = self.nights.first().map(|night| &night.prints) else { return vec![] };
        let mut found = between(before, now);
        found.sort_by(|a, b| (a.part, &a.name).cmp(&(b.part, &b.name)));
        found
    }

    /// The same for the cases: which of these lanes are new or changed, and which lanes of the newest night are not among
    /// them. `now` is everything the suite would run; with a selection, pass it expanded without.
    pub fn drift_of_cases<'l>(
        &self,
        now: impl IntoIterator<Item = (&'l LaneKey, &'l LanePrint)>,
    ) -> Vec<Drift> {
        let now: BTreeMap<&LaneKey, &LanePrint> = now.into_iter().collect();
        let ids = super::names(now.keys().copied().chain(self.lanes.iter().map(|lane| &lane.key)));
        let drift = |key: &LaneKey, message: String| {
            let model = key.model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
            let name = ids.get(key).map_or_else(|| key.case.to_string(), Clone::clone);
            Drift { part: Part::Cases, name: format!("{name}{model}"), message }
        };
        let mut found: Vec<Drift> = now
            .iter()
            .filter_map(|(key, print)| match self.pool(key, print).status {
                Status::Same => None,
                Status::New => Some(drift(key, "is new".to_owned())),
                Status::Changed(what) => {
                    Some(drift(key, format!("is another case now: {} changed", what.as_str())))
                }
            })
            .collect();
        let newest = self.nights.first().map(|night| &night.run);
        let gone = self.lanes.iter().filter(|lane| {
            lane.seen.first().is_some_and(|seen| Some(&seen.run) == newest) && !now.contains_key(&lane.key)
        });
        found.extend(gone.map(|lane| drift(&lane.key, "is not run any more".to_owned())));
        found
    }
}

/// What differs between two sets of prints, unsorted.
pub fn between(before: &Prints, now: &Prints) -> Vec<Drift> {
    let one = |part, name: &dyn Display, message: &str| Drift {
        part,
        name: name.to_string(),
        message: message.to_owned(),
    };
    let mut found = vec![];
    for (persona, digest) in &now.surfaces {
        let message = match (before.surfaces.get(persona), digest) {
            (None, _) => continue,
            (Some(old), new) if old == new => continue,
            (Some(None), _) => "this persona was refused before and is not now",
            (Some(_), None) => "this persona is refused now",
            (Some(_), Some(_)) => "the server shows this persona other tools, descriptions or instructions",
        };
        found.push(one(Part::Server, persona, message));
    }
    found.extend(
        differing(&before.models, &now.models)
            .map(|name| one(Part::Model, name, "the model's id, parameters or script changed")),
    );
    found.extend(
        differing(&before.clients, &now.clients)
            .map(|name| one(Part::Profile, name, "the client profile changed")),
    );
    if before.version != now.version {
        let message = format!("version {} then, {} now", before.version, now.version);
        found.push(one(Part::Harness, &"", &message));
    }
    if before.judge != now.judge {
        let message = match (before.judge, now.judge) {
            (None, _) => "a judge decides now, none did before",
            (_, None) => "no judge decides now",
            _ => "the judge, its parameters or its rubric changed",
        };
        found.push(one(Part::Judge, &"", message));
    }
    if before.suite != now.suite {
        found.push(one(Part::Suite, &"", "the text of the suite changed"));
    }
    found
}

fn differing<'n, N: Ord>(
    before: &'n BTreeMap<N, Digest>,
    now: &'n BTreeMap<N, Digest>,
) -> impl Iterator<Item = &'n N> {
    now.iter()
        .filter(|(name, digest)| before.get(name).is_some_and(|old| old != *digest))
        .map(|(name, _)| name)
}
