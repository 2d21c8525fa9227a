//! Known secrets become stable placeholders before anything is kept or shown.
//!
//! Every configured or minted credential is registered before its first use. Redaction is by exact value, in the forms
//! in which a value travels: as it is, percent-encoded, in base64 (standard and URL-safe, at each of three alignments),
//! in hexadecimal and as JSON escapes.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, OnceLock, RwLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine;
use serde_json::Value;

/// The secrets of a run. Clones share one list.
#[derive(Clone, Default)]
pub struct Secrets {
    inner: Arc<RwLock<Known>>,
}

#[derive(Default)]
struct Known {
    values: HashSet<String>,
    groups: Vec<Group>,
    /// Names of values that were too short, until somebody has been told.
    too_short: BTreeSet<String>,
    told: HashSet<String>,
}

/// Secrets that are searched for together. Tokens are registered throughout a run, and building one automaton of all
/// each time would take quadratic time; so groups of about the same size are joined, as in a log-structured store.
struct Group {
    patterns: Vec<String>,
    marks: Vec<String>,
    /// Built for the first text: tokens often come in numbers before anything is kept.
    finder: OnceLock<Option<AhoCorasick>>,
}

impl Group {
    fn new(patterns: Vec<String>, marks: Vec<String>) -> Self {
        Self { patterns, marks, finder: OnceLock::new() }
    }

    fn finder(&self) -> Option<&AhoCorasick> {
        let build = || {
            AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .kind(Some(AhoCorasickKind::NoncontiguousNFA))
                .build(&self.patterns)
                .ok()
        };
        self.finder.get_or_init(build).as_ref()
    }
}

const SHORTEST: usize = Secrets::SHORTEST;

impl Secrets {
    /// The shortest value that is redacted, in bytes; shorter ones would redact ordinary words.
    pub const SHORTEST: usize = 8;

    /// Registers a value under a name that may be shown; occurrences become `[secret:NAME]`. Values shorter than
    /// [`Self::SHORTEST`] are not redacted; [`Self::take_too_short`] names them.
    pub fn register(&self, name: &str, value: &str) {
        self.add(name, value, forms(value));
    }

    /// Registers a JWT: the whole token, its signature, and a part of the signature in every form. Header and claims
    /// alone are worth reading, and without 48 bytes of the signature they open nothing.
    pub fn register_jwt(&self, name: &str, token: &str) {
        match token.rsplit_once('.') {
            Some((_, signature)) if signature.len() >= SHORTEST => {
                // Encoded copies of whole signatures would make the automaton four times as large.
                let part = signature.get(..64).unwrap_or(signature);
                let mut forms = forms(part);
                forms.push(signature.to_owned());
                forms.push(token.to_owned());
                self.add(name, token, forms);
            }
            _ => self.register(name, token),
        }
    }

    fn add(&self, name: &str, value: &str, mut forms: Vec<String>) {
        let mut known = self.inner.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if value.len() < SHORTEST {
            if !value.is_empty() && known.told.insert(name.to_owned()) {
                known.too_short.insert(name.to_owned());
            }
            return;
        }
        if !known.values.insert(value.to_owned()) {
            return;
        }
        forms.retain(|form| form.len() >= SHORTEST);
        forms.sort();
        forms.dedup();
        let mut marks = vec![format!("[secret:{name}]"); forms.len()];
        while let Some(last) = known.groups.pop_if(|last| last.patterns.len() <= forms.len()) {
            // The earlier name comes first and wins where two secrets share a form.
            forms = last.patterns.into_iter().chain(forms).collect();
            marks = last.marks.into_iter().chain(marks).collect();
        }
        known.groups.push(Group::new(forms, marks));
    }

    /// The text with every known secret replaced.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut hits: Vec<(usize, usize, &str)> = Vec::new();
        for group in &known.groups {
            let found = group.finder().into_iter().flat_map(|finder| finder.find_iter(text));
            hits.extend(found.map(|hit| (hit.start(), hit.end(), group.marks[hit.pattern()].as_str())));
        }
        if hits.is_empty() {
            return Cow::Borrowed(text);
        }
        // Where secrets overlap, the first and longest gives its name and all of their bytes go.
        hits.sort_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)));
        let mut clean = String::with_capacity(text.len());
        let mut done = 0;
        for (start, end, mark) in hits {
            if start >= done {
                clean.push_str(&text[done..start]);
                clean.push_str(mark);
            }
            done = done.max(end);
        }
        clean.push_str(&text[done..]);
        Cow::Owned(clean)
    }

    /// Redacts every string and key of a JSON value in place.
    pub fn redact_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.redact(text) {
                    *text = clean;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            Value::Object(map) => {
                let dirty = map.keys().any(|key| matches!(self.redact(key), Cow::Owned(_)));
                if dirty {
                    *map = std::mem::take(map)
                        .into_iter()
                        .map(|(k, v)| (self.redact(&k).into_owned(), v))
                        .collect();
                }
                map.values_mut().for_each(|item| self.redact_json(item));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The names of values that cannot be redacted because they are too short, each of them once.
    pub fn take_too_short(&self) -> BTreeSet<String> {
        let mut known = self.inner.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut known.too_short)
    }

    /// How many values are registered.
    pub fn len(&self) -> usize {
        self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner).values.len()
    }

    /// Whether nothing is registered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.len())
    }
}

fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned()];
    forms.push(url::form_urlencoded::byte_serialize(value.as_bytes()).collect());
    for unreserved in ["-._~", "-._~!*'()", ""] {
        let kept = |byte: u8| byte.is_ascii_alphanumeric() || unreserved.as_bytes().contains(&byte);
        let percent = |escape: fn(u8) -> String| -> String {
            value
                .bytes()
                .map(|byte| if kept(byte) { char::from(byte).to_string() } else { escape(byte) })
                .collect()
        };
        forms.push(percent(|byte| format!("%{byte:02X}")));
        forms.push(percent(|byte| format!("%{byte:02x}")));
    }
    if let Ok(quoted) = serde_json::to_string(value) {
        forms.push(quoted.trim_matches('"').to_owned());
    }
    forms.push(value.bytes().map(|byte| format!("{byte:02x}")).collect());
    forms.push(value.bytes().map(|byte| format!("{byte:02X}")).collect());
    // In base64 of a longer text the value starts at one of three alignments; the part of the encoding that depends
    // on its neighbours is cut off at both ends.
    for engine in
        [base64::engine::general_purpose::STANDARD_NO_PAD, base64::engine::general_purpose::URL_SAFE_NO_PAD]
    {
        for lead in 0..3_usize {
            let mut padded = vec![0; lead];
            padded.extend_from_slice(value.as_bytes());
            let text = engine.encode(&padded);
            let skip = (lead * 8).div_ceil(6);
            let tail = usize::from(!padded.len().is_multiple_of(3));
            if text.len() > skip + tail {
                forms.push(text[skip..text.len() - tail].to_owned());
            }
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form() {
        let secrets = Secrets::default();
        let key = "sk-proj/ab+c=12345678";
        secrets.register("OPENAI_API_KEY", key);
        let b64 = base64::engine::general_purpose::STANDARD.encode(format!("user:{key}:x"));
        let hex: String = key.bytes().map(|b| format!("{b:02x}")).collect();
        let percent: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
        let strict = key.replace('/', "%2f").replace('+', "%2b").replace('=', "%3d");
        for text in [key.to_owned(), b64, hex.to_uppercase(), hex, percent, strict] {
            let clean = secrets.redact(&text).into_owned();
            assert!(clean.contains("[secret:OPENAI_API_KEY]"), "{text} -> {clean}");
        }
        assert_eq!(secrets.redact("nothing here"), "nothing here");
    }

    #[test]
    fn a_secret_inside_another_leaves_no_rest() {
        let secrets = Secrets::default();
        secrets.register("SHORT", "abcdefgh");
        for other in 0..20 {
            secrets.register("OTHER", &format!("unrelated-{other}"));
        }
        secrets.register("LONG", "abcdefgh-and-more");
        secrets.register("LAST", "more-to-come");
        assert_eq!(
            secrets.redact("x abcdefgh-and-more-to-come y abcdefgh"),
            "x [secret:LONG] y [secret:SHORT]"
        );
        assert_eq!(secrets.len(), 23);
    }

    #[test]
    fn short_values_are_left_alone_and_named_once() {
        let secrets = Secrets::default();
        secrets.register("EMPTY", "");
        secrets.register("LONG", "long enough");
        secrets.register("PIN", "1234");
        assert_eq!(secrets.len(), 1);
        assert_eq!(secrets.redact("1234"), "1234");
        assert_eq!(secrets.take_too_short(), BTreeSet::from(["PIN".to_owned()]));
        secrets.register("PIN", "1234");
        assert!(secrets.take_too_short().is_empty());
    }

    #[test]
    fn json_is_redacted_in_keys_and_values() {
        let secrets = Secrets::default();
        secrets.register("T", "abcdefghij");
        let mut value = serde_json::json!({"abcdefghij": ["x abcdefghij y", 1]});
        secrets.redact_json(&mut value);
        assert_eq!(value, serde_json::json!({"[secret:T]": ["x [secret:T] y", 1]}));
    }
}
