//! How long a run still takes and what it will cost, as ranges: no single number would hold.

use std::time::Duration;

/// Fewer trials say nothing.
const FEWEST: usize = 5;

/// Trials that are still to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    /// All of them.
    pub(super) trials: u64,
    /// Those that are under way already.
    pub(super) busy: usize,
    /// How long one took so far, in seconds.
    pub(super) typical: f64,
}

/// The seconds that trials still take, from the moments at which others ended, in seconds, in order.
///
/// The pace of the whole run, with and without what is under way, and that of its last quarter bound the range; the fewer
/// trials have ended, the wider it is. What is under way is half done. The last of so many trials ends later than one
/// trial takes, by the logarithm of their number.
pub(super) fn time(ended: &[f64], now: f64, ahead: Ahead) -> Option<[f64; 2]> {
    if ended.len() < FEWEST || now <= 0.0 {
        return None;
    }
    let recent = (ended.len() / 4).clamp(16, 2_000).min(ended.len() - 1);
    let since = ended[ended.len() - 1 - recent];
    let (done, busy, left) = (ended.len() as f64, ahead.busy as f64, ahead.trials as f64);
    let paces = [done / now, (done + busy) / now, recent as f64 / (now - since).max(1e-3)];
    let margin = 1.12 + 0.7 / done.sqrt();
    let least = (left - busy / 2.0).max(0.0) / (paces.into_iter().fold(0.0, f64::max) * margin);
    let most = left / paces.into_iter().fold(f64::MAX, f64::min) * margin;
    Some([least, most + 1.1 * ahead.typical * busy.ln_1p()])
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
        let ahead = Ahead { trials: 10, busy: 2, typical: 1.0 };
        assert_eq!(time(&[1.0; 4], 2.0, ahead), None);
        assert!(time(&[1.0; 5], 2.0, ahead).is_some());
        let mut costs = Costs::default();
        (0..4).for_each(|_| costs.add(0.01));
        assert_eq!(costs.ahead(10), None);
        costs.add(0.01);
        let [low, high] = costs.ahead(10).unwrap();
        assert!((low - 0.1).abs() < 1e-6 && (high - 0.1).abs() < 1e-6, "like trials leave no doubt");
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

    /// When trials with skewed times end and what they took, so many at once, in the order in which they end.
    fn ends(seed: &mut u64, (trials, at_once): (usize, usize)) -> Vec<[f64; 2]> {
        let mut seats = vec![0.0_f64; at_once];
        let mut ends = vec![];
        // Cases differ by a factor of three, and come in blocks.
        let cases: Vec<f64> = (0..10).map(|_| 1.0 + 2.0 * drawn(seed)).collect();
        for trial in 0..trials {
            let took = cases[trial * 10 / trials] * (0.5 - drawn(seed).max(1e-9).ln());
            let seat = seats.iter_mut().min_by(|a, b| a.total_cmp(b)).unwrap();
            *seat += took;
            ends.push([*seat, took]);
        }
        ends.sort_by(|a, b| a[0].total_cmp(&b[0]));
        ends
    }

    #[test]
    fn the_end_lies_in_the_range_that_was_told() {
        let (mut seed, mut held, mut all) = (7, 0, 0);
        for shape in [(40, 4), (200, 8), (200, 64), (2_000, 16), (2_000, 200)] {
            for _ in 0..40 {
                let ends = ends(&mut seed, shape);
                let moments: Vec<f64> = ends.iter().map(|end| end[0]).collect();
                for quarter in 1..4 {
                    let done = ends.len() * quarter / 4;
                    let typical = ends[..done].iter().map(|end| end[1]).sum::<f64>() / done as f64;
                    let left = ends.len() - done;
                    let ahead = Ahead { trials: left as u64, busy: shape.1.min(left), typical };
                    let now = moments[done - 1];
                    let [low, high] = time(&moments[..done], now, ahead).unwrap();
                    held += i32::from((low..=high).contains(&(moments[ends.len() - 1] - now)));
                    all += 1;
                }
            }
        }
        assert!(held * 100 >= all * 80, "{held} of {all} ends lie in the range");
    }
}
