//! What resolving collects on its way: diagnostics, texts, instruments used; and how a name becomes a definition.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Layer;
use crate::diag::{Diagnostic, Located, Origin, suggest};
use crate::ids::Digest;
use crate::suite::InstrumentUse;
use crate::suite::catalog::{Catalog, Instrument, Kind};
use crate::suite::text_or::TextOr;
use crate::suite::yaml::At;

/// A list of names and definitions, and the file it stands in.
pub(super) type Listed<'l, T> = (&'l Arc<str>, &'l Vec<At<TextOr<T>>>);

/// Mistakes after which unknown names are no longer compared with all known ones.
const ADVISED: usize = 50;

pub(super) struct Context<'a> {
    pub catalog: &'a Catalog,
    pub diagnostics: Vec<Diagnostic>,
    pub sources: BTreeMap<Arc<str>, Arc<str>>,
    pub instruments: BTreeSet<InstrumentUse>,
    /// The diagnostics of each place: a hostile file has tens of thousands, which cannot all be compared with all.
    said: HashMap<Option<Origin>, Vec<usize>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(catalog: &'a Catalog, sources: BTreeMap<Arc<str>, Arc<str>>) -> Self {
        Self { catalog, diagnostics: vec![], sources, instruments: BTreeSet::new(), said: HashMap::new() }
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        // The same mistake reached on two ways, such as a broken instrument named twice, is said once.
        let said = self.said.entry(diagnostic.at.clone()).or_default();
        if said.iter().all(|index| self.diagnostics[*index] != diagnostic) {
            said.push(self.diagnostics.len());
            self.diagnostics.push(diagnostic);
        }
    }

    pub(super) fn not_yet(&mut self, at: Origin, what: &str, hint: &str) {
        let message = format!("{what} is not supported yet");
        self.push(Diagnostic::error("suite.not-yet", at, message).hint(hint));
    }

    /// Names become parts of file names and of reports.
    pub(super) fn plain_name(&mut self, what: &str, name: &str, at: &Origin) {
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let good = !name.is_empty()
            && name.chars().count() <= 100
            && name.chars().all(fits)
            && !name.starts_with(['.', '-']);
        if !good {
            let message = format!("`{name}` cannot name a {what}");
            self.push(Diagnostic::error("suite.invalid-value", at.clone(), message).hint(
                "use letters, digits, `-`, `_` and `.`; start with a letter or digit; at most 100 characters",
            ));
        }
    }

    /// The definition of a name from the catalog; a diagnostic and `None` when there is none.
    pub(super) fn named<T: Instrument>(&mut self, name: &Located<String>) -> Option<Located<T>> {
        if let Some(found) = self.cataloged(&name.value) {
            return found.map(|definition| Located::new(definition, name.origin.clone()));
        }
        let noun = T::KIND.noun();
        let message = format!("unknown {noun} `{}`", name.value);
        let diagnostic = Diagnostic::error("suite.unknown-name", name.origin.clone(), message);
        let diagnostic = self.advised(diagnostic, &name.value, self.catalog.names(T::KIND));
        self.push(diagnostic.hint(format!("definitions stand in evals/{}/NAME.yaml", T::KIND.folder())));
        None
    }

    /// Adds what the name may have meant, for the first mistakes of a suite: looking is slow, and nobody reads a
    /// thousand of them.
    fn advised<'k>(
        &self,
        diagnostic: Diagnostic,
        wrong: &str,
        known: impl Iterator<Item = &'k str> + Clone,
    ) -> Diagnostic {
        if self.diagnostics.len() < ADVISED {
            diagnostic.hint(suggest::hint(wrong, known))
        } else {
            diagnostic
        }
    }

    /// Outer `None`: no such name. Inner `None`: its definition is broken, which was said.
    pub(super) fn cataloged<T: Instrument>(&mut self, name: &str) -> Option<Option<T>> {
        if let Some((file, text)) = self.catalog.text(T::KIND, name) {
            self.sources.insert(file, text);
        }
        Some(match self.catalog.find::<T>(name)? {
            Ok(found) => {
                self.used(&found.definition, found.from);
                Some(found.definition)
            }
            Err(diagnostic) => {
                self.push(diagnostic);
                None
            }
        })
    }

    /// A definition written in the suite itself.
    pub(super) fn inline<T: Instrument>(&mut self, definition: T, at: Origin) -> Option<Located<T>> {
        let noun = T::KIND.noun();
        if definition.name().is_empty() {
            let message = format!("a {noun} defined here needs a `name`");
            self.push(Diagnostic::error("suite.missing-key", at, message));
            return None;
        }
        self.used(&definition, "inline".to_owned());
        Some(Located::new(definition, at))
    }

    /// A name or a definition.
    pub(super) fn definition<T: Instrument + Clone>(
        &mut self,
        file: &Arc<str>,
        part: &At<TextOr<T>>,
    ) -> Option<Located<T>> {
        let at = part.origin(file);
        match &part.value {
            TextOr::Text(name) => self.named(&Located::new(name.clone(), at)),
            TextOr::Map(definition) => {
                self.plain_name(T::KIND.noun(), definition.name(), &at);
                self.inline(definition.clone(), at)
            }
        }
    }

    /// A list of names and definitions, each name once; `otherwise` when the suite has no such list.
    pub(super) fn list<T: Instrument + Clone>(
        &mut self,
        kind: Kind,
        listed: Option<Listed<'_, T>>,
        otherwise: impl FnOnce(&mut Self) -> Vec<Located<T>>,
    ) -> Vec<Located<T>> {
        let Some((file, list)) = listed.filter(|(_, list)| !list.is_empty()) else { return otherwise(self) };
        let all = list.iter().filter_map(|part| self.definition(file, part)).collect();
        self.each_once(kind, all)
    }

    /// Drops and reports definitions whose name came before.
    pub(super) fn each_once<T: Instrument>(&mut self, kind: Kind, all: Vec<Located<T>>) -> Vec<Located<T>> {
        let mut kept: Vec<Located<T>> = vec![];
        for item in all {
            match kept.iter().find(|known| known.value.name() == item.value.name()) {
                Some(known) => {
                    let message = format!("{} `{}` is listed twice", kind.noun(), item.value.name());
                    let diagnostic = Diagnostic::error("suite.duplicate-id", item.origin, message)
                        .also(known.origin.clone(), "first here");
                    self.push(diagnostic);
                }
                None => kept.push(item),
            }
        }
        kept
    }

    /// An embedded definition that stands in for a list the suite does not give.
    pub(super) fn fallback<T: Instrument>(&mut self, name: &str, layers: &[Layer]) -> Vec<Located<T>> {
        let file = layers.first().map_or_else(|| Arc::from(""), |layer| layer.file.clone());
        let at = Origin { file, line: 1, column: 1 };
        self.named(&Located::new(name.to_owned(), at)).into_iter().collect()
    }

    pub(super) fn used<T: Instrument>(&mut self, definition: &T, from: String) {
        self.instruments.insert(InstrumentUse {
            kind: T::KIND.as_str().to_owned(),
            name: definition.name().to_owned(),
            from,
            digest: Digest::of_json(definition),
        });
    }

    /// One of the names a suite lists; a diagnostic and `None` when it is not among them.
    pub(super) fn among<'k>(
        &mut self,
        kind: Kind,
        name: &Located<String>,
        known: impl Iterator<Item = &'k str> + Clone,
    ) -> Option<String> {
        if known.clone().any(|known| known == name.value) {
            return Some(name.value.clone());
        }
        let noun = kind.noun();
        let message = format!("unknown {noun} `{}`", name.value);
        let diagnostic = Diagnostic::error("suite.unknown-name", name.origin.clone(), message);
        let mut diagnostic = self.advised(diagnostic, &name.value, known);
        if self.catalog.names(kind).any(|known| known == name.value) {
            diagnostic = diagnostic.hint(format!("add `{}` to the suite's `{}`", name.value, kind.folder()));
        }
        self.push(diagnostic);
        None
    }
}
