//! What the matrix may find beside its diagonal, each with its reason.

/// Checks that have nothing to look at on this server, and so no switch either, by id: why.
pub(crate) const SILENT: &[(&str, &str)] = &[
    ("J01", "its authorization server takes no registrations"),
    ("J02", "its authorization server takes no registrations"),
    ("J03", "its authorization server takes no registrations"),
    ("J03.life", "its authorization server takes no registrations"),
    ("J03.redirect", "its authorization server takes no registrations"),
    ("J03.revoke", "its authorization server takes no registrations"),
    ("J04", "its authorization server takes no registrations"),
    ("J05", "its authorization server takes no registrations"),
    ("J06", "its authorization server takes no registrations"),
    ("J07", "its authorization server takes no registrations"),
    ("J08", "its authorization server takes no registrations"),
    ("J08.document", "its authorization server takes no registrations"),
    ("J08.fetch", "its authorization server takes no registrations"),
    ("J09", "its authorization server takes no registrations"),
    ("J09.cookies", "its authorization server takes no registrations"),
    ("J09.state", "its authorization server takes no registrations"),
    ("J10", "its authorization server takes no registrations"),
    ("J11", "its authorization server takes no registrations"),
    ("J12", "its authorization server takes no registrations"),
    ("K01", "it speaks HTTP"),
    ("K02", "it speaks HTTP"),
    ("K03", "it speaks HTTP"),
    ("K04", "it speaks HTTP"),
    ("K04.object", "it speaks HTTP"),
    ("U01", "the server trusts the issuer"),
    ("U02", "the server trusts the issuer"),
    ("U03", "the server trusts the issuer"),
    ("U04", "the server trusts the issuer"),
    ("U05", "the server trusts the issuer"),
];

/// Flaws that change other checks of the same level: the flaw, those checks, why.
pub(crate) const CONSEQUENCES: &[(&str, &[&str], &str)] = &[
    ("A01", &["A05"], "whoever is let in gets no challenge"),
    ("A01", &["A02"], "nobody is kept from anything"),
    ("A11", &["F07"], "whatever a challenge asks for beside `*` is not needed"),
    ("A04", &["A06"], "a challenge that is not sent has no grammar"),
    (
        "B01",
        &["B03", "B05", "C01", "C02", "C03", "C04"],
        "the authorization server is found through the metadata",
    ),
    ("B03", &["B05", "C01", "C02", "C03", "C04"], "the authorization server is found through the metadata"),
    ("B08", &["B02.parent", "B06", "B10", "C07", "C08"], "metadata that asks for a token is not found"),
    ("C01", &["B05", "C02", "C03", "C04"], "metadata that is not there says nothing"),
    (
        "C09",
        &["J01", "J02", "J03", "J04", "J05", "J08"],
        "the authorization server is found through its metadata",
    ),
    ("C02", &["B05"], "a server that gives itself another name is not the one that was named"),
    (
        "D00",
        &["F01.challenge", "F04", "F05", "G01.bound", "G04.guess", "G07", "G14", "G16.order", "H03"],
        "nobody is let in, so a refusal proves nothing",
    ),
    ("D19", &["I02"], "the upstream is another resource, too"),
    ("D01", &["D29"], "any text is a token, a refresh token too"),
    ("D02", &["E06.spaces"], "no token is no token, however many spaces are in its place"),
    ("D03", &["E08"], "an expired token that counts anywhere counts in a session"),
    ("D32", &["D19", "D25", "I02"], "the audience is that of the token, whoever tells it"),
    ("D32.missing", &["D20"], "the audience is that of the token, whoever tells it"),
    ("F01.challenge", &["F05"], "a 403 that names no scope leads nowhere"),
    ("F04", &["F05"], "a call that anybody may make needs no further scope"),
    (
        "H03",
        &[
            "A07",
            "A08",
            "A09",
            "D00",
            "F01.challenge",
            "F04",
            "F05",
            "G01.bound",
            "G04.guess",
            "G07",
            "G14",
            "G16.order",
        ],
        "nobody without an `Origin` gets further than that",
    ),
    ("D07", &["D08", "D09"], "a signature that is not looked at may be anybody's, over any claims"),
    ("D08", &["D07", "D09"], "a signature that is not looked at may be anybody's, over any claims"),
    ("D09", &["D07", "D08"], "a signature that is not looked at may be anybody's, over any claims"),
];

/// More of them that only a close look sees, in the era of sessions.
pub(crate) const CLOSELY: &[(&str, &[&str], &str)] = &[
    ("E08", &["D03"], "an expired token that counts in a session counts"),
    ("E07", &["A02"], "whoever is in a session needs no token, whatever the method"),
];

/// Flaws that change another check or not, as fast as the machine is: the flaw, the check, why.
pub(crate) const FLEETING: &[(&str, &str, &str)] = &[(
    "H10",
    "D10.fetches",
    "ten tokens with unknown keys are ten bad tokens in a row, if they come fast enough",
)];

/// Flaws that need the server to be right in another way first: the flaw, the ways.
pub(crate) const SETTINGS: &[(&str, &[&str])] = &[
    ("B09", &["mode.tls"]),
    ("C01", &["mode.facade"]),
    ("C02", &["mode.facade"]),
    ("C03", &["mode.facade"]),
    ("C04", &["mode.facade"]),
    ("C05", &["mode.facade"]),
    ("C06", &["mode.facade"]),
    ("C07", &["mode.facade"]),
    ("C08", &["mode.facade"]),
    ("C09", &["mode.2025-03-26"]),
    ("D31", &["mode.opaque"]),
    ("D32", &["mode.opaque"]),
    ("D32.missing", &["mode.opaque"]),
    ("D33.introspection", &["mode.opaque"]),
    ("G18", &["mode.opaque"]),
];

/// Checks that report what they see and have nothing to break.
pub(crate) const REPORTS: &[&str] = &["B10", "D23", "D36"];

/// Switches whose check is not written yet, and checks whose switch is not.
pub(crate) const PENDING: &[&str] = &[];

/// What the flaw's server is set to besides its flaw.
pub(crate) fn setting(flaw: &str) -> &'static [&'static str] {
    SETTINGS.iter().find(|(id, _)| *id == flaw).map_or(&[], |(_, modes)| modes)
}
