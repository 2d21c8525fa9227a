//! Starts the embedded issuer as the suite wants it, and keeps the file by which a target can trust its certificate.

#![expect(
    clippy::disallowed_methods,
    reason = "the certificate of the issuer's authority goes to a file, and goes with the run"
)]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::ExposeSecret;

use super::stage::Outside;
use crate::auth::IdentitySpec;
use crate::auth::issuer::{Issuer, WARNING};
use crate::net::Tls;
use crate::suite::{IssuerSpec, Suite};
use crate::transcript::{Fault, Side};

/// The issuer of a run.
pub(super) struct Standing {
    /// The issuer.
    pub(super) issuer: Arc<Issuer>,
    /// Its authority's certificate, if it speaks HTTPS. The file goes with this.
    file: Option<AuthorityFile>,
    /// Whether its key outlives the run.
    stable: bool,
}

impl Standing {
    /// Starts the issuer that the suite wants, if any, and makes its good personas known to it: a target that sends
    /// people to the issuer gets them signed in.
    pub(super) async fn raise(suite: &Suite, outside: &Outside) -> Result<Option<Self>, Fault> {
        let IssuerSpec::Embedded(options) = &suite.issuer else { return Ok(None) };
        let issuer = Issuer::start_with(options, outside.secrets.clone(), outside.clock.clone()).await?;
        for persona in &suite.personas {
            if let IdentitySpec::Minted(minted) = &persona.value.identity
                && minted.flaw.is_none()
            {
                issuer.enroll(persona.value.name.as_str(), minted.clone())?;
            }
        }
        let file = AuthorityFile::of(&issuer)?;
        Ok(Some(Self { issuer: Arc::new(issuer), file, stable: options.key.is_some() }))
    }

    /// What templates of the target may use.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let told = self.issuer.told().into_iter();
        let mut all: BTreeMap<String, String> =
            told.map(|told| (told.name.to_owned(), told.value.expose_secret().to_owned())).collect();
        let file = self.file.as_ref().map(|file| file.path().to_string_lossy().into_owned());
        all.extend(file.map(|path| ("issuer.ca".to_owned(), path)));
        all
    }

    /// The authorities of the suite with that of the issuer: the run asks it like the target does.
    pub(super) fn trusted(&self, tls: Tls) -> Tls {
        let Some(own) = self.issuer.ca() else { return tls };
        let ca = tls.ca.as_deref().map_or_else(|| own.to_owned(), |ca| format!("{ca}\n{own}"));
        Tls { ca: Some(Arc::from(ca)), ..tls }
    }

    /// How the target is reached, with what reports must not leave out.
    pub(super) fn described(&self, description: String) -> String {
        if self.stable { format!("{description} · WARNING: {WARNING}") } else { description }
    }
}

/// The certificate of an issuer's authority in a file of its own, which is removed when this is dropped.
#[derive(Debug)]
pub struct AuthorityFile(PathBuf);

impl AuthorityFile {
    /// Writes the file for an issuer that speaks HTTPS.
    pub fn of(issuer: &Issuer) -> Result<Option<Self>, Fault> {
        let Some(ca) = issuer.ca() else { return Ok(None) };
        let path = std::env::temp_dir().join(format!("rehearsal-ca-{}.pem", issuer.run()));
        // Somebody else's file or link of that name is not followed.
        let made = OpenOptions::new().write(true).create_new(true).open(&path);
        let failed = |error: std::io::Error| {
            let text =
                format!("the authority of the issuer cannot be written to {}: {error}", path.display());
            Fault::new(Side::Harness, "issuer.ca", text)
        };
        made.and_then(|mut file| file.write_all(ca.as_bytes())).map_err(failed)?;
        Ok(Some(Self(path)))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for AuthorityFile {
    fn drop(&mut self) {
        // Somebody may have removed it, and a certificate is no secret.
        let _ = fs::remove_file(&self.0);
    }
}
