//! What is weak in a suite itself, whatever its target does: questions asked twice, answers given away in the prompt,
//! verdicts that rest on the judge alone. Pure, and never an error: a suite may have its reasons.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{CaseSpec, Suite, Turn};
use crate::diag::{Diagnostic, Origin};
use crate::ids::{CaseName, ToolName};
use crate::score::expects::Expects;
use crate::score::judge::Kind as CriterionKind;

/// What may be weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Two prompts of one persona hold nearly the same words and the same numbers.
    DuplicatePrompt,
    /// The prompt names the tool that the case expects.
    NamesTool,
    /// Nothing but the judge decides the case.
    JudgeOnly,
    /// Written by another version.
    #[serde(other)]
    Unknown,
}

/// One weakness of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weakness {
    /// What.
    pub kind: Kind,
    /// The case.
    pub case: CaseName,
    /// Where it stands.
    pub origin: Origin,
    /// The earlier case that asks nearly the same, with its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<(CaseName, Origin)>,
    /// The tool that the prompt names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
}

/// The overlap of two sets of words (Jaccard) from which prompts are nearly the same.
const ALIKE: f64 = 0.9;

/// Everything weak, in the order of the suite.
pub fn look(suite: &Suite) -> Vec<Weakness> {
    let mut found = duplicates(&suite.cases);
    found.extend(suite.cases.iter().filter_map(names_tool));
    found.extend(suite.cases.iter().filter(|case| judge_only(case)).map(|case| of(Kind::JudgeOnly, case)));
    let places: BTreeMap<&CaseName, usize> =
        suite.cases.iter().enumerate().map(|(place, case)| (&case.id.value, place)).collect();
    found.sort_by_key(|weakness| (places.get(&weakness.case).copied(), weakness.kind));
    found
}

/// What each use case says of tools; cases that say nothing are left out.
pub fn expectations(suite: &Suite) -> BTreeMap<CaseName, Expects> {
    let cases = suite.cases.iter().map(|case| (case.id.value.clone(), Expects::of(&case.expect)));
    cases.filter(|(_, expects)| *expects != Expects::default()).collect()
}

fn of(kind: Kind, case: &CaseSpec) -> Weakness {
    let (case, origin) = (case.id.value.clone(), case.id.origin.clone());
    Weakness { kind, case, origin, other: None, tool: None }
}

impl Weakness {
    /// What is weak, one sentence without a full stop. Names in it are untrusted.
    pub fn sentence(&self) -> String {
        let Self { case, other, tool, .. } = self;
        match self.kind {
            Kind::DuplicatePrompt => match other {
                Some((other, _)) => format!("cases `{other}` and `{case}` ask nearly the same"),
                None => format!("case `{case}` asks nearly the same as another"),
            },
            Kind::NamesTool => match tool {
                Some(tool) => format!("the prompt of case `{case}` names the tool `{tool}` that it expects"),
                None => format!("the prompt of case `{case}` names the tool that it expects"),
            },
            Kind::JudgeOnly => format!("nothing but the judge decides case `{case}`"),
            Kind::Unknown => format!("case `{case}` has a weakness that this version does not know"),
        }
    }

    /// As a warning at its place.
    pub fn warning(&self) -> Diagnostic {
        let at = self.origin.clone();
        let warning = match self.kind {
            Kind::DuplicatePrompt => Diagnostic::error("suite.duplicate-prompt", at, self.sentence())
                .hint("what one question shows, two show twice; ask something else, or remove one"),
            Kind::NamesTool => Diagnostic::error("suite.names-tool", at, self.sentence())
                .hint("say what the user wants in the user's words; users know no tool names"),
            Kind::JudgeOnly => Diagnostic::error("suite.judge-only", at, self.sentence())
                .hint("add a check in code, such as `tool_called` or `answer_contains`: it costs nothing and never errs"),
            Kind::Unknown => Diagnostic::error("suite.weakness", at, self.sentence()),
        };
        match &self.other {
            Some((name, place)) => warning.also(place.clone(), format!("case `{name}`")),
            None => warning,
        }
        .as_warning()
    }
}

/// The fixed words of a case; `None` where a model plays the user, whose words nobody knows.
fn prompt(case: &CaseSpec) -> Option<String> {
    let turns = case.turns.iter().map(|turn| match turn {
        Turn::User(text) => Some(text.as_str()),
        Turn::Simulate(_) => None,
    });
    turns.collect::<Option<Vec<_>>>().map(|turns| turns.join("\n"))
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Each case with the first earlier one that asks nearly the same as the same persona. Prompts that differ in a word
/// with a digit ask about something else.
fn duplicates(cases: &[CaseSpec]) -> Vec<Weakness> {
    let asked: Vec<(&CaseSpec, BTreeSet<String>)> =
        cases.iter().filter_map(|case| Some((case, words(&prompt(case)?)))).collect();
    let mut common: BTreeMap<&str, usize> = BTreeMap::new();
    asked.iter().flat_map(|(_, words)| words).for_each(|word| *common.entry(word).or_default() += 1);
    // Two sets this much alike share one of their rarest words, so only those are looked up.
    let mut by_word: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut found = vec![];
    for (index, (case, words)) in asked.iter().enumerate() {
        let mut rare: Vec<&str> = words.iter().map(String::as_str).collect();
        rare.sort_by_key(|word| (common.get(word).copied(), *word));
        let shared = (ALIKE * words.len() as f64).ceil() as usize;
        rare.truncate(words.len() + 1 - shared.min(words.len()));
        let before: BTreeSet<usize> =
            rare.iter().filter_map(|word| by_word.get(word)).flatten().copied().collect();
        let same = before.into_iter().find(|earlier| {
            let (other, others) = &asked[*earlier];
            alike(words, others) && same_scene(case, other)
        });
        if let Some((other, _)) = same.map(|earlier| &asked[earlier]) {
            let other = Some((other.id.value.clone(), other.id.origin.clone()));
            found.push(Weakness { other, ..of(Kind::DuplicatePrompt, case) });
        }
        rare.into_iter().for_each(|word| by_word.entry(word).or_default().push(index));
    }
    found
}

/// Whether some persona asks both, and nothing around the words differs.
fn same_scene(a: &CaseSpec, b: &CaseSpec) -> bool {
    a.personas.iter().any(|persona| b.personas.contains(persona))
        && a.setup.is_empty()
        && b.setup.is_empty()
        && a.answers == b.answers
}

/// Whether two prompts ask in nearly the same words, with the same numbers in them.
pub fn ask_alike(a: &str, b: &str) -> bool {
    alike(&words(a), &words(b))
}

fn alike(a: &BTreeSet<String>, b: &BTreeSet<String>) -> bool {
    let both = a.intersection(b).count();
    let differ = || a.symmetric_difference(b).any(|word| word.chars().any(char::is_numeric));
    both > 0 && both as f64 >= ALIKE * (a.len() + b.len() - both) as f64 && !differ()
}

/// A tool whose name stands in the prompt: as an identifier nobody would write by chance, or a plain word that is
/// quoted or called a tool.
fn names_tool(case: &CaseSpec) -> Option<Weakness> {
    let prompt = prompt(case)?.to_lowercase();
    let named = Expects::of(&case.expect).called.into_iter().find(|tool| is_named(tool.as_str(), &prompt))?;
    Some(Weakness { tool: Some(named), ..of(Kind::NamesTool, case) })
}

fn is_named(tool: &str, prompt: &str) -> bool {
    let joint = |c: char| matches!(c, '_' | '-' | '.' | '/' | ':');
    let hump = tool.chars().zip(tool.chars().skip(1)).any(|(a, b)| a.is_lowercase() && b.is_uppercase());
    let identifier = hump || tool.contains(joint);
    let name = tool.to_lowercase();
    if name.is_empty() {
        return false;
    }
    prompt.match_indices(&name).any(|(at, _)| {
        let (before, after) = (&prompt[..at], &prompt[at + name.len()..]);
        let part = |c: char| c.is_alphanumeric() || c == '_';
        if before.ends_with(part) || after.starts_with(part) {
            return false;
        }
        let quote = |c: char| matches!(c, '`' | '"' | '\'' | '“' | '”' | '«' | '»');
        let quoted = before.ends_with(quote) && after.starts_with(quote);
        let called = before.trim_end().ends_with("tool") || after.trim_start().starts_with("tool");
        identifier || quoted || called
    })
}

/// Whether code expects nothing and the judge something that weighs.
fn judge_only(case: &CaseSpec) -> bool {
    let weighs = case.criteria.iter().any(|criterion| criterion.value.kind() != CriterionKind::Info);
    weighs && case.expect.is_empty() && case.verify.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tools_are_told_from_plain_words() {
        let named = [
            ("get_order", "call get_order for 7", true),
            ("get_order", "please get order 7", false),
            ("get_order", "my_get_order_thing", false),
            ("getOrder", "use getorder now", true),
            ("search", "search for books by lem", false),
            ("search", "use the tool search for lem", true),
            ("search", "use `search` for lem", true),
            ("search", "the search tool finds it", true),
            ("research", "use the tool search", false),
        ];
        for (tool, prompt, expected) in named {
            assert_eq!(is_named(tool, prompt), expected, "{tool} in {prompt}");
        }
    }

    #[test]
    fn prompts_are_alike_by_words_and_never_across_numbers() {
        let alike = ask_alike;
        assert!(alike("Where is my order?", "where is MY order"));
        assert!(!alike("Where is my order 1042?", "Where is my order 1043?"));
        assert!(!alike("Where is my order?", "Where is my refund?"));
        assert!(!alike("", ""));
        let long = "please tell me when the parcel with the blue book on gardens that i ordered will arrive";
        assert!(alike(long, &format!("{long} today")));
    }
}
