//! The rules of the architecture, as tests: ranks, purity, sizes, names, comments, and the tree in the documents.
//!
//! `violations` is a pure function of paths and texts, so the last tests can show that each rule really bites.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::path::Path;

/// Who may import whom: a module imports only from modules of a smaller rank.
const RANKS: &[(&str, u32)] = &[
    ("ids", 0),
    ("units", 0),
    ("display", 0),
    ("diag", 1),
    ("net", 2),
    ("transcript", 2),
    ("stats", 2),
    ("llm", 3),
    ("mcp", 3),
    ("auth", 4),
    ("surface", 4),
    ("score", 5),
    ("suite", 6),
    ("import", 7),
    ("plan", 7),
    ("drive", 8),
    ("store", 9),
    ("generate", 9),
    ("gate", 10),
    ("report", 11),
    ("run", 12),
    ("view", 12),
    ("demo", 13),
    ("cli", 14),
];

/// Paths below `src/` that touch no file, network, clock, environment, runtime or terminal.
const PURE: &[&str] = &[
    "ids.rs",
    "units.rs",
    "display.rs",
    "diag/",
    "stats/",
    "surface/",
    "score/checks/",
    "score/judge/prompt.rs",
    "score/judge/reply.rs",
    "score/judge/criterion.rs",
    "score/judge/lines.rs",
    "score/judge/phrases.rs",
    "score/judge/panel.rs",
    "score/judge/ruling.rs",
    "score/judge/frozen.rs",
    "score/judge/mutation.rs",
    "score/judge/labels.rs",
    "score/judge/calibration.rs",
    "score/judge/bridge.rs",
    "suite/",
    "import/",
    "plan/",
    "drive/offer.rs",
    "drive/offer/",
    "drive/fit.rs",
    "drive/fit/",
    "mcp/example.rs",
    "generate/append.rs",
    "generate/compose.rs",
    "generate/configs.rs",
    "generate/draft.rs",
    "generate/effect.rs",
    "generate/facts.rs",
    "generate/fill.rs",
    "generate/harvest.rs",
    "generate/naming.rs",
    "generate/rules.rs",
    "generate/target.rs",
    "generate/told.rs",
    "generate/words.rs",
    "drive/offer/",
    "store/record.rs",
    "gate/",
    "report/",
];

/// The exceptions inside a pure folder: the one file that reads.
const IMPURE: &[&str] = &["suite/read.rs"];

/// What pure code may not name.
const IMPURITIES: &[&str] = &[
    "std::fs",
    "std::env::",
    "std::net",
    "std::process",
    "std::io::stdout",
    "std::io::stderr",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "tokio::",
    "reqwest",
    "rusqlite",
    "println!",
    "eprintln!",
    "uuid::",
];

/// Only these may name the crate on the right, so that replacing it is a change in one place.
const OWNERS: &[(&str, &[&str])] = &[
    ("serde_saphyr", &["suite/yaml.rs"]),
    ("serde_yaml", &["suite/"]),
    ("async_openai", &["llm/openai"]),
    ("rusqlite", &["store/"]),
    ("comfy_table", &["report/", "cli/"]),
    ("indicatif", &["cli/"]),
    ("clap", &["cli/"]),
    ("rmcp", &["demo/"]),
    ("quick_junit", &["report/junit"]),
    ("quick_xml", &["import/mcp_builder.rs"]),
    ("jsonwebtoken", &["auth/", "demo/"]),
    ("aws_lc_rs", &["auth/", "demo/"]),
];

const LONGEST: usize = 500;

struct Source {
    /// Relative to `src/`, with forward slashes.
    path: String,
    text: String,
}

/// The text without its test module and without comments, so that rules see code only.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..end].lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn module(path: &str) -> &str {
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
}

fn rank(module: &str) -> Option<u32> {
    RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

/// Top-level modules named as `crate::NAME` or in `crate::{NAME, ...}`.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => word.clear(),
                    c if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
                    _ => {}
                }
                if depth == 0 && rank(&word).is_some() {
                    found.push(word.clone());
                }
            }
        } else {
            found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found.sort();
    found.dedup();
    found
}

fn violations(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for Source { path, text } in sources {
        let code = code(text);
        if !text.starts_with("//!") {
            broken.push(format!("{path}: does not begin with a module comment"));
        }
        if text.lines().count() > LONGEST {
            broken.push(format!("{path}: longer than {LONGEST} lines"));
        }
        if path.split('/').any(|part| {
            ["utils", "util", "helpers", "helper", "common", "misc", "imp", "core"]
                .contains(&part.trim_end_matches(".rs"))
        }) {
            broken.push(format!("{path}: the name says nothing"));
        }
        let own = module(path);
        if let Some(own_rank) = rank(own) {
            for name in imports(&code) {
                if name != own && rank(&name).is_some_and(|rank| rank >= own_rank) {
                    broken.push(format!("{path}: `{own}` may not import `{name}`"));
                }
            }
        } else if !["lib", "main"].contains(&own) {
            broken.push(format!("{path}: `{own}` has no rank"));
        }
        if PURE.iter().any(|pure| path.starts_with(pure)) && !IMPURE.contains(&path.as_str()) {
            for word in IMPURITIES.iter().filter(|word| code.contains(**word)) {
                broken.push(format!("{path}: pure code names `{word}`"));
            }
        }
        for (name, owners) in OWNERS {
            if code.contains(&format!("{name}::")) && !owners.iter().any(|owner| path.starts_with(owner)) {
                broken.push(format!("{path}: `{name}` belongs to {}", owners.join(", ")));
            }
        }
        if !path.starts_with("cli/")
            && ["println!(", "eprintln!(", "print!(", "eprint!("].iter().any(|p| code.contains(p))
        {
            broken.push(format!("{path}: only cli prints"));
        }
    }
    broken
}

fn tree() -> Vec<Source> {
    fn walk(dir: &Path, root: &Path, out: &mut Vec<Source>) {
        let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, root, out);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                out.push(Source { path: name, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut out = Vec::new();
    walk(&root, &root, &mut out);
    out
}

#[test]
fn the_tree_keeps_the_rules() {
    let broken = violations(&tree());
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn files_stay_small() {
    let mut sizes: Vec<usize> = tree().iter().map(|source| code(&source.text).lines().count()).collect();
    sizes.sort_unstable();
    let median = sizes[sizes.len() / 2];
    assert!(median < 150, "the median file has {median} lines of code");
}

#[test]
fn the_document_lists_the_tree() {
    let document =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md")).unwrap();
    let missing: Vec<_> = tree()
        .into_iter()
        .map(|source| source.path)
        .filter(|path| {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let shown = if folder.is_empty() { path.clone() } else { format!("{folder}/") };
            !document.contains(&format!("`{shown}`")) && !document.contains(&format!("`{path}`"))
        })
        .collect();
    assert!(missing.is_empty(), "docs/ARCHITECTURE.md does not mention: {missing:?}");
    let named = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let gone: Vec<_> = named.filter(|path| !root.join(path).exists()).collect();
    assert!(gone.is_empty(), "docs/ARCHITECTURE.md mentions what is not there: {gone:?}");
}

fn one(path: &str, text: &str) -> Vec<String> {
    violations(&[Source { path: path.to_owned(), text: text.to_owned() }])
}

#[test]
fn a_broken_rank_is_seen() {
    assert_eq!(
        one("plan/expand.rs", "//! x\nuse crate::drive::World;\n"),
        ["plan/expand.rs: `plan` may not import `drive`"]
    );
    assert_eq!(
        one("llm/mod.rs", "//! x\nuse crate::{ids::Digest, mcp::Target};\n"),
        ["llm/mod.rs: `llm` may not import `mcp`"]
    );
    assert_eq!(one("plan/expand.rs", "//! x\nfn f() { crate::store::record::f(); }\n").len(), 1);
    assert_eq!(
        one("score/mod.rs", "//! x\nuse crate::transcript::View;\nuse crate::ids::CaseKey;\n"),
        [] as [String; 0]
    );
}

#[test]
fn impurity_is_seen() {
    assert_eq!(
        one("gate/mod.rs", "//! x\nfn f() { std::fs::read(\"x\"); }\n"),
        ["gate/mod.rs: pure code names `std::fs`"]
    );
    assert_eq!(one("plan/mod.rs", "//! x\nfn f() { println!(\"x\"); }\n").len(), 2);
    assert_eq!(one("suite/read.rs", "//! x\nfn f() { std::fs::read(\"x\"); }\n"), [] as [String; 0]);
    assert_eq!(
        one("gate/mod.rs", "//! x\n// std::fs is not for us\n#[cfg(test)]\nmod tests { use std::fs; }\n"),
        [] as [String; 0]
    );
}

#[test]
fn long_nameless_and_silent_files_are_seen() {
    assert_eq!(
        one("plan/long.rs", &format!("//! x\n{}", "\n".repeat(LONGEST))),
        ["plan/long.rs: longer than 500 lines"]
    );
    assert_eq!(one("plan/utils.rs", "//! x\n"), ["plan/utils.rs: the name says nothing"]);
    assert_eq!(one("plan/x.rs", "fn f() {}\n"), ["plan/x.rs: does not begin with a module comment"]);
    assert_eq!(one("extra/mod.rs", "//! x\n"), ["extra/mod.rs: `extra` has no rank"]);
    assert_eq!(one("mcp/x.rs", "//! x\nuse rmcp::Peer;\n"), ["mcp/x.rs: `rmcp` belongs to demo/"]);
}
