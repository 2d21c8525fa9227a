//! Who issues tokens, and the warning that goes with a key that outlives the run.

use std::sync::Arc;

use super::context::Context;
use crate::auth::issuer::{Options, WARNING};
use crate::diag::{Diagnostic, suggest};
use crate::suite::IssuerSpec;
use crate::suite::text_or::TextOr;
use crate::suite::wire::AuthPart;
use crate::suite::yaml::At;

/// The issuer of the suite. Its key is read elsewhere.
pub(super) fn resolve(context: &mut Context<'_>, auth: Option<(&Arc<str>, &At<AuthPart>)>) -> IssuerSpec {
    let Some((file, auth)) = auth else { return IssuerSpec::None };
    let issuer = &auth.value.issuer;
    match &issuer.value {
        TextOr::Text(name) if name == "embedded" => IssuerSpec::Embedded(Options::default()),
        TextOr::Text(name) if name == "none" => IssuerSpec::None,
        TextOr::Text(name) => {
            let message = format!("unknown issuer `{name}`");
            context.push(
                Diagnostic::error("suite.unknown-name", issuer.origin(file), message)
                    .hint(suggest::hint(name, ["embedded", "none"])),
            );
            IssuerSpec::None
        }
        TextOr::Map(part) => {
            if let Some(key) = &part.key {
                context.push(
                    Diagnostic::error("suite.stable-key", key.origin(file), WARNING)
                        .as_warning()
                        .hint("never let anything but a test environment trust it; `issuer: embedded` needs no such key"),
                );
            }
            let port = part.port.as_ref().map_or(0, |port| port.value);
            let offset = part.clock_offset.unwrap_or_default().0;
            IssuerSpec::Embedded(Options { port, tls: part.tls == Some(true), offset, ..Options::default() })
        }
    }
}
