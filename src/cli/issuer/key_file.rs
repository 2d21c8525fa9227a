//! Files with stable keys: written for one reader, and read with a word about who else may.

#![expect(clippy::disallowed_methods, reason = "the file is the user's, named on the command line")]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use secrecy::ExposeSecret;

use crate::auth::issuer::{StableKey, WARNING};
use crate::cli::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::gate::Exit;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 64 * 1024;

/// Writes a new key to a file that must not exist yet.
pub(super) fn export(path: &Path, context: &Context) -> Outcome {
    let text = StableKey::make().map_err(|fault| Failure::from_fault(&fault))?;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.and_then(|mut file| file.write_all(text.expose_secret().as_bytes())).map_err(|error| {
        let message = format!("cannot write {}: {error}", path.display());
        Failure::new(Exit::LocalIo, "issuer.key", message).hint("name a file that does not exist yet")
    })?;
    context.printer.talk(&format!("wrote {}, which only you can read", path.display()));
    context.printer.tell(&format!("WARNING: {WARNING}"));
    Ok(Exit::Pass)
}

/// The text of a key file that nobody else can read.
pub(super) fn text(path: &Path) -> Outcome<String> {
    let failed = |error: std::io::Error| {
        Failure::usage("issuer.key", format!("cannot read {}: {error}", path.display()))
    };
    let about = fs::metadata(path).map_err(failed)?;
    if !about.is_file() || about.len() > LARGEST {
        return Err(Failure::usage("issuer.key", format!("{} is no key file", path.display())));
    }
    if about.permissions().mode() & 0o077 != 0 {
        let message =
            format!("others can read {}, and whoever can is anybody for your server", path.display());
        return Err(Failure::usage("issuer.key", message).hint(format!("chmod 600 {}", path.display())));
    }
    fs::read_to_string(path).map_err(failed)
}
