//! Arguments of a call, from the user's words and earlier results, by type, pattern and neighbouring words alone.
//!
//! Never invents a value: a required argument that is nowhere to be found is reported as missing.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::{Map, Value, json};

use super::memory::Memory;
use super::prompt::{Prompt, Shape, Span};
use super::schema::{Kind, Param, kind, params, properties, resolve};
use super::tokenise::{Word, is_stop, terms, words};
use super::values::{described, introduces, is_free, matching, number, pattern, value_of};
use crate::llm::ToolOffer;

/// How deep arguments nest.
const DEPTH: usize = 4;

/// Most parameters of a call, nested ones included: schemas may refer to themselves.
const MOST_PARAMS: usize = 500;

/// Most items of a list argument.
const MOST_ITEMS: usize = 50;

/// What could be filled in.
pub(super) struct Filled {
    /// The arguments.
    pub(super) args: Map<String, Value>,
    /// Required ones that are nowhere to be found.
    pub(super) missing: Vec<String>,
}

/// Fills the arguments of a tool.
pub(super) fn fill(tool: &ToolOffer, prompt: &Prompt<'_>, memory: &Memory) -> Filled {
    let nouns = terms(tool.name.as_str());
    let mut filler = Filler { tool, nouns, prompt, memory, used: vec![], left: MOST_PARAMS };
    filler.fill(&params(tool), DEPTH)
}

struct Filler<'a> {
    tool: &'a ToolOffer,
    /// The stems of the tool's name.
    nouns: Vec<String>,
    prompt: &'a Prompt<'a>,
    memory: &'a Memory,
    /// Places of the prompt that are spent.
    used: Vec<Range<usize>>,
    /// Parameters that may still be looked at.
    left: usize,
}

impl Filler<'_> {
    fn fill(&mut self, params: &[Param<'_>], depth: usize) -> Filled {
        if params.len() > self.left {
            return Filled {
                args: Map::new(),
                missing: params.iter().take(1).map(|p| p.name.to_owned()).collect(),
            };
        }
        self.left -= params.len();
        let mut found: Vec<Option<Value>> = params.iter().map(|param| self.told(param)).collect();
        self.by_neighbours(params, &mut found);
        for (param, value) in params.iter().zip(&mut found) {
            if value.is_none() {
                *value = self.by_kind(param, depth);
            }
        }
        // Free words come last: they are what is left over.
        let texts = params.iter().filter(|p| p.required && p.kind() == Kind::Text).count();
        for (param, value) in params.iter().zip(&mut found).filter(|(_, value)| value.is_none()) {
            if param.is_query() && param.required {
                *value = self.query();
            } else if param.required
                && param.kind() == Kind::Text
                && !param.is_id()
                && texts == 1
                && is_free(param)
            {
                *value = self.leftover();
            }
            if value.is_none() && param.required {
                *value = param.schema.get("default").filter(|value| !value.is_null()).cloned();
            }
        }
        // An optional query is worth filling when nothing else says what to look for.
        if found.iter().all(Option::is_none)
            && let Some(index) = params.iter().position(|param| param.is_query() && !param.required)
        {
            found[index] = self.query();
        }
        let mut filled = Filled { args: Map::new(), missing: vec![] };
        for (param, value) in params.iter().zip(found) {
            match value {
                Some(value) => drop(filled.args.insert(param.name.to_owned(), value)),
                None if param.required => filled.missing.push(param.name.to_owned()),
                None => {}
            }
        }
        filled
    }

    fn spend(&mut self, span: &Span) {
        self.used.push(span.at.clone());
    }

    fn free(&self, span: &Span) -> bool {
        !self.used.iter().any(|used| used.start < span.at.end && span.at.start < used.end)
    }

    /// Values that the schema itself all but names: constants, choices, formats and patterns.
    fn told(&mut self, param: &Param<'_>) -> Option<Value> {
        if let Some(value) = param.schema.get("const") {
            return param.required.then(|| value.clone());
        }
        if let Some(choices) = param.schema.get("enum").and_then(Value::as_array) {
            return self.choice(choices);
        }
        if param.kind() != Kind::Text {
            return None;
        }
        let shape = match param.schema.get("format").and_then(Value::as_str) {
            Some("date" | "date-time") => Some(Shape::Date),
            Some("email") => Some(Shape::Email),
            Some("uri" | "url") => Some(Shape::Uri),
            _ => None,
        };
        if let Some(shape) = shape {
            let span = self.prompt.spans.iter().find(|span| span.shape == shape && self.free(span))?;
            self.spend(span);
            return Some(Value::from(span.text.as_str()));
        }
        let found = matching(self.prompt.text, &pattern(param.schema)?)?;
        self.used.push(found.clone());
        Some(Value::from(&self.prompt.text[found]))
    }

    /// The first choice all of whose words the user said.
    fn choice(&self, choices: &[Value]) -> Option<Value> {
        let said = |choice: &&Value| match choice {
            Value::String(text) => {
                let stems = words(text).into_iter().map(|word| word.stem).collect::<Vec<_>>();
                !stems.is_empty()
                    && stems.iter().all(|stem| self.prompt.words.iter().any(|word| word.stem == *stem))
            }
            Value::Number(number) => {
                let text = number.to_string();
                self.prompt.spans.iter().any(|span| span.shape == Shape::Number && span.text == text)
            }
            _ => false,
        };
        choices.iter().find(said).cloned()
    }

    /// Gives each value to the parameter whose words stand nearest to it, the clearest pair first.
    fn by_neighbours(&mut self, params: &[Param<'_>], found: &mut [Option<Value>]) {
        let mut pairs = vec![];
        for (index, param) in params.iter().enumerate().filter(|(index, _)| found[*index].is_none()) {
            for (place, span) in self.prompt.spans.iter().enumerate() {
                let nearness = self.nearness(param, span);
                if nearness > 0 && value_of(span, param).is_some() {
                    pairs.push((std::cmp::Reverse(nearness), index, place));
                }
            }
        }
        pairs.sort();
        for (_, index, place) in pairs {
            let span = &self.prompt.spans[place];
            if found[index].is_none() && self.free(span) {
                found[index] = value_of(span, &params[index]);
                self.spend(span);
            }
        }
    }

    /// How strongly the words around a value point to a parameter; 0: not at all.
    fn nearness(&self, param: &Param<'_>, span: &Span) -> u32 {
        let described = described(param);
        let mut best = 0;
        let before = self.prompt.before(span.at.start).take(3).enumerate();
        let after = self.prompt.after(span.at.end).take(1).enumerate();
        let behind = span.at.end;
        for (distance, word) in before.chain(after) {
            let closeness = 3 - distance as u32;
            let is_after = word.start >= behind;
            best = best.max(if self.is_name(param, word) {
                10 * closeness
            } else if described.contains(&word.stem) && !word.is_stop() && (param.required || is_after) {
                2 * closeness
            } else if distance == 0 && span.shape == Shape::Name && introduces(word, param) {
                5
            } else {
                0
            });
        }
        best
    }

    /// Whether a word names the parameter: a part of its name, or for a bare `id` the thing the tool is about.
    fn is_name(&self, param: &Param<'_>, word: &Word) -> bool {
        let bare_id = param.is_id() && param.name_stems.len() == 1;
        (param.name_stems.contains(&word.stem) && (!word.is_stop() || param.name_stems.len() == 1))
            || (bare_id && self.nouns.contains(&word.stem) && !word.is_stop())
    }

    fn by_kind(&mut self, param: &Param<'_>, depth: usize) -> Option<Value> {
        match param.kind() {
            Kind::Boolean => self.flag(param),
            Kind::List => self.list(param),
            Kind::Object if depth > 0 && param.required => {
                let inner = self.fill(&properties(param.schema, &self.tool.schema), depth - 1);
                inner.missing.is_empty().then_some(Value::Object(inner.args))
            }
            Kind::Object => None,
            Kind::Integer | Kind::Number | Kind::Text if param.schema.get("enum").is_some() => None,
            Kind::Integer | Kind::Number => self.thing(param, &[Shape::Number]),
            Kind::Text if param.schema.get("pattern").is_some() || param.schema.get("format").is_some() => {
                self.remembered(param)
            }
            Kind::Text if param.is_id() => {
                self.thing(param, &[Shape::Identifier, Shape::Number, Shape::Quoted])
            }
            Kind::Text if !param.required || param.is_query() => None,
            Kind::Text => {
                let shapes = [Shape::Quoted, Shape::Tail, Shape::Name, Shape::Identifier];
                self.unspent(param, &shapes).or_else(|| self.remembered(param))
            }
        }
    }

    /// A required value: one that an earlier result knows and the user repeats, else for ids what was found earlier,
    /// else the first value of the right shape that nothing else took.
    fn thing(&mut self, param: &Param<'_>, shapes: &[Shape]) -> Option<Value> {
        if !param.required {
            return None;
        }
        if param.is_id() && self.remembered(param).is_some() {
            let known = self.memory.values(param, self.tool.name.as_str(), self.prompt);
            let said =
                self.prompt.spans.iter().filter(|span| shapes.contains(&span.shape) && self.free(span));
            let said: Vec<Value> = said.filter_map(|span| value_of(span, param)).collect();
            return said.into_iter().find(|value| known.contains(value)).or_else(|| self.remembered(param));
        }
        self.unspent(param, shapes)
    }

    fn remembered(&self, param: &Param<'_>) -> Option<Value> {
        let pattern = pattern(param.schema);
        let fits = |value: &Value| match (&pattern, value.as_str()) {
            (Some(pattern), Some(text)) => pattern.is_match(text),
            _ => true,
        };
        let values = self.memory.values(param, self.tool.name.as_str(), self.prompt);
        values.into_iter().find(fits).filter(|_| param.required)
    }

    fn unspent(&mut self, param: &Param<'_>, shapes: &[Shape]) -> Option<Value> {
        for shape in shapes {
            for span in &self.prompt.spans {
                if span.shape == *shape
                    && self.free(span)
                    && let Some(value) = value_of(span, param)
                {
                    self.spend(span);
                    return Some(value);
                }
            }
        }
        None
    }

    /// Mentioned means yes, mentioned after a negation no, and what is not mentioned is not wanted.
    fn flag(&self, param: &Param<'_>) -> Option<Value> {
        const NOT: [&str; 8] = ["no", "not", "without", "never", "don't", "dont", "isn't", "non"];
        let named: Vec<&String> = param.name_stems.iter().filter(|stem| !is_stop(stem)).collect();
        let mention = self.prompt.words.iter().find(|word| named.contains(&&word.stem));
        match mention {
            Some(word) => {
                let negated = self
                    .prompt
                    .before(word.start)
                    .take(3)
                    .any(|before| NOT.contains(&before.text.to_lowercase().replace('’', "'").as_str()));
                Some(Value::Bool(!negated))
            }
            None => param.required.then(|| param.schema.get("default").cloned().unwrap_or(json!(false))),
        }
    }

    fn list(&mut self, param: &Param<'_>) -> Option<Value> {
        let empty = json!({});
        let items = resolve(param.schema.get("items").unwrap_or(&empty), &self.tool.schema, DEPTH);
        let values: Vec<Value> = if let Some(choices) = items.get("enum").and_then(Value::as_array) {
            choices
                .iter()
                .filter(|choice| self.choice(std::slice::from_ref(choice)).is_some())
                .cloned()
                .collect()
        } else {
            match kind(items) {
                Kind::Integer | Kind::Number if param.required => self.numbers(kind(items)),
                Kind::Object if param.required => {
                    let inner = self.fill(&properties(items, &self.tool.schema), 1);
                    if inner.missing.is_empty() { vec![Value::Object(inner.args)] } else { vec![] }
                }
                Kind::Text => self.enumerated(param),
                _ => vec![],
            }
        };
        (!values.is_empty()).then(|| Value::Array(values.into_iter().take(MOST_ITEMS).collect()))
    }

    fn numbers(&mut self, kind: Kind) -> Vec<Value> {
        let free = self.prompt.spans.iter().filter(|span| span.shape == Shape::Number && self.free(span));
        let free: Vec<&Span> = free.collect();
        free.iter().for_each(|span| self.used.push(span.at.clone()));
        free.iter().filter_map(|span| number(&span.text, kind)).collect()
    }

    /// Items between commas and `and`, after a colon or after a word of the parameter; else quoted ones and names.
    fn enumerated(&mut self, param: &Param<'_>) -> Vec<Value> {
        let after_name = || {
            let name = self.prompt.words.iter().find(|word| self.is_name(param, word))?;
            Some(&self.prompt.text[name.end..])
        };
        let tail =
            self.prompt.spans.iter().find(|span| span.shape == Shape::Tail).map(|span| span.text.as_str());
        let source = tail.filter(|_| param.required).or_else(after_name);
        if let Some(source) = source {
            let sentence = source.split(['.', '?', '!', ';']).next().unwrap_or_default();
            let items: Vec<&str> = sentence
                .split(',')
                .flat_map(|part| part.split(" and "))
                .map(|item| item.trim().trim_matches(['"', '\'', ':', '“', '”']).trim())
                .filter(|item| !item.is_empty())
                .collect();
            if items.iter().all(|item| item.split_whitespace().count() <= 4) && !items.is_empty() {
                return items.into_iter().map(Value::from).collect();
            }
        }
        let values =
            self.prompt.spans.iter().filter(|span| matches!(span.shape, Shape::Quoted | Shape::Name));
        values
            .filter(|span| param.required && self.free(span))
            .map(|span| Value::from(span.text.as_str()))
            .collect()
    }

    /// What to search for: the one quoted text, else the words that neither the tool nor the grammar explains.
    fn query(&self) -> Option<Value> {
        let mut quoted =
            self.prompt.spans.iter().filter(|span| span.shape == Shape::Quoted && self.free(span));
        if let (Some(only), None) = (quoted.next(), quoted.next()) {
            return Some(Value::from(only.text.as_str()));
        }
        let known: BTreeSet<String> = self.nouns.iter().cloned().collect();
        let mut rest = self.prompt.rest(&known, &[]);
        if rest.is_empty() {
            rest = self.prompt.rest(&BTreeSet::new(), &[]);
        }
        (!rest.is_empty()).then(|| Value::from(rest))
    }

    /// The last few words that nothing explains.
    fn leftover(&self) -> Option<Value> {
        let mut known: BTreeSet<String> = self.nouns.iter().cloned().collect();
        known.extend(terms(&self.tool.description));
        let rest = self.prompt.rest(&known, &self.used);
        (!rest.is_empty() && rest.split(' ').count() <= 4).then(|| Value::from(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_that_refer_to_themselves_end() {
        let mut properties = Map::new();
        for index in 0..60 {
            properties.insert(format!("p{index}"), json!({"$ref": "#"}));
        }
        let required: Vec<String> = properties.keys().cloned().collect();
        let schema = json!({"type": "object", "properties": properties, "required": required});
        let tool =
            ToolOffer { name: "nest".into(), tool: None, title: None, description: String::new(), schema };
        let filled = fill(&tool, &Prompt::of("Nest it 5 times"), &Memory::default());
        assert!(!filled.missing.is_empty());
    }

    #[test]
    fn values_keep_to_type_bounds_and_pattern() {
        let schema = json!({"type": "object", "required": ["size", "code", "flag"], "properties": {
            "size": {"type": "integer", "minimum": 10},
            "code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]+$"},
            "flag": {"type": "boolean"},
            "bad": {"type": "string", "pattern": "(?<=x)y"},
        }});
        let tool =
            ToolOffer { name: "cut".into(), tool: None, title: None, description: String::new(), schema };
        let filled = fill(&tool, &Prompt::of("Cut 3 of size 20, (AB-7)."), &Memory::default());
        assert_eq!(Value::Object(filled.args).to_string(), r#"{"size":20,"code":"AB-7","flag":false}"#);
    }
}
