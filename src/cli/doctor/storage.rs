//! Where runs are kept: writable, with room, where files can be renamed and locked; and the baselines in it.

#![expect(clippy::disallowed_methods, reason = "makes and removes a file of its own, to see that it can")]

use std::fs::File;
use std::path::{Path, PathBuf};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::line::Line;
use super::setting::Setting;
use crate::gate::Exit;
use crate::report::figures::count;
use crate::store::baseline;

/// Less room than this is a warning; a long run with transcripts takes hundreds of megabytes.
const LITTLE: u64 = 1 << 30;

/// Looks at the folder and the baselines.
pub(super) fn look<'a>(setting: &'a Setting<'a>) -> BoxFuture<'a, Vec<Line>> {
    async move { std::iter::once(folder(setting)).chain(baselines(setting)).collect() }.boxed()
}

/// The folder as it was found.
pub(super) enum Folder {
    /// It is not there, nor is any above it.
    Nowhere,
    /// A file has its name, or that of a folder above it.
    File,
    /// It cannot be used, and why.
    Closed(String),
    /// It can be used.
    Open {
        /// It is there already.
        there: bool,
        /// Bytes that are free, if that can be known.
        free: Option<u64>,
    },
}

fn folder(setting: &Setting<'_>) -> Line {
    told(&setting.args.out.display().to_string(), found(&setting.reports()))
}

fn found(wanted: &Path) -> Folder {
    // A folder that is not there yet is made by the first run, in the nearest one that is.
    let Some(there) = nearest(wanted) else { return Folder::Nowhere };
    if !there.is_dir() {
        return Folder::File;
    }
    match try_out(&there) {
        Err(why) => Folder::Closed(why),
        Ok(()) => Folder::Open { there: there == wanted, free: free(&there) },
    }
}

pub(super) fn told(shown: &str, found: Folder) -> Line {
    let line = |says: &str| Line::new("reports", shown, says);
    match found {
        Folder::Nowhere => {
            line("no folder above it exists").wrong(Exit::LocalIo, "choose another place with `--out DIR`")
        }
        Folder::File => line("a file is in its way")
            .wrong(Exit::LocalIo, "move the file, or choose another place with `--out DIR`"),
        Folder::Closed(why) => {
            line(&why).wrong(Exit::LocalIo, "make it writable, or choose another place with `--out DIR`")
        }
        Folder::Open { there, free } => {
            let made = if there { "" } else { "will be made; " };
            let room = free.map_or_else(|| "room unknown".to_owned(), |free| format!("{} free", size(free)));
            let line = line(&format!("{made}writable, {room}, renames and locks work"));
            if free.is_some_and(|free| free < LITTLE) {
                line.warning("free some space, or remove old runs: `rehearsal runs prune`")
            } else {
                line
            }
        }
    }
}

/// The folder itself, or the nearest one above that exists.
fn nearest(path: &Path) -> Option<PathBuf> {
    let above = path.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    above.into_iter().find(|path| path.exists()).map(Path::to_owned)
}

/// Writes a file, locks it, renames it over another one, and removes it.
fn try_out(folder: &Path) -> Result<(), String> {
    let first = folder.join(format!(".rehearsal-doctor-{}", std::process::id()));
    let second = first.with_extension("renamed");
    let tried = (|| {
        let file = File::create(&first).map_err(|error| format!("cannot be written to: {error}"))?;
        std::fs::write(&first, b"x").map_err(|error| format!("cannot be written to: {error}"))?;
        file.try_lock().map_err(|error| format!("files cannot be locked here: {error}"))?;
        std::fs::rename(&first, &second).map_err(|error| format!("files cannot be renamed here: {error}"))
    })();
    let _ = std::fs::remove_file(&first);
    let _ = std::fs::remove_file(&second);
    tried
}

fn free(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

fn size(bytes: u64) -> String {
    match bytes {
        0..=1_048_575 => format!("{bytes} bytes"),
        1_048_576..=1_073_741_823 => format!("{} MB", bytes >> 20),
        _ => format!("{} GB", bytes >> 30),
    }
}

/// Baselines that cannot be read, and how many there are.
fn baselines(setting: &Setting<'_>) -> Vec<Line> {
    let mut known = 0_u64;
    let mut lines = vec![];
    for suite in setting.good() {
        let path = baseline::path(&setting.reports(), &suite.name);
        match baseline::read(&path) {
            Ok(Some(_)) => known += 1,
            Ok(None) => {}
            Err(error) => lines.push(unreadable(suite.name.as_str(), &error.to_string())),
        }
    }
    if known > 0 && lines.is_empty() {
        lines.push(readable(known));
    }
    lines
}

pub(super) fn unreadable(suite: &str, why: &str) -> Line {
    Line::new("baseline", suite, why).wrong(
        Exit::LocalIo,
        "take it from version control again, or accept a run: `rehearsal baseline accept`",
    )
}

pub(super) fn readable(known: u64) -> Line {
    Line::new("baseline", "", format!("{} readable", count(known, "baseline")))
}
