//! The keyboard of whoever watches a run: keys one by one and without an echo while it goes on, and the terminal as it was
//! on every way out.
//!
//! Keys that send signals keep doing so. Modes are set and keys are read in the foreground only: a job in the background is
//! never stopped for it, and takes nothing from the shell.

use std::io::Stdin;
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

/// More bytes at once are no key.
const MOST: usize = 32;

static KEYBOARD: Mutex<Keyboard> = Mutex::new(Keyboard { wanted: false, aside: false, held: None });

/// The keyboard on standard input.
struct Keyboard {
    /// Between [`begins`] and [`ends`].
    wanted: bool,
    /// While the program is about to be suspended.
    aside: bool,
    held: Option<Held<Stdin>>,
}

/// From now on keys are read, whenever the program is in the foreground.
pub(super) fn begins() {
    keyboard().wanted = true;
}

/// No more keys are read; the terminal is as it was.
pub(super) fn ends() {
    let mut keyboard = keyboard();
    keyboard.wanted = false;
    keyboard.held = None;
}

/// The terminal is as it was until [`returns`].
pub(super) fn steps_aside() {
    let mut keyboard = keyboard();
    keyboard.aside = true;
    keyboard.held = None;
}

/// Keys are read again, if they were.
pub(super) fn returns() {
    keyboard().aside = false;
}

/// What was typed since the last time, without waiting. `None`: no keys are read now.
pub(super) fn typed() -> Option<Vec<u8>> {
    let mut keyboard = keyboard();
    if !keyboard.wanted || keyboard.aside {
        return None;
    }
    if !is_ours(std::io::stdin()) {
        // The modes are those of another program by now.
        if let Some(held) = keyboard.held.take() {
            held.forget();
        }
        return None;
    }
    if keyboard.held.is_none() {
        keyboard.held = Held::take(std::io::stdin());
    }
    keyboard.held.as_ref()?.typed()
}

fn keyboard() -> MutexGuard<'static, Keyboard> {
    KEYBOARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether nobody stops this program for using the terminal: it is in the foreground, or the terminal does not control it.
fn is_ours(tty: impl AsFd) -> bool {
    match tcgetpgrp(tty) {
        Ok(group) => group == getpgrp(),
        Err(error) => error == Errno::NOTTY,
    }
}

/// A terminal that gives its keys one by one until this is dropped.
struct Held<Tty: AsFd> {
    tty: Tty,
    /// Its modes before; `None` once they are nobody's business any more.
    before: Option<Termios>,
}

impl<Tty: AsFd> Held<Tty> {
    /// `None`: it is no terminal, or cannot be set.
    fn take(tty: Tty) -> Option<Self> {
        let before = tcgetattr(&tty).ok()?;
        let held = Self { tty, before: Some(before) };
        held.set().map(|()| held)
    }

    /// Keys one by one, no echo, and reading never waits. Signals stay.
    fn set(&self) -> Option<()> {
        let mut modes = self.before.clone()?;
        modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        modes.special_codes[SpecialCodeIndex::VMIN] = 0;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        // Not after what was written: a terminal that stands still must not hold up a run.
        tcsetattr(&self.tty, OptionalActions::Now, &modes).ok()
    }

    fn typed(&self) -> Option<Vec<u8>> {
        // A shell that let us go on may have set the modes that it likes.
        if tcgetattr(&self.tty).ok()?.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO) {
            self.set()?;
        }
        let mut bytes = [0; MOST];
        let read = rustix::io::read(&self.tty, &mut bytes).ok()?;
        Some(bytes[..read].to_vec())
    }

    /// Leaves the terminal as it is.
    fn forget(mut self) {
        self.before = None;
    }
}

impl<Tty: AsFd> Drop for Held<Tty> {
    fn drop(&mut self) {
        if let Some(before) = self.before.take().filter(|_| is_ours(&self.tty)) {
            let _ = tcsetattr(&self.tty, OptionalActions::Now, &before);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    /// Both ends of a terminal that controls nobody.
    fn terminal() -> (OwnedFd, File) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, vec![]).unwrap();
        let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        (master, slave)
    }

    fn modes(tty: &File) -> (LocalModes, u8) {
        let modes = tcgetattr(tty).unwrap();
        (modes.local_modes, modes.special_codes[SpecialCodeIndex::VMIN])
    }

    #[test]
    fn keys_come_one_by_one_and_signals_stay() {
        let (master, tty) = terminal();
        let before = modes(&tty);
        let held = Held::take(&tty).unwrap();
        assert_eq!(held.typed().unwrap(), b"", "nothing is waited for");
        File::from(master.try_clone().unwrap()).write_all(b"p").unwrap();
        assert_eq!(held.typed().unwrap(), b"p");
        let (local, least) = modes(&tty);
        assert!(local.contains(LocalModes::ISIG) && !local.intersects(LocalModes::ICANON | LocalModes::ECHO));
        assert_eq!(least, 0);
        drop(held);
        assert_eq!(modes(&tty), before);
        drop(master);
    }

    #[test]
    fn a_panic_leaves_the_terminal_as_it_was() {
        let (_master, tty) = terminal();
        let before = modes(&tty);
        let panic = std::panic::catch_unwind(|| {
            let _held = Held::take(&tty).unwrap();
            assert_ne!(modes(&tty), before);
            std::panic::resume_unwind(Box::new("broken"));
        });
        assert!(panic.is_err());
        assert_eq!(modes(&tty), before);
    }

    #[test]
    fn modes_that_others_set_meanwhile_are_set_again_and_given_back() {
        let (_master, tty) = terminal();
        let before = tcgetattr(&tty).unwrap();
        let held = Held::take(&tty).unwrap();
        tcsetattr(&tty, OptionalActions::Now, &before).unwrap();
        assert_eq!(held.typed().unwrap(), b"", "a line that nobody ends is not waited for");
        assert!(!modes(&tty).0.contains(LocalModes::ICANON));
        held.forget();
        assert!(!modes(&tty).0.contains(LocalModes::ICANON), "what is forgotten is let alone");
    }

    #[test]
    fn what_is_no_terminal_is_not_held() {
        let file = tempfile::tempfile().unwrap();
        assert!(Held::take(&file).is_none());
        assert!(is_ours(&file), "and controls nobody");
    }
}
