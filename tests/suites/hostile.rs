//! Hostile files: each gives one clear error, soon.

use super::*;

/// One error with a place, within a second, whatever the bytes are.
fn refused(bytes: impl AsRef<[u8]>) -> String {
    refused_within(bytes, Duration::from_secs(1))
}

fn refused_within(bytes: impl AsRef<[u8]>, limit: Duration) -> String {
    let place = Place::new().with("suites/h.yaml", bytes);
    let began = Instant::now();
    let loaded = place.load("suites/h.yaml");
    let took = began.elapsed();
    assert!(took < limit, "took {took:?}: {}", shown(&loaded));
    assert!(loaded.suite.is_none());
    assert_eq!(loaded.diagnostics.len(), 1, "{}", shown(&loaded));
    let text = shown(&loaded);
    assert!(text.len() < 2_000, "{text}");
    text
}

fn code(text: &str) -> &str {
    text.split_once("[").and_then(|(_, rest)| rest.split_once(']')).map_or("", |(code, _)| code)
}

#[test]
fn alias_bombs() {
    for levels in [9, 30] {
        let mut bomb = String::from("version: 1\ndescription: x\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..levels {
            let before = level - 1;
            let list = vec![format!("*a{before}"); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        // Where any value is allowed, so that it would be built.
        let script = bomb.replace('\n', "\n      ");
        let text = format!(
            "version: 1\ntarget: {{url: 'http://127.0.0.1:9'}}\ncases:\n  - id: a\n    prompt: x\n    script:\n      {script}\n"
        );
        let shown = refused(text);
        assert_eq!(code(&shown), "suite.too-complex", "{shown}");
    }
}

#[test]
fn depth() {
    assert_eq!(code(&refused("[".repeat(100 << 10))), "suite.too-complex");
    let nested = format!("version: 1\ncases: {}{}", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(code(&refused(nested)), "suite.too-complex");
    let maps = format!("version: 1\ncases: [{{script: {}1{}}}]", "{a: ".repeat(20_000), "}".repeat(20_000));
    assert_eq!(code(&refused(maps)), "suite.too-complex");
    let mut blocks = String::from("version: 1\ncases:\n");
    for level in 0..1_000 {
        blocks.push_str(&format!("{}a:\n", " ".repeat(level + 1)));
    }
    assert_ne!(code(&refused(blocks)), "");
}

#[test]
fn size() {
    insta::assert_snapshot!(refused("# comment\n".repeat(1 << 20)));
    let values = format!("version: 1\nenv: [{}]\n", "x, ".repeat(400_000));
    // Values are counted one by one: half a second of a debug build, and more where other tests run beside it.
    let limit = Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 1 });
    assert_eq!(code(&refused_within(values, limit)), "suite.too-complex");
    let long = format!("version: 1\nnot_a_key: {}\n", "x".repeat(3 << 20));
    assert_eq!(code(&refused(long)), "suite.unknown-key");
}

#[test]
fn mistakes_by_the_thousand() {
    let names: Vec<String> = (0..20_000).map(|n| format!("nobody-{n}")).collect();
    let text = format!("version: 1\npersonas: [{}]\n", names.join(", "));
    let place = Place::new().with("suites/h.yaml", text);
    let began = Instant::now();
    let loaded = place.load("suites/h.yaml");
    let took = began.elapsed();
    // Each mistake compared with each would take a debug build half a minute.
    assert!(took < Duration::from_secs(5), "took {took:?}");
    assert!(loaded.diagnostics.len() >= names.len(), "each is said: {}", loaded.diagnostics.len());
}

#[test]
fn bytes_that_are_no_text() {
    insta::assert_snapshot!(refused(b"version: 1\nname: caf\xe9\n"));
    insta::assert_snapshot!(refused("version: 1\nname: a\0b\n"));
    assert_eq!(code(&refused([0xff, 0xfe, b'v', 0, b'e', 0])), "suite.not-utf8");
    assert_ne!(code(&refused("")), "");
}

#[test]
fn broken_yaml() {
    let cases = [
        "version: 1\nname: a\nname: b\n",
        "version: 1\ncases: &a [*a]\n",
        "version: 1\ncases:\n\t- id: a\n",
        "version: 1\nname: \"open\n",
        "version: 1\nname: *nowhere\n",
        "version: 1\n---\nversion: 1\n",
        "version: 1\nname: a: b\n",
        "version: 1\nname: !secret b\n",
        "- version: 1\n",
        "",
    ];
    let shown: Vec<String> = cases.iter().map(refused).collect();
    insta::assert_snapshot!(shown.join("\n"));
}
