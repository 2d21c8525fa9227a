//! One run in which everything is filled, in every format. With `REHEARSAL_PAGES=FOLDER` its page is written there, for
//! the tests in a browser (`tests/interop/browser/run.sh`).
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

#[path = "support/filled.rs"]
mod filled;
#[path = "support/golden.rs"]
mod golden;
#[path = "support/golden_transcript.rs"]
mod golden_transcript;
#[path = "support/wellformed.rs"]
mod wellformed;

use std::collections::BTreeMap;

use rehearsal::gate::decide;
use rehearsal::ids::CaseKey;
use rehearsal::report::archive::{Archive, Kept};
use rehearsal::report::losses::Lost;
use rehearsal::report::{FORMATS, Style, Summary, View, format, terminal};
use rehearsal::store::record::RunRecord;
use serde_json::Value;

/// Every trial with a transcript.
struct Shelf(BTreeMap<CaseKey, Kept>);

impl Archive for Shelf {
    fn trial(&self, key: CaseKey) -> Option<Kept> {
        self.0.get(&key).cloned()
    }
}

fn shelf(run: &RunRecord) -> Shelf {
    let kept = run.results.iter().map(|result| {
        let mut transcript = golden_transcript::transcript("It is on its way.", result.end.clone());
        transcript.header = result.header.clone();
        (result.header.key, Kept { transcript, verdict: result.verdict.clone() })
    });
    Shelf(kept.collect())
}

fn viewed<T>(run: &RunRecord, use_it: impl FnOnce(&View<'_>) -> T) -> T {
    let decision = decide(run);
    use_it(&View {
        run,
        decision: &decision,
        run_file: "reports/runs/bookshop/0193a1b2.sqlite".to_owned(),
        program: "rehearsal".to_owned(),
        next: vec!["rehearsal show 0193a1b2 late-order".to_owned(), "rehearsal triage 0193a1b2".to_owned()],
        fits: vec![],
        lost: Lost::new(),
        after: filled::after(),
    })
}

fn rendered(run: &RunRecord, name: &str) -> String {
    let mut bytes = vec![];
    let write = |view: &View<'_>| format(name).unwrap().write(&Summary::of(view), &shelf(run), &mut bytes);
    viewed(run, write).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The page without script, style, data and the digests of the policy: what can be read.
fn readable(page: &str) -> String {
    let script = regex::Regex::new("(?s)<script.*?</script>|<style>.*?</style>").unwrap();
    let digest = regex::Regex::new("sha256-[A-Za-z0-9+/=]{44}").unwrap();
    digest.replace_all(&script.replace_all(page, ""), "sha256-…").into_owned()
}

#[test]
fn every_format_shows_it_twice_alike() {
    let run = filled::filled();
    for format in FORMATS {
        let text = rendered(&run, format.name);
        assert_eq!(text, rendered(&run.clone(), format.name), "{}", format.name);
        let shown = if format.name == "html" { readable(&text) } else { text.replace('\r', "␍") };
        // Transcripts have snapshots of their own.
        if !["inspect", "otlp"].contains(&format.name) {
            insta::assert_snapshot!(format!("filled_{}", format.name), shown);
        }
    }
    wellformed::check(&rendered(&run, "junit"));
}

#[test]
fn a_terminal_shows_it_at_every_width() {
    let run = filled::filled();
    for (width, style, name) in [
        (60, Style::Plain, "60"),
        (80, Style::Plain, "80"),
        (80, Style::Ascii, "80_ascii"),
        (120, Style::Plain, "120"),
        (200, Style::Colour, "200_colour"),
    ] {
        let text = viewed(&run, |view| terminal::render(view, style, width));
        insta::assert_snapshot!(format!("filled_terminal_{name}"), text.replace('\u{1b}', "␛"));
        for line in text.lines().filter(|_| style == Style::Plain) {
            let command = line.contains("rehearsal ");
            let cells = unicode_width::UnicodeWidthStr::width(line);
            assert!(command || cells <= usize::from(width), "{cells} cells: {line}");
        }
    }
}

#[test]
fn every_part_of_the_page_stands_there() {
    let run = filled::filled();
    let page = rendered(&run, "html");
    if let Some(folder) = std::env::var_os("REHEARSAL_PAGES") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(std::path::Path::new(&folder).join("filled.html"), &page).unwrap();
    }
    let sections = [
        "verdict",
        "baseline",
        "attention",
        "causes",
        "rates",
        "access",
        "auth",
        "cases",
        "tools",
        "reliability",
        "quiet",
        "cost",
        "provenance",
    ];
    for id in sections {
        assert!(page.contains(&format!("<section id=\"{id}\"")), "no section {id}");
    }
    for words in ["the server got worse", "the rate slides", "the catalogue is rebuilt", "opus", "codex-cli"]
    {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn history_and_quarantine_reach_builds_and_tables() {
    let run = filled::filled();
    let junit = rendered(&run, "junit");
    assert!(junit.contains("<property name=\"history\" value=\"History of "), "{junit}");
    assert!(junit.contains("<property name=\"quarantine\" value=\"Quarantine: 1 case "), "{junit}");
    assert!(junit.contains(", under quarantine\"/>"), "{junit}");
    let most = junit.split("<testcase ").skip(1).map(|case| case.matches("<property ").count()).max();
    assert_eq!(most, Some(5), "what GitLab bears");
    let csv = rendered(&run, "csv");
    let mut table = csv::Reader::from_reader(csv.as_bytes());
    let head = table.headers().unwrap().clone();
    let column = |name: &str| head.iter().position(|cell| cell == name).unwrap();
    let (case, history, quiet) = (column("case"), column("history"), column("quarantined"));
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert!(rows.iter().any(|row| !row[history].is_empty()));
    assert!(rows.iter().all(|row| (&row[quiet] == "true") == (&row[case] == "stock")), "{csv}");
    let ctrf: Value = serde_json::from_str(&rendered(&run, "ctrf")).unwrap();
    let tests = ctrf["results"]["tests"].as_array().unwrap();
    assert!(tests.iter().any(|test| test["labels"]["quarantined"] == true));
    assert!(tests.iter().any(|test| test["labels"]["history"].is_string()));
    // A run that is compared with nothing says nothing of it.
    let plain = rendered(&golden::golden(), "junit");
    assert!(!plain.contains("name=\"history\"") && !plain.contains("name=\"quarantine\""));
}
