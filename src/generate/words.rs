//! Prompts without a model: what a tool does, said as a wish, with the arguments in the user's words. Pure.
//!
//! The words come from the server, so they are bounded and a single line; whether they give the tool's name away is
//! decided by [`super::naming`].

use serde_json::Value;

use crate::display;
use crate::llm::lexical;
use crate::transcript::ToolFact;

/// Longest wish before the arguments.
const LONGEST: usize = 120;

/// Verbs of descriptions, in the third person or not, by what a user says instead.
const VERBS: &[(&[&str], &str)] = &[
    (&["search", "find", "query", "look for"], "Find"),
    (&["list", "enumerate"], "List"),
    (
        &[
            "get", "return", "fetch", "retrieve", "read", "show", "look up", "lookup", "provide", "give",
            "display", "view", "load",
        ],
        "Show me",
    ),
    (&["count"], "Count"),
    (&["calculate", "compute"], "Work out"),
    (&["check", "verify"], "Check"),
];

/// The ways to ask for one call, the plainest first. Empty when an argument is nothing that people say.
pub fn prompts(tool: &ToolFact, args: &Value) -> Vec<String> {
    let Some(said) = arguments(args) else { return vec![] };
    let (verb, thing) = wish(tool, args);
    let said = if verb == "Look through" { said.replacen(" about ", " for ", 1) } else { said };
    let lower = |text: &str| {
        let mut chars = text.chars();
        chars.next().map(|first| first.to_lowercase().chain(chars).collect::<String>()).unwrap_or_default()
    };
    let (thing, said) = joined(&thing, said, args);
    let title = title(tool);
    let mut prompts = vec![
        format!("{verb} {thing}{said}."),
        format!("Please {} {thing}{said}.", lower(&verb).replace("show me", "tell me")),
        format!("I would like to know about {thing}{said}."),
    ];
    if !title.is_empty() {
        prompts.push(format!("Can you help me with this: {}{said}?", lower(&title)));
    }
    prompts.push(format!("What do I get for {thing}{said}?"));
    if !said.is_empty() {
        prompts.push(format!("Can you help me{said}?"));
    }
    prompts.retain(|prompt| !super::naming::names(prompt, tool.name.as_str()));
    prompts.dedup();
    prompts
}

/// "the weather for a city" and " with city X" as "the weather" and " for city X".
fn joined(thing: &str, said: String, args: &Value) -> (String, String) {
    let first = args.as_object().and_then(|args| args.keys().next());
    let plain = first.map(|name| lexical::words_of(name).join(" ")).unwrap_or_default();
    for joint in ["for", "of", "in", "from", "at"] {
        for article in ["a", "an", "the"] {
            let head = thing.strip_suffix(&format!(" {joint} {article} {plain}"));
            if let (Some(head), Some(rest)) = (head, said.strip_prefix(" with ")) {
                return (head.to_owned(), format!(" {joint} {rest}"));
            }
        }
    }
    (thing.to_owned(), said)
}

/// What is wished for: a verb, and a thing.
fn wish(tool: &ToolFact, args: &Value) -> (String, String) {
    let sentence = first_sentence(tool.description());
    let sentence = if sentence.is_empty() { title(tool) } else { sentence };
    let lower = sentence.to_lowercase();
    for (words, verb) in VERBS {
        for word in *words {
            let forms = [(*word).to_owned(), third_person(word)];
            let begins = |form: &&String| {
                lower.strip_prefix(form.as_str()).is_some_and(|rest| rest.starts_with(char::is_whitespace))
            };
            if let Some(form) = forms.iter().find(begins) {
                let rest = thing(sentence.get(form.len()..).unwrap_or_default(), args);
                // One searches in a place and finds a thing.
                let place = *verb == "Find" && rest.starts_with("the ");
                return (if place { "Look through" } else { verb }.to_owned(), rest);
            }
        }
    }
    let (first, rest) = sentence.split_once(' ').unwrap_or((&sentence, ""));
    (capital(&base_form(first)), thing(rest, args))
}

/// The thing without what only a programmer would say of it.
fn thing(text: &str, args: &Value) -> String {
    const TAILS: [&str; 15] = [
        " by its",
        " by their",
        " by id",
        " by name",
        " by the",
        " given ",
        " for the given",
        " for a given",
        " for a specific",
        " using ",
        " based on ",
        " with the given",
        " matching ",
        " by ",
        ", ",
    ];
    let mut text = text.trim().to_owned();
    if args.as_object().is_some_and(|args| !args.is_empty()) {
        let cut = TAILS.iter().filter_map(|tail| text.to_lowercase().find(tail)).min();
        if let Some(cut) = cut.filter(|cut| *cut > 2 && text.is_char_boundary(*cut)) {
            text.truncate(cut);
        }
    }
    for (from, to) in [
        ("a list of ", ""),
        ("the list of ", ""),
        ("one ", "the "),
        ("a single ", "the "),
        ("a ", "the "),
        ("an ", "the "),
    ] {
        if let Some(rest) = text.strip_prefix(from) {
            text = format!("{to}{rest}");
            break;
        }
    }
    let text = text.trim_end_matches(['.', ',', ':', ';', '!']).trim().to_owned();
    if text.is_empty() { "what there is".to_owned() } else { text }
}

/// The first sentence on one line, without brackets and marks.
fn first_sentence(description: &str) -> String {
    let line = description.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line: String = line.chars().take(400).collect();
    let mut end = line.len();
    for mark in [". ", ": ", "; ", "? ", "! ", " (", " - ", " — "] {
        if let Some(at) = line.find(mark).filter(|at| *at > 8) {
            end = end.min(at);
        }
    }
    let text: String = line[..end].chars().filter(|c| !"`*_\"“”<>{}[]".contains(*c)).collect();
    bounded(&text)
}

fn title(tool: &ToolFact) -> String {
    let annotated = tool.raw.get("annotations").and_then(|all| all.get("title")).and_then(Value::as_str);
    let title = tool.raw.get("title").and_then(Value::as_str).or(annotated).unwrap_or_default();
    bounded(title)
}

/// At most so many characters, whole words, safe to show.
fn bounded(text: &str) -> String {
    let text = display::safe_line(text.trim());
    let mut short = String::new();
    for word in text.split_whitespace() {
        if short.chars().count() + word.chars().count() > LONGEST {
            break;
        }
        if !short.is_empty() {
            short.push(' ');
        }
        short.push_str(word);
    }
    short.trim_end_matches(['.', ',', ':', ';']).to_owned()
}

fn third_person(verb: &str) -> String {
    match verb.split_once(' ') {
        Some((verb, rest)) => format!("{} {rest}", third_person(verb)),
        None if verb.ends_with(['s', 'x', 'z']) || verb.ends_with("ch") || verb.ends_with("sh") => {
            format!("{verb}es")
        }
        None => match verb.strip_suffix('y').filter(|head| !head.ends_with(['a', 'e', 'o', 'u'])) {
            Some(head) => format!("{head}ies"),
            None => format!("{verb}s"),
        },
    }
}

/// A verb without the `s` of the third person.
fn base_form(word: &str) -> String {
    let lower = word.to_lowercase();
    for (form, verb) in [("does", "do"), ("goes", "go"), ("has", "have"), ("is", "be")] {
        if lower == form {
            return verb.to_owned();
        }
    }
    if let Some(head) = lower.strip_suffix("ies").filter(|head| head.len() > 2) {
        return format!("{head}y");
    }
    for ending in ["sses", "shes", "ches", "xes", "oes"] {
        if lower.ends_with(ending) {
            return lower[..lower.len() - 2].to_owned();
        }
    }
    match lower.strip_suffix('s') {
        Some(head) if head.len() > 2 && !head.ends_with(['s', 'u', 'i']) => head.to_owned(),
        _ => lower,
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The arguments as they are said behind the wish; `None` when one of them cannot be said.
fn arguments(args: &Value) -> Option<String> {
    let args = args.as_object()?;
    let mut said = String::new();
    for (index, (name, value)) in args.iter().enumerate() {
        let words = lexical::words_of(name);
        let plain = words.join(" ");
        let looks = words.last().is_some_and(|word| matches!(word.as_str(), "query" | "q" | "search"));
        let joint = if index == 0 { " with" } else { " and" };
        let part = match value {
            Value::Bool(true) => format!("{joint} {plain}"),
            Value::Bool(false) => format!("{} without {plain}", if index == 0 { "" } else { " and" }),
            value if looks && index == 0 => format!(" about {}", spoken(value)?),
            Value::Array(items) => {
                let items = items.iter().map(spoken).collect::<Option<Vec<_>>>()?;
                format!("{joint} {plain} {}", items.join(" and "))
            }
            value => format!("{joint} {plain} {}", spoken(value)?),
        };
        said.push_str(&part);
    }
    Some(said)
}

/// A value as people say it.
fn spoken(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text)
            if text.is_empty() || text.chars().any(|c| c == '"' || display::is_unsafe(c) || c == '\n') =>
        {
            None
        }
        Value::String(text)
            if text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@:/".contains(c))
                && text.chars().any(|c| c.is_ascii_digit()) =>
        {
            Some(text.clone())
        }
        Value::String(text) => Some(format!("\"{text}\"")),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "values are written where they are used")]
mod tests {
    use serde_json::json;

    use super::*;

    fn first(name: &str, description: &str, args: Value) -> String {
        let tool =
            ToolFact { name: name.into(), raw: json!({"name": name, "description": description}).into() };
        prompts(&tool, &args).into_iter().next().unwrap_or_default()
    }

    #[test]
    fn descriptions_become_wishes() {
        let said = [
            first("get_order", "Look up one order by its number: what was bought.", json!({"id": 1042})),
            first("list_orders", "List all my orders with number and total.", json!({})),
            first("search_books", "Search the catalogue: do we have any book?", json!({"query": "Le Guin"})),
            first("add", "Adds two numbers", json!({"a": 7, "b": 12})),
            first(
                "forecast",
                "Returns a forecast for a given city. Slow.",
                json!({"city": "London", "days": 3, "hourly": false}),
            ),
            first("stock", "", json!({})),
            first("x", "Does `things` (internal)", json!({"tags": ["red", "blue"]})),
        ];
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn nothing_gives_the_name_away_or_breaks_the_line() {
        for description in [
            "Get order.",
            "get_order: gets orders",
            "\u{1b}[31m\n\nRun\u{202e} get order now",
            "x ".repeat(5000).as_str(),
            "",
        ] {
            let tool = ToolFact {
                name: "get_order".into(),
                raw: json!({"description": description, "title": "Get order"}).into(),
            };
            for prompt in prompts(&tool, &json!({"id": 7})) {
                assert!(!super::super::naming::names(&prompt, "get_order"), "{prompt}");
                assert!(
                    prompt.len() < 300 && !prompt.contains('\n') && !prompt.chars().any(display::is_unsafe),
                    "{prompt}"
                );
            }
        }
    }

    #[test]
    fn what_nobody_says_has_no_prompt() {
        let tool = ToolFact { name: "t".into(), raw: json!({"description": "Show it."}).into() };
        for args in [json!({"a": {"b": 1}}), json!({"a": "say \"x\""}), json!({"a": null}), json!([1])] {
            assert!(prompts(&tool, &args).is_empty(), "{args}");
        }
    }
}
