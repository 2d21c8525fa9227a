//! Whether a prompt gives the tool away: its name, or the words of its name glued together. Pure.

/// Whether a text names a tool: as it is, in another spelling (`get_order`, `getOrder`, `GET-ORDER`), or with its words
/// side by side (`get order`). The words apart are what users say too.
pub fn names(text: &str, tool: &str) -> bool {
    let glued = glue(tool);
    if glued.is_empty() {
        return false;
    }
    let words: Vec<String> = text
        .split(|c: char| c.is_whitespace() || "_-./:".contains(c))
        .map(glue)
        .filter(|word| !word.is_empty())
        .collect();
    let side_by_side = (0..words.len()).any(|start| {
        let mut joined = String::new();
        words[start..].iter().any(|word| {
            joined.push_str(word);
            joined == glued
        })
    });
    // Inside a longer word only a name of several words is unlikely to be chance.
    let several = tool.contains(['_', '-', '.', '/', ':']) || tool.chars().skip(1).any(char::is_uppercase);
    side_by_side || (several && text.to_lowercase().contains(&tool.to_lowercase()))
}

/// Letters and digits alone, in lower case.
fn glue(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_every_spelling() {
        for text in [
            "Use get_order for 1042.",
            "get order 1042",
            "Please getOrder!",
            "GET-ORDER",
            "call my_get_order_now",
            "get\norder",
        ] {
            assert!(names(text, "get_order"), "{text}");
            assert!(names(text, "getOrder") || text.contains("my_"), "{text}");
        }
        assert!(names("Echo: hello", "echo") && names("a.b.c", "b.c"));
    }

    #[test]
    fn words_apart_are_the_users_own() {
        for text in [
            "Get my order 1042.",
            "Where is the order?",
            "I want to reorder what I get.",
            "forget orders",
            "",
        ] {
            assert!(!names(text, "get_order"), "{text}");
        }
        assert!(!names("It echoes.", "echo") && !names("anything", "___"));
    }
}
