//! Every line that there is, from facts that are fixed.

use super::auth::Way;
use super::line::{json, text};
use super::models::{Key, Stand};
use super::programs::Found;
use super::setting::Read;
use super::storage::Folder;
use super::target::Greeting;
use super::terminal::Place;
use super::*;
use crate::diag::{Diagnostic, Origin};
use crate::mcp::process::errand::Fate;
use crate::report::Style;
use crate::report::wrap::width;
use crate::transcript::{Fault, ServerFacts, Side};

fn suite(file: &str, problems: Vec<Diagnostic>) -> Read {
    Read { file: file.to_owned(), suite: None, problems }
}

fn suites() -> Vec<Line> {
    let at = |line| Origin { file: "suites/refunds.yaml".into(), line, column: 5 };
    let wrong = Diagnostic::error("suite.no-expectation", at(12), "case `late` expects nothing")
        .hint("give it `expect`, or `judge`");
    let bare = Diagnostic::global("suite.unreadable", "the file cannot be read");
    let warning =
        Diagnostic::error("suite.no-expectation", at(3), "its only check holds for any answer").as_warning();
    let few = [
        suite("suites/refunds.yaml", vec![wrong, warning]),
        suite("suites/torn.yaml", vec![bare.clone()]),
        suite("suites/shop.yaml", vec![]),
    ];
    let many: Vec<Read> =
        (0..12).map(|at| suite(&format!("suites/s{at}.yaml"), vec![bare.clone()])).collect();
    let mut lines = vec![project::named(), project::nothing()];
    lines.extend(project::told(&few[2..], 1));
    lines.extend(project::told(&few, 40));
    let many = project::told(&many, 0);
    lines.extend([many[0].clone(), many[many.len() - 1].clone()]);
    lines.push(project::variable("SHOP_TOKEN", "suites/shop.yaml", None));
    lines.push(project::variable("SHOP_REGION", "suites/shop.yaml", Some(1)));
    lines.push(project::variable("SHOP_KEY", "suites/shop.yaml", Some(40)));
    lines
}

fn models() -> Vec<Line> {
    let set = || Key::Set("OPENAI_API_KEY".to_owned(), 51);
    let host = || "https://api.openai.com/v1".to_owned();
    let one = |stand| models::told("gpt-5-mini", stand);
    vec![
        models::told("claude-code", Stand::Agent),
        models::told("lexical", Stand::Own),
        one(Stand::Keyless("OPENAI_API_KEY".to_owned())),
        one(Stand::Homeless(set(), "AZURE_ENDPOINT".to_owned())),
        one(Stand::Offline(set())),
        one(Stand::Unasked(Key::None)),
        one(Stand::Late(set(), host())),
        one(Stand::Unreachable(set(), host(), "the name is not known".to_owned())),
        one(Stand::Answered(set(), host(), 401)),
        one(Stand::Answered(set(), host(), 503)),
        one(Stand::Answered(set(), host(), 200)),
        models::told("local", Stand::Answered(Key::None, "http://127.0.0.1:11434/v1".to_owned(), 404)),
        models::further(3),
    ]
}

fn targets() -> Vec<Line> {
    let shop = |greeting| target::told("https://shop.example.com/mcp", greeting);
    let fault = |side, code: &str, message: &str| Greeting::Refused(Fault::new(side, code, message));
    let facts = ServerFacts {
        name: "bookshop".to_owned(),
        version: "1.4.0".to_owned(),
        protocol: "2025-11-25".to_owned(),
        ..ServerFacts::default()
    };
    let nameless = ServerFacts { name: String::new(), ..facts.clone() };
    let nobody = Failure::new(Exit::Credentials, "credentials.missing", "SHOP_TOKEN is not set");
    let mut lines = vec![
        shop(Greeting::Offline),
        shop(Greeting::Bare),
        shop(Greeting::Nobody(nobody)),
        shop(Greeting::Late),
        shop(fault(Side::Server, "target.unreachable", "the connection was refused")),
        shop(fault(Side::Auth, "target.unauthorized", "the target refuses whoever has no token (401)")),
        shop(Greeting::Answered(facts, 212, 1)),
        target::told("npx -y my-server", Greeting::Answered(nameless, 1840, 23)),
        target::further(44),
    ];
    lines.extend([0, 7, -7, 1200, -1200].map(target::clock));
    lines
}

fn ways() -> Vec<Line> {
    let issuer = || "https://login.example.com/".to_owned();
    let all = [
        Way::Unlooked,
        Way::Silent,
        Way::None,
        Way::Nobody,
        Way::Fenced(
            "http://10.0.0.7/".to_owned(),
            "it is plain http, which is only for this machine".to_owned(),
        ),
        Way::Blank(issuer()),
        Way::Named(issuer(), "https://other.example.com/".to_owned()),
        Way::Plain(issuer()),
        Way::Whole(issuer()),
    ];
    all.into_iter().map(auth::told).collect()
}

fn rest() -> Vec<(&'static str, Line)> {
    let path = || "/usr/bin/node".to_owned();
    let node = |found| ("programs", programs::told("node", Exit::Target, found));
    let reports = |found| ("reports", storage::told("reports", found));
    let proxies = [
        ("HTTPS_PROXY", "http://me:hunter2@proxy.example.com:3128".to_owned()),
        ("http_proxy", "proxy".to_owned()),
        ("NO_PROXY", "localhost,.example.com".to_owned()),
    ];
    let mut all = vec![
        node(Found::Nowhere),
        node(Found::At("/srv/my-server".to_owned())),
        node(Found::Version("v24.1.0".to_owned(), path())),
        node(Found::Mute(path(), Fate::Exited(1))),
        node(Found::Broken("permission denied".to_owned())),
        reports(Folder::Nowhere),
        reports(Folder::File),
        reports(Folder::Closed("cannot be written to: read-only file system".to_owned())),
        reports(Folder::Open { there: false, free: None }),
        reports(Folder::Open { there: true, free: Some(900 << 20) }),
        reports(Folder::Open { there: true, free: Some(40 << 30) }),
        (
            "reports",
            storage::unreadable("shop", "`reports/baselines/shop.json` is no baseline: it ends too early"),
        ),
        ("reports", storage::readable(2)),
        ("machine", surroundings::files(8, None)),
        ("machine", surroundings::files(8, Some(1024))),
        ("machine", surroundings::files(500, Some(1024))),
    ];
    all.extend(surroundings::told(&proxies).map(|line| ("machine", line)));
    all.extend([
        ("terminal", terminal::told(Place::Terminal, Style::Colour, 120, true)),
        ("terminal", terminal::told(Place::Terminal, Style::Plain, 80, false)),
        ("terminal", terminal::told(Place::Job, Style::Plain, 80, false)),
        ("terminal", terminal::told(Place::Elsewhere, Style::Plain, 80, true)),
    ]);
    all.extend(PROBES.iter().map(|probe| (probe.name, probe.late())));
    all
}

/// Every line, in the order of the report.
fn all() -> Vec<(&'static str, Line)> {
    let mut all = vec![("program", terminal::version("0.1.0", "linux", "x86_64"))];
    for (family, lines) in
        [("suites", suites()), ("models", models()), ("target", targets()), ("auth", ways())]
    {
        all.extend(lines.into_iter().map(|line| (family, line)));
    }
    all.extend(rest());
    all
}

#[test]
fn every_line_reads_well() {
    let all = all();
    let lines: Vec<&(&str, Line)> = all.iter().collect();
    for (columns, style, name) in [
        (60, Style::Plain, "60"),
        (80, Style::Ascii, "80_ascii"),
        (120, Style::Plain, "120"),
        (120, Style::Colour, "120_colour"),
    ] {
        let told = text(&lines, columns, (style, "rehearsal"));
        if style != Style::Colour {
            assert!(told.lines().all(|line| width(line) <= columns), "wider than {columns}:\n{told}");
        }
        assert!(!told.contains("hunter2"), "a secret is shown");
        insta::assert_snapshot!(format!("lines_{name}"), told.replace('\u{1b}', "␛"));
    }
    let exit = Exit::gravest(all.iter().map(|(_, line)| line.exit()));
    insta::assert_snapshot!("lines_json", json(&all, exit));
}

#[test]
fn the_sum_says_how_a_run_would_end() {
    let fine = ("terminal", terminal::told(Place::Job, Style::Plain, 80, true));
    let warning = ("project", project::nothing());
    let wrong = ("suites", project::variable("A", "a.yaml", None));
    let last = |lines: &[&(&str, Line)]| {
        text(lines, 80, (Style::Plain, "rehearsal")).lines().last().unwrap_or_default().to_owned()
    };
    assert_eq!(last(&[&fine]), "everything is fine");
    assert_eq!(last(&[&fine, &warning]), "0 problems, 1 warning");
    let exit = "1 problem, 1 warning · a run would end with exit 5 (credentials)";
    assert_eq!(last(&[&fine, &warning, &wrong]), exit);
    let cargo = text(&[&warning], 80, (Style::Plain, "cargo run --"));
    assert!(cargo.contains("-C DIR"), "{cargo}");
}
