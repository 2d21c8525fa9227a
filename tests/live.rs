//! The program as a person watches it: on a pseudo-terminal that is read back cell by cell, and in logs.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly, look at files and measure time"
)]

use std::fs::{self, File};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use screen::{LEXICAL, Terminal, has_block, program, suite};

#[path = "live/keys.rs"]
mod keys;
#[path = "live/screen.rs"]
mod screen;

/// Words that would act on a terminal: a title, a cleared screen, a line written over, a command to a CI system.
const HOSTILE: &str = r"\e]0;owned\x07 \e[2J \r ##[error]no \u202e";

fn hostile() -> String {
    format!(
        "models: [scripted]\ncases:\n  - id: hello\n    prompt: Hello.\n    \
         expect: [{{answer_contains: never}}, {{tool_called: search_books}}]\n    \
         script: [{{say: \"no {HOSTILE}\"}}]\n"
    )
}

#[test]
fn the_block_is_drawn_and_ctrl_c_leaves_a_clean_screen() {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path(), 500, LEXICAL);
    let terminal = Terminal::start(program(dir.path(), &["eval", "slow", "-j", "2"]), (40, 100));
    let screen = terminal.until("the block", |screen| has_block(screen) && screen.contains("left"));
    assert!(screen.contains("of 500 trials"), "{screen}");
    assert!(screen.contains("  hello  lexical  anonymous"), "trials under way are shown:\n{screen}");
    assert_eq!(screen.matches(" of 500 trials").count(), 1, "it is redrawn, not repeated:\n{screen}");
    terminal.send(Signal::INT);
    let screen = terminal.until("the first signal", |screen| screen.contains("stopping: no new trials"));
    let said = screen.lines().position(|line| line.contains("stopping: no new trials")).unwrap();
    let block = screen.lines().position(|line| line.contains(" of 500 trials"));
    assert!(block.is_none_or(|block| said < block), "what is said stands above the block:\n{screen}");
    terminal.send(Signal::INT);
    let (code, screen, _) = terminal.end();
    assert_eq!(code, Some(130), "{screen}");
    assert!(!has_block(&screen) && !screen.contains("under way"), "the block is gone:\n{screen}");
    assert!(screen.contains("exit 130 (interrupted)"), "{screen}");
}

#[test]
fn the_third_ctrl_c_leaves_a_clean_screen_too() {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path(), 500, LEXICAL);
    let terminal = Terminal::start(program(dir.path(), &["eval", "slow", "-j", "2"]), (30, 80));
    terminal.until("the block", has_block);
    for _ in 0..3 {
        terminal.send(Signal::INT);
    }
    let (code, screen, _) = terminal.end();
    assert!(code == Some(130), "{code:?}");
    assert!(!has_block(&screen), "{screen}");
}

#[test]
fn hostile_words_are_shown_and_not_obeyed() {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path(), 3, &hostile());
    for columns in [40, 120] {
        let terminal =
            Terminal::start(program(dir.path(), &["--progress", "block", "eval", "slow"]), (400, columns));
        let (code, screen, bytes) = terminal.end();
        assert_eq!(code, Some(1), "{screen}");
        assert!(screen.contains("␛]0;owned␇"), "{screen}");
        assert!(screen.starts_with("running 3 trials"), "nothing cleared the screen:\n{screen}");
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("\u{1b}]") && !text.contains('\u{7}') && !text.contains('\u{202e}'));
        assert!(!text.contains("\u{1b}[2J") && !text.contains("##["));
    }
}

#[test]
fn a_failure_is_told_with_its_line_and_both_ways() {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path(), 1, &hostile().replace(HOSTILE, ""));
    let output = program(dir.path(), &["eval", "slow"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let line = said.lines().find(|line| line.starts_with("✗ hello")).unwrap_or_else(|| panic!("{said}"));
    assert!(
        line.contains("suites/slow.yaml:11") && line.contains("want search_books, got no call"),
        "{line}"
    );
}

/// Runs a failing suite and gives what it printed on both streams.
fn log(args: &[&str], env: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path(), 2, &hostile());
    let output = program(dir.path(), args).envs(env.iter().copied()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8([output.stderr, output.stdout].concat()).unwrap()
}

#[test]
fn logs_hold_no_escapes_and_no_carriage_returns() {
    let eval = ["eval", "slow"];
    for env in [&[][..], &[("NO_COLOR", "1")], &[("TERM", "dumb")], &[("CI", "1")], &[("FORCE_COLOR", "0")]] {
        let text = log(&eval, env);
        assert!(!text.contains(['\u{1b}', '\r']), "{env:?}: {text}");
        assert!(text.contains("exit 1 (fail)"), "{text}");
    }
    for env in [("NO_COLOR", "1"), ("TERM", "dumb"), ("CI", "1")] {
        let dir = tempfile::tempdir().unwrap();
        suite(dir.path(), 2, &hostile());
        let mut command = program(dir.path(), &eval);
        command.envs([env]);
        let (_, screen, bytes) = Terminal::start(command, (60, 100)).end();
        // The terminal itself ends lines with carriage return and line feed.
        let text = String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
        let colour = env.0 == "CI" && text.contains('\u{1b}');
        assert!(!text.contains(['\u{1b}', '\r']) && !colour, "on a terminal with {env:?}: {screen}");
    }
}

#[test]
fn colour_can_be_forced_and_forbidden() {
    let escapes = |args: &[&str], env: &[(&str, &str)]| log(args, env).contains("\u{1b}[");
    let eval = ["eval", "slow"];
    assert!(escapes(&eval, &[("FORCE_COLOR", "1")]));
    assert!(escapes(&eval, &[("CLICOLOR_FORCE", "1")]));
    assert!(!escapes(&eval, &[("FORCE_COLOR", "1"), ("NO_COLOR", "1")]));
    assert!(escapes(&["--color", "always", "eval", "slow"], &[("NO_COLOR", "1")]));
    assert!(!escapes(&["--color", "never", "eval", "slow"], &[("FORCE_COLOR", "1")]));
}

#[test]
fn places_without_utf_8_get_ascii() {
    let eval = ["eval", "slow"];
    for env in [&[("TERM", "dumb")][..], &[("LC_ALL", "C")], &[("LANG", "de_DE.ISO-8859-1")]] {
        let text = log(&eval, env);
        assert!(text.is_ascii(), "{env:?}: {text}");
        assert!(text.contains("FAIL hello"), "{text}");
    }
    for env in [&[("LC_ALL", "en_US.utf8"), ("LANG", "C")][..], &[("LANG", "")]] {
        assert!(log(&eval, env).contains("✗ hello"), "{env:?}");
    }
}

#[test]
fn a_report_into_a_file_is_plain_while_a_person_watches() {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path(), 1, LEXICAL);
    let out = File::create(dir.path().join("out")).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec '{}' eval slow >out", env!("CARGO_BIN_EXE_rehearsal"))]);
    drop(out);
    command
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .env_remove("CI");
    let (code, screen, _) = Terminal::start(command, (30, 80)).end();
    assert_eq!(code, Some(0), "{screen}");
    let text = fs::read_to_string(dir.path().join("out")).unwrap();
    assert!(text.contains("PASSED") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn quiet_draws_nothing() {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path(), 2, LEXICAL);
    let (code, screen, bytes) = Terminal::start(program(dir.path(), &["-q", "eval", "slow"]), (30, 80)).end();
    assert_eq!(code, Some(0));
    assert!(!has_block(&screen) && !screen.contains("running"), "{screen}");
    assert!(!String::from_utf8(bytes).unwrap().contains("trials  "), "{screen}");
}
