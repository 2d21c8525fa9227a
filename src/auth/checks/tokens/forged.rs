//! D09 to D14 and D16 on servers that do not trust us: tokens that name the target's own authorization server, which
//! made none of them.

use serde_json::Value;
use url::Url;

use super::{attempt, attempts};
use crate::auth::Flaw;
use crate::auth::answer::{Answer, challenges};
use crate::auth::checks::Seen;
use crate::auth::checks::stopping::{stop, stopped};
use crate::auth::discover::{
    RESOURCE, SERVER, first_server, json_document, resource_candidates, resource_metadata_url,
    server_candidates,
};
use crate::auth::issuer::Forgery;
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Fault, HttpSide, Transcript};

/// One token with one flaw: of the good persona where its tokens are ours to sign, else forged.
pub(super) async fn show(prober: &Prober, flaw: Flaw) -> Result<(), Fault> {
    match prober.minted() {
        Some(_) => attempt(prober, prober.flawed(flaw).await?).await,
        None => forge(prober, &[("attempt", flaw)]).await,
    }
}

/// The same of several, each under a label of its own.
pub(super) async fn show_all(prober: &Prober, flaws: &[(&str, Flaw)]) -> Result<(), Fault> {
    match prober.minted() {
        Some(_) => attempts(prober, flaws).await,
        None => forge(prober, flaws).await,
    }
}

/// What the record shows, unless it says that there was nothing to ask.
pub(super) fn unless_stopped(transcript: &Transcript, examine: impl FnOnce(&Transcript) -> Seen) -> Seen {
    stopped(transcript).unwrap_or_else(|| examine(transcript))
}

async fn forge(prober: &Prober, flaws: &[(&str, Flaw)]) -> Result<(), Fault> {
    let of_a_key = [Flaw::HmacWithPublicKey, Flaw::ForeignKey];
    let wants_key = flaws.iter().any(|(_, flaw)| of_a_key.contains(flaw));
    let known = match look(prober, wants_key).await {
        Ok(known) => known,
        Err(why) => {
            stop(prober, why);
            return Ok(());
        }
    };
    let good = if prober.has_persona() { Some(prober.good().await?) } else { None };
    if let Some(good) = &good {
        let before = prober.converse("control before", good).await;
        prober.close(before.session, good).await;
        if !matches!(Answer::of(&before.last), Answer::Accepted(_)) {
            return Ok(());
        }
    }
    for (label, flaw) in flaws {
        let bad = prober.forged(Forgery { flaw: *flaw, ..known.clone() }).await?;
        let talk = prober.converse(label, &bad).await;
        prober.close(talk.session, &bad).await;
    }
    if let Some(good) = &good {
        let after = prober.converse("control after", good).await;
        prober.close(after.session, good).await;
    }
    Ok(())
}

/// Whom the target trusts, and what it wants of a token; `Err` says why that cannot be known.
async fn look(prober: &Prober, wants_key: bool) -> Result<Forgery, &'static str> {
    let nobody = Credentials::none();
    let talk = prober.converse("no token", &nobody).await;
    prober.close(talk.session, &nobody).await;
    if matches!(Answer::of(&talk.last), Answer::Accepted(_)) {
        return Err("the target lets in anybody (see A01)");
    }
    let refusal = talk.last.ok();
    let named = refusal.as_ref().and_then(resource_metadata_url).and_then(|url| Url::parse(&url).ok());
    let mut resource = None;
    for (how, url) in resource_candidates(prober.target(), named) {
        let document = prober.document(&format!("{RESOURCE}: {how}"), url).await;
        resource = document.ok().as_ref().and_then(json_document);
        if resource.is_some() {
            break;
        }
    }
    let resource = resource.ok_or("the target has no metadata, so its issuer is unknown (see B01)")?;
    let issuer = first_server(&resource).ok_or("the metadata names no authorization server (see B03)")?;
    let key = match wants_key {
        true => Some(public_key(prober, issuer).await.ok_or(
            "no RSA key of the authorization server was found: it has none, or it is at another host, which is not asked",
        )?),
        false => None,
    };
    let audience = resource.get("resource").and_then(Value::as_str).unwrap_or(prober.audience()).to_owned();
    let scopes = scopes(refusal.as_ref(), &resource);
    Ok(Forgery { flaw: Flaw::AlgNone, issuer: issuer.to_owned(), audience, scopes, key })
}

/// The scopes of the challenge, else of the metadata: a forged token that counts must not fail for want of them.
fn scopes(refusal: Option<&HttpSide>, resource: &Value) -> Vec<String> {
    let challenged = refusal.and_then(challenges);
    let challenged = challenged.as_ref().and_then(|all| all.scheme("bearer")?.get("scope"));
    let listed = || resource.get("scopes_supported").and_then(Value::as_array);
    match challenged {
        Some(scopes) => scopes.split_ascii_whitespace().map(str::to_owned).collect(),
        None => listed().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

/// An RSA key that the authorization server signs with.
async fn public_key(prober: &Prober, issuer: &str) -> Option<Value> {
    for (how, url) in server_candidates(&Url::parse(issuer).ok()?) {
        let document = prober.document(&format!("{SERVER}: {how}"), url).await.ok();
        let Some(document) = document.as_ref().and_then(json_document) else { continue };
        let place = Url::parse(document.get("jwks_uri")?.as_str()?).ok()?;
        let keys = prober.document("public keys", place).await.ok().as_ref().and_then(json_document)?;
        let signs = |key: &&Value| {
            key.get("kty").is_some_and(|kind| kind == "RSA")
                && key.get("use").is_none_or(|use_| use_ == "sig")
        };
        return keys.get("keys")?.as_array()?.iter().find(signs).cloned();
    }
    None
}
