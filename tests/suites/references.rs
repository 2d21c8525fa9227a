//! Files that suites refer to: `extends`, `server`, names on the command line, and what lies outside the project.

use super::*;

#[test]
fn extends_takes_what_is_not_given() {
    let base = "version: 1\nenv: [KEY]\ntarget: {url: 'http://127.0.0.1:9/mcp', headers: {X: '${KEY}'}}\nauth: {issuer: embedded}\npersonas: [customer]\nmodels: [lexical]\njudge: {model: scripted-judge}\ndefaults: {limits: {turns: 3}}\ngate: {margin: 1pt}\ntrials: 9\ncases: [{id: base, prompt: Base, expect: [{answer_contains: x}]}]\n";
    let own = "version: 1\nextends: shared/base.yaml\nmodels: [scripted]\ncases:\n  - {id: a, prompt: Hello, script: [{say: x}], criteria: [{must: Greets.}]}\n";
    let place = Place::new().with("suites/shared/base.yaml", base).with("suites/own.yaml", own);
    let suite = good(place.load("suites/own.yaml"));
    assert_eq!(suite.target.origin.to_string(), "suites/shared/base.yaml:3:9");
    assert_eq!(suite.personas[0].origin.to_string(), "suites/shared/base.yaml:5:12");
    assert_eq!(suite.models.len(), 1);
    assert_eq!(suite.models[0].value.name.as_str(), "scripted");
    assert_eq!((suite.cases.len(), suite.trials, suite.cases[0].limits.turns), (1, 1, 3));
    assert_eq!(suite.gate.margin.to_string(), "1%");
    assert!(suite.sources.contains_key("suites/shared/base.yaml"));

    let broken = place.with("suites/shared/base.yaml", base.replace("[customer]", "[custmer]"));
    insta::assert_snapshot!(shown(&broken.load("suites/own.yaml")));
}

#[test]
fn extends_that_go_nowhere() {
    let body = small();
    let place = Place::new()
        .with("suites/a.yaml", format!("extends: b.yaml\n{body}"))
        .with("suites/b.yaml", format!("extends: a.yaml\n{body}"))
        .with("suites/self.yaml", format!("extends: self.yaml\n{body}"))
        .with("suites/gone.yaml", format!("extends: nothing.yaml\n{body}"))
        .with("suites/folder.yaml", format!("extends: .\n{body}"));
    let all = ["a", "self", "gone", "folder"].map(|name| shown(&place.load(&format!("suites/{name}.yaml"))));
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn nothing_outside_the_project_is_read() {
    let secret = tempfile::tempdir().unwrap();
    fs::write(secret.path().join("secret.yaml"), "version: 1\nname: top-secret\n").unwrap();
    let outside = secret.path().join("secret.yaml");
    let body = small();
    let place = Place::new()
        .with("suites/absolute.yaml", format!("extends: {}\n{body}", outside.display()))
        .with("suites/up.yaml", format!("extends: ../../../../../../../../etc/passwd\n{body}"))
        .with("suites/link.yaml", format!("extends: linked.yaml\n{body}"))
        .with("suites/device.yaml", format!("extends: /dev/zero\n{body}"))
        .with("suites/server.yaml", "version: 1\ntarget: {server: {file: linked.yaml, name: x}}\n")
        .with("suites/model.yaml", small().replace("lexical", "linked"));
    std::os::unix::fs::symlink(&outside, place.dir.path().join("suites/linked.yaml")).unwrap();
    fs::create_dir_all(place.dir.path().join("evals/models")).unwrap();
    std::os::unix::fs::symlink(&outside, place.dir.path().join("evals/models/linked.yaml")).unwrap();
    for name in ["absolute", "up", "link", "device", "server", "model"] {
        let loaded = place.load(&format!("suites/{name}.yaml"));
        assert_eq!(codes(&loaded), ["suite.outside-project"], "{name}: {}", shown(&loaded));
        assert!(!format!("{loaded:?}").contains("top-secret"), "{name}");
    }
}

#[test]
fn a_pipe_does_not_hang() {
    let place = Place::new().with("suites/pipe.yaml", format!("extends: fifo.yaml\n{}", small()));
    let fifo = place.dir.path().join("suites/fifo.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert_eq!(codes(&place.load("suites/pipe.yaml")), ["suite.not-a-file"]);
    assert_eq!(codes(&place.load("suites/fifo.yaml")), ["suite.not-a-file"]);
}

#[test]
fn servers_come_from_the_common_json() {
    let json = r#"{"mcpServers": {
        "shop": {"command": "node", "args": ["server.js", "${KEY}"], "env": {"PORT": 8080}},
        "remote": {"type": "http", "url": "https://shop.example/mcp", "headers": {"Authorization": "Bearer ${KEY}"}},
        "old": {"type": "sse", "url": "https://shop.example/sse"}
    }}"#;
    let suite = |name: &str| {
        format!("version: 1\nenv: [KEY]\ntarget: {{server: {{file: .mcp.json, name: {name}}}}}\n{SMALL}")
    };
    let place = Place::new()
        .with(".mcp.json", json)
        .with("suites/shop.yaml", suite("shop"))
        .with("suites/remote.yaml", suite("remote"))
        .with("suites/old.yaml", suite("old"))
        .with("suites/typo.yaml", suite("shpo"))
        .with("suites/undeclared.yaml", suite("shop").replace("env: [KEY]\n", ""))
        .with("broken.json", "{\"mcpServers\": {\n  \"shop\": [,]\n}}")
        .with("suites/broken.yaml", suite("shop").replace(".mcp.json", "broken.json"));
    let shop = good(place.load("suites/shop.yaml")).target;
    let words = ["node", "server.js", "${KEY}"].map(|word| Template(word.to_owned()));
    assert_eq!(shop.source, TargetSource::Command(words.to_vec()));
    assert_eq!((shop.transport, shop.isolation), (Transport::Stdio, Isolation::Trial));
    assert_eq!(shop.env["PORT"], Template("8080".to_owned()));
    let remote = good(place.load("suites/remote.yaml")).target;
    assert_eq!(remote.transport, Transport::Http);
    assert_eq!(remote.headers["Authorization"], Template("Bearer ${KEY}".to_owned()));
    let old = good(place.load("suites/old.yaml")).target;
    assert_eq!((old.transport, old.isolation), (Transport::Sse, Isolation::Run));
    let all = ["typo", "undeclared", "broken"].map(|name| shown(&place.load(&format!("suites/{name}.yaml"))));
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn suites_are_found_by_path_and_by_name() {
    let place = Place::new().with("suites/orders.yaml", small()).with("suites/books.yml", small());
    let project = place.project();
    let path = place.dir.path().join("suites/orders.yaml");
    for arg in ["orders", "suites/orders.yaml", path.to_str().unwrap()] {
        assert_eq!(project.find(arg).unwrap(), path, "{arg}");
    }
    assert_eq!(project.find("books").unwrap(), place.dir.path().join("suites/books.yml"));
    assert_eq!(project.list(), ["books", "orders"]);
    let missing = project.find("ordres").unwrap_err();
    insta::assert_snapshot!(render(&missing, &|_| None));
}

#[test]
fn the_demonstration_is_there_without_a_project() {
    let place = Place::new();
    let project = place.project();
    assert_eq!(project.list(), ["bookshop"]);
    let loaded = project.load(&project.find("bookshop").unwrap(), &Request::default());
    assert_eq!(shown(&loaded), "");
    let suite = loaded.suite.unwrap();
    assert_eq!(&*suite.file, "suites/bookshop.yaml");
    assert!(!suite.cases.is_empty());
    let sources: BTreeMap<_, _> = suite.sources;
    assert_eq!(
        sources["suites/bookshop.yaml"].as_ref(),
        fs::read_to_string(root().join("suites/bookshop.yaml")).unwrap()
    );
    // A project's own suite of that name comes first.
    let own = place.with("suites/bookshop.yaml", small());
    let path = own.project().find("bookshop").unwrap();
    assert_eq!(good(own.project().load(&path, &Request::default())).cases[0].id.value.as_str(), "a");
}
