//! Names of the access matrix that no server may have: a mistyped name under `never` is refused like any unknown one, and
//! would hold for ever.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::diag::suggest;
use crate::display;
use crate::score::access::{DenialShape, Sight, Used};
use crate::transcript::Subject;

/// A name that nobody's list has and that no answer tells from one that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownName {
    /// `tool`, `resource` or `prompt`.
    pub kind: &'static str,
    /// The name or URI, as the suite has it.
    pub name: String,
    /// The personas in whose rows it stands.
    pub personas: Vec<String>,
    /// The nearest name that somebody's list has.
    pub nearest: Option<String>,
}

impl UnknownName {
    /// A sentence for people.
    pub fn sentence(&self) -> String {
        let Self { kind, name, personas, nearest } = self;
        let advice = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "is it spelled as the server spells it?".to_owned(),
        };
        format!(
            "{kind} `{name}` ({}): nobody's list has it, and no answer tells it from one that does not exist, so that it was \
             refused shows nothing; {advice}",
            personas.join(", ")
        )
    }
}

/// Whether a sight shows that the server knows the subject.
fn shows(sight: &Sight) -> bool {
    // Whoever is turned away at the door is told nothing of what is inside.
    let blind = [DenialShape::AsUnknown, DenialShape::Unauthorized];
    let refused_as_known = sight.denied_as.is_some_and(|shape| !blind.contains(&shape));
    sight.listed == Some(true) || sight.used == Some(Used::Allowed) || refused_as_known
}

/// The unknown names among what was seen, in the order of their kinds and names. `tools` are those that somebody saw
/// before the first trial.
pub(super) fn unknown(known: &BTreeMap<(Subject, &str), Sight>, tools: &BTreeSet<&str>) -> Vec<UnknownName> {
    let mut by_subject: BTreeMap<&Subject, Vec<(&str, &Sight)>> = BTreeMap::new();
    for ((subject, persona), sight) in known {
        by_subject.entry(subject).or_default().push((persona, sight));
    }
    let is_listed = |subject: &Subject| matches!(subject, Subject::Tool(_)) && tools.contains(subject.name());
    let is_known = |subject: &Subject, sights: &[(&str, &Sight)]| {
        is_listed(subject) || sights.iter().any(|(_, sight)| shows(sight))
    };
    let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    names.insert("tool", tools.iter().copied().collect());
    for (subject, sights) in by_subject.iter().filter(|(subject, sights)| is_known(subject, sights)) {
        if sights.iter().any(|(_, sight)| sight.listed == Some(true)) {
            names.entry(subject.kind()).or_default().push(subject.name());
        }
    }
    let mut all = vec![];
    for (subject, sights) in &by_subject {
        // What must be seen and is not is loud enough.
        let passed = sights.iter().any(|(_, sight)| sight.used == Some(Used::Denied));
        if !passed || is_known(subject, sights) {
            continue;
        }
        let near = names.get(subject.kind()).into_iter().flatten().copied();
        all.push(UnknownName {
            kind: subject.kind(),
            name: display::excerpt(subject.name(), 80),
            personas: sights.iter().map(|(persona, _)| display::excerpt(persona, 80)).collect(),
            nearest: suggest::nearest(subject.name(), near).map(|name| display::excerpt(name, 80)),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::access::Access;

    fn sight(name: &str, listed: bool, denied_as: Option<DenialShape>) -> Sight {
        let used = Some(if denied_as.is_some() { Used::Denied } else { Used::Allowed });
        Sight { subject: Subject::tool(name), listed: Some(listed), used, denied_as, access: Access::Denied }
    }

    fn found(sights: &[(&'static str, Sight)], tools: &[&str]) -> Vec<UnknownName> {
        let known = sights.iter().map(|(persona, sight)| ((sight.subject.clone(), *persona), sight.clone()));
        unknown(&known.collect(), &tools.iter().copied().collect())
    }

    #[test]
    fn a_mistyped_name_is_found_with_the_nearest_one() {
        let typo = sight("refund_ordr", false, Some(DenialShape::AsUnknown));
        let all = found(&[("customer", typo.clone())], &["refund_order", "search"]);
        assert_eq!(all[0].nearest.as_deref(), Some("refund_order"));
        assert!(all[0].sentence().contains("`refund_ordr` (customer)"), "{}", all[0].sentence());
        // Nobody sees anything: then there is nothing near.
        assert_eq!(found(&[("customer", typo)], &[])[0].nearest, None);
    }

    #[test]
    fn a_name_that_the_server_shows_anywhere_is_none() {
        let hidden = sight("refund", false, Some(DenialShape::AsUnknown));
        assert!(
            found(&[("customer", hidden.clone())], &["refund"]).is_empty(),
            "another persona's list has it"
        );
        let clerk = sight("refund", true, None);
        assert!(found(&[("customer", hidden), ("clerk", clerk)], &[]).is_empty());
        let at_the_door = sight("refund", false, Some(DenialShape::Unauthorized));
        assert_eq!(found(&[("anonymous", at_the_door)], &[]).len(), 1, "nobody has shown that it is there");
        let refused = sight("refund", false, Some(DenialShape::Challenge));
        assert!(
            found(&[("customer", refused)], &[]).is_empty(),
            "a refusal of its own shows that it is there"
        );
    }
}
