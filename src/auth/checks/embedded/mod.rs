//! Group J: the authorization server inside the target, or before it.
//!
//! Every check registers a client of its own, gets a code and a token the right way before and after, and sends in
//! between what a good client never would. It needs a server that consents by itself; pages are for people.

use super::{AuthCheck, Level, Needs, Probe, Seen};
use crate::transcript::Transcript;

mod assertions;
mod clerk;
mod clients;
mod codes;
mod desk;
mod issuing;
mod machines;
mod outcome;
mod proof;
mod proxy;
mod targets;
mod vouched;

type Examine = fn(&Transcript) -> Seen;

const fn row(
    id: &'static str,
    (level, since): (Level, &'static str),
    texts: [&'static str; 3],
    (probe, examine): (Probe, Examine),
) -> AuthCheck {
    super::row(id, level, texts, probe, examine).since(since).once()
}

const MUST: (Level, &str) = (Level::Must, "2025-03-26");

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    row("J01", MUST, ["codes are given and redeemed with PKCE only", "authorization: authorization code protection",
        "refuse requests without `code_challenge` or with `plain`, and compare the verifier with the challenge"], (codes::pkce, codes::protected)),
    row("J02", MUST, ["redirect addresses are compared exactly", "authorization: open redirection",
        "compare `redirect_uri` byte for byte with what was registered; only the port of a loopback address may differ"], (codes::redirects, codes::exact)),
    row("J03", MUST, ["a code works once, and for its client only", "OAuth 2.1 section 4.1.3",
        "mark codes as used before the token is made, and keep the client with each"], (codes::twice, codes::once)),
    row("J04", (Level::Must, "2025-06-18"), ["tokens are for the resource that was asked for", "RFC 8707 section 2",
        "set `aud` to `resource`, and answer `invalid_target` to any other resource"], (targets::probe, targets::judge)),
    row("J05", MUST, ["refresh tokens of public clients rotate", "authorization: token theft",
        "give a new refresh token with each use, and refuse the old one"], (issuing::refresh, issuing::rotated)),
    row("J06", (Level::Should, "2025-03-26"), ["only safe redirect addresses are registered", "authorization: dynamic client registration",
        "accept https and loopback addresses; refuse other schemes and plain http elsewhere"], (clients::register, clients::safe)),
    row("J07", (Level::Should, "2026-07-28"), ["authorization responses name their issuer", "RFC 9207 section 2",
        "send `iss` in every authorization response, errors too, and announce it"], (issuing::answers, issuing::named)),
    row("J08", (Level::Must, "2025-11-25"), ["client ids that are addresses lead nowhere near", "authorization: client ID metadata documents",
        "fetch documents over https with a path only, and never from loopback, private or link-local addresses"], (clients::documents, clients::fenced)),
    row("J09", (Level::Must, "2025-06-18"), ["a proxy asks for consent before it forwards", "security best practices: confused deputy problem",
        "show a page of your own for every new client before the upstream server is asked"], (proxy::probe, proxy::judge)),
    row("J10", (Level::Rfc, "2025-03-26"), ["answers with tokens are not stored", "RFC 6749 section 5.1",
        "send `Cache-Control: no-store` with every answer of the token endpoint"], (issuing::token, issuing::unstored)),
    row("J11", (Level::Should, "2025-11-25"), ["people are let in on the word of the identity provider about this client, for this server, in time and once",
        "extensions: enterprise-managed authorization",
        "check `typ`, `iss`, `aud`, `client_id` and `exp` of identity assertions, keep each `jti` until it expires, and answer `invalid_grant`"],
        (vouched::probe, vouched::judge)).needing(&[Needs::TrustedIssuer]),
    row("J12", (Level::Should, "2025-11-25"), ["machines prove themselves with assertions for this server, in time and once", "extensions: client credentials",
        "check signature, `aud` and `exp` of client assertions, keep each `jti` until it expires, and answer `invalid_client`"], (machines::probe, machines::judge)),
];
