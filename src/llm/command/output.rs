//! What an agent wrote to its standard output, as an answer with its price. Pure.
//!
//! Every agent has its own form; the places of what matters are paths in the definition. Whatever is not found is not
//! there: an agent that reports no tokens has none, and one without an answer gave none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::display;
use crate::transcript::Usage;

/// How an agent's standard output is read. Paths are JSONPaths (RFC 9535) into the document, or into the list of all lines
/// that are JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// What it is.
    #[serde(default)]
    pub form: Form,
    /// The answer: the last text found here. Needed unless the form is `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Anything found here says that the agent could not do its work; texts tell why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Anything found here says that the agent has used up its turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_turns: Option<String>,
    /// The id of the model that answered: the last text found here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// US dollars that the agent counts itself: the sum of the numbers found here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// Tokens read, cached ones included: the sum of the numbers found at all of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<String>,
    /// Part of them that came from a cache.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cached: Vec<String>,
    /// Tokens written, reasoning included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
    /// Part of them spent on reasoning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasoning: Vec<String>,
    /// Whether tokens and dollars are those of the conversation so far, earlier prompts included; each prompt then counts
    /// what was added.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub so_far: bool,
}

/// What an agent's standard output is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The answer and nothing else.
    #[default]
    Text,
    /// One JSON document, with or without words before it.
    Json,
    /// JSON documents, one a line; other lines are passed over.
    JsonLines,
}

/// What an agent said in the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// The answer.
    pub answer: Option<String>,
    /// Why it could not do its work, if it says so.
    pub failed: Option<String>,
    /// Whether it has used up its turns.
    pub out_of_turns: bool,
    /// The model.
    pub model: Option<String>,
    /// US dollars.
    pub cost: Option<f64>,
    /// Tokens; not reported when no number was found.
    pub usage: Usage,
}

/// What an agent has counted in a conversation: nothing at first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counted {
    usage: Usage,
    cost: f64,
}

impl Counted {
    /// What is new since the last prompt. A count that has become smaller was begun anew.
    fn news(&mut self, said: &mut Said) {
        if said.usage.reported {
            let before = std::mem::replace(&mut self.usage, said.usage);
            said.usage = said.usage.since(&before).unwrap_or(said.usage);
        }
        if let Some(cost) = &mut said.cost {
            let before = std::mem::replace(&mut self.cost, *cost);
            *cost = if *cost >= before { *cost - before } else { *cost };
        }
    }
}

impl Output {
    /// What is wrong with it, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let single = [&self.answer, &self.failed, &self.out_of_turns, &self.model, &self.cost];
        let lists = [&self.input, &self.cached, &self.output, &self.reasoning];
        let paths = single.into_iter().flatten().chain(lists.into_iter().flatten());
        let broken = paths.filter_map(|path| {
            let error = JsonPath::parse(path).err()?;
            let error = display::whole_words(&error.to_string(), 120);
            Some(format!("`{path}` in `agent.output` is not a JSONPath: {error}"))
        });
        let mut wrong: Vec<String> = broken.collect();
        if self.form != Form::Text && self.answer.is_none() {
            wrong.push("`agent.output` has no `answer`: say where the answer is found".to_owned());
        }
        wrong
    }

    /// Reads what was written for one prompt of a conversation.
    pub fn read_on(&self, text: &str, counted: &mut Counted) -> Said {
        let mut said = self.read(text);
        if self.so_far {
            counted.news(&mut said);
        }
        said
    }

    /// Reads what was written.
    fn read(&self, text: &str) -> Said {
        let document = match self.form {
            Form::Text => {
                let answer = Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
                return Said { answer, ..Said::default() };
            }
            Form::Json => whole(text),
            Form::JsonLines => lines(text),
        };
        let last = |path: &Option<String>| {
            let texts = path.as_deref().map(|path| found(&document, path)).unwrap_or_default();
            texts.into_iter().rev().find_map(|value| value.as_str().map(str::to_owned))
        };
        let failed = self.failed.as_deref().map(|path| found(&document, path)).unwrap_or_default();
        let failed = (!failed.is_empty()).then(|| words(&failed));
        let out_of_turns =
            self.out_of_turns.as_deref().is_some_and(|path| !found(&document, path).is_empty());
        let tokens = |paths: &[String]| sum(&document, paths).map(|sum| sum as u64);
        let (input, output) = (tokens(&self.input), tokens(&self.output));
        let usage = Usage {
            input: input.unwrap_or(0),
            output: output.unwrap_or(0),
            cached: tokens(&self.cached).unwrap_or(0),
            reasoning: tokens(&self.reasoning).unwrap_or(0),
            reported: input.is_some() || output.is_some(),
            ..Usage::default()
        };
        let cost = self.cost.as_ref().and_then(|path| sum(&document, std::slice::from_ref(path)));
        Said { answer: last(&self.answer), failed, out_of_turns, model: last(&self.model), cost, usage }
    }
}

/// The sum of all numbers found; negative ones and those that are none count for nothing.
fn sum(document: &Value, paths: &[String]) -> Option<f64> {
    let numbers = paths.iter().flat_map(|path| found(document, path)).filter_map(Value::as_f64);
    numbers.filter(|number| *number >= 0.0 && number.is_finite()).reduce(|sum, number| sum + number)
}

fn found<'a>(document: &'a Value, path: &str) -> Vec<&'a Value> {
    JsonPath::parse(path).map(|path| path.query(document).all()).unwrap_or_default()
}

fn words(found: &[&Value]) -> String {
    let texts = found.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    display::whole_words(&texts.collect::<Vec<_>>().join("; "), 400)
}

/// The document in a text: all of it, or what begins at the first brace that begins a document.
fn whole(text: &str) -> Value {
    /// Most braces that are tried.
    const TRIES: usize = 20;
    let from = |start: usize| {
        let mut documents = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        documents.next().and_then(Result::ok)
    };
    let starts = text.match_indices('{').map(|(start, _)| start).take(TRIES);
    serde_json::from_str(text.trim()).ok().or_else(|| starts.filter_map(from).next()).unwrap_or_default()
}

fn lines(text: &str) -> Value {
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with('{'));
    Value::Array(lines.filter_map(|line| serde_json::from_str(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn output(value: Value) -> Output {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn text_is_the_answer_and_nothing_is_none() {
        assert_eq!(Output::default().read(" two words \n").answer.as_deref(), Some("two words"));
        assert_eq!(Output::default().read("\n"), Said::default());
    }

    #[test]
    fn lines_are_searched_for_the_last_answer_and_all_tokens() {
        let output = output(json!({
            "form": "json_lines",
            "answer": "$[?@.type=='text'].text",
            "failed": "$[?@.type=='error'].message",
            "input": ["$[*].usage.in", "$[*].usage.cached"],
            "cached": ["$[*].usage.cached"],
            "cost": "$[*].cost",
        }));
        assert_eq!(output.problems(), Vec::<String>::new());
        let text = "noise\n{\"type\":\"text\",\"text\":\"a\"}\n{broken\n{\"type\":\"text\",\"text\":\"b\"}\n\
                    {\"usage\":{\"in\":3,\"cached\":4},\"cost\":0.5}\n{\"usage\":{\"in\":1},\"cost\":0.25}";
        let said = output.read(text);
        assert_eq!(
            (said.answer.as_deref(), said.failed.as_deref(), said.cost),
            (Some("b"), None, Some(0.75))
        );
        let usage = Usage { input: 8, cached: 4, reported: true, ..Usage::default() };
        assert_eq!(said.usage, usage);
        let said = output.read("{\"type\":\"error\",\"message\":\"no credit\"}");
        assert_eq!((said.answer, said.failed.as_deref()), (None, Some("no credit")));
        assert!(!said.usage.reported);
    }

    #[test]
    fn what_was_counted_before_is_not_counted_again() {
        let of = |so_far: bool| {
            let paths =
                json!({"form": "json_lines", "answer": "$[*].a", "input": ["$[*].in"], "cost": "$[*].cost"});
            Output { so_far, ..output(paths) }
        };
        let prompts = [
            r#"{"in": 200, "cost": 0.5}"#,
            r#"{"in": 300, "cost": 0.75}"#,
            "{}",
            r#"{"in": 310}"#,
            r#"{"in": 40}"#,
        ];
        let counts = |output: Output| {
            let mut counted = Counted::default();
            prompts.map(|text| {
                let said = output.read_on(text, &mut counted);
                (said.usage.input, said.usage.reported, said.cost)
            })
        };
        let each = [(200, true, Some(0.5)), (300, true, Some(0.75)), (0, false, None), (310, true, None)];
        assert_eq!(counts(of(false))[..4], each);
        let each = [(200, true, Some(0.5)), (100, true, Some(0.25)), (0, false, None), (10, true, None)];
        assert_eq!(counts(of(true))[..4], each);
        assert_eq!(counts(of(true))[4], (40, true, None), "a conversation that was begun anew");
    }

    #[test]
    fn a_document_may_follow_words() {
        let output = output(json!({"form": "json", "answer": "$.response", "input": ["$.m.*.t.prompt"]}));
        let said = output.read(
            "Loaded {cached} things\n{\"response\": \"hi\", \"m\": {\"a\": {\"t\": {\"prompt\": 2}}}}\nbye",
        );
        assert_eq!((said.answer.as_deref(), said.usage.input), (Some("hi"), 2));
        assert_eq!(output.read("no json").answer, None);
    }

    #[test]
    fn numbers_that_are_none_count_for_nothing() {
        let output = output(json!({"form": "json", "answer": "$.a", "output": ["$.n[*]"]}));
        assert_eq!(output.read(r#"{"n": [-5, "7", 1e400, 2]}"#).usage.output, 0);
        assert_eq!(output.read(r#"{"n": [-5, "7", 2]}"#).usage.output, 2);
        assert!(output.read(&"[".repeat(100_000)).answer.is_none());
    }
}
