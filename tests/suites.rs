//! Suites from text to value: what good files mean, how every kind of mistake reads, and what hostile files cost.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rehearsal::auth::checks::{AuthCheck, TABLE};
use rehearsal::diag::render::render;
use rehearsal::diag::{Diagnostic, Severity};
use rehearsal::ids::ModelName;
use rehearsal::mcp::Isolation;
use rehearsal::suite::catalog::{AuthPack, Catalog, Instrument, Kind};
use rehearsal::suite::{Loaded, Project, Request, Suite, TargetSource, Template, Transport, schema};
use tempfile::TempDir;

#[path = "suites/answers.rs"]
mod answers;
#[path = "suites/hostile.rs"]
mod hostile;
#[path = "suites/issuer_key.rs"]
mod issuer_key;
#[path = "suites/reach.rs"]
mod reach;
#[path = "suites/references.rs"]
mod references;

/// A throw-away project.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn with(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn project(&self) -> Project {
        Project::new(self.dir.path().to_owned())
    }

    fn load(&self, path: &str) -> Loaded {
        self.load_with(path, &[])
    }

    fn load_with(&self, path: &str, models: &[&str]) -> Loaded {
        let models = models.iter().map(|name| ModelName::from(*name)).collect();
        self.project().load(&self.dir.path().join(path), &Request { models, ..Request::default() })
    }
}

fn shown(loaded: &Loaded) -> String {
    let sources = |file: &str| loaded.sources.get(file).map(ToString::to_string);
    loaded.diagnostics.iter().map(|diagnostic| render(diagnostic, &sources)).collect::<Vec<_>>().join("\n")
}

fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

fn good(loaded: Loaded) -> Suite {
    let text = shown(&loaded);
    assert_eq!(text, "");
    loaded.suite.expect("no diagnostics and no suite")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

const HEAD: &str = "version: 1\ntarget: {url: 'http://127.0.0.1:9/mcp'}\n";
const SMALL: &str = "models: [lexical]\ncases: [{id: a, prompt: Hello, expect: [{answer_contains: x}]}]\n";

fn small() -> String {
    format!("{HEAD}{SMALL}")
}

/// Every mistake has a place, an excerpt and a remedy; nothing loads.
#[test]
fn every_mistake_is_explained() {
    let folder = root().join("tests/fixtures/suites/bad");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 40, "{}", files.len());
    let mut all = BTreeSet::new();
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let file = format!("suites/{name}.yaml");
        let place = Place::new().with(&file, fs::read(&path).unwrap());
        let loaded = place.load(&file);
        assert!(!loaded.diagnostics.is_empty(), "{name} loads without a word");
        let failed = loaded.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        assert_eq!(loaded.suite.is_none(), failed, "{name}");
        for diagnostic in &loaded.diagnostics {
            style(&name, diagnostic);
            all.insert(diagnostic.code);
        }
        insta::assert_snapshot!(name, shown(&loaded));
    }
    assert!(all.len() >= 20, "{all:?}");
}

fn style(name: &str, diagnostic: &Diagnostic) {
    let message = &diagnostic.message;
    assert!(!message.ends_with('.'), "{name}: {message}");
    assert!(!message.starts_with(char::is_uppercase), "{name}: {message}");
    assert!(diagnostic.at.is_some(), "{name}: `{message}` has no place");
    assert!(!message.contains("serde") && !message.contains("line "), "{name}: {message}");
}

#[test]
fn a_suite_means_what_it_says() {
    let text = r#"
version: 1
description: All keys.
env: [SHOP_KEY]
target:
  command: [rehearsal, demo-server, --transport, http]
  transport: http
  isolation: run
  env: {KEY: "${SHOP_KEY}", ISSUER: "${issuer.url}"}
  headers: {X-Key: "${SHOP_KEY}"}
  ready: {timeout: 5s}
auth: {issuer: embedded}
personas:
  - customer
  - {name: boss, identity: {minted: {scopes: [all]}}}
clients: [reference, {name: narrow, wire: {client_info: {name: narrow, version: "1"}}, menu: {limit: 3}}]
models: [lexical, scripted]
judge: {model: scripted-judge}
trials: 4
defaults: {persona: customer, limits: {turns: 5, cost: 0.5}, tags: [all]}
setup: [{tool: {name: reset, persona: boss}}]
cases:
  - id: one
    prompt: &words Hello
    tags: [b, a]
    model: lexical
    trials: 2
    limits: {turns: 7}
    expect: [{tool_called: {name: x, args: {id: 1}}}, {answer_contains: y}]
    setup: [{tool: {name: own, args: {n: 1}}}]
    expected_failure: {reason: "known, see the tracker", models: [lexical]}
  - id: two
    turns: [{user: *words}, {user: Bye}]
    personas: [boss, customer]
    clients: [narrow]
    script: [{say: Good day}]
    criteria: [{must: Greets., scripted: Good}, {info: Says bye.}]
    verify: [{tool: {name: count}, path: $.n, equals: 3}]
access:
  customer: {sees: [x], calls: {x: {id: 1}}, never: [refund]}
gate: {margin: 3pt, mode: release}
"#;
    let place = Place::new().with("suites/all-keys.yaml", text);
    let suite = good(place.load("suites/all-keys.yaml"));
    assert_eq!(suite.name.as_str(), "all-keys");
    assert_eq!(&*suite.file, "suites/all-keys.yaml");
    assert_eq!(suite.target.transport, Transport::Http);
    assert_eq!(suite.target.isolation, Isolation::Run);
    assert_eq!(suite.target.path, "/mcp");
    assert_eq!(suite.target.env["KEY"], Template("${SHOP_KEY}".to_owned()));
    let [one, two] = &suite.cases[..] else { panic!("two cases") };
    assert_eq!(one.id.origin.to_string(), "suites/all-keys.yaml:23:9");
    assert_eq!(one.expect[1].origin.to_string(), "suites/all-keys.yaml:29:55");
    assert_eq!(one.tags, ["a", "all", "b"]);
    assert_eq!((one.limits.turns, one.limits.tool_calls, one.limits.cost), (7, 20, Some(0.5)));
    assert_eq!(
        one.personas.iter().map(rehearsal::ids::PersonaName::as_str).collect::<Vec<_>>(),
        ["customer"]
    );
    assert_eq!(one.clients.len(), 2);
    assert!(one.models_named && !two.models_named);
    assert_eq!((one.trials, two.trials), (2, 4));
    let steps: Vec<String> =
        one.setup.iter().map(|step| serde_json::to_string(&step.value).unwrap()).collect();
    insta::assert_snapshot!(steps.join("\n"), @r#"
    {"tool":{"name":"reset","args":{},"persona":"boss"}}
    {"tool":{"name":"own","args":{"n":1},"persona":null}}
    "#);
    assert_eq!(two.turns.len(), 2);
    assert_eq!(two.models.len(), 2);
    let script = suite.judge.as_ref().unwrap().value.model.script.clone().unwrap();
    insta::assert_snapshot!(script, @r#"[{"statement":"Greets.","matches":"Good"}]"#);
    let used: Vec<String> =
        suite.instruments.iter().map(|used| format!("{} {} {}", used.kind, used.name, used.from)).collect();
    insta::assert_snapshot!(used.join("\n"), @r"
    client narrow inline
    client reference embedded
    model lexical embedded
    model scripted embedded
    model scripted-judge embedded
    persona boss inline
    persona customer embedded
    rubric answers-question embedded
    ");
    assert_eq!(suite.sources[&suite.file].as_ref(), text);
}

#[test]
fn defaults_are_the_documented_ones() {
    let place = Place::new().with("suites/small.yaml", small());
    let suite = good(place.load("suites/small.yaml"));
    assert_eq!(suite.personas[0].value.name.as_str(), "anonymous");
    assert_eq!(suite.clients[0].value.name.as_str(), "reference");
    assert_eq!((suite.trials, suite.target.protocol), (1, rehearsal::mcp::revision::Choice::Auto));
    assert_eq!(suite.target.source, TargetSource::Url(Template("http://127.0.0.1:9/mcp".to_owned())));
    assert!(suite.judge.is_none() && suite.auth_checks.is_empty());
}

#[test]
fn merge_keys_and_anchors_work() {
    let text = format!(
        "{HEAD}models: [lexical]\ncases:\n  - &first {{id: a, prompt: Hello, expect: [{{answer_contains: x}}]}}\n  - {{<<: *first, id: b, prompt: Bye}}\n"
    );
    let suite = good(Place::new().with("suites/m.yaml", text).load("suites/m.yaml"));
    assert_eq!(suite.cases[1].id.value.as_str(), "b");
    assert_eq!(suite.cases[1].expect.len(), 1);
}

#[test]
fn models_of_the_command_line_join_or_replace() {
    let named = "models: [lexical]\ncases:\n  - {id: a, prompt: Hello, script: [{say: x}], expect: [{answer_contains: x}]}\n  - {id: b, prompt: Bye, model: lexical, expect: [{answer_contains: x}]}\n";
    let place = Place::new().with("suites/m.yaml", format!("{HEAD}{named}"));
    let names = |suite: &Suite, case: usize| -> Vec<String> {
        suite.cases[case].models.iter().map(ToString::to_string).collect()
    };
    let same = good(place.load_with("suites/m.yaml", &["lexical"]));
    assert_eq!((names(&same, 0), same.models.len()), (vec!["lexical".to_owned()], 1));
    let other = good(place.load_with("suites/m.yaml", &["scripted", "openai:gpt-x"]));
    assert_eq!(names(&other, 0), ["scripted", "openai:gpt-x"]);
    assert_eq!(names(&other, 1), ["lexical"], "a case that names its models keeps them");
    assert_eq!(other.models.len(), 3);
    let unknown = place.load_with("suites/m.yaml", &["lexicle"]);
    insta::assert_snapshot!(shown(&unknown), @r"
    error[suite.unknown-name]: unknown model `lexicle`
      hint: did you mean `lexical`?
      hint: definitions stand in evals/models/NAME.yaml
    ");
    let bare =
        Place::new().with("suites/m.yaml", format!("{HEAD}{}", SMALL.replace("models: [lexical]\n", "")));
    assert_eq!(codes(&bare.load("suites/m.yaml")), ["suite.no-model"]);
    good(bare.load_with("suites/m.yaml", &["lexical"]));
}

#[test]
fn the_project_overlays_what_is_embedded() {
    let place = Place::new()
        .with("evals/models/lexical.yaml", "dialect: lexical\nseed: 7\n")
        .with("evals/models/broken.yaml", "dialect: [")
        .with("suites/s.yaml", small());
    let suite = good(place.load("suites/s.yaml"));
    assert_eq!(suite.models[0].value.seed, Some(7));
    let used = suite.instruments.iter().find(|used| used.name == "lexical").unwrap();
    assert_eq!(used.from, "evals/models/lexical.yaml");
    assert!(suite.sources.contains_key("evals/models/lexical.yaml"));

    let place = place.with("suites/s.yaml", small().replace("lexical", "broken"));
    insta::assert_snapshot!(shown(&place.load("suites/s.yaml")));
}

#[test]
fn an_instrument_is_called_like_its_file() {
    let place = Place::new()
        .with("evals/models/mine.yaml", "name: yours\ndialect: lexical\n")
        .with("suites/s.yaml", small().replace("lexical", "mine"));
    insta::assert_snapshot!(shown(&place.load("suites/s.yaml")));
}

#[test]
fn every_embedded_instrument_is_the_file_in_the_folder_and_reads() {
    let catalog = Catalog::embedded();
    let mut count = 0;
    for kind in Kind::ALL {
        let mut on_disk: Vec<String> = fs::read_dir(root().join("evals").join(kind.folder()))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        on_disk.sort();
        assert_eq!(
            catalog.names(kind).collect::<Vec<_>>(),
            on_disk,
            "{kind:?}: src/suite/builtin.rs lists others"
        );
        count += on_disk.len();
        for name in &on_disk {
            match kind {
                Kind::Model => reads::<rehearsal::llm::ModelSpec>(&catalog, name),
                Kind::Persona => reads::<rehearsal::auth::Persona>(&catalog, name),
                Kind::Client => reads::<rehearsal::mcp::ClientProfile>(&catalog, name),
                Kind::Rubric => reads::<rehearsal::score::judge::Rubric>(&catalog, name),
                Kind::Auth => reads::<AuthPack>(&catalog, name),
            }
        }
    }
    assert!(count >= 11, "{count}");
}

fn reads<T: Instrument>(catalog: &Catalog, name: &str) {
    let found = catalog.find::<T>(name).unwrap().unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let (file, text) = catalog.text(T::KIND, name).unwrap();
    assert_eq!(fs::read_to_string(root().join(&*file)).unwrap(), text.as_ref());
    assert_eq!(found.definition.name(), name);
}

#[test]
fn the_schema_for_editors_is_the_one_of_the_types() {
    let path = root().join("docs/suite.schema.json");
    let current = schema::text();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &current).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == current, "docs/suite.schema.json is stale; run the test once with UPDATE_SCHEMA=1");
}

#[test]
fn the_schema_accepts_good_suites_and_refuses_misspelt_ones() {
    let schema: serde_json::Value = rehearsal::suite::schema::suite_schema().into();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let value = |text: &str| serde_yaml::from_str::<serde_json::Value>(text).unwrap();
    let demo = value(&fs::read_to_string(root().join("suites/bookshop.yaml")).unwrap());
    let errors: Vec<String> = validator.iter_errors(&demo).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(validator.is_valid(&value(&small())));
    assert!(!validator.is_valid(&value(&small().replace("models", "modles"))));
    assert!(!validator.is_valid(&value(&small().replace("answer_contains", "answer_contain"))));
}

#[test]
fn a_suite_of_three_thousand_cases_loads() {
    let mut text = format!("{HEAD}models: [lexical]\ncases:\n");
    for number in 0..3_000 {
        text.push_str(&format!(
            "  - id: case-{number}\n    prompt: Where is my order {number}?\n    tags: [orders, smoke]\n    expect:\n      - tool_called: {{name: get_order, args: {{id: {number}}}}}\n      - answer_contains: arrived\n      - tool_not_called: cancel_order\n"
        ));
    }
    let place = Place::new().with("suites/big.yaml", text);
    assert_eq!(good(place.load("suites/big.yaml")).cases.len(), 3_000);
}

#[test]
fn the_packs_name_checks_that_exist() {
    let catalog = Catalog::embedded();
    let pack = |name: &str| -> Vec<String> {
        let pack = catalog.find::<AuthPack>(name).unwrap().unwrap().definition;
        pack.checks.into_iter().map(|id| id.value).collect()
    };
    let known = rehearsal::auth::checks::ids();
    assert_eq!(pack("full"), known, "evals/auth/full.yaml lists every check");
    for name in [
        "standard",
        "strict",
        "isolation",
        "leak",
        "no-trust-change",
        "embedded-server",
        "stdio",
        "untrusted",
    ] {
        let ids = pack(name);
        assert!(ids.iter().all(|id| known.contains(&id.as_str())), "{ids:?}");
        assert!(ids.is_sorted(), "{ids:?}");
    }
    assert!(pack("standard").len() >= 20);
    // Whatever asks for no token of the embedded issuer; what the server itself issues and standard streams are apart.
    let needs_no_trust = |check: &&AuthCheck| {
        let group = check.id.as_bytes()[0];
        group <= b'I' && check.needs.iter().all(|need| ["-", "any", "P2"].contains(&need.spoof()))
    };
    let wanted: Vec<&str> = TABLE.iter().filter(needs_no_trust).map(|check| check.id).collect();
    assert_eq!(pack("no-trust-change"), wanted);
}
