//! `access_others`: the persona gets nowhere but to what is named.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{self, names};
use super::denial::{self, Reply};
use super::short::{Brief, Short};
use super::{Examine, Seen, View, Weight};
use crate::score::access::{Access, Sight, Standing, Used};
use crate::score::Grade;
use crate::transcript::Subject;

/// Everything that the server lists, and everything that the harness tried, is either named here or out of reach: not
/// listed, and denied where it was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessOthers {
    /// What the rest of the row speaks of.
    pub named: Vec<Subject>,
}

impl Short for AccessOthers {
    const EXPECTS: &'static str = "a list of `{tool: N}`, `{resource: URI}` and `{prompt: N}`, or a map with `named`";
    type Item = Subject;
    const SCALARS: &'static [&'static str] = &[];
    const LIST: bool = true;

    fn from_brief(brief: Brief<Subject>) -> Option<Self> {
        match brief {
            Brief::List(named) => Some(Self { named }),
            _ => None,
        }
    }
}

impl AccessOthers {
    /// Everything that was listed or tried and is not named, with the numbers of the lists.
    fn rest(&self, view: &View<'_>) -> (Vec<u32>, Vec<Subject>) {
        let kinds = [Subject::tool(""), Subject::Resource(String::new()), Subject::Prompt(String::new())];
        let (mut seqs, mut rest) = (vec![], vec![]);
        for (seq, entries) in kinds.iter().filter_map(|kind| view.entries(kind)) {
            seqs.push(seq);
            rest.extend(entries);
        }
        rest.extend(view.attempts().into_iter().map(|attempt| attempt.subject));
        let mut known = std::collections::HashSet::new();
        rest.retain(|subject| {
            !denial::is_reference(subject)
                && !self.named.iter().any(|named| named == subject || named.is_shown_by(subject))
                && known.insert(subject.clone())
        });
        seqs.sort_unstable();
        seqs.dedup();
        (seqs, rest)
    }

    fn reached(&self, view: &View<'_>) -> (Vec<u32>, Vec<Sight>) {
        let (seqs, rest) = self.rest(view);
        let sight = |subject: &Subject| {
            let sight = access::sight(view, subject, false, &Grade::Pass);
            let leaks = sight.listed == Some(true) || sight.used == Some(Used::Allowed);
            let unclear = sight.used == Some(Used::Unclear);
            let access = if leaks { Access::Leak } else if unclear { Access::Unknown } else { Access::Denied };
            Sight { access, ..sight }
        };
        (seqs, rest.iter().map(sight).collect())
    }
}

impl Examine for AccessOthers {
    fn examine(&self, view: &View<'_>) -> Seen {
        let (mut evidence, sights) = self.reached(view);
        if view.entries(&Subject::tool("")).is_none() {
            return access::never_listed(&Subject::tool(""));
        }
        let whom = view.whom();
        let which = |wanted: &dyn Fn(&Sight) -> bool| -> Vec<Subject> {
            sights.iter().filter(|sight| wanted(sight)).map(|sight| sight.subject.clone()).collect()
        };
        for sight in sights.iter().filter(|sight| sight.access != Access::Denied) {
            if let Ok((seqs, Reply::Allowed | Reply::Unclear { .. } | Reply::Broken { .. })) =
                denial::examine(view, &sight.subject)
            {
                evidence.extend(seqs);
            }
        }
        let hidden = which(&|sight| sight.standing() == Some(Standing::HiddenButCallable));
        let open = which(&|sight| sight.access == Access::Leak && !hidden.contains(&sight.subject));
        let unclear = which(&|sight| sight.access == Access::Unknown);
        let mut said = vec![];
        if !hidden.is_empty() {
            said.push(format!("{} for `{whom}` and not named in its row: {}", Standing::HiddenButCallable, names(&hidden)));
        }
        if !open.is_empty() {
            said.push(format!("`{whom}` gets to what its row does not name: {}", names(&open)));
        }
        if !said.is_empty() {
            return Seen::fail(said.join("; "), evidence);
        }
        if !unclear.is_empty() {
            let why = format!(
                "whether `{whom}` may use {} is not shown; name it in the row, with arguments that it accepts",
                names(&unclear)
            );
            return Seen::unscored("access.inconclusive", why, evidence);
        }
        Seen::pass(format!("`{whom}` gets to nothing that its row does not name"), evidence)
    }

    fn weight(&self) -> Weight {
        Weight::Security
    }

    fn sights(&self, view: &View<'_>, _: &Grade) -> Vec<Sight> {
        self.reached(view).1
    }
}
