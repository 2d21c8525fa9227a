//! The name under which a tool is offered, made as a client makes it. Pure.

use std::fmt::Write as _;

use sha1::{Digest as _, Sha1};

use crate::mcp::profile::{Charset, NameRule, Overflow};

/// A name as a client makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The name offered; `None` when the client drops the tool over it.
    pub name: Option<String>,
    /// The name before it was cut, with its replaced characters.
    pub whole: String,
    /// Whether characters were replaced.
    pub replaced: bool,
    /// Whether it is longer than the client allows.
    pub too_long: bool,
}

/// Makes the name of a tool. Without a rule it is the tool's own.
pub fn make(rule: Option<&NameRule>, server: &str, tool: &str) -> Made {
    let Some(rule) = rule else {
        return Made {
            name: Some(tool.to_owned()),
            whole: tool.to_owned(),
            replaced: false,
            too_long: false,
        };
    };
    let raw = fill(rule.template.as_deref().unwrap_or("{tool}"), &server_part(rule, server), tool);
    let whole = replaced(&raw, rule.allowed.as_ref(), rule);
    let is_replaced = whole != raw;
    let too_long = rule.max.is_some_and(|max| whole.chars().count() > max);
    let max = rule.max.unwrap_or(usize::MAX);
    let name = match (&rule.overflow, too_long) {
        (Some(Overflow::Sha1 { head, digits, when_replaced }), long)
            if long || (*when_replaced && is_replaced) =>
        {
            Some(format!("{}_{}", take(&whole, *head), digest(&raw, *digits)))
        }
        (_, false) => Some(whole.clone()),
        (Some(Overflow::Drop), true) => None,
        (Some(Overflow::HeadTail { head, mark, tail }), true) => {
            let from = whole.chars().count().saturating_sub(*tail);
            let end: String = whole.chars().skip(from).collect();
            Some(format!("{}{mark}{end}", take(&whole, *head)))
        }
        (Some(Overflow::Cut | Overflow::Sha1 { .. }) | None, true) => Some(take(&whole, max)),
    };
    Made { name, whole, replaced: is_replaced, too_long }
}

/// The namespace beside the names, if the client has one.
pub fn namespace(rule: Option<&NameRule>, server: &str) -> Option<String> {
    let rule = rule?;
    let filled = fill(rule.namespace.as_deref()?, &server_part(rule, server), "");
    Some(replaced(&filled, rule.allowed.as_ref(), rule))
}

fn server_part(rule: &NameRule, server: &str) -> String {
    let Some(part) = &rule.server else { return server.to_owned() };
    let name = if part.lowercase { server.to_lowercase() } else { server.to_owned() };
    let name = replaced(&name, part.allowed.as_ref(), rule);
    take(&name, part.max.unwrap_or(usize::MAX))
}

/// Split at `{tool}` first, so that a server called `{tool}` stays a name.
fn fill(template: &str, server: &str, tool: &str) -> String {
    let parts: Vec<String> = template.split("{tool}").map(|part| part.replace("{server}", server)).collect();
    parts.join(tool)
}

fn replaced(text: &str, allowed: Option<&Charset>, rule: &NameRule) -> String {
    let Some(allowed) = allowed else { return text.to_owned() };
    let stand_in = rule.replacement.as_deref().unwrap_or("_");
    let mut out = String::with_capacity(text.len());
    let mut in_run = false;
    for c in text.chars() {
        if allowed.has(c) {
            out.push(c);
        } else if !(in_run && rule.replace_runs) {
            out.push_str(stand_in);
        }
        in_run = !allowed.has(c);
    }
    out
}

fn take(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

fn digest(text: &str, digits: usize) -> String {
    let mut hex = String::new();
    for byte in Sha1::digest(text.as_bytes()) {
        // Writing to a text cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    take(&hex, digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::profile::ServerPart;

    fn rule(template: &str, max: Option<usize>, overflow: Option<Overflow>) -> NameRule {
        NameRule {
            template: Some(template.to_owned()),
            allowed: Some("A-Za-z0-9_-".parse().unwrap()),
            max,
            overflow,
            ..NameRule::default()
        }
    }

    fn name(rule: &NameRule, server: &str, tool: &str) -> Option<String> {
        make(Some(rule), server, tool).name
    }

    #[test]
    fn templates_and_characters() {
        let plain = rule("mcp__{server}__{tool}", None, None);
        assert_eq!(name(&plain, "my shop", "get.order").as_deref(), Some("mcp__my_shop__get_order"));
        assert_eq!(name(&plain, "{tool}", "x").as_deref(), Some("mcp___tool___x"));
        assert_eq!(make(None, "s", "a.b").name.as_deref(), Some("a.b"));
        let cropped = NameRule {
            server: Some(ServerPart { lowercase: true, allowed: None, max: Some(3) }),
            ..rule("{server}_{tool}", None, None)
        };
        assert_eq!(name(&cropped, "BOOKSHOP", "T").as_deref(), Some("boo_T"));
        let runs = NameRule { replace_runs: true, ..rule("{tool}", None, None) };
        assert_eq!(name(&runs, "s", "a./b").as_deref(), Some("a_b"));
        let space = NameRule { namespace: Some("mcp__{server}".to_owned()), ..rule("{tool}", None, None) };
        assert_eq!(namespace(Some(&space), "a b").as_deref(), Some("mcp__a_b"));
    }

    #[test]
    fn names_at_the_limit_stay_and_longer_ones_overflow() {
        let at = |overflow| rule("{tool}", Some(8), overflow);
        for overflow in [None, Some(Overflow::Drop), Some(Overflow::Cut)] {
            assert_eq!(name(&at(overflow), "s", "12345678").as_deref(), Some("12345678"));
        }
        assert_eq!(name(&at(None), "s", "123456789").as_deref(), Some("12345678"));
        assert_eq!(name(&at(Some(Overflow::Drop)), "s", "123456789"), None);
        let middle = Overflow::HeadTail { head: 2, mark: "..".to_owned(), tail: 2 };
        assert_eq!(name(&at(Some(middle)), "s", "123456789").as_deref(), Some("12..89"));
    }

    #[test]
    fn the_digest_is_that_of_the_name_before_replacement() {
        // printf %s 's__get.order' | sha1sum
        let hashed = Overflow::Sha1 { head: 55, digits: 8, when_replaced: true };
        let rule = rule("{server}__{tool}", Some(64), Some(hashed));
        assert_eq!(name(&rule, "s", "get_order").as_deref(), Some("s__get_order"));
        assert_eq!(name(&rule, "s", "get.order").as_deref(), Some("s__get_order_56659763"));
        let long = name(&rule, "s", &"x".repeat(100)).unwrap();
        assert_eq!(long.chars().count(), 64);
        assert!(long.starts_with(&format!("s__{}_", "x".repeat(52))), "{long}");
    }
}
