//! Where a word stands, and what its tokens say, however they are cut.

use super::*;

const POINTER: &str = "/c1/verdict";

fn weigh() -> Weigh {
    Weigh {
        top: 5,
        fields: vec![POINTER.into(), "/c2/verdict".into()],
        words: ["yes", "no", "unsure"].map(str::to_owned).to_vec(),
    }
}

fn choice(text: &str, p: f64) -> Choice {
    Choice { bytes: text.into(), logprob: p.ln() }
}

/// A token with its probability and what could stand in its place.
fn token(text: &str, p: f64, others: &[(&str, f64)]) -> Token {
    let top = std::iter::once((text, p)).chain(others.iter().copied());
    Token { chosen: choice(text, p), top: top.map(|(text, p)| choice(text, p)).collect() }
}

fn sure(text: &str) -> Token {
    token(text, 1.0, &[])
}

fn weighed(tokens: &[Token]) -> Odds {
    let text: Vec<u8> = tokens.iter().flat_map(|token| token.chosen.bytes.clone()).collect();
    of(Some(&weigh()), Some(std::str::from_utf8(&text).unwrap()), tokens)
}

/// The probabilities of yes, no and unsure in a field, to four digits.
fn shares(odds: &Odds, pointer: &str) -> Option<[f64; 3]> {
    let field = odds.get(pointer)?;
    let share = |word: &str| field.get(word).map_or(0.0, |logprob| (logprob.exp() * 1e4).round() / 1e4);
    Some(["yes", "no", "unsure"].map(share))
}

fn one(tokens: &[Token]) -> Option<[f64; 3]> {
    shares(&weighed(tokens), POINTER)
}

#[test]
fn a_word_is_weighed_however_its_tokens_are_cut() {
    let open = sure("{\"c1\":{\"verdict\":");
    let cuts: [(&str, Vec<Token>, [f64; 3]); 6] = [
        (
            "a token of its own",
            vec![sure("\""), token("yes", 0.7, &[("no", 0.2), ("uns", 0.05), (" yes", 0.01)]), sure("\"}}")],
            [0.7, 0.2, 0.05],
        ),
        (
            "joined to its quotes",
            vec![
                token(
                    " \"yes\"",
                    0.6,
                    &[(" \"no\"", 0.25), (" \"no", 0.05), (" \"uns", 0.04), ("\"yes\"", 0.03), (" \"", 0.02)],
                ),
                sure("}}"),
            ],
            [0.6, 0.3, 0.04],
        ),
        (
            "split",
            vec![
                sure("\""),
                token("un", 0.5, &[("uns", 0.2), ("no", 0.1), ("yes", 0.1), ("u", 0.05)]),
                token("sure", 0.9, &[("su", 0.06), ("known", 0.04)]),
                sure("\"}}"),
            ],
            [0.1, 0.1, 0.5 * 0.9 + 0.5 * 0.06 + 0.25],
        ),
        (
            "letter by letter",
            vec![
                sure("\""),
                token("n", 0.9, &[("y", 0.1)]),
                token("o", 0.8, &[("ope", 0.2)]),
                sure("\""),
                sure("}}"),
            ],
            [0.1, 0.72, 0.0],
        ),
        (
            "with the end of the object",
            vec![sure("\""), token("no\"}}", 0.55, &[("yes\"}}", 0.35), ("none\"}}", 0.1)])],
            [0.35, 0.55, 0.0],
        ),
        (
            "without alternatives",
            vec![sure("\""), Token { chosen: choice("yes", 0.97), top: vec![] }, sure("\"}}")],
            [0.97, 0.0, 0.0],
        ),
    ];
    for (name, tail, expected) in cuts {
        let tokens = [vec![open.clone()], tail].concat();
        let found = one(&tokens).unwrap_or_else(|| panic!("{name}"));
        let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-3);
        assert!(near, "{name}: {found:?}, not {expected:?}");
    }
}

#[test]
fn the_word_of_the_field_is_weighed_and_no_other_one() {
    // The reason says yes, so does another field, and a key is written with an escape.
    let tokens = [
        sure("{\"canary\":\"yes\",\"c1\":{\"reason\":\"verdict\\\":\\\"yes\",\""),
        sure("\\u0076erdict\": \""),
        token("no", 0.6, &[("yes", 0.4)]),
        sure("\"},\n\"c2\" : { \"evidence\":[1],\"verdict\" :\t\""),
        token("yes", 0.9, &[("no", 0.1)]),
        sure("\"}} "),
    ];
    let odds = weighed(&tokens);
    assert_eq!(shares(&odds, POINTER), Some([0.4, 0.6, 0.0]));
    assert_eq!(shares(&odds, "/c2/verdict"), Some([0.9, 0.1, 0.0]));
}

#[test]
fn what_does_not_fit_is_not_known() {
    let text = "{\"c1\":{\"verdict\":\"yes\"}}";
    let (head, tail) = ("{\"c1\":{\"verdict\":\"", "\"}}");
    let with = |token: Token| of(Some(&weigh()), Some(text), &[sure(head), token, sure(tail)]);
    assert_eq!(shares(&with(token("yes", 0.8, &[("no", 0.2)])), POINTER), Some([0.8, 0.2, 0.0]));
    let hostile =
        |logprob| Token { chosen: choice("yes", 0.5), top: vec![Choice { bytes: b"no".to_vec(), logprob }] };
    assert_eq!(with(hostile(0.5)), Odds::new(), "a probability above 1");
    assert_eq!(with(hostile(f64::NAN)), Odds::new());
    assert_eq!(with(hostile(f64::INFINITY)), Odds::new());
    assert_eq!(with(token("yes", 0.6, &[("no", 0.6)])), Odds::new(), "more than all");
    assert_eq!(shares(&with(hostile(-9999.0)), POINTER), Some([0.5, 0.0, 0.0]));
    // Tokens of another text, too few, none, and more than the text.
    assert_eq!(with(token("no", 0.8, &[])), Odds::new());
    assert_eq!(of(Some(&weigh()), Some(text), &[sure(head), sure("yes")]), Odds::new());
    assert_eq!(of(Some(&weigh()), Some(text), &[]), Odds::new());
    assert_eq!(of(Some(&weigh()), None, &[sure("yes")]), Odds::new());
    assert_eq!(of(None, Some(text), &[sure(text)]), Odds::new());
    let beyond = [sure(head), token("yes", 0.8, &[("no", 0.2)]), sure(tail), sure("<|im_end|>"), sure("")];
    assert_eq!(shares(&of(Some(&weigh()), Some(text), &beyond), POINTER), Some([0.8, 0.2, 0.0]));
    // Texts in which the field is not to be found, or not one of the words.
    for text in [
        "yes",
        "[\"yes\"]",
        "{\"c1\":\"yes\"}",
        "{\"c1\":{\"verdict\":true}}",
        "{\"c1\":{\"verdict\":\"Yes\"}}",
        "{\"c1\":{\"verdict\":\"\\u0079es\"}}",
        "{\"c1\":{\"verdict\":\"yes\",\"verdict\":\"no\"}}",
        "{\"c1\":{\"verdict\":\"yes\"},\"c1\":{\"verdict\":\"yes\"}}",
        "{\"c1\":{\"verdict\":\"yes\"}} and more",
        "```json\n{\"c1\":{\"verdict\":\"yes\"}}\n```",
        "{\"c1\":{\"verdict\":\"yes\"}",
        "",
    ] {
        assert_eq!(one(&[sure(text)]), None, "{text}");
    }
}

proptest::proptest! {
    /// However an answer is cut into tokens, the word that is weighed is that of the field.
    #[test]
    fn the_word_found_is_the_one_that_was_written(
        reason in "[yesnou\"\\\\{}:, c1verdict]{0,40}",
        which in 0..3_usize,
        cuts in proptest::collection::vec(0.0..1.0, 0..12),
    ) {
        let word = weigh().words[which].clone();
        let whole = serde_json::json!({"canary": "x", "c1": {"evidence": [3], "reason": reason, "verdict": word}});
        let text = whole.to_string();
        let mut places: Vec<usize> = cuts.iter().map(|cut: &f64| (cut * text.len() as f64) as usize).collect();
        places.extend([0, text.len()]);
        places.sort_unstable();
        let tokens: Vec<Token> = places
            .windows(2)
            .map(|pair| Token { chosen: Choice { bytes: text.as_bytes()[pair[0]..pair[1]].to_vec(), logprob: -0.01 }, top: vec![] })
            .collect();
        let odds = of(Some(&weigh()), Some(&text), &tokens);
        let found: Vec<&String> = odds[POINTER].keys().collect();
        proptest::prop_assert_eq!(found, vec![&word]);
        let range = value(&text, POINTER).unwrap();
        proptest::prop_assert_eq!(&text[range.clone()], word.as_str());
        proptest::prop_assert!(text[..range.start].ends_with("\"verdict\":\""));
    }
}
