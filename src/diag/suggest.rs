//! The nearest known name to a misspelt one.

/// Most names that are looked at.
const LOOKED_AT: usize = 1_000;

/// The known name closest to `wrong`, if one is close enough to be a likely misspelling (at most a third of the
/// letters differ, by Damerau-Levenshtein distance). Looks at the first thousand names.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    known
        .into_iter()
        .take(LOOKED_AT)
        .map(|name| (strsim::damerau_levenshtein(&wrong, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= name.chars().count().max(3).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// A hint about an unknown name: "did you mean `x`?", or the list of known names when nothing is near.
pub fn hint<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(wrong, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            let mut names: Vec<&str> = known.into_iter().collect();
            names.sort_unstable();
            names.dedup();
            let more = names.len().saturating_sub(20);
            names.truncate(20);
            let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            match (names.is_empty(), more) {
                (true, _) => "none are defined".to_owned(),
                (false, 0) => format!("known: {list}"),
                (false, more) => format!("known: {list} and {more} more"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_listed() {
        assert_eq!(nearest("expcet", ["expect", "prompt"]), Some("expect"));
        assert_eq!(nearest("clerc", ["clerk", "customer"]), Some("clerk"));
        assert_eq!(nearest("zebra", ["clerk", "customer"]), None);
        assert_eq!(hint("zebra", ["clerk", "customer"]), "known: `clerk`, `customer`");
    }
}
