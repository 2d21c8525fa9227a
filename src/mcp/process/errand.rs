//! A program that is run to its end: told something, listened to up to a cap, and ended whole when its time is over.

use std::future::Future;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::{Instant, timeout};

use super::guard::Guard;
use super::{AFTER_TERM, Process, Streams};
use crate::display;
use crate::mcp::Program;

/// How long a program's output is waited for after its end: something that it left behind may hold it open.
const AFTER_END: Duration = Duration::from_millis(500);

/// What is run, and within which bounds.
pub struct Errand<'a> {
    /// The program.
    pub program: &'a Program,
    /// Variables that are secrets.
    pub secrets: &'a [(String, SecretString)],
    /// What is written to its standard input, which ends after that.
    pub stdin: &'a str,
    /// Most bytes of its standard output.
    pub cap: usize,
    /// How long it may take.
    pub within: Duration,
    /// Who ends it when we cannot.
    pub guard: Option<&'a Guard>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its standard output, at most the cap.
    pub stdout: Vec<u8>,
    /// The end of its standard error.
    pub stderr: String,
    /// What became of it.
    pub fate: Fate,
    /// How long it took.
    pub took: Duration,
}

/// What became of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It ended with this code.
    Exited(i32),
    /// It was ended by this signal.
    Killed(i32),
    /// It was ended because its time was over.
    Late,
    /// It was ended because it wrote more than it may.
    Flooded,
    /// It was ended because whoever ran it had enough.
    Stopped,
}

impl Fate {
    /// In words, after the name of the program.
    pub fn words(self) -> String {
        match self {
            Self::Exited(code) => format!("ended with exit code {code}"),
            Self::Killed(signal) => format!("was ended by signal {signal}"),
            Self::Late => "did not end in time".to_owned(),
            Self::Flooded => "wrote more than it may".to_owned(),
            Self::Stopped => "was stopped".to_owned(),
        }
    }
}

impl Ran {
    /// `; its last words were: ...`, or nothing if its standard error was silent.
    pub fn last_words(&self) -> String {
        let lines: Vec<&str> =
            self.stderr.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(3)..];
        let last: Vec<String> = last.iter().map(|line| display::whole_words(line, 300)).collect();
        if last.is_empty() { String::new() } else { format!("; its last words were: {}", last.join(" / ")) }
    }
}

impl Errand<'_> {
    /// Runs it. Dropping the future ends the program with its process group.
    ///
    /// # Errors
    /// It cannot be started; in words.
    pub async fn run(&self) -> Result<Ran, String> {
        self.run_until(std::future::pending::<()>()).await.map(|(ran, _)| ran)
    }

    /// Runs it to its end, or until something else has: it is ended then, what it wrote until its end is kept, and what
    /// `enough` gave is returned beside it. Dropping the future ends the program with its process group.
    ///
    /// # Errors
    /// It cannot be started; in words.
    pub async fn run_until<C>(&self, enough: impl Future<Output = C>) -> Result<(Ran, Option<C>), String> {
        let begun = Instant::now();
        let process = Process::spawn(self.program, self.secrets, Streams::Piped, self.guard)
            .map_err(|error| self.cannot(&error))?;
        let mut stdout = Vec::new();
        let (mut cut, mut late) = (None, false);
        if let Some((to, mut from)) = process.take_pipes() {
            tokio::select! {
                // Who has enough is asked first: the program may end because of the same thing.
                biased;
                why = enough => cut = Some(why),
                heard = timeout(self.within, self.listen(&process, (to, &mut from), &mut stdout)) => late = heard.is_err(),
            }
            if cut.is_some() || late {
                // It is told to end before it is made to, and may say what it has taken.
                let rest = timeout(AFTER_TERM + AFTER_END, self.read(&mut from, &mut stdout));
                let _ = tokio::join!(process.stop_at_once(), rest);
            }
        }
        let flooded = stdout.len() > self.cap;
        process.stop_at_once().await;
        let fate = match process.vitals().exited() {
            _ if cut.is_some() => Fate::Stopped,
            _ if late => Fate::Late,
            _ if flooded => Fate::Flooded,
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => Fate::Exited(code),
                (None, signal) => Fate::Killed(signal.unwrap_or_default()),
            },
            None => Fate::Killed(0),
        };
        stdout.truncate(self.cap);
        let stderr = process.vitals().stderr().since(0);
        Ok((Ran { stdout, stderr, fate, took: begun.elapsed() }, cut))
    }

    /// Until it has ended, or has written too much.
    async fn listen(
        &self,
        process: &Process,
        (mut to, from): (ChildStdin, &mut ChildStdout),
        stdout: &mut Vec<u8>,
    ) {
        let telling = async move {
            // Who does not read what it is told need not.
            let _ = to.write_all(self.stdin.as_bytes()).await;
            let _ = to.flush().await;
            drop(to);
            std::future::pending::<()>().await;
        };
        let reading = async {
            self.read(from, stdout).await;
            if stdout.len() > self.cap {
                return;
            }
            process.vitals().last_breath().await;
            process.vitals().wait().await;
        };
        let ending = async {
            process.vitals().wait().await;
            tokio::time::sleep(AFTER_END).await;
        };
        tokio::select! {
            () = telling => {}
            () = reading => {}
            () = ending => {}
        }
    }

    /// Reads on until nothing more comes, or it was too much.
    async fn read(&self, from: &mut ChildStdout, stdout: &mut Vec<u8>) {
        let mut chunk = vec![0; 64 * 1024];
        while stdout.len() <= self.cap
            && let Ok(count @ 1..) = from.read(&mut chunk).await
        {
            stdout.extend_from_slice(&chunk[..count]);
        }
    }

    fn cannot(&self, error: &std::io::Error) -> String {
        let name = self.program.command.first().map_or("", String::as_str);
        let name = display::excerpt(name, 120);
        match error.kind() {
            ErrorKind::NotFound => {
                format!("cannot start `{name}`: no such program; install it, or write its full path")
            }
            ErrorKind::PermissionDenied => {
                format!("cannot start `{name}`: permission denied; make it executable")
            }
            ErrorKind::ArgumentListTooLong => format!("cannot start `{name}`: its command line is too long"),
            _ => format!("cannot start `{name}`: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    async fn shell(script: &str, stdin: &str, within: Duration) -> Ran {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let program = Program { command, env: BTreeMap::from([("A".into(), "b".into())]), cwd: None };
        let errand = Errand { program: &program, secrets: &[], stdin, cap: 1000, within, guard: None };
        errand.run().await.unwrap()
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn what_it_says_and_how_it_ends_is_kept() {
        let ran = shell("read line; echo \"$line $A\"; echo oh >&2; exit 3", "hello\n", LONG).await;
        assert_eq!((ran.stdout.as_slice(), ran.fate), (&b"hello b\n"[..], Fate::Exited(3)));
        assert_eq!(ran.last_words(), "; its last words were: oh");
        let ran = shell("kill -9 $$", "", LONG).await;
        assert_eq!(ran.fate, Fate::Killed(9));
    }

    #[tokio::test]
    async fn it_is_ended_when_it_takes_too_long_or_says_too_much() {
        let ran = shell("echo begun; sleep 100 & sleep 100", "", Duration::from_millis(80)).await;
        assert_eq!((ran.stdout.as_slice(), ran.fate), (&b"begun\n"[..], Fate::Late));
        let ran = shell("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", "", LONG).await;
        assert_eq!((ran.stdout.len(), ran.fate), (1000, Fate::Flooded));
    }

    #[tokio::test]
    async fn what_it_wrote_is_there_when_it_is_stopped() {
        let script = "trap 'echo last; exit 0' TERM; echo first; while :; do sleep 0.02; done";
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let program = Program { command, env: BTreeMap::new(), cwd: None };
        let errand =
            Errand { program: &program, secrets: &[], stdin: "", cap: 1000, within: LONG, guard: None };
        let enough = async {
            tokio::time::sleep(Duration::from_millis(90)).await;
            "enough"
        };
        let (ran, why) = errand.run_until(enough).await.unwrap();
        assert_eq!((ran.fate, why), (Fate::Stopped, Some("enough")));
        assert_eq!(String::from_utf8(ran.stdout).unwrap(), "first\nlast\n");
        // Who ends before is not stopped.
        let command = ["sh", "-c", "echo done"].map(str::to_owned).to_vec();
        let program = Program { command, env: BTreeMap::new(), cwd: None };
        let errand = Errand { program: &program, ..errand };
        let (ran, why) = errand.run_until(std::future::pending::<()>()).await.unwrap();
        assert_eq!((ran.stdout.as_slice(), ran.fate, why), (&b"done\n"[..], Fate::Exited(0), None));
    }

    #[tokio::test]
    async fn what_it_leaves_behind_does_not_hold_us_up() {
        let ran = shell("sleep 100 & echo done", "", LONG).await;
        assert_eq!((ran.stdout.as_slice(), ran.fate), (&b"done\n"[..], Fate::Exited(0)));
        assert!(ran.took < Duration::from_secs(10), "{:?}", ran.took);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let program = Program { command: vec!["/no/such".into()], env: BTreeMap::new(), cwd: None };
        let errand = Errand { program: &program, secrets: &[], stdin: "", cap: 1, within: LONG, guard: None };
        assert!(errand.run().await.unwrap_err().contains("`/no/such`: no such program"));
    }
}
