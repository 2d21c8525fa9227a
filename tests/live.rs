//! The program as a person watches it: on a pseudo-terminal that is read back cell by cell, and in logs.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly, look at files and measure time"
)]

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

const LONG: Duration = Duration::from_secs(60);

/// Words that would act on a terminal: a title, a cleared screen, a line written over, a command to a CI system.
const HOSTILE: &str = r"\e]0;owned\x07 \e[2J \r ##[error]no \u202e";

fn suite(dir: &Path, trials: u32, case: &str) {
    fs::create_dir_all(dir.join("suites")).unwrap();
    let text = format!(
        "version: 1\nname: slow\ntarget: {{command: [rehearsal, demo-server], transport: stdio}}\n\
         auth: {{issuer: none}}\npersonas: [anonymous]\ntrials: {trials}\n{case}"
    );
    fs::write(dir.join("suites/slow.yaml"), text).unwrap();
}

const LEXICAL: &str = "models: [lexical]\ncases:\n  - id: hello\n    prompt: Do you have books by Le Guin?\n    expect: [{no_tool_errors: true}]\n";

fn hostile() -> String {
    format!(
        "models: [scripted]\ncases:\n  - id: hello\n    prompt: Hello.\n    \
         expect: [{{answer_contains: never}}, {{tool_called: search_books}}]\n    \
         script: [{{say: \"no {HOSTILE}\"}}]\n"
    )
}

fn program(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    for name in ["CI", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "LC_ALL", "LC_CTYPE"] {
        command.env_remove(name);
    }
    command.args(args).current_dir(dir).envs([("TERM", "xterm-256color"), ("LANG", "C.UTF-8")]);
    command.stdin(Stdio::null());
    command
}

/// The program on a terminal of its own.
struct Terminal {
    child: Child,
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
    size: (u16, u16),
}

impl Terminal {
    fn start(mut command: Command, (rows, columns): (u16, u16)) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, vec![]).unwrap();
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let slave = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let child = command.stdout(slave()).stderr(slave()).spawn().unwrap();
        // The parent's ends of the terminal are closed with the command.
        drop(command);
        let bytes = Arc::new(Mutex::new(vec![]));
        let kept = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let (mut master, mut buffer) = (File::from(master), [0; 4096]);
            // Linux answers EIO when nobody holds the other end any more.
            while let Ok(read @ 1..) = master.read(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        Self { child, bytes, reader, size: (rows, columns) }
    }

    /// What stands on the screen now.
    fn screen(&self) -> String {
        contents(&self.bytes.lock().unwrap(), self.size)
    }

    fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if holds(&screen) {
                return screen;
            }
            assert!(begun.elapsed() < LONG, "{what} did not come in a minute:\n{screen}");
            sleep(Duration::from_millis(20));
        }
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end: the exit code, the last screen and every byte.
    fn end(mut self) -> (Option<i32>, String, Vec<u8>) {
        let code = self.child.wait().unwrap().code();
        self.reader.join().unwrap();
        let bytes = self.bytes.lock().unwrap().clone();
        (code, contents(&bytes, self.size), bytes)
    }
}

/// What stands on a screen of so many rows and columns after these bytes.
fn contents(bytes: &[u8], (rows, columns): (u16, u16)) -> String {
    let size = |cells: u16| std::num::NonZero::new(cells).unwrap();
    let mut parser = vt100::Parser::new(size(rows), size(columns), 0);
    parser.process(bytes);
    let rows: Vec<String> = parser.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
    rows.join("\n").trim_end().to_owned()
}

/// The live block, by what only it holds.
fn has_block(screen: &str) -> bool {
    screen.contains(" trials") && screen.lines().any(|line| line.contains('░') || line.contains("────"))
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
