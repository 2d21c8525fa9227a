//! What is written: whole files beside which nothing half is ever seen, and never over what exists.

#![expect(clippy::disallowed_methods, reason = "writes the suites that the user asked for")]

use std::io::Write as _;
use std::path::Path;

use crate::cli::failure::{Failure, Outcome};
use crate::gate::Exit;

/// Writes a file whole, with its folders. One that exists is left alone without `force`.
pub(in crate::cli) fn write(path: &Path, text: &str, force: bool) -> Outcome<()> {
    if !force && path.symlink_metadata().is_ok() {
        return Err(exists(path));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: std::io::Error| {
        Failure::new(Exit::LocalIo, "output.write", format!("cannot write `{}`: {error}", path.display()))
            .hint("is the folder there, and may you write to it?")
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::Builder::new().prefix(".rehearsal-").tempfile_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    if let Ok(known) = std::fs::metadata(path) {
        file.as_file().set_permissions(known.permissions()).map_err(failed)?;
    } else {
        readable(file.as_file()).map_err(failed)?;
    }
    let done = if force { file.persist(path) } else { file.persist_noclobber(path) };
    match done {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(path)),
        Err(error) => Err(failed(error.error)),
    }
}

/// Temporary files are for their owner alone; a suite is for everybody who may read the folder.
fn readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

fn exists(path: &Path) -> Failure {
    Failure::usage("usage.exists", format!("`{}` exists and is left as it is", path.display()))
        .hint("`--force` writes over it; another name keeps both")
}

/// Whether something is there already.
pub(in crate::cli) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Fails where something is there already and must not be written over.
pub(in crate::cli) fn free(path: &Path, force: bool) -> Outcome<()> {
    if force || !is_there(path) { Ok(()) } else { Err(exists(path)) }
}

/// The text of a file that a person wrote, as text.
pub(in crate::cli) fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(Exit::LocalIo, "suite.not-found", format!("cannot read `{}`: {error}", path.display()))
    })
}

/// Adds a line to `.gitignore` unless one like it is there; whether it did.
pub(in crate::cli) fn ignore(root: &Path, line: &str) -> Outcome<bool> {
    let path = root.join(".gitignore");
    let text = if path.is_file() { read(&path)? } else { String::new() };
    let bare = |line: &str| line.trim().trim_matches('/').to_owned();
    let covered = text.lines().any(|known| bare(known) == bare(line) || bare(known) == "reports");
    if covered {
        return Ok(false);
    }
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    write(&path, &format!("{text}{gap}{line}\n"), true)?;
    Ok(true)
}
