//! promptfoo: configurations (prompts, providers, tests with assertions) and files of tests alone.

use serde_json::{Value, json};

use super::draft::{Case, Draft, Mapped};
use super::node::Node;
use super::source::{Near, Source};
use super::{Format, csv, target};
use crate::diag::Diagnostic;

pub(super) mod asserts;
mod prompts;
mod rules;
pub(super) mod vars;

use prompts::Prompt;
use vars::Vars;

pub(super) static FORMAT: Format = Format {
    name: "promptfoo",
    about: "promptfoo: a configuration with prompts, providers and tests, or a file of tests",
    detect,
    read,
    rules: rules::RULES,
};

fn detect(source: &Source) -> Option<String> {
    if source.ending() == "jsonl" {
        let first = source.first_line()?;
        return (first.get("vars").is_some() || first.get("assert").is_some())
            .then(|| "its lines have `vars` or `assert`".to_owned());
    }
    if !source.is_document() {
        return None;
    }
    let tree = source.tree().ok()?;
    let asks = ["tests", "scenarios", "defaultTest"].into_iter().find(|key| tree.get(key).is_some());
    let has = ["prompts", "providers", "targets"].into_iter().find(|key| tree.get(key).is_some());
    if let (Some(asks), Some(has)) = (asks, has) {
        return Some(format!("it has `{has}` and `{asks}`"));
    }
    let first = tree.items().first()?;
    (first.get("vars").is_some() || first.get("assert").is_some())
        .then(|| "its items have `vars` or `assert`".to_owned())
}

fn read(sources: &[Source], near: Near<'_>, draft: &mut Draft) -> Result<(), Diagnostic> {
    for source in sources {
        if source.ending() == "jsonl" {
            let mut tests = vec![];
            for (at, line) in source.lines() {
                match line {
                    Ok(test) => tests.push(test),
                    Err(why) => draft.told(Mapped::new("line", &at, "").lost(why)),
                }
            }
            Config::bare(source, near).tests(&tests, draft);
        } else if source.tree()?.is_list() {
            Config::bare(source, near).tests(source.tree()?.items(), draft);
        } else {
            config(source, near, draft)?;
        }
    }
    Ok(())
}

/// What all tests of a file share.
struct Config<'a> {
    source: &'a Source,
    near: Near<'a>,
    prompts: Vec<Prompt>,
    /// `defaultTest`.
    usual: Option<&'a Node>,
    /// `assertionTemplates`.
    templates: Option<&'a Node>,
}

/// Keys of a configuration that are taken apart below.
const KNOWN: &[&str] = &[
    "description",
    "prompts",
    "providers",
    "targets",
    "tests",
    "defaultTest",
    "scenarios",
    "evaluateOptions",
    "assertionTemplates",
    "$schema",
];

fn config<'a>(source: &'a Source, near: Near<'a>, draft: &mut Draft) -> Result<(), Diagnostic> {
    let root = source.tree()?;
    if let Some(title) = root.text_at("description") {
        draft.title = title.to_owned();
    }
    for provider in root.any(&["providers", "targets"]).map_or(&[][..], Node::one_or_many) {
        self::provider(provider, draft);
    }
    if let Some(options) = root.get("evaluateOptions") {
        for (key, value) in options.entries() {
            let part =
                Mapped::new(format!("evaluateOptions.{key}"), &value.at, value.words().unwrap_or_default());
            match (key.as_str(), value.count()) {
                ("repeat", Some(count @ 1..=1000)) => {
                    draft.keys.insert("trials".to_owned(), json!(count));
                    draft.told(part.exact("trials"));
                }
                _ => draft.told(part.lost("how a run is carried out is said on the command line")),
            }
        }
    }
    for (key, value) in root.entries().iter().filter(|(key, _)| !KNOWN.contains(&key.as_str())) {
        draft.told(Mapped::new(key.clone(), &value.at, "").lost("suites have nothing like it"));
    }
    let prompts =
        root.get("prompts").map(|prompts| prompts::read(source, prompts, near, draft)).unwrap_or_default();
    let usual = root.get("defaultTest").filter(|usual| usual.is_map());
    if let Some(odd) = root.get("defaultTest").filter(|usual| !usual.is_map()) {
        draft.told(
            Mapped::new("defaultTest", &odd.at, odd.words().unwrap_or_default())
                .lost("write it out in the configuration"),
        );
    }
    if let Some(judge) = usual.and_then(|usual| usual.get("options")?.get("provider")) {
        let name = judge.text().or_else(|| judge.text_at("id")).unwrap_or_default();
        let part = Mapped::new("options.provider", &judge.at, name);
        draft.judge = target::model(name, None);
        draft.told(match &draft.judge {
            Some(judge) => part.exact(format!("judge: {judge}")),
            None => part.lost("this provider is not known here; name the judge with `--judge`"),
        });
    }
    let config = Config { source, near, prompts, usual, templates: root.get("assertionTemplates") };
    if let Some(tests) = root.get("tests") {
        config.tests(tests.one_or_many(), draft);
    }
    for scenario in root.list_at("scenarios") {
        config.scenario(scenario, draft);
    }
    Ok(())
}

/// A provider: an MCP server is the target, a model is a model.
fn provider(node: &Node, draft: &mut Draft) {
    // `- id` or `- {id: …, config: …}` or `- {openai:gpt: {config: …}}`.
    let (name, config) = match node.entries() {
        [(name, inner)] if node.get("id").is_none() => (name.clone(), inner.get("config")),
        _ => (node.text().or_else(|| node.text_at("id")).unwrap_or_default().to_owned(), node.get("config")),
    };
    let part = Mapped::new("provider", &node.at, &name);
    let mcp = config.and_then(|config| config.get("mcp")).or(config.filter(|_| name == "mcp"));
    let servers: Vec<&Node> = mcp
        .map(|mcp| mcp.get("server").into_iter().chain(mcp.list_at("servers")).collect())
        .unwrap_or_default();
    if name == "mcp" {
        if servers.is_empty() {
            draft.told(part.lost("it names no server; say which one with `--target`"));
        } else {
            draft.told(part.exact("target"));
        }
    } else {
        match target::model(&name, None) {
            Some(model) => {
                draft.told(part.exact(format!("models: {model}")));
                if !draft.models.contains(&model) {
                    draft.models.push(model);
                }
            }
            None => draft.told(part.lost("no model of this name is known here; name one with `--model`")),
        }
        for (key, value) in config.map_or(&[][..], Node::entries).iter().filter(|(key, _)| key != "mcp") {
            let part = Mapped::new("provider.config", &value.at, key);
            draft.told(part.lost("settings of a model stand in a file of evals/models"));
        }
    }
    for server in servers {
        let taken = target::server("server", server.text_at("name").unwrap_or("mcp"), server, draft);
        if let Some(auth) = server.get("auth").filter(|_| taken) {
            prompts::auth(auth, draft);
        }
    }
    for (key, value) in mcp.map_or(&[][..], Node::entries) {
        if !["enabled", "server", "servers", "name"].contains(&key.as_str()) {
            let part = Mapped::new("provider.config", &value.at, key);
            draft.told(
                part.lost("the tools are those that the client profile shows, with limits of the suite"),
            );
        }
    }
}

impl<'a> Config<'a> {
    fn bare(source: &'a Source, near: Near<'a>) -> Self {
        Self { source, near, prompts: vec![], usual: None, templates: None }
    }

    /// Tests in a list, and files of tests that it names.
    fn tests(&self, tests: &[Node], draft: &mut Draft) {
        for test in tests {
            let file = test.text().or_else(|| test.text_at("path"));
            let Some(file) = file.filter(|_| !test.is_map() || test.get("vars").is_none()) else {
                self.test(test, None, draft);
                continue;
            };
            let part = Mapped::new("tests", &test.at, file);
            let name = file.strip_prefix("file://").unwrap_or(file);
            let found = (self.near)(self.source, name);
            match found.map(|found| (tests_of(&found), found)) {
                Some((Ok(tests), found)) => {
                    draft.told(part.exact(format!("{} cases", tests.len())));
                    let config = Config { source: &found, prompts: self.prompts.clone(), ..*self };
                    tests.iter().for_each(|test| config.test(test, None, draft));
                }
                Some((Err(why), _)) => draft.told(part.lost(why)),
                None => {
                    draft.told(part.lost(
                        "there is no such file beside the configuration, or it is a program or a sheet",
                    ));
                }
            }
        }
    }

    /// Each set of variables of a scenario with each of its tests.
    fn scenario(&self, scenario: &Node, draft: &mut Draft) {
        let blank = Node::on_line(&json!({}), &scenario.at);
        let tests = match scenario.list_at("tests") {
            [] => std::slice::from_ref(&blank),
            tests => tests,
        };
        for set in scenario.list_at("config") {
            for test in tests {
                self.test(test, Some(set), draft);
            }
        }
    }

    /// A test with every prompt and every combination of its variables.
    fn test(&self, test: &Node, set: Option<&Node>, draft: &mut Draft) {
        let layers: Vec<&Node> = self.usual.into_iter().chain(set).chain([test]).collect();
        let mut lost = vec![];
        let combinations = Vars::of(&layers, self.source, self.near, &mut lost);
        let blank = [Prompt::blank(&test.at)];
        let prompts = if self.prompts.is_empty() { &blank[..] } else { &self.prompts[..] };
        for prompt in prompts {
            for vars in &combinations {
                if !draft.has_room() {
                    draft.told(
                        Mapped::new("test", &test.at, "")
                            .lost("there are more combinations than a suite may hold"),
                    );
                    return;
                }
                let label = if prompts.len() > 1 { prompt.label.as_str() } else { "" };
                let mut case = self.case(test, vars, label);
                case.parts.extend(lost.iter().cloned());
                prompt.ask(vars, &mut case);
                self.rest(&layers, vars, &mut case);
                draft.cases.push(case);
            }
        }
    }

    /// The case and its name.
    fn case(&self, test: &Node, vars: &Vars, label: &str) -> Case {
        let name = test.text_at("description").map(str::to_owned).or_else(|| vars.name()).unwrap_or_default();
        let name = vars.fill(&name).unwrap_or(name);
        let name = if label.is_empty() { name } else { format!("{name} {label}") };
        Case::new(&name, &test.at)
    }

    /// Everything of the layers of a test but its variables.
    fn rest(&self, layers: &[&Node], vars: &Vars, case: &mut Case) {
        for (index, layer) in layers.iter().enumerate() {
            for (key, value) in layer.entries() {
                let part = Mapped::new(key.clone(), &value.at, value.words().unwrap_or_default());
                match key.as_str() {
                    "vars" | "description" => {}
                    "options" if index + 1 < layers.len() => {}
                    "assert" => value.one_or_many().iter().for_each(|assert| {
                        asserts::take(assert, (vars, self.templates), case);
                    }),
                    "metadata" => {
                        let entries = value
                            .entries()
                            .iter()
                            .filter_map(|(key, value)| Some(format!("{key}={}", value.words()?)));
                        case.tags.extend(entries);
                        case.told(Mapped::new("metadata", &value.at, "").exact("tags"));
                    }
                    "threshold" => {
                        case.told(part.near("expect", "every expectation must hold here, which is stricter"));
                    }
                    _ => case.told(part.lost("cases have nothing like it")),
                }
            }
        }
    }
}

/// The tests in a file.
fn tests_of(source: &Source) -> Result<Vec<Node>, String> {
    match source.ending().as_str() {
        "csv" => {
            let rows = csv::rows(source).map_err(|found| found.message)?;
            Ok(rows.iter().map(|row| Node::on_line(&csv::test(&row.cells), &row.at)).collect())
        }
        "jsonl" => Ok(source.lines().filter_map(|(_, line)| line.ok()).collect()),
        "yaml" | "yml" | "json" => {
            let tree = source.tree().map_err(|found| found.message)?;
            Ok(tree.one_or_many().to_vec())
        }
        _ => Err("files of tests are read as CSV, YAML, JSON and JSONL".to_owned()),
    }
}

/// A text of a value, with its variables filled in.
fn filled(value: &Value, vars: &Vars) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => vars.value(text)?,
        Value::Array(items) => {
            items.iter().map(|item| filled(item, vars)).collect::<Result<Vec<_>, _>>()?.into()
        }
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| Ok((key.clone(), filled(value, vars)?)));
            Value::Object(entries.collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}
