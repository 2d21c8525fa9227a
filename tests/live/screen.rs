//! The program on a pseudo-terminal that is read back cell by cell.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{SpecialCodeIndex, Winsize, tcgetattr, tcsetwinsize};

/// Nothing takes longer.
const LONG: Duration = Duration::from_secs(60);

pub(crate) fn suite(dir: &Path, trials: u32, case: &str) {
    fs::create_dir_all(dir.join("suites")).unwrap();
    let text = format!(
        "version: 1\nname: slow\ntarget: {{command: [rehearsal, demo-server], transport: stdio}}\n\
         auth: {{issuer: none}}\npersonas: [anonymous]\ntrials: {trials}\n{case}"
    );
    fs::write(dir.join("suites/slow.yaml"), text).unwrap();
}

pub(crate) const LEXICAL: &str = "models: [lexical]\ncases:\n  - id: hello\n    prompt: Do you have books by Le Guin?\n    expect: [{no_tool_errors: true}]\n";

pub(crate) fn program(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    for name in ["CI", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "LC_ALL", "LC_CTYPE"] {
        command.env_remove(name);
    }
    command.args(args).current_dir(dir).envs([("TERM", "xterm-256color"), ("LANG", "C.UTF-8")]);
    command.stdin(Stdio::null());
    command
}

/// These words, and the program behind them, in its environment.
pub(crate) fn shell(dir: &Path, words: &[&str]) -> Command {
    let program = program(dir, &[]);
    let mut shell = Command::new(words[0]);
    shell.args(&words[1..]).arg(program.get_program()).current_dir(dir);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// Where standard input is from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stdin {
    AsItIs,
    Keyboard,
}

/// The program on a terminal of its own.
pub(crate) struct Terminal {
    child: Child,
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
    size: (u16, u16),
    /// The end of whoever types.
    keyboard: File,
}

impl Terminal {
    /// The command with its output on a terminal, and standard input elsewhere.
    pub(crate) fn start(command: Command, size: (u16, u16)) -> Self {
        Self::on(command, size, Stdin::AsItIs)
    }

    /// The command with a keyboard.
    pub(crate) fn with_keyboard(command: Command, size: (u16, u16)) -> Self {
        Self::on(command, size, Stdin::Keyboard)
    }

    fn on(mut command: Command, (rows, columns): (u16, u16), stdin: Stdin) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        // It hangs up when this end is closed, and not when everybody's is.
        fcntl_setfd(&master, FdFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, vec![]).unwrap();
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let slave = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        if stdin == Stdin::Keyboard {
            command.stdin(slave());
        }
        let keyboard = File::from(master.try_clone().unwrap());
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
        Self { child, bytes, reader, size: (rows, columns), keyboard }
    }

    /// What stands on the screen now.
    pub(crate) fn screen(&self) -> String {
        contents(&self.bytes.lock().unwrap(), self.size)
    }

    pub(crate) fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
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

    /// Types this.
    pub(crate) fn types(&self, keys: &str) {
        (&self.keyboard).write_all(keys.as_bytes()).unwrap();
    }

    /// How the terminal takes what is typed. None of it is compared but by itself.
    pub(crate) fn modes(&self) -> String {
        let modes = tcgetattr(&self.keyboard).unwrap();
        let least = modes.special_codes[SpecialCodeIndex::VMIN];
        format!("{:?} {:?} {least}", modes.input_modes, modes.local_modes)
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The same; the terminal takes what is typed as it did.
    pub(crate) fn end_with_modes(mut self, before: &str) -> (Option<i32>, String, Vec<u8>) {
        self.child.wait().unwrap();
        assert_eq!(self.modes(), before);
        self.end()
    }

    /// Waits for the end: the exit code, the last screen and every byte.
    pub(crate) fn end(mut self) -> (Option<i32>, String, Vec<u8>) {
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
pub(crate) fn has_block(screen: &str) -> bool {
    screen.contains(" trials") && screen.lines().any(|line| line.contains('░') || line.contains("────"))
}
