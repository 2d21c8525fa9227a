//! The live block at the usual widths, the lines, and hostile words in both.

use std::time::Duration;

use super::block::{self, Look};
use super::board::{Around, Board, Terms};
use super::keys::{Keys, Shown};
use super::scene::{Counts, Money, Row, Scene};
use crate::diag::Origin;
use crate::gate::compared::Standings;
use crate::ids::{CaseKey, Digest};
use crate::llm::pace::Strain;
use crate::report::paint::Style;
use crate::report::wrap::width;
use crate::run::{Path, Scored, Step};
use crate::score::Outcome;
use crate::stats::Tally;
use crate::store::record::Stop;
use crate::transcript::glance::{Doing, Moment};
use crate::transcript::{CaseHeader, CaseKind, Glance};

/// Words that would act on a terminal.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\r\n##[error]\u{202e}東京\u{200b}\u{9b}2J";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn row(names: [&str; 3], moment: (u32, Doing), since: u64) -> Row {
    let (turn, doing) = moment;
    Row { names: names.map(str::to_owned), trial: 2, moment: Moment { turn, doing }, since: secs(since) }
}

fn scene() -> Scene {
    let strain = |provider: &str, under_way, (pause, refusals)| Strain {
        provider: provider.to_owned(),
        under_way,
        at_once: 20,
        pause: secs(pause),
        refusals,
    };
    Scene {
        elapsed: secs(760),
        total: 2_000,
        counts: Counts {
            done: 1_260,
            passed: 1_121,
            failed: 58,
            mixed: 31,
            expected: 4,
            invalid: 50,
            tolerated: Some(0.05),
            skipped: 27,
            again: 12,
        },
        left: Some([401.0, 533.0]),
        money: Money {
            spent: 26.1,
            unpriced: 0,
            most: Some(60.0),
            end: Some([41.1, 44.4]),
            judge: 4.2,
            tokens: [3_100_000, 400_200],
        },
        strains: vec![strain("openai", 14, (19, 27)), strain("anthropic at localhost", 20, (0, 0))],
        stopping: false,
        paused: false,
        below: Some([3, 38]),
        keys: Some(Keys { at_once: 34, ..Keys::default() }),
        running: vec![
            row(["refunds/partial", "luna", "agent"], (3, Doing::Model), 74),
            row(["search/synonyms", "opus", "viewer"], (1, Doing::Tool("search".into())), 2),
            row(["東京都庁への注文", "luna", "admin"], (2, Doing::Again(Some(429))), 6),
            row(["refunds/currency", "luna", "admin"], (0, Doing::Scoring), 9),
        ],
        more: 10,
    }
}

fn shown(scene: &Scene, (width, height): (usize, usize), style: Style) -> String {
    block::lines(scene, Look { width, height, style }).join("\n")
}

#[test]
fn the_block_at_the_usual_widths() {
    for width in [60, 80, 120, 200] {
        for (style, name) in [(Style::Plain, ""), (Style::Colour, "_colour"), (Style::Ascii, "_ascii")] {
            let text = shown(&scene(), (width, 24), style);
            insta::assert_snapshot!(format!("block_{width}{name}"), text.replace('\u{1b}', "␛"));
        }
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    let escapes = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    let colour = shown(&scene(), (80, 24), Style::Colour);
    assert!(colour.contains('\u{1b}'));
    assert_eq!(escapes.replace_all(&colour, ""), shown(&scene(), (80, 24), Style::Plain));
    assert!(shown(&scene(), (80, 24), Style::Ascii).is_ascii());
}

#[test]
fn the_block_fits_any_terminal() {
    for wide in [20, 33, 60, 80, 120, 200] {
        for height in [1, 4, 10, 24] {
            for style in [Style::Plain, Style::Ascii] {
                let lines = block::lines(&scene(), Look { width: wide, height, style });
                assert!(lines.len() < height.max(2), "{} lines of {height}", lines.len());
                for line in lines {
                    assert!(width(&line) <= wide, "{} of {wide}: {line}", width(&line));
                }
            }
        }
    }
}

#[test]
fn beginnings_and_ends() {
    let begun = Scene { total: 3, ..Scene::default() };
    insta::assert_snapshot!("begun", shown(&begun, (60, 24), Style::Plain));
    let running = vec![row(["a", "-", "b"], (0, Doing::Target), 3)];
    let counts = Counts { done: 2, passed: 1, failed: 1, ..Counts::default() };
    let money = Money { unpriced: 2, ..Money::default() };
    let over = Scene { counts, money, stopping: true, running, total: 3, ..Scene::default() };
    insta::assert_snapshot!("over", shown(&over, (60, 24), Style::Plain));
    insta::assert_snapshot!("beat", block::beat(&scene(), Style::Plain));
    insta::assert_snapshot!("beat_ascii", block::beat(&begun, Style::Ascii));
}

#[test]
fn the_keys_are_at_the_foot_and_a_pause_is_seen() {
    let with = |keys: Keys| Scene { keys: Some(keys), ..scene() };
    let keys = Keys { at_once: 34, ..Keys::default() };
    let paused = Scene { paused: true, ..with(keys) };
    let both = [60, 120].map(|wide| shown(&paused, (wide, 24), Style::Plain));
    insta::assert_snapshot!("paused", both.join("\n"));
    insta::assert_snapshot!("paused_beat", block::beat(&paused, Style::Plain));
    let helped = with(Keys { help: true, ..keys });
    let both = [60, 80].map(|wide| shown(&helped, (wide, 24), Style::Plain));
    insta::assert_snapshot!("keys", both.join("\n"));
    let stopping = Scene { stopping: true, ..paused };
    insta::assert_snapshot!("stopping", shown(&stopping, (60, 24), Style::Plain));
    let none = shown(&Scene { keys: None, ..scene() }, (80, 24), Style::Plain);
    assert!(!none.contains("p pause"), "{none}");
}

#[test]
fn where_there_is_little_room_only_names_are_cut() {
    let mut large = scene();
    large.total = 2_000_000;
    large.counts.done = 1_260_000;
    large.counts.invalid = 100_000;
    large.more = 4_092;
    large.strains[0].provider = "openai_responses at a-long-name.example.com".to_owned();
    (large.strains[0].at_once, large.strains[0].refusals) = (4_096, 123_456);
    large.running[1] = row(
        ["a/case", "a-model-of-old", "somebody"],
        (12, Doing::Tool("s".repeat(64).as_str().into())),
        9_000,
    );
    for stopping in [false, true] {
        large.stopping = stopping;
        for wide in [60, 80, 120] {
            for line in block::lines(&large, Look { width: wide, height: 30, style: Style::Plain }) {
                let tool = line.contains("#2 turn 12, tool sss");
                assert!(tool || !line.ends_with('…'), "{wide}: {line}");
            }
        }
    }
    let text = shown(&large, (60, 30), Style::Plain);
    assert!(text.contains("1,260,000/2,000,000  stopping, 4,096 under way"), "{text}");
    assert!(text.contains("14/4,096, waits 20 s, ×123,456"), "{text}");
}

fn header(case: &str, trial: u32) -> CaseHeader {
    let question = Digest::of(case.as_bytes());
    CaseHeader {
        key: CaseKey { question, model: Digest::none(), trial },
        suite: "refunds".into(),
        case: case.into(),
        kind: CaseKind::Use,
        model: Some("luna".into()),
        persona: "viewer".into(),
        client: "reference".into(),
        trial,
        tags: vec![],
        origin: Origin { file: "suites/refunds.yaml".into(), line: 40, column: 5 },
    }
}

fn scored(case: &str, trial: u32, outcome: Outcome) -> Scored {
    let fails = outcome == Outcome::Fail;
    let path = Path {
        wanted: vec!["get_order".into()],
        called: ["get_order", "refund", "refund"].map(Into::into).into(),
    };
    let mut scored = Scored::sketch(header(case, trial), Some(outcome));
    scored.why = (outcome != Outcome::Pass).then(|| "`refund` was called, and must not be".to_owned());
    scored.place = Some(Origin { file: "suites/refunds.yaml".into(), line: 42, column: 9 });
    scored.path = fails.then_some(path);
    scored.fault = (outcome == Outcome::Invalid).then(|| "model.rate-limited".to_owned());
    (scored.cost, scored.judge_cost) = (0.01, 0.002);
    (scored.tokens, scored.took_ms) = ([900, 40], 8_100);
    scored
}

fn board(verbose: bool) -> Board {
    let terms = Terms {
        begun: secs(0),
        most: Some(1.0),
        before: 0.25,
        tolerated: Some(0.05),
        verbose,
        style: Style::Plain,
    };
    Board::new(terms, 40)
}

/// Cases that passed ten of ten.
fn against(cases: &[&str]) -> Standings {
    let lanes = cases.iter().map(|case| header(case, 1).key);
    Standings::of(lanes, Tally { trials: 10, passed: 10 }, 5)
}

fn said(board: &mut Board, step: &Step<'_>, at: u64) -> Vec<String> {
    let lines = board.step(step, secs(at));
    lines.into_iter().map(|line| format!("{}|{}", line.mark.map_or("", |mark| mark.1), line.text)).collect()
}

#[test]
fn failures_are_told_as_they_happen_with_both_ways() {
    let mut board = board(false);
    let fail = scored("over-limit", 1, Outcome::Fail);
    let lines = said(&mut board, &Step::Scored(&fail), 1);
    insta::assert_snapshot!("failure_line", lines.join("\n"));
    assert_eq!(
        said(&mut board, &Step::Scored(&scored("over-limit", 2, Outcome::Pass)), 2),
        Vec::<String>::new()
    );
    let mut known = scored("known", 1, Outcome::Fail);
    known.expected_failure = true;
    assert_eq!(said(&mut board, &Step::Scored(&known), 2), Vec::<String>::new());
    let counts = board.scene(secs(3), Around::default()).counts;
    assert_eq!((counts.done, counts.passed, counts.failed, counts.mixed, counts.expected), (3, 1, 1, 1, 1));
    let mut nothing = scored("quiet", 1, Outcome::Fail);
    nothing.path = Some(Path::default());
    assert!(said(&mut board, &Step::Scored(&nothing), 4)[0].contains("want no call, got no call"));
}

#[test]
fn trials_without_a_verdict_are_collapsed() {
    let mut board = board(false);
    let mut lines = vec![];
    for trial in 1..=120 {
        lines.extend(said(&mut board, &Step::Scored(&scored("a", trial, Outcome::Invalid)), 1));
    }
    insta::assert_snapshot!("collapsed", lines.join("\n"));
}

#[test]
fn verbose_tells_everything() {
    let mut board = board(true);
    let again = said(&mut board, &Step::Again(&scored("a", 1, Outcome::Invalid)), 1);
    assert!(again[0].ends_with("; it runs again"), "{again:?}");
    assert_eq!(said(&mut board, &Step::Scored(&scored("a", 2, Outcome::Pass)), 1).len(), 1);
    let scene = board.scene(secs(2), Around::default());
    assert_eq!((scene.counts.again, scene.counts.done), (1, 1), "what runs again does not count yet");
    assert!((scene.money.spent - 0.27).abs() < 1e-9, "but it costs: {}", scene.money.spent);
}

#[test]
fn a_log_is_never_silent_for_long_and_beats_no_more_often_than_it_must() {
    let mut board = board(false);
    assert!(!board.beats(secs(29)));
    assert!(board.beats(secs(30)), "after half a minute of silence");
    assert!(!board.beats(secs(59)));
    said(&mut board, &Step::Scored(&scored("a", 1, Outcome::Fail)), 59);
    assert!(!board.beats(secs(62)), "a line was said three seconds ago, and little has happened");
    said(&mut board, &Step::Scored(&scored("a", 2, Outcome::Pass)), 63);
    assert!(board.beats(secs(63)), "a twentieth of the trials since the last heartbeat");
    assert!(!board.beats(secs(64)));
    assert!(board.beats(secs(93)));
}

#[test]
fn the_scene_follows_the_trials() {
    let mut board = board(false);
    let glance = Glance::default();
    for trial in 1..=7 {
        said(&mut board, &Step::Started(&header("a", trial), &glance), u64::from(trial));
    }
    said(&mut board, &Step::Scored(&scored("a", 1, Outcome::Pass)), 8);
    let scene = board.scene(secs(10), Around::default());
    assert_eq!((scene.running.len(), scene.more, scene.running[0].trial), (4, 2, 2), "the oldest are shown");
    assert_eq!((scene.running[0].since, scene.stopping, scene.left), (secs(8), false, None));
    for trial in 2..=7 {
        said(&mut board, &Step::Scored(&scored("a", trial, Outcome::Pass)), 12);
    }
    let scene = board.scene(secs(14), Around { stopping: true, ..Around::default() });
    assert!(scene.running.is_empty() && scene.left.is_some() && scene.stopping);
    assert_eq!(scene.money.tokens, [7 * 900, 7 * 40]);
    let [low, high] = scene.money.end.unwrap();
    assert!((low - 0.65).abs() < 1e-6 && (high - 0.65).abs() < 1e-6, "forty like trials: {low} to {high}");
    let stop = Stop { code: "run.budget".to_owned(), message: format!("spent {HOSTILE}") };
    let lines = said(&mut board, &Step::Stopping(&stop), 15);
    assert!(lines[0].starts_with("|stopping: spent ␛]0;owned␇"), "{lines:?}");
    assert!(board.scene(secs(15), Around::default()).stopping);
}

#[test]
fn a_key_shows_more_trials_under_way_or_none() {
    let mut board = board(false);
    for trial in 1..=9 {
        said(&mut board, &Step::Started(&header("a", trial), &Glance::default()), 0);
    }
    let mut keys = Keys::default();
    let mut rows = vec![];
    for _ in 0..4 {
        let scene = board.scene(secs(1), Around { keys: Some(keys), ..Around::default() });
        assert_eq!(scene.running.len() + scene.more, 9);
        let text = shown(&scene, (80, 20), Style::Plain);
        rows.push((scene.running.len(), text.lines().filter(|line| line.starts_with("  ▸")).count()));
        assert_eq!(text.contains("  9 under way"), keys.shown == Shown::Nothing, "{text}");
        keys.shown = keys.shown.next();
    }
    assert_eq!(rows, [(4, 4), (9, 9), (0, 0), (4, 4)]);
}

#[test]
fn a_pause_is_no_pace() {
    let left = |pause: u64| {
        let mut board = board(false);
        for trial in 1..=20 {
            let at = u64::from(trial) + if trial > 10 { pause } else { 0 };
            board.looks(secs(at - 1), trial == 11 && pause > 0);
            said(&mut board, &Step::Started(&header("a", trial), &Glance::default()), at - 1);
            board.looks(secs(at), false);
            said(&mut board, &Step::Scored(&scored("a", trial, Outcome::Pass)), at);
        }
        let scene = board.scene(secs(20 + pause), Around::default());
        assert_eq!(scene.elapsed, secs(20 + pause), "the clock goes on");
        scene.left.unwrap()
    };
    assert_eq!(left(0), left(3_600));
}

#[test]
fn trials_under_way_in_a_pause_are_work() {
    let mut board = board(false);
    said(&mut board, &Step::Started(&header("a", 1), &Glance::default()), 0);
    for trial in 1..=5 {
        said(&mut board, &Step::Started(&header("a", trial + 1), &Glance::default()), 6 * u64::from(trial));
        board.looks(secs(6 * u64::from(trial)), true);
        said(&mut board, &Step::Scored(&scored("a", trial, Outcome::Pass)), 6 * u64::from(trial));
    }
    let [least, most] = board.scene(secs(30), Around::default()).left.unwrap();
    assert!(least > 60.0 && most > 200.0, "35 trials of six seconds each: {least} {most}");
}

#[test]
fn cases_below_their_baseline_are_counted() {
    let mut board = board(false);
    assert_eq!(board.scene(secs(1), Around::default()).below, None, "nothing is compared");
    board.compares(against(&["a", "b", "c"]));
    said(&mut board, &Step::Scored(&scored("a", 1, Outcome::Fail)), 1);
    said(&mut board, &Step::Scored(&scored("b", 1, Outcome::Pass)), 1);
    said(&mut board, &Step::Scored(&scored("new", 1, Outcome::Fail)), 1);
    let scene = board.scene(secs(2), Around::default());
    assert_eq!(scene.below, Some([1, 2]));
    let text = block::beat(&scene, Style::Plain);
    assert!(text.contains("  1 of 2 cases below their baseline so far  "), "{text}");
}

#[test]
fn hostile_words_do_nothing() {
    let mut hostile = scene();
    hostile.running = vec![row([HOSTILE; 3], (1, Doing::Tool(HOSTILE.into())), 1)];
    hostile.strains[0].provider = HOSTILE.to_owned();
    let mut fail = scored(HOSTILE, 1, Outcome::Fail);
    fail.header.model = Some(HOSTILE.into());
    fail.header.persona = HOSTILE.into();
    fail.why = Some(HOSTILE.repeat(40));
    fail.place = Some(Origin { file: HOSTILE.into(), line: 1, column: 1 });
    fail.path = Some(Path { wanted: vec![HOSTILE.into()], called: vec![HOSTILE.into(); 2] });
    let mut invalid = scored("a", 1, Outcome::Invalid);
    invalid.fault = Some(HOSTILE.to_owned());
    let mut board = board(false);
    let mut text = said(&mut board, &Step::Scored(&fail), 1).join("\n");
    for _ in 0..10 {
        text.extend(said(&mut board, &Step::Scored(&invalid), 1));
    }
    for wide in [20, 60, 200] {
        text.push_str(&shown(&hostile, (wide, 24), Style::Plain));
    }
    for c in text.chars() {
        assert!(c == '\n' || !crate::display::is_unsafe(c), "U+{:04X} in {text}", c as u32);
    }
    assert!(!text.contains("##["), "{text}");
    assert!(text.contains("owned"), "it is shown, not hidden");
}
