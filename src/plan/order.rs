//! The order of execution: all first trials before any second one, shuffled by the seed, models spread evenly. A run
//! that stops early has then seen every case about equally often and no provider in one long burst.

use std::collections::BTreeMap;

use super::Case;
use crate::ids::ModelName;

/// Puts the cases in order. Their order before does not matter.
pub(super) fn arrange(mut cases: Vec<Case>, seed: u64) -> Vec<Case> {
    cases.sort_by_key(|case| case.header.key);
    let mut random = SplitMix64(seed);
    shuffle(&mut cases, &mut random);
    let mut sizes: BTreeMap<(u32, Option<ModelName>), u64> = BTreeMap::new();
    let group = |case: &Case| (case.header.trial, case.header.model.clone());
    for case in &cases {
        *sizes.entry(group(case)).or_default() += 1;
    }
    let mut counts: BTreeMap<(u32, Option<ModelName>), u64> = BTreeMap::new();
    let mut placed: Vec<(u32, u64, Case)> = cases
        .into_iter()
        .map(|case| {
            let group = group(&case);
            let size = sizes.get(&group).copied().unwrap_or(1).max(1);
            let count = counts.entry(group).or_default();
            // The middle of this case's share of the round, in units fine enough for any plan.
            let place = ((2 * *count + 1) << 32) / (2 * size);
            *count += 1;
            (case.header.trial, place, case)
        })
        .collect();
    placed.sort_by_key(|(trial, place, _)| (*trial, *place));
    placed.into_iter().map(|(_, _, case)| case).collect()
}

fn shuffle<T>(items: &mut [T], random: &mut SplitMix64) {
    for last in (1..items.len()).rev() {
        let other = (random.next() % (last as u64 + 1)) as usize;
        items.swap(last, other);
    }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_published_generator() {
        // Reference values for seed 1234567 (Vigna's splitmix64.c).
        let mut random = SplitMix64(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn shuffling_keeps_every_item() {
        let mut items: Vec<u32> = (0..50).collect();
        shuffle(&mut items, &mut SplitMix64(7));
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
