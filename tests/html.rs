//! The HTML report from golden, hostile and large runs. With `REHEARSAL_PAGES=FOLDER` the pages are written there, for
//! the tests in a browser (`tests/interop/browser/run.sh`).
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

#[path = "support/golden.rs"]
mod golden;
#[path = "support/golden_transcript.rs"]
mod golden_transcript;
#[path = "support/payloads.rs"]
mod payloads;

use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine;
use golden::{Trial, run_of};
use rehearsal::gate::decide;
use rehearsal::ids::CaseKey;
use rehearsal::report::archive::{Archive, Before, Kept, PastRun};
use rehearsal::report::html::{self, Limits};
use rehearsal::report::losses::Lost;
use rehearsal::report::{Summary, View};
use rehearsal::score::access::{Access, Used};
use rehearsal::score::{Grade, Outcome};
use rehearsal::store::record::RunRecord;
use rehearsal::transcript::{CaseKind, End, Side};
use serde_json::Value;

/// Transcripts in memory.
#[derive(Default)]
struct Shelf {
    trials: BTreeMap<CaseKey, Kept>,
    earlier: BTreeMap<CaseKey, Kept>,
    before: Option<Before>,
    past: Vec<PastRun>,
}

impl Archive for Shelf {
    fn trial(&self, key: CaseKey) -> Option<Kept> {
        self.trials.get(&key).cloned()
    }

    fn before(&self) -> Option<Before> {
        self.before.clone()
    }

    fn earlier(&self, key: CaseKey) -> Option<Kept> {
        self.earlier.get(&key).cloned()
    }

    fn past(&self) -> Vec<PastRun> {
        self.past.clone()
    }
}

/// Every trial of a run with a transcript whose words are `words` of its number.
fn shelf(run: &RunRecord, words: impl Fn(usize) -> String) -> Shelf {
    let kept = |(at, result): (usize, &rehearsal::store::record::CaseResult)| {
        let mut transcript = golden_transcript::transcript(&words(at), result.end.clone());
        transcript.header = result.header.clone();
        (result.header.key, Kept { transcript, verdict: result.verdict.clone() })
    };
    Shelf { trials: run.results.iter().enumerate().map(kept).collect(), ..Shelf::default() }
}

/// The golden run after one in which nothing failed, and one case was run that is no more.
fn golden_shelf(run: &RunRecord) -> Shelf {
    let mut shelf = shelf(run, |_| "Your order is on its way.".to_owned());
    let use_cases = run.results.iter().filter(|result| result.header.kind == CaseKind::Use);
    let mut trials: Vec<_> = use_cases.map(|result| (result.header.clone(), Some(Outcome::Pass))).collect();
    for (header, _) in &trials {
        let mut transcript = golden_transcript::transcript("It comes on 28 November.", End::Done);
        transcript.header = header.clone();
        let kept = Kept { transcript, verdict: Some(golden_transcript::golden().1) };
        shelf.earlier.insert(header.key, kept);
    }
    trials.push((Trial::new(CaseKind::Use, "retired", "customer", 1).0.header, Some(Outcome::Fail)));
    shelf.before =
        Some(Before { run: "0193a1b1".to_owned(), started: "2026-11-20T09:00:00Z".to_owned(), trials });
    let past = |run: &str, passed, failed| PastRun {
        run: run.to_owned(),
        started: "2026-11-20T09:00:00Z".to_owned(),
        passed,
        failed,
        invalid: 0,
    };
    shelf.past = vec![past("0193a1b0", 20, 4), past("0193a1b1", 22, 1)];
    shelf
}

fn page(run: &RunRecord, shelf: &Shelf, limits: Limits) -> String {
    let decision = decide(run);
    let summary = Summary::of(&View {
        run,
        decision: &decision,
        run_file: "reports/runs/bookshop/0193a1b2.sqlite".to_owned(),
        program: "rehearsal".to_owned(),
        next: vec!["rehearsal show 0193a1b2 late-order".to_owned()],
        fits: vec![],
        lost: Lost::new(),
        after: rehearsal::report::causes::After::default(),
    });
    let mut bytes = vec![];
    html::render_within(&summary, shelf, limits, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn keep(name: &str, page: &str) {
    if let Some(folder) = std::env::var_os("REHEARSAL_PAGES") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(name), page).unwrap();
    }
}

/// What stands in the block of an id, inflated.
fn block(page: &str, id: &str) -> Option<Value> {
    let start = format!("<script type=\"application/octet-stream;base64\" id=\"{id}\">");
    let text = page.split_once(&start)?.1.split_once('<')?.0;
    let packed = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let mut json = vec![];
    flate2::read::DeflateDecoder::new(packed.as_slice()).read_to_end(&mut json).unwrap();
    Some(serde_json::from_slice(&json).unwrap())
}

/// The page without script, style, data and the digests of the policy: what can be read.
fn readable(page: &str) -> String {
    let cut = |text: &str, from: &str, to: &str| {
        let mut out = String::new();
        let mut rest = text;
        while let Some((head, tail)) = rest.split_once(from) {
            out.push_str(head);
            rest = tail.split_once(to).unwrap().1;
        }
        out + rest
    };
    let text = cut(&cut(page, "<script", "</script>"), "<style>", "</style>");
    let digest = regex::Regex::new("sha256-[A-Za-z0-9+/=]{44}").unwrap();
    digest.replace_all(&text, "sha256-…").into_owned()
}

/// The elements of a page in order with the names of their attributes, without any text.
fn skeleton(page: &str) -> Vec<String> {
    let tag = regex::Regex::new(r#"<!DOCTYPE html>|</?[a-z0-9]+(?: [A-Za-z0-9-]+(?:="[^"]*")?)*>"#).unwrap();
    let name = regex::Regex::new(r#" ([A-Za-z0-9-]+)="[^"]*""#).unwrap();
    let all: Vec<String> = tag
        .captures_iter(page)
        .map(|tag| name.replace_all(tag.get(0).unwrap().as_str(), " $1").into_owned())
        .collect();
    assert_eq!(all.len(), page.matches('<').count(), "every `<` begins an element of ours");
    all
}

#[test]
fn the_golden_page_reads_well() {
    let run = golden::golden();
    let page = page(&run, &golden_shelf(&run), Limits::default());
    keep("golden.html", &page);
    insta::assert_snapshot!("html", readable(&page));
    assert_eq!(page.matches("<script").count(), page.matches("</script>").count());
    assert!(
        !page.contains("http-equiv=\"Content-Security-Policy\" content=\"\"")
            && !page.contains("unsafe-inline")
    );
}

#[test]
fn a_trial_is_found_through_the_index() {
    let run = golden::golden();
    let page = page(&run, &golden_shelf(&run), Limits::default());
    let index = block(&page, "index").unwrap();
    let late = index["cases"].as_array().unwrap().iter().find(|case| case["id"] == "late-order").unwrap();
    assert_eq!((&late["state"], &late["was"]), (&"fail".into(), &"3/3".into()));
    let [first, second] = [0, 1].map(|number| &late["trials"][number]);
    assert_eq!([&first["o"], &second["o"]], ["pass", "fail"]);
    let at = |trial: &Value| {
        let place = &trial["at"];
        let block = block(&page, &format!("b{}", place[0])).unwrap();
        block[place[1].as_u64().unwrap() as usize].clone()
    };
    let failed = at(second);
    assert_eq!(failed["findings"][1]["grade"], "fail");
    assert_eq!(failed["before"]["run"], "0193a1b1", "the run before went another way");
    assert_eq!(failed["before"]["events"][2]["parts"][0]["text"], "It comes on 28 November.");
    assert_eq!(at(first)["before"], Value::Null, "it passed then as well");
    let titles: Vec<&str> =
        failed["events"].as_array().unwrap().iter().map(|event| event["title"].as_str().unwrap()).collect();
    assert_eq!(titles.len(), 30, "no event is lost: {titles:?}");
    assert!(!titles.contains(&"event"), "every kind of event has words: {titles:?}");
}

#[test]
fn two_renderings_are_the_same() {
    let run = golden::golden();
    let once = page(&run, &golden_shelf(&run), Limits::default());
    assert_eq!(once, page(&run.clone(), &golden_shelf(&run), Limits::default()));
}

#[test]
fn failures_are_kept_first_and_what_is_left_out_is_said() {
    let trial = |case: &str, fails: bool| {
        let trial = Trial::new(CaseKind::Use, case, "customer", 1);
        if fails { trial.finding("c", Grade::Fail, "it does not", (7, 9)) } else { trial }
    };
    let run = run_of((0..40).map(|n| trial(&format!("case-{n:02}"), n >= 35)));
    let shelf = shelf(&run, |n| format!("{n} ").repeat(200));
    let limits = Limits { bytes: usize::MAX, raw: 200_000 };
    let page = page(&run, &shelf, limits);
    let index = block(&page, "index").unwrap();
    let kept = |state: &str| {
        let cases = index["cases"].as_array().unwrap().iter().filter(|case| case["state"] == state);
        cases.filter(|case| case["trials"][0]["at"].is_array()).count()
    };
    assert_eq!(kept("fail"), 5, "every failure");
    assert!(kept("pass") < 35);
    let left = 35 - kept("pass");
    assert!(page.contains(&format!("{left} left out to stay within its size (0 of them failed)")));
    let all = crate::page(&run, &shelf, Limits::default());
    assert!(!all.contains("left out to stay"));
}

/// A run in which word `n` stands wherever a word can stand in case `n`.
fn run_with(words: &[String]) -> RunRecord {
    let trials = words.iter().zip(1..).flat_map(|(word, line): (&String, u32)| {
        let name = |prefix: &str| format!("{prefix}{word}");
        let at = (1 + line % 15, 3);
        let mut failed = Trial::new(CaseKind::Use, word, &name("p"), 1)
            .finding(word, Grade::Fail, word, at)
            .advice(word, word, at);
        let passed = Trial::new(CaseKind::Use, word, &name("p"), 2).finding(word, Grade::Pass, word, at);
        let known = Trial::new(CaseKind::Use, &name("k"), &name("q"), 1).finding(word, Grade::Fail, word, at);
        let invalid = Trial::new(CaseKind::Use, &name("i"), &name("r"), 1).faulted(Side::Model, word, word);
        let access = Trial::new(CaseKind::Access, &name("access/"), &name("s"), 1)
            .guarded(word, Grade::Fail, word, at)
            .sight(word, (Some(false), Some(Used::Allowed)), Access::Leak);
        let auth = Trial::new(CaseKind::Auth, &name("a"), &name("t"), 1).guarded(word, Grade::Fail, word, at);
        let skipped = Trial::new(CaseKind::Auth, &name("s"), &name("u"), 1).skipped(word, at);
        failed.0.tool_calls = vec![word.clone()];
        let trials = [failed, passed, known.known(word), invalid, access, auth, skipped];
        trials.map(|trial| trial.placed(line))
    });
    let mut run = run_of(trials);
    for result in &mut run.results {
        let word = words[result.header.origin.line as usize - 1].clone();
        if result.header.kind == CaseKind::Use {
            result.header.model = Some(format!("m{word}").as_str().into());
        }
        result.header.client = format!("c{word}").as_str().into();
        result.header.key.question = rehearsal::ids::Digest::of(
            format!("{}{}", result.header.origin.line, result.header.case.as_str().len()).as_bytes(),
        );
        result.header.key.model =
            rehearsal::ids::Digest::of(format!("{:?}{}", result.header.kind, result.header.case).as_bytes());
        for finding in result.verdict.iter_mut().flat_map(|verdict| &mut verdict.findings) {
            finding.origin.file = word.as_str().into();
        }
    }
    let first = words[0].clone();
    let manifest = &mut run.manifest;
    manifest.suite = first.as_str().into();
    manifest.target.clone_from(&first);
    manifest.judge = Some(first.clone());
    manifest.version.clone_from(&first);
    manifest.inputs = words.iter().map(|word| (word.clone(), format!("{word}\n").repeat(20))).collect();
    run.stops.push(rehearsal::store::record::Stop { code: "run.interrupted".to_owned(), message: first });
    run
}

/// The page of such a run; with transcripts or without, which take their time.
fn page_with(words: &[String], transcripts: bool) -> String {
    let run = run_with(words);
    let mut shelf = if transcripts { shelf(&run, |_| String::new()) } else { Shelf::default() };
    for (key, kept) in &mut shelf.trials {
        let word = &words[kept.transcript.header.origin.line as usize - 1];
        let header = kept.transcript.header.clone();
        let mut earlier = golden_transcript::transcript(&format!("was {word}"), End::Done);
        earlier.header = header.clone();
        shelf.earlier.insert(*key, Kept { transcript: earlier, verdict: kept.verdict.clone() });
        let end = kept.transcript.end.clone();
        kept.transcript = golden_transcript::transcript(word, end);
        kept.transcript.header = header;
    }
    let trials = run.results.iter().filter(|result| result.header.kind == CaseKind::Use);
    let trials = trials.map(|result| (result.header.clone(), Some(Outcome::Pass))).collect();
    let before = words[0].clone();
    shelf.past =
        vec![PastRun { run: before.clone(), started: before.clone(), passed: 1, failed: 1, invalid: 0 }];
    shelf.before = Some(Before { run: before.clone(), started: before, trials });
    page(&run, &shelf, Limits::default())
}

/// Words that look alike to every rule of the page and do nothing.
fn harmless(words: &[String]) -> Vec<String> {
    (0..words.len()).map(|n| format!("word-{n:03}")).collect()
}

#[test]
fn hostile_words_change_no_element_of_the_page() {
    let words = payloads::payloads();
    assert!(words.len() >= 200, "{}", words.len());
    for (number, some) in words.chunks(25).enumerate() {
        let page = page_with(some, number == 0);
        let [ours, twin] =
            [&page, &page_with(&harmless(some), number == 0)].map(|page| skeleton(&readable(page)));
        let unlike = ours.iter().zip(&twin).position(|(a, b)| a != b);
        let near = |all: &[String]| {
            unlike.map(|at| all[at.saturating_sub(12)..].iter().take(16).cloned().collect::<String>())
        };
        assert_eq!((near(&ours), ours.len()), (near(&twin), twin.len()), "{some:?}");
        for id in
            (0..).map(|number| format!("b{number}")).take_while(|id| page.contains(&format!("id=\"{id}\"")))
        {
            assert!(block(&page, &id).unwrap().is_array());
        }
    }
    if std::env::var_os("REHEARSAL_PAGES").is_some() {
        keep("hostile.html", &page_with(&words, true));
        keep("harmless.html", &page_with(&harmless(&words), true));
    }
}

#[test]
fn an_element_that_gets_in_is_noticed() {
    let twin = skeleton("<p class=\"x\">a</p>");
    assert_eq!(twin, skeleton("<p class=\"y\">&lt;b&gt;</p>"));
    assert_ne!(twin, skeleton("<p class=\"x\"><b>a</b></p>"));
    assert_ne!(twin, skeleton("<p class=\"x\" onclick=\"a\">a</p>"));
}

/// Transcripts that are made when they are asked for, as large as those of real trials with one tool call.
struct Made(BTreeMap<CaseKey, usize>);

impl Archive for Made {
    fn trial(&self, key: CaseKey) -> Option<Kept> {
        let number = *self.0.get(&key)?;
        let words = format!("Order {number} is on its way and comes on day {} of the month. ", number % 28);
        let mut transcript = golden_transcript::transcript(&words, End::Done);
        transcript.events.truncate(12);
        Some(Kept { transcript, verdict: Some(golden_transcript::golden().1) })
    }
}

/// Renders a run of so many trials; the page and the seconds it took.
fn large(trials: usize) -> (String, f64) {
    let run = run_of((0..trials).map(|n| {
        let trial = Trial::new(CaseKind::Use, &format!("case-{:05}", n / 5), "customer", n as u32 % 5 + 1);
        let grade = if n % 17 == 0 { Grade::Fail } else { Grade::Pass };
        trial.finding("answer_contains", grade, "expected the answer to contain `28 November`", (8, 9))
    }));
    let keys = run.results.iter().enumerate().map(|(at, result)| (result.header.key, at));
    let made = Made(keys.collect());
    let decision = decide(&run);
    let view = View {
        run: &run,
        decision: &decision,
        run_file: "large.sqlite".to_owned(),
        program: "rehearsal".to_owned(),
        next: vec![],
        fits: vec![],
        lost: Lost::new(),
        after: rehearsal::report::causes::After::default(),
    };
    let summary = Summary::of(&view);
    let begun = std::time::Instant::now();
    let mut bytes = vec![];
    html::render(&summary, &made, &mut bytes).unwrap();
    (String::from_utf8(bytes).unwrap(), begun.elapsed().as_secs_f64())
}

#[test]
#[ignore = "a measurement: cargo test --release --test html -- --ignored --nocapture"]
fn ten_thousand_trials_take_two_seconds_and_a_hundred_thousand_twenty() {
    for (trials, most) in [(10_000, 2.0), (100_000, 20.0)] {
        let (page, seconds) = large(trials);
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
        println!("{trials} trials: {} bytes in {seconds:.2} s, {peak}", page.len());
        if trials == 10_000 {
            keep("large.html", &page);
            assert!(page.len() < 15_000_000, "{} bytes", page.len());
        }
        assert!(seconds < most, "{seconds} s");
    }
}
