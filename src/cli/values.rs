//! How values of flags are read.

/// An amount of US dollars above zero.
pub(super) fn dollars(text: &str) -> Result<f64, String> {
    let wrong = || "write an amount in US dollars above zero, like 2.50".to_owned();
    let amount: f64 = text.trim().trim_start_matches('$').parse().map_err(|_| wrong())?;
    if amount.is_finite() && amount > 0.0 { Ok(amount) } else { Err(wrong()) }
}

/// Part I of N, as `I/N`.
pub(super) fn shard(text: &str) -> Result<(u32, u32), String> {
    let wrong = || "write I/N with 1 <= I <= N, like 2/5".to_owned();
    let (index, of) = text.split_once('/').ok_or_else(wrong)?;
    let (index, of) = (index.trim().parse().map_err(|_| wrong())?, of.trim().parse().map_err(|_| wrong())?);
    if (1..=of).contains(&index) { Ok((index, of)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_parsed() {
        assert_eq!(dollars("2.50"), Ok(2.5));
        assert_eq!(dollars("$1"), Ok(1.0));
        for bad in ["", "0", "-1", "nan", "inf", "1 euro"] {
            assert!(dollars(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shards_are_parsed() {
        assert_eq!(shard("2/5"), Ok((2, 5)));
        for bad in ["0/5", "6/5", "2", "a/b", "1/0"] {
            assert!(shard(bad).is_err(), "{bad}");
        }
    }
}
