//! How long a run still takes and what it will cost, as ranges: no single number would hold.

use std::time::Duration;

/// Fewer trials say nothing.
const FEWEST: usize = 5;

/// The seconds that so many trials still take, from the moments at which others ended, in seconds, in order. `typical`
/// is how long one trial takes.
///
/// The pace of the whole run and that of its last quarter bound the range; the fewer trials have ended, the wider it is.
/// The last trials end one trial's time after the last one began.
pub(super) fn time(ended: &[f64], now: f64, left: u64, typical: f64) -> Option<[f64; 2]> {
    if ended.len() < FEWEST || now <= 0.0 {
        return None;
    }
    let recent = (ended.len() / 4).clamp(16, 2_000).min(ended.len() - 1);
    let since = ended[ended.len() - 1 - recent];
    let paces = [ended.len() as f64 / now, recent as f64 / (now - since).max(1e-3)];
    let margin = 1.08 + 0.7 / (ended.len() as f64).sqrt();
    let left = left as f64;
    let least = left / (paces[0].max(paces[1]) * margin);
    Some([least, left / paces[0].min(paces[1]) * margin + typical])
}

/// Sums of what trials cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Costs {
    trials: u32,
    sum: f64,
    squares: f64,
}

impl Costs {
    /// One more trial, in US dollars.
    pub(super) fn add(&mut self, cost: f64) {
        self.trials += 1;
        self.sum += cost;
        self.squares += cost * cost;
    }

    /// US dollars that so many further trials cost, in 19 of 20 cases if they are like those before: the noise of the
    /// mean and of the trials themselves.
    pub(super) fn ahead(&self, left: u64) -> Option<[f64; 2]> {
        if (self.trials as usize) < FEWEST || self.sum <= 0.0 {
            return None;
        }
        let (n, left) = (f64::from(self.trials), left as f64);
        let mean = self.sum / n;
        let variance = (self.squares / n - mean * mean).max(0.0) * n / (n - 1.0);
        let noise = 1.96 * (variance * (left + left * left / n)).sqrt();
        Some([(left * mean - noise).max(0.0), left * mean + noise])
    }
}

/// A range of seconds in words: `7–9 min`.
pub(super) fn words([low, high]: [f64; 2]) -> String {
    let (unit, size, step) = match high {
        ..10.0 => ("s", 1.0, 1.0),
        ..100.0 => ("s", 1.0, 5.0),
        ..6_000.0 => ("min", 60.0, 1.0),
        _ => ("h", 3600.0, 0.5),
    };
    let low = (low / size / step).floor() * step;
    let high = ((high / size / step).ceil() * step).max(step);
    if low <= 0.0 { format!("under {high} {unit}") } else { format!("{low}–{high} {unit}") }
}

/// A time as `00:12:40`.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_in_words() {
        let all = [[1.2, 3.4], [0.0, 0.2], [31.0, 58.0], [400.0, 530.0], [4_000.0, 9_000.0]];
        assert_eq!(all.map(words), ["1–4 s", "under 1 s", "30–60 s", "6–9 min", "1–2.5 h"]);
        assert_eq!(clock(Duration::from_secs(45_296)), "12:34:56");
    }

    #[test]
    fn too_little_says_nothing() {
        assert_eq!(time(&[1.0; 4], 2.0, 10, 1.0), None);
        assert!(time(&[1.0; 5], 2.0, 10, 1.0).is_some());
        let mut costs = Costs::default();
        (0..4).for_each(|_| costs.add(0.01));
        assert_eq!(costs.ahead(10), None);
        costs.add(0.01);
        let [low, high] = costs.ahead(10).unwrap();
        assert!((low - 0.1).abs() < 1e-9 && (high - 0.1).abs() < 1e-9, "like trials leave no doubt");
        costs.add(0.05);
        let [low, high] = costs.ahead(10).unwrap();
        assert!(low < 0.1 && high > 0.2, "{low} {high}");
    }

    /// A number between 0 and 1 from a counter (SplitMix64).
    fn drawn(seed: &mut u64) -> f64 {
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The ends of trials with skewed times, so many at once, the trials in the order in which they begin.
    fn ends(seed: &mut u64, (trials, at_once): (usize, usize)) -> (Vec<f64>, f64) {
        let mut seats = vec![0.0_f64; at_once];
        let (mut ends, mut sum) = (vec![], 0.0);
        // Cases differ by a factor of three, and come in blocks.
        let cases: Vec<f64> = (0..10).map(|_| 1.0 + 2.0 * drawn(seed)).collect();
        for trial in 0..trials {
            let took = cases[trial * 10 / trials] * (0.5 - drawn(seed).max(1e-9).ln());
            let seat = seats.iter_mut().min_by(|a, b| a.total_cmp(b)).unwrap();
            *seat += took;
            sum += took;
            ends.push(*seat);
        }
        ends.sort_by(f64::total_cmp);
        (ends, sum / trials as f64)
    }

    #[test]
    fn the_end_lies_in_the_range_that_was_told() {
        let (mut seed, mut held, mut all) = (7, 0, 0);
        for shape in [(40, 4), (200, 8), (200, 64), (2_000, 16), (2_000, 200)] {
            for _ in 0..60 {
                let (ends, typical) = ends(&mut seed, shape);
                for quarter in 1..4 {
                    let done = ends.len() * quarter / 4;
                    let now = ends[done - 1];
                    let [low, high] = time(&ends[..done], now, (ends.len() - done) as u64, typical).unwrap();
                    let took = ends[ends.len() - 1] - now;
                    held += i32::from((low..=high).contains(&took));
                    all += 1;
                }
            }
        }
        assert!(held * 100 >= all * 80, "{held} of {all} ends lie in the range");
    }
}
