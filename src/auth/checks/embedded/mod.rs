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
mod consent;
mod desk;
mod documents;
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

const DOCUMENTS: &[Needs] = &[Needs::TrustedIssuer, Needs::Fact("client_documents")];

const MUST: (Level, &str) = (Level::Must, "2025-03-26");

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    row("J01", MUST, ["codes are given and redeemed with PKCE only", "authorization: authorization code protection",
        "refuse requests without `code_challenge` or with `plain`, and compare the verifier with the challenge"], (codes::pkce, codes::protected)),
    row("J02", MUST, ["redirect addresses are compared exactly", "authorization: open redirection",
        "compare `redirect_uri` byte for byte with what was registered; only the port of a loopback address may differ"], (codes::redirects, codes::exact)),
    row("J03", MUST, ["a code works once, and for its client only", "OAuth 2.1 section 4.1.3",
        "mark codes as used before the token is made, and keep the client with each"], (codes::twice, codes::once)),
    row("J03.life", MUST, ["a code lives no longer than the suite says", "OAuth 2.1 section 4.1.2",
        "give codes a life of a minute, ten at most, and compare it when they are redeemed"], (codes::late, codes::timely)).needing(&[Needs::Fact("code_life")]),
    // OAuth 2.1 drops the parameter, so a server may rely on PKCE instead.
    row("J03.redirect", (Level::Should, "2025-03-26"), ["a code is redeemed with the redirect address of its request only", "RFC 6749 section 4.1.3",
        "keep `redirect_uri` with each code, and refuse another one"], (codes::elsewhere, codes::bound)),
    row("J03.revoke", (Level::Should, "2025-03-26"), ["what a code brought ends when the code is used again", "RFC 6749 section 4.1.2",
        "keep the code with the tokens made from it, and take them back when it comes a second time"], (codes::twice, codes::ended)),
    row("J04", (Level::Must, "2025-06-18"), ["tokens are for the resource that was asked for", "RFC 8707 section 2",
        "set `aud` to `resource`, and answer `invalid_target` to any other resource"], (targets::probe, targets::judge)),
    row("J05", MUST, ["refresh tokens of public clients rotate", "authorization: token theft",
        "give a new refresh token with each use, and refuse the old one"], (issuing::refresh, issuing::rotated)),
    row("J06", (Level::Should, "2025-03-26"), ["only safe redirect addresses are registered", "authorization: dynamic client registration",
        "accept https and loopback addresses; refuse other schemes and plain http elsewhere"], (clients::register, clients::safe)),
    row("J07", (Level::Should, "2026-07-28"), ["authorization responses name their issuer", "RFC 9207 section 2",
        "send `iss` in every authorization response, errors too, and announce it"], (issuing::answers, issuing::named)),
    row("J08", (Level::Must, "2025-11-25"), ["client ids that are addresses lead nowhere near", "authorization: client ID metadata documents",
        "fetch documents over https with a path only, and never from loopback, private or link-local addresses"], (documents::places, documents::fenced)),
    row("J08.document", (Level::Must, "2025-11-25"), ["client metadata documents are held to what they say", "client registration: client ID metadata documents",
        "compare `client_id` of the document with its address, and `redirect_uri` of the request with the document"], (documents::contents, documents::refused)).needing(DOCUMENTS),
    row("J08.fetch", (Level::Should, "2025-11-25"), ["big documents and redirects are not followed", "client ID metadata document (draft) section 6",
        "read 5 KB of a document at most, and follow no redirect"], (documents::fetching, documents::refused)).needing(DOCUMENTS),
    row("J09", (Level::Must, "2025-06-18"), ["a proxy asks for consent before it forwards", "security best practices: confused deputy problem",
        "show a page of your own for every new client before the upstream server is asked"], (proxy::probe, proxy::judge)),
    row("J09.cookies", (Level::Should, "2025-06-18"), ["cookies of the consent are out of reach of others", "security best practices: confused deputy problem",
        "name them `__Host-...`, and set `Secure`, `HttpOnly` and `SameSite`"], (proxy::probe, consent::kept_close)),
    row("J09.state", (Level::Must, "2025-11-25"), ["the state of a proxy is its own, new each time, and good once", "security best practices: confused deputy problem",
        "make a random `state` for each request that is forwarded, forget it when it comes back, and refuse any other"], (consent::probe, consent::single)),
    row("J10", (Level::Rfc, "2025-03-26"), ["answers with tokens are not stored", "RFC 6749 section 5.1",
        "send `Cache-Control: no-store` with every answer of the token endpoint"], (issuing::token, issuing::unstored)),
    row("J11", (Level::Should, "2025-11-25"), ["people are let in on the word of the identity provider about this client, for this server, in time and once",
        "extensions: enterprise-managed authorization",
        "check `typ`, `iss`, `aud`, `client_id` and `exp` of identity assertions, keep each `jti` until it expires, and answer `invalid_grant`"],
        (vouched::probe, vouched::judge)).needing(&[Needs::TrustedIssuer]),
    row("J12", (Level::Should, "2025-11-25"), ["machines prove themselves with assertions for this server, in time and once", "extensions: client credentials",
        "check signature, `aud` and `exp` of client assertions, keep each `jti` until it expires, and answer `invalid_client`"], (machines::probe, machines::judge)),
];
