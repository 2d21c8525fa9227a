//! Keys while a run goes on, and the terminal afterwards.

use std::path::Path;
#[cfg(target_os = "linux")]
use std::process::Command;

use rustix::process::Signal;

use crate::screen::{LEXICAL, Terminal, has_block, program, shell, suite};

const SIZE: (u16, u16) = (30, 80);

/// A long run with a keyboard, once keys are read, and the modes of its terminal before.
fn long(dir: &Path, args: &[&str]) -> (Terminal, String) {
    suite(dir, 500, LEXICAL);
    let terminal = Terminal::with_keyboard(program(dir, args), SIZE);
    let before = terminal.modes();
    terminal.until("the keys", |screen| screen.contains("p pause"));
    assert_ne!(terminal.modes(), before, "keys come one by one");
    (terminal, before)
}

const EVAL: &[&str] = &["eval", "slow", "-j", "2"];

/// How many trials have ended.
fn ended(screen: &str) -> Option<u32> {
    let line = screen.lines().find(|line| line.contains(" of 500 trials"))?;
    line.split(" of 500 trials").next()?.split(' ').next_back()?.parse().ok()
}

/// The clock of the block.
fn clock(screen: &str) -> Option<String> {
    let line = screen.lines().find(|line| line.contains(" of 500 trials"))?;
    line.split_whitespace().next().map(str::to_owned)
}

#[test]
fn a_pause_starts_nothing_and_what_is_under_way_finishes() {
    let dir = tempfile::tempdir().unwrap();
    let (terminal, before) = long(dir.path(), EVAL);
    terminal.types("p");
    let screen = terminal.until("the pause", |screen| screen.contains("paused, 0 under way"));
    assert!(screen.contains("p go on"), "{screen}");
    let (count, then) = (ended(&screen), clock(&screen));
    assert!(count.is_some(), "{screen}");
    let screen = terminal.until("a second", |screen| clock(screen).is_some_and(|now| Some(now) != then));
    assert_eq!(ended(&screen), count, "no trial ran in the pause:\n{screen}");
    terminal.types("p");
    terminal.until("the end of the pause", |screen| ended(screen) > count && !screen.contains("paused"));
    terminal.types("p");
    terminal.until("a second pause", |screen| screen.contains("paused, 0 under way"));
    terminal.types("d");
    let (code, screen, _) = terminal.end_with_modes(&before);
    assert_eq!(code, Some(130), "who drains in a pause waits for nobody:\n{screen}");
    assert!(screen.contains("stopping: no new trials"), "{screen}");
}

#[test]
fn keys_change_what_is_shown_and_how_much_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (terminal, before) = long(dir.path(), EVAL);
    terminal.types("t");
    terminal.until("as many as fit", has_block);
    terminal.types("t");
    let screen = terminal.until("no trials", |screen| screen.contains("  2 under way"));
    assert!(!screen.contains("  ▸ "), "{screen}");
    terminal.types("t");
    terminal.until("trials again", |screen| screen.contains("  ▸ "));
    terminal.types("+");
    let screen = terminal.until("a seat more", |screen| screen.contains("+/- 3 at once"));
    assert!(screen.contains("p pause · d drain · t trials"), "{screen}");
    terminal.until("a third trial", |screen| screen.matches("  ▸ ").count() == 3);
    terminal.types("?");
    let screen = terminal.until("help", |screen| screen.contains("no trial begins until p is pressed again"));
    assert!(!screen.contains("p pause"), "{screen}");
    // An arrow and a word at once are no key.
    let then = clock(&screen);
    terminal.types("\u{1b}[Ddo");
    terminal.until("a second", |screen| clock(screen).is_some_and(|now| Some(now) != then));
    terminal.types("?");
    terminal.until("no help", |screen| screen.contains("t trials"));
    assert!(!terminal.screen().contains("stopping"), "{}", terminal.screen());
    terminal.types("d");
    terminal.until("the drain", |screen| screen.contains("(Ctrl-C to drop them)"));
    terminal.send(Signal::INT);
    let (code, screen, _) = terminal.end_with_modes(&before);
    assert_eq!(code, Some(130), "{screen}");
    assert!(!has_block(&screen) && screen.contains("exit 130 (interrupted)"), "{screen}");
}

#[test]
fn the_terminal_is_as_it_was_on_every_way_out() {
    let ways = [
        (&[Signal::INT][..], 130),
        (&[Signal::INT; 2], 130),
        (&[Signal::INT; 3], 130),
        (&[Signal::TERM], 143),
        (&[Signal::QUIT], 131),
    ];
    for (signals, wanted) in ways {
        let dir = tempfile::tempdir().unwrap();
        let (terminal, before) = long(dir.path(), EVAL);
        signals.iter().for_each(|signal| terminal.send(*signal));
        let (code, screen, _) = terminal.end_with_modes(&before);
        assert_eq!(code, Some(wanted), "{signals:?}: {screen}");
        assert!(!has_block(&screen), "{signals:?}: {screen}");
    }
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path(), 3, LEXICAL);
    let terminal = Terminal::with_keyboard(program(dir.path(), EVAL), SIZE);
    let before = terminal.modes();
    assert_eq!(terminal.end_with_modes(&before).0, Some(0));
}

#[test]
fn without_a_block_keys_are_answered_in_lines() {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path(), 500, LEXICAL);
    let args = ["--progress", "lines", "eval", "slow", "-j", "2"];
    let terminal = Terminal::with_keyboard(program(dir.path(), &args), SIZE);
    let before = terminal.modes();
    terminal.until("the keys", |screen| screen.contains("keys: p pause"));
    terminal.until("that they are read", |_| terminal.modes() != before);
    terminal.types("-");
    terminal.until("a seat less", |screen| screen.contains("1 trial at once"));
    terminal.types("t");
    terminal.until("trials", |screen| screen.contains("▸  0:0") || screen.contains("no trial is under way"));
    terminal.types("p");
    terminal.until("the pause", |screen| screen.contains("paused: no trial begins"));
    terminal.types("p");
    terminal.until("its end", |screen| screen.contains("the pause is over"));
    terminal.types("d");
    let (code, screen, bytes) = terminal.end_with_modes(&before);
    assert_eq!(code, Some(130), "{screen}");
    let said = String::from_utf8(bytes).unwrap();
    assert!(!said.contains("[2K") && !said.contains("[1A"), "nothing is drawn anew: {said}");
}

#[test]
fn no_key_is_read_where_somebody_else_may_want_it() {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path(), 3, LEXICAL);
    for script in ["printf d | \"$0\" eval slow", "\"$0\" eval slow | cat"] {
        let terminal = Terminal::with_keyboard(shell(dir.path(), &["sh", "-c", script]), SIZE);
        let before = terminal.modes();
        let (code, screen, bytes) = terminal.end_with_modes(&before);
        assert_eq!(code, Some(0), "{screen}");
        assert!(screen.contains("PASSED"), "{screen}");
        assert!(!String::from_utf8(bytes).unwrap().contains("p pause"), "{script}");
    }
}

/// A shell that controls jobs, as one at which a person types; `$0` is the program.
#[cfg(target_os = "linux")]
fn jobs(dir: &Path, script: &str) -> Command {
    shell(dir, &["setsid", "--ctty", "sh", "-mc", script])
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_is_typed_as_ever() {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path(), 500, LEXICAL);
    let terminal = Terminal::with_keyboard(jobs(dir.path(), "\"$0\" eval slow -j 2; echo code=$?"), SIZE);
    terminal.until("the keys", |screen| screen.contains("p pause"));
    terminal.types("\u{3}");
    terminal.until("the drain", |screen| screen.contains("(Ctrl-C again to drop them)"));
    terminal.types("\u{3}");
    let screen = terminal.until("the end", |screen| screen.contains("code="));
    assert!(screen.contains("code=130"), "{screen}");
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_z_gives_the_terminal_back_and_the_run_goes_on_later() {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path(), 500, LEXICAL);
    let script = "\"$0\" eval slow -j 2; echo stopped=$?; stty -a; read line; fg; echo code=$?";
    let terminal = Terminal::with_keyboard(jobs(dir.path(), script), (40, 100));
    let before = terminal.modes();
    terminal.until("the keys", |screen| screen.contains("p pause"));
    terminal.types("\u{1a}");
    let screen = terminal.until("the shell", |screen| screen.contains("echoprt"));
    assert!(screen.contains(" icanon") && screen.contains(" echo "), "{screen}");
    assert!(!screen.contains("code=") && !has_block(&screen), "{screen}");
    assert_eq!(terminal.modes(), before);
    terminal.types("go\n");
    terminal.until("the keys again", |screen| screen.contains("p pause"));
    terminal.until("that they are read", |_| terminal.modes() != before);
    terminal.types("d");
    let screen = terminal.until("the end", |screen| screen.contains("code="));
    assert!(screen.contains("code=130"), "{screen}");
    assert_eq!(terminal.modes(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn a_job_in_the_background_takes_no_keys_and_is_not_stopped() {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path(), 40, LEXICAL);
    let terminal = Terminal::with_keyboard(jobs(dir.path(), "\"$0\" eval slow & wait; echo code=$?"), SIZE);
    let before = terminal.modes();
    terminal.types("d");
    let screen = terminal.until("the end", |screen| screen.contains("code="));
    assert!(screen.contains("code=0"), "{screen}");
    assert!(!screen.contains("p pause") && !screen.contains("stopping"), "{screen}");
    assert_eq!(terminal.modes(), before);
}
