//! Small strict readers: XML well-formedness, and what is active in Markdown.

#![allow(dead_code, reason = "each test file uses a part of it")]

/// Panics unless the text is a well-formed XML 1.0 document: legal characters only, tags nested, attributes quoted and
/// unique, no raw `<` or `&`, no `]]>` in text.
pub(crate) fn check(text: &str) {
    for c in text.chars() {
        let legal = matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
        assert!(legal, "U+{:04X} is not legal in XML", c as u32);
    }
    let mut rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").expect("a declaration");
    let mut open: Vec<&str> = vec![];
    let mut roots = 0;
    while let Some(at) = rest.find('<') {
        content(&rest[..at], open.is_empty());
        let end = rest[at..].find('>').map(|end| at + end).expect("every tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.trim()), "tags nest");
            continue;
        }
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = attributes(tag);
        roots += usize::from(open.is_empty());
        if !empty {
            open.push(name);
        }
    }
    content(rest, true);
    assert!(open.is_empty() && roots == 1, "one root: {roots}, open: {open:?}");
}

fn content(text: &str, outside: bool) {
    assert!(!outside || text.trim().is_empty(), "text outside the root: {text}");
    assert!(!text.contains("]]>"), "`]]>` in text");
    references(text);
}

fn references(text: &str) {
    for piece in text.split('&').skip(1) {
        let name = piece.split(';').next().expect("split gives one");
        let known = ["amp", "lt", "gt", "quot", "apos"].contains(&name)
            || name.strip_prefix('#').is_some_and(|n| {
                !n.is_empty() && n.trim_start_matches('x').chars().all(|c| c.is_ascii_hexdigit())
            });
        assert!(
            known && piece.contains(';'),
            "a bad reference: &{}",
            piece.chars().take(20).collect::<String>()
        );
    }
}

/// Checks the attributes of a tag and gives its name.
fn attributes(tag: &str) -> &str {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    let mut seen = vec![];
    while !rest.trim().is_empty() {
        let (key, tail) = rest.trim_start().split_once("=\"").expect("attributes are quoted");
        let (value, tail) = tail.split_once('"').expect("quotes close");
        assert!(!seen.contains(&key) && !key.contains(char::is_whitespace), "attribute {key}");
        assert!(!value.contains('<'), "`<` in an attribute");
        references(value);
        seen.push(key);
        rest = tail;
    }
    name
}

/// Markdown without its code fences and code spans: what a renderer would act on.
pub(crate) fn outside_code(text: &str) -> String {
    let mut out = String::new();
    let mut fence: Option<usize> = None;
    for line in text.lines() {
        let ticks = line.chars().take_while(|c| *c == '`').count();
        match fence {
            Some(length) if ticks >= length && line.trim_end().len() == ticks => fence = None,
            Some(_) => {}
            None if ticks >= 3 && !line[ticks..].contains('`') => fence = Some(ticks),
            None => out.push_str(&(without_spans(line) + "\n")),
        }
    }
    assert!(fence.is_none(), "a fence stays open");
    out
}

fn without_spans(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        out.push_str(&rest[..at]);
        let ticks = rest[at..].chars().take_while(|c| *c == '`').count();
        let inner = &rest[at + ticks..];
        match closing(inner, ticks) {
            Some(end) => rest = &inner[end..],
            None => {
                out.push_str(&rest[at..at + ticks]);
                rest = inner;
            }
        }
    }
    out + rest
}

/// Where the span closes: after the first run of exactly this many backticks.
fn closing(text: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(next) = text[at..].find('`') {
        let run = text[at + next..].chars().take_while(|c| *c == '`').count();
        at += next + run;
        if run == ticks {
            return Some(at);
        }
    }
    None
}
