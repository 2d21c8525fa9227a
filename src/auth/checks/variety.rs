//! How well a row of ids can be guessed, from the ids alone. Pure.
//!
//! It counts what varies: per place the characters that were seen there, or all of the alphabet where they look drawn
//! from it evenly. Ids that only look random, such as digests of a counter, pass; nobody outside can tell.

use std::collections::BTreeSet;

/// How many ids are looked at.
pub(super) const SAMPLE: usize = 32;

/// How many bits must vary.
const ENOUGH: f64 = 64.0;

/// The largest step between neighbours of a row that still counts.
const STEP: u128 = 1 << 32;

/// What is wrong with a row of ids in the order of their making; `Ok` with the bits that were seen to vary.
pub(super) fn judge(ids: &[&str]) -> Result<u32, String> {
    if let Some(odd) = ids.iter().find(|id| !id.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(format!("`{}` is not visible ASCII", odd.escape_default()));
    }
    if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
        return Err("an id came twice".to_owned());
    }
    if counts(ids) {
        return Err("the ids count upwards".to_owned());
    }
    let bits = bits(ids);
    match bits >= ENOUGH {
        true => Ok(bits as u32),
        false => Err(format!("only about {} bits vary, and 64 are wanted", bits as u32)),
    }
}

/// Whether the ids are a common beginning and a number that grows by small steps.
fn counts(ids: &[&str]) -> bool {
    let Some(first) = ids.first() else { return false };
    let common = first
        .bytes()
        .enumerate()
        .take_while(|(at, byte)| ids.iter().all(|id| id.as_bytes().get(*at) == Some(byte)));
    // Places before the first difference belong to the number, too, but change nothing about its steps.
    let begin = common.count();
    let numbers = |radix: u32| -> Option<Vec<u128>> {
        let number = |id: &&str| {
            let digits: String = id.get(begin..)?.chars().filter(|c| !matches!(c, '-' | '_' | '.')).collect();
            u128::from_str_radix(&digits, radix).ok()
        };
        ids.iter().map(number).collect()
    };
    let small = |row: &[u128]| {
        row.windows(2).all(|pair| pair[1].checked_sub(pair[0]).is_some_and(|step| step > 0 && step < STEP))
    };
    ids.len() > 2 && [10, 16, 36].into_iter().filter_map(numbers).any(|row| small(&row))
}

/// The bits that vary, place by place.
fn bits(ids: &[&str]) -> f64 {
    let shortest = ids.iter().map(|id| id.len()).min().unwrap_or_default();
    let places: Vec<BTreeSet<u8>> = (0..shortest)
        .map(|at| ids.iter().filter_map(|id| id.as_bytes().get(at).copied()).collect())
        .collect();
    let alphabet: BTreeSet<u8> = places.iter().filter(|seen| seen.len() > 1).flatten().copied().collect();
    let size = alphabet.len() as f64;
    // Of an alphabet drawn from evenly, a sample shows on average this many characters at one place.
    let expected = size * (1.0 - (1.0 - 1.0 / size).powi(ids.len() as i32));
    let worth = |seen: &BTreeSet<u8>| match seen.len() {
        0 | 1 => 0.0,
        many if many as f64 >= 0.6 * expected => size.log2(),
        many => (many as f64).log2(),
    };
    places.iter().map(worth).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: impl Fn(usize) -> String) -> Result<u32, String> {
        let ids: Vec<String> = (0..SAMPLE).map(id).collect();
        judge(&ids.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn digest(n: usize) -> String {
        blake3::hash(format!("seed {n}").as_bytes()).to_hex().to_string()
    }

    #[test]
    fn random_ids_pass() {
        assert_eq!(row(|n| digest(n)[..16].to_owned()), Ok(64));
        assert!(row(digest).is_ok_and(|bits| bits > 240));
        let uuid = |n: usize| {
            let hex = digest(n);
            format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
        };
        assert!(row(uuid).is_ok_and(|bits| (110..=124).contains(&bits)), "{:?}", row(uuid));
        // Time first, as in UUID version 7.
        let timed = |n: usize| format!("0192f0c4-{:04x}-7{}", 16 * n, &digest(n)[..18]);
        assert!(row(timed).is_ok_and(|bits| bits >= 72), "{:?}", row(timed));
    }

    #[test]
    fn rows_and_short_ids_do_not() {
        let counts = Err("the ids count upwards".to_owned());
        assert_eq!(row(|n| format!("{n}")), counts);
        assert_eq!(row(|n| format!("session-{:06}", n + 95)), counts);
        assert_eq!(row(|n| format!("s{:x}", 4096 + 3 * n)), counts);
        assert_eq!(row(|_| "same".to_owned()), Err("an id came twice".to_owned()));
        assert!(row(|n| format!("a b{n}")).is_err_and(|why| why.contains("visible ASCII")));
        let short = row(|n| digest(n)[..8].to_owned());
        assert_eq!(short, Err("only about 32 bits vary, and 64 are wanted".to_owned()));
        // A long id of which little varies.
        let padded = row(|n| format!("{}{}", &digest(n)[..8], "0".repeat(40)));
        assert_eq!(padded, Err("only about 32 bits vary, and 64 are wanted".to_owned()));
    }
}
