//! The formats of CI systems and of other programs: golden, hostile, huge and random runs.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

#[path = "support/golden.rs"]
mod golden;
#[path = "support/golden_transcript.rs"]
mod golden_transcript;
#[path = "support/wellformed.rs"]
mod wellformed;

use std::collections::{BTreeMap, BTreeSet};

use golden::{HOSTILE, Trial, run_of};
use proptest::prelude::*;
use rehearsal::drive::fit::{Fit, Item, Kind, Misfit};
use rehearsal::gate::decide;
use rehearsal::ids::{CaseKey, PersonaName};
use rehearsal::report::archive::{Archive, Kept};
use rehearsal::report::losses::Lost;
use rehearsal::report::{FORMATS, Summary, View, format};
use rehearsal::score::Grade;
use rehearsal::store::record::RunRecord;
use rehearsal::suite::quarantine::Quarantined;
use rehearsal::transcript::{CaseKind, Side, Transcript};
use serde_json::{Value, json};

/// Transcripts by trial, all like one.
struct Shelf(BTreeMap<CaseKey, Transcript>);

impl Shelf {
    fn of(run: &RunRecord, like: &Transcript) -> Self {
        let used = run.results.iter().filter(|result| result.header.kind == CaseKind::Use);
        let kept = used.map(|result| {
            let transcript = Transcript { header: result.header.clone(), ..like.clone() };
            (result.header.key, transcript)
        });
        Self(kept.collect())
    }
}

impl Archive for Shelf {
    fn trial(&self, key: CaseKey) -> Option<Kept> {
        let transcript = self.0.get(&key)?.clone();
        Some(Kept { transcript, verdict: None })
    }
}

fn with<T>(run: &RunRecord, words: &str, use_it: impl FnOnce(&Summary) -> T) -> T {
    let decision = decide(run);
    let item = |tool: &str| Item { tool: Some(tool.into()), detail: words.to_owned() };
    let misfit = |kind: Kind| Misfit {
        kind,
        level: kind.level(),
        about: kind.about().to_owned(),
        items: vec![item("get_order"), item(words)],
    };
    let client = run.results.first().map_or_else(|| "reference".into(), |first| first.header.client.clone());
    let view = View {
        run,
        decision: &decision,
        run_file: "reports/runs/bookshop/0193a1b2.sqlite".to_owned(),
        program: "rehearsal".to_owned(),
        next: vec![],
        fits: vec![Fit { client, misfits: vec![misfit(Kind::NameCut)] }],
        lost: Lost::new(),
        after: rehearsal::report::causes::After::default(),
    };
    use_it(&Summary::of(&view))
}

fn rendered(run: &RunRecord, name: &str, (words, like): (&str, &Transcript)) -> String {
    let format = format(name).expect("a known format");
    let mut bytes = vec![];
    with(run, words, |summary| format.write(summary, &Shelf::of(run, like), &mut bytes)).expect("it renders");
    String::from_utf8(bytes).expect("reports are UTF-8")
}

/// The run with every state, and what came of it in a format.
fn golden_as(name: &str) -> String {
    rendered(&golden::golden(), name, ("60 of 90 characters", &golden_transcript::golden().0))
}

/// The run in which every word is hostile, in a format.
fn hostile_as(name: &str) -> String {
    rendered(&hostile(), name, (HOSTILE, &golden_transcript::hostile()))
}

/// Beside the hostile run one whose words begin like formulas and commands.
fn hostile() -> RunRecord {
    let mut run = golden::hostile();
    for (number, words) in
        [(11, "=cmd|' /C calc'!A0"), (12, "-1+1"), (13, "@SUM(A1)"), (14, "a;=1"), (15, "::error::x")]
    {
        let trial =
            Trial::new(CaseKind::Use, words, words, number).finding(words, Grade::Fail, words, (1, 1));
        run.results.push(trial.0);
    }
    run
}

#[test]
fn the_golden_run_in_every_other_format() {
    for format in FORMATS.iter().filter(|format| !format.always) {
        insta::assert_snapshot!(format.name, golden_as(format.name).replace('\r', "␍"));
    }
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    for format in FORMATS {
        assert_eq!(golden_as(format.name), golden_as(format.name), "{}", format.name);
        assert_eq!(hostile_as(format.name), hostile_as(format.name), "{}", format.name);
    }
}

/// No control byte, no character that hides or reorders text, no command of a CI runner.
fn harmless(text: &str, name: &str) {
    for c in text.chars() {
        let hidden = matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}');
        assert!(!hidden && (c == '\n' || !c.is_control()), "{name} holds U+{:04X}", c as u32);
    }
    for bad in ["##[", "##vso[", "##teamcity["] {
        assert!(!text.contains(bad), "{name} holds {bad}");
    }
    for line in text.lines() {
        assert!(!line.trim_start().starts_with("::"), "{name}: a runner obeys {line}");
    }
}

/// The annotations of a step, by level; panics where a word of others became a part of a command.
fn annotations(text: &str) -> BTreeMap<String, Vec<String>> {
    let line = regex::Regex::new(r"^::(error|warning|notice) ((?:file|line|col|title)=[^,:\n]*(?:,(?:file|line|col|title)=[^,:\n]*)*)::(.*)$").unwrap();
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in text.lines() {
        let parts = line.captures(text).unwrap_or_else(|| panic!("no annotation: {text}"));
        harmless(&parts[2], "github");
        harmless(parts[3].trim_start_matches(':'), "github");
        assert!(parts[3].chars().count() <= 4096);
        all.entry(parts[1].to_owned()).or_default().push(parts[3].to_owned());
    }
    all
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

fn table(text: &str) -> Vec<csv::StringRecord> {
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "RFC 4180 ends lines with CRLF");
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    reader.records().map(|record| record.expect("as many cells as the head")).collect()
}

/// What must hold of every format whatever the words are.
fn sound(name: &str, text: &str) {
    match name {
        "junit" => wellformed::check(text),
        "markdown" => {}
        // The page has tests and a browser of its own: tests/html.rs.
        "html" => return,
        "github" => drop(annotations(text)),
        "csv" => {
            for cell in table(text).iter().flat_map(|record| record.iter()) {
                let first = cell.trim_start_matches(' ').chars().next().unwrap_or(' ');
                assert!(!"=+-@\t\r".contains(first), "a spreadsheet runs {cell}");
            }
        }
        "jsonl" | "otlp" => assert!(lines(text).iter().all(Value::is_object)),
        _ => drop(serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{name}: {error}"))),
    }
    match name {
        "github" => {}
        "csv" => harmless(&text.replace("\r\n", "\n"), name),
        _ => harmless(text, name),
    }
}

#[test]
fn hostile_words_do_nothing_anywhere() {
    for format in FORMATS {
        sound(format.name, &hostile_as(format.name));
        sound(format.name, &golden_as(format.name));
    }
}

#[test]
fn a_step_shows_the_gravest_and_says_how_many_more_there_are() {
    let trials = (0..400).map(|n| {
        Trial::new(CaseKind::Use, &format!("case-{n}"), "customer", 1).finding("c", Grade::Fail, "no", (7, 9))
    });
    let leak = Trial::new(CaseKind::Access, "access/customer", "customer", 1).guarded(
        "access_denied",
        Grade::Fail,
        "`refund_order` is callable",
        (16, 55),
    );
    let run = run_of(trials.chain([leak]));
    let all = annotations(&rendered(&run, "github", ("", &golden_transcript::golden().0)));
    let errors = &all["error"];
    assert_eq!(errors.len(), 10);
    assert!(errors[0].contains("refund_order"), "{}", errors[0]);
    assert!(errors[9].starts_with("39"), "{}", errors[9]);
}

#[test]
fn scanners_get_what_the_server_does_wrong_and_nothing_else() {
    let sarif: Value = serde_json::from_str(&golden_as("sarif")).unwrap();
    let run = &sarif["runs"][0];
    let ids: Vec<&str> =
        run["results"].as_array().unwrap().iter().map(|r| r["ruleId"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        ["access/access_denied", "auth/D19", "access/access_visible", "auth/A07", "surface/name_cut"]
    );
    for result in run["results"].as_array().unwrap() {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
    let quality: Value = serde_json::from_str(&golden_as("codequality")).unwrap();
    let fingerprints: BTreeSet<&str> =
        quality.as_array().unwrap().iter().map(|one| one["fingerprint"].as_str().unwrap()).collect();
    assert_eq!(fingerprints.len(), 5, "each finding has its own");
    // A run in which all holds has an empty list, not none.
    let clean = run_of([Trial::new(CaseKind::Auth, "auth/A01", "anonymous", 1)]);
    let mut bytes = vec![];
    let decision = decide(&clean);
    let view = View {
        run: &clean,
        decision: &decision,
        run_file: String::new(),
        program: String::new(),
        next: vec![],
        fits: vec![],
        lost: Lost::new(),
        after: rehearsal::report::causes::After::default(),
    };
    format("codequality").unwrap().write(&Summary::of(&view), &(), &mut bytes).unwrap();
    assert_eq!(bytes, b"[]\n");
}

/// Case, persona and subject to fingerprint.
fn fingerprints(run: &RunRecord) -> BTreeSet<String> {
    let text = rendered(run, "codequality", ("", &golden_transcript::golden().0));
    let all: Value = serde_json::from_str(&text).unwrap();
    all.as_array().unwrap().iter().map(|one| one["fingerprint"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn fingerprints_outlive_an_edit_and_tell_personas_apart() {
    let before = fingerprints(&golden::golden());
    let mut moved = golden::golden();
    for finding in
        moved.results.iter_mut().flat_map(|result| result.verdict.iter_mut()).flat_map(|v| &mut v.findings)
    {
        finding.origin.line += 40;
        if !finding.sights.is_empty() {
            finding.why.push_str(", in other words");
        }
    }
    assert_eq!(fingerprints(&moved), before);
    let mut others = golden::golden();
    for result in &mut others.results {
        result.header.persona = PersonaName::from("somebody");
    }
    assert!(
        fingerprints(&others).intersection(&before).count() <= 1,
        "only what is about no persona is the same"
    );
}

#[test]
fn what_the_suite_knows_is_suppressed() {
    let known = Trial::new(CaseKind::Auth, "auth/D19", "customer", 1)
        .finding("auth_check", Grade::Fail, "answered with 200", (18, 1))
        .known("the gateway is to be replaced");
    let run = run_of([known]);
    let sarif: Value =
        serde_json::from_str(&rendered(&run, "sarif", ("", &golden_transcript::golden().0))).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let result = results.iter().find(|result| result["ruleId"] == "auth/D19").unwrap();
    assert_eq!(result["suppressions"][0]["justification"], "the gateway is to be replaced");
    assert_eq!(result["level"], "note");
}

#[test]
fn a_scanner_gets_as_many_findings_as_it_can_show() {
    let trials = (0..5200).map(|n| {
        Trial::new(CaseKind::Access, &format!("access/p{n}"), &format!("p{n}"), 1).guarded(
            "access_denied",
            Grade::Fail,
            "a leak",
            (1, 1),
        )
    });
    let run = run_of(trials);
    let sarif: Value =
        serde_json::from_str(&rendered(&run, "sarif", ("", &golden_transcript::golden().0))).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), 5000);
    let said = &run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    assert!(said.as_str().unwrap().starts_with("200 findings left out"), "{said}");
}

#[test]
fn lines_hold_everything_that_the_summary_holds() {
    let (text, like) = ("60 of 90 characters", golden_transcript::golden().0);
    let summary: Value = serde_json::from_str(&rendered(&golden::golden(), "json", (text, &like))).unwrap();
    let all = lines(&golden_as("jsonl"));
    let of = |kind: &str| all.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    let mut wanted = keys(&summary);
    wanted.remove("cases");
    assert!(keys(of("run")[0]).is_superset(&wanted));
    let cases = summary["cases"].as_array().unwrap();
    assert_eq!(of("case").len(), cases.len());
    let trials: Vec<&Value> = cases.iter().flat_map(|case| case["trials"].as_array().unwrap()).collect();
    assert_eq!(of("trial").len(), trials.len());
    for (line, trial) in of("trial").into_iter().zip(trials) {
        for (key, value) in trial.as_object().unwrap() {
            assert_eq!(&line[key], value, "{key}");
        }
        assert_eq!(line["run"], summary["run"]);
    }
}

#[test]
fn a_table_has_a_line_for_every_planned_trial() {
    let run = golden::golden();
    let records = table(&golden_as("csv"));
    assert_eq!(records.len(), run.results.len() + run.missing.len());
    let outcomes: BTreeSet<&str> = records.iter().map(|record| &record[10]).collect();
    assert_eq!(outcomes, BTreeSet::from(["fail", "invalid", "missing", "pass", "skipped"]));
    let unpriced = records.iter().find(|record| &record[4] == "greeting" && &record[9] == "3").unwrap();
    assert_eq!(&unpriced[14], "", "unknown is empty, never 0");
}

#[test]
fn a_rerun_is_what_build_servers_call_one() {
    let fail = |trial: Trial| trial.finding("c", Grade::Fail, "no", (7, 9));
    let case = |name: &str, trial| Trial::new(CaseKind::Use, name, "customer", trial);
    let run = run_of([
        fail(case("flaky", 1)),
        case("flaky", 2),
        case("flaky", 3),
        fail(case("broken", 1)),
        fail(case("broken", 2)),
        case("broken", 3),
        case("blocked", 1).faulted(Side::Model, "model.rate-limited", "429"),
        case("blocked", 2).faulted(Side::Model, "model.rate-limited", "429"),
    ]);
    let text = rendered(&run, "junit", ("", &golden_transcript::golden().0));
    let of = |name: &str| {
        let start = text.find(&format!("<testcase name=\"{name}\"")).unwrap();
        &text[start..start + text[start..].find("</testcase>").unwrap()]
    };
    assert_eq!(of("flaky").matches("<flakyFailure").count(), 1);
    assert!(!of("flaky").contains("<failure"));
    assert_eq!(of("broken").matches("<failure").count(), 1);
    assert_eq!(of("broken").matches("<rerunFailure").count(), 1, "the first failure is the failure itself");
    assert_eq!(of("blocked").matches("<error").count(), 1);
    assert_eq!(of("blocked").matches("<rerunError").count(), 1);
    assert!(of("broken").contains("<system-out>trial 1: fail"));
}

#[test]
fn a_case_under_quarantine_fails_no_build() {
    let case =
        || Trial::new(CaseKind::Use, "late-order", "customer", 1).finding("c", Grade::Fail, "no", (7, 9));
    let like = golden_transcript::golden().0;
    let quiet = {
        let mut run = run_of([case()]);
        run.manifest.gate.quarantine = vec![Quarantined {
            case: "late-order".into(),
            owner: "books".to_owned(),
            until: "2026-11-28".parse().unwrap(),
            since: None,
            why: "the catalogue is rebuilt".to_owned(),
            origin: run.results[0].header.origin.clone(),
        }];
        run
    };
    for (run, tag, status, level) in
        [(run_of([case()]), "failure", "failed", "error"), (quiet, "skipped", "skipped", "warning")]
    {
        assert!(rendered(&run, "junit", ("", &like)).contains(&format!("<{tag} message=")), "{tag}");
        let ctrf: Value = serde_json::from_str(&rendered(&run, "ctrf", ("", &like))).unwrap();
        assert_eq!(ctrf["results"]["tests"][0]["status"], status);
        let notes = annotations(&rendered(&run, "github", ("", &like)));
        assert!(notes[level].iter().any(|text| text.contains("late-order")), "{notes:?}");
    }
}

#[test]
fn a_further_client_renames_no_test() {
    let trial = |client: &str| {
        let mut trial = Trial::new(CaseKind::Use, "late-order", "customer", 1);
        trial.0.header.client = client.into();
        trial
    };
    let names = |run: &RunRecord| {
        let text = rendered(run, "junit", ("", &golden_transcript::golden().0));
        let name = regex::Regex::new("<testcase name=\"([^\"]*)\"").unwrap();
        name.captures_iter(&text).map(|found| found[1].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&run_of([trial("reference")])), ["late-order"]);
    assert_eq!(
        names(&run_of([trial("reference"), trial("codex-cli")])),
        ["late-order [codex-cli]", "late-order"]
    );
}

#[test]
fn interchange_keeps_words_to_the_last_character() {
    let log: Value = serde_json::from_str(&hostile_as("inspect")).unwrap();
    let contents: Vec<&Value> = log["samples"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|sample| sample["messages"].as_array().unwrap())
        .map(|message| &message["content"])
        .collect();
    assert!(contents.contains(&&json!(HOSTILE)), "a word of a transcript is what it was");
    let spans = lines(&hostile_as("otlp"));
    let values: Vec<String> = spans.iter().map(Value::to_string).collect();
    assert!(values.iter().any(|text| text.contains(&json!(format!("tools/call {HOSTILE}")).to_string())));
}

#[test]
fn a_log_of_inspect_has_a_sample_per_trial_and_no_score_without_evidence() {
    let run = golden::golden();
    let log: Value = serde_json::from_str(&golden_as("inspect")).unwrap();
    let samples = log["samples"].as_array().unwrap();
    assert_eq!(samples.len(), run.results.len());
    let ids: BTreeSet<(String, u64)> = samples
        .iter()
        .map(|s| (s["id"].as_str().unwrap().to_owned(), s["epoch"].as_u64().unwrap()))
        .collect();
    assert_eq!(ids.len(), samples.len(), "sample and epoch name a trial");
    let of = |case: &str| samples.iter().find(|sample| sample["metadata"]["case"] == case).unwrap();
    assert_eq!(of("rate-limited").get("scores"), None);
    assert!(of("rate-limited")["error"]["message"].as_str().unwrap().contains("429"));
    assert_eq!(of("stock")["scores"]["outcome"]["value"], "C");
    let roles: Vec<&str> =
        of("stock")["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "tool", "assistant"]);
}

#[test]
fn a_trial_is_a_trace() {
    let mut traces = BTreeSet::new();
    for line in lines(&golden_as("otlp")) {
        let spans = line["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
        let root = &spans[0];
        assert_eq!(root["traceId"].as_str().unwrap().len(), 32);
        assert!(root.get("parentSpanId").is_none());
        let ids: BTreeSet<&str> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), spans.len(), "spans have ids of their own");
        for span in &spans {
            let at = |key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
            assert!(at("startTimeUnixNano") <= at("endTimeUnixNano"));
            assert_eq!(span["traceId"], root["traceId"]);
            assert!(span == root || span["parentSpanId"] == root["spanId"]);
        }
        assert!(traces.insert(root["traceId"].as_str().unwrap().to_owned()), "a trace is one trial");
    }
    assert_eq!(traces.len(), golden::golden().results.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any Unicode at all leaves documents that their readers take.
    #[test]
    fn any_text_leaves_sound_documents(words in proptest::collection::vec(any::<char>(), 0..40)) {
        let words: String = words.into_iter().collect();
        let access = Trial::new(CaseKind::Access, &words, &words, 2).guarded(&words, Grade::Fail, &words, (7, 9));
        let run = run_of([Trial::new(CaseKind::Use, &words, &words, 1).finding(&words, Grade::Fail, &words, (7, 9)), access]);
        let mut like = golden_transcript::hostile();
        like.started = words.clone();
        for format in FORMATS {
            sound(format.name, &rendered(&run, format.name, (&words, &like)));
        }
    }
}

/// For tests/interop/formats: every format of the golden and the hostile run as files.
#[test]
fn written_out_for_readers_elsewhere() {
    let Some(folder) = std::env::var_os("REHEARSAL_FORMATS_OUT") else { return };
    for format in FORMATS {
        for (name, text) in [("golden", golden_as(format.name)), ("hostile", hostile_as(format.name))] {
            let folder = std::path::Path::new(&folder).join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format.file), text).unwrap();
        }
    }
}
