//! What comes of a source: cases in the words of suites, and what became of every part of the source.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::diag::Origin;
use crate::score::checks::Check;
use crate::suite::secret;
use crate::suite::wire::StepPart;

/// Most cases of one import; a suite of more would not be read back.
pub(super) const MOST_CASES: usize = 5_000;

/// How much of a part of the source is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The same decision on every answer, but for white space and typography.
    Exact,
    /// Something near: the reason says what differs.
    Approximate,
    /// Left out: the reason says why.
    Unsupported,
}

impl Fate {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Approximate => "approximate",
            Self::Unsupported => "unsupported",
        }
    }
}

/// A part of the source and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mapped {
    /// What it is in the words of the source, such as `contains` or `toolCalledWith`.
    pub kind: String,
    /// Where it stands.
    pub at: Origin,
    /// What it says, shortened.
    pub what: String,
    /// How much of it is kept.
    pub fate: Fate,
    /// What it became, in the words of suites; empty when nothing.
    pub became: String,
    /// Why it is not kept as it is; empty when it is.
    pub why: String,
}

/// Most characters that a report says of a part.
const SHOWN: usize = 200;

impl Mapped {
    /// A part of which nothing is known yet.
    pub(super) fn new(kind: impl Into<String>, at: &Origin, what: impl AsRef<str>) -> Self {
        let (became, why) = (String::new(), String::new());
        let what = what.as_ref().chars().take(SHOWN).collect();
        Self { kind: kind.into(), at: at.clone(), what, fate: Fate::Unsupported, became, why }
    }

    /// It is kept as it is.
    pub(super) fn exact(self, became: impl Into<String>) -> Self {
        Self { fate: Fate::Exact, became: became.into(), ..self }
    }

    /// Something near it is kept.
    pub(super) fn near(self, became: impl Into<String>, why: impl Into<String>) -> Self {
        Self { fate: Fate::Approximate, became: became.into(), why: why.into(), ..self }
    }

    /// It is left out.
    pub(super) fn lost(self, why: impl Into<String>) -> Self {
        Self { fate: Fate::Unsupported, became: String::new(), why: why.into(), ..self }
    }

    /// What a part becomes when the checks made of it cannot be used.
    fn unless(self, problems: &[String]) -> Self {
        if problems.is_empty() { self } else { self.lost(problems.join("; ")) }
    }
}

/// An expectation in the words of suites: what the part becomes where the expectation can be used.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// A check.
    Check(Value),
    /// A criterion for the judge.
    Criterion(Value),
}

/// A case of the source.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// Its id in the suite.
    pub id: String,
    /// What the source calls it, where that is not its id.
    pub title: String,
    /// Where it stands.
    pub at: Origin,
    /// Why it is written as a comment; empty when it is a case of the suite.
    pub left_out: String,
    /// What became of its parts.
    pub parts: Vec<Mapped>,
    /// What the user says.
    #[serde(skip)]
    pub turns: Vec<String>,
    /// Tags.
    #[serde(skip)]
    pub tags: Vec<String>,
    /// Further keys of the case, as the suite writes them.
    #[serde(skip)]
    pub keys: Map<String, Value>,
    /// Checks.
    #[serde(skip)]
    pub expect: Vec<Value>,
    /// Criteria.
    #[serde(skip)]
    pub criteria: Vec<Value>,
    /// Steps: `setup`, `verify` and `cleanup`.
    #[serde(skip)]
    pub steps: [Vec<Value>; 3],
}

/// The phases of steps, in the order of [`Case::steps`].
pub(super) const PHASES: [&str; 3] = ["setup", "verify", "cleanup"];

impl Case {
    /// A case under a name of the source.
    pub(super) fn new(name: &str, at: &Origin) -> Self {
        Self {
            id: name.to_owned(),
            title: name.to_owned(),
            at: at.clone(),
            left_out: String::new(),
            parts: vec![],
            turns: vec![],
            tags: vec![],
            keys: Map::new(),
            expect: vec![],
            criteria: vec![],
            steps: [vec![], vec![], vec![]],
        }
    }

    /// Reports a part that leaves nothing to check.
    pub(super) fn told(&mut self, part: Mapped) {
        self.parts.push(part);
    }

    /// Takes what a part became, if a suite can hold it; reports the part in any case, once.
    pub(super) fn take(&mut self, part: Mapped, wishes: Vec<Wish>) {
        let problems: Vec<String> = wishes.iter().filter_map(problem).collect();
        if problems.is_empty() {
            for wish in wishes {
                match wish {
                    Wish::Check(check) => self.expect.push(check),
                    Wish::Criterion(criterion) => self.criteria.push(criterion),
                }
            }
        }
        self.parts.push(part.unless(&problems));
    }

    /// Takes a check.
    pub(super) fn check(&mut self, part: Mapped, check: Value) {
        self.take(part, vec![Wish::Check(check)]);
    }

    /// Takes a criterion.
    pub(super) fn criterion(&mut self, part: Mapped, criterion: Value) {
        self.take(part, vec![Wish::Criterion(criterion)]);
    }

    /// Takes a step of a phase: 0 setup, 1 verify, 2 cleanup.
    pub(super) fn step(&mut self, part: Mapped, phase: usize, step: Value) {
        // What `verify` looks for stands beside the step.
        let mut bare = step.clone();
        if let Some(map) = bare.as_object_mut() {
            map.remove("path");
            map.remove("equals");
        }
        let problem = serde_json::from_value::<StepPart>(bare).err().map(|error| error.to_string());
        if let (None, Some(list)) = (&problem, self.steps.get_mut(phase)) {
            list.push(step);
        }
        self.parts.push(part.unless(&Vec::from_iter(problem)));
    }

    /// Leaves the case out for a reason, the first one given.
    pub(super) fn leave_out(&mut self, why: impl Into<String>) {
        if self.left_out.is_empty() {
            self.left_out = why.into();
        }
    }

    /// Whether anything is expected.
    fn expects(&self) -> bool {
        !(self.expect.is_empty() && self.criteria.is_empty() && self.steps[1].is_empty())
    }

    /// Masks what looks like a secret in everything that would be written or shown.
    fn mask(&mut self) {
        let texts = self.turns.iter_mut().chain(&mut self.tags).chain([&mut self.title, &mut self.id]);
        let mut found = texts.fold(false, |found, text| hide(text) | found);
        let values = self.expect.iter_mut().chain(&mut self.criteria).chain(self.steps.iter_mut().flatten());
        found |= values.fold(false, |found, value| secret::mask(value) | found);
        found |= self.keys.values_mut().fold(false, |found, value| secret::mask(value) | found);
        hide_parts(&mut self.parts);
        if found {
            let part = Mapped::new("secret", &self.at, "something that looks like a secret");
            self.parts.push(
                part.near(secret::MARK, "secrets are not copied; what needs one must get it elsewhere"),
            );
        }
    }
}

fn hide(text: &mut String) -> bool {
    let clean = secret::masked(text);
    let found = clean.is_some();
    if let Some(clean) = clean {
        *text = clean;
    }
    found
}

fn hide_parts(parts: &mut [Mapped]) {
    for part in parts {
        hide(&mut part.what);
        hide(&mut part.became);
        hide(&mut part.why);
    }
}

/// What is wrong with an expectation, where a suite would be refused for it.
fn problem(wish: &Wish) -> Option<String> {
    let check = match wish {
        Wish::Check(check) => check,
        Wish::Criterion(criterion) => {
            let says = ["must", "must_not", "info"].iter().find_map(|key| criterion.get(key)?.as_str());
            return says.is_none_or(|says| says.trim().is_empty()).then(|| "it says nothing".to_owned());
        }
    };
    match serde_json::from_value::<Check>(check.clone()) {
        Ok(check) => Some(check.problems()).filter(|problems| !problems.is_empty()).map(|all| all.join("; ")),
        Err(error) => Some(error.to_string()),
    }
}

/// What comes of a source.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Draft {
    /// What the source calls the whole, if anything.
    pub title: String,
    /// What became of the parts that belong to no case.
    pub parts: Vec<Mapped>,
    /// The cases, in the order of the source.
    pub cases: Vec<Case>,
    /// The `target` block.
    #[serde(skip)]
    pub target: Option<Value>,
    /// Variables that the suite must declare.
    #[serde(skip)]
    pub env: Vec<String>,
    /// Personas.
    #[serde(skip)]
    pub personas: Vec<Value>,
    /// Models.
    #[serde(skip)]
    pub models: Vec<String>,
    /// The judge.
    #[serde(skip)]
    pub judge: Option<String>,
    /// Further keys of the suite, as it writes them.
    #[serde(skip)]
    pub keys: Map<String, Value>,
}

impl Draft {
    /// Reports a part that belongs to no case.
    pub(super) fn told(&mut self, part: Mapped) {
        self.parts.push(part);
    }

    /// Whether another case may be added.
    pub(super) fn has_room(&self) -> bool {
        self.cases.len() < MOST_CASES
    }

    /// Declares a variable; its `${NAME}`.
    pub(super) fn variable(&mut self, name: &str) -> String {
        let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let mut name: String = name.chars().map(fits).take(60).collect();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            name.insert(0, '_');
        }
        if !self.env.contains(&name) {
            self.env.push(name.clone());
        }
        format!("${{{name}}}")
    }

    /// Ends the reading: ids are made, cases without a question or an expectation are left out, secrets go.
    pub(super) fn finish(&mut self) {
        hide(&mut self.title);
        hide_parts(&mut self.parts);
        let mut seen = HashSet::new();
        for (index, case) in self.cases.iter_mut().enumerate() {
            case.mask();
            case.turns.retain(|turn| !turn.trim().is_empty());
            if case.turns.is_empty() {
                case.leave_out("it has no words of a user");
            }
            if !case.expects() {
                case.leave_out("nothing that it expects can be checked here, and a case that cannot fail measures nothing");
            }
            case.id = id(&case.id, index);
            let base = case.id.clone();
            let mut number = 2;
            while !seen.insert(case.id.clone()) {
                case.id = format!("{base}-{number}");
                number += 1;
            }
            case.tags =
                case.tags.iter().map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect();
            case.tags.sort();
            case.tags.dedup();
        }
    }
}

/// Most characters of an id that is made from words.
const ID: usize = 60;

/// A name that may name a case: what is good is kept, words become letters and dashes.
fn id(name: &str, index: usize) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let as_is =
        name.len() <= 90 && name.chars().all(good) && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if as_is {
        return name.to_owned();
    }
    let mut id = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() {
            id.extend(c.to_lowercase());
        } else if matches!(c, '_' | '.') && !id.is_empty() {
            id.push(c);
        } else if !id.is_empty() && !id.ends_with('-') && c != '\'' {
            id.push('-');
        }
        if id.chars().count() >= ID {
            // A word that is cut off says less than none.
            if let Some((head, _)) = id.rsplit_once('-').filter(|(head, _)| head.len() > ID / 3) {
                id.truncate(head.len());
            }
            break;
        }
    }
    let id = id.trim_matches(['-', '.', '_']);
    if id.is_empty() { format!("case-{}", index + 1) } else { id.to_owned() }
}

/// A value that is looked for as it stands, also where it would be taken for a matcher.
pub(super) fn literal(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.len() == 1 && map.keys().any(|key| key.starts_with('$')) => {
            json!({"$exact": value})
        }
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), literal(value))).collect(),
        Value::Array(items) => items.iter().map(literal).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_ids() {
        for (name, wanted) in [
            ("weather-in-paris", "weather-in-paris"),
            ("What's the weather in Paris?", "whats-the-weather-in-paris"),
            ("../escape", "escape"),
            ("???", "case-3"),
            ("Où est l'église ?", "où-est-léglise"),
        ] {
            assert_eq!(id(name, 2), wanted);
        }
        assert!(id(&"long word ".repeat(50), 0).len() <= ID);
    }

    #[test]
    fn an_expectation_that_a_suite_would_refuse_is_a_loss() {
        let at = Origin { file: "x".into(), line: 1, column: 1 };
        let mut case = Case::new("a", &at);
        let part = |kind: &str| Mapped::new(kind, &at, "").exact("answer_matches");
        case.check(part("good"), json!({"answer_matches": "a+"}));
        case.check(part("lookahead"), json!({"answer_matches": "(?=a)"}));
        case.check(part("anything"), json!({"answer_matches": ".*"}));
        case.criterion(part("silent"), json!({"must": " "}));
        assert_eq!(case.expect.len(), 1);
        let fates: Vec<_> = case.parts.iter().map(|part| part.fate == Fate::Exact).collect();
        assert_eq!(fates, [true, false, false, false]);
        assert!(case.parts[1].why.contains("not a regular expression"), "{:?}", case.parts[1]);
    }
}
