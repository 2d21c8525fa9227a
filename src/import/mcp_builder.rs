//! The evaluation XML of mcp-builder: `<evaluation>` with `<qa_pair>`s of `<question>` and `<answer>`.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use super::draft::Fate::{Approximate as Near, Exact, Unsupported as Lost};
use super::draft::{Case, Draft, Mapped};
use super::source::{Near as Beside, Source};
use super::{Format, Rule, expect, rule};
use crate::diag::{Diagnostic, Origin};

pub(super) static FORMAT: Format = Format {
    name: "mcp-builder",
    about: "mcp-builder: evaluation XML with `qa_pair`s",
    detect,
    read,
    rules: RULES,
};

#[rustfmt::skip]
const RULES: &[Rule] = &[
    rule("question", Exact, "prompt", ""),
    rule("answer", Near, "answer_contains, answer_numbers, answer_matches", "must be stated in the answer, which there must be nothing else; numbers by value"),
    rule("secret", Near, "[secret]", "what looks like a secret is never copied"),
    rule("element", Lost, "", "other elements"),
];

/// Deepest nesting of elements.
const DEEPEST: usize = 64;

fn detect(source: &Source) -> Option<String> {
    let head: String = source.text.chars().take(100_000).collect();
    (head.trim_start().starts_with('<') && head.contains("<qa_pair"))
        .then(|| "it has `<qa_pair>` elements".to_owned())
}

/// What is being read of a pair.
#[derive(Default)]
struct Pair {
    question: String,
    answer: String,
    answer_at: Option<Origin>,
}

fn read(sources: &[Source], _near: Beside<'_>, draft: &mut Draft) -> Result<(), Diagnostic> {
    sources.iter().try_for_each(|source| one(source, draft))
}

fn one(source: &Source, draft: &mut Draft) -> Result<(), Diagnostic> {
    let mut reader = Reader::from_str(&source.text);
    let mut place = Place { text: &source.text, offset: 0, line: 1 };
    let mut path: Vec<String> = vec![];
    let mut pair: Option<(Origin, Pair)> = None;
    loop {
        let before = reader.buffer_position();
        let event = reader.read_event();
        let at = source.at(place.line_at(before));
        let wrong = |what: &str| {
            Diagnostic::error(
                "import.unreadable",
                at.clone(),
                format!("the file cannot be read as XML: {what}"),
            )
        };
        let event = event.map_err(|error| wrong(&error.to_string()))?;
        let mut add = |text: &str| {
            let Some((_, pair)) = &mut pair else { return };
            match path.last().map(String::as_str) {
                Some("question") => pair.question.push_str(text),
                Some("answer") => pair.answer.push_str(text),
                _ => {}
            }
        };
        match event {
            Event::Eof if path.is_empty() => return Ok(()),
            Event::Eof => return Err(wrong(&format!("`{}` is not closed", path.join("/")))),
            // What defines entities could make a small file large.
            Event::DocType(_) => {
                return Err(
                    wrong("document types and entities are refused").hint("remove the `<!DOCTYPE …>`")
                );
            }
            Event::Start(tag) => {
                let name = String::from_utf8_lossy(tag.local_name().as_ref()).into_owned();
                if path.len() >= DEEPEST {
                    return Err(wrong("it is nested too deeply"));
                }
                match name.as_str() {
                    "qa_pair" if pair.is_none() => pair = Some((at, Pair::default())),
                    "answer" => {
                        if let Some((_, pair)) = &mut pair {
                            pair.answer_at = Some(at);
                        }
                    }
                    "evaluation" | "question" => {}
                    other => {
                        draft.told(Mapped::new("element", &at, other).lost("it is no part of an evaluation"));
                    }
                }
                path.push(name);
            }
            Event::Empty(tag) => {
                let name = String::from_utf8_lossy(tag.local_name().as_ref()).into_owned();
                draft.told(Mapped::new("element", &at, name).lost("it is empty"));
            }
            Event::Text(text) => add(&text.decode().map_err(|error| wrong(&error.to_string()))?),
            Event::CData(text) => add(&text.decode().map_err(|error| wrong(&error.to_string()))?),
            Event::GeneralRef(entity) => {
                add(&referred(&entity).ok_or_else(|| wrong("an entity of no known name"))?);
            }
            Event::End(_) => {
                if path.pop().as_deref() == Some("qa_pair")
                    && let Some((at, pair)) = pair.take()
                {
                    if !draft.has_room() {
                        draft.told(
                            Mapped::new("element", &at, "qa_pair")
                                .lost("there are more pairs than a suite may hold"),
                        );
                        return Ok(());
                    }
                    draft.cases.push(case(&at, &pair));
                }
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
        }
    }
}

/// The character of a reference; only the five names that XML has by itself, and numbers.
fn referred(entity: &BytesRef<'_>) -> Option<String> {
    if let Some(found) = entity.resolve_char_ref().ok()? {
        return Some(found.to_string());
    }
    quick_xml::escape::resolve_predefined_entity(&entity.decode().ok()?).map(str::to_owned)
}

fn case(at: &Origin, pair: &Pair) -> Case {
    let question = pair.question.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut case = Case::new(&question, at);
    case.turns.push(question.clone());
    case.told(Mapped::new("question", at, &question).exact("prompt"));
    let answer = pair.answer.trim();
    let part = Mapped::new("answer", pair.answer_at.as_ref().unwrap_or(at), answer);
    if answer.is_empty() {
        case.told(part.lost("there is no answer"));
        return case;
    }
    let check = expect::states(answer);
    let why = "the answer must state it; there it must be nothing else";
    case.check(part.near(expect::name(&check), why), check);
    case
}

/// Counts lines while reading goes on.
struct Place<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
}

impl Place<'_> {
    fn line_at(&mut self, offset: u64) -> usize {
        let to = usize::try_from(offset).unwrap_or(usize::MAX).min(self.text.len());
        if let Some(passed) = self.text.as_bytes().get(self.offset..to) {
            self.line += passed.iter().filter(|byte| **byte == b'\n').count();
            self.offset = to;
        }
        self.line
    }
}
