//! The `rehearsal` program: parse the command line, run it, return its exit code.

use std::process::ExitCode;

/// A thousand trials at once allocate and free across threads all the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rehearsal::cli::main()
}
