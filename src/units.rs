//! Durations, shares and money as people write them in YAML: `30s`, `5pt`, `1%`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time, written as a number with a unit: `250ms`, `30s`, `2m`, `1h`. Stored to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub Duration);

impl Period {
    /// A period of whole seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong =
            || format!("`{text}` is not a duration; write a number and a unit, like 250ms, 30s, 2m or 1h");
        let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
        let number: f64 = text[..split].trim().parse().map_err(|_| wrong())?;
        let seconds = match &text[split..] {
            "ms" => number / 1000.0,
            "s" => number,
            "m" | "min" => number * 60.0,
            "h" => number * 3600.0,
            _ => return Err(wrong()),
        };
        // A week bounds every wait; it also keeps the arithmetic far from overflow.
        if !(0.0..=604_800.0).contains(&seconds) {
            return Err(format!("`{text}` is out of range; a duration lies between 0 and 168h"));
        }
        Ok(Self(Duration::from_millis((seconds * 1000.0).round() as u64)))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        match ms {
            0 => f.write_str("0s"),
            _ if ms.is_multiple_of(3_600_000) => write!(f, "{}h", ms / 3_600_000),
            _ if ms.is_multiple_of(60_000) => write!(f, "{}m", ms / 60_000),
            _ if ms.is_multiple_of(1000) => write!(f, "{}s", ms / 1000),
            _ => write!(f, "{ms}ms"),
        }
    }
}

/// How far a clock is ahead, in whole seconds: a duration with a sign, `30s`, `-2h`. Negative: behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

impl FromStr for Offset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (sign, size) = match text.strip_prefix('-') {
            Some(size) => (-1, size),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let size: Period = size.parse()?;
        // A period is a week at most.
        Ok(Self(sign * i64::try_from(size.0.as_secs()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", Period::secs(self.0.unsigned_abs()))
    }
}

/// A share between 0 and 1, written as `1%`, `5pt` (percentage points) or a plain number such as `0.05`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || format!("`{text}` is not a share; write 5%, 5pt or 0.05");
        let (number, scale) = match text.strip_suffix('%').or_else(|| text.strip_suffix("pt")) {
            Some(number) => (number.trim(), 100.0),
            None => (text, 1.0),
        };
        let share = number.parse::<f64>().map_err(|_| wrong())? / scale;
        if !(0.0..=1.0).contains(&share) {
            return Err(format!("`{text}` is out of range; a share lies between 0% and 100%"));
        }
        Ok(Self(share))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", (self.0 * 1e6).round() / 1e4)
    }
}

macro_rules! text_or_number {
    ($name:ident, $expecting:literal, $pattern:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_f64<E: de::Error>(self, number: f64) -> Result<$name, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$name, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$name, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Text)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": ["string", "number"], "description": $expecting, "pattern": $pattern})
            }
        }
    };
}

text_or_number!(Period, "a duration such as 250ms, 30s, 2m or 1h", r"^[0-9.]+ *(ms|s|m|min|h)$");
text_or_number!(Offset, "a duration with a sign such as 30s or -2h", r"^[+-]?[0-9.]+ *(ms|s|m|min|h)$");
text_or_number!(Share, "a share such as 5%, 5pt or 0.05", r"^[0-9.]+ *(%|pt)?$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, ms) in
            [("250ms", 250), ("30s", 30_000), ("2m", 120_000), ("1h", 3_600_000), ("1.5s", 1500)]
        {
            assert_eq!(text.parse::<Period>(), Ok(Period(Duration::from_millis(ms))), "{text}");
        }
        assert_eq!(Period::secs(90).to_string(), "90s");
        for bad in ["30", "s", "-1s", "1e9h", "5 parsecs"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }

    #[test]
    fn offsets_have_a_sign() {
        for (text, seconds) in [("-2h", -7200), ("+30s", 30), ("5m", 300), ("0s", 0)] {
            assert_eq!(text.parse::<Offset>(), Ok(Offset(seconds)), "{text}");
        }
        assert_eq!((Offset(-7200).to_string(), Offset(30).to_string()), ("-2h".to_owned(), "30s".to_owned()));
        for bad in ["", "-", "2", "--2h", "h"] {
            assert!(bad.parse::<Offset>().is_err(), "{bad}");
        }
    }

    #[test]
    fn shares_read_and_print() {
        for (text, share) in [("5pt", 0.05), ("1%", 0.01), ("0.25", 0.25), ("100%", 1.0)] {
            assert_eq!(text.parse::<Share>(), Ok(Share(share)), "{text}");
        }
        assert_eq!(Share(0.05).to_string(), "5%");
        assert!("101%".parse::<Share>().is_err());
        assert!("NaN".parse::<Share>().is_err());
    }
}
