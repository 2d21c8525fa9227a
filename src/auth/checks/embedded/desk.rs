//! What every check of this group begins and ends with: a client, and a token got the right way.

use serde_json::Value;

use super::clerk::{Clerk, Pair, REDIRECT, described, meet, stop};
use super::outcome::{Came, tokens};
use crate::auth::checks::Seen;
use crate::auth::checks::reading::{Exchange, labelled};
pub(super) use crate::auth::checks::stopping::stopped;
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

/// A client that was granted a token.
pub(super) struct Desk<'a> {
    pub(super) clerk: Clerk<'a>,
    pub(super) client: String,
    /// The answer with its first tokens.
    pub(super) granted: Value,
}

/// Finds the server, registers, and gets a token; `None` where that does not work, which the record says.
pub(super) async fn open(prober: &Prober) -> Result<Option<Desk<'_>>, Fault> {
    let Some(clerk) = meet(prober).await else { return Ok(None) };
    let Some(client) = clerk.register("register", &described(REDIRECT)).await else { return Ok(None) };
    let granted = control(&clerk, &client, "control before").await?;
    Ok(granted.map(|granted| Desk { clerk, client, granted }))
}

/// A token, got the right way.
pub(super) async fn control(clerk: &Clerk<'_>, client: &str, label: &str) -> Result<Option<Value>, Fault> {
    let pair = Pair::new(clerk.prober)?;
    let came = clerk.authorize(&format!("{label}: authorize"), (client, &pair), &[]).await;
    match came {
        Came::Code(code) => {
            let label = format!("{label}: token");
            Ok(clerk.redeem(&label, (client, &pair, &code), &[]).await)
        }
        Came::Page | Came::Elsewhere(_) => {
            let text = format!(
                "consent needs a person ({came}); where a parameter of the request makes the server consent by itself, \
                 name it in `auth_checks.facts.consent`"
            );
            stop(clerk.prober, &text);
            Ok(None)
        }
        _ => Ok(None),
    }
}

impl Desk<'_> {
    /// A code, with the pair that goes with it.
    pub(super) async fn code(&self, label: &str) -> Result<Option<(Pair, String)>, Fault> {
        let pair = Pair::new(self.clerk.prober)?;
        match self.clerk.authorize(label, (&self.client, &pair), &[]).await {
            Came::Code(code) => Ok(Some((pair, code))),
            _ => Ok(None),
        }
    }

    /// The end: a token once more.
    pub(super) async fn close(self) -> Result<(), Fault> {
        control(&self.clerk, &self.client, "control after").await.map(|_| ())
    }
}

/// Whether a token was got the right way before and after, or why the record tells nothing.
pub(super) fn ready(transcript: &Transcript) -> Result<(), Seen> {
    if let Some(seen) = stopped(transcript) {
        return Err(seen);
    }
    for label in ["control before: token", "control after: token"] {
        match exchange(transcript, label) {
            Some(one) if tokens(one.response).is_some() => {}
            Some(one) => {
                let got = one.side().map_or("no answer", |side| side.start.as_str());
                return Err(Seen::Inconclusive(format!("a good code itself got {got} ({label})")));
            }
            None => return Err(Seen::Inconclusive(format!("a good request got no code ({label})"))),
        }
    }
    Ok(())
}

/// The exchange with exactly this label.
pub(super) fn exchange<'a>(transcript: &'a Transcript, label: &str) -> Option<Exchange<'a>> {
    labelled(transcript, "").find(|one| one.label == label)
}
