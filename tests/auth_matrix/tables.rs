//! What the matrix may find beside its diagonal, each with its reason.

/// Checks that have nothing to look at on the server without a flaw, by id: why.
pub(crate) const SILENT: &[(&str, &str)] = &[];

/// Flaws that change other checks of the same level: the flaw, those checks, why.
pub(crate) const CONSEQUENCES: &[(&str, &[&str], &str)] = &[
    ("A01", &["A05"], "whoever is let in gets no challenge"),
    ("A04", &["A06"], "a challenge that is not sent has no grammar"),
    (
        "B01",
        &["B03", "B05", "C01", "C02", "C03", "C04"],
        "the authorization server is found through the metadata",
    ),
    ("B03", &["B05", "C01", "C02", "C03", "C04"], "the authorization server is found through the metadata"),
    ("C01", &["B05", "C02", "C03", "C04"], "metadata that is not there says nothing"),
    ("C02", &["B05"], "a server that gives itself another name is not the one that was named"),
    (
        "D00",
        &["F01.challenge", "G01.bound", "G04.guess", "G07", "G14", "G16.order"],
        "nobody is let in, so a refusal proves nothing",
    ),
    ("D19", &["I02"], "the upstream is another resource, too"),
    ("D07", &["D08", "D09"], "a signature that is not looked at may be anybody's, over any claims"),
    ("D08", &["D07", "D09"], "a signature that is not looked at may be anybody's, over any claims"),
    ("D09", &["D07", "D08"], "a signature that is not looked at may be anybody's, over any claims"),
];

/// Flaws that need the server to be right in another way first: the flaw, the ways.
pub(crate) const SETTINGS: &[(&str, &[&str])] = &[
    ("D31", &["mode.opaque"]),
    ("D32", &["mode.opaque"]),
    ("D32.missing", &["mode.opaque"]),
    ("D33.introspection", &["mode.opaque"]),
    ("G18", &["mode.opaque"]),
];

/// Checks that report what they see and have nothing to break.
pub(crate) const REPORTS: &[&str] = &[];

/// Switches whose check is not written yet, and checks whose switch is not.
pub(crate) const PENDING: &[&str] = &[
    "A02",
    "A12",
    "A13",
    "B06",
    "B08",
    "B09",
    "C06",
    "C07",
    "C09",
    "D04",
    "D06",
    "D10.fetches",
    "D14.jku",
    "D14.x5u",
    "D16",
    "D18.suffix",
    "D21.query",
    "D22",
    "D22.path",
    "D24",
    "D27",
    "D28",
    "D29",
    "D30",
    "D31",
    "D32",
    "D32.missing",
    "D33",
    "D33.introspection",
    "D34",
    "D35",
    "D37",
    "E02.form",
    "E03",
    "E04",
    "E06.basic",
    "E06.spaces",
    "E08",
    "E09",
    "F02",
    "F02.case",
    "F03",
    "F04",
    "F05",
    "F06",
    "F07",
    "F08",
    "H03",
    "H04",
    "H05",
    "H06",
    "H07",
    "H08",
    "H09",
    "H10",
];

/// What the flaw's server is set to besides its flaw.
pub(crate) fn setting(flaw: &str) -> &'static [&'static str] {
    SETTINGS.iter().find(|(id, _)| *id == flaw).map_or(&[], |(_, modes)| modes)
}
