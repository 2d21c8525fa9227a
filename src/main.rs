//! The `rehearsal` program: parse the command line, run it, return its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    rehearsal::cli::main()
}
