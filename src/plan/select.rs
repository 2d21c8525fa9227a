//! What the command line selects, checked against the suite: every name must exist, and is suggested when misspelt.

use crate::diag::{Diagnostic, suggest};
use crate::ids::{CaseName, ClientName, ModelName, PersonaName};
use crate::plan::{Selection, access_case, auth_case, shard};
use crate::suite::Suite;
use crate::transcript::CaseKind;

const KINDS: [CaseKind; 3] = [CaseKind::Use, CaseKind::Access, CaseKind::Auth];

/// A selection whose names all exist.
pub(super) struct Chosen<'a>(&'a Selection);

/// Checks the selection against the suite.
pub(super) fn choose<'a>(suite: &Suite, selection: &'a Selection) -> Result<Chosen<'a>, Vec<Diagnostic>> {
    let mut wrong = vec![];
    let cases: Vec<CaseName> = case_names(suite);
    for pattern in &selection.cases {
        if !cases.iter().any(|case| matches(pattern, case.as_str())) {
            wrong.push(unknown("case", pattern, cases.iter().map(CaseName::as_str)));
        }
    }
    let mut tags: Vec<&str> =
        suite.cases.iter().flat_map(|case| case.tags.iter().map(String::as_str)).collect();
    tags.sort_unstable();
    tags.dedup();
    for tag in &selection.tags {
        if !tags.contains(&tag.as_str()) {
            wrong.push(unknown("tag", tag, tags.iter().copied()));
        }
    }
    let mut each = |what, names: Vec<&str>, known: Vec<&str>| {
        for name in names {
            if !known.contains(&name) {
                wrong.push(unknown(what, name, known.iter().copied()));
            }
        }
    };
    let models = suite.models.iter().map(|model| model.value.name.as_str()).collect();
    each("model", selection.models.iter().map(ModelName::as_str).collect(), models);
    let personas = suite.personas.iter().map(|persona| persona.value.name.as_str()).collect();
    each("persona", selection.personas.iter().map(PersonaName::as_str).collect(), personas);
    let clients = suite.clients.iter().map(|client| client.value.name.as_str()).collect();
    each("client", selection.clients.iter().map(ClientName::as_str).collect(), clients);
    let kinds = KINDS.iter().map(|kind| kind.as_str()).collect();
    each("kind", selection.kinds.iter().map(String::as_str).collect(), kinds);
    if selection.trials == Some(0) {
        wrong.push(
            Diagnostic::global("run.bad-trials", "0 trials measure nothing")
                .hint("give at least `--trials 1`"),
        );
    }
    if let Some(Err(diagnostic)) = selection.shard.map(shard::check) {
        wrong.push(diagnostic);
    }
    if wrong.is_empty() { Ok(Chosen(selection)) } else { Err(wrong) }
}

fn unknown<'k>(what: &str, name: &str, known: impl Iterator<Item = &'k str> + Clone) -> Diagnostic {
    let message = match what {
        "case" if name.contains('*') => format!("no case matches `{name}`"),
        what => format!("unknown {what} `{name}`"),
    };
    Diagnostic::global("run.unknown-name", message).hint(suggest::hint(name, known))
}

fn case_names(suite: &Suite) -> Vec<CaseName> {
    let used = suite.cases.iter().map(|case| case.id.value.clone());
    let access = suite.access.iter().map(access_case);
    let auth = suite.auth_checks.iter().map(|id| auth_case(&id.value));
    used.chain(access).chain(auth).collect()
}

impl Chosen<'_> {
    /// Whether cases of this kind run at all.
    pub(super) fn kind(&self, kind: CaseKind) -> bool {
        self.0.kinds.is_empty() || self.0.kinds.iter().any(|chosen| chosen == kind.as_str())
    }

    /// Whether a case of this name and these tags runs.
    pub(super) fn case(&self, name: &CaseName, tags: &[String]) -> bool {
        let named =
            self.0.cases.is_empty() || self.0.cases.iter().any(|pattern| matches(pattern, name.as_str()));
        named && (self.0.tags.is_empty() || self.0.tags.iter().any(|tag| tags.contains(tag)))
    }

    /// Whether the model runs.
    pub(super) fn model(&self, name: &ModelName) -> bool {
        self.0.models.is_empty() || self.0.models.contains(name)
    }

    /// Whether the persona runs.
    pub(super) fn persona(&self, name: &PersonaName) -> bool {
        self.0.personas.is_empty() || self.0.personas.contains(name)
    }

    /// Whether the client runs.
    pub(super) fn client(&self, name: &ClientName) -> bool {
        self.0.clients.is_empty() || self.0.clients.contains(name)
    }
}

/// Whether a name fits a pattern in which `*` stands for any run of characters.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(start) => rest = &rest[start + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_any_run() {
        for (pattern, name) in [
            ("a", "a"),
            ("*", ""),
            ("*", "abc"),
            ("a*", "abc"),
            ("*c", "abc"),
            ("a*c*e", "abcde"),
            ("a**b", "ab"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("a", "ab"), ("b", "ab"), ("a*a", "a"), ("*b", "abc"), ("a*c*b", "abc"), ("", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
