//! Quarantine: what its rules are, what it keeps quiet and what it does not, and that it is seen on page one.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

#[path = "support/golden.rs"]
mod golden;

use golden::{Trial, run_of};
use jiff::civil::{Date, date};
use rehearsal::gate::{Exit, GateVerdict, decide};
use rehearsal::report::losses::Lost;
use rehearsal::report::{Style, Summary, View, format, terminal};
use rehearsal::score::Grade;
use rehearsal::store::record::RunRecord;
use rehearsal::suite::quarantine::{Quarantined, check};
use rehearsal::suite::{Project, Request, Suite};
use rehearsal::transcript::CaseKind;

/// Golden runs start on 21 November 2026.
const TODAY: Date = date(2026, 11, 21);

fn entry(case: &str, until: Date) -> Quarantined {
    Quarantined {
        case: case.into(),
        owner: "Ann".to_owned(),
        until,
        since: Some(date(2026, 11, 12)),
        why: "the carrier answers late now and then".to_owned(),
        origin: rehearsal::diag::Origin { file: golden::FILE.into(), line: 20, column: 5 },
    }
}

fn suite(entries: &str) -> Suite {
    let cases: String = (0..10)
        .map(|at| format!("  - {{id: c{at}, prompt: Hello, expect: [{{answer_contains: x}}]}}\n"))
        .collect();
    let text = format!(
        "version: 1\ntarget: {{url: 'http://127.0.0.1:9/mcp'}}\nmodels: [lexical]\ncases:\n{cases}quarantine: [{entries}]\n"
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("suites/s.yaml");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    let loaded = Project::new(dir.path().to_owned()).load(&path, &Request::default());
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    loaded.suite.unwrap()
}

#[test]
fn an_entry_lasts_two_weeks_at_most_and_then_holds_no_more() {
    let codes = |until: &str, since: &str| {
        let suite = suite(&format!("{{case: c1, owner: Ann, until: {until}, why: late{since}}}"));
        check(&suite, TODAY).iter().map(|found| (found.code, found.severity)).collect::<Vec<_>>()
    };
    use rehearsal::diag::Severity::{Error, Warning};
    assert_eq!(codes("2026-11-21", ""), vec![], "the last day counts");
    assert_eq!(codes("2026-12-05", ""), vec![]);
    assert_eq!(codes("2026-12-06", ""), vec![("suite.quarantine", Error)]);
    assert_eq!(codes("2026-11-20", ""), vec![("suite.quarantine-over", Warning)]);
    assert_eq!(codes("2026-12-01", ", since: 2026-11-22"), vec![("suite.quarantine", Error)]);
}

#[test]
fn check_says_when_an_entry_is_over() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("suites")).unwrap();
    let cases: String = (0..10)
        .map(|at| format!("  - {{id: c{at}, prompt: Hello, expect: [{{answer_contains: x}}]}}\n"))
        .collect();
    let text = format!(
        "version: 1\ntarget: {{url: 'http://127.0.0.1:9/mcp'}}\nmodels: [lexical]\ncases:\n{cases}quarantine:\n  - {{case: c1, owner: Ann, until: 2020-01-01, why: late}}\n"
    );
    std::fs::write(dir.path().join("suites/s.yaml"), text).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["check", "s"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("warning[suite.quarantine-over]") && told.contains("s.yaml:16:"), "{told}");
}

fn failing(case: &str, check: &str) -> Vec<Trial> {
    let trial = |number| Trial::new(CaseKind::Use, case, "customer", number);
    (1..=3).map(|number| trial(number).finding(check, Grade::Fail, "it does not hold", (7, 9))).collect()
}

fn run(trials: Vec<Trial>, entries: Vec<Quarantined>) -> RunRecord {
    let steady = (0..9).map(|at| {
        Trial::new(CaseKind::Use, &format!("steady-{at}"), "customer", 1).finding(
            "c",
            Grade::Pass,
            "it holds",
            (7, 9),
        )
    });
    let mut run = run_of(trials.into_iter().chain(steady));
    run.manifest.gate.quarantine = entries;
    run
}

#[test]
fn a_case_under_quarantine_raises_no_alarm_until_it_is_over() {
    let until = |day| vec![entry("late", day)];
    let loud = decide(&run(failing("late", "c"), vec![]));
    assert_eq!((loud.verdict, loud.exit), (GateVerdict::Fail, Exit::Fail));
    let quiet = decide(&run(failing("late", "c"), until(TODAY)));
    assert_eq!((quiet.verdict, quiet.exit), (GateVerdict::Pass, Exit::Pass), "{quiet:?}");
    let over = decide(&run(failing("late", "c"), until(date(2026, 11, 20))));
    assert_eq!(over.exit, Exit::Fail);
    let other = decide(&run(failing("other", "c"), until(TODAY)));
    assert_eq!(other.exit, Exit::Fail);
}

#[test]
fn leaks_and_forbidden_tools_are_never_quiet() {
    let under = || vec![entry("late", TODAY)];
    let forbidden = decide(&run(failing("late", "tool_not_called"), under()));
    assert_eq!(forbidden.exit, Exit::Fail);
    let leak = Trial::new(CaseKind::Use, "late", "customer", 1).guarded(
        "not_reached",
        Grade::Fail,
        "`refund_order` was reached",
        (7, 9),
    );
    assert_eq!(decide(&run(vec![leak], under())).exit, Exit::Security);
    let access = Trial::new(CaseKind::Access, "late", "customer", 1).finding("c", Grade::Fail, "no", (7, 9));
    assert_eq!(decide(&run(vec![access], under())).exit, Exit::Fail);
}

#[test]
fn size_and_age_stand_on_page_one() {
    let run = run(
        failing("late", "c"),
        vec![
            entry("late", date(2026, 11, 25)),
            Quarantined { since: None, ..entry("steady-1", date(2026, 11, 1)) },
        ],
    );
    let decision = decide(&run);
    let view = View {
        run: &run,
        decision: &decision,
        run_file: "reports/runs/bookshop/0193a1b2.sqlite".to_owned(),
        program: "rehearsal".to_owned(),
        next: vec![],
        fits: vec![],
        lost: Lost::new(),
    };
    let text = terminal::render(&view, Style::Plain, 100);
    let head: String = text.lines().take(12).map(|line| format!("{line}\n")).collect();
    insta::assert_snapshot!("quarantine_terminal", head);
    let mut markdown = vec![];
    (format("markdown").unwrap().render)(&Summary::of(&view), &mut markdown).unwrap();
    let markdown = String::from_utf8(markdown).unwrap();
    let head: String = markdown.lines().take(14).map(|line| format!("{line}\n")).collect();
    insta::assert_snapshot!("quarantine_markdown", head);
    let summary = serde_json::to_value(Summary::of(&view)).unwrap();
    let stamp = &summary["quarantine"];
    assert_eq!((&stamp["cases"], &stamp["oldest_days"]), (&1.into(), &9.into()));
    assert_eq!(stamp["entries"][0]["days_left"], 5);
    assert_eq!(stamp["entries"][1]["days_left"], 0);
}
