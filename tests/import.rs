//! Suites of other tools: what is written of them passes `check`, every part of them is in the report, secrets are not
//! copied, and the mapping tables of the documentation are those of the program.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rehearsal::import::{self, Draft, FORMATS, Fate, Mapped, Rule, Source};
use serde_json::Value;

#[path = "support/ran.rs"]
mod ran;

use ran::{json_of, rehearsal};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn fixtures() -> PathBuf {
    root().join("tests/fixtures/import")
}

/// What is imported together: the folder of the format, and the files.
const IMPORTS: &[(&str, &[&str])] = &[
    ("promptfoo", &["shop.yaml"]),
    ("promptfoo", &["assertions.yaml"]),
    ("promptfoo", &["tests.jsonl"]),
    ("promptfoo", &["with-csv.yaml"]),
    ("mcpjam", &["suite-v1.json"]),
    ("mcpjam", &["suite-v2.yaml"]),
    ("mcpjam", &["tests.json"]),
    ("mcpchecker", &["eval.yaml", "tasks/create-pod.yaml", "tasks/http.yaml"]),
    ("mcpchecker", &["tasks/http.yaml"]),
    ("mcpchecker", &["legacy.yaml"]),
    ("mcp-builder", &["evaluation.xml"]),
    ("mcp-builder", &["cdata.xml"]),
    ("mcp-builder", &["gaps.xml"]),
    ("openai-evals", &["samples.jsonl"]),
    ("openai-evals", &["messages.jsonl"]),
    ("openai-evals", &["broken.jsonl"]),
    ("csv", &["cases.csv"]),
    ("csv", &["expected.csv"]),
    ("csv", &["semicolons.csv"]),
    ("claude-code", &["session.jsonl"]),
    ("claude-code", &["parts.jsonl"]),
];

/// A project with the fixtures of a format.
fn project(format: &str) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().flatten() {
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).map(|_| ()).unwrap();
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    copy(&fixtures().join(format), dir.path());
    dir
}

fn stem(files: &[&str]) -> String {
    files[0].replace(['/', '.'], "-")
}

/// A draft read without the program, with the files of its folder beside it.
fn draft(format: &str, files: &[&str]) -> Draft {
    let folder = fixtures().join(format);
    let open = |file: &str| Source::new(file, &fs::read(folder.join(file)).ok()?).ok();
    let sources: Vec<Source> = files.iter().map(|file| open(file).unwrap()).collect();
    let (found, _) = import::detect(&sources).unwrap();
    assert_eq!(found.name, format, "{files:?}");
    import::read(found, &sources, &|from, name| {
        open(&Path::new(&*from.file).with_file_name(name).to_string_lossy())
    })
    .unwrap()
}

fn parts(draft: &Draft) -> impl Iterator<Item = &Mapped> {
    draft.parts.iter().chain(draft.cases.iter().flat_map(|case| &case.parts))
}

#[test]
fn what_is_written_passes_check() {
    for (format, files) in IMPORTS {
        let dir = project(format);
        let out = format!("suites/{}.yaml", stem(files));
        let mut args = vec!["import", "--out", &out, "-v"];
        args.extend(*files);
        let ran = rehearsal(dir.path(), &args);
        assert_eq!(ran.code, Some(0), "{files:?}\n{}\n{}", ran.stdout, ran.stderr);
        let check = rehearsal(dir.path(), &["check", &out]);
        assert_eq!(
            check.code,
            Some(0),
            "{files:?}\n{}\n{}",
            check.stderr,
            fs::read_to_string(dir.path().join(&out)).unwrap()
        );
        assert!(!check.stderr.contains("error["), "{}", check.stderr);
        let suite = fs::read_to_string(dir.path().join(&out)).unwrap();
        let name = format!("{format}-{}", stem(files));
        insta::assert_snapshot!(format!("{name}-suite"), suite);
        insta::assert_snapshot!(format!("{name}-report"), ran.stdout);
    }
}

/// Every place of an assertion in a promptfoo configuration.
fn assertions(node: &serde_yaml_places::Node, inside: bool, out: &mut BTreeSet<(u32, u32)>) {
    use serde_yaml_places::Node;
    match node {
        Node::Map(entries) => {
            for (key, value) in entries {
                assertions(&value.1, key == "assert", out);
            }
        }
        Node::List(items) => {
            for (at, item) in items {
                if inside {
                    out.insert(*at);
                }
                assertions(item, false, out);
            }
        }
        Node::Scalar => {}
    }
}

/// A second reader of YAML with places, so that the test does not ask the code under test where things are.
mod serde_yaml_places {
    use std::sync::Arc;

    use rehearsal::suite::tree::Tree;
    use rehearsal::suite::yaml::{self, At};

    pub(crate) enum Node {
        Scalar,
        List(Vec<Placed>),
        Map(Vec<(String, Placed)>),
    }

    /// A node with its line and column.
    pub(crate) type Placed = ((u32, u32), Node);

    fn of(tree: &At<Tree>, file: &Arc<str>) -> Placed {
        let at = tree.origin(file);
        let node = match &tree.value {
            Tree::Scalar(_) => Node::Scalar,
            Tree::List(items) => Node::List(items.iter().map(|item| of(item, file)).collect()),
            Tree::Map(map) => {
                Node::Map(map.iter().map(|(key, value)| (key.clone(), of(value, file))).collect())
            }
        };
        ((at.line, at.column), node)
    }

    pub(crate) fn read(text: &str) -> Node {
        let file: Arc<str> = "x".into();
        of(&yaml::from_text::<At<Tree>>(&file, text).unwrap(), &file).1
    }
}

#[test]
fn every_assertion_of_promptfoo_is_in_the_report_once() {
    for file in ["shop.yaml", "assertions.yaml"] {
        let text = fs::read_to_string(fixtures().join("promptfoo").join(file)).unwrap();
        let mut wanted = BTreeSet::new();
        assertions(&serde_yaml_places::read(&text), false, &mut wanted);
        assert!(wanted.len() > 10, "{file}");
        let draft = draft("promptfoo", &[file]);
        let mut found = BTreeSet::new();
        for case in &draft.cases {
            let mut own = BTreeSet::new();
            for part in &case.parts {
                let at = (part.at.line, part.at.column);
                if wanted.contains(&at) {
                    assert!(own.insert(at), "{file}: {part:?} twice in {}", case.id);
                }
            }
            found.extend(own);
        }
        assert_eq!(found, wanted, "{file}");
    }
}

#[test]
fn every_rule_of_mcpjam_is_in_the_report_once() {
    for file in ["suite-v1.json", "suite-v2.yaml"] {
        let text = fs::read_to_string(fixtures().join("mcpjam").join(file)).unwrap();
        let known: Vec<&str> = FORMATS
            .iter()
            .find(|format| format.name == "mcpjam")
            .unwrap()
            .rules
            .iter()
            .map(|rule| rule.kind)
            .collect();
        // Rules are what has a `type`, and what a step of kind assert holds.
        let written = text.matches("\"type\":").count()
            + text.matches("{type:").count()
            + text.matches("\"kind\": \"textVisible\"").count();
        let draft = draft("mcpjam", &[file]);
        let predicate = |kind: &str| {
            known.contains(&kind)
                && kind.starts_with(char::is_lowercase)
                && kind.chars().any(char::is_uppercase)
        };
        let ours =
            ["defaults.passThreshold", "toolCall", "isNegativeTest", "expectedOutput", "expectedToolCalls"];
        let told = parts(&draft)
            .filter(|part| {
                (predicate(&part.kind) && !ours.contains(&part.kind.as_str()))
                    || part.kind.starts_with("widget")
            })
            .count();
        assert_eq!(told, written, "{file}: {:#?}", parts(&draft).map(|part| &part.kind).collect::<Vec<_>>());
    }
}

#[test]
fn every_row_line_pair_and_call_is_in_the_report() {
    for (format, files, kinds, wanted) in [
        ("mcp-builder", "evaluation.xml", vec!["question", "answer"], 8),
        ("openai-evals", "samples.jsonl", vec!["input", "ideal"], 6),
        ("csv", "cases.csv", vec!["prompt", "expected", "tools", "arguments"], 8),
        ("claude-code", "session.jsonl", vec!["prompt"], 4),
        ("claude-code", "session.jsonl", vec!["mcp_call", "tool"], 6),
    ] {
        let draft = draft(format, &[files]);
        let told = parts(&draft).filter(|part| kinds.contains(&part.kind.as_str())).count();
        assert_eq!(told, wanted, "{files}: {kinds:?}");
    }
}

fn rule_of<'a>(rules: &'a [Rule], kind: &str) -> Option<&'a Rule> {
    let kind = kind.strip_prefix("not-").unwrap_or(kind);
    rules.iter().find(|rule| rule.covers(kind))
}

#[test]
fn no_part_becomes_more_than_its_rule_says() {
    for (format, files) in IMPORTS {
        let rules = import::format(format).unwrap().rules;
        let draft = draft(format, files);
        for part in parts(&draft) {
            let rule = rule_of(rules, &part.kind).unwrap_or_else(|| panic!("{format}: no rule for {part:?}"));
            assert!(part.fate >= rule.fate, "{format}: {part:?} is more than {rule:?}");
            assert_eq!(part.why.is_empty(), part.fate == Fate::Exact, "{part:?}");
        }
    }
}

#[test]
fn a_case_that_expects_nothing_is_a_comment() {
    let draft = draft("promptfoo", &["shop.yaml"]);
    let left: Vec<_> = draft.cases.iter().filter(|case| !case.left_out.is_empty()).collect();
    // A latency limit is an expectation of its own, so nothing is left out here.
    assert!(left.is_empty());
    let dir = project("openai-evals");
    let ran = rehearsal(dir.path(), &["import", "broken.jsonl", "--out", "-"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("# - id: no-expectation"), "{}", ran.stdout);
    let suite: Value =
        serde_json::to_value(rehearsal::suite::yaml::from_text::<Value>(&"x".into(), &ran.stdout).unwrap())
            .unwrap();
    assert_eq!(suite["cases"].as_array().unwrap().len(), 1);
}

#[test]
fn a_source_of_which_nothing_is_left_writes_nothing() {
    let dir = project("claude-code");
    let ran = rehearsal(dir.path(), &["import", "files-only.jsonl"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(ran.stderr.contains("import.nothing"), "{}", ran.stderr);
    assert!(ran.stdout.contains("no tool of the server was called"), "{}", ran.stdout);
    assert!(!dir.path().join("suites").exists());
}

#[test]
fn no_secret_is_copied() {
    let secrets = [
        "sk-live-0123456789abcdefghij",
        "hunter2",
        "ghp_abcdefghijklmnopqrstuvwxyz0123",
        "token1234567890",
        "abcdef\"",
        "sk-abcdefghijklmnopqrstuvwx",
    ];
    for (format, files) in IMPORTS {
        let dir = project(format);
        let mut args = vec!["import", "--out", "suites/x.yaml", "--format", "json"];
        args.extend(*files);
        let ran = rehearsal(dir.path(), &args);
        let suite = fs::read_to_string(dir.path().join("suites/x.yaml"))
            .unwrap_or_else(|_| panic!("{files:?}: {}", ran.stderr));
        for secret in secrets {
            for text in [&suite, &ran.stdout, &ran.stderr] {
                assert!(!text.contains(secret), "{files:?}: {secret}\n{text}");
            }
        }
    }
}

#[test]
fn the_report_is_one_document_for_programs() {
    let dir = project("csv");
    let ran = rehearsal(
        dir.path(),
        &[
            "import",
            "cases.csv",
            "--format",
            "json",
            "--target",
            "https://shop.example.com/mcp",
            "-m",
            "lexical",
        ],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let told = json_of(&ran);
    assert_eq!(told["format"], "csv");
    assert_eq!(told["written"], "suites/cases.yaml");
    assert_eq!(told["counts"]["cases"], 2);
    assert_eq!(told["counts"]["left_out"], 1);
    let part = &told["draft"]["cases"][0]["parts"][0];
    assert_eq!((part["at"]["line"].as_u64(), part["fate"].as_str()), (Some(2), Some("exact")));
    assert!(told["suite"].as_str().unwrap().contains("https://shop.example.com/mcp"));
}

#[test]
fn what_is_there_is_not_overwritten_unasked() {
    let dir = project("csv");
    assert_eq!(rehearsal(dir.path(), &["import", "cases.csv"]).code, Some(0));
    let again = rehearsal(dir.path(), &["import", "cases.csv"]);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    assert_eq!(rehearsal(dir.path(), &["import", "cases.csv", "--force"]).code, Some(0));
}

#[test]
fn wrong_input_is_named() {
    let dir = project("csv");
    fs::write(dir.path().join("odd.yaml"), "a: [").unwrap();
    fs::write(dir.path().join("plain.txt"), "hello").unwrap();
    fs::write(dir.path().join("empty.csv"), "").unwrap();
    for (args, words) in [
        (vec!["gone.csv"], "there is no such file"),
        (vec!["."], "it is a folder"),
        (vec!["odd.yaml"], "odd.yaml:1"),
        (vec!["plain.txt"], "no format that can be imported"),
        (vec!["empty.csv"], "no format that can be imported"),
        (vec!["cases.csv", "--from", "excel"], "promptfoo"),
        (vec!["cases.csv", "--target", "a 'b"], "--target"),
        (vec!["cases.csv", "--model", "nobody"], "unknown model"),
        (vec![], "FILES"),
    ] {
        let mut all = vec!["import"];
        all.extend(&args);
        let ran = rehearsal(dir.path(), &all);
        assert_eq!(ran.code, Some(2), "{args:?}\n{}\n{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(words), "{args:?}\n{}", ran.stderr);
    }
    assert!(!dir.path().join("suites").exists());
}

#[test]
fn files_outside_the_project_are_not_read() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.txt"), "What is in the {{x}}?").unwrap();
    let dir = project("csv");
    let prompt = format!(
        "prompts: ['file://{}/secret.txt']\nproviders: [openai:gpt-5]\ntests: [{{vars: {{x: safe}}, assert: [{{type: contains, value: a}}]}}]\n",
        outside.path().display()
    );
    fs::write(dir.path().join("p.yaml"), prompt).unwrap();
    let ran = rehearsal(dir.path(), &["import", "p.yaml", "--out", "-"]);
    assert!(!ran.stdout.contains("What is in"), "{}", ran.stdout);
    assert!(ran.stderr.contains("there is no such file beside"), "{}", ran.stderr);
}

/// The tables of the documentation. `UPDATE_DOCS=1` writes them.
#[test]
fn the_tables_of_the_documentation_are_those_of_the_program() {
    let path = root().join("docs/import.md");
    let text = fs::read_to_string(&path).unwrap();
    let mut tables = String::new();
    for format in FORMATS {
        tables.push_str(&format!(
            "### {}\n\n{}.\n\n| part of the source | | becomes | |\n|---|---|---|---|\n",
            format.name, format.about
        ));
        for rule in format.rules {
            let becomes = if rule.becomes.is_empty() {
                String::new()
            } else {
                format!("`{}`", rule.becomes.replace(", ", "`, `"))
            };
            let note = rule.note.replace('|', "\\|");
            tables.push_str(&format!("| `{}` | {} | {becomes} | {note} |\n", rule.kind, rule.fate.word()));
        }
        tables.push('\n');
    }
    let (start, end) = ("<!-- tables -->\n", "<!-- end of tables -->");
    let (head, rest) = text.split_once(start).unwrap();
    let (found, tail) = rest.split_once(end).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{head}{start}\n{tables}{end}{tail}")).unwrap();
        return;
    }
    assert_eq!(found.trim(), tables.trim(), "run it with UPDATE_DOCS=1");
}
