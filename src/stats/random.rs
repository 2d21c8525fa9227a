//! The one generator of chance in the statistics: SplitMix64. Same seed, same report.

/// SplitMix64 (Steele, Lea and Flood 2014): add the golden gamma, then mix.
///
/// Applies to resampling, where speed and a jump to any place in the stream matter. Fails as a source of secrets: its
/// output can be predicted.
#[derive(Clone, Debug)]
pub struct SplitMix64 {
    state: u64,
}

const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

impl SplitMix64 {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The stream of a run for a purpose, so that no two questions about a run share their chance.
    pub fn of_run(run: &str, purpose: &str) -> Self {
        let digest = blake3::hash(format!("{run}\n{purpose}").as_bytes());
        let seed = digest.as_bytes().iter().take(8).rev().fold(0, |seed, byte| seed << 8 | u64::from(*byte));
        Self::new(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in [0, 1): the upper 53 bits times 2^-53.
    pub fn next_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number below `bound`: floor(f64 x bound); 0 when `bound` is 0.
    pub fn index(&mut self, bound: usize) -> usize {
        ((self.next_f64() * bound as f64) as usize).min(bound.saturating_sub(1))
    }

    /// The same stream, `draws` later; a jump, so that parallel workers can share one stream.
    pub fn skip(&self, draws: u64) -> Self {
        Self { state: self.state.wrapping_add(GOLDEN_GAMMA.wrapping_mul(draws)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_as_good_as_drawing() {
        let start = SplitMix64::new(7);
        let mut walked = start.clone();
        for _ in 0..5 {
            walked.next_u64();
        }
        assert_eq!(start.skip(5).next_u64(), walked.next_u64());
    }

    #[test]
    fn purposes_do_not_share_their_chance() {
        let draw = |purpose| SplitMix64::of_run("run", purpose).next_u64();
        assert_eq!(draw("a"), draw("a"));
        assert_ne!(draw("a"), draw("b"));
    }

    #[test]
    fn nothing_to_choose_from_is_the_first() {
        assert_eq!(SplitMix64::new(1).index(0), 0);
    }
}
