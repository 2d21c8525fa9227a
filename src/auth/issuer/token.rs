//! A persona's claims become an access token: a good one, or one with exactly one flaw.
//!
//! The shape is that of RFC 9068, so that a strict resource server accepts it. Every token names loopback or a
//! reserved domain as its issuer, lives five minutes at most, and carries the id of the run. Nothing here keeps or
//! sends tokens.

use std::time::Duration;

use serde_json::{Map, Value};

use super::keys::{Keys, Signing};
use super::spoil;
use crate::auth::keys::random_text;
use crate::auth::{Flaw, Minted, ScopeClaim, SigningAlg, TokenFormat};
use crate::transcript::{Fault, Side};

/// The longest life of a minted token.
pub(in crate::auth) const LONGEST: Duration = Duration::from_secs(300);

/// Claims that a persona may not set: they are what makes a token a good one.
const RESERVED: [&str; 8] = ["iss", "aud", "iat", "nbf", "exp", "jti", "sub", "rehearsal_run"];

/// Everything but the persona's own wishes that goes into a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant<'a> {
    /// `iss`.
    pub(super) issuer: &'a str,
    /// `sub` when the persona names none.
    pub(super) subject: &'a str,
    /// `client_id`.
    pub(super) client: &'a str,
    /// `aud`.
    pub(super) audience: &'a str,
    /// The id of the run.
    pub(super) run: &'a str,
    /// Seconds since 1970.
    pub(super) now: i64,
    /// What the addresses of canaries begin with.
    pub(super) bait: &'a str,
    /// The name of the spare key that signs it, if it is not the usual one.
    pub(super) key: Option<&'a str>,
    /// What it is for.
    pub(super) kind: Kind<'a>,
}

/// What a token is for, with what only that kind says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind<'a> {
    /// The target.
    Access,
    /// The client: who somebody is (OpenID Connect Core section 2).
    Id {
        /// `nonce`, if the client sent one.
        nonce: Option<&'a str>,
    },
    /// An authorization server that trusts this issuer as an identity provider (ID-JAG).
    Jag {
        /// The target in the end.
        resource: Option<&'a str>,
        /// Whether `typ` says that it is one.
        typed: bool,
    },
    /// An authorization server that trusts this issuer as the platform of workloads (RFC 7523 section 2.1).
    Workload,
}

/// The same without what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// [`Kind::Access`].
    Access,
    /// [`Kind::Id`].
    Id,
    /// [`Kind::Jag`].
    Jag,
    /// [`Kind::Workload`].
    Workload,
}

impl Kind<'_> {
    /// Without what it says.
    pub(super) fn sort(self) -> Sort {
        match self {
            Self::Access => Sort::Access,
            Self::Id { .. } => Sort::Id,
            Self::Jag { .. } => Sort::Jag,
            Self::Workload => Sort::Workload,
        }
    }
}

/// A token and what it says.
pub(super) struct Made {
    /// As it is sent.
    pub(super) text: String,
    /// What it says, or what introspection says of it.
    pub(super) claims: Map<String, Value>,
    /// What it is for.
    pub(super) sort: Sort,
    /// Whether the issuer stands by it when somebody asks: not by forgeries.
    pub(super) ours: bool,
}

/// How long a token of this persona lives.
pub(in crate::auth) fn lifetime(minted: &Minted) -> Result<Duration, Fault> {
    let life = minted.lifetime.map_or(LONGEST, |period| period.0);
    if life > LONGEST || life < Duration::from_secs(1) {
        let text = format!("a minted token lives between 1s and 5m, not {}s", life.as_secs());
        return Err(Fault::new(Side::Harness, "persona.lifetime", text));
    }
    Ok(life)
}

/// A token in the form that the persona wants.
pub(super) fn write(keys: &Keys, minted: &Minted, grant: Grant<'_>) -> Result<Made, Fault> {
    let mut claims = claims(minted, grant)?;
    if let Some(flaw) = minted.flaw {
        spoil::claims(flaw, &mut claims, grant);
    }
    let in_claims = minted.flaw.is_none_or(Flaw::is_claim);
    let ours = in_claims || minted.flaw == Some(Flaw::NoKid);
    let sort = grant.kind.sort();
    let text = match minted.format {
        // Only access tokens can do without meaning.
        TokenFormat::Opaque if sort == Sort::Access && in_claims => opaque()?,
        TokenFormat::Opaque if sort == Sort::Access => {
            let text = "this flaw is about the form of a JWT, and an opaque token has none";
            return Err(Fault::new(Side::Harness, "persona.opaque-flaw", text));
        }
        TokenFormat::Jwt | TokenFormat::Opaque => signed(keys, minted, &claims, grant)?,
    };
    Ok(Made { text, claims, sort, ours })
}

/// A text without meaning that names its origin, so that a leak is recognised.
fn opaque() -> Result<String, Fault> {
    Ok(format!("rehearsal-test-{}", random_text()?))
}

fn signed(
    keys: &Keys,
    minted: &Minted,
    claims: &Map<String, Value>,
    grant: Grant<'_>,
) -> Result<String, Fault> {
    let (signer, signing) = (keys.signer_of(grant.key)?, signing(minted));
    let mut header = Map::new();
    header.insert("alg".into(), signing.alg().into());
    let typ = match grant.kind {
        Kind::Access => minted.typ.text(),
        Kind::Jag { typed: true, .. } => "oauth-id-jag+jwt",
        Kind::Jag { typed: false, .. } | Kind::Id { .. } | Kind::Workload => "JWT",
    };
    header.insert("typ".into(), typ.into());
    header.insert("kid".into(), signer.kid(signing).into());
    if let Some(flaw) = minted.flaw {
        spoil::header(flaw, &mut header, &signer, grant)?;
    }
    let token = signer.sign(signing, &header, claims)?;
    Ok(match minted.flaw {
        Some(Flaw::BadSignature) => spoil::bend_signature(token),
        Some(Flaw::Tampered) => spoil::swap_subject(&token, claims),
        _ => token,
    })
}

fn claims(minted: &Minted, grant: Grant<'_>) -> Result<Map<String, Value>, Fault> {
    let (scope_claim, scopes) = minted.scope_claim.of(&minted.scopes);
    let taken = |name: &str| {
        RESERVED.contains(&name) || (minted.scope_claim != ScopeClaim::Scope && name == scope_claim)
    };
    if let Some(name) = minted.claims.keys().find(|name| taken(name)) {
        let text = format!("a persona cannot set the claim `{name}`; the issuer does");
        return Err(Fault::new(Side::Harness, "persona.reserved-claim", text));
    }
    let life = i64::try_from(lifetime(minted)?.as_secs()).unwrap_or(300);
    let mut claims = Map::new();
    claims.insert("iss".into(), grant.issuer.into());
    claims.insert("sub".into(), minted.subject.as_deref().unwrap_or(grant.subject).into());
    claims.insert("aud".into(), grant.audience.into());
    match grant.kind {
        Kind::Access => {
            claims.insert("client_id".into(), grant.client.into());
            claims.insert(scope_claim.into(), scopes);
        }
        Kind::Jag { resource, .. } => {
            claims.insert("client_id".into(), grant.client.into());
            claims.insert("scope".into(), minted.scopes.join(" ").into());
            claims.extend(resource.map(|resource| ("resource".to_owned(), resource.into())));
        }
        Kind::Id { nonce } => claims.extend(nonce.map(|nonce| ("nonce".to_owned(), nonce.into()))),
        Kind::Workload => {}
    }
    claims.insert("iat".into(), grant.now.into());
    claims.insert("exp".into(), (grant.now + life).into());
    claims.insert("jti".into(), uuid::Uuid::now_v7().to_string().into());
    claims.insert("rehearsal_run".into(), grant.run.into());
    claims.extend(minted.claims.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(claims)
}

fn signing(minted: &Minted) -> Signing {
    match minted.flaw {
        Some(
            Flaw::ForeignKey
            | Flaw::UnknownKid
            | Flaw::EmbeddedKey
            | Flaw::KeyUrl
            | Flaw::CertificateUrl
            | Flaw::KidTraversal
            | Flaw::KidQuotes,
        ) => Signing::Foreign,
        Some(Flaw::AlgNone) => Signing::Unsigned,
        Some(Flaw::HmacWithPublicKey) => Signing::HmacPublic,
        _ => match minted.algorithm {
            SigningAlg::Rs256 => Signing::Rs256,
            SigningAlg::Es256 => Signing::Es256,
        },
    }
}
