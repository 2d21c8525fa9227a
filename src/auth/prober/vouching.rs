//! Statements of the embedded issuer about the good persona, for an authorization server that trusts it.

use secrecy::SecretString;

use super::Prober;
use crate::auth::Flaw;
use crate::auth::issuer::Vouched;
use crate::transcript::{Fault, Side};

/// For whom a statement is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// The client at the authorization server.
    pub client: String,
    /// The authorization server, which is `aud`.
    pub server: String,
    /// The target in the end.
    pub resource: String,
    /// Whether `typ` says that it is an identity assertion.
    pub typed: bool,
    /// What is wrong with it besides.
    pub flaw: Option<Flaw>,
}

impl Prober {
    /// An identity assertion (ID-JAG) about the good persona, whose claims must be ours to sign.
    pub async fn vouch(&self, voucher: Voucher) -> Result<SecretString, Fault> {
        let Some((issuer, minted)) = self.minted() else {
            let text = "this probe needs a persona with a minted token and a target that trusts the issuer";
            return Err(Fault::new(Side::Harness, "auth.no-issuer", text));
        };
        let (issuer, mut minted) = (issuer.clone(), minted.clone());
        minted.flaw = voucher.flaw;
        let control = self.setup.control.as_ref();
        let subject = control.map(|figure| figure.persona.name.to_string()).unwrap_or_default();
        // Signing takes milliseconds: too long for an async thread.
        let made = tokio::task::spawn_blocking(move || {
            let Voucher { client, server, resource, typed, .. } = &voucher;
            let resource = Some(resource.as_str());
            let about = match typed {
                true => Vouched::IdJag { client, server, resource },
                false => Vouched::Untyped { client, server, resource },
            };
            issuer.vouch(&minted, &subject, about)
        });
        made.await.map_err(|error| Fault::new(Side::Harness, "issuer.crypto", error.to_string()))?
    }
}
