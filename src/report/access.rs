//! The access grid: personas by tools, resources and prompts, from what access cases have shown.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::paint::Style;
use super::unknown::{UnknownName, unknown};
use crate::display;
use crate::gate::cells::Cell;
use crate::score::access::{Access, DenialShape, Sight, Standing, Used};
use crate::transcript::{CaseKind, Subject};

/// Personas by what the server offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grid {
    /// The columns, in the order of the suite file. `customer/clerk` is a customer who got the rights of a clerk.
    pub personas: Vec<String>,
    /// The tools, sorted by name.
    pub tools: Vec<GridRow>,
    /// The resources, sorted by URI.
    pub resources: Vec<GridRow>,
    /// The prompts, sorted by name.
    pub prompts: Vec<GridRow>,
    /// Cells that leak: listed or callable, and must not be.
    pub leaks: u32,
    /// Cells that are missing: must be listed or callable, and are not.
    pub missing: u32,
    /// Leaks that no list shows: the loudest of all.
    pub hidden_but_callable: u32,
    /// Cells that are listed and refused all the same.
    pub listed_but_refused: u32,
    /// Names that no server may have, such as mistyped ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<UnknownName>,
}

/// One tool, resource or prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GridRow {
    /// Its name or URI.
    pub name: String,
    /// One per persona; `None` where nothing is expected and nothing was seen.
    pub cells: Vec<Option<GridCell>>,
}

/// What is known of one persona and one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GridCell {
    /// Whether that is as it should be.
    pub access: Access,
    /// Which of the four cells it is; `None` when it was not both listed and tried.
    pub standing: Option<Standing>,
    /// Whether it is listed; `None`: unknown.
    pub listed: Option<bool>,
    /// What became of its use; `None`: not tried.
    pub used: Option<Used>,
    /// How it was denied.
    pub denied_as: Option<DenialShape>,
}

/// A question to a cell.
type Is<'a> = &'a dyn Fn(&GridCell) -> bool;

impl From<&Sight> for GridCell {
    fn from(sight: &Sight) -> Self {
        Self {
            access: sight.access,
            standing: sight.standing(),
            listed: sight.listed,
            used: sight.used,
            denied_as: sight.denied_as,
        }
    }
}

impl GridCell {
    /// Whether it is a leak that no list shows.
    pub fn is_hidden_leak(&self) -> bool {
        self.access == Access::Leak && self.standing == Some(Standing::HiddenButCallable)
    }

    /// `LC` and its kind: whether it is listed, and whether it may be called; `-` is no, `.` is not known.
    pub fn letters(&self) -> String {
        let letter = |known: Option<bool>, yes: char| match known {
            Some(true) => yes,
            Some(false) => '-',
            None => '.',
        };
        let used = match self.used {
            Some(Used::Allowed) => Some(true),
            Some(Used::Denied) => Some(false),
            Some(Used::Unclear) | None => None,
        };
        [letter(self.listed, 'L'), letter(used, 'C')].iter().collect()
    }
}

impl Grid {
    /// The grid of a run; `None` when no access case has shown anything.
    /// `tools` are the names that somebody saw before the first trial.
    pub fn of(cells: &[Cell<'_>], tools: &BTreeSet<&str>) -> Option<Self> {
        let mut known: BTreeMap<(Subject, &str), Sight> = BTreeMap::new();
        let mut personas: Vec<&str> = vec![];
        for cell in cells.iter().filter(|cell| cell.name.kind == CaseKind::Access) {
            let persona = cell.name.case.strip_prefix("access/").unwrap_or(cell.name.persona);
            if !personas.contains(&persona) {
                personas.push(persona);
            }
            let verdicts = cell.results.iter().filter_map(|result| result.verdict.as_ref());
            for sight in verdicts.flat_map(|verdict| &verdict.findings).flat_map(|finding| &finding.sights) {
                let joined = match known.remove(&(sight.subject.clone(), persona)) {
                    Some(before) => before.with(sight),
                    None => sight.clone(),
                };
                known.insert((sight.subject.clone(), persona), joined);
            }
        }
        if known.is_empty() {
            return None;
        }
        let subjects: BTreeSet<&Subject> = known.keys().map(|(subject, _)| subject).collect();
        let rows = |kind: &str| -> Vec<GridRow> {
            let of_kind = subjects.iter().filter(|subject| subject.kind() == kind);
            let row = |subject: &&Subject| {
                let cell = |persona: &&str| known.get(&((*subject).clone(), *persona)).map(GridCell::from);
                GridRow {
                    name: display::excerpt(subject.name(), 80),
                    cells: personas.iter().map(cell).collect(),
                }
            };
            of_kind.map(row).collect()
        };
        let count = |is: Is<'_>| known.values().filter(|sight| is(&GridCell::from(*sight))).count() as u32;
        Some(Self {
            personas: personas.iter().map(|persona| display::excerpt(persona, 80)).collect(),
            tools: rows("tool"),
            resources: rows("resource"),
            prompts: rows("prompt"),
            leaks: count(&|cell| cell.access == Access::Leak),
            missing: count(&|cell| cell.access == Access::Missing),
            hidden_but_callable: count(&GridCell::is_hidden_leak),
            listed_but_refused: count(&|cell| cell.standing == Some(Standing::ListedButRefused)),
            unknown: unknown(&known, tools),
        })
    }

    /// The three parts with their names, those without rows left out.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &[GridRow])> {
        let parts = [("tool", &self.tools), ("resource", &self.resources), ("prompt", &self.prompts)];
        parts.into_iter().filter(|(_, rows)| !rows.is_empty()).map(|(kind, rows)| (kind, rows.as_slice()))
    }

    /// What is wrong, the loudest first, each with where: `customer: refund_order, stock_report`.
    pub fn wrong(&self) -> Vec<(&'static str, Vec<String>)> {
        let is_open_leak = |cell: &GridCell| cell.access == Access::Leak && !cell.is_hidden_leak();
        let refused = Some(Standing::ListedButRefused);
        let groups: [(&'static str, Is<'_>); 4] = [
            ("hidden but callable", &GridCell::is_hidden_leak),
            ("must not be, and is", &is_open_leak),
            ("listed but refused", &|cell| cell.standing == refused && cell.access != Access::Leak),
            ("must be, and is not", &|cell| cell.access == Access::Missing && cell.standing != refused),
        ];
        let places = |is: Is<'_>| -> Vec<String> {
            let each = self.personas.iter().enumerate().filter_map(|(index, persona)| {
                let rows = self.parts().flat_map(|(_, rows)| rows);
                let here =
                    |row: &&GridRow| row.cells.get(index).copied().flatten().is_some_and(|cell| is(&cell));
                let names: Vec<&str> = rows.filter(here).map(|row| row.name.as_str()).collect();
                (!names.is_empty()).then(|| format!("{persona}: {}", names.join(", ")))
            });
            each.collect()
        };
        groups
            .map(|(what, is)| (what, places(is)))
            .into_iter()
            .filter(|(_, places)| !places.is_empty())
            .collect()
    }
}

/// The mark of a verdict.
pub fn mark(access: Access, style: Style) -> &'static str {
    match (access, style) {
        (Access::Allowed | Access::Denied, Style::Ascii) => "ok",
        (Access::Allowed | Access::Denied, _) => "✓",
        (Access::Unknown, _) => "?",
        (Access::Leak, Style::Ascii) => "LEAK",
        (Access::Leak, _) => "⚠",
        (Access::Missing, Style::Ascii) => "MISSING",
        (Access::Missing, _) => "○",
    }
}
