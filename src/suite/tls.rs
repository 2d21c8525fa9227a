//! What can be wrong with the files of `target.tls`, with its place in them.

use std::sync::Arc;

use super::wire::TlsFiles;
use super::yaml::At;
use crate::diag::{Diagnostic, Origin};
use crate::net::pem::{self, Wanted};
use crate::net::{self, Route, Tls};

/// The text of a PEM file, if it holds what it must.
pub(super) fn checked(
    text: Arc<str>,
    wanted: Wanted,
    file: &Arc<str>,
    named: &Origin,
) -> Result<Arc<str>, Diagnostic> {
    match pem::check(&text, wanted) {
        Ok(()) => Ok(text),
        Err(wrong) => {
            let at = Origin { file: file.clone(), line: wrong.line, column: 1 };
            let hint = match wanted {
                Wanted::Certificates => {
                    "certificates stand in PEM files: `openssl x509 -in FILE -text` shows one"
                }
                Wanted::Key => {
                    "the key stands in a PEM file without a passphrase: `openssl pkey -in FILE -out KEY`"
                }
            };
            Err(Diagnostic::error("suite.bad-pem", at, wrong.message)
                .also(named.clone(), "named here")
                .hint(hint))
        }
    }
}

/// What no client can be made from: a certificate that is none, a key that belongs to another one.
pub(super) fn unusable(tls: &Tls, files: &At<TlsFiles>, file: &Arc<str>) -> Option<Diagnostic> {
    let parts = [
        (Tls { ca: tls.ca.clone(), identity: None }, &files.value.ca),
        (Tls { ca: None, identity: tls.identity.clone() }, &files.value.key),
    ];
    parts.into_iter().find_map(|(tls, named)| {
        let error = net::client_by(&Route { tls, proxy: None }).err()?;
        let at = named.as_ref().map_or_else(|| files.origin(file), |named| named.origin(file));
        let message = format!("the certificate cannot be used: {error}");
        let hint = "see that the files are whole, and that key and certificate belong together";
        Some(Diagnostic::error("suite.bad-pem", at, message).hint(hint))
    })
}
