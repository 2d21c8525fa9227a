//! What can be wrong with a suite of another tool, and what the doctor finds.

use super::Entry;

/// Code and text.
#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    ("import.unreadable", "The file is not what its name or `--from` says: YAML, JSON, CSV or XML that cannot be read, or bytes that are not UTF-8. The message names the line. XML with a document type is refused, because entities could make a small file large."),
    ("import.too-large", "The file is larger than 64 MiB. Split it, or take the part that holds the cases; a suite that is written of it may have 4 MiB."),
    ("import.unknown-format", "No format was recognised in the file. `rehearsal import --help` lists the formats, and docs/import.md what each looks like; `--from FORMAT` says which one it is."),
    ("import.mixed", "The files are of more than one format, so that one suite cannot be made of them. Import them one after the other, each with an `--out` of its own."),
    ("import.nothing", "Nothing of the source can be checked here, so no suite was written: a case that expects nothing would always pass. The report says of each part why it could not be kept."),
    ("import.not-found", "A file to import is not there or cannot be read. Paths are relative to the folder of the project (`-C`)."),
    ("import.exists", "The suite that would be written is there already, and may hold changes of yours. Give another `--out`, or `--force` to overwrite it."),
    // doctor
    ("doctor.suite", "A precondition of a run is not met: a suite has errors, or names an agent that is not installed. The line of `rehearsal doctor` says which; `rehearsal check` shows every error with its place. A run would end with exit 2."),
    ("doctor.credentials", "A precondition of a run is not met: a key or another variable is not set, a provider refuses the key, or the target wants somebody to sign in and nobody does. A run would end with exit 5."),
    ("doctor.target", "A precondition of a run is not met: a target does not answer the handshake of MCP, or the program that starts it is not there. A run would end with exit 4."),
    ("doctor.storage", "A precondition of a run is not met: the folder of the runs cannot be written, or a baseline in it cannot be read. A run would end with exit 74."),
    ("doctor.problem", "A precondition of a run is not met. The lines of `rehearsal doctor` that are marked say which, and what to do about each of them."),
];
