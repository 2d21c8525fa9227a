//! The whole auth battery against servers that others' SDKs make, each set up with care and with what its SDK leaves
//! unset. Every set is exact: a check that starts or stops finding something, or no longer applies, fails its test.

use super::cli::{Run, eval, project};
use super::surroundings::Installed;

/// What nothing here can show: no suite states the fact, or the target is on plain loopback HTTP, verifies tokens by
/// itself and has one page of everything.
#[rustfmt::skip]
const UNSHOWN: &[&str] = &[
    "A13", "B06", "B09", "C09", "D31", "D32", "D32.missing", "D33.introspection", "F06", "F08", "G04",
    "G04.guess", "G05", "G06", "G07", "G08", "G09", "G10", "G10.oracle", "G10.traversal", "G11", "G12",
    "G12.oracle", "G13", "G14", "G18", "H05", "I01", "I04",
];

/// Whoever does not look at the audience lets all these in.
const ANY_AUDIENCE: &[&str] =
    &["D19", "D20", "D21", "D21.query", "D22", "D22.path", "D25", "D26", "D27", "I02"];

/// Every stack takes these: an identity assertion in place of an access token, the first of two `Authorization`
/// headers, the last of two members of one name.
const COMMON: &[&str] = &["D28", "E04", "H06"];

/// The checks of a run, as its test writes them.
struct Found<'a> {
    failing: &'a [&'a [&'a str]],
    advising: &'a [&'a [&'a str]],
    /// Besides [`UNSHOWN`].
    skipped: &'a [&'a str],
}

#[track_caller]
fn found(suite: &str, expected: &Found<'_>) -> Option<Run> {
    let run = eval(&Installed::find()?, &project(), suite, &[]);
    run.finds(&expected.failing.concat(), &expected.advising.concat());
    run.skips(&[UNSHOWN, expected.skipped].concat());
    Some(run)
}

/// FastMCP 4.1.2 with everything set that can be set:
///
/// - D05: `JWTVerifier` does not look at `nbf`.
/// - F01: a token that lacks the required scope gets 401 `invalid_token` instead of 403 `insufficient_scope`; so there
///   is no 403 whose challenge could be read.
/// - D06 (advice): nor does it miss `exp`.
#[test]
fn fastmcp() {
    let expected = Found {
        failing: &[&["D05", "F01"]],
        advising: &[COMMON, &["D06"]],
        skipped: &["F01.challenge", "F05"],
    };
    let Some(run) = found("fastmcp", &expected) else { return };
    assert!(run.why("auth/F01").contains("401 instead of 403"), "{}", run.why("auth/F01"));
}

/// The same with its defaults:
///
/// - B05: its metadata names the issuer with a slash behind it, because pydantic's `AnyHttpUrl` puts one behind a URL
///   without a path. Clients that compare issuers byte for byte turn away.
/// - A verifier without an audience takes tokens for other resources, for none and for clients.
/// - H01: `Origin` is not looked at, and (H02, advice) neither is `Host`.
#[test]
fn fastmcp_with_its_defaults() {
    let expected = Found {
        failing: &[&["B05", "D05", "F01", "H01"], ANY_AUDIENCE],
        advising: &[COMMON, &["D06", "H02"]],
        skipped: &["F01.challenge", "F04", "F05"],
    };
    let Some(run) = found("fastmcp-defaults", &expected) else { return };
    assert!(run.why("auth/B05").contains("/`, but it calls itself"), "{}", run.why("auth/B05"));
}

/// The official Python SDK 2.3.0 with a verifier made of PyJWT and `validate_token_resource` breaks no duty:
///
/// - A07 (advice): it reports `invalid_token` to somebody who sent no token.
/// - A09, F01.challenge (advice): its challenges name no scope.
#[test]
fn python_sdk() {
    let advising: &[&[&str]] = &[COMMON, &["A07", "A09", "F01.challenge"]];
    found("python-sdk", &Found { failing: &[], advising, skipped: &["B10", "F04", "F05", "F07"] });
}

/// The same with `validate_token_resource` unset: a warning in its log, and tokens for anything let their bearer in.
#[test]
fn python_sdk_with_its_defaults() {
    let advising: &[&[&str]] = &[COMMON, &["A07", "A09", "F01.challenge"]];
    let expected = Found { failing: &[ANY_AUDIENCE], advising, skipped: &["B10", "F04", "F05", "F07"] };
    found("python-sdk-defaults", &expected);
}

/// What a server of one era cannot show about the other.
const OLD: &[&str] = &["F04", "G15", "G16", "G16.order", "H04"];

/// The official TypeScript SDK 1.32.2 with a verifier made of jose, and sessions that belong to a user:
///
/// - H07: its transport carries out batches, which only 2025-03-26 has, whatever revision was agreed on.
/// - A07 (advice): it reports `invalid_token` to somebody who sent no token.
/// - H02.absolute (advice): a foreign host in the request line is not looked at; that is Node's way.
#[test]
fn typescript_sdk() {
    let advising: &[&[&str]] = &[COMMON, &["A07", "H02.absolute"]];
    found("typescript-sdk", &Found { failing: &[&["H07"]], advising, skipped: OLD });
}

/// The same as its examples are:
///
/// - A06: it puts jose's message into the challenge as it is, and that of an expired token has quotes in it.
/// - G02: the stream of a session is for whoever names it, and (G01.bound, advice) so is the session. Within it each
///   request counts as its own sender's, so that G01 holds.
/// - H01, H02: `Origin` and `Host` are looked at on request only.
#[test]
fn typescript_sdk_with_its_defaults() {
    let expected = Found {
        failing: &[&["A06", "G02", "H01", "H07"]],
        advising: &[COMMON, &["A07", "G01.bound", "H02", "H02.absolute", "H02.two"]],
        skipped: OLD,
    };
    found("typescript-sdk-defaults", &expected);
}

/// The same with a verifier that throws what jose throws: every bad token gets 500, and none gets in.
#[test]
fn typescript_sdk_with_a_verifier_that_throws() {
    let Some(installed) = Installed::find() else { return };
    let run = eval(&installed, &project(), "typescript-sdk-throws", &[]);
    let refused = [
        "D01", "D03", "D05", "D07", "D08", "D09", "D10", "D11", "D12", "D13", "D15", "D17", "D18", "D19",
        "D20", "D26",
    ];
    run.finds(&refused, &[]);
    run.skips(&[]);
    assert!(run.why("auth/D03").contains("500 instead of 401"), "{}", run.why("auth/D03"));
}
