//! What can be wrong in a suite or an instrument. All of it ends with exit 2 before anything runs.

use super::Entry;

/// Code and text.
#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    ("suite.syntax", "The file is not YAML. The message names line and column where reading stopped; the mistake is often one line above: a missing quote, a tab used for indentation, or a colon inside an unquoted text."),
    ("suite.not-utf8", "The file holds bytes that are not UTF-8. Save it as UTF-8 without a byte order mark; the message names the first bad place."),
    ("suite.too-large", "The file, or what its aliases expand to, is larger than a suite may be. Split the suite; long texts belong in tool results, not in prompts."),
    ("suite.too-complex", "The file is nested too deeply or holds too many nodes or aliases. Such files are refused, because a small file could otherwise take all memory."),
    ("suite.alias-cycle", "An alias refers to itself, or files extend each other in a circle. Break the circle; the message lists its members."),
    ("suite.unknown-key", "A key that rehearsal does not know. It is an error and not ignored, because a misspelt `expect` would leave a case that always passes. The hint names the nearest known key."),
    ("suite.missing-key", "A required key is absent. The message names the key and the block it belongs to; `rehearsal schema suite` prints the whole schema."),
    ("suite.duplicate-key", "A key stands twice in the same map. YAML would silently keep one of them; keep the one you mean."),
    ("suite.duplicate", "Two definitions share one name, so that a report could not tell them apart. Rename one; the message shows both places."),
    ("suite.duplicate-id", "Two cases share one id, so that their trials could not be told apart. Rename one; the message shows both places."),
    ("suite.unknown-name", "A name refers to nothing: no such model, persona, client profile, rubric, auth pack or case. The hint names the nearest known one; instruments come from `evals/` and from the binary."),
    ("suite.wrong-type", "A value has the wrong type, for example a text where a list is expected. Words such as `yes`, `no`, `on` and numbers with leading zeros need quotes when they are meant as text."),
    ("suite.invalid-value", "A value is out of its range or not in its format, for example a duration without a unit or a share above 100%. The hint shows a right one."),
    ("suite.version", "The `version` of the suite format is missing or not supported. This version of rehearsal reads `version: 1`."),
    ("suite.target", "The `target` block does not say how the server is reached: exactly one of `command`, `url` and `server` is needed, with a transport that fits it."),
    ("suite.server-file", "The file named by `target.server` cannot be used: it is absent, is no JSON with `mcpServers`, or has no server of that name."),
    ("suite.undeclared-variable", "A `${VARIABLE}` is used that the suite does not declare under `env:`. Only declared variables are read from the environment, so that a suite from elsewhere cannot collect yours."),
    ("suite.missing-variable", "A declared environment variable is not set. Export it, or remove it from `env:`."),
    ("suite.no-expectation", "A case expects nothing, so it would always pass. Add `expect:` checks or `criteria:` for the judge."),
    ("suite.no-cases", "The suite asks nothing: it has no cases, no access matrix and no auth checks. Add at least one of them."),
    ("suite.no-judge", "A case has `criteria:` and the suite names no judge. Add `judge: {model: ..., rubric: ...}`; the model under test never judges itself by default."),
    ("suite.contradiction", "Two expectations cannot both hold, for example a tool that a persona must see and must never see. The message shows both places."),
    ("suite.not-yet", "The key belongs to the suite format, but this version of rehearsal does not act on it yet. It is refused rather than ignored, so that no expectation is silently dropped. Remove it."),
    ("suite.unreadable", "A file of the suite could not be read: it is absent, or permissions forbid it. The message names the path as it was written."),
    ("suite.self-judge", "The judge is the model under test. Models favour their own answers; name another judge, or accept it knowingly where the message says how."),
];
