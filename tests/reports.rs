//! Every report format from golden, hostile and random runs.
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

use golden::{Trial, run_of};
use proptest::prelude::*;
use rehearsal::drive::fit::{Fit, Item, Kind, Misfit};
use rehearsal::gate::decide;
use rehearsal::report::losses::Lost;
use rehearsal::report::summary::Totals;
use rehearsal::report::transcript_text::{self, Detail, Look};
use rehearsal::report::{FORMATS, Style, Summary, View, figures, format, terminal};
use rehearsal::score::Grade;
use rehearsal::store::record::RunRecord;
use rehearsal::transcript::{CaseKind, Loss, Side};
use serde_json::Value;

/// What clients make of a server whose words are hostile.
fn fits() -> Vec<Fit> {
    let item = |tool: &str, detail: &str| Item { tool: Some(tool.into()), detail: detail.to_owned() };
    let misfit =
        |kind: Kind, items| Misfit { kind, level: kind.level(), about: kind.about().to_owned(), items };
    let hostile = "`|</details>\u{1b}[31m::error::@all";
    vec![
        Fit {
            client: "reference".into(),
            misfits: vec![
                misfit(Kind::ResultCut, vec![item("get_order", "10 of 60 characters fall out: the middle")]),
                misfit(Kind::OneByOne, vec![item("get_order", "no hint"), item("find_books", "no hint")]),
                misfit(Kind::NameCut, vec![item(hostile, hostile)]),
            ],
        },
        Fit {
            client: "gemini-cli".into(),
            misfits: vec![misfit(Kind::NameCut, vec![item(hostile, hostile)])],
        },
        Fit { client: "zed".into(), misfits: vec![] },
        Fit { client: "cline-cli".into(), misfits: vec![misfit(Kind::NameCollides, vec![item("a", "b")])] },
    ]
}

/// What models' APIs do not take of it.
fn lost() -> Lost {
    let hostile = "`|</details>\u{1b}[31m::error::@all";
    let loss = |tool: &str, place: &str, what: &str| Loss {
        tool: tool.into(),
        place: place.into(),
        what: what.into(),
    };
    Lost::from([(
        "gpt-x".into(),
        [
            loss("get_order", "/inputSchema/properties/id/minimum", "left out"),
            loss(hostile, hostile, hostile),
        ]
        .into(),
    )])
}

fn with_view<T>(run: &RunRecord, use_it: impl FnOnce(&View<'_>) -> T) -> T {
    let decision = decide(run);
    let next = vec!["rehearsal show 0193a1b2 late-order".to_owned(), "rehearsal resume 0193a1b2".to_owned()];
    let run_file = "reports/runs/bookshop/0193a1b2.sqlite".to_owned();
    use_it(&View {
        run,
        decision: &decision,
        run_file,
        program: "rehearsal".to_owned(),
        next,
        fits: fits(),
        lost: lost(),
        after: rehearsal::report::causes::After::default(),
    })
}

fn rendered(run: &RunRecord, name: &str) -> String {
    let format = format(name).expect("a known format");
    let mut bytes = vec![];
    with_view(run, |view| format.write(&Summary::of(view), &(), &mut bytes)).expect("it renders");
    String::from_utf8(bytes).expect("reports are UTF-8")
}

fn terminal_text(run: &RunRecord, style: Style, width: u16) -> String {
    with_view(run, |view| terminal::render(view, style, width))
}

#[test]
fn the_golden_run_reads_well_in_a_terminal() {
    let run = golden::golden();
    insta::assert_snapshot!("terminal_100", terminal_text(&run, Style::Plain, 100));
    insta::assert_snapshot!("terminal_60", terminal_text(&run, Style::Plain, 60));
    insta::assert_snapshot!("terminal_80_ascii", terminal_text(&run, Style::Ascii, 80));
    let coloured = terminal_text(&run, Style::Colour, 100);
    insta::assert_snapshot!("terminal_100_colour", coloured.replace('\u{1b}', "␛"));
    assert_eq!(
        uncoloured(&coloured),
        terminal_text(&run, Style::Plain, 100),
        "colour only repeats what is there"
    );
}

#[test]
fn a_run_that_holds_is_short() {
    let trials = (1..=3).map(|trial| Trial::new(CaseKind::Use, "late-order", "customer", trial));
    let mut run = run_of(trials.chain([Trial::new(CaseKind::Auth, "auth/A01", "anonymous", 1)]));
    run.manifest.judge = None;
    insta::assert_snapshot!(terminal_text(&run, Style::Plain, 100), @r"
    rehearsal 0.1.0 · bookshop · 4 trials · run 0193a1b2-0000-7000-8000-000000000001

       case        model    persona   trials   time     cost
    ✓  late-order  lexical  customer  ✓✓✓     1.2 s  $0.0036

    ✓ 1 auth check, all hold

      pass rate   100.0 % (one case, no interval) · pass^3 100.0 % · 1 case
      reliable    3/3 passes: the failure rate of these cases could still be 63.2 %
      effort      median (95th percentile) of a trial: 1 (1) calls, 0.4 s (0.4 s), 310 (310) tokens in,
      │           25 (25) tokens out, $0.0012 ($0.0012)
      trials      4 trials: 4 passed, 0 failed, 0 invalid
      clients     reference: 1 warning (result_cut); warnings under 1 other client: cline-cli
      not taken   gpt-x: 2 losses in 2 tools
      spent       $0.0036 · 930 tokens in, 75 out · 6 model calls, 3 tool calls
                  lexical $0.0036: $0.0036 per case, $0.0036 per passing case, 930 tokens in, 75 out
      run file    reports/runs/bookshop/0193a1b2.sqlite

    PASSED  exit 0 (pass)

      next  1  rehearsal show 0193a1b2 late-order
            2  rehearsal resume 0193a1b2
    ");
}

#[test]
fn the_golden_run_in_every_file_format() {
    let run = golden::golden();
    for name in ["json", "markdown", "junit"] {
        insta::assert_snapshot!(name, rendered(&run, name));
    }
    wellformed::check(&rendered(&run, "junit"));
}

#[test]
fn a_transcript_reads_well() {
    let (transcript, verdict) = golden_transcript::golden();
    let text = |style, width, detail| {
        transcript_text::render(&transcript, Some(&verdict), Look { style, width, detail })
    };
    insta::assert_snapshot!("transcript", text(Style::Plain, 80, Detail::Brief));
    insta::assert_snapshot!("transcript_wire", text(Style::Plain, 80, Detail::Wire));
    assert_eq!(uncoloured(&text(Style::Colour, 80, Detail::Brief)), text(Style::Plain, 80, Detail::Brief));
    let hostile = golden_transcript::hostile();
    for detail in [Detail::Brief, Detail::Wire] {
        for style in [Style::Plain, Style::Ascii, Style::Colour] {
            let text = transcript_text::render(&hostile, None, Look { style, width: 80, detail });
            harmless(&uncoloured(&text), "transcript");
        }
    }
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    for run in [golden::golden(), golden::hostile()] {
        for format in FORMATS {
            assert_eq!(rendered(&run, format.name), rendered(&run.clone(), format.name), "{}", format.name);
        }
        assert_eq!(terminal_text(&run, Style::Colour, 100), terminal_text(&run, Style::Colour, 100));
    }
}

#[test]
fn no_line_is_wider_than_the_terminal_but_commands() {
    for (run, width) in [
        (golden::golden(), 60_u16),
        (golden::golden(), 100),
        (golden::hostile(), 72),
        (golden::hostile(), 120),
    ] {
        for line in terminal_text(&run, Style::Plain, width).lines() {
            let command =
                line.contains("rehearsal show") || line.contains("next  1") || line.starts_with("        2");
            let cells = unicode_width::UnicodeWidthStr::width(line);
            assert!(command || cells <= usize::from(width), "{cells} cells: {line}");
        }
    }
}

#[test]
fn hostile_words_do_nothing_anywhere() {
    let run = golden::hostile();
    for style in [Style::Plain, Style::Colour, Style::Ascii] {
        for width in [60, 80, 100, 120] {
            harmless(&uncoloured(&terminal_text(&run, style, width)), "terminal");
        }
    }
    // The others have forms of their own: see tests/formats.rs.
    for format in FORMATS.iter().filter(|format| format.always) {
        harmless(&rendered(&run, format.name), format.name);
    }
    serde_json::from_str::<Value>(&rendered(&run, "json")).expect("valid JSON");
    wellformed::check(&rendered(&run, "junit"));
    let active = wellformed::outside_code(&rendered(&run, "markdown"));
    for bad in ["![", "](", "@everyone", "<img", "<script", "evil.example", "alert(1)"] {
        assert!(!active.contains(bad), "`{bad}` is active in:\n{active}");
    }
    assert_eq!(active.matches("<!--").count(), 1, "only our own marker");
}

#[test]
fn a_huge_run_stays_within_the_size_of_a_comment() {
    let why = "x".repeat(1500);
    let run = run_of((0..400).map(|n| {
        Trial::new(CaseKind::Use, &format!("case-{n}"), "customer", 1).finding("c", Grade::Fail, &why, (7, 9))
    }));
    let text = rendered(&run, "markdown");
    assert!(text.chars().count() <= 60_000, "{}", text.chars().count());
    assert!(text.contains("Left out to stay within 60,000 characters: "), "what was dropped is said");
    assert!(regex::Regex::new(r"characters: \d+ cases[,;]").unwrap().is_match(&text), "{text}");
    assert!(text.contains("rehearsal resume"), "the end is kept");
}

/// No control byte, no character that hides or reorders text, no line that a CI runner would obey.
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

/// The text without this program's own colours.
fn uncoloured(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        let (head, tail) = rest.split_at(at);
        out.push_str(head);
        let end = tail.find('m').expect("only colours");
        assert!(tail[2..end].bytes().all(|b| b.is_ascii_digit() || b == b';'), "only colours");
        rest = &tail[end + 1..];
    }
    out + rest
}

fn random_run() -> impl Strategy<Value = RunRecord> {
    let trial = (0..5_u32, 0..4_u32, 0..2_u32, any::<bool>(), 0..3_u32);
    proptest::collection::vec(trial, 1..30).prop_map(|drawn| {
        let mut missing = vec![];
        let mut trials = vec![];
        for ((case, fate, persona, priced, known), number) in drawn.into_iter().zip(1..) {
            let persona = ["customer", "clerk"][persona as usize];
            let kind = if case == 4 { CaseKind::Access } else { CaseKind::Use };
            let trial = Trial::new(kind, &format!("case-{case}"), persona, number);
            let trial = if case == 3 && known == 0 { trial.known("known") } else { trial };
            let trial = if priced { trial } else { trial.unpriced() };
            match fate {
                0 => trials.push(trial.finding("c", Grade::Pass, "it holds", (7, 9))),
                1 => trials.push(trial.finding("c", Grade::Fail, "it does not", (7, 9))),
                2 => trials.push(trial.faulted(Side::Judge, "judge.unusable", "no answer")),
                _ => missing.push(trial.0.header),
            }
        }
        let mut run = run_of(trials);
        run.missing = missing;
        run
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// One summary, one set of numbers.
    #[test]
    fn all_formats_show_the_same_numbers(run in random_run()) {
        let json: Value = serde_json::from_str(&rendered(&run, "json")).expect("JSON");
        let [junit, markdown, html] = ["junit", "markdown", "html"].map(|name| rendered(&run, name));
        let terminal = terminal_text(&run, Style::Plain, 120);
        let number = |key: &str| json["totals"][key].as_u64().expect("a count") as u32;
        let cases = json["cases"].as_array().expect("cases");
        let recount = |outcome: &str| cases.iter().flat_map(|case| case["trials"].as_array().expect("trials"))
            .filter(|trial| trial["outcome"] == outcome).count() as u32;
        prop_assert_eq!([number("passed"), number("failed"), number("invalid")], [recount("pass"), recount("fail"), recount("invalid")]);
        prop_assert_eq!(number("trials"), run.results.len() as u32);
        prop_assert_eq!(number("missing"), run.missing.len() as u32);

        let totals = figures::totals(&Totals {
            trials: number("trials"), passed: number("passed"), failed: number("failed"), expected: number("expected"), invalid: number("invalid"),
            skipped: number("skipped"), missing: number("missing"), invalid_share: json["totals"]["invalid_share"].as_f64(), cases: number("cases"),
        });
        prop_assert!(terminal.contains(&totals), "{totals}\n{terminal}");
        prop_assert!(markdown.contains(&totals) && html.contains(&totals));
        for key in ["trials", "passed", "failed", "invalid", "missing"] {
            let property = format!("<property name=\"{key}\" value=\"{}\"/>", number(key));
            prop_assert!(junit.contains(&property));
        }
        let states = |wanted: &[&str]| cases.iter().filter(|case| wanted.contains(&case["state"].as_str().unwrap_or(""))).count();
        let head = format!("tests=\"{}\" skipped=\"{}\" failures=\"{}\" errors=\"{}\"", cases.len(),
            states(&["expected-failure", "missing"]), states(&["fail", "security", "unexpected-pass"]), states(&["undecided", "invalid"]));
        prop_assert!(junit.contains(&head), "{head}\n{junit}");
        for rate in json["rates"].as_array().expect("rates") {
            if let Some(share) = rate["pass_rate"].as_f64() {
                let share = figures::percent(share);
                for text in [&terminal, &markdown, &junit, &html] {
                    prop_assert!(text.contains(&share), "{share}");
                }
            }
        }
        let usage = &json["usage"];
        let cost = figures::money(usage["cost"].as_f64(), usage["unpriced_trials"].as_u64().unwrap_or(0) as u32);
        for text in [&terminal, &markdown, &junit, &html] {
            prop_assert!(text.contains(&cost), "{cost}");
        }
        let exit = json["exit_code"].as_u64().expect("a code");
        let exits = [format!("exit {exit} ("), format!("name=\"exit_code\" value=\"{exit}\"")];
        prop_assert!(html.contains(&exits[0]) && terminal.contains(&exits[0]) && markdown.contains(&exits[0]));
        prop_assert!(junit.contains(&exits[1]));
    }

    /// Any Unicode at all leaves well-formed documents.
    #[test]
    fn any_text_leaves_valid_documents(why in proptest::collection::vec(any::<char>(), 0..60)) {
        let why: String = why.into_iter().collect();
        let run = run_of([Trial::new(CaseKind::Use, &why, &why, 1).finding(&why, Grade::Fail, &why, (7, 9))]);
        wellformed::check(&rendered(&run, "junit"));
        let json = rendered(&run, "json");
        prop_assert!(serde_json::from_str::<Value>(&json).is_ok());
        for text in [json, rendered(&run, "markdown"), terminal_text(&run, Style::Plain, 80)] {
            harmless(&text, "report");
        }
    }
}
