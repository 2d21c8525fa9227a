//! Names, content digests and the keys that identify a trial.
//!
//! Every identifier is its own type, so a persona's name cannot be passed where a model's is expected.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($(#[$about:meta])* $name:ident;)*) => {$(
        $(#[$about])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(with = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a name as it was written.
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            /// The name as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Takes the text from the pool, so that equal names share it.
            pub fn share(&mut self, pool: &mut Pool) {
                pool.share(&mut self.0);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }
    )*};
}

names! {
    /// The name of a suite, its file stem unless the file says otherwise.
    SuiteName;
    /// The id of a case, unique in its suite.
    CaseName;
    /// The name of a model, from `evals/models` or `provider:id`.
    ModelName;
    /// The name of a persona, from `evals/personas` or inline.
    PersonaName;
    /// The name of a client profile, from `evals/clients`.
    ClientName;
    /// The name of a tool, exactly as the server spells it.
    ToolName;
    /// The id of a tool call, as the model's API gave it or as the loop numbered it.
    CallId;
    /// The id of a run: a UUID of version 7 in text, so ids sort by start time.
    RunId;
}

/// Texts that occur many times, kept once: a record of ten thousand trials names the same persona ten thousand times.
#[derive(Debug, Default)]
pub struct Pool(HashSet<Arc<str>>);

impl Pool {
    /// Replaces a text by the equal one that came first.
    pub fn share(&mut self, text: &mut Arc<str>) {
        match self.0.get(&**text) {
            Some(first) => *text = Arc::clone(first),
            None => drop(self.0.insert(Arc::clone(text))),
        }
    }
}

/// A content digest: the first 128 bits of BLAKE3, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        Self(short)
    }

    /// The digest of a value's JSON text. Struct fields keep their declared order, so equal values have equal digests.
    pub fn of_json<T: Serialize + ?Sized>(value: &T) -> Self {
        // A plain data type always serialises; an empty text would still be a deterministic digest.
        Self::of(&serde_json::to_vec(value).unwrap_or_default())
    }

    /// The digest that stands for "there is none", for example the model of a case that needs no model.
    pub const fn none() -> Self {
        Self([0; 16])
    }

    /// The first eight bytes as a number, for stable sharding and seeding.
    pub fn as_u64(self) -> u64 {
        let mut head = [0; 8];
        head.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(head)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // In one piece: seals and keys are written so often that formatting byte by byte took a fiftieth of a run.
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text that is not 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 32 hexadecimal digits, not `{0}`")]
pub struct NotADigest(String);

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || NotADigest(text.chars().take(40).collect());
        if text.len() != 32 || !text.is_ascii() {
            return Err(bad());
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Identifies a trial by what shapes its transcript: the question (prompts, persona, client profile, setup), the model
/// with its parameters, and the number of the trial. Neither the position in the file nor the expectations are part
/// of it, so moving lines or editing an expectation runs nothing again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CaseKey {
    /// What is asked, as whom, through which client.
    pub question: Digest,
    /// The model and its parameters; [`Digest::none`] for access and auth cases.
    pub model: Digest,
    /// The number of the trial, from 1.
    pub trial: u32,
}

impl fmt::Display for CaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.question, self.model, self.trial)
    }
}

impl FromStr for CaseKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let mut parts = text.splitn(3, '-');
            let (question, model, trial) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Self {
                question: question.parse().ok()?,
                model: model.parse().ok()?,
                trial: trial.parse().ok()?,
            })
        };
        read().ok_or_else(|| NotAKey(text.chars().take(100).collect()))
    }
}

/// A text that is no [`CaseKey`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the key of a trial")]
pub struct NotAKey(String);

impl fmt::Debug for CaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Identifies what shapes a score: the checks, the criteria, the rubric and the judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScoreKey(pub Digest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let key = CaseKey { question: Digest::of(b"q"), model: Digest::of(b"m"), trial: 12 };
        assert_eq!(key.to_string().parse(), Ok(key));
        for wrong in ["", "a-b-1", "../../etc/passwd", &format!("{}-1", key.question), &format!("{key}-")] {
            assert!(wrong.parse::<CaseKey>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn digests_survive_their_text() {
        let digest = Digest::of(b"bookshop");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("xyz".parse::<Digest>().is_err());
        assert!("ééééééééééééééééé".parse::<Digest>().is_err());
    }
}
