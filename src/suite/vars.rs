//! `${NAME}` in texts of the target: which names a text uses, and the text with their values. Values come from the
//! caller's map and never from the environment; `$${` stands for the characters `${`.

use std::collections::BTreeMap;

use super::Template;

/// Names that exist without a declaration.
pub const BUILT_IN: &[&str] = &[
    "issuer.url",
    "issuer.ca",
    "issuer.jwks",
    "issuer.introspection",
    "issuer.introspection_client",
    "issuer.introspection_secret",
    "issuer.upstream",
    "target.url",
    "target.port",
];

/// A variable that cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfilled {
    /// No value.
    #[error("variable `{0}` has no value")]
    NoValue(String),
    /// A `${` without `}` or without a name.
    #[error("`${{` without a name and a closing `}}`")]
    Broken,
}

enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// The names of the variables in a text, in order.
pub fn names(template: &Template) -> Result<Vec<&str>, Unfilled> {
    let pieces = pieces(&template.0)?;
    Ok(pieces
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name),
            Piece::Text(_) => None,
        })
        .collect())
}

/// The text with every variable replaced by its value.
pub fn fill(template: &Template, values: &BTreeMap<String, String>) -> Result<String, Unfilled> {
    let mut out = String::with_capacity(template.0.len());
    for piece in pieces(&template.0)? {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Variable(name) => {
                out.push_str(values.get(name).ok_or_else(|| Unfilled::NoValue(name.to_owned()))?);
            }
        }
    }
    Ok(out)
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Unfilled> {
    let mut pieces = vec![];
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if let Some(before) = rest[..start].strip_suffix('$') {
            pieces.extend([Piece::Text(before), Piece::Text("${")]);
            rest = &rest[start + 2..];
            continue;
        }
        let end = rest[start..].find('}').ok_or(Unfilled::Broken)? + start;
        let name = &rest[start + 2..end];
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            return Err(Unfilled::Broken);
        }
        pieces.extend([Piece::Text(&rest[..start]), Piece::Variable(name)]);
        rest = &rest[end + 1..];
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, Unfilled> {
        let values =
            BTreeMap::from([("A".to_owned(), "1 ${B}".to_owned()), ("issuer.url".into(), "u".into())]);
        fill(&Template(text.to_owned()), &values)
    }

    #[test]
    fn values_are_put_in_once_and_never_read_again() {
        assert_eq!(filled("x ${A}${issuer.url}").as_deref(), Ok("x 1 ${B}u"));
        assert_eq!(filled("$ $A $${A}").as_deref(), Ok("$ $A ${A}"));
        assert_eq!(filled("${C}"), Err(Unfilled::NoValue("C".to_owned())));
        for broken in ["${", "a ${A", "${}", "${A B}", "${A:-x}"] {
            assert_eq!(filled(broken), Err(Unfilled::Broken), "{broken}");
        }
    }

    #[test]
    fn path_is_not_read_from_the_environment() {
        assert_eq!(filled("${PATH}"), Err(Unfilled::NoValue("PATH".to_owned())));
    }
}
